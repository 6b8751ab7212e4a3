"""The draft of the notice within 3 x 24 hours (UU 27/2022 art 46), in plain Indonesian or English: what is known, and blanks for the rest.

Art 46(2): which personal data were disclosed; when and how; what is done to handle it and to recover.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from auth.admin.breach import Breach, Extent
from schemas.codes import label

Lang = Literal["id", "en"]
BLANK: Final = "_" * 40

_WORDS: Final[dict[Lang, dict[str, str]]] = {
    "en": {
        "title": "NOTICE OF A PERSONAL DATA BREACH (draft)",
        "law": "Law 27 of 2022, article 46: in writing, within 3 x 24 hours, to the persons concerned and to the authority.",
        "known": "The breach became known on (date, time): ",
        "within": "To be sent before (3 x 24 hours later): ",
        "by": "Controller, and protection officer to be asked: ",
        "what": "1. WHICH DATA WERE DISCLOSED",
        "read": "Read, by the log: {cases} persons (cases)",
        "could": "Open to it in that time, read or not: {cases} persons (cases)",
        "none": "none",
        "data_class": "by class of data (article 4)",
        "section": "by part of the record",
        "persons": "Cases read, by reference",
        "when": "2. WHEN AND HOW",
        "time": "Between {since} and {until}, through the system {client} of {agencies}.",
        "first": "First read {first}, last read {last}.",
        "token": "It proved itself with the key {kid}: {times} times, from {first} to {last}.",
        "from": "Its last token was asked for from the address {address}.",
        "networks": "It may call only from: {networks}.",
        "how": "How the key came into other hands: ",
        "measures": "3. WHAT IS DONE",
        "measure": "{at}: {action}",
        "undone": "Not done yet",
        "recover": "Steps to recover, and for the persons' safety: ",
        "told": "4. WHO IS TOLD",
        "agency": "{name} ({code}), cases {cases}; ask for: {roles}",
        "subjects": "The persons are told by the agency that leads their case, safely, and not through an accused guardian: ",
        "public": "Whether the public is told (article 46(3)), and why: ",
        "signed": "Place, date, name, office, signature: ",
        "approximate": "What of this is approximate",
    },
    "id": {
        "title": "PEMBERITAHUAN KEGAGALAN PELINDUNGAN DATA PRIBADI (rancangan)",
        "law": "UU Nomor 27 Tahun 2022 Pasal 46: tertulis, paling lambat 3 x 24 jam, kepada Subjek Data Pribadi dan lembaga.",
        "known": "Kegagalan diketahui pada (tanggal, pukul): ",
        "within": "Disampaikan sebelum (3 x 24 jam sesudahnya): ",
        "by": "Pengendali Data Pribadi, dan pejabat pelindungan data yang dapat dihubungi: ",
        "what": "1. DATA PRIBADI YANG TERUNGKAP",
        "read": "Dibaca, menurut log: {cases} orang (kasus)",
        "could": "Terbuka baginya pada waktu itu, dibaca atau tidak: {cases} orang (kasus)",
        "none": "tidak ada",
        "data_class": "menurut jenis data (Pasal 4)",
        "section": "menurut bagian dokumen",
        "persons": "Kasus yang dibaca, menurut nomor rujukan",
        "when": "2. KAPAN DAN BAGAIMANA DATA TERUNGKAP",
        "time": "Antara {since} dan {until}, melalui sistem {client} milik {agencies}.",
        "first": "Pertama dibaca {first}, terakhir dibaca {last}.",
        "token": "Sistem itu memakai kunci {kid}: {times} kali, dari {first} sampai {last}.",
        "from": "Token terakhir diminta dari alamat {address}.",
        "networks": "Sistem itu hanya boleh dipakai dari: {networks}.",
        "how": "Bagaimana kunci jatuh ke tangan lain: ",
        "measures": "3. UPAYA PENANGANAN DAN PEMULIHAN",
        "measure": "{at}: {action}",
        "undone": "Belum dilakukan",
        "recover": "Upaya pemulihan, dan untuk keselamatan orangnya: ",
        "told": "4. SIAPA YANG DIBERI TAHU",
        "agency": "{name} ({code}), kasus {cases}; hubungi: {roles}",
        "subjects": "Orangnya diberi tahu oleh instansi penanggung jawab kasus, dengan aman, tidak melalui wali yang diduga pelaku: ",
        "public": "Apakah masyarakat diberi tahu (Pasal 46 ayat (3)), dan alasannya: ",
        "signed": "Tempat, tanggal, nama, jabatan, tanda tangan: ",
        "approximate": "Yang bersifat perkiraan",
    },
}
_NOTES_ID: Final = (
    "Orang dihitung sebagai kasus: seseorang dengan dua kasus dihitung dua kali.",
    "Jenis data adalah yang mungkin dimuat suatu bagian, menurut pembacaan kami atas Pasal 4; isinya tidak diperiksa.",
    "Daftar dan aliran peristiwa hanya memuat nomor, keadaan dan instansi, dan tidak dicatat satu per satu; setiap pembukaan kasus dicatat.",
    "Yang dapat dibaca dihitung dari tabel sebagaimana adanya sekarang: yang dibuka, ditutup dan dibuka lagi dihitung menurut waktu terakhir.",
    "Yang tidak diizinkan oleh cakupan (scope) sistem itu ikut dihitung.",
    "Instansi: yang diwakili sistem itu sekarang, yang tercatat di log, dan yang tindakannya boleh dicatatnya.",
    "Alamat tidak disimpan untuk setiap tindakan: hanya alamat permintaan token terakhir. Log proksi memuat yang lain.",
)
_DONE: Final[dict[Lang, dict[str, str]]] = {
    "en": {
        "client:stop": "the system was shut out, with what was added since",
        "client:suspend": "the system was suspended",
        "client:end_key": "a key was ended",
        "client:retire": "the system was ended for good",
        "client:emergency_key": "all its keys were ended, and a new one given after a call back",
        "client:resume": "the system was let in again",
        "client:escalate_stranded": "other agencies were asked to see to what waited",
        "breach:dispute": "its moves were marked as disputed, and the parties told",
        "breach:doubt_consents": "consents it had recorded count only when the persons are asked again",
    },
    "id": {
        "client:stop": "sistem ditutup, beserta yang ditambahkan sejak itu",
        "client:suspend": "sistem dihentikan sementara",
        "client:end_key": "sebuah kunci diakhiri",
        "client:retire": "sistem diakhiri untuk selamanya",
        "client:emergency_key": "semua kuncinya diakhiri, dan kunci baru diberikan setelah dihubungi kembali",
        "client:resume": "sistem dibuka kembali",
        "client:escalate_stranded": "instansi lain diminta menangani yang menunggu",
        "breach:dispute": "tindakannya ditandai sebagai disanggah, dan para pihak diberi tahu",
        "breach:doubt_consents": "persetujuan yang dicatatnya berlaku hanya setelah orangnya ditanya lagi",
    },
}

_UNDONE: Final[dict[Lang, dict[str, str]]] = {
    "en": {
        "stop": "the system still works",
        "end_keys_added": "keys added since then still count: {0}",
        "end_keys": "earlier keys have not been ended: {0}",
        "end_tokens_for_registering": "tokens for registering further systems still count: {0}",
        "stop_registrations": "systems that registered themselves since then still work: {0}",
        "stop_webhooks": "webhooks that it added, changed or enabled since then are still in service: {0}",
        "withdraw_approvals": "what was asked for through it still waits for approval: {0}",
        "doubt_consents": "consents it recorded still count: {0}",
        "dispute_moves": "moves it made are not marked as disputed: {0}",
    },
    "id": {
        "stop": "sistem itu masih dapat dipakai",
        "end_keys_added": "kunci yang ditambahkan sejak itu masih berlaku: {0}",
        "end_keys": "kunci sebelumnya belum diakhiri: {0}",
        "end_tokens_for_registering": "token untuk mendaftarkan sistem lain masih berlaku: {0}",
        "stop_registrations": "sistem yang mendaftar sendiri sejak itu masih dapat dipakai: {0}",
        "stop_webhooks": "webhook yang ditambah, diubah, atau diaktifkannya sejak itu masih aktif: {0}",
        "withdraw_approvals": "permintaan yang diajukan melaluinya masih menunggu persetujuan: {0}",
        "doubt_consents": "persetujuan yang dicatatnya masih berlaku: {0}",
        "dispute_moves": "tindakannya belum ditandai sebagai disanggah: {0}",
    },
}


def notice(breach: Breach, lang: Lang) -> str:
    """Return the draft, as plain text to print."""
    said = _WORDS[lang]
    lines = [
        said["title"],
        said["law"],
        "",
        *(f"{said[name]}{BLANK}" for name in ("known", "within", "by")),
        "",
        said["what"],
        *_extent(breach.did_read, "read", lang),
        *_extent(breach.could_read, "could", lang),
    ]
    if breach.did_read.cases:
        lines += [f"{said['persons']}: {', '.join(case.reference for case in breach.did_read.cases)}"]
    lines += [
        "",
        said["when"],
        said["time"].format(
            since=_at(breach.since),
            until=_at(breach.until),
            client=breach.client_id,
            agencies=", ".join(breach.agencies) or "–",
        ),
    ]
    if breach.did_read.first_at and breach.did_read.last_at:
        lines.append(said["first"].format(first=_at(breach.did_read.first_at), last=_at(breach.did_read.last_at)))
    lines += [
        said["token"].format(kid=each.kid or "–", times=each.times, first=_at(each.first_at), last=_at(each.last_at))
        for each in breach.tokens
    ]
    if breach.last_used_from:
        lines.append(said["from"].format(address=breach.last_used_from))
    if breach.networks:
        lines.append(said["networks"].format(networks=", ".join(breach.networks)))
    lines += [f"{said['how']}{BLANK}", "", said["measures"]]
    lines += [
        said["measure"].format(at=_at(each.at), action=_DONE[lang].get(each.action, each.action))
        for each in breach.measures
    ] or [said["none"]]
    if breach.undone:
        lines.append(f"{said['undone']}:")
        lines += [f"- {_UNDONE[lang][each.what].format(each.count)}" for each in breach.undone]
    lines += [f"{said['recover']}{BLANK}", "", said["told"]]
    lines += [
        said["agency"].format(
            name=each.name, code=each.code, cases=", ".join(each.cases), roles=", ".join(each.duty_contacts) or "–"
        )
        for each in breach.affected
    ] or [said["none"]]
    lines += [f"{said[name]}{BLANK}" for name in ("subjects", "public", "signed")]
    notes = breach.notes if lang == "en" else _NOTES_ID
    lines += ["", f"{said['approximate']}:", *(f"- {each}" for each in notes), ""]
    return "\n".join(lines)


def _extent(extent: Extent, name: str, lang: Lang) -> list[str]:
    said = _WORDS[lang]
    lines = [said[name].format(cases=extent.persons.cases)]
    for what, counts in (("data_class", extent.persons.by_data_class), ("section", extent.persons.by_section)):
        if counts:
            lines.append(f"  {said[what]}:")
            lines += [f"    {label(what, code, lang)}: {count}" for code, count in counts.items()]
    return lines


def _at(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%MZ")

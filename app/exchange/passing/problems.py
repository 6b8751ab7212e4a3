"""What can go wrong when a case is passed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.dependencies import IdempotencyKeyReused as IdempotencyKeyReused
from app.dependencies import RequestInProgress as RequestInProgress
from app.foundation.problems import Problem


class DeskOnly(Problem):
    """Only the ministry's desk may do this, in its own name and by its own system. Call it: its duty contacts stand in the directory."""

    type, status, title, title_id = (
        "desk-only",
        403,
        "Only the ministry's desk may do this",
        "Hanya meja layanan kementerian yang boleh melakukannya",
    )
    log_as = "desk_only"


class MoveNotAllowed(Problem):
    """This move is not open to you in the present state.

    `state` and `version` say how things stand now, `moves` what you may do. `event` and `since` say by what, and when, it came to stand so:
    a move that happened earlier and is recorded only now may find that somebody else, or the clock, was first. Read again and decide.
    """

    type, status, title, title_id = (
        "move-not-allowed",
        409,
        "This move is not possible now",
        "Langkah ini tidak mungkin sekarang",
    )
    log_as = "not_allowed"

    def __init__(
        self, *, state: str, version: int, moves: Sequence[str], event: str | None = None, since: str | None = None
    ) -> None:
        super().__init__(state=state, version=version, moves=list(moves), event=event, since=since)


class OutOfOrder(Problem):
    """`occurred_at` lies more than a minute before something that has been recorded already: `event`, at `occurred_at`.

    Moves that happened while a system was offline are recorded in the order in which they happened. If the order really was another one,
    record the move with a later time and say in a note when it was.
    """

    type, status, title, title_id = (
        "out-of-order",
        409,
        "Something later is recorded already",
        "Langkah yang lebih kemudian sudah tercatat",
    )
    log_as = "out_of_order"

    def __init__(self, *, state: str, version: int, event: str, occurred_at: str) -> None:
        super().__init__(state=state, version=version, event=event, occurred_at=occurred_at)


class Taken(Problem):
    """Several receivers were asked at once, and another one has accepted already. The person has a place; nothing more is needed of you.

    To a sender: the group has been accepted; start another one, or a referral without a group.
    """

    type, status, title, title_id = "taken", 409, "Another receiver has accepted", "Penerima lain sudah menerima"
    log_as = "taken"

    def __init__(self, *, state: str | None = None, version: int | None = None) -> None:
        super().__init__(state=state, version=version)


class OfferGroupUnusable(Problem):
    """A group of offers belongs to one case and one sender, and has at most five receivers who have not answered. Choose a new UUID."""

    type, status, title, title_id = (
        "offer-group",
        409,
        "The group of offers cannot be used",
        "Kelompok penawaran tidak dapat dipakai",
    )
    log_as = "offer_group"


class NothingToDispute(Problem):
    """Only the party itself disputes, once, a move that another agency recorded for it; nobody disputes on another's behalf."""

    type, status, title, title_id = (
        "nothing-to-dispute",
        409,
        "There is nothing to dispute",
        "Tidak ada yang dapat disanggah",
    )
    log_as = "dispute"


class NothingToConfirm(Problem):
    """A party confirms, once, a move of its own that the exchange disputes because of a breach. This one is not disputed so, or is confirmed."""

    type, status, title, title_id = (
        "nothing-to-confirm",
        409,
        "There is nothing to confirm",
        "Tidak ada yang perlu dikonfirmasi",
    )
    log_as = "confirm_move"


class StaleVersion(Problem):
    """It has changed since you read it. Nothing was done. Read it again, decide, and repeat with the new version."""

    type, status, title, title_id = (
        "stale-version",
        412,
        "It has changed since you read it",
        "Data telah berubah sejak dibaca",
    )
    log_as = "stale"

    def __init__(self, *, state: str, version: int) -> None:
        super().__init__(state=state, version=version)


class NotLead(Problem):
    """Only the agency that leads the case may do this; for a referral also one that holds an accepted referral whose basis allows onward
    sharing. The lead may have moved meanwhile: read the case."""

    type, status, title, title_id = (
        "not-lead",
        403,
        "Your agency does not lead this case",
        "Instansi Anda bukan penanggung jawab kasus ini",
    )
    log_as = "not_lead"


class CaseClosed(Problem):
    """The case is closed. Its last lead may reopen it."""

    type, status, title, title_id = "case-closed", 409, "The case is closed", "Kasus sudah ditutup"
    log_as = "case_closed"


class CaseHasOpenDuties(Problem):
    """The case cannot be closed while a transfer (`transfers`) or an immediate referral (`referrals`) of it is open.

    See them through, recall or cancel them first. Other open referrals go on after the case is closed.
    """

    type, status, title, title_id = (
        "case-has-open-duties",
        409,
        "The case has open duties",
        "Kasus masih memiliki kewajiban terbuka",
    )
    log_as = "open_duties"

    def __init__(self, *, transfers: Sequence[str], referrals: Sequence[str]) -> None:
        super().__init__(transfers=list(transfers), referrals=list(referrals))


class OpenTwin(Problem):
    """The same receiver has an open referral of this case for the same needs: `referral_id`.

    Amend that one, or recall it first. So a person is never referred twice as two.
    """

    type, status, title, title_id = (
        "open-twin",
        409,
        "The same referral is open already",
        "Rujukan yang sama masih terbuka",
    )
    log_as = "open_twin"

    def __init__(self, referral_id: UUID | str | None) -> None:
        super().__init__(referral_id=referral_id)


class TransferAlreadyOpen(Problem):
    """The case has an open transfer: `transfer_id`.

    Recall it while it is not accepted; once accepted, wait until it is confirmed or aborted.
    """

    type, status, title, title_id = (
        "transfer-already-open",
        409,
        "The case has an open transfer already",
        "Pelimpahan kasus masih terbuka",
    )
    log_as = "transfer_open"

    def __init__(self, transfer_id: UUID | str | None) -> None:
        super().__init__(transfer_id=transfer_id)


class NothingToReplace(Problem):
    """`replaces` must be an ended referral or transfer of the same case that your agency sent."""

    type, status, title, title_id = (
        "nothing-to-replace",
        409,
        "There is nothing to replace",
        "Tidak ada yang dapat digantikan",
    )
    log_as = "nothing_to_replace"


class RecordVersionUnavailable(Problem):
    """`record_version` must be a version of this case that your agency wrote or holds in full, and the bases may name only sections it has."""

    type, status, title, title_id = (
        "record-version-unavailable",
        409,
        "That record version cannot be sent",
        "Versi dokumen tidak dapat dikirim",
    )
    log_as = "record_version"


class FilesUnusable(Problem):
    """At least one file that the record or the consent names cannot go with it. Nothing was sent, nothing was left out.

    `errors` points at each with its code: `unknown_attachment` (there is none that your agency uploaded, or holds with this case and may pass on),
    `attachment_not_ready` (it is still being uploaded or scanned: send again in a moment), `attachment_rejected` (its type, its size, or what the
    scan found), `attachment_gone` (it was not used in time, or is erased, or its record was taken back: upload it again),
    `attachment_of_another_case` (a file is of one case: upload it again for this one), `section_not_included` (the section it was uploaded for is
    not in the record), `section_sealed` (its section is sealed, so that a file the exchange can read does not belong to it),
    `attachment_is_evidence` (it proves a consent), `attachment_of_a_record` (it goes with a record, so it proves no consent).
    """

    type, status, title, title_id = (
        "files-unusable",
        409,
        "A file cannot go with it",
        "Ada berkas yang tidak dapat disertakan",
    )
    log_as = "files"

    def __init__(self, *, errors: Sequence[Mapping[str, str]]) -> None:
        super().__init__(errors=[dict(error) for error in errors])


class AnotherManifest(Problem):
    """The digest is not that of the manifest offered. Read the transfer again: it may have been amended."""

    type, status, title, title_id = "another-manifest", 409, "The manifest is another one", "Manifes tidak sama"
    log_as = "manifest"

    def __init__(self, *, state: str, version: int) -> None:
        super().__init__(state=state, version=version)


class DisclosureRefused(Problem):
    """At least one section may not go to this receiver for this purpose on this basis. Nothing was sent, nothing was cut out.

    `refused` names each section with its reason: `no_basis` (no basis names it), `two_bases`, `not_included` (a basis names a section the
    record does not have), `purpose` (the purpose does not need it), `agency_kind` (this kind of agency may not hold it), `consent_only`
    (this kind receives on the person's own consent alone), `basis_does_not_open`, `basis_ended`, `abroad`, `consent` (the consent does
    not cover this section, receiver or purpose, or is over), `consent_doubted` (the person must be asked again first), `restricted` (the
    person had it restricted, or asked for erasure: it goes on a vital interest, a legal obligation, a court's order, or a consent given after that;
    `restrictions` says since when, and by which request, which the lead reads), `consent_not_provable`
    (only spoken, or heard by nobody but an interpreter who is not independent), `consent_without_assent` (the child does not agree),
    `consent_not_for_child` (the record says it is a child, the consent does not), `consent_not_own` (a foreign mission receives on the
    person's own consent alone); `legal_basis_unknown`, `legal_basis_not_in_force` (`not_in_force` says what replaced the law),
    `article_does_not_ground` (the article speaks of something else), `not_a_child`; `court_order_in_the_future`, `court_order_expired`,
    `court_order_for_another` (it binds neither sender nor receiver), `court_order_scope` (it does not name this section). Where one of the reasons
    is `agreement`, the refusal is `agreement-required`.
    `sendable_sections` are those that may go as they are: send these now, and seek a basis for the rest.
    """

    type, status, title, title_id = (
        "disclosure-refused",
        403,
        "Some sections may not be disclosed",
        "Sebagian data tidak boleh diungkapkan",
    )
    log_as = "disclosure"

    def __init__(
        self,
        *,
        refused: Mapping[str, str],
        sendable: Sequence[str],
        not_in_force: Mapping[str, str | None] | None = None,
        restrictions: Sequence[Mapping[str, str]] = (),
    ) -> None:
        laws = [{"legal_basis": code, "replaced_by": by} for code, by in (not_in_force or {}).items()]
        more: dict[str, Any] = {"not_in_force": laws} if laws else {}
        if restrictions:
            more["restrictions"] = [dict(each) for each in restrictions]
        super().__init__(
            refused=[{"section": section, "reason": reason} for section, reason in refused.items()],
            sendable_sections=list(sendable),
            **more,
        )


class AgreementRequired(Problem):
    """At least one section may not go to this receiver because no data-sharing agreement in force covers it. Nothing was sent, nothing was cut out.

    Between an agency in the country of the exchange and one in another, either way, an agreement in force that day must cover the purpose
    and every section. Inside the country none is needed; once the two agencies have had one, only what one in force covers goes, and beyond it
    only what a vital interest opens. `sections` names what is not covered; `agreement` what is missing: that `from` may send `to` these
    sections for this `purpose`. `refused` names every section that may not go, also for other reasons (see `disclosure-refused`);
    `sendable_sections` are those that may go as they are. The two agencies conclude the agreement; whoever administers the exchange enters it.
    """

    type, status, title, title_id = (
        "agreement-required",
        403,
        "No data-sharing agreement covers this",
        "Tidak ada perjanjian berbagi data yang mencakupnya",
    )
    log_as = "agreement"

    def __init__(
        self, *, sender: str, receiver: str, purpose: str, refused: Mapping[str, str], sendable: Sequence[str]
    ) -> None:
        super().__init__(
            sections=[section for section, reason in refused.items() if reason == "agreement"],
            agreement={"kind": "data_sharing", "from": sender, "to": receiver, "purpose": purpose},
            refused=[{"section": section, "reason": reason} for section, reason in refused.items()],
            sendable_sections=list(sendable),
        )


class UnknownReceiver(Problem):
    """No agency has this code. Look it up in the directory: `GET /v1/agencies`."""

    type, status, title, title_id = "unknown-receiver", 422, "There is no such agency", "Instansi tidak ditemukan"

    def __init__(self, pointer: str = "/receiver") -> None:
        super().__init__(errors=[{"pointer": pointer, "code": "unknown_agency"}])


class ReceiverUnavailable(Problem):
    """The receiver does not take part at the moment (suspended or closed), or is your own agency. Refer elsewhere."""

    type, status, title, title_id = (
        "receiver-unavailable",
        409,
        "The receiver cannot be referred to",
        "Penerima tidak dapat dirujuk",
    )
    log_as = "receiver_unavailable"


class OutcomesIncomplete(Problem):
    """Every need of the record gets exactly one outcome. `missing` and `unexpected` name the needs' codes."""

    type, status, title, title_id = (
        "outcomes-incomplete",
        422,
        "An outcome for each need",
        "Hasil untuk setiap kebutuhan",
    )

    def __init__(self, *, missing: Sequence[str], unexpected: Sequence[str]) -> None:
        super().__init__(missing=list(missing), unexpected=list(unexpected))


class ServicePointUnknown(Problem):
    """The service point must be one of your agency's. For a confidential one give a `meeting_point`: its address is never passed on."""

    type, status, title, title_id = "service-point", 422, "The service point does not fit", "Unit layanan tidak sesuai"

    def __init__(self, code: str) -> None:
        super().__init__(
            errors=[{"pointer": "/service_point" if code == "unknown" else "/meeting_point", "code": code}]
        )


class GuardianBarred(Problem):
    """The guardian of this person is marked as a suspect: what a parent or guardian says, to give a consent or to take one back, does not count,
    and who saw the person's data is not reported to them.

    The lead of the case is told. Ask the person, or whoever a court or an authority has set in the guardian's place; or seek another basis.
    """

    type, status, title, title_id = (
        "guardian-barred",
        403,
        "The guardian is barred",
        "Wali tidak diperkenankan",
    )
    log_as = "guardian_barred"

    def __init__(self, case_id: UUID | str) -> None:
        self.case_id = case_id
        super().__init__()


class ConsentVoid(Problem):
    """The person was not told all that the law demands before a consent (UU 27/2022 art 21(1)), so it is void (art 24) and was not recorded.

    `missing` names what was not told: `legality`, `purpose`, `kinds_of_data`, `retention`, `details`, `period`, `rights`. Tell it, ask again, and
    record that consent; until then, seek another basis.
    """

    type, status, title, title_id = (
        "consent-void",
        422,
        "The consent is void",
        "Persetujuan batal demi hukum",
    )
    log_as = "consent_void"

    def __init__(self, *, missing: Sequence[str]) -> None:
        super().__init__(missing=list(missing))


class ConsentOver(Problem):
    """The consent was withdrawn: it is neither widened nor reconfirmed. Record a new one, if the person gives it."""

    type, status, title, title_id = (
        "consent-over",
        409,
        "The consent was withdrawn",
        "Persetujuan sudah ditarik",
    )
    log_as = "consent_over"


class NothingToReconfirm(Problem):
    """The consent is not in doubt: it counts as it is."""

    type, status, title, title_id = (
        "nothing-to-reconfirm",
        409,
        "The consent is not in doubt",
        "Persetujuan tidak diragukan",
    )
    log_as = "nothing_to_reconfirm"


class AnotherClientNeeded(Problem):
    """The system that recorded this was found compromised: it cannot confirm it. Use another system of your agency, or a new client."""

    type, status, title, title_id = (
        "another-client-needed",
        403,
        "Another system has to record this",
        "Harus dicatat melalui sistem lain",
    )
    log_as = "another_client_needed"


class NothingToWithdraw(Problem):
    """What is to be taken back was taken back before, or the consent never covered it. What rested on it is locked already."""

    type, status, title, title_id = (
        "nothing-to-withdraw",
        409,
        "There is nothing left to withdraw",
        "Tidak ada lagi yang dapat ditarik",
    )
    log_as = "nothing_to_withdraw"


class RequestAnswered(Problem):
    """The request has its answer already; an answer is given once."""

    type, status, title, title_id = (
        "request-answered",
        409,
        "The request is answered already",
        "Permintaan sudah dijawab",
    )
    log_as = "request_answered"


class RestrictionNotInForce(Problem):
    """There is no restriction to lift: it was lifted already, it was not granted, or the person asked for something else."""

    type, status, title, title_id = (
        "restriction-not-in-force",
        409,
        "No restriction is in force",
        "Tidak ada pembatasan yang berlaku",
    )
    log_as = "restriction_not_in_force"


class RestrictionStands(Problem):
    """Who asks for its end cannot end this restriction.

    `needs` says what would: `court_order` (a court asked for it), `person` (the person asked for it; a parent or guardian does not take that back).
    """

    type, status, title, title_id = (
        "restriction-stands",
        409,
        "The restriction stands",
        "Pembatasan tetap berlaku",
    )
    log_as = "restriction_stands"

    def __init__(self, *, needs: str) -> None:
        super().__init__(needs=needs)


class NothingToRebase(Problem):
    """A new basis takes the place of one that ended, locked or waits for review, and of nothing else.

    A request that asks to erase opens what it locked. A sender puts on another basis what it sent, but not what a consent still covers. Sections
    that were replaced, retracted or whose referral has closed since stay locked. A vital interest follows no vital interest, and is no new basis
    for a sender.
    """

    type, status, title, title_id = (
        "nothing-to-rebase",
        409,
        "These sections cannot be opened again",
        "Bagian ini tidak dapat dibuka kembali",
    )
    log_as = "nothing_to_rebase"


class LeadCorrectsItself(Problem):
    """Your agency leads the case: correct the record itself, nobody has to be asked."""

    type, status, title, title_id = (
        "lead-corrects-itself",
        409,
        "The lead corrects, it does not propose",
        "Penanggung jawab memperbaiki sendiri",
    )
    log_as = "lead_corrects_itself"


class VersionRetracted(Problem):
    """This record version was retracted before; it is locked for everyone."""

    type, status, title, title_id = (
        "version-retracted",
        409,
        "The version is retracted already",
        "Versi sudah ditarik kembali",
    )
    log_as = "version_retracted"


class UnknownCase(Problem):
    """There is no case of this reference, or it is no reference of a case. Have it read out again: its last character is a check."""

    type, status, title, title_id = "unknown-case", 422, "There is no case of this reference", "Kasus tidak ditemukan"
    log_as = "unknown_case"

    def __init__(self, pointer: str = "/other") -> None:
        super().__init__(errors=[{"pointer": pointer, "code": "unknown_case"}])


class SameCase(Problem):
    """The reference is that of the case itself. A link joins two cases."""

    type, status, title, title_id = (
        "same-case",
        409,
        "A case is not linked to itself",
        "Kasus tidak ditautkan ke dirinya",
    )
    log_as = "same_case"


class LinkedAlready(Problem):
    """The two cases have an open link of this kind: `link_id`. Answer that one, or end it first."""

    type, status, title, title_id = "linked-already", 409, "The cases are linked already", "Kasus sudah ditautkan"
    log_as = "linked_already"

    def __init__(self, link_id: UUID | str | None) -> None:
        super().__init__(link_id=link_id)


class ServicePointBarred(Problem):
    """This service point cannot be used for this person. Choose another of your service points, or decline."""

    type, status, title, title_id = (
        "service-point-barred",
        409,
        "The service point cannot be used for this person",
        "Unit layanan tidak dapat dipakai untuk orang ini",
    )
    log_as = "service_point_barred"


class OfficerOnly(Problem):
    """Only protection officers may do this: people of the reviewing agency, in its own name and by its own system, with the scope for it
    (`protection.read` to read, `protection.write` to act)."""

    type, status, title, title_id = (
        "officer-only",
        403,
        "Only protection officers may do this",
        "Hanya petugas pelindungan data yang boleh melakukannya",
    )
    log_as = "officer_only"


class SectionsHeld(Problem):
    """A legal hold keeps `sections` from erasure. Grant the erasure of the others (`granted_in_part`, with a ground), or answer once the hold
    has ended; `GET /v1/holds` says which it is."""

    type, status, title, title_id = (
        "sections-held",
        409,
        "A legal hold keeps these sections",
        "Bagian ini ditahan atas perintah hukum",
    )
    log_as = "held"

    def __init__(self, *, sections: Sequence[str]) -> None:
        super().__init__(sections=list(sections))


class HoldEnded(Problem):
    """The hold was lifted, or its time is over. Where an authority orders it again, place a new one."""

    type, status, title, title_id = "hold-ended", 409, "The hold has ended", "Penahanan data telah berakhir"
    log_as = "ended"


class IncidentClosed(Problem):
    """The incident is closed; nothing is added to it any more. What becomes known later is an incident of its own."""

    type, status, title, title_id = "incident-closed", 409, "The incident is closed", "Insiden telah ditutup"
    log_as = "closed"


class IncidentIncomplete(Problem):
    """A notice says what data, of how many persons, and when (UU 27/2022 art 46). `missing` names what is not known yet: send it with the
    closing, or say why there was no notice (`no_notice_reason`)."""

    type, status, title, title_id = (
        "incident-incomplete",
        409,
        "The notice is not complete",
        "Isi pemberitahuan belum lengkap",
    )
    log_as = "incomplete"

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(missing=[f"/{name}" for name in missing])


class NothingGranted(Problem):
    """A person's data leave the exchange only for what they were granted: name, as `request`, an answered subject request of this case, of kind
    `access` or `copy`, whose answer was not a refusal."""

    type, status, title, title_id = (
        "nothing-granted",
        403,
        "No granted request allows this",
        "Tidak ada permintaan yang dikabulkan untuk ini",
    )
    log_as = "nothing_granted"


class SealedToWrongKeys(Problem):
    """A sealed section is not encrypted to the keys it should be. `errors` names each recipient by a JSON Pointer, with a code.

    `unknown_key` (no agency has published this key), `ended_key` (it has ended, perhaps lost or stolen), `key_not_begun` (it works from a
    later time on), `not_a_party` (it is neither the receiver's nor your own), `another_curve` (the ephemeral key is of another curve than the
    recipient's), `receiver_missing` (whoever shall read it has no key among the recipients; of a correction that is every holder of the section).
    Fetch the keys again (`GET /v1/agencies/{code}/encryption-keys`), seal again, send again.
    """

    type, status, title, title_id = (
        "sealed-to-wrong-keys",
        422,
        "A sealed section is sealed to the wrong keys",
        "Bagian tersegel disegel untuk kunci yang salah",
    )
    log_as = "sealed_to_wrong_keys"

    def __init__(self, errors: Sequence[Mapping[str, str]]) -> None:
        super().__init__(errors=list(errors))


class SealedToOthers(Problem):
    """The version you send again has sections, or corrections of them, that are sealed to others: this receiver could not open them.

    `sections` names them. Open them with your key, seal them to this receiver, and send the record itself; or leave them out of the bases.
    """

    type, status, title, title_id = (
        "sealed-to-others",
        409,
        "Some sections are sealed to others",
        "Sebagian data disegel untuk instansi lain",
    )
    log_as = "sealed_to_others"

    def __init__(self, sections: Sequence[str]) -> None:
        super().__init__(sections=list(sections))


class SealedSectionsUnanswered(Problem):
    """A case is handed over with all of it, or with a reason. `sections` are sealed sections of the case that the offer says nothing of.

    Put each into the record, sealed to the new lead or open; or name it in `left_behind` with a reason (an amendment keeps what the offer left
    behind). One that you cannot open is left behind as `cannot_open`.
    """

    type, status, title, title_id = (
        "sealed-sections-unanswered",
        409,
        "The offer does not answer for every sealed section",
        "Penawaran belum menjawab setiap bagian tersegel",
    )
    log_as = "sealed_unanswered"

    def __init__(self, sections: Sequence[str]) -> None:
        super().__init__(sections=list(sections))


class NothingToReseal(Problem):
    """Only sections that were sealed to you, in a referral or transfer that is open, can be sealed again."""

    type, status, title, title_id = (
        "nothing-to-reseal",
        409,
        "There is nothing to seal again",
        "Tidak ada yang perlu disegel ulang",
    )
    log_as = "nothing_to_reseal"


class ResealRequested(Problem):
    """The sender has been asked already and has not answered yet. The request and its deadline: `GET /v1/requests?role=from&kind=reseal`."""

    type, status, title, title_id = (
        "reseal-requested",
        409,
        "The sender has been asked already",
        "Pengirim sudah diminta",
    )
    log_as = "reseal_requested"

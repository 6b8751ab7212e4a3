"""What a notice says: that something waits, under which reference, and whom to call. Never a name, a state, a reason, or an address with a token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final, Literal
from uuid import UUID

from app.foundation.settings import Settings

Language = Literal["id", "en"]
MOST_LISTED: Final = 100
"""References a mail lists; of more it says how many."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that waits."""

    subject: str
    """`referral`, `transfer`, `case` or `request`."""
    reference: str | None
    """A request about data has none."""


_NAMES: Final[dict[Language, dict[str, str]]] = {
    "id": {
        "referral": "rujukan",
        "transfer": "pelimpahan kasus",
        "case": "kasus",
        "request": "permintaan tentang data",
    },
    "en": {"referral": "referral", "transfer": "transfer of a case", "case": "case", "request": "request about data"},
}
_SUBJECT: Final[dict[Language, tuple[str, str]]] = {
    "id": ("{what} menunggu instansi Anda", "{count} hal menunggu instansi Anda"),
    "en": ("A {what} waits for your agency", "{count} things wait for your agency"),
}
_BODY: Final[dict[Language, tuple[str, str, str, str, str]]] = {
    "id": (
        "Yang menunggu instansi Anda di pertukaran rujukan:",
        "dan {more} lainnya",
        "Buka dengan sistem instansi Anda, atau hubungi {contact} dan sebutkan nomor rujukannya.",
        "Surel ini dikirim otomatis dan tidak memuat data orang. Jangan menulis tentang orang dalam balasan.",
        "Ini uji coba: surel pemberitahuan sampai ke alamat ini.",
    ),
    "en": (
        "Waiting for your agency at the referral exchange:",
        "and {more} more",
        "Open it with your agency's system, or call {contact} and give the reference.",
        "This mail was sent automatically and holds no data of a person. Write nothing about a person in a reply.",
        "This is a test: notices reach this address.",
    ),
}
_OPERATORS: Final[dict[Language, str]] = {"id": "operator pertukaran", "en": "the exchange's operators"}
_PRACTICE: Final[dict[Language, str]] = {"id": "[latihan] ", "en": "[practice] "}


def compose(
    settings: Settings,
    *,
    mail_id: UUID,
    to: str,
    language: Language,
    lines: Sequence[Line],
    at: datetime,
    practice: bool = False,
) -> EmailMessage:
    """Return the mail; the same one however often it is tried. Without lines it is a test."""
    intro, more, how, footer, test = _BODY[language]
    listed = [_named(each, language) for each in lines[:MOST_LISTED]]
    if len(lines) > MOST_LISTED:
        listed.append(more.format(more=len(lines) - MOST_LISTED))
    contact = settings.notice_contact or _OPERATORS[language]
    told = [intro, "", *(f"  {each}" for each in listed)] if lines else [test]
    message = EmailMessage(policy=SMTP)
    message["From"] = settings.notice_from
    message["To"] = to
    message["Subject"] = f"{_PRACTICE[language] if practice else ''}Rujukan: {_title(lines, language)}"
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<notice.{mail_id}@{sender_domain(settings)}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: no answering machine answers it
    message.set_content("\n".join([*told, "", how.format(contact=contact), "", "--", footer, ""]))
    message["Content-Language"] = language  # after the content, which clears what is said of it
    return message


def sender_domain(settings: Settings) -> str:
    """Return the domain the exchange writes from."""
    return (settings.notice_from or "").rpartition("@")[2]


def _named(line: Line, language: Language) -> str:
    name = _NAMES[language][line.subject]
    return f"{name} {line.reference}" if line.reference else name


def _title(lines: Sequence[Line], language: Language) -> str:
    one, several = _SUBJECT[language]
    if not lines:
        return {"id": "uji coba", "en": "test"}[language]
    if len(lines) > 1:
        return several.format(count=len(lines))
    title = one.format(what=_named(lines[0], language))
    return title[0].upper() + title[1:]

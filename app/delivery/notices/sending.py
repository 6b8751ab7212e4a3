"""Sending one mail by SMTP, and when to try again: a pure function of what came of it."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Final

import aiosmtplib

from app.foundation.settings import Settings

PATIENCE: Final = 20.0
"""Seconds a server may take over one step."""
IN_ALL: Final = 60.0
"""Seconds a mail may take."""
GIVE_UP_AFTER: Final = timedelta(hours=24)
_LONGEST_PAUSE: Final = timedelta(hours=2)

FAULTS: Final = {
    "refused": "The server refuses the address for good (5xx).",
    "content": "The server refuses the mail for good (5xx).",
    "later": "The server says to come back later (4xx), or that for now it takes nothing.",
    "login": "The server refuses the exchange's own user, password or sender address.",
    "tls": "The server offers no TLS, or its certificate cannot be verified.",
    "timeout": "The server is too slow.",
    "disconnected": "The connection broke.",
    "unreachable": "Nothing answers at the server's address.",
    "internal": "The exchange failed.",
}
"""What can go wrong, by its name in lists and logs. `refused` and `content` are the mail's own; the others are tried again for a day."""
FOR_GOOD: Final = frozenset({"refused", "content"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try."""

    fault: str | None = None
    """None: it was taken."""
    status: int | None = None
    """The server's answer, if there was one."""


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Return what the server's certificate is verified by: the public authorities, and those of `RUJUKAN_SMTP_CA`."""
    context = ssl.create_default_context()
    if settings.smtp_ca is not None:
        context.load_verify_locations(cafile=settings.smtp_ca)
    return context


async def send(settings: Settings, message: EmailMessage, *, to: str) -> Outcome:
    """Hand a mail to the server. Raises nothing that the server or the line can cause."""
    assert settings.notice_from is not None, "checked at start"
    server = aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        use_tls=settings.smtp_tls == "tls",
        start_tls=settings.smtp_tls == "starttls",
        tls_context=tls_context(settings) if settings.smtp_tls != "none" else None,
        username=settings.smtp_user,
        password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
        local_hostname=settings.notice_from.rpartition("@")[2],
        timeout=PATIENCE,
    )
    try:
        async with asyncio.timeout(IN_ALL):
            async with server:
                await server.sendmail(settings.notice_bounces_to or settings.notice_from, [to], message.as_bytes())
    except Exception as error:
        return outcome_of(error)
    finally:
        server.close()
    return Outcome()


def outcome_of(error: Exception) -> Outcome:
    """Return what an error of a try means."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        status = error.recipients[0].code
        return Outcome("refused" if status >= 500 else "later", status)
    if isinstance(error, aiosmtplib.SMTPDataError):
        return Outcome("content" if error.code >= 500 else "later", error.code)
    if isinstance(error, (aiosmtplib.SMTPAuthenticationError, aiosmtplib.SMTPSenderRefused)):
        return Outcome("login" if error.code >= 500 else "later", error.code)
    if isinstance(error, TimeoutError):
        return Outcome("timeout")
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return Outcome("tls")
    if isinstance(error, aiosmtplib.SMTPNotSupported):  # no AUTH that both sides know
        return Outcome("login")
    if (
        type(error) is aiosmtplib.SMTPException and "STARTTLS" in error.message
    ):  # how the library says that it is not offered
        return Outcome("tls")
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return Outcome("disconnected")
    if isinstance(error, aiosmtplib.SMTPResponseException):  # at the greeting, or later: not about this address
        return Outcome("later", error.code)
    if isinstance(error, OSError):
        return Outcome("unreachable")
    return Outcome("internal")


def next_try(outcome: Outcome, *, attempts: int, first_at: datetime, now: datetime, chance: float) -> datetime | None:
    """Return when to try again, or None to give up. `attempts`: made so far; `chance`: from 0 to 1, so that not all come at once.

    Pauses of 1, 2, 4 … minutes up to two hours, for a day.
    """
    if outcome.fault in FOR_GOOD or now - first_at >= GIVE_UP_AFTER:
        return None
    pause = min(timedelta(minutes=1 << min(attempts - 1, 10)), _LONGEST_PAUSE)
    return now + pause * (1 + chance / 4)

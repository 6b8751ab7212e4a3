"""Every scope, once: what a client may do. What its agency may see is policy's to say."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """A value of `scope` (RFC 6749 §3.3)."""

    cases_read = "cases.read"
    cases_write = "cases.write"
    consents_write = "consents.write"
    referrals_read = "referrals.read"
    referrals_write = "referrals.write"
    transfers_read = "transfers.read"
    transfers_write = "transfers.write"
    events_read = "events.read"
    directory_read = "directory.read"
    directory_write = "directory.write"
    desk_write = "desk.write"
    protection_read = "protection.read"
    protection_write = "protection.write"
    keys_write = "keys.write"
    webhooks_write = "webhooks.write"
    attachments_write = "attachments.write"
    exports_read = "exports.read"
    admin_read = "admin.read"
    admin_write = "admin.write"


DESCRIPTIONS: Final[dict[Scope, str]] = {
    Scope.cases_read: "Read cases the agency takes part in, and their history.",
    Scope.cases_write: "Open and close cases, and change who takes part in them.",
    Scope.consents_write: "Record consents and their withdrawal.",
    Scope.referrals_read: "Read referrals sent or received, and the records that came with them.",
    Scope.referrals_write: "Send, answer and conclude referrals.",
    Scope.transfers_read: "Read transfers of responsibility offered or received.",
    Scope.transfers_write: "Offer, answer and confirm transfers of responsibility.",
    Scope.events_read: "Read the feed of events.",
    Scope.directory_read: "Read the directory of agencies and service points.",
    Scope.directory_write: "Say whom to call at one's own agency.",
    Scope.desk_write: "At the ministry's desk: re-route what nobody answers, and propose a new lead where one is gone.",
    Scope.protection_read: "As a protection officer: read what waits for review, and who saw what of a case.",
    Scope.protection_write: "As a protection officer: approve a new lead, retract a wrong record, place and lift legal holds.",
    Scope.keys_write: "Add and end the client's own keys. One it adds is announced to the agency and works after an hour.",
    Scope.webhooks_write: "Manage the client's own webhooks, and see what was sent to them.",
    Scope.attachments_write: "Upload files that are to go with a record.",
    Scope.exports_read: "Export everything the agency may read, at once.",
    Scope.admin_read: "Read what administrators read: clients, agreements, approvals.",
    Scope.admin_write: "Ask for what opens access, and stop what must be stopped; what opens access needs two people's yes.",
}

ADMIN_SCOPES: Final = frozenset({Scope.admin_read, Scope.admin_write})
"""What reaches beyond a client's own agencies: nothing to practise with, so nobody has it before two people have said yes."""
AGENCY_SCOPES: Final = frozenset(Scope) - ADMIN_SCOPES
"""What an agency's system is given where nobody says what it needs."""
EMERGENCY_SCOPES: Final = AGENCY_SCOPES - {
    Scope.cases_write,
    Scope.consents_write,
    Scope.transfers_write,
    Scope.directory_write,
    Scope.desk_write,
    Scope.protection_read,
    Scope.protection_write,
    Scope.keys_write,
    Scope.webhooks_write,
    Scope.exports_read,
}
"""What is left of a client's scopes after an emergency rotation, until a second administrator agrees: enough to lose nobody."""

_GRAMMAR = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+(?: [\x21\x23-\x5B\x5D-\x7E]+)*")


class UnknownScopeError(ValueError):
    """A scope that does not exist; the text is not repeated."""


def parse_scope(text: str) -> frozenset[Scope]:
    """Return the scopes `text` names. Raises `UnknownScopeError` for one there is not, and for what RFC 6749 §3.3 does not allow."""
    if not _GRAMMAR.fullmatch(text):
        raise UnknownScopeError("the scope does not follow RFC 6749 section 3.3")
    try:
        return frozenset(Scope(token) for token in text.split(" "))
    except ValueError:
        raise UnknownScopeError("there is no such scope") from None


def scope_text(scopes: frozenset[Scope]) -> str:
    """Write `scopes` as one `scope` value, always in the same order."""
    return " ".join(sorted(scopes))

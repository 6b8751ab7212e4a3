"""Receipts: what the exchange has signed about an act, and the proof that the act is in its log."""

from typing import Literal
from uuid import UUID

from schemas.base import Moment, Wire
from schemas.exchange.common import AgencyRef


class Sealed(Wire):
    """Where the act stands in the log's tree. Absent for the few seconds until it is sealed."""

    position: int
    """The position of its leaf, beginning with 0."""
    checkpoint: str
    """A signed checkpoint of a tree that holds it (C2SP tlog-checkpoint)."""
    proof: list[str]
    """The proof that it does (RFC 9162 §2.1.3): hashes in base64, the nearest to the leaf first."""


class Receipt(Wire):
    """A receipt. With the exchange's public key alone anybody can check it, now or in years (`rujukan verify receipt`)."""

    log_entry: UUID
    receipt: str
    """A JWS (RFC 7515) in compact form over who did what to which object when, the hash of the log's entry of it, and the commitment to the
    document that was sent, if one was."""
    sealed: Sealed | None
    salt: str | None
    """The salt of the commitment, in base64url: given to who may read the whole document now, and gone once it is erased."""
    entry: dict[str, object] | None
    """The log's entry itself, whose hash the receipt holds: to whose act it was."""


class ReceiptEntry(Wire):
    """One act there is a receipt for."""

    log_entry: UUID
    action: str
    """What was done, as `referral:accept`."""
    by: AgencyRef
    recorded_at: Moment
    receipt: str
    """Where its receipt is."""


class ReceiptList(Wire):
    """The acts on a referral or transfer for which the caller may hold receipts, oldest first."""

    items: list[ReceiptEntry]


class ConsistencyProof(Wire):
    """The proof that a tree of the log begins with an earlier one (RFC 9162 §2.1.4)."""

    earlier: int
    later: int
    proof: list[str]
    """Hashes in base64."""


class PublicLogKey(Wire):
    """A key that signs, or has signed, the log's checkpoints and receipts."""

    vkey: str
    """As a verifier key in one line (C2SP signed-note): for checkpoints."""
    jwk: dict[str, str]
    """As a JWK (RFC 8037): for receipts."""
    state: Literal["next", "active", "retired"]
    created_at: Moment
    activated_at: Moment | None
    retired_at: Moment | None
    """What it has signed before counts for ever; a signature dated later does not."""


class LogKeys(Wire):
    """Every key the log ever had, newest first. Keep a copy: what is checked against keys fetched later is checked against whoever answers then."""

    origin: str | None
    """What the log calls itself; null while it has no key."""
    keys: list[PublicLogKey]

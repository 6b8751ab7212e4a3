"""Who sent the request, once all of it was checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from auth.directory import AgencyEntry
from auth.scopes import Scope


@dataclass(frozen=True, slots=True)
class Caller:
    """A client speaking for one agency. The DPoP proof is still to be used up, in the transaction that does the work.

    Over mutual TLS there is none (None): the handshake is the proof, and nothing that is sent could be replayed (RFC 8705 §3).
    """

    client_id: str
    agency: AgencyEntry
    scopes: frozenset[Scope]
    proof_hash: bytes | None = field(repr=False)
    proof_until: datetime | None
    expires_at: datetime
    request_id: str

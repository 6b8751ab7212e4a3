"""Who sent the request, once all of it was checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from auth.directory import AgencyEntry
from auth.scopes import Scope


@dataclass(frozen=True, slots=True)
class Caller:
    """A client speaking for one agency. The proof is still to be used up, in the transaction that does the work."""

    client_id: str
    agency: AgencyEntry
    scopes: frozenset[Scope]
    proof_hash: bytes = field(repr=False)
    proof_until: datetime
    expires_at: datetime
    request_id: str

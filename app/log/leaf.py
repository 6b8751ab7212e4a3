"""An entry of the log as the tree hashes it. `docs/log.md` describes it byte by byte; a changed form gets another first line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import rfc8785

from app.log.tree import hash_leaf

FORM: Final = b"rujukan-log-entry/v1\n"
"""The first line of every leaf: no leaf of this form is anything else, whoever else hashes with SHA-256 (domain separation)."""
MEMBERS: Final = (
    "id",
    "recorded_at",
    "agency_id",
    "client_id",
    "actor",
    "request_id",
    "action",
    "outcome",
    "subject",
    "subject_id",
    "case_id",
    "detail",
)
"""What an entry says, all of it, as the columns are called; what is not said is null."""
_LARGEST: Final = 2**53 - 1


def entry_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the log as the JSON document that is hashed, exported and given to whoever wrote it."""
    entry = {name: row[name] for name in MEMBERS}
    recorded: datetime = entry["recorded_at"]
    entry["recorded_at"] = recorded.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    for name in ("id", "agency_id", "subject_id", "case_id"):
        entry[name] = str(entry[name]) if entry[name] is not None else None
    detail = entry["detail"]
    entry["detail"] = _plain(json.loads(detail) if isinstance(detail, str) else detail)
    return entry


def leaf_of(entry: Mapping[str, Any]) -> bytes:
    """Return the bytes of an entry's leaf: the form, and the entry in the canonical form of RFC 8785.

    Raises `ValueError` for a document that is no entry.
    """
    if set(entry) != set(MEMBERS):
        raise ValueError("not an entry of the log")
    return FORM + rfc8785.dumps(dict(entry))


def leaf_hash_of(row: Mapping[str, Any]) -> bytes:
    """Return the hash by which a row of the log stands in the tree."""
    return hash_leaf(leaf_of(entry_of(row)))


def _plain(value: Any) -> Any:
    """Write numbers that RFC 8785 has no form for as text, so that no entry can keep those after it from being sealed."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    representable = abs(value) <= _LARGEST  # so neither infinite nor no number
    return value if representable else str(value)

"""Which types of events somebody wants: whole names, or `referral.*` for all of a family."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.exchange.event import EVENT_FAMILIES, EVENT_TYPES


def wanted(given: Iterable[str]) -> tuple[str, ...] | None:
    """Return the types named, each once, in order: repeated or separated by commas. None if one of them is none of ours, or none is named."""
    found = list(dict.fromkeys(name.strip() for each in given for name in each.split(",")))
    if not found or not all(name in EVENT_TYPES or name in EVENT_FAMILIES for name in found):
        return None
    return tuple(found)

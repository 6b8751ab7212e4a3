"""Which types of events somebody wants: whole names, or `referral.*` for all of a family."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.exchange.event import EVENT_TYPES

FAMILIES: Final = frozenset(f"{name.partition('.')[0]}.*" for name in EVENT_TYPES)
"""Every family there is, as it is asked for."""


def wanted(given: Iterable[str]) -> tuple[str, ...] | None:
    """Return the types named, each once, in order: repeated or separated by commas. None if one of them is none of ours, or none is named."""
    found = list(dict.fromkeys(name.strip() for each in given for name in each.split(",")))
    if not found or not all(name in EVENT_TYPES or name in FAMILIES for name in found):
        return None
    return tuple(found)


def fits(type: str, types: Sequence[str] | None) -> bool:
    """Whether somebody who wants `types` wants this one; None is every type. A family takes in what is added to it later."""
    return types is None or type in types or f"{type.partition('.')[0]}.*" in types

"""The data-sharing agreements that the sample cases need: one for each pair of agencies between which something crosses the border."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.foundation.database import Connection
from auth.admin import agreements

REFERENCE: Final = "PKS-CONTOH/02"
BASIS: Final = "UU 27/2022 PDP, Pasal 56 (contoh)"


@dataclass(frozen=True, slots=True)
class Shared:
    """What two agencies send each other, whichever of them sends."""

    agency: str
    other: str
    purposes: tuple[str, ...]
    sections: tuple[str, ...]


def needed(acts: Iterable[Mapping[str, Any]], countries: Mapping[str, str], *, home: str) -> list[Shared]:
    """Return what crosses the border of `home` in these acts, by pair. `countries`: of agencies, by code."""
    found: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for act in acts:
        if "purpose" not in act or countries[act["from"]] == countries[act["to"]] == home:
            continue
        first, second = sorted((act["from"], act["to"]))
        purposes, sections = found.setdefault((first, second), (set(), {"needs"}))
        purposes.add(act["purpose"])
        sections.update(act["sections"])
    return [
        Shared(agency, other, tuple(sorted(purposes)), tuple(sorted(sections)))
        for (agency, other), (purposes, sections) in sorted(found.items())
    ]


async def agree(conn: Connection, wanted: Sequence[Shared], *, at: datetime, actor: str) -> None:
    """Add the agreements that are not there yet, both ways."""
    there = {(each.agency, each.other) for each in await agreements.list_agreements(conn)}
    for each in wanted:
        if (each.agency, each.other) not in there:
            await agreements.add_data_sharing(
                conn,
                agency=each.agency,
                other=each.other,
                purposes=each.purposes,
                sections=each.sections,
                basis=BASIS,
                reference=REFERENCE,
                both_ways=True,
                now=at,
                actor=actor,
            )

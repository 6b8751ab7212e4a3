"""Administration of what agencies have agreed: who records for whom, whose deadlines are other ones, who may send whom what.

Plain functions over a connection of the role `rujukan_admin`, as in `auth.admin`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.foundation.database import Connection
from app.foundation.ids import uuid7
from app.foundation.settings import Settings
from auth.admin import queries
from auth.admin.errors import InvalidValueError, TakenError, UnknownAgencyError, UnknownAgreementError
from schemas.codes.disclosure import Section
from schemas.codes.referral import Purpose

SHORTEST: Final = timedelta(minutes=5)
MOST: Final = 4
"""An agreed time is at most so many times the exchange's default: a deadline that never comes would lose somebody."""
LONGEST_WORDS: Final = 200
"""Characters of a reference or a basis, at most."""
DEADLINES: Final = (
    "respond_within_immediate",
    "respond_within_urgent",
    "respond_within_standard",
    "start_within_immediate",
    "start_within_urgent",
    "start_within_standard",
    "silence_in_progress",
    "hold_at_most",
    "answer_cancellation_within",
    "confirm_handover_within",
    "paper_within",
)
"""The settings an agency may have times of its own for: those the tables of deadlines name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAgreement:
    """An agreement as it is asked for: agencies by code. Made by `acts_for`, `own_times` and `data_sharing`, which check its form."""

    kind: str
    agency: str
    other: str | None
    times: Mapping[str, timedelta]
    purposes: tuple[str, ...]
    sections: tuple[str, ...]
    basis: str | None
    both_ways: bool
    reference: str
    from_at: datetime | None
    """When it begins; None: when it is added."""
    until_at: datetime | None

    def detail(self) -> dict[str, Any]:
        """Return it as JSON, in full; `read_agreement` reads it."""
        return {
            **asdict(self),
            "times": {name: time.total_seconds() for name, time in self.times.items()},
            "purposes": list(self.purposes),
            "sections": list(self.sections),
            "from_at": self.from_at and self.from_at.isoformat(),
            "until_at": self.until_at and self.until_at.isoformat(),
        }


def read_agreement(detail: Mapping[str, Any]) -> NewAgreement:
    """Return the agreement that `NewAgreement.detail` was of."""
    begins, ends = detail["from_at"], detail["until_at"]
    return NewAgreement(
        kind=detail["kind"],
        agency=detail["agency"],
        other=detail["other"],
        times={name: timedelta(seconds=value) for name, value in detail["times"].items()},
        purposes=tuple(detail["purposes"]),
        sections=tuple(detail["sections"]),
        basis=detail["basis"],
        both_ways=detail["both_ways"],
        reference=detail["reference"],
        from_at=begins and datetime.fromisoformat(begins),
        until_at=ends and datetime.fromisoformat(ends),
    )


@dataclass(frozen=True, slots=True)
class ListedAgreement:
    """An agreement in a list."""

    id: UUID
    kind: str
    agency: str
    other: str | None
    times: dict[str, timedelta]
    purposes: list[str]
    sections: list[str]
    basis: str | None
    both_ways: bool
    reference: str
    from_at: datetime
    until_at: datetime | None


def acts_for(
    *, agency: str, by: str, reference: str, from_at: datetime | None = None, until_at: datetime | None = None
) -> NewAgreement:
    """Return the agreement that `by` records what `agency` does; both are codes. Raises `InvalidValueError`."""
    if agency == by:
        raise InvalidValueError("an agency needs no agreement to act for itself")
    return _new("acts_for", agency, by, reference=reference, from_at=from_at, until_at=until_at)


def own_times(
    *,
    agency: str,
    times: Mapping[str, timedelta],
    reference: str,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
) -> NewAgreement:
    """Return the agreement that gives an agency deadlines of its own, by setting. Raises `InvalidValueError`."""
    if not times:
        raise InvalidValueError("an agreement on times names at least one")
    for name, time in times.items():
        if name not in DEADLINES:
            raise InvalidValueError(f"times are: {', '.join(DEADLINES)}")
        longest = MOST * Settings.model_fields[name].default
        if not SHORTEST <= time <= longest:
            raise InvalidValueError(f"{name} is from {SHORTEST} to {longest}, {MOST} times what it is by default")
    return _new("times", agency, None, times=times, reference=reference, from_at=from_at, until_at=until_at)


def data_sharing(
    *,
    agency: str,
    other: str,
    purposes: Sequence[str],
    sections: Sequence[str],
    basis: str,
    reference: str,
    both_ways: bool = False,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
) -> NewAgreement:
    """Return the agreement that `agency` may send `other` these sections for these purposes. Raises `InvalidValueError`.

    `basis`: the law or treaty it rests on, in words or as a code of `legal_basis`. `both_ways`: `other` may send the same.
    """
    if agency == other:
        raise InvalidValueError("an agency needs no agreement with itself")
    _check_codes("purposes", purposes, Purpose)
    _check_codes("sections", sections, Section)
    _check_words("a basis (the law or treaty it rests on)", basis)
    return _new(
        "data_sharing",
        agency,
        other,
        purposes=purposes,
        sections=sections,
        basis=basis,
        both_ways=both_ways,
        reference=reference,
        from_at=from_at,
        until_at=until_at,
    )


def _new(
    kind: str,
    agency: str,
    other: str | None,
    *,
    reference: str,
    from_at: datetime | None,
    until_at: datetime | None,
    times: Mapping[str, timedelta] | None = None,
    purposes: Sequence[str] = (),
    sections: Sequence[str] = (),
    basis: str | None = None,
    both_ways: bool = False,
) -> NewAgreement:
    _check_words("a reference (the agreement's number)", reference)
    return NewAgreement(
        kind=kind,
        agency=agency,
        other=other,
        times=times or {},
        purposes=tuple(map(str, purposes)),
        sections=tuple(map(str, sections)),
        basis=basis,
        both_ways=both_ways,
        reference=reference,
        from_at=from_at,
        until_at=until_at,
    )


def _check_words(what: str, words: str) -> None:
    if not words.strip() or len(words) > LONGEST_WORDS or not words.isprintable():
        raise InvalidValueError(f"{what} is 1 to {LONGEST_WORDS} printable characters")


def _check_codes(what: str, given: Sequence[str], known: type[Purpose | Section]) -> None:
    if not given:
        raise InvalidValueError(f"an agreement on data names its {what}")
    if not set(given) <= set(known) or len(set(given)) != len(given):
        raise InvalidValueError(f"{what}, each once, are of: {', '.join(known)}")


async def add_acts_for(
    conn: Connection,
    *,
    agency: str,
    by: str,
    reference: str,
    now: datetime,
    actor: str,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
) -> UUID:
    """Let `by` record what `agency` does; both are codes. Raises `UnknownAgencyError`, `InvalidValueError`, `TakenError`."""
    wanted = acts_for(agency=agency, by=by, reference=reference, from_at=from_at, until_at=until_at)
    return await add_agreement(conn, wanted, now=now, actor=actor)


async def add_times(
    conn: Connection,
    *,
    agency: str,
    times: Mapping[str, timedelta],
    reference: str,
    now: datetime,
    actor: str,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
) -> UUID:
    """Give an agency deadlines of its own, by setting. Raises `UnknownAgencyError`, `InvalidValueError`, `TakenError`."""
    wanted = own_times(agency=agency, times=times, reference=reference, from_at=from_at, until_at=until_at)
    return await add_agreement(conn, wanted, now=now, actor=actor)


async def add_data_sharing(
    conn: Connection,
    *,
    agency: str,
    other: str,
    purposes: Sequence[str],
    sections: Sequence[str],
    basis: str,
    reference: str,
    now: datetime,
    actor: str,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
    both_ways: bool = False,
) -> UUID:
    """Let `agency` send `other` these sections for these purposes. Raises `UnknownAgencyError`, `InvalidValueError`, `TakenError`."""
    wanted = data_sharing(
        agency=agency,
        other=other,
        purposes=purposes,
        sections=sections,
        basis=basis,
        reference=reference,
        both_ways=both_ways,
        from_at=from_at,
        until_at=until_at,
    )
    return await add_agreement(conn, wanted, now=now, actor=actor)


async def check_agreement(conn: Connection, wanted: NewAgreement, *, now: datetime) -> tuple[UUID, UUID | None]:
    """Return the ids of its two agencies, whose rows it locks. Raises `UnknownAgencyError`, `InvalidValueError`, `TakenError`."""
    begins = wanted.from_at or now
    if wanted.until_at is not None and wanted.until_at <= max(begins, now):
        raise InvalidValueError("an agreement ends after it begins, and not in the past")
    named = [code for code in (wanted.agency, wanted.other) if code is not None]
    found = await queries.lock_agencies(conn, named)
    for code in named:
        if code not in found:
            raise UnknownAgencyError(f"there is no agency {code}")
    if len({row["sandbox"] for row in found.values()}) > 1:
        raise InvalidValueError("a practice agency and a real one do not know each other, and agree on nothing")
    if wanted.kind == "acts_for" and found[wanted.agency]["desk"]:
        raise InvalidValueError("nobody acts for the ministry's desk: its two people could not be told apart")
    if wanted.kind == "acts_for" and found[wanted.agency]["reviewer"]:
        raise InvalidValueError("nobody acts for the reviewing agency: its people could not be told apart")
    agency_id, other_id = found[wanted.agency]["id"], found[wanted.other]["id"] if wanted.other is not None else None
    if await queries.agreed_already(
        conn,
        wanted.kind,
        agency_id,
        other_id,
        begins,
        wanted.until_at,
        purposes=wanted.purposes,
        both_ways=wanted.both_ways,
    ):
        raise TakenError("there is an agreement on that for this time already: end it first")
    return agency_id, other_id


async def add_agreement(
    conn: Connection, wanted: NewAgreement, *, now: datetime, actor: str, id: UUID | None = None
) -> UUID:
    """Add an agreement and return its id. Raises `UnknownAgencyError`, `InvalidValueError`, `TakenError`."""
    id = id or uuid7(now)
    async with conn.transaction():
        agency_id, other_id = await check_agreement(conn, wanted, now=now)
        await queries.insert_agreement(
            conn,
            id=id,
            kind=wanted.kind,
            agency_id=agency_id,
            other_id=other_id,
            times={name: time.total_seconds() for name, time in wanted.times.items()},
            purposes=wanted.purposes,
            sections=wanted.sections,
            basis=wanted.basis,
            both_ways=wanted.both_ways,
            reference=wanted.reference,
            from_at=wanted.from_at or now,
            until_at=wanted.until_at,
        )
        said = wanted.detail()
        await queries.log_act(
            conn,
            at=now,
            actor=actor,
            action="agreement:add",
            subject="agreement",
            subject_id=id,
            detail={name: said[name] for name in ("kind", "agency", "other", "purposes", "sections", "both_ways")}
            | {"times": sorted(wanted.times)},
        )
    return id


async def end_agreement(conn: Connection, id: UUID, *, now: datetime, actor: str) -> None:
    """End an agreement now. Raises `UnknownAgreementError`."""
    async with conn.transaction():
        if not await queries.end_agreement(conn, id, now):
            raise UnknownAgreementError("there is no such agreement that has not ended")
        await queries.log_act(
            conn, at=now, actor=actor, action="agreement:end", subject="agreement", subject_id=id, detail={}
        )


async def list_agreements(conn: Connection) -> list[ListedAgreement]:
    """Return all agreements, also ended ones, by agency and time."""
    return [
        ListedAgreement(
            **{
                **dict(row),
                "times": {name: timedelta(seconds=value) for name, value in json.loads(row["times"]).items()},
            }
        )
        for row in await queries.agreements(conn)
    ]

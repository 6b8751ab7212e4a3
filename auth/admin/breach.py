"""A client was stolen and is stopped: what it did read, could have read and did; its moves disputed, its consents in doubt.

For the notice within 3 x 24 hours to the persons and the authority (UU 27/2022 art 46). References, ids, sections and codes, never content.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg
import orjson

from app.foundation.database import Connection
from auth.admin import breach_queries as queries
from auth.admin import webhook_queries
from auth.admin.errors import InvalidValueError, UnknownClientError, UnknownMoveError
from auth.admin.found_client import find_client, log_client
from schemas.base import Moment, Wire
from schemas.codes.disclosure import DataClass
from schemas.documents.sensitivity import DATA_CLASSES
from schemas.record.record import SECTIONS

MEASURES: Final = (
    "client:suspend",
    "client:stop",
    "client:end_key",
    "client:retire",
    "client:emergency_key",
    "client:resume",
    "client:escalate_stranded",
    "breach:dispute",
    "breach:doubt_consents",
)
"""What administrators do about a client that was stolen, as the log calls it."""
READS: Final = frozenset({"read", "list", "duty_contacts", "preview", "form", "export", "report", "explain"})
"""The acts of the log (after the colon) that look and change nothing. Any other counts as a write: what is not known is not passed over."""
PREVIEWED: Final = (DataClass.GENERAL, DataClass.SPECIFIC_CHILD, DataClass.SPECIFIC_HEALTH)
"""What the preview may hold: sex, age band, languages, care needed tonight (schemas/record/preview.py)."""
NOTES: Final = (
    "Persons are counted as cases: somebody with two cases counts twice.",
    "Data classes are those a section may hold, by our reading of UU 27/2022 art 4; whether it did hold them is not looked up.",
    "Lists and the feed of events say references, states and agencies, and are not logged one by one; every opening of a case is.",
    "What could be read is what stood open at some time between, by the tables as they are now: what opened, closed and opened again counts"
    " by its last times, and what has been locked since counts as open until then.",
    "What the client's own scopes would not have let it read counts all the same.",
    "Agencies are those it speaks for now, those it spoke for in the log, and those whose words it may record (agreements acts_for).",
    "Addresses are not kept with each act: only where its last token was asked for. The reverse proxy's log has the others.",
)
_LEADS: Final = frozenset({"add", "change", "enable"})
_CLOCKS_APART: Final = timedelta(seconds=60)
_ORDER: Final = {name: place for place, name in enumerate(SECTIONS)}


class Touched(Wire):
    """One thing that was read, or could be."""

    agency: str | None
    """Code of the agency in whose name."""
    how: str
    """What the log calls the act, such as `referral:read`; of what could be read: `disclosed`, `written` (its own), `preview`, `emergency`, `led`."""
    kind: str | None
    id: UUID | None
    reference: str | None
    sections: list[str]
    preview: bool
    times: int
    """How often; 0 of what could be read."""
    first_at: Moment | None
    last_at: Moment | None
    log_entries: list[UUID]
    """The first twenty entries of the log that say so."""


class CaseTouched(Wire):
    """One person's case."""

    case_id: UUID
    reference: str
    lead: str
    """Code of the agency that leads it now: it tells the person."""
    sections: list[str]
    data_classes: list[str]
    things: list[Touched]


class Persons(Wire):
    """How many persons, as cases."""

    cases: int
    by_data_class: dict[str, int]
    by_section: dict[str, int]


class Extent(Wire):
    """Which data of whom."""

    persons: Persons
    cases: list[CaseTouched]
    first_at: Moment | None
    last_at: Moment | None


class TokensOfKey(Wire):
    """The access tokens it was given with one key."""

    kid: str | None
    times: int
    first_at: Moment
    last_at: Moment


class Counted(Wire):
    """An act about no case, or one that was refused."""

    action: str
    outcome: str
    times: int
    first_at: Moment
    last_at: Moment


class MoveMade(Wire):
    """A move on a referral or transfer, or in a case."""

    id: UUID
    kind: str
    subject_id: UUID
    reference: str | None
    case_id: UUID
    case_reference: str
    event: str
    from_state: str | None
    to_state: str
    agency: str | None
    recorder: str | None
    """Code of the agency that recorded it for that one, if another."""
    sender: str | None
    receiver: str | None
    lead: str
    occurred_at: Moment
    recorded_at: Moment
    state: str
    """How what it moved stands now."""
    open: bool
    """Whether that has not ended: somebody has to confirm or undo it."""
    disputed_at: Moment | None
    disputed_ground: str | None
    confirmed_at: Moment | None


class KeyAdded(Wire):
    """A key that was added for it."""

    kid: str
    added_at: Moment
    added_by: str
    ends_at: Moment | None


class Writes(Wire):
    """What it did besides reading."""

    moves: list[MoveMade]
    acts: list[Touched]
    """Everything else in cases: consents, corrections, links, answers to requests."""
    others: list[Counted]
    """Acts about no case."""
    keys: list[KeyAdded]
    registrations: list[str]
    """Clients that registered themselves for its agencies since then."""
    tokens_for_registering: int


class WebhookTouched(Wire):
    """What it did with a webhook: events of its agency went there. Thin ones, but for as long as nobody saw it."""

    id: UUID
    agency: str
    """Code of the agency whose events were to be sent."""
    hosts: list[str]
    """Where it has led in that time, by host."""
    acts: list[str]
    """`add`, `change`, `enable`, `disable`, `rotate_key`, `test`, `replay`, `remove`."""
    first_at: Moment
    last_at: Moment
    state: str
    """How it stands now; `removed` if it is there no more."""


class Affected(Wire):
    """Another agency whose case or document was touched: tell it."""

    code: str
    name: str
    cases: list[str]
    """References."""
    duty_contacts: list[str]
    """By role; their numbers: `rujukan agencies duty-contacts CODE`."""


class Undone(Wire):
    """What has not been done yet, and how."""

    what: Literal[
        "stop",
        "end_keys_added",
        "end_keys",
        "end_tokens_for_registering",
        "stop_registrations",
        "stop_webhooks",
        "withdraw_approvals",
        "doubt_consents",
        "dispute_moves",
    ]
    count: int
    command: str


class Measure(Wire):
    """What administrators did about the client since then."""

    action: str
    at: Moment


class Breach(Wire):
    """What a client had, read and did in a time."""

    client_id: str
    name: str
    status: str
    agencies: list[str]
    scopes: list[str]
    networks: list[str]
    """From where it may call; none: from anywhere."""
    last_used_at: Moment | None
    last_used_from: str | None
    since: Moment
    until: Moment
    """Exclusive, `since` is not."""
    made_at: Moment
    tokens: list[TokensOfKey]
    did_read: Extent
    other_reads: list[Counted]
    """What it looked at that is of no case."""
    refused: list[Counted]
    could_read: Extent
    writes: Writes | None
    webhooks: list[WebhookTouched]
    """What it did with webhooks, also those it has removed since."""
    affected: list[Affected]
    measures: list[Measure]
    undone: list[Undone]
    notes: list[str]
    """What of this is approximate."""


class Disputed(Wire):
    """What came of disputing the moves of a client."""

    disputed: list[UUID]
    """The moves that are disputed since now; the others were, or are confirmed."""
    open: list[MoveMade]
    """Disputed and unconfirmed moves whose referral or transfer has not ended. Nothing was undone: have the parties confirm or undo them."""
    consents_doubted: int | None
    """None: not asked for."""
    cases_of_consents: list[UUID]


@dataclass
class _Case:
    reference: str
    lead: str
    sections: set[str] = field(default_factory=set)
    preview: bool = False
    things: list[Touched] = field(default_factory=list)

    def classes(self) -> set[str]:
        found = {str(each) for name in self.sections for each in DATA_CLASSES.get(name, ())}
        return found | {DataClass.SPECIFIC_OTHER_LAW} | ({str(each) for each in PREVIEWED} if self.preview else set())


async def report(
    conn: Connection,
    client_id: str,
    *,
    since: datetime,
    until: datetime | None = None,
    writes: bool = False,
    now: datetime,
    actor: str,
) -> Breach:
    """Say what a client read, could have read and, if asked for, did from `since` until before `until` (now, if not said).

    That it was asked is logged. Raises `UnknownClientError`, `InvalidValueError`.
    """
    end = _end(since, until, now)
    # one snapshot: what is counted is what is listed
    async with conn.transaction():
        client = await queries.standing(conn, client_id)
        if client is None:
            raise UnknownClientError(f"there is no client {client_id}")
        logged = await queries.logged(conn, client_id, since, end)
        reach = await queries.reach(conn, client_id, since, end)
        moves = [_move(row) for row in await queries.moves(conn, client_id, since, end)]
        keys = await queries.keys(conn, client_id)
        opened = await queries.opened_since(conn, client_id, since, now)
        done = [row for row in logged if row["o_outcome"] == "done"]
        reads = [row for row in done if _looks(row)]
        changes = [row for row in done if not _looks(row)]
        webhooks = [_webhook(row) for row in await webhook_queries.acts(conn, client_id, since, end)]
        affected = await _affected(conn, client["agencies"], done, moves)
        found = Breach(
            client_id=client_id,
            name=client["name"],
            status=client["status"],
            agencies=client["agencies"],
            scopes=client["scopes"],
            networks=client["networks"],
            last_used_at=client["last_used_at"],
            last_used_from=client["last_used_from"],
            since=since,
            until=until or now,
            made_at=now,
            tokens=[
                TokensOfKey(
                    kid=row["o_kid"], times=row["o_times"], first_at=row["o_first_at"], last_at=row["o_last_at"]
                )
                for row in await queries.tokens(conn, client_id, since, end)
            ],
            did_read=_extent(reads),
            other_reads=[_counted(row) for row in reads if row["o_case_id"] is None],
            refused=[_counted(row) for row in logged if row["o_outcome"] != "done"],
            could_read=_extent(reach),
            writes=_writes(changes, moves, keys, opened, since, end) if writes else None,
            webhooks=webhooks,
            affected=affected,
            measures=[
                Measure(action=row["action"], at=row["recorded_at"])
                for row in await queries.acts_on(conn, client_id, since, MEASURES)
            ],
            undone=_undone(
                client_id,
                client,
                since,
                now,
                keys,
                opened,
                moves,
                webhooks,
                await queries.undoubted(conn, client_id, since),
            ),
            notes=list(NOTES),
        )
        await log_client(
            conn,
            client_id,
            "breach:report",
            now,
            actor,
            since=since.isoformat(),
            until=found.until.isoformat(),
            writes=writes,
            cases=found.did_read.persons.cases,
        )
    return found


async def dispute(
    conn: Connection,
    client_id: str,
    *,
    since: datetime,
    until: datetime | None = None,
    moves: Sequence[UUID] = (),
    doubt: bool = False,
    now: datetime,
    actor: str,
) -> Disputed:
    """Mark what a client moved since then as disputed, all or the moves named; with `doubt`, its consents too. Undoes nothing.

    Twice is once. Raises `UnknownClientError`, `InvalidValueError`, `UnknownMoveError` (then nothing is done).
    """
    end = _end(since, until, now)
    async with conn.transaction():
        await find_client(conn, client_id)
        # cases before their moves, as whoever records a consent takes them
        doubted, cases = await queries.doubt(conn, client_id, since, now) if doubt else (None, [])
        try:
            async with conn.transaction():
                marked = await queries.dispute(conn, client_id, since, end, list(moves) or None, now)
        except asyncpg.PostgresError as error:
            if error.sqlstate != "RJ087":
                raise
            unknown = orjson.loads(error.detail or "{}")["moves"]
            raise UnknownMoveError(
                f"not a move of {client_id} on a referral or transfer in that time: {', '.join(unknown)}"
            ) from None
        made = [_move(row) for row in await queries.moves(conn, client_id, since, end)]
        await log_client(
            conn,
            client_id,
            "breach:dispute",
            now,
            actor,
            since=since.isoformat(),
            until=None if until is None else until.isoformat(),
            moves=[str(each) for each in marked],
            consents=doubted,
        )
    return Disputed(
        disputed=marked,
        open=[each for each in made if each.open and each.disputed_at and each.confirmed_at is None],
        consents_doubted=doubted,
        cases_of_consents=cases,
    )


async def doubt_consents(
    conn: Connection, client_id: str, *, since: datetime, now: datetime, actor: str
) -> tuple[int, Sequence[UUID]]:
    """Let the consents a client recorded since then count no more until they are reconfirmed; returns how many, and of which cases.

    Twice is once. Raises `UnknownClientError`, `InvalidValueError`.
    """
    _end(since, None, now)
    async with conn.transaction():
        await find_client(conn, client_id)
        count, cases = await queries.doubt(conn, client_id, since, now)
        await log_client(
            conn,
            client_id,
            "breach:doubt_consents",
            now,
            actor,
            since=since.isoformat(),
            consents=count,
            cases=len(cases),
        )
    return count, cases


def _end(since: datetime, until: datetime | None, now: datetime) -> datetime:
    if since > now + _CLOCKS_APART:
        raise InvalidValueError("a key cannot have been stolen in the future")
    if until is not None and until <= since:
        raise InvalidValueError("the time ends before it begins")
    return now + _CLOCKS_APART if until is None else until


def _looks(row: Mapping[str, Any]) -> bool:
    return row["o_action"].partition(":")[2] in READS


def _counted(row: Mapping[str, Any]) -> Counted:
    return Counted(
        action=row["o_action"],
        outcome=row["o_outcome"],
        times=row["o_times"],
        first_at=row["o_first_at"],
        last_at=row["o_last_at"],
    )


def _touched(row: Mapping[str, Any]) -> Touched:
    logged = "o_action" in row
    return Touched(
        agency=row["o_agency"],
        how=row["o_action"] if logged else row["o_how"],
        kind=row["o_subject"],
        id=row["o_subject_id"],
        reference=row["o_reference"],
        sections=_in_order(row["o_sections"]),
        preview=row["o_preview"] if logged else row["o_how"] == "preview",
        times=row["o_times"] if logged else 0,
        first_at=row["o_first_at"] if logged else None,
        last_at=row["o_last_at"] if logged else None,
        log_entries=row["o_ids"] if logged else [],
    )


def _in_order(sections: Iterable[str]) -> list[str]:
    return sorted(sections, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))


def _extent(rows: Iterable[Mapping[str, Any]]) -> Extent:
    cases: dict[UUID, _Case] = {}
    for row in rows:
        if row["o_case_id"] is None:
            continue
        case = cases.setdefault(row["o_case_id"], _Case(row["o_case_reference"], row["o_lead"]))
        thing = _touched(row)
        case.things.append(thing)
        case.sections |= set(thing.sections)
        case.preview |= thing.preview
    times = [
        each for case in cases.values() for thing in case.things for each in (thing.first_at, thing.last_at) if each
    ]
    classes: dict[str, int] = defaultdict(int)
    sections: dict[str, int] = defaultdict(int)
    for case in cases.values():
        for name in case.classes():
            classes[name] += 1
        for name in case.sections:
            sections[name] += 1
    return Extent(
        persons=Persons(
            cases=len(cases),
            by_data_class={str(each): classes[each] for each in DataClass if each in classes},
            by_section={name: sections[name] for name in _in_order(sections)},
        ),
        cases=[
            CaseTouched(
                case_id=case_id,
                reference=case.reference,
                lead=case.lead,
                sections=_in_order(case.sections),
                data_classes=[str(each) for each in DataClass if each in case.classes()],
                things=case.things,
            )
            for case_id, case in cases.items()
        ],
        first_at=min(times, default=None),
        last_at=max(times, default=None),
    )


def _webhook(row: Mapping[str, Any]) -> WebhookTouched:
    return WebhookTouched(**{name: row[f"o_{name}"] for name in WebhookTouched.model_fields})


def _move(row: Mapping[str, Any]) -> MoveMade:
    named = {"kind": "subject"}
    return MoveMade(**{name: row[f"o_{named.get(name, name)}"] for name in MoveMade.model_fields})


def _writes(
    rows: Iterable[Mapping[str, Any]],
    moves: list[MoveMade],
    keys: Iterable[Mapping[str, Any]],
    opened: Mapping[str, Any],
    since: datetime,
    until: datetime,
) -> Writes:
    moved = {(each.kind, each.subject_id) for each in moves}
    rows = list(rows)
    return Writes(
        moves=moves,
        acts=[
            _touched(row)
            for row in rows
            if row["o_case_id"] is not None and (row["o_subject"], row["o_subject_id"]) not in moved
        ],
        others=[_counted(row) for row in rows if row["o_case_id"] is None],
        keys=[
            KeyAdded(**{name: row[name] for name in KeyAdded.model_fields})
            for row in keys
            if since <= row["added_at"] < until
        ],
        registrations=opened["registrations"],
        tokens_for_registering=len(opened["tokens"]),
    )


async def _affected(
    conn: Connection, own: Sequence[str], rows: Iterable[Mapping[str, Any]], moves: Iterable[MoveMade]
) -> list[Affected]:
    cases: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["o_case_id"] is not None:
            for code in (row["o_agency"], row["o_lead"], row["o_lead_then"], *row["o_parties"]):
                cases[code].add(row["o_case_reference"])
    for move in moves:
        for code in (move.agency, move.sender, move.receiver, move.lead):
            if code is not None:
                cases[code].add(move.case_reference)
    others = [code for code in cases if code is not None and code not in own]
    return [
        Affected(code=row["code"], name=row["name"], cases=sorted(cases[row["code"]]), duty_contacts=row["roles"])
        for row in await queries.contacts(conn, others)
    ]


def _undone(
    client_id: str,
    client: Mapping[str, Any],
    since: datetime,
    now: datetime,
    keys: Iterable[Mapping[str, Any]],
    opened: Mapping[str, Any],
    moves: Iterable[MoveMade],
    webhooks: Iterable[WebhookTouched],
    undoubted: int,
) -> list[Undone]:
    when = since.isoformat()
    stop = f"rujukan clients suspend {client_id} --compromised-since {when} --reason {shlex.quote('a key was stolen')}"
    ending = [row for row in keys if row["ends_at"] is None or row["ends_at"] > now]
    added = [row for row in ending if row["added_at"] >= since]
    earlier = [row["kid"] for row in ending if row["added_at"] < since]
    out = client["status"] in ("suspended", "retired")
    end_keys = "; ".join(f"rujukan clients end-key {client_id} {shlex.quote(kid)}" for kid in earlier)
    disputable = [each for each in moves if each.kind in ("referral", "transfer") and each.disputed_at is None]
    found: list[tuple[Any, int, str]] = [
        ("stop", int(not out), stop),
        ("end_keys_added", len(added), stop),
        ("end_keys", len(earlier), end_keys),
        ("end_tokens_for_registering", len(opened["tokens_open"]), stop),
        ("stop_registrations", len(opened["registrations_open"]), stop),
        (
            "stop_webhooks",
            len([each for each in webhooks if each.state == "active" and _LEADS.intersection(each.acts)]),
            stop,
        ),
        ("withdraw_approvals", len(opened["approvals"]), stop),
        ("doubt_consents", undoubted, f"rujukan breach doubt-consents --client {client_id} --since {when}"),
        ("dispute_moves", len(disputable), f"rujukan breach dispute --client {client_id} --since {when}"),
    ]
    return [Undone(what=what, count=count, command=command) for what, count, command in found if count]

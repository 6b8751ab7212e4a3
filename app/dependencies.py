"""What endpoints ask for: the acting caller's database, the version seen, the idempotency key."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import orjson
from fastapi import Depends, Header, Request

from app.foundation.clock import Clock
from app.foundation.database import Connection
from app.foundation.keyring import Keyring
from app.foundation.problems import InvalidRequest, Problem
from app.foundation.settings import Settings
from auth.caller import Caller
from auth.directory import AgencyEntry, Snapshot
from auth.guard import CurrentCaller
from auth.problems import ProofReplayed
from auth.scopes import Scope

PROOF_REPLAYED, MAY_NOT_ACT_FOR = "RJ401", "RJ403"
PATIENCE = 5
"""Seconds a request waits for a free connection before it is told to try again."""
LATEST_BACKDATING = timedelta(days=30)


@dataclass(slots=True)
class Acting:
    """A caller acting on the database, as one agency, at one time. The request's proof of possession is used up by its first statement.

    `agency` is the party: the caller's own agency, or the one it records for under an agreement (`Rujukan-Acts-For`).
    """

    caller: Caller
    agency: AgencyEntry
    actor: str | None
    at: datetime
    pool: asyncpg.Pool
    keyring: Keyring
    clock: Clock
    settings: Settings
    directory: Snapshot
    _proof_used: bool = field(default=False)

    @property
    def agency_id(self) -> UUID:
        """The party that acts."""
        return self.agency.id

    @property
    def reviews(self) -> bool:
        """Whether the agency is the one that reviews, in its own name: nobody is it by proxy."""
        reviewer = self.directory.reviewer
        return reviewer is not None and reviewer.id == self.agency_id == self.recorder_id

    def is_officer(self, scope: Scope = Scope.protection_read) -> bool:
        """Whether a protection officer acts: somebody of the reviewing agency, in its own name, by a system with `scope`."""
        return self.reviews and scope in self.caller.scopes

    @property
    def recorder_id(self) -> UUID:
        """The agency whose system records it: the party's own, or the one that acts for it."""
        return self.caller.agency.id

    def parameter(self) -> tuple[Any, ...]:
        """Return the SQL composite `acting`; only the first one carries the proof."""
        proof: tuple[Any, ...] = (None, None) if self._proof_used else (self.caller.proof_hash, self.caller.proof_until)
        self._proof_used = True
        recorder = None if self.recorder_id == self.agency_id else self.recorder_id
        return (self.agency_id, self.caller.client_id, self.actor, self.caller.request_id, self.at, *proof, recorder)

    async def one(self, statement: str, *arguments: Any) -> asyncpg.Record:
        """Run one statement whose $1 is `acting` and which sets the agency itself; return its row."""
        try:
            async with self.pool.acquire(timeout=PATIENCE) as conn:
                return await conn.fetchrow(statement, self.parameter(), *arguments)
        except asyncpg.PostgresError as error:
            raise _refused(error) from error

    async def all(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run one such statement; return its rows."""
        try:
            async with self.pool.acquire(timeout=PATIENCE) as conn:
                rows: list[asyncpg.Record] = await conn.fetch(statement, self.parameter(), *arguments)
        except asyncpg.PostgresError as error:
            raise _refused(error) from error
        return rows

    @asynccontextmanager
    async def transaction(self, within: Connection | None = None) -> AsyncIterator[Connection]:
        """Open a transaction that belongs to the agency; committed at the end of the block, undone by an error.

        `within`: one of the agency's that is open already, and goes on.
        """
        if within is not None:
            yield within
            return
        async with self.pool.acquire(timeout=PATIENCE) as conn, conn.transaction():
            try:
                await conn.execute("SELECT begin_acting($1)", self.parameter())
            except asyncpg.PostgresError as error:
                raise _refused(error) from error
            yield conn


def _refused(error: asyncpg.PostgresError) -> Exception:
    if error.sqlstate == MAY_NOT_ACT_FOR:  # the agreement has ended since the directory was read
        return MayNotActFor()
    return ProofReplayed() if error.sqlstate == PROOF_REPLAYED else error


class ActorRequired(Problem):
    """Say who in your agency acts: `Rujukan-Actor`, your own opaque staff reference, 1 to 64 visible ASCII characters.

    Without it the log could only name a machine. Never send a name or an e-mail address.
    """

    type, status, title, title_id = "actor-required", 400, "Rujukan-Actor is missing", "Rujukan-Actor tidak ada"


class IdempotencyKeyRequired(Problem):
    """Every POST carries an `Idempotency-Key`: a fresh UUID for a new act, the same one when you repeat a request.

    A repeated request then gets the original answer instead of happening twice. Answers are kept for 30 days.
    """

    type, status, title, title_id = (
        "idempotency-key-required",
        400,
        "Idempotency-Key is missing",
        "Idempotency-Key tidak ada",
    )


class IdempotencyKeyReused(Problem):
    """This `Idempotency-Key` came with another request before (another path or body).

    Use a fresh key for a new act. To repeat a request, send exactly the same body.
    """

    type, status, title, title_id = (
        "idempotency-key-reused",
        422,
        "The key was used for another request",
        "Kunci sudah dipakai",
    )


class RequestInProgress(Problem):
    """A request with this `Idempotency-Key` is running at this moment. Wait a second and repeat it to get its answer."""

    type, status, title, title_id = (
        "request-in-progress",
        409,
        "The same request is running",
        "Permintaan yang sama sedang diproses",
    )

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class VersionRequired(Problem):
    """Every move says which version it was decided on: `If-Match: "<version>"`, from the last read or answer."""

    type, status, title, title_id = "version-required", 428, "If-Match is missing", "If-Match tidak ada"


MISSING_HEADERS: dict[str, type[Problem]] = {
    "rujukan-actor": ActorRequired,
    "idempotency-key": IdempotencyKeyRequired,
    "if-match": VersionRequired,
}

Actor = Annotated[
    str,
    Header(
        alias="Rujukan-Actor",
        pattern=r"^[\x21-\x7e]{1,64}$",
        description="Your own opaque staff reference for the person who acts; never a name.",
    ),
]


class MayNotActFor(Problem):
    """`Rujukan-Acts-For` names an agency for which yours may not act: no agreement of kind `acts_for` holds now, it takes no part, or yours is
    abroad and in another country than that one.

    Leave the header out to act as your own agency.
    """

    type, status, title, title_id = (
        "may-not-act-for",
        403,
        "Your agency may not act for that one",
        "Instansi Anda tidak boleh bertindak untuk instansi itu",
    )
    log_as = "acts_for"


ActsFor = Annotated[
    str | None,
    Header(
        alias="Rujukan-Acts-For",
        pattern=r"^[a-z0-9][a-z0-9-]{1,62}[a-z0-9]$",
        description="Code of the agency this is recorded for, under an agreement; left out: one's own.",
    ),
]


async def _acting(request: Request, caller: Caller, actor: str | None, acts_for: str | None) -> Acting:
    state = request.app.state
    directory, at = await state.directory.current(), state.clock.now()
    acting = Acting(
        caller=caller,
        agency=_party(directory, caller, acts_for, at, home=state.settings.emergency_country),
        actor=actor,
        at=at,
        pool=state.database.app,
        keyring=state.keyring,
        clock=state.clock,
        settings=state.settings,
        directory=directory,
    )
    request.scope["rujukan.acting"] = acting
    return acting


def _party(directory: Snapshot, caller: Caller, acts_for: str | None, at: datetime, *, home: str) -> AgencyEntry:
    if acts_for is None or acts_for == caller.agency.code:
        return caller.agency
    party = directory.by_code.get(acts_for)
    # nobody is the desk or the reviewer by proxy: their people could not be told apart
    if (
        party is None
        or party.desk
        or party.reviewer
        or not party.active
        or not directory.may_act_for(caller.agency.id, party.id, at)
    ):
        raise MayNotActFor
    # who records reads all that the party may: that would leave the country with no agreement on data
    if caller.agency.country not in (home, party.country):
        raise MayNotActFor
    return party


async def _caller_connection(request: Request, caller: CurrentCaller, acts_for: ActsFor = None) -> Acting:
    return await _acting(request, caller, None, acts_for)


async def _case_connection(request: Request, caller: CurrentCaller, actor: Actor, acts_for: ActsFor = None) -> Acting:
    return await _acting(request, caller, actor, acts_for)


CallerConnection = Annotated[Acting, Depends(_caller_connection)]
"""The database for what is no case: directory, feed, who am I."""
CaseConnection = Annotated[Acting, Depends(_case_connection)]
"""The database for whatever reads or changes a case: somebody is named who acts."""


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key with the keyed hash of the request it came with (`request_hash`)."""

    value: str
    request_hash: bytes


KeyValue = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="A fresh UUID for a new act; the same one to repeat a request.",
    ),
]


def request_hash(
    keyring: Keyring, *, method: str, path: str, caller: AgencyEntry, acts_for: str | None, body: bytes
) -> bytes:
    """Return the keyed hash by which a repeated request is known: the same JSON, however it is spaced and ordered.

    So a line of an import is the same request as a `POST` of the same referral.
    """
    with suppress(ValueError, TypeError):  # no JSON, or nested too deeply to be taken anyway
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    party = "" if acts_for is None or acts_for == caller.code else acts_for
    return keyring.keyed_hash("idempotency", method.encode(), path.encode(), caller.id.bytes, party.encode(), body)


async def _idempotency_key(request: Request, caller: CurrentCaller, value: KeyValue) -> Key:
    return Key(
        value,
        request_hash(
            request.app.state.keyring,
            method=request.method,
            path=request.scope["path"],
            caller=caller.agency,
            acts_for=request.headers.get("rujukan-acts-for"),
            body=await request.body(),
        ),
    )


IdempotencyKey = Annotated[Key, Depends(_idempotency_key)]

_ETAG = re.compile(r'(?:W/)?"([1-9][0-9]{0,9})"')


async def _version_seen(
    value: Annotated[
        str,
        Header(
            alias="If-Match",
            pattern=r'^(W/)?"[1-9][0-9]{0,8}"$',
            description='The version this move was decided on, quoted: `"3"`.',
        ),
    ],
) -> int:
    match = _ETAG.fullmatch(value)
    if match is None:
        raise InvalidRequest([{"header": "If-Match", "code": "string_pattern_mismatch"}])
    return int(match[1])


IfMatch = Annotated[int, Depends(_version_seen)]


def occurred(given: datetime | None, at: datetime) -> datetime | InvalidRequest:
    """Return when a move happened, or the problem if it lies in the future or more than 30 days back."""
    if given is None:
        return at
    if given > at + timedelta(seconds=60):
        return InvalidRequest([{"pointer": "/occurred_at", "code": "in_the_future"}])
    if given < at - LATEST_BACKDATING:
        return InvalidRequest([{"pointer": "/occurred_at", "code": "too_long_ago"}])
    return min(given, at)

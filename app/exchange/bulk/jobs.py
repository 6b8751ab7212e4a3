"""Handling the lines of imports: each through the very service that `POST /v1/referrals` goes through, as the agency that sent it.

The worker finds which imports run; whatever concerns a line is done by the role of requests, under the agency's policies. A line is taken in
hand under a lease, in a batch; what has been tried before is tried alone, so that what ends the process is found and parked, and nothing
beside it. A line whose referral was sent, and whose worker died before it could say so, is found again by its own key.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from app.dependencies import Acting, Key, MayNotActFor, request_hash
from app.exchange.bulk import queries
from app.exchange.passing.problems import RequestInProgress
from app.exchange.passing.refusals import write_refusal
from app.exchange.referrals import service as referrals
from app.foundation import http
from app.foundation.clock import Clock
from app.foundation.database import UNREACHABLE, Addresses, Connection, open_pool
from app.foundation.keyring import Keyring, Place
from app.foundation.problems import BodyTooLarge, InternalError, InvalidRequest, Problem
from app.foundation.settings import Settings
from app.outbox.jobs import queries as parked
from app.outbox.jobs.claims import failed
from auth.caller import Caller
from auth.directory import Directory, Snapshot
from auth.scopes import Scope
from schemas.exchange.bulk import ImportLine
from schemas.exchange.common import Moved

log = logging.getLogger("rujukan.imports")
JOB: Final = "run_imports"
BATCH: Final = 10
"""Lines taken in hand at once."""
LEASE: Final = timedelta(seconds=60)
MOST_TRIES: Final = 3
AGAIN: Final = timedelta(seconds=5)
FORGOTTEN_AT_ONCE: Final = 20
PATH: Final = "/v1/referrals"
_NAMES: Final = http.names_in([ImportLine])


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a line; without an outcome it is tried again."""

    outcome: str | None
    ids: tuple[UUID | None, UUID | None, str | None] = (None, None, None)
    problem: dict[str, Any] | None = None
    warnings: list[dict[str, Any]] = field(default_factory=list)


class Importer:
    """Handles lines of every import that runs, at a rate that leaves those first who wait at a screen. Any number may run."""

    def __init__(self, settings: Settings, addresses: Addresses, keyring: Keyring, clock: Clock) -> None:
        self._settings = settings
        self._url = addresses.app
        self._keyring = keyring
        self._clock = clock
        self._pool: asyncpg.Pool | None = None
        self._directory: Directory | None = None

    async def stop(self) -> None:
        """Close the connections, if there are any: they are made with the first import."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = self._directory = None

    async def run(self, pool: asyncpg.Pool) -> int:
        """Handle a batch of each running import, and end those that have none left. Return how many lines there were. `pool`: the worker's."""
        async with pool.acquire() as conn:
            running = await queries.running_imports(conn, self._clock.now())
            failing = await parked.failing(conn, JOB) if running else set()
        handled = 0
        for row in running:
            try:
                handled += await self._advance(pool, row)
            except Exception as error:
                cause = first_of(error)
                if isinstance(cause, UNREACHABLE):
                    raise cause from None
                async with pool.acquire() as conn:  # the next one goes on
                    await failed(conn, JOB, "import", row["id"], None, cause, self._clock.now())
            else:
                if row["id"] in failing:
                    async with pool.acquire() as conn:
                        await parked.forget(conn, JOB, row["id"])
        return handled

    async def _advance(self, pool: asyncpg.Pool, row: asyncpg.Record) -> int:
        began = asyncio.get_running_loop().time()
        snapshot = await (await self._whom()).current()
        reason = self._barred(snapshot, row)
        handled = 0
        if reason is None:
            try:
                handled = await self._batch(self._acting(snapshot, row), row["id"])
            except MayNotActFor:
                reason = "acts_for"
        if not handled:
            async with pool.acquire() as conn:
                await queries.end_import(conn, row["id"], reason=reason, at=self._clock.now())
        elif self._settings.import_rate:
            took = asyncio.get_running_loop().time() - began
            await asyncio.sleep(max(0.0, handled / self._settings.import_rate - took))
        return handled

    async def _whom(self) -> Directory:
        if self._directory is None:
            self._pool = await open_pool(self._url, size=self._settings.import_concurrency + 1)
            self._directory = Directory(self._pool, self._keyring, self._clock)
        return self._directory

    def _barred(self, snapshot: Snapshot, row: asyncpg.Record) -> str | None:
        """Return why an import may not go on, looked at as a request's token is."""
        now = self._clock.now()
        client, recorder, party = (
            snapshot.clients.get(row["client_id"]),
            snapshot.agencies.get(row["recorder_id"]),
            snapshot.agencies.get(row["agency_id"]),
        )
        if client is None or not client.may_sign_in(now) or _since(client.tokens_not_before, row):
            return "client"
        if recorder is None or not client.may_speak_for(recorder, now) or _since(recorder.tokens_not_before, row):
            return "agency"
        if Scope.referrals_write not in client.scopes_now:
            return "scope"
        if party is None or not party.active:
            return "agency"
        if party is not recorder and not snapshot.may_act_for(recorder.id, party.id, now):
            return "acts_for"
        return None

    def _acting(self, snapshot: Snapshot, row: asyncpg.Record) -> Acting:
        assert self._pool is not None, "the directory was asked before"
        now = self._clock.now()
        caller = Caller(
            client_id=row["client_id"],
            agency=snapshot.agencies[row["recorder_id"]],
            scopes=snapshot.clients[row["client_id"]].scopes_now,
            proof_hash=None,  # it was used up when the import was sent
            proof_until=None,
            expires_at=now + LEASE,
            request_id=f"import-{row['id'].hex}",
        )
        return Acting(
            caller=caller,
            agency=snapshot.agencies[row["agency_id"]],
            actor=row["actor"],
            at=now,
            pool=self._pool,
            keyring=self._keyring,
            clock=self._clock,
            settings=self._settings,
            directory=snapshot,
        )

    async def _batch(self, db: Acting, import_id: UUID) -> int:
        """Handle lines that were never tried, several at once; if there are none, one that was."""
        async with db.transaction() as tx:
            lines = await queries.claim_lines(tx, import_id, again=False, at=db.at, lease=LEASE, limit=BATCH)
            if not lines:
                lines = await queries.claim_lines(tx, import_id, again=True, at=db.at, lease=LEASE, limit=1)
        places = asyncio.Semaphore(self._settings.import_concurrency)

        async def in_its_place(line: asyncpg.Record) -> None:
            async with places:
                await self._settle(db, line, await self._handle(db, line))

        async with asyncio.TaskGroup() as group:
            for line in lines:
                group.create_task(in_its_place(line))
        return len(lines)

    async def _settle(self, db: Acting, line: asyncpg.Record, result: Result) -> None:
        now = self._clock.now()
        async with db.transaction() as tx:
            await queries.keep_result(
                tx,
                line["id"],
                outcome=result.outcome,
                at=now,
                due_at=now + AGAIN * line["tries"],
                ids=result.ids,
                problem=result.problem,
                warnings=result.warnings,
            )

    async def _handle(self, db: Acting, line: asyncpg.Record) -> Result:
        if line["tries"] > MOST_TRIES:  # whoever tried it last did not live to say what came of it
            return Result("parked", problem=queries.as_json(line["problem"]) or _as_document(InternalError()))
        try:
            moved = await self._send(db, line)
        except RequestInProgress as problem:  # of somebody who sends the same at this moment
            return self._later(line, problem)
        except Problem as problem:
            if problem.log_as is not None:
                async with db.pool.acquire() as conn, conn.transaction():
                    at = self._clock.now()
                    await write_refusal(conn, db.parameter(), "send_referral", problem, at=at)
            return Result("refused", problem=_as_document(problem))
        except UNREACHABLE as error:
            log.warning("import %s line %s: %s", line["import_id"], line["number"], type(error).__name__)
            return self._later(line, InternalError())
        except Exception as error:
            log.error("import %s line %s: %s", line["import_id"], line["number"], type(error).__name__)
            return self._later(line, InternalError())
        own = moved.recorded_at in line["tried_at"]
        return Result(
            "created" if own else "existed",
            (moved.id, moved.case_id, moved.reference),
            warnings=[warning.model_dump(mode="json") for warning in moved.warnings],
        )

    def _later(self, line: asyncpg.Record, problem: Problem) -> Result:
        return Result("parked" if line["tries"] >= MOST_TRIES else None, problem=_as_document(problem))

    async def _send(self, db: Acting, line: asyncpg.Record) -> Moved:
        if line["content"] is None:
            raise BodyTooLarge
        content = self._keyring.open_one(Place("import_line.content", line["id"], line["import_id"]), line["content"])
        document = http.parse_json(content)
        try:
            body = ImportLine.model_validate(document)
        except ValidationError as error:
            faults = [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
            raise http.invalid(RequestValidationError(faults, body=document), _NAMES) from None
        if line["repeated"]:
            raise InvalidRequest([{"pointer": "/key", "code": "repeated"}])
        return await referrals.send(db, body, Key(body.key, self._hash(db, content)))

    def _hash(self, db: Acting, content: bytes) -> bytes:
        """Return the hash of the `POST /v1/referrals` that the line is without its key."""
        document = orjson.loads(content)
        del document["key"]
        return request_hash(
            self._keyring,
            method="POST",
            path=PATH,
            caller=db.caller.agency,
            acts_for=None if db.recorder_id == db.agency_id else db.agency.code,
            body=orjson.dumps(document),
        )


def first_of(error: Exception) -> Exception:
    """Return what ended a group of tasks: what says that the database is away before anything else."""
    if not isinstance(error, ExceptionGroup):
        return error
    found = [first_of(each) for each in error.exceptions]
    return next((each for each in found if isinstance(each, UNREACHABLE)), found[0])


def _since(not_before: Any, row: asyncpg.Record) -> bool:
    """Whether somebody was shut out since the import was started, though let in again by now."""
    return not_before is not None and row["started_at"] < not_before


def _as_document(problem: Problem) -> dict[str, Any]:
    return {"type": f"/problems/{problem.type}", "status": problem.status, **problem.members}


async def forget_imports(conn: Connection, settings: Settings, clock: Clock) -> int:
    """Remove what became of lines long ago, and the lines of uploads that nobody went on with."""
    now = clock.now()
    return await queries.forget_imports(
        conn,
        ended_before=now - timedelta(days=settings.import_days),
        untouched_since=now - timedelta(days=settings.import_unfinished_days),
        at=now,
        limit=FORGOTTEN_AT_ONCE,
    )

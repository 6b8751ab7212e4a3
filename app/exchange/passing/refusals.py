"""What the database's functions refuse (SQLSTATE class RJ), as problems; and the log entry of a refusal."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from starlette.requests import Request

from app.exchange.lifecycle import Lifecycle, Need, Party
from app.exchange.passing import problems
from app.foundation import json
from app.foundation.database import Connection
from app.foundation.problems import InvalidRequest, NotFound, Problem
from auth.caller import Caller
from auth.guard import count_refusal
from schemas.record.record import SECTIONS

log = logging.getLogger("rujukan.refusals")


class UnknownRefusalError(RuntimeError):
    """The database refused with a code that the service which asked it does not know: a fault of the exchange (500)."""


REFUSALS: Final[dict[str, Callable[..., Problem]]] = {
    "RJ404": NotFound,
    "RJ412": problems.StaleVersion,
    "RJ010": problems.RequestInProgress,
    "RJ011": problems.IdempotencyKeyReused,
    "RJ020": problems.NotLead,
    "RJ022": problems.CaseClosed,
    "RJ023": problems.OpenTwin,
    "RJ024": problems.TransferAlreadyOpen,
    "RJ025": problems.NothingToReplace,
    "RJ026": problems.RecordVersionUnavailable,
    "RJ027": problems.AnotherManifest,
    "RJ028": problems.Taken,
    "RJ030": problems.OutOfOrder,
    "RJ033": problems.NothingToDispute,
    "RJ034": problems.OfferGroupUnusable,
    "RJ029": problems.GuardianBarred,
    "RJ060": problems.NothingToWithdraw,
    "RJ061": partial(InvalidRequest, [{"pointer": "/requested_at", "code": "before_it_was_given"}]),
    "RJ062": problems.RequestAnswered,
    "RJ063": problems.NothingToRebase,
    "RJ064": problems.LeadCorrectsItself,
    "RJ065": problems.VersionRetracted,
    "RJ066": partial(InvalidRequest, [{"pointer": "/correction", "code": "unknown_correction"}]),
    "RJ067": problems.SectionsHeld,
    "RJ068": problems.IncidentClosed,
    "RJ069": problems.HoldEnded,
    "RJ070": problems.CaseHasOpenDuties,
    "RJ031": problems.ServicePointBarred,
    "RJ072": problems.UnknownCase,
    "RJ073": problems.SameCase,
    "RJ074": problems.LinkedAlready,
    "RJ080": problems.UnknownReceiver,
    "RJ081": problems.ConsentOver,
    "RJ082": problems.NothingToReconfirm,
    "RJ083": problems.AnotherClientNeeded,
    "RJ086": problems.NothingToConfirm,
    "RJ084": partial(InvalidRequest, [{"pointer": "/given_at", "code": "before_the_doubt"}]),
    "RJ085": partial(InvalidRequest, [{"pointer": "", "code": "not_provable"}]),
    "RJ100": problems.SealedToWrongKeys,
    "RJ101": problems.SealedToOthers,
    "RJ102": problems.SealedSectionsUnanswered,
    "RJ103": problems.NothingToReseal,
    "RJ104": problems.ResealRequested,
    "RJ110": problems.RestrictionNotInForce,
    "RJ111": problems.RestrictionStands,
    "RJ130": problems.FilesUnusable,
    "RJ131": partial(InvalidRequest, [{"pointer": "/in_reply_to", "code": "unknown_question"}]),
}
"""What each code means that several services meet; `problem_of` knows RJ021 and RJ409 besides, services some of their own."""


def problem_of(
    error: asyncpg.PostgresError, lifecycle: Lifecycle | None = None, *, sections: tuple[str, ...] = ()
) -> Problem | None:
    """Return the problem a refusal of the database means, or None if the error is no refusal.

    Raises `UnknownRefusalError`, and logs the code, where nobody said what it means.
    """
    code = error.sqlstate or ""
    if not code.startswith("RJ"):
        return None
    detail: dict[str, Any] = orjson.loads(error.detail) if getattr(error, "detail", None) else {}
    if code == "RJ409" and lifecycle is not None:
        return problems.MoveNotAllowed(
            state=detail["state"],
            version=detail["version"],
            moves=lifecycle.moves_open(
                detail["state"], [Party(detail["party"])], [Need(each) for each in detail.get("met", ())]
            ),
            event=detail.get("event"),
            since=detail.get("since"),
        )
    if code == "RJ021":
        uncovered = {name: detail["sections"][name] for name in SECTIONS if name in detail["sections"]}
        return problems.DisclosureRefused(
            refused=uncovered,
            sendable=[name for name in sections if name not in uncovered],
            restrictions=detail.get("restrictions") or (),
        )
    if (made := REFUSALS.get(code)) is None:
        log.error("the database refused with %s, which means nothing here", code)
        raise UnknownRefusalError(code) from error
    problem: Problem = made(**detail)
    return problem


async def log_refusal(request: Request, problem: Problem) -> None:
    """Write the refusal of an authenticated caller to the log, in a short transaction of its own, before the answer."""
    count_refusal(request, problem)
    caller: Caller | None = request.scope.get("rujukan.caller")
    if problem.log_as is None or caller is None:
        return
    state = request.app.state
    acting = request.scope.get("rujukan.acting")
    route = request.scope.get("route")
    subject_id = next((UUID(str(value)) for value in request.path_params.values() if _is_uuid(value)), None)
    parameter = (
        acting.agency_id if acting else caller.agency.id,
        caller.client_id,
        acting.actor if acting else None,
        caller.request_id,
        state.clock.now(),
        caller.proof_hash,
        caller.proof_until,
        caller.agency.id if acting and acting.recorder_id != acting.agency_id else None,
    )
    name = getattr(route, "name", "unknown")
    async with state.database.app.acquire() as conn, conn.transaction():
        await write_refusal(conn, parameter, name, problem, subject_id=subject_id, at=state.clock.now())


async def write_refusal(
    conn: Connection,
    acting: tuple[Any, ...],
    action: str,
    problem: Problem,
    *,
    subject_id: UUID | None = None,
    at: datetime,
) -> None:
    """Write a refusal by rule to the log, in the transaction that is open; `acting` is the composite of that name."""
    await conn.fetchval(
        "SELECT log_refusal($1, $2, $3, $4, $5, $6)",
        acting,
        action,
        problem.log_as,
        None,
        subject_id,
        json.text(_said_of(problem)),
    )
    if isinstance(problem, problems.GuardianBarred):
        await conn.execute("SELECT tell_of_barred_guardian($1, $2)", UUID(str(problem.case_id)), at)


def _said_of(problem: Problem) -> dict[str, Any]:
    """Return what the log says of a refused disclosure: the sections and what each of them lacked."""
    refused = problem.members.get("refused")
    if not isinstance(refused, list):
        return {}
    return {"sections": [each["section"] for each in refused], "refused": refused}


def _is_uuid(value: object) -> bool:
    if isinstance(value, UUID):
        return True
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True

"""What the exchange's refusals mean, in plain words, and what to do then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from app.cli.failures import Code, Failure
from app.cli.officer.words import commands_of, plain, shown_moment

Problem = dict[str, Any]


class Refused(Failure):
    """The exchange said no (RFC 9457); `problem` is its answer."""

    def __init__(self, status: int, problem: Problem) -> None:
        self.status = status
        self.problem = problem
        self.type = str(problem.get("type", "")).rsplit("/", 1)[-1]
        message, do = _WORDS.get(self.type, _as_titled)(problem)
        code = Code.broken if status >= 500 else Code.refused
        super().__init__(message, do, code=code)


_FORM: Final = frozenset({"type", "title", "status", "request_id", "errors"})


def _as_titled(problem: Problem) -> tuple[str, str]:
    faults = [_fault(fault) for fault in problem.get("errors", ())]
    members = [f"{plain(name)}: {_listed(value)}" for name, value in problem.items() if name not in _FORM and value]
    title, kind = str(problem.get("title", "the exchange refused")), str(problem.get("type", ""))
    page = f"The page {kind} of the exchange explains it." if kind.startswith("/problems/") else ""
    return ": ".join(part for part in (title, "; ".join([*faults, *members])) if part), page


def _listed(value: Any) -> str:
    return ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)


def _fault(fault: Problem) -> str:
    where = fault.get("pointer") or fault.get("parameter") or fault.get("header") or "/"
    return f"{where} {plain(str(fault.get('code', 'is wrong')))}"


def _stale(problem: Problem) -> tuple[str, str]:
    return (
        f"it has changed since you read it: it is {_standing(problem)}. Nothing was done",
        f"{possible(problem['moves'])} Read it again before you decide." if "moves" in problem else "Read it again.",
    )


def _not_allowed(problem: Problem) -> tuple[str, str]:
    by = f", by {plain(str(problem['event']))} at {shown_moment(problem.get('since'))}" if problem.get("event") else ""
    return (
        f"this is not possible now: it is {_standing(problem)}{by}. Nothing was done",
        possible(problem.get("moves", [])),
    )


def _out_of_order(problem: Problem) -> tuple[str, str]:
    return (
        f"something later is recorded already: {plain(str(problem.get('event')))}, at {shown_moment(problem.get('occurred_at'))}",
        "Give a later --occurred-at, and say in a note when it really was.",
    )


def _taken(problem: Problem) -> tuple[str, str]:
    return (
        "another receiver, asked at the same time, has accepted already",
        "The person has a place; nothing is needed of you.",
    )


def _standing(problem: Problem) -> str:
    return f"{plain(str(problem.get('state', 'in another state')))} (version {problem.get('version', '?')})"


def possible(moves: list[str]) -> str:
    """Say which commands make the moves that are open."""
    commands = commands_of(moves)
    return f"You may now: {', '.join(commands)}." if commands else "There is nothing for you to do with it now."


def _undisclosed(problem: Problem) -> tuple[str, str]:
    refused = ", ".join(
        f"{each.get('section')} ({plain(str(each.get('reason')))})" for each in problem.get("refused", ())
    )
    sendable = ", ".join(map(str, problem.get("sendable_sections", ()))) or "none"
    return (
        f"some sections may not go to this receiver: {refused}. Nothing was sent",
        f"May go as they are: {sendable}. Send these now, and seek a basis for the rest.",
    )


def _unagreed(problem: Problem) -> tuple[str, str]:
    message, _ = _undisclosed(problem)
    missing = problem.get("agreement", {})
    sendable = ", ".join(map(str, problem.get("sendable_sections", ()))) or "none"
    return (
        message,
        f"No data-sharing agreement in force lets {missing.get('from')} send them to {missing.get('to')} for"
        f" {plain(str(missing.get('purpose')))}. May go as they are: {sendable}.",
    )


def _outcomes(problem: Problem) -> tuple[str, str]:
    missing = ", ".join(map(str, problem.get("missing", ())))
    unexpected = ", ".join(map(str, problem.get("unexpected", ())))
    return (
        "every need of the record gets one outcome"
        + (f"; missing: {missing}" if missing else "")
        + (f"; not among its needs: {unexpected}" if unexpected else ""),
        "Give each: --outcome NEED=OUTCOME.",
    )


def _not_found(problem: Problem) -> tuple[str, str]:
    return "there is nothing there that your agency may see", "Is it the right reference, and the right client (--as)?"


_WORDS: Final[dict[str, Callable[[Problem], tuple[str, str]]]] = {
    "stale-version": _stale,
    "another-manifest": _stale,
    "move-not-allowed": _not_allowed,
    "out-of-order": _out_of_order,
    "taken": _taken,
    "disclosure-refused": _undisclosed,
    "agreement-required": _unagreed,
    "outcomes-incomplete": _outcomes,
    "not-found": _not_found,
}

"""Words for people: labels of codes, names of states and moves, times as the reader's clock shows them."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import typer

from schemas.checks import words_of
from schemas.codes.labels import label

COMMANDS: Final[dict[str, str]] = {
    "acknowledge": "acknowledge",
    "request_info": "ask",
    "provide_info": "answer",
    "accept": "accept",
    "decline": "decline",
    "recall": "recall",
    "start": "start",
    "record_service": "service",
    "hold": "hold",
    "resume": "resume",
    "request_cancel": "cancel",
    "confirm_cancel": "confirm-cancel",
    "refuse_cancel": "refuse-cancel",
    "complete": "complete",
    "fail": "fail",
    "note": "note",
    "confirm_handover": "confirm-handover",
    "handover_paper": "paper",
    "abort": "abort",
    "enter_in_error": "error",
    "report_error": "error",
    "confirm_error": "confirm-error",
    "amend": "amend",
    "follow_up": "follow-up",
    "close": "close",
    "reopen": "reopen",
    "correct_death": "correct-death",
    "link": "link",
}
"""By what command a move is made."""

TASKS: Final[dict[str, str]] = {
    "answer": "to answer",
    "give_information": "a question to answer",
    "start": "accepted, to start",
    "continue": "nothing heard for long, or on hold",
    "answer_cancellation": "a cancellation to answer",
    "confirm_handover": "a handover to confirm",
    "supply_paper": "a handover paper to supply",
    "escalation": "escalated to you",
    "request": "a request about data",
    "answer_subject_request": "a person asks about their data",
    "see_to_incident": "an incident with personal data",
    "confirm_link": "a link to confirm",
    "agree_reassignment": "asked to lead a case",
    "read_notes": "notes to read",
}
"""What an item of the inbox asks for."""


class Language(StrEnum):
    """A language the labels of codes exist in."""

    id = "id"
    en = "en"


def language_of_the_terminal() -> Language:
    """Return Indonesian where the environment says so, else English."""
    said = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(name))), "")
    return Language.id if re.match(r"(id|in)([_.@-]|$)", said) else Language.en


def plain(code: str) -> str:
    """Return a state or an event as words."""
    return code.replace("_", " ")


def coded(list_name: str, code: str | None, lang: Language) -> str:
    """Return the label of a code with the code itself, which is what commands take."""
    if code is None:
        return "–"
    said = label(list_name, code, lang.value)
    return code if said == code else f"{said} [{code}]"


def labelled(list_name: str, code: str, lang: Language) -> str:
    """Return the label of a code."""
    return label(list_name, code, lang.value)


def commands_of(moves: list[str]) -> list[str]:
    """Return the commands that make these moves, each once."""
    return list(dict.fromkeys(COMMANDS.get(move, plain(move)) for move in moves))


def to_look_at(warnings: list[dict[str, Any]], lang: Language) -> list[str]:
    """Return what in the record somebody should look at again: what it is, where, and what to do."""
    if not warnings:
        return []
    lines = ["", "It was taken as it is. Please look again at:"]
    for warning in warnings:
        said = words_of(warning["code"], lang.value)
        beside = f" (beside {', '.join(warning['related'])})" if warning["related"] else ""
        lines.append(f"  {said.label}: {warning['pointer']}{beside}")
        lines += [f"    {said.what_to_do}"] if said.what_to_do else []
    return lines


def read_moment(text: str) -> datetime:
    """Read a time as people type it: by RFC 3339, or without a zone, or the hour alone for today, by this machine's clock."""
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}", text):
        text = f"{datetime.now().astimezone().date()} {text.zfill(5)}"
    try:
        if ":" not in text:  # a day alone would be its midnight, which nobody means
            raise ValueError
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            "a time is written 2026-11-25T08:30+07:00, or 2026-11-25 08:30, or 08:30 for today"
        ) from None


def read_day(text: str) -> str:
    """Read a day, as it is sent."""
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise typer.BadParameter("a day is written 2026-11-25") from None


def shown_moment(value: Any) -> str:
    """Return a time of an answer by this machine's clock; what is none is returned as it is."""
    found = moment(value)
    return str(value) if found is None else found.astimezone().strftime("%Y-%m-%d %H:%M %Z").strip()


def short_moment(value: Any, now: datetime) -> str:
    """Return a time as short as it can be told: the hour alone today, the year only where it is another."""
    found, today = moment(value), now.astimezone()
    if found is None:
        return str(value)
    here = found.astimezone()
    if here.date() == today.date():
        return here.strftime("%H:%M")
    return here.strftime("%d %b %H:%M" if here.year == today.year else "%d %b %Y %H:%M")


def moment(value: Any) -> datetime | None:
    """Return a time of an answer, or None if it is none."""
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def distance(until: datetime, now: datetime) -> str:
    """Return how far a deadline is: `in 3 h`, or `OVERDUE by 2 d`."""
    left = until - now
    return f"in {_length(left)}" if left > timedelta(0) else f"OVERDUE by {_length(-left)}"


def _length(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} d"

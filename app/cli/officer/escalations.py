"""`escalations`, `take`: a deadline has passed, and somebody must see to it."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from app.cli.common import say, show_table
from app.cli.failures import Failure
from app.cli.officer.finding import id_in
from app.cli.officer.session import Key, Session, officer_command
from app.cli.officer.sheet import Sheet, title_of
from app.cli.officer.words import distance, labelled, moment, plain, short_moment, shown_moment
from app.foundation.ids import read_reference
from schemas.record.preview import Preview

app = typer.Typer()
PANEL: Final = "Escalations, for an agency's officer"
Document = dict[str, Any]


@officer_command(app, "escalations", panel=PANEL)
def escalations(
    session: Session,
    id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Show this one: who was asked, and whom to call.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are taken or closed.")] = False,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=200)] = 50,
) -> None:
    """List what your agency is asked to see to because a deadline passed."""
    if id is not None:
        escalation = session.get(f"/v1/escalations/{_escalation(session, id)}")
        session.show(escalation, lambda: _show_escalation(session, escalation))
        return
    page = session.get("/v1/escalations", state=None if every else "open", limit=limit)
    session.show(page, lambda: _show_escalations(session, page))


def _show_escalations(session: Session, page: Document) -> None:
    now = session.clock.now()
    show_table(
        ("id", "reference", "late in", "urgency", "deadline", "asked as", "state"),
        [
            (
                each["id"],
                each["reference"],
                plain(each["reason"]),
                labelled("urgency", each["urgency"], session.lang),
                _deadline(each, now),
                each["asked_as"],
                each["state"],
            )
            for each in page["items"]
        ],
        empty="Nothing is escalated to your agency.",
    )
    if page["items"]:
        say("\nWho was asked, and whom to call: rujukan escalations ID. See to it: rujukan take ID")
    if page["next"]:
        say("There is more: --limit.")


def _deadline(each: Document, now: Any) -> str:
    due = moment(each["deadline"])
    return (
        short_moment(each["deadline"], now)
        if due is None
        else f"{short_moment(each['deadline'], now)}, {distance(due, now)}"
    )


def _show_escalation(session: Session, escalation: Document) -> None:
    sheet, lang, now = Sheet(session.lang), session.lang, escalation["now"]
    sheet.line(
        f"{escalation['reference']}  {escalation['subject']}, escalated while {plain(escalation['reason'])}",
        style="bold",
    )
    sheet.fact("Escalation", f"{escalation['id']}, {escalation['state']}")
    sheet.fact("Stands now", plain(now["state"]))
    for name in ("sender", "receiver"):
        sheet.fact(title_of(name), f"{now[name]['name']} [{now[name]['code']}]")
    sheet.fact("Urgency", labelled("urgency", now["urgency"], lang))
    sheet.fact("Deadline", shown_moment(escalation["deadline"]))
    sheet.fact("Taken by", escalation["taken_by"]["name"] if escalation["taken_by"] else None)
    sheet.heading("Asked")
    for each in escalation["asked"]:
        sheet.line(f"{shown_moment(each['asked_at'])}  {each['agency']['name']}, as {each['role']}", depth=1)
    if escalation["contacts"]:
        sheet.heading("Whom to call at the receiver")
        for each in escalation["contacts"]:
            sheet.line("; ".join(f"{title_of(name)}: {value}" for name, value in each.items() if value), depth=1)
    if escalation["preview"]:
        sheet.heading("Preview")
        sheet.document(Preview, escalation["preview"])
    able = [{"take": "take"}.get(move, f"{move} (by `rujukan api`)") for move in escalation["moves"]]
    sheet.heading(f"You may now: {', '.join(able)}." if able else "There is nothing for you to do with it now.")


@officer_command(app, "take", panel=PANEL)
def take(
    session: Session,
    id: Annotated[str, typer.Argument(metavar="ID", help="The escalation's id, or the reference of what is late.")],
    key: Key = None,
) -> None:
    """Say that your agency sees to an escalation: nobody else is asked from then on, and whoever was asked learns of it."""
    answer = session.post(f"/v1/escalations/{_escalation(session, id)}/take", {}, key=key)
    session.show(
        answer,
        lambda: say(f"{answer['reference']}: the escalation is {answer['state']}; it is yours to see to."),
    )


def _escalation(session: Session, text: str) -> str:
    """Return the id of an escalation, also where it is named by what is late."""
    reference = read_reference(text)
    if reference is None:
        return id_in(text)
    for each in session.get("/v1/escalations", limit=200)["items"]:
        if each["reference"] == reference:
            return str(each["id"])
    raise Failure(f"nothing about {reference} is escalated to your agency", "See `rujukan escalations --all`.")

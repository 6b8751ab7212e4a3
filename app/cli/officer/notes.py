"""Notes: what the two sides of a referral or transfer have written to each other."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from app.cli.common import say
from app.cli.officer.finding import PASSED, find
from app.cli.officer.session import Reference, Session, officer_command
from app.cli.officer.sheet import Sheet
from app.cli.officer.words import labelled, plain, shown_moment

app = typer.Typer()
PANEL: Final = "Reading, for an agency's officer"
WITHHELD: Final = {
    "not_open": "what it rests on is not open",
    "not_for_sender": "it does not go back to your kind of agency",
    "not_a_party": "it is between the two sides",
    "erased": "it is erased",
}
"""Why a note has no text, in words."""


@officer_command(app, "notes", panel=PANEL)
def notes(
    session: Session,
    reference: Reference,
    mark: Annotated[bool, typer.Option("--mark", help="Say to the other side that you have read them all.")] = False,
) -> None:
    """Read what both sides have written, oldest first, as far as it is open to you. That it was read is logged."""
    found, _ = find(session, reference, PASSED)
    answer = session.get(f"{found.path}/notes?limit=200")
    while answer["next"]:
        page = session.get(answer["next"])
        answer = page | {"items": answer["items"] + page["items"]}
    session.show(answer, lambda: _show(session, answer))
    if mark and answer["items"]:
        session.put(f"{found.path}/notes/read", {"through": answer["items"][-1]["id"]})


def _show(session: Session, answer: dict[str, Any]) -> None:
    if not answer["items"]:
        say("Nobody has written a note.")
        return
    sheet = Sheet(session.lang)
    for each in answer["items"]:
        about = f", {labelled('section', each['section'], session.lang)}" if each["section"] else ""
        sheet.line(
            f"{each['number']}. {plain(each['kind'])}, {each['author']['name']}, {shown_moment(each['recorded_at'])}{about}",
            style="bold",
        )
        sheet.line(each["text"] or f"({WITHHELD[each['withheld']]})", depth=1)
        if each["kind"] == "question" and not each["answers"]:
            sheet.line(f"not answered yet: note --in-reply-to {each['id']}", depth=1)
        if each["open_to_other"] is False:
            sheet.line("the other side cannot read it", depth=1)
        elif each["read_by_other"]:
            sheet.line("read by the other side", depth=1)
    say(f"{answer['unread']} unread." if answer["unread"] else "All read.")

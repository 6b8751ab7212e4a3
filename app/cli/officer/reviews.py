"""`reviews`: what was disclosed without consent, and the judgement of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import typer

from app.cli.common import say, show_table
from app.cli.officer.finding import id_in
from app.cli.officer.session import Key, Session, officer_command
from app.cli.officer.sheet import Sheet, title_of
from app.cli.officer.words import distance, labelled, moment, plain, read_moment, short_moment, shown_moment
from schemas.exchange.review import Review

app = typer.Typer(help="What was disclosed without consent: list it, read why, find it justified or not.")
PANEL: Final = "Protection, for the reviewing agency's officer"
Document = dict[str, Any]
ReviewId = Annotated[str, typer.Argument(metavar="ID", help="The review's id, from `reviews list`.")]
Why = Annotated[str, typer.Option("--text", help="Why; who disclosed reads it.")]


@officer_command(app, "list", panel=PANEL)
def list_(
    session: Session,
    every: Annotated[bool, typer.Option("--all", help="Also those that are decided.")] = False,
    due_before: Annotated[
        datetime | None, typer.Option(parser=read_moment, metavar="TIME", help="Only what is due before then.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=200)] = 50,
) -> None:
    """List what waits for review, the one due first first; an agency that is not the reviewer sees how its own stand."""
    page = session.get(
        "/v1/reviews",
        state=None if every else "waiting",
        due_before=due_before.isoformat() if due_before else None,
        limit=limit,
    )
    session.show(page, lambda: _show_reviews(session, page))


def _show_reviews(session: Session, page: Document) -> None:
    now = session.clock.now()
    show_table(
        ("id", "basis", "law", "from", "to", "sections", "due", "state"),
        [
            (
                each["id"],
                plain(each["basis"]),
                " ".join(filter(None, (each["legal_basis"], each["article"])))
                + (" (article not known)" if each["article_known"] is False else ""),
                each["sender"]["name"] if each["sender"] else "",
                each["receiver"]["name"],
                ", ".join(labelled("section", name, session.lang) for name in each["sections"]),
                _due(each, now),
                plain(each["state"]),
            )
            for each in page["items"]
        ],
        empty="Nothing waits for review.",
    )
    if page["items"]:
        say("\nRead why: rujukan reviews show ID. Judge it: rujukan reviews justify ID, or unjustified ID")
    if page["next"]:
        say("There is more: --limit.")


def _due(each: Document, now: datetime) -> str:
    due = moment(each["due_at"])
    return short_moment(each["due_at"], now) + (f", {distance(due, now)}" if due and not each["decided_at"] else "")


@officer_command(app, "show", panel=PANEL)
def show(session: Session, id: ReviewId) -> None:
    """Show a review: what was disclosed to whom, on what basis and why. Reading is logged."""
    review = session.get(f"/v1/reviews/{id_in(id)}")
    session.show(review, lambda: _show_review(session, review))


def _show_review(session: Session, review: Document) -> None:
    sheet = Sheet(session.lang)
    sheet.line(f"review {review['id']}, {plain(review['state'])}", style="bold")
    sheet.fact("Due", shown_moment(review["due_at"]))
    for name in ("sender", "receiver", "disclosed_by", "decided_by"):
        if review[name]:
            sheet.fact(title_of(name), f"{review[name]['name']} [{review[name]['code']}]")
    apart = {"id", "state", "sender", "receiver", "disclosed_by", "decided_by", "moves", "clock", "due_at"}
    sheet.document(Review, {name: value for name, value in review.items() if name not in apart})
    able = [{"find-unjustified": "unjustified"}.get(move, move) for move in review["moves"]]
    sheet.heading(f"You may now: {', '.join(able)}." if able else "There is nothing for you to do with it now.")


@officer_command(app, "justify", panel=PANEL)
def justify(
    session: Session,
    id: ReviewId,
    text: Why,
    until: Annotated[
        datetime | None,
        typer.Option(parser=read_moment, metavar="TIME", help="Of a vital interest: let it last until then."),
    ] = None,
    key: Key = None,
) -> None:
    """Find that there was a ground. A vital interest ends in time all the same, unless you say until when it lasts."""
    answer = session.post(f"/v1/reviews/{id_in(id)}/justify", {"text": text, "until": until}, key=key)
    session.show(answer, lambda: say("The disclosure is found justified."))


@officer_command(app, "unjustified", panel=PANEL)
def unjustified(session: Session, id: ReviewId, text: Why, key: Key = None) -> None:
    """Find that there was no ground: the sections lock, whoever had them open is asked to erase them. The person stays where they are."""
    answer = session.post(f"/v1/reviews/{id_in(id)}/find-unjustified", {"text": text}, key=key)
    session.show(answer, lambda: say("The disclosure is found not justified. What rested on it is locked."))

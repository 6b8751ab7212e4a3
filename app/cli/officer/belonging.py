"""`link`, `links` and their answers, `agree-to-lead`: what belongs together, and who leads what nobody leads any more."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from app.cli.common import say, show_table
from app.cli.officer.finding import find, id_in
from app.cli.officer.session import Channel, Key, OccurredAt, Session, officer_command
from app.cli.officer.words import coded, plain, short_moment
from schemas.codes.referral import CaseLink

app = typer.Typer()
PANEL: Final = "Cases that belong together, for an agency's officer"
Document = dict[str, Any]
LinkId = Annotated[str, typer.Argument(metavar="ID", help="The link's id, from `links` or `inbox`.")]
ReassignmentId = Annotated[str, typer.Argument(metavar="ID", help="The reassignment's id, from `inbox`.")]
OwnReason = Annotated[str, typer.Option("--reason", help="Why, for your own side; the other never reads it.")]


@officer_command(app, "link", panel=PANEL)
def link(
    session: Session,
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="Your case's reference (K-…), or its id.")],
    to: Annotated[str, typer.Option(metavar="REFERENCE", help="The other case's reference, as it was told.")],
    kind: Annotated[CaseLink, typer.Option(help="How they belong together.")],
    text: Annotated[str | None, typer.Option(help="For your own side; the other never reads it.")] = None,
    occurred_at: OccurredAt = None,
    channel: Channel = None,
    key: Key = None,
) -> None:
    """Say that another case belongs together with yours. Its lead confirms; neither learns more than who leads the other."""
    found, _ = find(session, reference, ("case",))
    body = {"kind": kind, "other": to, "text": text, "occurred_at": occurred_at, "channel": channel}
    session.show_moved(session.post(f"{found.path}/links", body, key=key))


@officer_command(app, "links", panel=PANEL)
def links(
    session: Session,
    every: Annotated[bool, typer.Option("--all", help="Also those refused or ended.")] = False,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=200)] = 50,
) -> None:
    """List the links of the cases your agency leads."""
    state = None if every else ["proposed", "confirmed"]
    page = session.get("/v1/case-links", state=state, limit=limit)
    session.show(page, lambda: _show_links(session, page))


def _show_links(session: Session, page: Document) -> None:
    now = session.clock.now()
    show_table(
        ("id", "your case", "kind", "state", "the other's lead", "proposed", "next"),
        [
            (
                each["id"],
                each["case_reference"],
                coded("case_link", each["kind"], session.lang),
                plain(each["state"]),
                each["other_lead"]["name"] if each["other_lead"] else None,
                f"{short_moment(each['proposed_at'], now)} by {'you' if each['proposed_here'] else 'the other'}",
                ", ".join(f"{move}-link" for move in each["moves"]),
            )
            for each in page["items"]
        ],
        empty="No case that your agency leads is linked to another.",
    )
    if page["next"]:
        say("There is more: --limit.")


@officer_command(app, "confirm-link", panel=PANEL)
def confirm_link(session: Session, id: LinkId, key: Key = None) -> None:
    """Confirm that another case belongs together with yours."""
    _move(session, f"/v1/case-links/{id_in(id)}", "confirm", {}, key)


@officer_command(app, "refuse-link", panel=PANEL)
def refuse_link(session: Session, id: LinkId, reason: OwnReason, key: Key = None) -> None:
    """Say that another case does not belong together with yours."""
    _move(session, f"/v1/case-links/{id_in(id)}", "refuse", {"reason": reason}, key)


@officer_command(app, "end-link", panel=PANEL)
def end_link(session: Session, id: LinkId, reason: OwnReason, key: Key = None) -> None:
    """End a link, or take its proposal back."""
    _move(session, f"/v1/case-links/{id_in(id)}", "end", {"reason": reason}, key)


@officer_command(app, "agree-to-lead", panel=PANEL)
def agree_to_lead(session: Session, id: ReassignmentId, key: Key = None) -> None:
    """Agree to lead a case whose lead is gone, as the ministry's desk asks. It is yours with this."""
    _move(session, f"/v1/reassignments/{id_in(id)}", "agree", {}, key)


@officer_command(app, "decline-to-lead", panel=PANEL)
def decline_to_lead(
    session: Session,
    id: ReassignmentId,
    reason: Annotated[str, typer.Option(help="Why; the desk reads it.")],
    key: Key = None,
) -> None:
    """Decline to lead a case whose lead is gone; the desk is told."""
    _move(session, f"/v1/reassignments/{id_in(id)}", "decline", {"reason": reason}, key)


def _move(session: Session, path: str, event: str, body: Document, key: str | None) -> None:
    found = session.get(path)
    say(f"{found['case_reference']}, {plain(found['state'])} (version {found['version']}): {event}.", err=True)
    answer = session.post(f"{path}/{event}", body, key=key, if_match=found["version"])
    session.show(answer, lambda: say(f"It is {plain(answer['state'])}."))

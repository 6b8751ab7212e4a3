"""`break-glass`: sections are read for a few hours, because life is at stake."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from app.cli.common import say, show_table
from app.cli.officer.finding import id_if_no_reference, id_in
from app.cli.officer.session import Key, Session, officer_command
from app.cli.officer.sheet import Sheet
from app.cli.officer.words import labelled, short_moment, shown_moment
from app.foundation.ids import read_reference
from schemas.codes.disclosure import EmergencyReason, Section
from schemas.exchange.emergency import EmergencyRecord

app = typer.Typer(
    help="Emergency access: read named sections of a case for a few hours, because life is at stake. It is told at once."
)
PANEL: Final = "Emergency access, for an agency's officer"
Document = dict[str, Any]
EmergencyId = Annotated[str, typer.Argument(metavar="ID", help="Its id, from `break-glass list`.")]


@officer_command(app, "open", panel=PANEL)
def open_(
    session: Session,
    case: Annotated[
        str,
        typer.Argument(
            metavar="CASE",
            help="The reference on the person's paper, of the case or of a referral; or the id of a case your agency takes part in.",
        ),
    ],
    section: Annotated[
        list[Section], typer.Option(help="A section you need; repeat it for several.", show_default=False)
    ],
    reason: Annotated[EmergencyReason, typer.Option(help="Why it cannot wait.")],
    text: Annotated[str, typer.Option(help="What has happened; the case's lead and the reviewers read it.")],
    hours: Annotated[int | None, typer.Option(help="How long; unset: 4.", min=1, max=24)] = None,
    key: Key = None,
) -> None:
    """Open named sections and read them. The case's lead and the reviewing agency are told in the same moment; every reading is logged."""
    reference = read_reference(case)
    named = {"reference": reference} if reference else {"case_id": id_if_no_reference(case)}
    answer = session.post(
        "/v1/emergency-access", {**named, "sections": section, "reason": reason, "text": text, "hours": hours}, key=key
    )
    emergency = session.get(f"/v1/emergency-access/{answer['id']}")
    session.show(emergency, lambda: _show(session, emergency))


@officer_command(app, "read", panel=PANEL)
def read(session: Session, id: EmergencyId) -> None:
    """Read under emergency access that is open: the sections as the newest version of the record has them."""
    emergency = session.get(f"/v1/emergency-access/{id_in(id)}")
    session.show(emergency, lambda: _show(session, emergency))


def _show(session: Session, emergency: Document) -> None:
    sheet = Sheet(session.lang)
    sheet.line(f"emergency access {emergency['id']}, {emergency['state']}", style="bold")
    sheet.fact("Agency", f"{emergency['agency']['name']} [{emergency['agency']['code']}]")
    sheet.fact("Reason", f"{labelled('emergency_reason', emergency['reason'], session.lang)}: {emergency['text']}")
    sheet.fact("Until", shown_moment(emergency["until_at"]))
    if emergency["record"] is not None:
        sheet.document(EmergencyRecord, emergency["record"])
        missing = [name for name in emergency["sections"] if not emergency["record"].get(name)]
        if missing and emergency["state"] == "open":
            sheet.line(f"Nothing is recorded of: {', '.join(missing)}.")
    if emergency["state"] == "open":
        sheet.heading(f"End it when it is over: rujukan break-glass end {emergency['id']}")


@officer_command(app, "end", panel=PANEL)
def end(session: Session, id: EmergencyId, key: Key = None) -> None:
    """End it at once: as who has it, as the case's lead, or as the reviewing agency."""
    answer = session.post(f"/v1/emergency-access/{id_in(id)}/end", {}, key=key)
    session.show(answer, lambda: say("The emergency access has ended; nobody reads by it any more."))


@officer_command(app, "list", panel=PANEL)
def list_(
    session: Session,
    case: Annotated[str | None, typer.Option(metavar="ID", help="Only to this case.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=200)] = 50,
) -> None:
    """List emergency access: your agency's own, that to cases it leads; for the reviewing agency all of it."""
    page = session.get("/v1/emergency-access", case_id=id_in(case) if case else None, limit=limit)
    session.show(page, lambda: _show_page(session, page))


def _show_page(session: Session, page: Document) -> None:
    now = session.clock.now()
    show_table(
        ("id", "case", "agency", "sections", "reason", "until", "state"),
        [
            (
                each["id"],
                each["case_id"],
                each["agency"]["name"],
                ", ".join(labelled("section", name, session.lang) for name in each["sections"]),
                labelled("emergency_reason", each["reason"], session.lang),
                short_moment(each["until_at"], now),
                each["state"],
            )
            for each in page["items"]
        ],
        empty="There is no emergency access that your agency would know of.",
    )
    if page["next"]:
        say("There is more: --limit.")

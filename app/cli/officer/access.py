"""`access-report`: who saw what of a case; on the screen for its lead, on paper for the person."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.cli.common import say, show_table
from app.cli.failures import Failure
from app.cli.officer.finding import Found, find, id_in
from app.cli.officer.session import Session, Subject, officer_command
from app.cli.officer.words import labelled, shown_moment

app = typer.Typer()
PANEL: Final = "Reading, for an agency's officer"


class AskedBy(StrEnum):
    """Who asks for the print."""

    person = "person"
    guardian = "guardian"


@officer_command(app, "access-report", panel=PANEL)
def access_report(
    session: Session,
    reference: Subject,
    asked_by: Annotated[
        AskedBy | None,
        typer.Option(
            metavar="person|guardian",
            help="Write it as a page to print, in plain words, for who asks for it: with --lang id or en. A guardian under suspicion gets none.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --asked-by: where to write the page.", show_default=False),
    ] = None,
    review: Annotated[
        bool, typer.Option("--review", help="As the reviewing agency, of any case: name it by its id.")
    ] = False,
) -> None:
    """Show who saw and passed on what of a case you lead, on what basis, when. That you looked is an entry of it too."""
    if asked_by is not None:
        _print(session, _case_of(session, reference), asked_by, output)
        return
    path: str | None = (
        f"/v1/protection/cases/{id_in(reference)}/access-report"
        if review
        else f"{_case_of(session, reference)}/access-report"
    )
    entries: list[dict[str, Any]] = []
    while path is not None:
        page = session.get(path)
        entries += page["items"]
        path = page["next"]
    session.show({"items": entries}, lambda: _show(session, entries))


def _case_of(session: Session, reference: str) -> str:
    found: Found
    found, document = find(session, reference)
    case_id = found.id if found.kind == "case" else found.case_id or (document or {}).get("case_id")
    return f"/v1/cases/{case_id}"


def _print(session: Session, case: str, asked_by: AskedBy, output: Path | None) -> None:
    path = output or Path(f"access-report-{case.rpartition('/')[2]}.html")
    if path.exists():  # asked before anything is read
        raise Failure(f"{path} exists already", "Erase it, or name another with --output.")
    page = session.get_page(f"{case}/access-report/form", asked_by=asked_by.value, lang=session.lang.value)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(page)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from None
    session.show({"file": str(path)}, lambda: say(f"Written to {path}. Print it, hand it over, then erase it."))


def _show(session: Session, entries: list[dict[str, Any]]) -> None:
    show_table(
        ("when", "agency", "who", "what", "sections", "basis", "purpose"),
        [
            (
                shown_moment(each["recorded_at"]),
                each["agency"]["name"],
                each["actor"],
                f"{each['kind']} to {each['to']['name']}" if each["to"] else each["kind"],
                [labelled("section", name, session.lang) for name in each["sections"]],
                [labelled("disclosure_basis", basis["basis"], session.lang) for basis in each["bases"]],
                labelled("purpose", each["purpose"], session.lang) if each["purpose"] else None,
            )
            for each in entries
        ],
        empty="Nobody has looked at the case.",
    )

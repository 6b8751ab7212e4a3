"""What persons ask about their data, incidents, legal holds, and what of a case is erased when."""

from __future__ import annotations

import os
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from app.cli.common import say, show_table
from app.cli.failures import Failure
from app.cli.officer.finding import find, id_in
from app.cli.officer.session import Key, Session, Subject, officer_command
from app.cli.officer.sheet import Sheet
from app.cli.officer.words import labelled, plain, read_moment, short_moment
from schemas.codes.disclosure import DataClass, Section
from schemas.codes.protection import (
    CopyDelivery,
    HoldAuthority,
    IdentityCheck,
    IdentityCheckedBy,
    IncidentKind,
    NoNoticeReason,
    RefusalGround,
    RestrictionEnd,
    SubjectRequester,
    SubjectRequestKind,
)
from schemas.exchange.hold import Hold
from schemas.exchange.incident import Incident
from schemas.exchange.subject_request import SubjectRequest

app = typer.Typer()
PANEL: Final = "Persons' requests, incidents, holds"
Document = dict[str, Any]
Id = Annotated[str, typer.Argument(metavar="ID", help="Its id, from the list.")]
OptionalId = Annotated[str | None, typer.Argument(metavar="[ID]", help="Show this one, with what is said in it.")]
Sections = Annotated[list[Section] | None, typer.Option("--section", help="Repeat it for several.", show_default=False)]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("a day is written YYYY-MM-DD") from None


def _time(help: str) -> Any:
    return typer.Option(parser=read_moment, metavar="TIME", help=help, show_default=False)


Officer = Annotated[bool, typer.Option("--officer", help="As a protection officer: all there are.")]
Every = Annotated[bool, typer.Option("--all", help="Also those that are done.")]


def _case_of(session: Session, reference: str) -> str:
    found, document = find(session, reference)
    if found.kind == "case":
        return found.id
    return found.case_id or str((document or session.get(found.path))["case_id"])


def _sheet(session: Session, model: type[Any], document: Document, title: str) -> None:
    sheet = Sheet(session.lang)
    sheet.line(title, style="bold")
    sheet.document(model, document)


@officer_command(app, "subject-requests", panel=PANEL)
def subject_requests(
    session: Session,
    id: OptionalId = None,
    every: Every = False,
    written: Annotated[
        bool, typer.Option("--written", help="Those your agency wrote down, instead of those it answers as lead.")
    ] = False,
    officer: Officer = False,
) -> None:
    """List what persons ask about their data, which the lead answers within three days; or show one."""
    if id is not None:
        found = session.get(f"/v1/subject-requests/{id_in(id)}")
        session.show(found, lambda: _sheet(session, SubjectRequest, found, f"subject request {found['id']}"))
        return
    role = "officer" if officer else "author" if written else "lead"
    page = session.get("/v1/subject-requests", role=role, state=None if every else "open")
    now = session.clock.now()
    session.show(
        page,
        lambda: show_table(
            ("id", "asked for", "by", "sections", "due", "answer"),
            [
                (
                    each["id"],
                    labelled("subject_request_kind", each["kind"], session.lang),
                    labelled("subject_requester", each["requester"], session.lang),
                    ", ".join(labelled("section", name, session.lang) for name in each["sections"]) or "all",
                    f"{short_moment(each['due_at'], now)} ({each['clock']})",
                    each["answer"],
                )
                for each in page["items"]
            ],
            empty="No person's request waits.",
        ),
    )


@officer_command(app, "subject-request", panel=PANEL)
def subject_request(
    session: Session,
    reference: Subject,
    kind: Annotated[SubjectRequestKind, typer.Option(help="What is asked for.")],
    by: Annotated[SubjectRequester, typer.Option(help="Who asks.")],
    identity: Annotated[IdentityCheck, typer.Option(help="How it was made sure that they may.")],
    at: Annotated[datetime, _time("When they asked; the three days count from then.")],
    checked_by: Annotated[
        IdentityCheckedBy, typer.Option(help="Who made sure of it.")
    ] = IdentityCheckedBy.RECORDING_AGENCY,
    section: Sections = None,
    text: Annotated[str | None, typer.Option(help="What they said.")] = None,
    key: Key = None,
) -> None:
    """Write down what a person asks about their data. The case's lead is told, and answers."""
    body = {
        "case_id": _case_of(session, reference),
        "kind": kind,
        "requester": by,
        "identity_check": identity,
        "identity_checked_by": checked_by,
        "sections": section or None,
        "received_at": at,
        "text": text,
    }
    made = session.post("/v1/subject-requests", body, key=key)
    session.show(made, lambda: say(f"Written down as {made['id']}. The case's lead answers it."))


@officer_command(app, "answer-subject-request", panel=PANEL)
def answer_subject_request(
    session: Session,
    id: Id,
    answer: Annotated[Literal["granted", "granted_in_part", "refused"], typer.Option(help="The answer.")],
    section: Sections = None,
    ground: Annotated[
        RefusalGround | None, typer.Option(help="On what ground it, or a part of it, is refused.", show_default=False)
    ] = None,
    text: Annotated[str | None, typer.Option(help="Why; required with a ground.")] = None,
    correction: Annotated[
        str | None, typer.Option(metavar="ID", help="Of a granted correction: the one that was made.")
    ] = None,
    delivery: Annotated[
        CopyDelivery | None, typer.Option(help="How a copy was handed over.", show_default=False)
    ] = None,
    delivered_on: Annotated[
        date | None, typer.Option(parser=_day, metavar="DAY", help="When.", show_default=False)
    ] = None,
    key: Key = None,
) -> None:
    """Answer what a person asks, once, as the case's lead. A granted restriction or erasure locks the sections for every holder at once."""
    if (answer == "granted") != (ground is None) or (ground is not None and text is None):
        raise Failure("a refusal, also of a part, has a ground and words; a grant has none", "See --ground and --text.")
    body = {
        "answer": answer,
        "sections": section or None,
        "refusal_ground": ground,
        "text": text,
        "correction": correction,
        "delivery": delivery,
        "delivered_on": delivered_on and delivered_on.isoformat(),
    }
    moved = session.post(f"/v1/subject-requests/{id_in(id)}/answer", body, key=key)
    session.show(moved, lambda: say("Answered. Whoever wrote it down is told, and tells the person."))


@officer_command(app, "lift-restriction", panel=PANEL)
def lift_restriction(
    session: Session,
    id: Id,
    ground: Annotated[RestrictionEnd, typer.Option(help="Why it is over.")],
    text: Annotated[str, typer.Option(help="Why, in words.")],
    by: Annotated[
        SubjectRequester | None, typer.Option(help="Who asks, if somebody asked.", show_default=False)
    ] = None,
    identity: Annotated[
        IdentityCheck | None, typer.Option(help="How it was made sure that they may.", show_default=False)
    ] = None,
    at: Annotated[datetime | None, _time("When they asked.")] = None,
    checked_by: Annotated[
        IdentityCheckedBy, typer.Option(help="Who made sure of it.")
    ] = IdentityCheckedBy.RECORDING_AGENCY,
    told: Annotated[datetime | None, _time("When the person was told, if its reason ended.")] = None,
    court: Annotated[str | None, typer.Option(help="Which court ordered it.")] = None,
    number: Annotated[str | None, typer.Option(help="The order's number.")] = None,
    dated: Annotated[date | None, typer.Option(parser=_day, metavar="DAY", help="The order's date.")] = None,
    key: Key = None,
) -> None:
    """Lift the restriction of data that was granted, as the case's lead. What only it kept shut is open again to who holds it."""
    said = {
        RestrictionEnd.PERSON_ASKED: (by, identity, at),
        RestrictionEnd.REASON_ENDED: (told,),
        RestrictionEnd.COURT_ORDER: (court, number, dated),
    }
    if None in said[ground] or any(each is not None for other in said if other != ground for each in said[other]):
        raise Failure(
            "what was given does not fit the ground",
            "person_asked needs --by, --identity and --at; reason_ended --told; court_order --court, --number and --dated; none another's.",
        )
    body = {
        "ground": ground,
        "text": text,
        "wish": {
            "requester": by,
            "identity_check": identity,
            "identity_checked_by": checked_by,
            "asked_at": at and at.isoformat(),
        }
        if by is not None
        else None,
        "person_told_at": told,
        "order": {"authority": court, "number": number, "dated_on": dated.isoformat()} if dated is not None else None,
    }
    moved = session.post(f"/v1/subject-requests/{id_in(id)}/lift", body, key=key)
    session.show(moved, lambda: say("Lifted. Whoever holds the data and who wrote the request down are told."))


@officer_command(app, "export-person", panel=PANEL)
def export_person(
    session: Session,
    reference: Subject,
    request: Annotated[str, typer.Option(metavar="ID", help="The granted request for access or a copy.")],
    output: Annotated[Path, typer.Option(metavar="FILE", help="Where to write it: lines of JSON.")],
) -> None:
    """Make the copy of everything about a person that your agency may read as the case's lead, for that person.

    The file is for your eyes alone (mode 0600) and never overwrites another: hand it over, then erase it.
    """
    if output.exists():
        raise Failure(f"{output} exists already", "Erase it, or name another with --output.")
    path = f"/v1/cases/{_case_of(session, reference)}/export"
    lines = session.get_page(path, request=id_in(request))
    if not lines.rstrip().endswith(b'{"type":"end"}'):
        raise Failure("the copy broke off before its end", "Run the command again.")
    try:
        with open(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(lines)
    except OSError as error:
        raise Failure(f"{output} cannot be written: {error.strerror}") from None
    session.show(
        {"file": str(output), "lines": len(lines.splitlines())},
        lambda: say(f"Written to {output}. Hand it over, then erase it."),
    )


@officer_command(app, "incidents", panel=PANEL)
def incidents(session: Session, id: OptionalId = None, every: Every = False, officer: Officer = False) -> None:
    """List incidents that concern your agency or a case it leads; or show one."""
    if id is not None:
        found = session.get(f"/v1/incidents/{id_in(id)}")
        session.show(found, lambda: _sheet(session, Incident, found, f"incident {found['reference']}"))
        return
    page = session.get("/v1/incidents", role="officer" if officer else "concerned", state=None if every else "open")
    now = session.clock.now()
    session.show(
        page,
        lambda: show_table(
            ("id", "reference", "what", "reported by", "notice due", "state"),
            [
                (
                    each["id"],
                    each["reference"],
                    labelled("incident_kind", each["kind"], session.lang),
                    each["reported_by"]["name"],
                    f"{short_moment(each['due_at'], now)} ({each['clock']})",
                    each["state"],
                )
                for each in page["items"]
            ],
            empty="No incident is open.",
        ),
    )


@officer_command(app, "report-incident", panel=PANEL)
def report_incident(
    session: Session,
    kind: Annotated[IncidentKind, typer.Option(help="What happened.")],
    how: Annotated[str, typer.Option(help="How it happened; no names.")],
    data: Annotated[list[DataClass], typer.Option(help="Which class of data; repeat it for several.")],
    noticed: Annotated[datetime, _time("When it was noticed; the three days count from then.")],
    happened: Annotated[datetime | None, _time("When it happened, if that is known.")] = None,
    persons: Annotated[int | None, typer.Option(help="How many persons, as far as is known.", min=0)] = None,
    case: Annotated[
        list[str] | None,
        typer.Option(metavar="REFERENCE", help="A case it concerns; repeat it for several.", show_default=False),
    ] = None,
    action: Annotated[str | None, typer.Option(help="What has been done about it.")] = None,
    key: Key = None,
) -> None:
    """Write down that something went wrong with personal data. The leads of the cases and the protection officers are told."""
    body = {
        "kind": kind,
        "how": how,
        "action": action,
        "data_classes": data,
        "noticed_at": noticed,
        "happened_at": happened,
        "persons": persons,
        "cases": [_case_of(session, each) for each in case or ()],
    }
    made = session.post("/v1/incidents", body, key=key)
    session.show(made, lambda: say(f"Written down as {made['reference']} ({made['id']}). See to the notice in time."))


@officer_command(app, "add-to-incident", panel=PANEL)
def add_to_incident(
    session: Session, id: Id, text: Annotated[str, typer.Option(help="What became known or was done.")], key: Key = None
) -> None:
    """Add to an incident. What was written stays."""
    made = session.post(f"/v1/incidents/{id_in(id)}/entries", {"text": text}, key=key)
    session.show(made, lambda: say(f"Added to {made['reference']}."))


@officer_command(app, "close-incident", panel=PANEL)
def close_incident(
    session: Session,
    id: Id,
    action: Annotated[str, typer.Option(help="What was done, and what was recovered.")],
    subject_told: Annotated[datetime | None, _time("When the person was told.")] = None,
    authority_told: Annotated[datetime | None, _time("When the authority was told.")] = None,
    paper: Annotated[str | None, typer.Option(help="Number of the letter to the authority.")] = None,
    no_notice: Annotated[
        NoNoticeReason | None, typer.Option(help="Why nobody was told; with --text.", show_default=False)
    ] = None,
    text: Annotated[str | None, typer.Option(help="More about it.")] = None,
    happened: Annotated[datetime | None, _time("When it happened, if it was not known before.")] = None,
    persons: Annotated[int | None, typer.Option(help="How many persons, if it was not known before.", min=0)] = None,
    data: Annotated[
        list[DataClass] | None, typer.Option(help="Which data, if it was not known before.", show_default=False)
    ] = None,
    key: Key = None,
) -> None:
    """Close an incident: with the notice to the person and to the authority, or with why there was none."""
    if no_notice is None and None in (subject_told, authority_told, paper):
        raise Failure(
            "a notice goes to the person and to the authority",
            "Give --subject-told, --authority-told and --paper; or --no-notice with --text.",
        )
    body = {
        "action": action,
        "subject_told_at": subject_told,
        "authority_told_at": authority_told,
        "authority_paper": paper,
        "no_notice_reason": no_notice,
        "text": text,
        "happened_at": happened,
        "persons": persons,
        "data_classes": data or None,
    }
    made = session.post(f"/v1/incidents/{id_in(id)}/close", body, key=key)
    session.show(made, lambda: say(f"{made['reference']} is closed."))


@officer_command(app, "holds", panel=PANEL)
def holds(session: Session, id: OptionalId = None, every: Every = False, officer: Officer = False) -> None:
    """List legal holds of the cases your agency leads, as a protection officer all; or show one."""
    if id is not None:
        found = session.get(f"/v1/holds/{id_in(id)}")
        session.show(found, lambda: _sheet(session, Hold, found, f"hold {found['id']}"))
        return
    page = session.get("/v1/holds", role="officer" if officer else "lead", state=None if every else "active")
    session.show(
        page,
        lambda: show_table(
            ("id", "case", "by order of", "sections", "until", "review", "state"),
            [
                (
                    each["id"],
                    each["case_id"],
                    labelled("hold_authority", each["authority"], session.lang),
                    ", ".join(labelled("section", name, session.lang) for name in each["sections"]),
                    each["until"],
                    f"{each['review_on']} ({each['clock']})",
                    each["state"],
                )
                for each in page["items"]
            ],
            empty="There is no hold.",
        ),
    )


@officer_command(app, "place-hold", panel=PANEL)
def place_hold(
    session: Session,
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="The case's reference (K-…).")],
    authority: Annotated[HoldAuthority, typer.Option(help="Who orders it.")],
    name: Annotated[str, typer.Option(help="The authority's name.")],
    number: Annotated[str, typer.Option(help="The order's number.")],
    dated: Annotated[date, typer.Option(parser=_day, metavar="DAY", help="Its date.")],
    section: Annotated[list[Section], typer.Option(help="What is to be kept; repeat it for several.")],
    review: Annotated[date, typer.Option(parser=_day, metavar="DAY", help="When it is looked at again.")],
    until: Annotated[
        date | None,
        typer.Option(parser=_day, metavar="DAY", help="Its last day. Unset: until it is lifted.", show_default=False),
    ] = None,
    text: Annotated[str | None, typer.Option(help="More about it.")] = None,
    key: Key = None,
) -> None:
    """Keep sections of a case from erasure on an authority's order, as a protection officer. It opens nothing."""
    body = {
        "case_reference": reference,
        "authority": authority,
        "authority_name": name,
        "number": number,
        "dated_on": dated.isoformat(),
        "sections": section,
        "review_on": review.isoformat(),
        "until": until and until.isoformat(),
        "text": text,
    }
    made = session.post("/v1/holds", body, key=key)
    session.show(made, lambda: say(f"The hold is placed ({made['id']}); the case's lead is told."))


@officer_command(app, "review-hold", panel=PANEL)
def review_hold(
    session: Session,
    id: Id,
    again: Annotated[date, typer.Option(parser=_day, metavar="DAY", help="When it is looked at again.")],
    text: Annotated[str, typer.Option(help="Why it stays.")],
    key: Key = None,
) -> None:
    """Say that a hold stays, and until when."""
    made = session.post(f"/v1/holds/{id_in(id)}/review", {"review_on": again.isoformat(), "text": text}, key=key)
    session.show(made, lambda: say("The hold stays."))


@officer_command(app, "lift-hold", panel=PANEL)
def lift_hold(
    session: Session, id: Id, reason: Annotated[str, typer.Option(help="Why it ends.")], key: Key = None
) -> None:
    """End a hold now. What was due meanwhile is erased soon after."""
    made = session.post(f"/v1/holds/{id_in(id)}/lift", {"reason": reason}, key=key)
    session.show(made, lambda: say(f"The hold is {plain(made['state'])}."))


@officer_command(app, "kept", panel=PANEL)
def kept(session: Session, reference: Subject) -> None:
    """Show what of a case is erased when, what holds keep, and what has been erased, as its lead."""
    found = session.get(f"/v1/cases/{_case_of(session, reference)}/retention")
    session.show(found, lambda: _show_kept(session, found))


def _show_kept(session: Session, found: Document) -> None:
    if found["closed_at"] is None:
        say("The case is not closed: its time of retention has not begun.")
    show_table(
        ("what", "sections", "erased on", "kept by a hold"),
        [
            (
                plain(each["kind"]),
                ", ".join(labelled("section", name, session.lang) for name in each["sections"]),
                each["erased_on"],
                ", ".join(labelled("section", name, session.lang) for name in each["held_sections"]),
            )
            for each in found["items"]
        ],
        empty="Nothing of it is left to erase.",
    )
    for each in found["erased"]:
        sections = ", ".join(labelled("section", name, session.lang) for name in each["sections"])
        say(f"Erased {each['at']}: {plain(each['kind'])} {sections} ({plain(each['cause'])})")

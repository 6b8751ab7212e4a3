"""`consent`: what a person agreed to: given, narrowed, widened, withdrawn, reconfirmed, and listed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.cli.common import read_object, say, show_table
from app.cli.officer import data
from app.cli.officer.finding import find, id_in
from app.cli.officer.session import Channel, Key, OccurredAt, Session, Subject, officer_command
from app.cli.officer.words import labelled, plain, read_moment, shown_moment
from schemas.codes.agencies import AgencyKind
from schemas.codes.disclosure import ConsentGiver, Section
from schemas.codes.referral import Purpose

app = typer.Typer(
    help="Consents of a case: what the person agreed to, for whom, for what, until when.", no_args_is_help=True
)
PANEL: Final = data.PANEL
Document = dict[str, Any]

ConsentId = Annotated[str, typer.Argument(metavar="CONSENT", help="The consent's id, from `consent list`.")]
File = Annotated[
    Path,
    typer.Argument(help="JSON, as the API takes it: who agreed, how, told what, to what; - for standard input."),
]


def _case_of(session: Session, reference: str) -> str:
    found, document = find(session, reference)
    if found.kind == "case":
        return found.id
    return found.case_id or str((document or session.get(found.path))["case_id"])


@officer_command(app, "list", panel=PANEL)
def consents(session: Session, reference: Subject) -> None:
    """List the consents of a case as far as your agency may see them: the lead all, others those they recorded."""
    found = session.get(f"/v1/cases/{_case_of(session, reference)}/consents")
    session.show(found, lambda: _show(session, found["items"]))


def _show(session: Session, items: list[Document]) -> None:
    def labels(name: str, codes: list[str]) -> str:
        return ", ".join(labelled(name, code, session.lang) for code in codes)

    show_table(
        ("id", "by", "how", "sections", "for whom", "for what", "until", "stands"),
        [
            (
                each["id"],
                labels("consent_giver", [each["giver"]]),
                labels("consent_method", [each["method"]]),
                labels("section", each["sections"]),
                "; ".join(filter(None, (", ".join(each["agencies"]), labels("agency_kind", each["agency_kinds"])))),
                labels("purpose", each["purposes"]),
                shown_moment(each["until"]) if each["until"] else None,
                _standing(each),
            )
            for each in items
        ],
        empty="There is no consent that your agency may see.",
    )
    if any(each["doubted_at"] and not each["withdrawn_at"] for each in items):
        say(
            "\nAsk the person again about what is in doubt, and record it from another system: rujukan consent reconfirm …"
        )


def _standing(each: Document) -> str:
    if each["withdrawn_at"]:
        return "withdrawn"
    if each["doubted_at"]:
        return "IN DOUBT: nothing rests on it"
    return "counts" if each["provable"] else "NOT PROVABLE: nothing can rest on it"


@officer_command(app, "give", panel=PANEL)
def give(session: Session, reference: Subject, file: File, key: Key = None) -> None:
    """Record a consent of a case, from a file."""
    body = read_object(file, "a consent")
    _done(session, session.post(f"/v1/cases/{_case_of(session, reference)}/consents", body, key=key))


@officer_command(app, "widen", panel=PANEL)
def widen(session: Session, reference: Subject, consent: ConsentId, file: File, key: Key = None) -> None:
    """Record that the person agreed to more: a consent of its own, with its own proof, by which nothing opens."""
    path = f"/v1/cases/{_case_of(session, reference)}/consents/{id_in(consent)}/widen"
    _done(session, session.post(path, read_object(file, "a consent"), key=key))


@officer_command(app, "reconfirm", panel=PANEL)
def reconfirm(session: Session, reference: Subject, consent: ConsentId, file: File, key: Key = None) -> None:
    """Record that the person was asked again about a consent in doubt, and still agrees; from another system than before."""
    path = f"/v1/cases/{_case_of(session, reference)}/consents/{id_in(consent)}/reconfirm"
    _done(session, session.post(path, read_object(file, "how they agreed"), key=key))


@officer_command(app, "narrow", panel=PANEL)
def narrow(
    session: Session,
    reference: Subject,
    consent: ConsentId,
    by: Annotated[ConsentGiver, typer.Option(help="Who takes it back.")],
    at: Annotated[datetime, typer.Option(parser=read_moment, metavar="TIME", help="When they said so.")],
    section: Annotated[list[Section] | None, typer.Option(help="No longer this section.", show_default=False)] = None,
    not_to: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="No longer this agency, also where its kind is named."),
    ] = None,
    kind: Annotated[
        list[AgencyKind] | None, typer.Option(help="No longer agencies of this kind.", show_default=False)
    ] = None,
    purpose: Annotated[
        list[Purpose] | None, typer.Option(help="No longer for this purpose.", show_default=False)
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(parser=read_moment, metavar="TIME", help="Ends earlier, at this time.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Only if they gave one; nobody has to.")] = None,
    occurred_at: OccurredAt = None,
    channel: Channel = None,
    key: Key = None,
) -> None:
    """Record that a consent covers less from now on; each option can be repeated. What is lost locks for every holder at once."""
    answer = session.post(
        f"/v1/cases/{_case_of(session, reference)}/consents/{id_in(consent)}/narrow",
        {
            "sections": section or None,
            "agencies": not_to or None,
            "agency_kinds": kind or None,
            "purposes": purpose or None,
            "until": until,
            "requested_by": by,
            "requested_at": at,
            "reason": reason,
            "occurred_at": occurred_at,
            "channel": channel,
        },
        key=key,
    )
    _done(session, answer)


officer_command(app, "withdraw", panel=PANEL)(data.withdraw)


def _done(session: Session, answer: Document) -> None:
    said = {
        "narrowed": "What it no longer covers is locked; whoever read it is asked to erase it.",
        "widened": "Nothing opened by it: name its id where something is to rest on it.",
        "reconfirmed": "It counts again, and what was locked by the doubt is open.",
    }
    text = f"{answer['reference']}: consent {answer['id']} is {plain(answer['state'])}. {said.get(answer['state'], '')}"
    session.show(answer, lambda: say(text.strip()))

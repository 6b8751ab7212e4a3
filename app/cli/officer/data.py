"""`withdraw`, `requests`, `answer-request`, `rebase`: a consent taken back, what is asked about data, another basis."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from app.cli.common import say, show_table
from app.cli.failures import Failure
from app.cli.officer.bases import RESTS, bases_in
from app.cli.officer.finding import PASSED, find, id_in
from app.cli.officer.session import Channel, Key, OccurredAt, Session, Subject, officer_command
from app.cli.officer.sheet import Sheet
from app.cli.officer.words import (
    distance,
    labelled,
    moment,
    plain,
    read_moment,
    short_moment,
)
from schemas.codes.disclosure import ConsentGiver, Section
from schemas.exchange.request import Request

app = typer.Typer()
PANEL: Final = "Consent and data, for an agency's officer"
Document = dict[str, Any]
Answer = Literal["erased", "restricted", "kept", "re_based", "corrected", "refused"]


@officer_command(app, "withdraw", panel=PANEL)
def withdraw(
    session: Session,
    reference: Subject,
    by: Annotated[ConsentGiver, typer.Option(help="Who takes it back.")],
    at: Annotated[datetime, typer.Option(parser=read_moment, metavar="TIME", help="When they said so.")],
    consent: Annotated[
        str | None, typer.Option(metavar="ID", help="Which consent, if there are several; they are listed.")
    ] = None,
    section: Annotated[
        list[Section] | None,
        typer.Option(help="Only this section; repeat it for several. Unset: all of it.", show_default=False),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Only if they gave one; nobody has to.")] = None,
    occurred_at: OccurredAt = None,
    channel: Channel = None,
    key: Key = None,
) -> None:
    """Record that a consent is taken back. What rests on it locks for every holder at once; no referral ends by it."""
    found, document = find(session, reference)
    document = document or session.get(found.path)
    case_id = document["case_id"] if found.kind != "case" else found.id
    consent = consent or _the_one(session, document, found.kind, case_id)
    say(f"{document['reference']}: withdraw consent {consent}, {', '.join(section or ()) or 'all of it'}.", err=True)
    answer = session.post(
        f"/v1/cases/{case_id}/consents/{id_in(consent)}/withdraw",
        {
            "sections": section or None,
            "requested_by": by,
            "requested_at": at,
            "reason": reason,
            "occurred_at": occurred_at,
            "channel": channel,
        },
        key=key,
    )
    session.show(
        answer,
        lambda: say("The consent is withdrawn. What rested on it is locked; whoever read it is asked to erase it."),
    )


def _the_one(session: Session, document: Document, kind: str, case_id: str) -> str:
    """Return the only consent that can be meant: of a case those in force, of a referral those it rests on."""
    if kind == "case":
        consents = session.get(f"/v1/cases/{case_id}/consents")["items"]
        listed = {each["id"]: each["sections"] for each in consents if each["withdrawn_at"] is None}
    else:
        listed = {each["consent_id"]: each["sections"] for each in document["disclosures"] if each["consent_id"]}
    if not listed:
        raise Failure("nothing of it rests on a consent that can be withdrawn", "See `rujukan show`.")
    if len(listed) > 1:
        lines = [f"--consent {id}  {', '.join(sections)}" for id, sections in listed.items()]
        raise Failure("there are several consents", "\n  ".join(["Name one:", *lines]))
    return str(next(iter(listed)))


@officer_command(app, "requests", panel=PANEL)
def requests(
    session: Session,
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Show this one, with what is said in it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are answered.")] = False,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=200)] = 50,
) -> None:
    """List what your agency is asked about data: to erase, to restrict, to correct. It is answered within three days."""
    if id is not None:
        request = session.get(f"/v1/requests/{id_in(id)}")
        session.show(request, lambda: _show_request(session, request))
        return
    page = session.get("/v1/requests", role="to", state=None if every else "open", limit=limit)
    session.show(page, lambda: _show_requests(session, page))


def _show_requests(session: Session, page: Document) -> None:
    now = session.clock.now()
    show_table(
        ("id", "asked to", "because", "by", "sections", "due", "answer"),
        [
            (
                each["id"],
                {"erasure": "erase", "correction": "correct"}.get(each["kind"], each["kind"]),
                plain(each["cause"]),
                each["asked_by"]["name"],
                ", ".join(labelled("section", name, session.lang) for name in each["sections"]),
                f"{short_moment(each['due_at'], now)}, {distance(due, now)}"
                if each["answer"] is None and (due := moment(each["due_at"])) is not None
                else short_moment(each["due_at"], now),
                each["answer"],
            )
            for each in page["items"]
        ],
        empty="Nothing is asked of your agency.",
    )
    if page["items"]:
        say("\nRead one: rujukan requests ID. Answer it: rujukan answer-request ID --answer …")
    if page["next"]:
        say("There is more: --limit.")


def _show_request(session: Session, request: Document) -> None:
    sheet = Sheet(session.lang)
    sheet.line(f"request {request['id']}, {request['state']}", style="bold")
    apart = {"id", "state", "asked", "asked_by", "case_id", "clock"}
    sheet.fact("Asked by", f"{request['asked_by']['name']} [{request['asked_by']['code']}]")
    sheet.fact("Case", request["case_id"])
    sheet.document(Request, {name: value for name, value in request.items() if name not in apart})


@officer_command(app, "answer-request", panel=PANEL)
def answer_request(
    session: Session,
    id: Annotated[str, typer.Argument(metavar="ID", help="The request's id, from `requests`.")],
    answer: Annotated[
        Answer,
        typer.Option(
            help="What was done. To an erasure: erased, restricted, kept or re_based; to a correction: corrected or refused."
        ),
    ],
    text: Annotated[str | None, typer.Option(help="Why; required with kept and refused.")] = None,
    legal_basis: Annotated[
        str | None, typer.Option(metavar="CODE", help="By which law it is kept.", rich_help_panel=RESTS)
    ] = None,
    article: Annotated[str | None, typer.Option(help="Its article.", rich_help_panel=RESTS)] = None,
    basis: Annotated[
        Path | None,
        typer.Option(help="With re_based: JSON, the basis or bases it rests on from now on.", rich_help_panel=RESTS),
    ] = None,
    correction: Annotated[str | None, typer.Option(metavar="ID", help="With corrected: the correction made.")] = None,
    occurred_at: OccurredAt = None,
    channel: Channel = None,
    key: Key = None,
) -> None:
    """Answer a request about data, once: say what was done."""
    if answer in ("kept", "refused") and text is None:
        raise Failure(f"the answer `{answer}` needs words", "Give them with --text.")
    if answer == "kept" and (legal_basis is None or article is None):
        raise Failure("what is kept is kept by a law", "Give --legal-basis and --article.")
    if (answer == "re_based") != (basis is not None):
        raise Failure("a new basis belongs to the answer `re_based`, and to no other", "Give --basis with it.")
    said = {
        "answer": answer,
        "text": text,
        "legal_basis": legal_basis,
        "article": article,
        "bases": bases_in(basis) if basis is not None else None,
        "correction": correction,
        "occurred_at": occurred_at,
        "channel": channel,
    }
    moved = session.post(f"/v1/requests/{id_in(id)}/answer", said, key=key)
    session.show(moved, lambda: say(f"The request is {plain(moved['state'])}."))


@officer_command(app, "rebase", panel=PANEL)
def rebase(
    session: Session,
    reference: Subject,
    basis: Annotated[
        Path,
        typer.Option(
            help="JSON: the basis or bases it rests on from now on, with their sections.", rich_help_panel=RESTS
        ),
    ],
    occurred_at: OccurredAt = None,
    channel: Channel = None,
    key: Key = None,
) -> None:
    """Put sections you sent on another basis, a consent or a law, before a vital interest ends; or again, after they have locked."""
    found, document = find(session, reference, PASSED)
    version = (document or session.get(found.path))["version"]
    said = {"bases": bases_in(basis), "occurred_at": occurred_at, "channel": channel}
    answer = session.post(f"{found.path}/rebase", said, key=key, if_match=version)
    session.show(answer, lambda: say(f"{answer['reference']}: the sections rest on another basis now."))

"""The moves: a command each, which says what it brings. What all have in common stands in `_make_move`."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import rfc8785
import typer

from app.cli.common import read_object, say
from app.cli.failures import Failure
from app.cli.officer.bases import Article, BasisFile, ConsentId, Grounds, LegalBasis, bases_in, basis_for
from app.cli.officer.finding import PASSED, Found, envelope_of, find, id_in, standing
from app.cli.officer.refusals import Refused
from app.cli.officer.session import (
    HOW,
    Channel,
    Key,
    OccurredAt,
    Parameters,
    Reference,
    Session,
    add_command,
    officer_command,
    parameters_of,
)
from app.cli.officer.words import coded, plain, read_day, read_moment, shown_moment
from app.exchange.cases.lifecycle import CASE
from app.exchange.lifecycle import Lifecycle
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from schemas.codes.disclosure import Section
from schemas.codes.referral import (
    CaseClosureReason,
    DeclineReason,
    HandoverPaper,
    MoveChannel,
    NeedOutcome,
    NotCompletedReason,
)
from schemas.codes.services import Need, Service, ServiceEventStatus
from schemas.exchange.note import NoteKind

app = typer.Typer()
PANEL: Final = "Moves, for an agency's officer"
LIFECYCLES: Final[dict[str, Lifecycle]] = {"referral": REFERRAL, "transfer": TRANSFER, "case": CASE}
PATHS: Final = {"record_service": "services", "note": "notes"}
"""The last part of a move's address, where it is not its event."""

Body = dict[str, Any]
Why = Annotated[str, typer.Option("--reason", help="Why, in a line; the other party reads it.")]


def _how(
    reference: Reference,
    occurred_at: OccurredAt = None,
    channel: Channel = None,
    key: Key = None,
    if_match: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="The version you decided on, from `show`. Unset: the present one.",
            show_default=False,
            rich_help_panel=HOW,
        ),
    ] = None,
) -> None: ...


_HOW: Final = parameters_of(_how)


def move(name: str, *events: str) -> Callable[[Callable[..., Body]], Callable[..., Body]]:
    """Make a function that returns a body a command for the first of `events` that is open.

    Its parameters are the command's options; one named `document` gets the whole document, which then is read first.
    """

    def register(function: Callable[..., Body]) -> Callable[..., Body]:
        asked = parameters_of(function)
        whole = [asked.pop(name) for name in ("session", "document") if name in asked]

        def run(session: Session, **given: Any) -> None:
            own = {name: given[name] for name in asked}
            how = {name: given[name] for name in _HOW}
            _make_move(
                session,
                events,
                lambda *about: function(*about, **own) if whole else function(**own),
                bool(whole),
                **how,
            )

        reference, *how = _HOW.items()
        parameters: Parameters = dict([reference, *asked.items(), *how])
        add_command(app, name, run, parameters, about=inspect.cleandoc(function.__doc__ or ""), panel=PANEL)
        return function

    return register


def _make_move(
    session: Session,
    events: tuple[str, ...],
    body_of: Callable[..., Body],
    whole: bool,
    *,
    reference: str,
    occurred_at: datetime | None,
    channel: MoveChannel | None,
    key: str | None,
    if_match: int | None,
) -> None:
    kinds = tuple(kind for kind in LIFECYCLES if any(_has(kind, event) for event in events))
    found, document = find(session, reference, kinds)
    if document is None:
        document = session.get(found.path) if whole else envelope_of(session, found)
    event = next((event for event in events if event in document["moves"]), None)
    event = event or next(event for event in events if _has(found.kind, event))
    row = LIFECYCLES[found.kind][event]
    body = body_of(session, document) if whole else body_of()
    say(f"{standing(document)}: {plain(event)}.", err=True)
    answer = submit(
        session,
        found,
        PATHS.get(event, event.replace("_", "-")),
        {**body, "occurred_at": occurred_at, "channel": channel},
        key=key,
        if_match=(if_match or document["version"]) if row.versioned else None,
    )
    session.show_moved(answer)


def _has(kind: str, event: str) -> bool:
    return any(move.event == event for move in LIFECYCLES[kind].moves)


def submit(session: Session, found: Found, name: str, body: Body, *, key: str | None, if_match: int | None) -> Body:
    """Make a move; where somebody else was first, look what is possible now. Raises `Refused`."""
    try:
        answer: Body = session.post(f"{found.path}/{name}", body, key=key, if_match=if_match)
    except Refused as refused:
        if refused.type not in ("stale-version", "another-manifest"):
            raise
        moves = envelope_of(session, found)["moves"]
        raise Refused(refused.status, {**refused.problem, "moves": moves}) from None
    return answer


# before it is accepted


@move("acknowledge", "acknowledge")
def acknowledge() -> Body:
    """Say that you have it and are looking at it; the sender learns of it. Nothing is decided by this."""
    return {}


@move("ask", "request_info")
def ask(question: Annotated[str, typer.Option(help="What you have to know before you can answer.")]) -> Body:
    """Ask the sender for what you must know before you can accept or decline."""
    return {"question": question}


@move("answer", "provide_info")
def answer(
    text: Annotated[str | None, typer.Option(help="The answer. Needs --section, and what it rests on.")] = None,
    section: Annotated[Section | None, typer.Option(help="The section of the record the answer belongs to.")] = None,
    basis: BasisFile = None,
    consent: ConsentId = None,
    legal_basis: LegalBasis = None,
    article: Article = None,
    reason: Grounds = None,
    record: Annotated[
        Path | None,
        typer.Option(help='Instead of --text a new version of the record: JSON, {"record": …, "bases": […]}.'),
    ] = None,
) -> Body:
    """Answer the receiver's question, by a text under a basis of its own or by a new version of the record."""
    if (text is None) == (record is None):
        raise Failure("an answer is --text or --record, one of them")
    if record is not None:
        return read_object(record, "a record and its bases")
    if section is None:
        raise Failure("an answer in words belongs to a section", "Name it with --section.")
    given = basis_for(section, file=basis, consent=consent, legal_basis=legal_basis, article=article, reason=reason)
    if given is None:
        raise Failure(
            "an answer in words rests on a basis, as every disclosure does",
            "Give --consent ID; or --legal-basis, --article and --reason; or --basis FILE.",
        )
    return {"text": text, "section": section, "basis": given}


@move("accept", "accept")
def accept(
    session: Session,
    document: Body,
    ready_from: Annotated[
        datetime, typer.Option(parser=read_moment, metavar="TIME", help="From when you are ready to receive.")
    ],
    service_point: Annotated[
        str | None, typer.Option(metavar="ID", help="Which of your service points, if it matters.")
    ] = None,
    meeting_point: Annotated[
        str | None, typer.Option(help="Where to meet; needed when the service point is confidential.")
    ] = None,
    contact: Annotated[str | None, typer.Option(help="Whom to ask for, by role.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before accepting a transfer.")] = False,
) -> Body:
    """Accept it: say from when you are ready, and where. The whole record opens with this, and not before."""
    body = {
        "ready_to_receive_from": ready_from,
        "service_point": service_point,
        "meeting_point": meeting_point,
        "contact": contact,
    }
    if "manifest" not in document:
        return body
    digest = manifest_digest(document["manifest"])
    if digest != document["manifest_digest"]:
        raise Failure("the manifest is not the one its digest was made of", "Do not accept; tell the operators.")
    if not yes:
        _ask_about(session, document)
    return {**body, "manifest_digest": digest}


def manifest_digest(manifest: Body) -> str:
    """Return the digest of what comes with the case (SHA-256 of its canonical form, RFC 8785)."""
    return hashlib.sha256(rfc8785.dumps(manifest)).hexdigest()


def _ask_about(session: Session, document: Body) -> None:
    manifest = document["manifest"]
    sections = ", ".join(coded("section", name, session.lang) for name in manifest["sections"])
    say(f"With the case come: {sections}; {len(manifest['open_referrals'])} open referrals.", err=True)
    for name in ("tasks", "protective_measures"):
        if manifest[name]:
            say(f"  {manifest[name]} {plain(name)}, to be read once accepted", err=True)
    say("You become responsible for the case when you confirm the handover.", err=True)
    typer.confirm("Accept it?", abort=True, err=True)


@move("decline", "decline")
def decline(
    reason: Annotated[DeclineReason, typer.Option(help="Why.")],
    text: Annotated[str | None, typer.Option(help="In words; required with `other`.")] = None,
    suggest: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="An agency that might help instead; repeat it for several.")
    ] = None,
) -> Body:
    """Decline it, with a reason, and suggest who else might help. What you saw of it closes."""
    if reason is DeclineReason.OTHER and text is None:
        raise Failure("the reason `other` needs words", "Give them with --text.")
    return {"reason": reason, "text": text, "suggested_receivers": suggest or []}


@move("recall", "recall")
def recall(reason: Why) -> Body:
    """Take back what you sent, before it is accepted."""
    return {"reason": reason}


# while it is worked on


@move("start", "start")
def start(
    first_service: Annotated[
        bool, typer.Option("--first-service", help="Not by arrival: a first service was given.")
    ] = False,
) -> Body:
    """Say that the person has arrived, or that a first service was given."""
    return {"by": "first_service" if first_service else "arrival"}


@move("service", "record_service")
def service(
    service: Annotated[Service, typer.Option("--service", help="Which service.")],
    on: Annotated[str, typer.Option(parser=read_day, metavar="YYYY-MM-DD", help="On which day.")],
    status: Annotated[ServiceEventStatus, typer.Option(help="Whether it is planned, or was given or missed.")],
    need: Annotated[Need | None, typer.Option(help="The need it answers.")] = None,
    next_appointment: Annotated[
        datetime | None, typer.Option(parser=read_moment, metavar="TIME", help="When the person is seen next.")
    ] = None,
) -> Body:
    """Record a service that was planned, given or missed."""
    return {"service": service, "on": on, "status": status, "need": need, "next_appointment": next_appointment}


@move("hold", "hold")
def hold(
    reason: Why,
    review_at: Annotated[
        datetime,
        typer.Option(parser=read_moment, metavar="TIME", help="When you look at it again, at most 30 days ahead."),
    ],
) -> Body:
    """Pause the services until a time of review."""
    return {"reason": reason, "review_at": review_at}


@move("resume", "resume")
def resume() -> Body:
    """Go on with services that were paused."""
    return {}


@move("complete", "complete")
def complete(
    session: Session,
    document: Body,
    outcome: Annotated[
        list[str] | None,
        typer.Option(metavar="NEED=OUTCOME", help="What became of a need; one for each. Without any, they are listed."),
    ] = None,
) -> Body:
    """End it: the services are given. Every need gets its outcome."""
    if not outcome:
        raise Failure("every need gets an outcome", _needs_of(session, document))
    return {"outcomes": [_outcome(each) for each in outcome]}


def _outcome(text: str) -> Body:
    need, _, outcome = text.partition("=")
    if need not in set(Need) or outcome not in set(NeedOutcome):
        raise Failure(
            "an outcome is written NEED=OUTCOME, in codes",
            f"Such as shelter_men=met. Outcomes are: {', '.join(NeedOutcome)}.",
        )
    return {"need": need, "outcome": outcome}


def _needs_of(session: Session, document: Body) -> str:
    section = ((document["record"] or {}).get("needs") or {}).get("services", [])
    given = [f"--outcome {each['need']}=…  {coded('need', each['need'], session.lang)}" for each in section]
    outcomes = [coded("need_outcome", each, session.lang) for each in NeedOutcome]
    return "\n  ".join([*given, f"Outcomes: {'; '.join(outcomes)}"])


@move("fail", "fail")
def fail(
    reason: Annotated[NotCompletedReason, typer.Option(help="Why.")],
    text: Annotated[str | None, typer.Option(help="In words; required with `other`.")] = None,
) -> Body:
    """End it without its services; that the person decided to leave is one of the reasons."""
    if reason is NotCompletedReason.OTHER and text is None:
        raise Failure("the reason `other` needs words", "Give them with --text.")
    return {"reason": reason, "text": text}


@move("note", "note")
def note(
    text: Annotated[str, typer.Option(help="What the other party should read.")],
    section: Annotated[
        Section | None, typer.Option(help="The section the text belongs to; whoever sent the record always names one.")
    ] = None,
    kind: Annotated[
        NoteKind | None,
        typer.Option(help="What it is. Unset: an answer with --in-reply-to, else information.", show_default=False),
    ] = None,
    in_reply_to: Annotated[
        str | None, typer.Option(metavar="ID", help="The question it answers, by its id in `notes`.")
    ] = None,
    basis: BasisFile = None,
    consent: ConsentId = None,
    legal_basis: LegalBasis = None,
    article: Article = None,
    reason: Grounds = None,
) -> Body:
    """Write to the other party. What it says of the person is a disclosure, and rests on what its section rests on."""
    given = basis_for(section, file=basis, consent=consent, legal_basis=legal_basis, article=article, reason=reason)
    reply = id_in(in_reply_to) if in_reply_to is not None else None
    kind = kind or ("answer" if reply is not None else None)
    return {"text": text, "section": section, "basis": given, "kind": kind, "in_reply_to": reply}


# cancelling, errors


@move("cancel", "request_cancel")
def cancel(reason: Why) -> Body:
    """Ask the receiver to end an accepted referral; it decides, since it has the person."""
    return {"reason": reason}


@move("confirm-cancel", "confirm_cancel")
def confirm_cancel() -> Body:
    """End it, as the sender asked."""
    return {}


@move("refuse-cancel", "refuse_cancel")
def refuse_cancel(reason: Why) -> Body:
    """Go on with it, though the sender asked to end it."""
    return {"reason": reason}


@move("error", "enter_in_error", "report_error")
def error(reason: Why) -> Body:
    """Say that you sent it in error. Before acceptance it is taken out at once; afterwards the receiver has to confirm."""
    return {"reason": reason}


@move("confirm-error", "confirm_error")
def confirm_error() -> Body:
    """Confirm that it was sent to you in error. What you have of it locks at once."""
    return {}


# the handover of a case


@move("confirm-handover", "confirm_handover")
def confirm_handover(
    paper: Annotated[HandoverPaper, typer.Option(help="Where the handover paper (BAST) stands.")],
    number: Annotated[str | None, typer.Option(help="Its number, if it is issued.")] = None,
    date: Annotated[
        str | None, typer.Option(parser=read_day, metavar="YYYY-MM-DD", help="Its date, if it is issued.")
    ] = None,
    due: Annotated[
        datetime | None,
        typer.Option(parser=read_moment, metavar="TIME", help="When a pending one is expected. Unset: in seven days."),
    ] = None,
) -> Body:
    """Confirm that the person or the file has arrived: your agency leads the case from this moment."""
    if paper is HandoverPaper.ISSUED and (number is None or date is None):
        raise Failure("an issued paper has a number and a date", "Give --number and --date.")
    return {"paper": paper, "number": number, "date": date, "due": due}


@move("paper", "handover_paper")
def paper(
    number: Annotated[str, typer.Option(help="Its number.")],
    date: Annotated[str, typer.Option(parser=read_day, metavar="YYYY-MM-DD", help="Its date.")],
) -> Body:
    """Supply the handover paper (BAST) that was pending."""
    return {"number": number, "date": date}


@move("abort", "abort")
def abort(reason: Why) -> Body:
    """Say that an accepted handover will not take place; the lead stays where it is."""
    return {"reason": reason}


# the case itself, by its lead


@move("follow-up", "follow_up")
def follow_up(
    plan: Annotated[str, typer.Option(help="What is looked at, how often, by whom (by role).")],
    until: Annotated[str, typer.Option(parser=read_day, metavar="YYYY-MM-DD", help="The planned end.")],
) -> Body:
    """Go on to following the person up, by a plan and until a planned end."""
    return {"plan": plan, "until": until}


@move("close", "close")
def close(
    reason: Annotated[CaseClosureReason, typer.Option(help="Why.")],
    text: Annotated[str | None, typer.Option(help="In words.")] = None,
) -> Body:
    """Close the case; every party is told. Not possible while a transfer or an immediate referral of it is open."""
    return {"reason": reason, "text": text}


@move("reopen", "reopen")
def reopen(
    reason: Annotated[str, typer.Option(help="Why.")],
    basis: Annotated[
        Path, typer.Option(help="JSON: the basis or bases on which it is worked on again; - for standard input.")
    ],
) -> Body:
    """Open a closed case again, as its last lead, on a basis of its own."""
    return {"reason": reason, "bases": bases_in(basis)}


@move("correct-death", "correct_death")
def correct_death(reason: Annotated[str, typer.Option(help="How the mistake came about.")]) -> Body:
    """Take back a death that was recorded by mistake: every clock of the case runs again, every party is told."""
    return {"reason": reason}


# what another agency recorded


@officer_command(app, "dispute", panel=PANEL)
def dispute(
    session: Session,
    reference: Reference,
    reason: Annotated[str, typer.Option(help="Why, in a line; the other party and the recorder read it.")],
    which: Annotated[
        str | None,
        typer.Option("--move", metavar="ID", help="Which move, if another agency recorded several for yours."),
    ] = None,
    occurred_at: OccurredAt = None,
    channel: Channel = None,
    key: Key = None,
) -> None:
    """Dispute what another agency recorded for yours. It stands, marked as disputed, and all concerned are told."""
    found, document = find(session, reference, PASSED)
    document = document or session.get(found.path)
    body = {"reason": reason, "occurred_at": occurred_at, "channel": channel}
    path = f"moves/{which or _recorded_for_us(session, document)}/dispute"
    answer = submit(session, found, path, body, key=key, if_match=None)
    session.show_moved(answer)


@officer_command(app, "confirm-move", panel=PANEL)
def confirm_move(
    session: Session,
    reference: Reference,
    which: Annotated[
        str | None,
        typer.Option("--move", metavar="ID", help="Which move, if several of yours are disputed."),
    ] = None,
    occurred_at: OccurredAt = None,
    channel: Channel = None,
    key: Key = None,
) -> None:
    """Say that a move of yours, disputed because a system was stolen, was your own: through another system than that one."""
    found, document = find(session, reference, PASSED)
    document = document or session.get(found.path)
    body = {"occurred_at": occurred_at, "channel": channel}
    answer = submit(
        session, found, f"moves/{which or _in_doubt(session, document)}/confirm", body, key=key, if_match=None
    )
    session.show_moved(answer)


def _in_doubt(session: Session, document: Body) -> str:
    """Return the id of the caller's one move that is disputed because of a breach."""
    own = session.get("/v1/me")["agency"]["code"]
    moves = [
        each
        for each in document["history"]
        if each["by"] and each["by"]["code"] == own and each["disputed_ground"] == "breach" and not each["confirmed_at"]
    ]
    if not moves:
        raise Failure("no move of yours in it is disputed because of a breach", "See `rujukan show`.")
    if len(moves) > 1:
        listed = [f"--move {each['id']}  {plain(each['event'])}, {shown_moment(each['occurred_at'])}" for each in moves]
        raise Failure("several moves of yours are disputed", "\n  ".join(["Name one:", *listed]))
    return str(moves[0]["id"])


def _recorded_for_us(session: Session, document: Body) -> str:
    """Return the id of the one move that another agency recorded for the caller's."""
    own = session.get("/v1/me")["agency"]["code"]
    moves = [
        each
        for each in document["history"]
        if each["recorded_by"] and each["by"] and each["by"]["code"] == own and not each["disputed_at"]
    ]
    if not moves:
        raise Failure("nothing of it was recorded by another agency for yours", "See `rujukan show`.")
    if len(moves) > 1:
        listed = [f"--move {each['id']}  {plain(each['event'])}, {shown_moment(each['occurred_at'])}" for each in moves]
        raise Failure("several moves were recorded by another agency for yours", "\n  ".join(["Name one:", *listed]))
    return str(moves[0]["id"])

"""`inbox` and `show`: what waits for the agency, and what a referral, a transfer or a case says."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer
from pydantic import BaseModel
from rich.text import Text

from app.cli.common import say, show_table
from app.cli.officer.finding import PASSED, Found, find
from app.cli.officer.refusals import possible
from app.cli.officer.session import Session, Subject, officer_command
from app.cli.officer.sheet import Sheet, title_of
from app.cli.officer.words import (
    TASKS,
    Language,
    coded,
    commands_of,
    distance,
    labelled,
    moment,
    plain,
    short_moment,
    shown_moment,
)
from schemas.exchange.case import Closure, Plan, VictimStatus
from schemas.exchange.consent import Consent
from schemas.exchange.inbox import Waiting
from schemas.exchange.referral import Acceptance, Ending, Handover, Manifest, PriorAgreement, ServiceRecorded
from schemas.record.preview import Preview
from schemas.record.record import SECTION_MODELS

app = typer.Typer()
PANEL: Final = "Reading, for an agency's officer"
Document = dict[str, Any]
_ELSEWHERE: Final = {
    "escalation": "take",
    "request": "answer-request",
    "answer_subject_request": "answer-subject-request",
    "see_to_incident": "add-to-incident, close-incident",
    "confirm_link": "confirm-link, refuse-link",
    "agree_reassignment": "agree-to-lead, decline-to-lead",
    "read_notes": "notes --mark",
}
"""By what command a task is done that is no move of a referral or transfer."""
_PARTS: Final[dict[str, type[BaseModel]]] = {
    "prior_agreement": PriorAgreement,
    "handover": Handover,
    "acceptance": Acceptance,
    "ending": Ending,
}
"""What the parties said about it, each under a heading of its own."""


@officer_command(app, "inbox", panel=PANEL)
def inbox(
    session: Session,
    kind: Annotated[
        list[Waiting] | None, typer.Option(help="Only this kind; repeat it for several.", show_default=False)
    ] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what is past its deadline.")] = False,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=200)] = 50,
) -> None:
    """List what waits for your agency, soonest deadline first, with the commands that do it."""
    asked = {"kind": [each.value for each in kind or ()], "overdue": "true" if overdue else None, "limit": limit}
    page = session.get("/v1/inbox", **asked)
    session.show(page, lambda: _show_inbox(session, page))


def _show_inbox(session: Session, page: Document) -> None:
    say(f"Waiting: {_counted(session.get('/v1/inbox/counts')['counts']) or 'nothing'}.")
    if not page["items"]:
        return
    say("")
    show_table(
        ("what", "reference", "urgency", "with", "deadline", "next"),
        [_inbox_row(session, item) for item in page["items"]],
        empty="",
    )
    if page["next"]:
        say("\nThere is more: --limit, --kind, --overdue.")


def _counted(counts: Document) -> str:
    return "; ".join(
        f"{count['waiting']} {TASKS.get(kind, plain(kind))}"
        + (f" ({count['overdue']} overdue)" if count["overdue"] else "")
        for kind, count in counts.items()
        if count["waiting"]
    )


def _inbox_row(session: Session, item: Document) -> tuple[Any, ...]:
    due, now = moment(item["deadline"]), session.clock.now()
    late = item["clock"] in ("overdue", "escalated") or (due is not None and due <= now)
    deadline = f"{short_moment(item['deadline'], now)}, {distance(due, now)}" if due is not None else "–"
    if item["clock"] == "escalated":
        deadline += ", escalated"
    return (
        TASKS.get(item["kind"], plain(item["kind"])),
        Text(item["reference"] or item["id"], "bold"),
        labelled("urgency", item["urgency"], session.lang) if item["urgency"] else "–",
        item["other"]["name"] if item["other"] else "–",
        Text(deadline, "bold red" if late else ""),
        ", ".join(commands_of(item["moves"])) if item["subject"] in PASSED else _ELSEWHERE.get(item["kind"], ""),
    )


@officer_command(app, "show", panel=PANEL)
def show(
    session: Session,
    reference: Subject,
) -> None:
    """Show a referral, a transfer or a case as your agency may read it now. That it was read is logged."""
    found, document = find(session, reference)
    document = document or session.get(found.path)
    if found.kind == "case":
        whole = _case_with_all_that_is_of_it(session, found, document)
        session.show(whole, lambda: _show_case(session, whole))
    else:
        session.show(document, lambda: _show_passed(session, found, document))


def _case_with_all_that_is_of_it(session: Session, found: Found, case: Document) -> Document:
    leads = bool(case["leads"]) and case["leads"][-1]["until"] is None
    roles = ("lead",) if leads else ("receiver", "sender")
    passed = {
        kind: [
            item
            for role in (roles if kind == "referrals" else ("receiver", "sender"))
            for item in session.get(f"/v1/{kind}", role=role, case_id=found.id, limit=200)["items"]
        ]
        for kind in ("referrals", "transfers")
    }
    return {"case": case, **passed, "consents": session.get(f"{found.path}/consents")["items"]}


def _show_case(session: Session, whole: Document) -> None:
    sheet, case = Sheet(session.lang), whole["case"]
    sheet.line(f"{case['reference']}  case, {plain(case['state'])}, version {case['version']}", style="bold")
    sheet.fact("Lead", f"{case['lead']['name']} [{case['lead']['code']}]")
    sheet.fact("Opened", shown_moment(case["opened_at"]))
    for each in case["leads"]:
        until = f"until {shown_moment(each['until'])}" if each["until"] else "until now"
        sheet.fact("Led by", f"{each['agency']['name']}, {shown_moment(each['since'])} {until}")
    for kind in ("referrals", "transfers"):
        if whole[kind]:
            sheet.heading(title_of(kind))
            for each in whole[kind]:
                sheet.line(
                    f"{each['reference']}  {each['sender']['name']} → {each['receiver']['name']}, "
                    f"{labelled('purpose', each['purpose'], session.lang)}, {plain(each['state'])}",
                    depth=1,
                )
    if whole["consents"]:
        sheet.heading("Consents")
        for each in whole["consents"]:
            _show_apart(sheet, Consent, each, "recorded_by")
            sheet.fact("Recorded by", each["recorded_by"]["name"])
    for name, model in (("plan", Plan), ("closure", Closure)):
        if case[name] is not None:
            sheet.heading(title_of(name))
            sheet.document(model, case[name])
    if case["guardian_barred"]:
        sheet.heading("The guardian is barred", "can neither give nor withdraw consent, and is told nothing")
    for each in case["victim_status"]:
        sheet.heading("Status as a victim", f"by {each['by']['name']}, {shown_moment(each['recorded_at'])}")
        _show_apart(sheet, VictimStatus, each, "id", "by", "recorded_at")
    if case["links"]:
        sheet.heading("Linked cases")
        for each in case["links"]:
            sheet.line(_link(each, session.lang), depth=1)
    if case["history"]:
        sheet.heading("History")
        for each in case["history"]:
            for depth, text in _history(each, session.lang):
                sheet.line(text, depth=1 + depth)
    _show_what_next(sheet, case)


def _show_apart(sheet: Sheet, model: type[BaseModel], value: Document, *apart: str) -> None:
    sheet.document(model, {name: part for name, part in value.items() if name not in apart})


def _link(each: Document, lang: Language) -> str:
    lead = f"led by {each['other_lead']['name']}" if each["other_lead"] else "its lead is not told to you"
    said = f": {each['text']}" if each["text"] else ""
    return f"{coded('case_link', each['kind'], lang)}, {plain(each['state'])}, {lead}{said} (link {each['id']})"


def _show_passed(session: Session, found: Found, document: Document) -> None:
    sheet, lang = Sheet(session.lang), session.lang
    sheet.line(
        f"{document['reference']}  {found.kind}, {plain(document['state'])}, version {document['version']}",
        style="bold",
    )
    _show_envelope(sheet, session, document)
    if document["preview"] is not None:
        whose = (
            "what the receiver sees until it accepts"
            if document["record"]
            else "all there is to see until it is accepted"
        )
        sheet.heading("Preview", whose)
        sheet.document(Preview, document["preview"])
    for name, model in SECTION_MODELS.items():
        section = (document["record"] or {}).get(name)
        if section is not None:
            sheet.heading(labelled("section", name, lang))
            sheet.document(model, section)
    if sealed := (document["record"] or {}).get("sealed"):
        sheet.heading("Sealed", "only the receiver can read it: save the answer with --json and use `rujukan open`")
        sheet.line(", ".join(labelled("section", name, lang) for name in sealed), depth=1)
    if document["withheld"]:
        sheet.heading("Withheld", "sent, and not open to you now")
        sheet.line(", ".join(labelled("section", name, lang) for name in document["withheld"]), depth=1)
    if document["disclosures"]:
        sheet.heading("What it rests on")
        for each in document["disclosures"]:
            sheet.line(_disclosure(each, lang), depth=1)
    if found.kind == "transfer":
        sheet.heading("What comes with the case", f"digest {document['manifest_digest']}")
        sheet.document(Manifest, {name: value for name, value in document["manifest"].items() if name != "salt"})
    for name, model in _PARTS.items():
        if any((document.get(name) or {}).values()):
            sheet.heading(title_of(name))
            sheet.document(model, {part: value for part, value in document[name].items() if part != "salt"})
    if document.get("services"):
        sheet.heading("Services")
        for each in document["services"]:
            sheet.document(ServiceRecorded, each)
    sheet.heading("History")
    for each in document["history"]:
        for depth, text in _history(each, lang):
            sheet.line(text, depth=1 + depth)
    _show_what_next(sheet, document)


def _show_envelope(sheet: Sheet, session: Session, document: Document) -> None:
    lang = session.lang
    for name in ("sender", "receiver"):
        agency = document[name]
        kind = labelled("agency_kind", agency["kind"], lang)
        sheet.fact(title_of(name), f"{agency['name']} [{agency['code']}], {kind}")
    sheet.fact("Purpose", coded("purpose", document["purpose"], lang))
    sheet.fact("Urgency", coded("urgency", document["urgency"], lang))
    sheet.fact("Sent", shown_moment(document["sent_at"]))
    if (due := moment(document["deadline"])) is not None:
        escalated = ", escalated" if document["clock"] == "escalated" else ""
        sheet.fact("Deadline", f"{shown_moment(document['deadline'])}, {distance(due, session.clock.now())}{escalated}")
    for name in ("accepted_at", "started_at", "ended_at", "review_at", "error_reported_at"):
        if document.get(name):
            sheet.fact(title_of(name.removesuffix("_at")), shown_moment(document[name]))
    if document.get("paper"):
        due_at = document.get("paper_due_at")
        paper = coded("handover_paper", document["paper"], lang)
        sheet.fact("Paper (BAST)", f"{paper}, due {shown_moment(due_at)}" if due_at else paper)
    sheet.fact("Case", document["case_id"])
    sheet.fact("Id", document["id"])


def _disclosure(each: Document, lang: Language) -> str:
    parts = [
        coded("disclosure_basis", each["basis"], lang),
        coded("legal_basis", each["legal_basis"], lang) if each["legal_basis"] else "",
        each["article"] or "",
        f"until {shown_moment(each['until'])}" if each["until"] else "",
        "may be sent on" if each["onward"] else "",
    ]
    sections = ", ".join(labelled("section", name, lang) for name in each["sections"])
    why = f"; {coded('lock_reason', each['locked_because'], lang)}" if each["locked_because"] else ""
    return f"{each['access']}: {sections}; on {', '.join(part for part in parts if part)}{why}"


def _history(each: Document, lang: Language) -> list[tuple[int, str]]:
    by = each["by"]["name"] if each["by"] else "the exchange"
    recorded = f", recorded by {each['recorded_by']['name']}" if each["recorded_by"] else ""
    channel = "" if each["channel"] == "system" else f", {labelled('move_channel', each['channel'], lang)}"
    to = f" → {plain(each['to_state'])}" if each["to_state"] != each["from_state"] else ""
    disputed = ", confirmed" if each["confirmed_at"] else ", DISPUTED" if each["disputed_at"] else ""
    lines = [(0, f"{shown_moment(each['occurred_at'])}  {plain(each['event'])}{to}, {by}{recorded}{channel}{disputed}")]
    if each["text"]:
        section = f"[{labelled('section', each['section'], lang)}] " if each["section"] else ""
        lines.append((1, f"{section}{each['text']}"))
    return lines


def _show_what_next(sheet: Sheet, document: Document) -> None:
    sheet.heading(possible(document["moves"]))

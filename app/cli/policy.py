"""`policy`: what the tables say, and what they say of one case, referral or transfer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.cli.common import Json, say, show_json, show_table
from app.cli.failures import Failure
from app.cli.officer.bases import bases_in
from app.cli.officer.finding import Found, find, id_in
from app.cli.officer.session import Session, officer_command
from app.cli.officer.words import Language, coded, labelled, shown_moment
from app.cli.policy_page import BACK, policy_page
from app.foundation.ids import read_reference
from app.policy import table as policy
from schemas.codes.agencies import AgencyKind
from schemas.codes.disclosure import DisclosureBasis, Section
from schemas.codes.referral import Purpose

app = typer.Typer(help="What may be disclosed to whom, for what, and on what.", no_args_is_help=True)
PANEL: Final = "For an agency's officer"
Document = dict[str, Any]

WHY: Final[dict[str, str]] = {
    "no_basis": "no basis is given for it",
    "two_bases": "two bases are given for it",
    "not_included": "a basis is given for it, and it is not included",
    "purpose": "the purpose does not need it (policy, table 1)",
    "agency_kind": "this kind of agency may not hold it (policy, table 2)",
    "consent_only": "this kind of agency receives on the person's own consent alone",
    "basis_does_not_open": "this basis cannot open it (policy, table 3)",
    "basis_ended": "its basis has run out",
    "abroad": "a vital interest opens nothing abroad",
    "agreement": "no data-sharing agreement in force covers it",
    "consent": "the consent does not cover it for this receiver and purpose, or is over",
    "consent_doubted": "the consent is in doubt: ask the person again first",
    "consent_not_provable": "the consent was only spoken, or heard by nobody but an interpreter who is not independent",
    "consent_without_assent": "the child does not agree",
    "consent_not_for_child": "the record says it is a child, the consent does not",
    "consent_not_own": "this kind of agency receives on the person's own consent alone",
    "legal_basis_unknown": "there is no such law in the list",
    "legal_basis_not_in_force": "the law is not in force today",
    "article_does_not_ground": "the article speaks of something else",
    "not_a_child": "the record says that the person is an adult",
    "court_order_in_the_future": "the court's order is dated in the future",
    "court_order_expired": "the court's order has run out",
    "court_order_for_another": "the court's order binds neither sender nor receiver",
    "court_order_scope": "the court's order does not name it",
    "not_accepted": "opens when the receiver accepts",
    "consent_withdrawn": "the person took the consent back",
    "consent_narrowed": "the consent covers it no longer",
    "not_justified": "the reviewing agency found no ground for it",
    "review_lapsed": "the vital interest was put on no other basis in time",
    "transfer_aborted": "the handover was called off",
    "restricted": "the person asked that processing be restricted",
    "erasure_asked": "the person asked for erasure",
    "retracted": "the record was another person's",
    "entered_in_error": "it should never have been sent",
    "ended_unaccepted": "it ended unaccepted, or a newer version took its place",
    "not_a_party": "it is between the sender and the receiver",
}
"""Why a section does not go or is not open, in words."""
ACCESS: Final = {
    "full": "open",
    "preview": "preview",
    "locked": "LOCKED",
    "ended": "ended",
    "closed": "closed",
    "withheld": "–",
}


@app.command("table")
def show_tables(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/policy.md instead.")] = False,
    lang: Annotated[Language, typer.Option(help="Language of the labels.")] = Language.en,
    as_json: Json = False,
) -> None:
    """Print the tables of the policy: forward by purpose, kind and basis, and what flows back to the sender."""
    if markdown:
        typer.echo(policy_page(), nl=False)
        return
    forward: dict[str, Mapping[Any, frozenset[str]]] = {
        "purpose": policy.PURPOSES,
        "agency_kind": policy.KINDS,
        "disclosure_basis": policy.BASES,
    }
    if as_json:
        show_json(
            {
                **{
                    name: {str(code): [each for each in Section if each in sections] for code, sections in rows.items()}
                    for name, rows in forward.items()
                },
                "back": {kind: [each for each in policy.Back if each in policy.BACK[kind]] for kind in AgencyKind},
                "back_moves": policy.BACK_MOVES,
            }
        )
        return
    for name, rows in forward.items():
        say(f"{name.replace('_', ' ').capitalize()}: the sections it lets go")
        show_table(
            (name, "", "sections"),
            [
                (str(code), labelled(name, str(code), lang), ", ".join(each for each in Section if each in sections))
                for code, sections in rows.items()
            ],
            empty="",
        )
        say("")
    say("Back to the sender, by its kind")
    show_table(
        ("agency_kind", "", "learns"),
        [
            (
                str(kind),
                labelled("agency_kind", kind, lang),
                ", ".join(each for each in policy.Back if each in policy.BACK[kind]),
            )
            for kind in AgencyKind
        ],
        empty="",
    )


@officer_command(app, "explain", panel=PANEL)
def explain(
    session: Session,
    case: Annotated[
        str | None,
        typer.Option(metavar="REFERENCE", help="A case, to ask what of it could go to --agency.", show_default=False),
    ] = None,
    receiver: Annotated[
        str | None, typer.Option("--to", metavar="CODE", help="The receiving agency.", show_default=False)
    ] = None,
    receiver_kind: Annotated[
        AgencyKind | None, typer.Option("--to-kind", help="Or a kind of agency.", show_default=False)
    ] = None,
    purpose: Annotated[Purpose, typer.Option(help="For what it would be sent.")] = Purpose.SOCIAL_REHABILITATION,
    section: Annotated[
        list[Section] | None, typer.Option(help="Only this section; repeat it for several.", show_default=False)
    ] = None,
    basis: Annotated[
        DisclosureBasis | None,
        typer.Option(
            "--on", help="On what all of it would rest. Unset: on the consents of the case.", show_default=False
        ),
    ] = None,
    bases: Annotated[
        Path | None,
        typer.Option(help="Or a JSON file with the bases, as for sending; - for standard input.", show_default=False),
    ] = None,
    referral: Annotated[
        str | None, typer.Option(metavar="REFERENCE", help="A referral: what it discloses now.", show_default=False)
    ] = None,
    transfer: Annotated[
        str | None, typer.Option(metavar="REFERENCE", help="A transfer: what it discloses now.", show_default=False)
    ] = None,
) -> None:
    """Explain, section by section, what could go to an agency, or what a referral or transfer discloses; by which rule, on what, until when.

    Nothing is sent and nothing of a record is opened. That it was asked is logged.
    """
    asked = [name for name, value in (("referral", referral), ("transfer", transfer)) if value]
    if len(asked) + (case is not None or receiver is not None or receiver_kind is not None) != 1:
        raise Failure("this explains one thing", "Give --referral, or --transfer, or --case with --to (or --to-kind).")
    if asked:
        found = _found(session, referral or transfer or "", asked[0])
        view = session.get(f"{found.path}/disclosure")
        session.show(view, lambda: _show_view(session, view))
        return
    if (receiver is None) == (receiver_kind is None):
        raise Failure("nobody is named who would receive it", "Give --to CODE, or --to-kind KIND.")
    case_id = _found(session, case, "case").id if case is not None else None
    sections = [each.value for each in section or Section]
    body = {
        "case_id": case_id,
        "receiver": receiver,
        "receiver_kind": receiver_kind,
        "purpose": purpose.value,
        "sections": sections,
        "bases": _bases(session, case_id, sections, basis, bases),
    }
    answer = session.post("/v1/disclosures/preview", body, key=None)
    session.show(answer, lambda: _show_preview(session, answer))


def _found(session: Session, text: str, kind: str) -> Found:
    """Return what is named, without reading it."""
    if read_reference(text) is None:
        return Found(kind, id_in(text), None)
    return find(session, text, (kind,))[0]


def _bases(
    session: Session, case_id: str | None, sections: list[str], kind: DisclosureBasis | None, file: Path | None
) -> list[Document]:
    """Return what it would rest on: as the file says, or one kind for all, or each section on a consent of the case that names it."""
    if file is not None:
        known = ("kind", "sections", "until", "consent_id")
        return [{name: each[name] for name in known if name in each} for each in bases_in(file)]
    if kind is DisclosureBasis.CONSENT or (kind is None and case_id is not None):
        if case_id is None:
            raise Failure("a consent is of a case", "Give --case, or another basis with --on.")
        consents = [each for each in session.get(f"/v1/cases/{case_id}/consents")["items"] if not each["withdrawn_at"]]
        resting: dict[str, list[str]] = {}
        for name in sections:
            newest = next((each["id"] for each in reversed(consents) if name in each["sections"]), None)
            if newest is not None:
                resting.setdefault(newest, []).append(name)
        return [{"kind": "consent", "consent_id": id, "sections": names} for id, names in resting.items()]
    return [{"kind": kind.value, "sections": sections}] if kind is not None else []


def _show_view(session: Session, view: Document) -> None:
    lang = session.lang
    say(
        f"{view['reference']}: {view['sender']['name']} → {view['receiver']['name']}, {coded('purpose', view['purpose'], lang)}"
    )
    say(f"You are its {view['role']}." + (" It crosses the border." if view["crosses_border"] else ""))
    show_table(
        ("section", "", "open", "rests on", "until", "why not"),
        [
            (
                each["section"],
                labelled("section", each["section"], lang),
                ACCESS.get(each["access"], each["access"]),
                _rests(each, lang),
                shown_moment(each["until"]) if each["until"] else "",
                WHY.get(each["withheld_by"], each["withheld_by"]) if each["withheld_by"] else "",
            )
            for each in view["sections"]
        ],
        empty="",
    )
    for each in view["words"]:
        say(
            f"Words on {labelled('section', each['section'], lang)}: {ACCESS.get(each['access'], each['access'])}, {_rests(each, lang)}"
        )
    _show_back(view["back"])


def _show_preview(session: Session, answer: Document) -> None:
    lang = session.lang
    to = answer["receiver"]["name"] if answer["receiver"] else "any agency of this kind"
    say(
        f"To {to} ({labelled('agency_kind', answer['receiver_kind'], lang)}), {coded('purpose', answer['purpose'], lang)}:"
    )
    show_table(
        ("section", "", "may go", "purpose", "kind", "agreement", "rests on", "until", "why not"),
        [
            (
                each["section"],
                labelled("section", each["section"], lang),
                "yes" if each["sendable"] else "NO",
                *("yes" if allowed else "no" for allowed in (each["purpose_allows"], each["kind_allows"])),
                {None: "none needed", True: "yes", False: "no"}[each["agreement_allows"]],
                _rests(each, lang),
                shown_moment(each["until"]) if each["until"] else "",
                WHY.get(each["reason"], each["reason"]) if each["reason"] else "",
            )
            for each in answer["sections"]
        ],
        empty="",
    )
    if answer["crosses_border"]:
        say("It crosses the border: an agreement in force must cover every section.")
    for each in answer["agreements"]:
        until = f" until {shown_moment(each['until'])}" if each["until"] else ""
        say(
            f"Agreement since {shown_moment(each['since'])}{until}: {', '.join(each['sections'])} for {', '.join(each['purposes'])}."
        )
    if answer["allowed"]:
        say("All of it may go.")
    else:
        say(
            f"Sent like this, all of it would be refused. These may go: {', '.join(answer['sendable_sections']) or 'none'}."
        )
    _show_back(answer["back"])


def _rests(each: Document, lang: Language) -> str:
    if each["basis"] is None:
        return ""
    parts = [coded("disclosure_basis", each["basis"], lang), each["consent_id"] or "", each.get("article") or ""]
    return ", ".join(part for part in parts if part)


def _show_back(back: list[str]) -> None:
    known = {each.value: text for each, text in BACK.items()}
    say(f"Back to the sender: {'; '.join(known.get(each, each) for each in back)}.")

"""`refer`, `transfer`, `amend`, `reroute`: what sends a record."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.cli.common import read_object, say, show_json, show_table
from app.cli.failures import Failure
from app.cli.officer.bases import RESTS, Article, BasisFile, LegalBasis, again, bases_in
from app.cli.officer.finding import PASSED, envelope_of, find, standing
from app.cli.officer.moves import submit
from app.cli.officer.refusals import Refused
from app.cli.officer.session import Channel, Key, OccurredAt, Reference, Session, officer_command
from app.cli.officer.words import coded, labelled, plain
from schemas.codes.referral import MoveChannel

app = typer.Typer()
PANEL: Final = "Sending, for an agency's officer"

File = Annotated[Path, typer.Argument(help="JSON, as the API takes it; - for standard input.")]


@officer_command(app, "refer", panel=PANEL)
def refer(
    session: Session, file: File, occurred_at: OccurredAt = None, channel: Channel = None, key: Key = None
) -> None:
    """Refer a person to another agency, from a file that holds the record and what its disclosure rests on."""
    _send(session, "referral", read_object(file, "a referral"), occurred_at, channel, key)


@officer_command(app, "transfer", panel=PANEL)
def transfer(
    session: Session, file: File, occurred_at: OccurredAt = None, channel: Channel = None, key: Key = None
) -> None:
    """Offer to hand over the responsibility for a case, from a file like that of a referral."""
    _send(session, "transfer", read_object(file, "a transfer"), occurred_at, channel, key)


def _send(
    session: Session,
    kind: str,
    body: dict[str, Any],
    occurred_at: datetime | None,
    channel: MoveChannel | None,
    key: str | None,
) -> None:
    how = {name: value for name, value in (("occurred_at", occurred_at), ("channel", channel)) if value is not None}
    session.show_moved(session.post(f"/v1/{kind}s", {**body, **how}, key=key))


@officer_command(app, "amend", panel=PANEL)
def amend(
    session: Session,
    reference: Reference,
    file: Annotated[Path, typer.Argument(help='JSON: {"record": …, "bases": […]}; - for standard input.')],
    occurred_at: OccurredAt = None,
    channel: Channel = None,
    key: Key = None,
) -> None:
    """Replace the record you sent by a new version, with its bases; the earlier one closes."""
    body = read_object(file, "a record and its bases")
    found, document = find(session, reference, PASSED)
    document = document or envelope_of(session, found)
    say(f"{standing(document)}: amend.", err=True)
    more = {"occurred_at": occurred_at, "channel": channel}
    answer = submit(session, found, "amend", {**body, **more}, key=key, if_match=document["version"])
    session.show_moved(answer)


@officer_command(app, "reroute", panel=PANEL)
def reroute(
    session: Session,
    reference: Reference,
    to: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="The agency to send it to. Unset: list whom the receiver suggested."),
    ] = None,
    basis: BasisFile = None,
    legal_basis: LegalBasis = None,
    article: Article = None,
    reason: Annotated[
        str | None,
        typer.Option(
            help="Why it may be sent without consent, written anew; not needed where all rested on consent.",
            rich_help_panel=RESTS,
        ),
    ] = None,
    occurred_at: OccurredAt = None,
    channel: Channel = None,
    key: Key = None,
) -> None:
    """Send what was declined, or not answered, to another agency: same record, purpose and urgency, nothing typed twice."""
    found, document = find(session, reference, PASSED)
    document = document or session.get(found.path)
    if document["ended_at"] is None:
        raise Failure(
            f"{document['reference']} is {plain(document['state'])}: it has not ended",
            "Recall it first, or wait for the answer.",
        )
    if to is None:
        _show_suggestions(session, document)
        return
    bases = (
        bases_in(basis)
        if basis is not None
        else again(document["disclosures"], legal_basis=legal_basis, article=article, reason=reason)
    )
    say(f"{standing(document)}: send it to {to}.", err=True)
    body = {
        "case_id": document["case_id"],
        "receiver": to,
        "purpose": document["purpose"],
        "urgency": document["urgency"],
        "record_version": document["record_version"],
        "replaces": document["id"],
        "bases": bases,
    }
    _send(session, found.kind, body, occurred_at, channel, key)


def _show_suggestions(session: Session, document: dict[str, Any]) -> None:
    codes = (document["ending"] or {}).get("suggested_receivers", [])
    agencies = [agency for code in codes if (agency := _agency(session, code)) is not None]
    if session.as_json:
        show_json(agencies)
        return
    if not agencies:
        say("The receiver suggested nobody. Choose one with --to: `rujukan api GET /v1/agencies` lists all.")
        return
    show_table(
        ("code", "name", "kind", "region", "places", "accepts", "does not accept"),
        [_agency_row(session, agency) for agency in agencies],
        empty="",
    )
    say(f"\nSend it to one of them: rujukan reroute {document['reference']} --to CODE --reason …")


def _agency(session: Session, code: str) -> dict[str, Any] | None:
    try:
        return dict(session.get(f"/v1/agencies/{code}"))
    except Refused as refused:
        if refused.status != 404:
            raise
        return None


def _agency_row(session: Session, agency: dict[str, Any]) -> tuple[Any, ...]:
    groups: dict[str, list[str]] = {"yes": [], "no": []}
    for group, answer in (agency["accepts"] or {}).items():
        groups.setdefault(str(answer), []).append(labelled("agency_group", group, session.lang))
    return (
        agency["code"],
        agency["name"],
        coded("agency_kind", agency["kind"], session.lang),
        agency["region"] or agency["country"],
        agency["capacity"],
        groups["yes"],
        groups["no"],
    )

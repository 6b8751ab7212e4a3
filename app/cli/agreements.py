"""`agreements`: what agencies have agreed with each other, as far as the exchange must know it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer
from pydantic import TypeAdapter, ValidationError

from app.cli.administering import administer
from app.cli.clients import parse_duration
from app.cli.common import Actor, Json, load_settings, show_json, show_table
from app.cli.failures import Failure
from app.foundation.settings import Settings
from auth.admin import agreements
from auth.admin.agreeing import ask_for_agreement
from auth.admin.agreements import NewAgreement
from auth.admin.approvals import Approval
from schemas.base import Moment

app = typer.Typer(
    help="Say who may send whom what, who records for whom, and whose deadlines are other ones.", no_args_is_help=True
)

Reference = Annotated[str, typer.Option(help="The agreement's number.")]
From = Annotated[str | None, typer.Option("--from", help="When it begins, as RFC 3339; unset: now.")]
Until = Annotated[str | None, typer.Option(help="When it ends, as RFC 3339; unset: when it is ended.")]
_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


@app.command("add-acts-for")
def add_acts_for(
    agency: Annotated[str, typer.Argument(help="Code of the agency that has no system of its own.")],
    by: Annotated[str, typer.Option(help="Code of the agency that records for it.")],
    reference: Reference,
    from_: From = None,
    until: Until = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Let one agency record what another does: shown as recorded by it, open to dispute."""
    wanted = agreements.acts_for(
        agency=agency, by=by, reference=reference, from_at=moment(from_), until_at=moment(until)
    )
    _add(wanted, f"{by} may record for {agency}", actor, as_json=as_json)


@app.command("add-times")
def add_times(
    agency: Annotated[str, typer.Argument(help="Code of the agency.")],
    times: Annotated[
        list[str], typer.Argument(help="Each as setting=duration, such as respond_within_urgent=12h.", metavar="TIME…")
    ],
    reference: Reference,
    from_: From = None,
    until: Until = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Give an agency deadlines of its own, for what is referred to it."""
    given = parse_times(times)
    wanted = agreements.own_times(
        agency=agency, times=given, reference=reference, from_at=moment(from_), until_at=moment(until)
    )
    _add(wanted, f"{agency} has {len(given)} times of its own", actor, as_json=as_json)


@app.command("add-data-sharing")
def add_data_sharing(
    agency: Annotated[str, typer.Argument(help="Code of the agency that sends.")],
    to: Annotated[str, typer.Option(help="Code of the agency that receives.")],
    purposes: Annotated[
        list[str],
        typer.Option("--purpose", help="For what, as a code of `purpose`; once for each. A wrong one lists all."),
    ],
    sections: Annotated[
        list[str], typer.Option("--section", help="Which part of the record; once for each. A wrong one lists all.")
    ],
    basis: Annotated[str, typer.Option(help="The law or treaty it rests on.")],
    reference: Reference,
    both_ways: Annotated[bool, typer.Option("--both-ways", help="The receiver may send the same back.")] = False,
    from_: From = None,
    until: Until = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Let one agency send another parts of the record: needed across the border; inside the country a bound."""
    wanted = agreements.data_sharing(
        agency=agency,
        other=to,
        purposes=purposes,
        sections=sections,
        basis=basis,
        reference=reference,
        both_ways=both_ways,
        from_at=moment(from_),
        until_at=moment(until),
    )
    arrow = "and the other way round" if both_ways else "and not the other way round"
    _add(wanted, f"{agency} may send {to} {len(sections)} sections, {arrow}", actor, as_json=as_json)


def _add(wanted: NewAgreement, what: str, actor: str | None, *, as_json: bool) -> None:
    id, asked = asyncio.run(_ask(load_settings(), wanted, actor))
    if as_json:
        show_json({"id": id, "approval": asked.id, "state": asked.state})
    elif asked.done:
        typer.echo(f"{what}; the agreement's id is {id}.")
    else:
        typer.echo(f"Asked: {what}. It waits for another person's yes (approval {asked.id}); its id will be {id}.")


async def _ask(settings: Settings, wanted: NewAgreement, actor: str | None) -> tuple[UUID, Approval]:
    async with administer(settings, actor, opens=True) as the:
        return await ask_for_agreement(
            the.conn, wanted, by=the.person, now=the.now, two_people=settings.needs_two_people
        )


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List all agreements, also those that have ended."""
    found = asyncio.run(_list(load_settings()))
    if as_json:
        show_json(
            [
                {name: getattr(each, name) for name in agreements.ListedAgreement.__dataclass_fields__}
                | {"times": {name: time.total_seconds() for name, time in each.times.items()}}
                for each in found
            ]
        )
        return
    show_table(
        ("id", "agency", "what", "reference", "from", "until"),
        [(each.id, each.agency, _what(each), each.reference, each.from_at, each.until_at) for each in found],
        empty="There is no agreement yet. Add one with `rujukan agreements add-data-sharing`, `add-acts-for` or `add-times`.",
    )


def _what(each: agreements.ListedAgreement) -> str:
    if each.kind == "data_sharing":
        arrow = "to and from" if each.both_ways else "to"
        return f"{arrow} {each.other}: {', '.join(each.sections)}; for {', '.join(each.purposes)}"
    if each.other is not None:
        return f"{each.other} records for it"
    return ", ".join(f"{name}={time}" for name, time in each.times.items())


async def _list(settings: Settings) -> list[agreements.ListedAgreement]:
    async with administer(settings) as the:
        return await agreements.list_agreements(the.conn)


@app.command()
def end(
    id: Annotated[UUID, typer.Argument(help="Its id; see `rujukan agreements list`.")], actor: Actor = None
) -> None:
    """End an agreement now."""
    asyncio.run(_end(load_settings(), id, actor))
    typer.echo("The agreement has ended.")


async def _end(settings: Settings, id: UUID, actor: str | None) -> None:
    async with administer(settings, actor) as the:
        await agreements.end_agreement(the.conn, id, now=the.now, actor=the.person.reference)


def parse_times(times: list[str]) -> dict[str, timedelta]:
    """Return durations by setting, from `setting=duration`."""
    found: dict[str, timedelta] = {}
    for each in times:
        name, sign, duration = each.partition("=")
        if not sign or name in found:
            raise Failure("a time is setting=duration, each setting once", "Such as respond_within_urgent=12h.")
        found[name] = parse_duration(duration)
    return found


def moment(text: str | None) -> datetime | None:
    """Return the time a person wrote, or None for none."""
    if text is None:
        return None
    try:
        return _MOMENT.validate_python(text)
    except ValidationError:
        raise Failure("a time is written by RFC 3339, with an offset", "Such as 2026-12-01T08:00:00+07:00.") from None

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
from app.cli.common import Actor, Json, acting, load_settings, show_json, show_table
from app.cli.failures import Failure
from app.foundation.settings import Settings
from auth.admin import agreements
from schemas.base import Moment

app = typer.Typer(help="Say who records for whom, and whose deadlines are other ones.", no_args_is_help=True)

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
    id = asyncio.run(_add_acts_for(load_settings(), agency, by, reference, moment(from_), moment(until), acting(actor)))
    _show_added(id, f"{by} may record for {agency}", as_json=as_json)


async def _add_acts_for(
    settings: Settings, agency: str, by: str, reference: str, begins: datetime | None, ends: datetime | None, actor: str
) -> UUID:
    async with administer(settings) as the:
        return await agreements.add_acts_for(
            the.conn, agency=agency, by=by, reference=reference, from_at=begins, until_at=ends, now=the.now, actor=actor
        )


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
    id = asyncio.run(_add_times(load_settings(), agency, given, reference, moment(from_), moment(until), acting(actor)))
    _show_added(id, f"{agency} has {len(given)} times of its own", as_json=as_json)


async def _add_times(
    settings: Settings,
    agency: str,
    times: dict[str, timedelta],
    reference: str,
    begins: datetime | None,
    ends: datetime | None,
    actor: str,
) -> UUID:
    async with administer(settings) as the:
        return await agreements.add_times(
            the.conn,
            agency=agency,
            times=times,
            reference=reference,
            from_at=begins,
            until_at=ends,
            now=the.now,
            actor=actor,
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
        empty="There is no agreement yet. Add one with `rujukan agreements add-acts-for` or `add-times`.",
    )


def _what(each: agreements.ListedAgreement) -> str:
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
    asyncio.run(_end(load_settings(), id, acting(actor)))
    typer.echo("The agreement has ended.")


async def _end(settings: Settings, id: UUID, actor: str) -> None:
    async with administer(settings) as the:
        await agreements.end_agreement(the.conn, id, now=the.now, actor=actor)


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


def _show_added(id: UUID, what: str, *, as_json: bool) -> None:
    if as_json:
        show_json({"id": id})
    else:
        typer.echo(f"{what}; the agreement's id is {id}.")

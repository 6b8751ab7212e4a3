"""`service-points`: addresses inside an agency where services are given."""

from __future__ import annotations

import asyncio
from typing import Annotated

import asyncpg
import typer
from pydantic import TypeAdapter, ValidationError

from app.cli import queries
from app.cli.administering import administer
from app.cli.common import Actor, Json, faults_of, load_settings, show_json, show_table
from app.cli.failures import Failure
from app.foundation.settings import Settings
from auth.admin import errors
from auth.admin.agencies import add_service_point
from schemas.codes.services import Service
from schemas.text import RegionCode

app = typer.Typer(help="Add and list service points.", no_args_is_help=True)


@app.command()
def add(
    agency: Annotated[str, typer.Argument(help="Code of the agency it is part of.")],
    name: Annotated[str, typer.Option(help="Its name.")],
    confidential: Annotated[
        bool, typer.Option("--confidential", help="Nobody else learns of it; no address is kept.")
    ] = False,
    region: Annotated[str | None, typer.Option(help="Kemendagri code, such as 31.75.")] = None,
    address: Annotated[str | None, typer.Option(help="Its address; not with --confidential.")] = None,
    service: Annotated[list[str] | None, typer.Option(help="Code of a service given there; repeat for more.")] = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Add a service point to an agency."""
    services = list(dict.fromkeys(service or ()))
    if not set(services) <= set(Service):
        raise Failure("there is no such service", f"Services are: {', '.join(sorted(Service))}.")
    try:
        TypeAdapter(RegionCode | None).validate_python(region)
    except ValidationError as error:
        raise Failure(f"this is no region code: {faults_of(error)}", "Such as 31 or 31.75.") from None
    id = asyncio.run(
        _add(
            load_settings(),
            actor,
            agency=agency,
            name=name,
            confidential=confidential,
            region=region,
            address=address,
            services=services,
        )
    )
    if as_json:
        show_json({"id": id, "agency": agency})
    else:
        typer.echo(f"Added {name} to {agency}; its id is {id}.")


async def _add(
    settings: Settings,
    actor: str | None,
    *,
    agency: str,
    name: str,
    confidential: bool,
    region: str | None,
    address: str | None,
    services: list[str],
) -> str:
    async with administer(settings, actor) as the:
        id = await add_service_point(
            the.conn,
            agency=agency,
            name=name,
            confidential=confidential,
            region=region,
            address=address,
            services=services,
            now=the.now,
            actor=the.person.reference,
        )
    return str(id)


@app.command("list")
def list_(
    agency: Annotated[str | None, typer.Argument(help="Only those of this agency.")] = None, as_json: Json = False
) -> None:
    """List service points."""
    found = asyncio.run(_list(load_settings(), agency))
    if as_json:
        show_json([dict(point) for point in found])
        return
    show_table(
        ("id", "agency", "name", "confidential", "region", "address", "services"),
        [
            (
                point["id"],
                point["agency"],
                point["name"],
                "yes" if point["confidential"] else "no",
                point["region"],
                point["address"],
                point["services"],
            )
            for point in found
        ],
        empty="There is no service point yet. Add one with `rujukan service-points add`.",
    )


async def _list(settings: Settings, agency: str | None) -> list[asyncpg.Record]:
    async with administer(settings) as the:
        if agency is not None and not await queries.agency_is_there(the.conn, agency):
            raise errors.UnknownAgencyError(f"there is no agency {agency}")
        return await queries.service_points(the.conn, agency)

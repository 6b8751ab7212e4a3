"""`agencies`: who can hold a case or sign in."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ConfigDict, ValidationError

from app.cli.administering import administer
from app.cli.approving import Waiting, show_waiting, waiting
from app.cli.client_life import read_time
from app.cli.common import Actor, Json, faults_of, load_settings, read_json, say, show_json, show_table
from app.cli.failures import Failure
from app.exchange.agencies import queries as directory
from app.foundation.settings import Settings
from auth.admin import agency_life, errors
from auth.admin.agencies import (
    ListedAgency,
    add_agency,
    close_agency,
    list_agencies,
    suspend_agency,
)
from auth.admin.offboarding import Offboarding, offboarding, take_nobody
from auth.admin.queries import agency_id_of, log_act
from auth.admin.sealing_keys import end_sealing_key, list_sealing_keys
from schemas.base import Count
from schemas.codes.agencies import Accepts, AgencyGroup, AgencyKind
from schemas.exchange.directory import DutyContacts
from schemas.text import AgencyCode, CountryCode, RegionCode

app = typer.Typer(
    help="Add, list, suspend, resume and close agencies; say which one is the desk and which reviews, and whom to call.",
    no_args_is_help=True,
)


class Entry(BaseModel):
    """An agency as it is added, by hand or from a file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    code: AgencyCode
    name: str
    kind: AgencyKind
    country: CountryCode = "ID"
    region: RegionCode | None = None
    parent: AgencyCode | None = None
    residential: Accepts | None = None
    accepts: dict[AgencyGroup, Accepts] | None = None
    capacity: Count | None = None
    note: str | None = None
    sandbox: bool = False

    def values(self) -> dict[str, Any]:
        """Return what `auth.add_agency` takes."""
        return self.model_dump(mode="json")


class EntryFile(BaseModel):
    """A file of agencies."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    about: str | None = None
    agencies: list[Entry]


@app.command()
def add(
    code: Annotated[str, typer.Argument(help="Its code: small letters, digits and hyphens.")],
    name: Annotated[str, typer.Option(help="Its name, as people know it.")],
    kind: Annotated[str, typer.Option(help="What sort of institution it is; a wrong one lists all.")],
    region: Annotated[str | None, typer.Option(help="Kemendagri code, such as 31.75.")] = None,
    country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2.")] = "ID",
    parent: Annotated[str | None, typer.Option(help="Code of the agency it belongs to.")] = None,
    capacity: Annotated[int | None, typer.Option(help="How many people it can house.", min=0)] = None,
    note: Annotated[str | None, typer.Option(help="A remark for administrators.")] = None,
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox", help="A practice agency: for invented people, known to other practice agencies alone."
        ),
    ] = False,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Add an agency."""
    if kind not in set(AgencyKind):
        raise Failure("there is no such kind of agency", f"Kinds are: {', '.join(sorted(AgencyKind))}.")
    given = {
        "code": code,
        "name": name,
        "kind": kind,
        "region": region,
        "country": country,
        "parent": parent,
        "capacity": capacity,
        "note": note,
        "sandbox": sandbox,
    }
    try:
        entry = Entry.model_validate(given)
    except ValidationError as error:
        raise Failure(f"this is no agency: {faults_of(error)}") from None
    id = asyncio.run(_add(load_settings(), entry, actor))
    if as_json:
        show_json({"id": id, "code": entry.code})
    else:
        typer.echo(f"Added {entry.code}, {entry.name}.")


async def _add(settings: Settings, entry: Entry, actor: str | None) -> str:
    async with administer(settings, actor) as the:
        return str(await add_agency(the.conn, **entry.values(), now=the.now, actor=the.person.reference))


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help='JSON: {"agencies": [{"code", "name", "kind", …}]}; - for standard input.')
    ],
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Add the agencies of a file that are not there yet: all of them, or none if one is wrong."""
    try:
        entries = EntryFile.model_validate(read_json(file, "agencies")).agencies
    except ValidationError as error:
        raise Failure(f"{file} does not hold agencies: {faults_of(error)}") from None
    added, present = asyncio.run(_import(load_settings(), parents_first(entries), actor))
    if as_json:
        show_json({"added": added, "present": present})
    else:
        typer.echo(f"Added {len(added)}; {len(present)} of the file were there already and are unchanged.")


async def _import(settings: Settings, entries: list[Entry], actor: str | None) -> tuple[list[str], list[str]]:
    async with administer(settings, actor) as the, the.conn.transaction():
        before = {agency.code for agency in await list_agencies(the.conn)}
        fresh = [entry for entry in entries if entry.code not in before]
        for entry in fresh:
            await add_agency(the.conn, **entry.values(), now=the.now, actor=the.person.reference)
    return [entry.code for entry in fresh], [entry.code for entry in entries if entry.code in before]


def parents_first(entries: list[Entry]) -> list[Entry]:
    """Return the entries so that a parent comes before who belongs to it, otherwise as they are."""
    by_code = {entry.code: entry for entry in entries}
    if len(by_code) != len(entries):
        raise Failure("the file names an agency twice")
    ordered: dict[str, Entry] = {}
    for entry in entries:
        line = [entry]
        while (parent := by_code.get(line[-1].parent or "")) is not None and parent.code not in ordered:
            if parent in line:
                raise Failure(f"{parent.code} would belong to itself")
            line.append(parent)
        ordered |= {each.code: each for each in reversed(line) if each.code not in ordered}
    return list(ordered.values())


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List all agencies."""
    found = asyncio.run(_list(load_settings()))
    if as_json:
        show_json([vars_of(agency) for agency in found])
        return
    show_table(
        ("code", "name", "kind", "region", "parent", "status"),
        [(a.code, a.name, a.kind, a.region or a.country, a.parent, _standing(a)) for a in found],
        empty="There is no agency yet. Add one with `rujukan agencies add`, or many with `rujukan agencies import`.",
    )


def _standing(agency: ListedAgency) -> str:
    return agency.status + ", desk" * agency.desk + ", reviewer" * agency.reviewer + ", practice" * agency.sandbox


def vars_of(agency: ListedAgency) -> dict[str, Any]:
    """Return an agency as JSON shows it."""
    return {name: getattr(agency, name) for name in ListedAgency.__dataclass_fields__}


async def _list(settings: Settings) -> list[ListedAgency]:
    async with administer(settings) as the:
        return await list_agencies(the.conn)


@app.command()
def suspend(code: Annotated[str, typer.Argument(help="Its code.")], actor: Actor = None) -> None:
    """Shut an agency out, within a second: its tokens stop counting, it gets no new ones."""
    asyncio.run(_suspend(load_settings(), code, actor))
    typer.echo(f"{code} is suspended. `rujukan agencies resume {code}` lets it in again.")


async def _suspend(settings: Settings, code: str, actor: str | None) -> None:
    async with administer(settings, actor) as the:
        await suspend_agency(the.conn, code, now=the.now, actor=the.person.reference)


@app.command()
def resume(code: Annotated[str, typer.Argument(help="Its code.")], actor: Actor = None, as_json: Json = False) -> None:
    """Let a suspended agency in again, with another person's yes."""
    settings = load_settings()
    waits = asyncio.run(_ask(settings, agency_life.ask_to_resume, code, actor))
    _answer(code, f"{code} is active.", waits, as_json=as_json)


async def _ask(settings: Settings, ask: Any, code: str, actor: str | None) -> Waiting | None:
    async with administer(settings, actor, opens=True) as the:
        asked = await ask(the.conn, code, by=the.person, now=the.now, two_people=settings.needs_two_people)
        return waiting(asked, the.person)


def _answer(code: str, done: str, waits: Waiting | None, *, as_json: bool) -> None:
    if as_json:
        show_json({"code": code, "waits": None if waits is None else waits.approval.id})
    elif waits is None:
        typer.echo(done)
    else:
        show_waiting(waits)


@app.command()
def close(code: Annotated[str, typer.Argument(help="Its code.")], actor: Actor = None) -> None:
    """Close an agency for good; not while it leads a case or holds an accepted referral or transfer."""
    asyncio.run(_close(load_settings(), code, actor))
    typer.echo(f"{code} is closed for good.")


async def _close(settings: Settings, code: str, actor: str | None) -> None:
    async with administer(settings, actor) as the:
        await close_agency(the.conn, code, now=the.now, actor=the.person.reference)


@app.command()
def desk(code: Annotated[str, typer.Argument(help="Its code.")], actor: Actor = None, as_json: Json = False) -> None:
    """Make an agency the ministry's desk, with another person's yes: asked last when nobody answers, it may then re-route."""
    settings = load_settings()
    waits = asyncio.run(_ask(settings, agency_life.ask_for_desk, code, actor))
    _answer(code, f"{code} is the desk.", waits, as_json=as_json)


@app.command()
def reviewer(
    code: Annotated[str, typer.Argument(help="Its code.")], actor: Actor = None, as_json: Json = False
) -> None:
    """Make an agency the one that reviews what is disclosed without consent, with another person's yes; until then the desk is it."""
    settings = load_settings()
    waits = asyncio.run(_ask(settings, agency_life.ask_for_reviewer, code, actor))
    _answer(code, f"{code} reviews what is disclosed without consent.", waits, as_json=as_json)


@app.command("takes-nobody")
def takes_nobody(code: Annotated[str, typer.Argument(help="Its code.")], actor: Actor = None) -> None:
    """Say in the directory that an agency has no place for anybody, so that nobody is sent there for nothing."""
    asyncio.run(_takes_nobody(load_settings(), code, actor))
    typer.echo(f"The directory says that {code} takes nobody. What it has accepted, it sees through.")


async def _takes_nobody(settings: Settings, code: str, actor: str | None) -> None:
    async with administer(settings, actor) as the:
        await take_nobody(the.conn, code, now=the.now, actor=the.person.reference)


@app.command()
def offboard(code: Annotated[str, typer.Argument(help="Its code.")], as_json: Json = False) -> None:
    """List, in order, what is left before an agency can be closed. This changes nothing."""
    found = asyncio.run(_offboard(load_settings(), code))
    if as_json:
        show_json({**asdict(found), "steps": [{**asdict(each), "done": each.done} for each in found.steps]})
        return
    say(f"{found.code} is {found.status}.")
    show_table(
        ("", "step", "left", "how", "which"),
        [
            (
                "done" if each.done else "must" if each.must else "to do",
                each.what,
                each.remaining or None,
                None if each.done else each.how,
                each.which or None,
            )
            for each in found.steps
        ],
        empty="",
    )


async def _offboard(settings: Settings, code: str) -> Offboarding:
    async with administer(settings) as the:
        return await offboarding(the.conn, code, now=the.now)


@app.command("duty-contacts")
def duty_contacts(
    code: Annotated[str, typer.Argument(help="The agency's code.")],
    file: Annotated[
        Path | None,
        typer.Option(
            "--set",
            metavar="FILE",
            help='Replace them: JSON {"items": [{"role", "phone", "email", "hours"}]}; - for standard input.',
        ),
    ] = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Show, or replace, whom to call at an agency when something must not wait. Functions, never people's names."""
    contacts = None
    if file is not None:
        try:
            contacts = DutyContacts.model_validate(read_json(file, "duty contacts")).model_dump(mode="json")["items"]
        except ValidationError as error:
            raise Failure(f"{file} does not hold duty contacts: {faults_of(error)}") from None
    found = asyncio.run(_duty_contacts(load_settings(), code, contacts, actor))
    if as_json:
        show_json({"items": found})
        return
    show_table(
        ("role", "phone", "email", "hours"),
        [tuple(each[name] for name in ("role", "phone", "email", "hours")) for each in found],
        empty=f"{code} has no duty contact yet. Set them with --set FILE.",
    )


async def _duty_contacts(
    settings: Settings, code: str, contacts: list[dict[str, Any]] | None, actor: str | None
) -> list[dict[str, Any]]:
    async with administer(settings, actor) as the:
        id = await agency_id_of(the.conn, code)
        if id is None:
            raise errors.UnknownAgencyError(f"there is no agency {code}")
        if contacts is not None:
            async with the.conn.transaction():
                await directory.replace_duty_contacts(the.conn, id, contacts)
                await log_act(
                    the.conn,
                    at=the.now,
                    actor=the.person.reference,
                    action="agency:duty_contacts",
                    subject="agency",
                    subject_id=id,
                    detail={"code": code, "contacts": len(contacts)},
                )
        return await directory.duty_contacts(the.conn, id)


@app.command("encryption-keys")
def encryption_keys(
    code: Annotated[str, typer.Argument(help="The agency's code.")], actor: Actor = None, as_json: Json = False
) -> None:
    """List the keys that sections are sealed to for an agency, the newest first, ended ones too."""
    found = asyncio.run(_encryption_keys(load_settings(), code, actor))
    if as_json:
        show_json(found)
        return
    columns = ("kid", "added_by", "starts_at", "ends_at", "end_reason")
    show_table(columns, [tuple(each[name] for name in columns) for each in found], empty=f"{code} has published none.")


async def _encryption_keys(settings: Settings, code: str, actor: str | None) -> list[dict[str, Any]]:
    async with administer(settings, actor) as the:
        return [
            {
                **{name: row[name] for name in ("kid", "added_at", "starts_at", "ends_at", "end_reason")},
                "added_by": row["client_id"],
            }
            for row in await list_sealing_keys(the.conn, code)
        ]


@app.command("end-encryption-key")
def end_encryption_key(
    code: Annotated[str, typer.Argument(help="The agency's code.")],
    kid: Annotated[str, typer.Argument(help="The key's thumbprint, as `agencies encryption-keys` lists it.")],
    reason: Annotated[str, typer.Option(help="`replaced`, `lost` or `stolen`.", show_default=False)],
    compromised_since: Annotated[
        str | None,
        typer.Option(
            help="Of a stolen one: since when. What the same system has added for the agency since then ends too.",
            show_default=False,
        ),
    ] = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """End a key that sections are sealed to, at once and for good. Nobody but the agency's own client adds one."""
    ended = asyncio.run(_end_encryption_key(load_settings(), code, kid, reason, compromised_since, actor))
    if as_json:
        show_json({"ended": ended})
        return
    for each in ended:
        typer.echo(f"{each} has ended.")
    typer.echo("The agency lists what was sealed to it alone: GET /v1/me/encryption-keys/ID/sealed.")


async def _end_encryption_key(
    settings: Settings, code: str, kid: str, reason: str, since: str | None, actor: str | None
) -> list[str]:
    async with administer(settings, actor) as the:
        return await end_sealing_key(
            the.conn,
            code,
            kid,
            reason=reason,
            compromised_since=None if since is None else read_time(since, the.now),
            now=the.now,
            actor=the.person.reference,
        )

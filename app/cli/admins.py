"""`admins`: the people who administer, their links, passkeys and sessions."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import typer

from app.cli.administering import Administration, administer
from app.cli.common import Actor, Json, load_settings, say, show_json, show_table
from app.cli.failures import Failure
from app.foundation.settings import Settings
from auth.admin.approvals import Approval
from auth.people import administrators, invitations, opening, sessions
from auth.people.administrators import ListedAdministrator
from auth.people.opening import Opened, Rules
from auth.people.person import Role
from auth.people.sessions import ListedSession

app = typer.Typer(
    help="Add, list, suspend and resume the people who administer; their roles, links, passkeys and sessions.",
    no_args_is_help=True,
)

Reference = Annotated[str, typer.Argument(help="Their staff reference, as the log names them; never a name.")]
Roles = Annotated[list[Role], typer.Option("--role", help="What they may do; twice at most, nobody has all three.")]


@app.command()
def add(
    reference: Reference,
    name: Annotated[str, typer.Option(help="Their name; shown to administrators, never logged.")],
    role: Roles,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Add an administrator and print the one-time link by which they make their passkey.

    While fewer than two operators can sign in, done at once; then a signed-in operator asks, and it waits for another's yes.
    """
    settings = load_settings()
    opened = asyncio.run(_add(settings, reference, name, role, actor))
    _show_opened(settings, opened, f"{reference} administers", as_json=as_json)


async def _add(settings: Settings, reference: str, name: str, roles: list[Role], actor: str | None) -> Opened:
    async with administer(settings, actor, opens=True) as the:
        needs_role(the, Role.operator)
        return await opening.add(
            the.conn, reference=reference, name=name, roles=roles, by=the.person, now=the.now, rules=_rules(settings)
        )


@app.command()
def invite(reference: Reference, actor: Actor = None, as_json: Json = False) -> None:
    """Print a one-time link by which somebody makes a passkey. A signed-in operator asks, and it waits for another's yes."""
    settings = load_settings()
    opened = asyncio.run(_invite(settings, reference, actor))
    _show_opened(settings, opened, f"{reference} is invited", as_json=as_json)


async def _invite(settings: Settings, reference: str, actor: str | None) -> Opened:
    async with administer(settings, actor, opens=True) as the:
        needs_role(the, Role.operator)
        return await opening.invite(the.conn, reference, by=the.person, now=the.now, rules=_rules(settings))


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List everybody who administers."""
    found = asyncio.run(_list(load_settings()))
    if as_json:
        show_json([asdict(each) for each in found])
        return
    show_table(
        ("reference", "name", "roles", "status", "signs in by", "last seen"),
        [(each.reference, each.name, each.roles, each.status, _ways(each), each.seen_at) for each in found],
        empty="Nobody administers yet. Add the first with `rujukan admins add`.",
    )


def _ways(each: ListedAdministrator) -> list[str]:
    count = len(each.passkeys)
    passkeys = [f"{count} passkey{'' if count == 1 else 's'}"] if count else []
    return [*passkeys, *(["OpenID account"] if each.linked else [])]


async def _list(settings: Settings) -> list[ListedAdministrator]:
    async with administer(settings) as the:
        return await administrators.list_administrators(the.conn)


@app.command()
def show(reference: Reference, as_json: Json = False) -> None:
    """Show one, with their passkeys."""
    found = asyncio.run(_show(load_settings(), reference))
    if as_json:
        show_json(asdict(found))
        return
    rows: list[tuple[str, Any]] = [
        ("name", found.name),
        ("roles", found.roles),
        ("status", found.status),
        ("OpenID account", "linked" if found.linked else None),
        *(("passkey", _passkey(each)) for each in found.passkeys),
        ("added", found.created_at),
        ("last seen", found.seen_at),
    ]
    show_table((found.reference, ""), [row for row in rows if row[1] is not None], empty="")


def _passkey(each: administrators.ListedPasskey) -> str:
    used = "never used" if each.last_used_at is None else f"last used {each.last_used_at:%Y-%m-%d %H:%M}Z"
    return f"{each.id} {each.name}, {used}"


async def _show(settings: Settings, reference: str) -> ListedAdministrator:
    async with administer(settings) as the:
        return await administrators.find_administrator(the.conn, reference)


@app.command()
def roles(reference: Reference, role: Roles, actor: Actor = None, as_json: Json = False) -> None:
    """Say what somebody may do, and nothing else: fewer roles at once, others with another operator's yes."""
    settings = load_settings()
    opened = asyncio.run(_roles(settings, reference, role, actor))
    _show_opened(settings, opened, f"{reference} has the roles {', '.join(role)}", as_json=as_json)


async def _roles(settings: Settings, reference: str, roles: list[Role], actor: str | None) -> Opened:
    async with administer(settings, actor, opens=True) as the:
        needs_role(the, Role.operator)
        return await opening.change_roles(
            the.conn, reference, roles, by=the.person, now=the.now, rules=_rules(settings)
        )


@app.command()
def suspend(reference: Reference, actor: Actor = None, as_json: Json = False) -> None:
    """Shut somebody out at once: their sessions and links end."""
    ended = asyncio.run(_suspend(load_settings(), reference, actor))
    if as_json:
        show_json({"ended": ended})
    else:
        say(f"{reference} is suspended; {ended} of their sessions ended. `rujukan admins resume` lets them in again.")


async def _suspend(settings: Settings, reference: str, actor: str | None) -> int:
    async with administer(settings, actor) as the:
        stops(the)
        return await administrators.suspend(the.conn, reference, now=the.now, actor=the.person.reference)


@app.command()
def resume(reference: Reference, actor: Actor = None, as_json: Json = False) -> None:
    """Let a suspended administrator in again, with another operator's yes."""
    settings = load_settings()
    opened = asyncio.run(_resume(settings, reference, actor))
    _show_opened(settings, opened, f"{reference} is active", as_json=as_json)


async def _resume(settings: Settings, reference: str, actor: str | None) -> Opened:
    async with administer(settings, actor, opens=True) as the:
        needs_role(the, Role.operator)
        return await opening.resume(the.conn, reference, by=the.person, now=the.now, rules=_rules(settings))


@app.command()
def unlink(reference: Reference, actor: Actor = None) -> None:
    """Part somebody from their account at the OpenID provider, and end all their sessions."""
    asyncio.run(_unlink(load_settings(), reference, actor))
    say(
        f"{reference} has no account at the provider any more. `rujukan admins invite {reference}` gives them another way in."
    )


async def _unlink(settings: Settings, reference: str, actor: str | None) -> None:
    async with administer(settings, actor) as the:
        stops(the)
        await administrators.unlink_oidc(the.conn, reference, now=the.now, actor=the.person.reference)


@app.command("end-passkey")
def end_passkey(
    reference: Reference,
    passkey: Annotated[UUID, typer.Argument(help="Its id; see `rujukan admins show`.")],
    actor: Actor = None,
) -> None:
    """End a passkey that is lost, and all sessions of its person."""
    asyncio.run(_end_passkey(load_settings(), reference, passkey, actor))
    say(f"The passkey has ended, and with it every session of {reference}.")


async def _end_passkey(settings: Settings, reference: str, passkey: UUID, actor: str | None) -> None:
    async with administer(settings, actor) as the:
        stops(the)
        await administrators.end_passkey(the.conn, reference, passkey, now=the.now, actor=the.person.reference)


@app.command("sessions")
def sessions_(
    reference: Annotated[str | None, typer.Argument(help="Whose. Unset: everybody's.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """List the sessions that have not ended."""
    found = asyncio.run(_sessions(load_settings(), reference))
    if as_json:
        show_json([asdict(each) for each in found])
        return
    show_table(
        ("id", "whose", "by", "from", "began", "last seen"),
        [(each.id, each.reference, each.method, each.address, each.created_at, each.seen_at) for each in found],
        empty="Nobody is signed in.",
    )


async def _sessions(settings: Settings, reference: str | None) -> list[ListedSession]:
    async with administer(settings) as the:
        whose = None
        if reference is not None:
            whose = (await administrators.find_administrator(the.conn, reference)).id
        return await sessions.list_sessions(the.conn, admin_id=whose, now=the.now)


@app.command("end-session")
def end_session(
    session: Annotated[UUID, typer.Argument(help="Its id; see `rujukan admins sessions`.")], actor: Actor = None
) -> None:
    """End a session of anybody."""
    asyncio.run(_end_session(load_settings(), session, actor))
    say("The session has ended.")


async def _end_session(settings: Settings, session: UUID, actor: str | None) -> None:
    async with administer(settings, actor) as the:
        own = not {Role.operator, Role.auditor} & the.person.roles
        await sessions.end(the.conn, session, by=the.person, now=the.now, own=own)


def stops(the: Administration) -> None:
    """Raise unless whoever acts may stop somebody."""
    needs_role(the, Role.operator, Role.protection_officer)


def needs_role(the: Administration, *roles: Role) -> None:
    """Raise unless whoever acts has one of the roles."""
    if not {*roles} & the.person.roles:
        raise Failure(f"this takes one of the roles: {', '.join(roles)}", "`rujukan admins list` shows who has them.")


def _rules(settings: Settings) -> Rules:
    return Rules(two_people=settings.needs_two_people, at_machine=True)


def _show_opened(settings: Settings, opened: Opened, done: str, *, as_json: bool) -> None:
    link = None if opened.token is None else invitations.link(settings.admin_origin, opened.token)
    waiting: Approval | None = None if opened.done else opened.approval
    if as_json:
        show_json({"done": opened.done, "approval": None if waiting is None else waiting.id, "link": link})
        return
    if waiting is None:
        say(f"{done}.")
    else:
        missing = waiting.needed - len(waiting.yes)
        say(
            f"It waits for the yes of {missing} signed-in operator{'' if missing == 1 else 's'}: `rujukan approvals approve {waiting.id}`."
        )
    if link is not None:
        approved = "" if waiting is None else " of its approval, with the code shown to whoever approves it"
        say(f"Hand this link over in person. It works once, within a day{approved}:\n")
        say(f"  {link}\n")

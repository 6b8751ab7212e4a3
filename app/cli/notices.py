"""`notices`: who is told by e-mail that something waits, and what became of the mails."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

import typer

from app.cli.administering import administer
from app.cli.common import Actor, Json, load_settings, show_json, show_table
from app.cli.failures import Failure
from app.delivery.notices import addresses, queries
from app.delivery.notices.letter import Language
from app.delivery.notices.sending import FAULTS, Outcome
from app.foundation.settings import Settings

app = typer.Typer(
    help="Tell agencies without a system by e-mail that something waits: say where, try it, see what was not taken.",
    no_args_is_help=True,
)
Code = Annotated[str, typer.Argument(help="The agency's code.")]
STATES = ("waiting", "sent", "needless", "parked")


@app.command("set")
def set_(
    code: Code,
    email: Annotated[str, typer.Option(help="Address of a function, never of a person.")],
    language: Annotated[Language, typer.Option(help="Language of the mails.")] = "id",
    actor: Actor = None,
) -> None:
    """Say where an agency is told, from now on. Try it with `notices test`, and have them confirm by telephone."""
    asyncio.run(_set(load_settings(), code, email, language, actor))
    typer.echo(f"{code} is told there from now on. Try it: rujukan notices test {code}")


async def _set(settings: Settings, code: str, email: str, language: Language, actor: str | None) -> None:
    async with administer(settings, actor) as the:
        await addresses.set_address(
            the.conn, code, email=email, language=language, now=the.now, actor=the.person.reference
        )


@app.command()
def remove(code: Code, actor: Actor = None) -> None:
    """Tell an agency no more. Mails that wait are not sent."""
    asyncio.run(_remove(load_settings(), code, actor))
    typer.echo(f"{code} is told no more.")


async def _remove(settings: Settings, code: str, actor: str | None) -> None:
    async with administer(settings, actor) as the:
        await addresses.remove_address(the.conn, code, now=the.now, actor=the.person.reference)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List who is told, where, and whose mails were given up."""
    found = asyncio.run(_list(load_settings()))
    if as_json:
        show_json(found)
        return
    show_table(
        ("agency", "address", "language", "since", "refused for good", "waiting", "parked"),
        [
            (each["code"], each["email"], each["language"], each["set_at"], each["refused_at"], each["waiting"], each["parked"])
            for each in found
        ],
        empty="No agency has a notice address.",
    )  # fmt: skip


async def _list(settings: Settings) -> list[dict[str, Any]]:
    async with administer(settings) as the:
        return [dict(each) for each in await queries.addresses(the.conn, None)]


@app.command()
def mails(
    state: Annotated[str | None, typer.Option(help=f"Only these: {', '.join(STATES)}.")] = None,
    agency: Annotated[str | None, typer.Option(help="Only of this agency, by its code.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=1000)] = 50,
    as_json: Json = False,
) -> None:
    """List mails, newest first, with what went wrong. `--state parked`: what was given up."""
    if state is not None and state not in STATES:
        raise Failure("there is no such state", f"States are: {', '.join(STATES)}.")
    found = asyncio.run(_mails(load_settings(), state, agency, limit))
    if as_json:
        show_json(found)
        return
    show_table(
        ("id", "agency", "state", "made", "tries", "of events", "what went wrong"),
        [
            (each["id"], each["agency"], each["state"], each["created_at"], each["attempts"], each["events"], _wrong(each))
            for each in found
        ],
        empty="There is no such mail.",
    )  # fmt: skip


def _wrong(each: dict[str, Any]) -> str | None:
    if each["fault"] is None:
        return None
    return f"{each['status'] or ''} {FAULTS[each['fault']]}".strip()


async def _mails(settings: Settings, state: str | None, agency: str | None, limit: int) -> list[dict[str, Any]]:
    async with administer(settings) as the:
        found = await queries.mails(the.conn, state=state, code=agency, before=None, limit=limit)
        return [dict(each) for each in found]


@app.command("test")
def try_(code: Code, actor: Actor = None, as_json: Json = False) -> None:
    """Send an agency a mail that says only that it is a test, at once, and say what the mail server answered."""
    settings = load_settings()
    if settings.smtp_host is None or settings.notice_from is None:
        raise Failure("no mail server is set", "Set RUJUKAN_SMTP_HOST and RUJUKAN_NOTICE_FROM: docs/notices.md.")
    outcome = asyncio.run(_test(settings, code, actor))
    if as_json:
        show_json({"fault": outcome.fault, "status": outcome.status})
    if outcome.fault is not None:
        status = f" ({outcome.status})" if outcome.status else ""
        raise Failure(f"the mail was not taken{status}: {FAULTS[outcome.fault]}", "See docs/notices.md.")
    if not as_json:
        typer.echo("The mail server has taken it. Ask the agency whether it came.")


async def _test(settings: Settings, code: str, actor: str | None) -> Outcome:
    async with administer(settings, actor) as the:
        return await addresses.send_test(settings, the.conn, code, now=the.now, actor=the.person.reference)


@app.command()
def retry(
    id: Annotated[UUID, typer.Argument(help="The mail's id; see `rujukan notices mails --state parked`.")],
    actor: Actor = None,
) -> None:
    """Have a mail that was given up sent again, for another day, if what it told of still waits."""
    asyncio.run(_retry(load_settings(), id, actor))
    typer.echo("It is tried again.")


async def _retry(settings: Settings, id: UUID, actor: str | None) -> None:
    async with administer(settings, actor) as the:
        await addresses.retry(the.conn, id, now=the.now, actor=the.person.reference)

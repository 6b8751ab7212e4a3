"""`events`: an agency's feed, as a system that is registered there reads it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.api import files_of, find_credentials, with_certificate
from app.cli.common import harmless, load_settings, say
from app.cli.failures import Code, Failure
from app.client import Credentials, ExchangeClient, FeedRefusedError

app = typer.Typer()


@app.command()
def events(
    client: Annotated[
        str,
        typer.Option(
            "--as",
            envvar="RUJUKAN_CLIENT",
            show_envvar=True,
            help="Client id (its file is in the data folder), or a credentials file.",
        ),
    ],
    after: Annotated[
        str,
        typer.Option(
            help="Position of the last event you have; `acknowledged` for the last acknowledged one.", metavar="N"
        ),
    ] = "0",
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--types",
            help="Only these: referral.sent, referral.*; repeated, or separated by commas.",
            show_default=False,
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what happens, through lost connections, until Ctrl-C.")
    ] = False,
    acknowledge: Annotated[
        bool,
        typer.Option("--acknowledge", help="Acknowledge what was printed; --after acknowledged goes on from there."),
    ] = False,
    agency: Annotated[
        str | None, typer.Option(help="Code of the agency to act for, if the client has several.", show_default=False)
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            help="Client certificate in PEM, for a client that has one (with --certificate-key).", show_default=False
        ),
    ] = None,
    certificate_key: Annotated[Path | None, typer.Option(help="Its private key.", show_default=False)] = None,
    authority: Annotated[
        Path | None,
        typer.Option(
            help="Who vouches for the exchange's own certificate. Unset: those the system trusts.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as a line of JSON, for scripts.")] = False,
) -> None:
    """Print the agency's events, a line each: position, time, type, subject, its id and state."""
    settings = load_settings()
    files = files_of(certificate, certificate_key, authority)
    credentials = find_credentials(settings, client) if files is None else with_certificate(settings, client, files)
    if agency is not None:
        credentials = dataclasses.replace(credentials, agency=agency)
    if after != "acknowledged" and not (after.isascii() and after.isdecimal()):
        raise Failure("a position is a whole number", "Give --after N, 0 for the beginning, or --after acknowledged.")
    asyncio.run(_print(credentials, after, types or [], follow, acknowledge, as_json))


async def _print(
    credentials: Credentials, after: str, types: list[str], follow: bool, acknowledge: bool, as_json: bool
) -> None:
    async with ExchangeClient(credentials) as exchange:
        found, kept = 0, 0
        try:
            async for page in exchange.event_pages(after, types=types, follow=follow):
                for event in page["items"]:
                    say(json.dumps(event, ensure_ascii=False) if as_json else _line(event))
                found += len(page["items"])
                if acknowledge and page["position"] > kept:
                    kept = page["position"]
                    if (reply := await exchange.acknowledge(kept)).status_code != 200:
                        raise FeedRefusedError(reply)
        except FeedRefusedError as refused:
            raise _explained(refused) from None
        if not found:
            say("no events after that position", err=True)


def _line(event: dict[str, Any]) -> str:
    time = str(event["time"])[:19]
    return f"{event['position']:>8}  {time}Z  {event['type']:<28}  {event['subject']} {event['subject_id']}  {event['state']}"


def _explained(refused: FeedRefusedError) -> Failure:
    """Say what to do where the place in the feed is lost."""
    told = refused.problem
    kind = str(told.get("type", "")).removeprefix("/problems/")
    code = Code.broken if refused.reply.status_code >= 500 else Code.refused
    lists = "\n".join(f"       {harmless(str(each))}" for each in told.get("read_first", ()))
    if kind == "cursor-too-old":
        return Failure(
            f"events after that position are not kept any more; the oldest kept is {told.get('oldest')}",
            f"1. Read these to the last page, and bring what your system knows to what stands there:\n{lists}\n"
            f"  2. Then go on: rujukan events --after {int(told.get('oldest', 1)) - 1}",
            code=code,
        )
    if kind == "cursor-ahead":
        return Failure(
            f"the feed ends at {told.get('last')}, before that position",
            "Is it this agency's, at this exchange? If the exchange was restored from a backup, read these to the last page first:\n"
            f"{lists}\n  Then go on: rujukan events --after {told.get('last')}",
            code=code,
        )
    if kind == "position-behind":
        return Failure(
            f"more was acknowledged already, up to {told.get('position')}",
            "Leave --acknowledge out to look back.",
            code=code,
        )
    if kind == "invalid-request" and {"parameter": "types", "code": "unknown_type"} in told.get("errors", ()):
        return Failure(
            "there is no such type of events", "docs/events.md lists them; `referral.*` is all of a kind.", code=code
        )
    return Failure(
        f"the exchange refused: HTTP {refused.reply.status_code} {kind}".rstrip(),
        harmless(str(told.get("title", ""))),
        code=code,
    )

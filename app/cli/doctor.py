"""`doctor`: what is wrong with this installation, or with a client's set-up, and what to do about it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from app.cli.api import files_of, key_file
from app.cli.checks import Finding, examine
from app.cli.client_visit import Asked
from app.cli.client_visit import examine as examine_client
from app.cli.common import Json, clock_of, harmless, load_settings, show_json
from app.cli.failures import Code, Failure

app = typer.Typer()
STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@app.command()
def doctor(
    client: Annotated[
        str | None,
        typer.Option(
            "--as",
            help="Check a client's set-up instead, from its own side: its id (its file is in the data folder), or a credentials file.",
            show_default=False,
        ),
    ] = None,
    issuer: Annotated[
        str | None, typer.Option(help="With --as: the exchange's issuer, if not that of the file.", show_default=False)
    ] = None,
    agency: Annotated[
        str | None, typer.Option(help="With --as: code of the agency to act for.", show_default=False)
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option(help="With --as: scopes your system asks for. Unset: all registered ones.", show_default=False),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(help="With --as: client certificate in PEM (with --certificate-key).", show_default=False),
    ] = None,
    certificate_key: Annotated[Path | None, typer.Option(help="Its private key.", show_default=False)] = None,
    authority: Annotated[
        Path | None, typer.Option(help="Who vouches for the exchange's own certificate.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Check settings, files, database, keys, worker and service; exit 1 if something fails.

    With --as: files, network, TLS, clock, discovery, token and calls of one client, from any machine.
    """
    settings = load_settings()
    if client is None:
        if any(each is not None for each in (issuer, agency, scope, certificate, certificate_key, authority)):
            raise Failure("these options are about a client", "Name it with --as.")
        found = examine(settings)
    else:
        asked = Asked(
            path=key_file(settings, client),
            client_id=client,
            issuer=issuer,
            agency=agency,
            scopes=tuple((scope or "").split()),
            certificate=files_of(certificate, certificate_key, authority) if certificate or certificate_key else None,
            authority=authority,
            address=settings.mtls_url,
            default_issuer=settings.public_url,
        )
        found = examine_client(asked, clock_of(settings))
    findings = asyncio.run(_show(found, quiet=as_json))
    if as_json:
        show_json([asdict(finding) for finding in findings])
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(Code.failed)


async def _show(found: AsyncIterator[Finding], *, quiet: bool) -> list[Finding]:
    console = Console(highlight=False, soft_wrap=True)
    findings = []
    async for finding in found:
        findings.append(finding)
        if not quiet:
            console.print(_line(finding))
    return findings


def _line(finding: Finding) -> Text:
    line = Text.assemble(
        (f"{finding.state:<5}", STYLES[finding.state]), f"{finding.check:<13} {harmless(finding.says)}"
    )
    if finding.do and finding.state != "ok":
        line.append(f"\n{'':<19}→ {harmless(finding.do)}")
    return line

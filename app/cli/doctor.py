"""`doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Final

import typer
from rich.console import Console
from rich.text import Text

from app.cli.checks import Finding, examine
from app.cli.common import Json, load_settings, show_json
from app.cli.failures import Code
from app.foundation.settings import Settings

app = typer.Typer()
STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check settings, files, database, keys, worker and service; exit 1 if something fails."""
    findings = asyncio.run(_examine(load_settings(), quiet=as_json))
    if as_json:
        show_json([asdict(finding) for finding in findings])
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(Code.failed)


async def _examine(settings: Settings, *, quiet: bool) -> list[Finding]:
    console = Console(highlight=False, soft_wrap=True)
    findings = []
    async for finding in examine(settings):
        findings.append(finding)
        if not quiet:
            console.print(_line(finding))
    return findings


def _line(finding: Finding) -> Text:
    line = Text.assemble((f"{finding.state:<5}", STYLES[finding.state]), f"{finding.check:<13} {finding.says}")
    if finding.do and finding.state != "ok":
        line.append(f"\n{'':<19}→ {finding.do}")
    return line

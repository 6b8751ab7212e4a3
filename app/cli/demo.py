"""`demo`: the sample cases, played over real HTTP."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

from app.cli.common import load_settings
from app.cli.failures import Code, Failure

app = typer.Typer()


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Play the cases, then end instead of serving on.")] = False,
) -> None:
    """Serve the exchange on this machine with sample agencies and play the sample cases through it."""
    settings = load_settings()
    if settings.env == "production":
        raise Failure("the demonstration does not run in production", "Unset RUJUKAN_ENV.", code=Code.failed)
    raise typer.Exit(importlib.import_module("app.demo.run").main(settings, once=once))

"""The command line. Each group of commands is a module of this package, read only when it is called for."""

from __future__ import annotations

import gc
import importlib
from importlib.metadata import version
from types import ModuleType
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from app.cli.common import say
from app.cli.failures import explain
from app.cli.listing import LISTED

PLACES: Final[dict[str, str]] = {
    "serve": "app.cli.serving",
    "worker": "app.cli.serving",
    "demo": "app.cli.demo",
    "migrate": "app.cli.migrating",
    "agencies": "app.cli.agencies",
    "agreements": "app.cli.agreements",
    "service-points": "app.cli.service_points",
    "clients": "app.cli.client_life",
    "breach": "app.cli.breach",
    "webhooks": "app.cli.webhooks",
    "registrations": "app.cli.registrations",
    "keys": "app.cli.keys",
    "jobs": "app.cli.jobs",
    "log": "app.cli.sealed_log",
    "verify": "app.cli.verifying",
    "admins": "app.cli.admins",
    "approvals": "app.cli.approvals",
    "notices": "app.cli.notices",
    **dict.fromkeys(("sign-in", "sign-out"), "app.cli.signing_in"),
    **dict.fromkeys(("retention", "erasures"), "app.cli.retention"),
    "doctor": "app.cli.doctor",
    "api": "app.cli.api",
    "events": "app.cli.events",
    "openapi": "app.cli.documents",
    "settings": "app.cli.documents",
    "lifecycle": "app.cli.documents",
    "schema": "app.cli.schema",
    **dict.fromkeys(("inbox", "show"), "app.cli.officer.reading"),
    "notes": "app.cli.officer.notes",
    "form": "app.cli.officer.printing",
    "access-report": "app.cli.officer.access",
    **dict.fromkeys(("seal", "open"), "app.cli.sealing"),
    **dict.fromkeys(("refer", "transfer", "amend", "reroute"), "app.cli.officer.sending"),
    **dict.fromkeys(
        (
            "acknowledge",
            "ask",
            "answer",
            "accept",
            "decline",
            "recall",
            "start",
            "service",
            "hold",
            "resume",
            "complete",
            "fail",
            "note",
            "cancel",
            "confirm-cancel",
            "refuse-cancel",
            "error",
            "confirm-error",
            "confirm-handover",
            "paper",
            "abort",
            "follow-up",
            "close",
            "reopen",
            "correct-death",
            "dispute",
            "confirm-move",
        ),
        "app.cli.officer.moves",
    ),
    **dict.fromkeys(
        ("link", "links", "confirm-link", "refuse-link", "end-link", "agree-to-lead", "decline-to-lead"),
        "app.cli.officer.belonging",
    ),
    "consent": "app.cli.officer.consents",
    **dict.fromkeys(("withdraw", "requests", "answer-request", "rebase"), "app.cli.officer.data"),
    "reviews": "app.cli.officer.reviews",
    "break-glass": "app.cli.officer.emergencies",
    **dict.fromkeys(
        (
            "subject-requests",
            "subject-request",
            "answer-subject-request",
            "lift-restriction",
            "export-person",
            "incidents",
            "report-incident",
            "add-to-incident",
            "close-incident",
            "holds",
            "place-hold",
            "review-hold",
            "lift-hold",
            "kept",
        ),
        "app.cli.officer.protection",
    ),
    **dict.fromkeys(("escalations", "take"), "app.cli.officer.escalations"),
    **dict.fromkeys(("import", "export"), "app.cli.officer.bulk"),
    "policy": "app.cli.policy",
}
"""Where each command stands. The service itself takes a second to import, which a short command need not wait for."""


def _read(module: str) -> ModuleType:
    """Import a module; its thousands of objects all stay, so that looking for garbage among them meanwhile finds none (a sixth of the time)."""
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.enable()


class Commands(TyperGroup):
    """The root: finds commands, and ends what a person can put right with one line instead of a traceback."""

    def list_commands(self, _: Any) -> list[str]:
        """Return the names in the order of `PLACES`."""
        return list(PLACES)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help from `LISTED`, without reading the commands' modules."""
        shown = Listing(name=self.name, params=self.params, help=self.help, rich_markup_mode=self.rich_markup_mode)
        shown.format_help(ctx, formatter)

    def get_command(self, _: Any, cmd_name: str) -> Any:
        """Return the command of that name, reading its module."""
        if cmd_name not in PLACES:
            return None
        found = get_group(_read(PLACES[cmd_name]).app)
        command = found.commands.get(cmd_name, found)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        self.commands = dict.fromkeys(PLACES, self)  # names to suggest for a misspelt one
        try:
            return super().invoke(ctx)
        except Exception as error:
            failure = explain(error)
            if failure is None:
                raise
            say(f"rujukan: {failure}", err=True)
            raise typer.Exit(failure.code) from None


class Listing(TyperGroup):
    """The root as its help shows it: every command's name, panel and first line."""

    def list_commands(self, _: Any) -> list[str]:
        """Return the names in the order of `PLACES`."""
        return list(PLACES)

    def get_command(self, _: Any, cmd_name: str) -> Any:
        """Return what stands for the command of that name."""
        for panel, commands in LISTED.items():
            if cmd_name in commands:
                return TyperCommand(cmd_name, help=commands[cmd_name], rich_help_panel=panel or None)
        return None


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rujukan {version('rujukan')}")
        raise typer.Exit


@app.callback()
def rujukan(
    _: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """The exchange through which agencies refer victims of trafficking to each other.

    Settings are environment variables RUJUKAN_*: see `rujukan settings`.

    Exit codes: 0 done; 1 a check failed, or the machine is not fit; 2 not possible as asked for; 3 unreachable.

    What speaks to the exchange ends with 4 if it refused, 5 if it failed.
    """


def main() -> None:
    """Run the command line."""
    app(prog_name="rujukan")

"""What every command needs: settings, the acting person, files, and ways to show things."""

from __future__ import annotations

import getpass
import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.failures import Failure
from app.foundation.clock import Clock
from app.foundation.settings import Settings

ACTOR: Final = re.compile(r"[\x21-\x7e]{1,64}")
_STEERS_A_TERMINAL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Actor = Annotated[
    str | None,
    typer.Option(
        help="Who acts, for the log: your staff reference, never a name. Unset: the user's login.", show_default=False
    ),
]


def load_settings(**given: Any) -> Settings:
    """Read the settings; what is `given` on the command line (and not None) goes first.

    In development, an address that nobody set follows the port.
    """
    given = {name: value for name, value in given.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        faults = "; ".join(f"RUJUKAN_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors())
        raise Failure(f"the settings cannot be read: {faults}", "See `rujukan settings`.") from None
    return at_port(settings, settings.port)


def at_port(settings: Settings, port: int) -> Settings:
    """Return settings whose address, if nobody set it, is that of this port; production must say it."""
    if settings.env != "development" or "public_url" in settings.model_fields_set:
        return settings
    scheme = "http" if settings.tls_certificate is None else "https"
    return settings.model_copy(update={"public_url": f"{scheme}://{settings.reachable_host}:{port}"})


def clock_of(settings: Settings) -> Clock:
    """Return the process's clock."""
    return Clock(timedelta(seconds=settings.clock_offset_seconds))


def acting(actor: str | None) -> str:
    """Return the staff reference the log will name."""
    found = getpass.getuser() if actor is None else actor
    if not ACTOR.fullmatch(found):
        raise Failure("an actor is 1 to 64 visible ASCII characters, without a space", "Give one with --actor.")
    return found


def read_json(path: Path, what: str) -> Any:
    """Return what a file of the user's holds; `-` is standard input."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}", f"It should hold {what}.") from None
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise Failure(f"{path} is not JSON{where}", f"It should hold {what}.") from None


def read_object(path: Path, what: str) -> dict[str, Any]:
    """Return the JSON object a file of the user's holds; `-` is standard input."""
    found = read_json(path, what)
    if not isinstance(found, dict):
        raise Failure(f"{path} does not hold {what}", "It should be one JSON object.")
    return found


def faults_of(error: ValidationError) -> str:
    """Say where a document is wrong, and how, without its values."""
    return "; ".join(
        f"/{'/'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in error.errors(include_input=False, include_url=False)
    )


def show_json(value: Any) -> None:
    """Print a value as JSON, for scripts."""
    typer.echo(harmless(json.dumps(value, indent=2, ensure_ascii=False, default=_written)))


def _written(value: Any) -> str:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)


def harmless(text: str) -> str:
    """Write what would steer a terminal, or turn text around, as its escape; tabs and ends of lines stay."""
    return _STEERS_A_TERMINAL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def say(text: str, *, err: bool = False) -> None:
    """Print text that may hold others' words."""
    typer.echo(harmless(text), err=err)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Print rows under their names; nothing is cut off when the output is no terminal."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        typer.echo(empty, err=True)
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=10_000, color_system=None)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*row)
    console.print(table)


def _cell(value: Any) -> Text:
    if isinstance(value, Text):
        return Text(harmless(value.plain), value.style)
    if value is None:
        return Text("–")
    if isinstance(value, datetime):
        return Text(value.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ"))
    if isinstance(value, list | tuple):
        return Text(harmless(", ".join(str(part) for part in value)) or "–")
    return Text(harmless(str(value)))

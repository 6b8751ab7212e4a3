"""`openapi`, `settings` and `lifecycle`: documents made from the code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import typer
from annotated_types import Ge, Le
from fastapi import FastAPI
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from starlette.datastructures import State

from app.admin.assembly import create_admin
from app.cli.common import Json, load_settings, show_json, show_table
from app.cli.failures import Code, Failure
from app.cli.lifecycle_page import LIFECYCLES, lifecycle_page
from app.foundation.settings import Settings
from app.main import create_app

app = typer.Typer()
CHECKOUT: Final = Path(__file__).parents[2]

INTRODUCTION: Final = """\
# Settings

Each is an environment variable, read once at start. Durations are written by ISO 8601 (`PT1H`, `P7D`) or as `HH:MM:SS`.
`rujukan settings` shows what is in force, `rujukan doctor` what is wrong with it.

This page is made from the code: `rujukan settings --markdown > docs/settings.md`.

| name | default | meaning |
|---|---|---|
"""


@app.command()
def openapi(
    write: Annotated[
        bool,
        typer.Option("--write", help="Write openapi/openapi.json and openapi/admin.json of this checkout instead."),
    ] = False,
    admin: Annotated[bool, typer.Option("--admin", help="Print the document of /admin/v1 instead.")] = False,
) -> None:
    """Print the OpenAPI document, the same whatever the settings."""
    if not write:
        typer.echo(admin_openapi_text() if admin else openapi_text(), nl=False)
        return
    if not (CHECKOUT / "pyproject.toml").exists():
        raise Failure(
            "this is no checkout of the source", "Redirect the output: rujukan openapi > FILE", code=Code.failed
        )
    for name, text in (("openapi.json", openapi_text()), ("admin.json", admin_openapi_text())):
        path = CHECKOUT / "openapi" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        typer.echo(f"Wrote {path}.")


def openapi_text() -> str:
    """Return the document as it is committed."""
    return _text(create_app(Settings.model_construct()))


def admin_openapi_text() -> str:
    """Return the document of `/admin/v1` as it is committed."""
    return _text(create_admin(State()))


def _text(of: FastAPI) -> str:
    return json.dumps(of.openapi(), indent=1, ensure_ascii=False) + "\n"


@app.command()
def settings(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/settings.md instead.")] = False,
    as_json: Json = False,
) -> None:
    """Show each setting as it is in force; secrets are not shown."""
    if markdown:
        typer.echo(settings_page(), nl=False)
        return
    present = load_settings()
    found = {
        _variable(name): (_shown(getattr(present, name)), name in present.model_fields_set, field.description)
        for name, field in Settings.model_fields.items()
    }
    if as_json:
        show_json({name: value for name, (value, _, __) in found.items()})
        return
    show_table(
        ("name", "value", "", "meaning"),
        [(name, value, "set" if is_set else "", meaning) for name, (value, is_set, meaning) in found.items()],
        empty="",
    )


def settings_page() -> str:
    """Return `docs/settings.md`."""
    rows = [
        f"| `{_variable(name)}` | {_default(field)} | {' '.join(_meaning(field))} |\n"
        for name, field in Settings.model_fields.items()
    ]
    return INTRODUCTION + "".join(rows)


@app.command()
def lifecycle(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/lifecycle.md instead.")] = False,
) -> None:
    """Show every move of a case, a referral and a transfer: from which state to which, and who may make it."""
    if markdown:
        typer.echo(lifecycle_page(), nl=False)
        return
    show_table(
        ("", "event", "from", "to", "who"),
        [(each.name, move.event, move.from_states, move.to, move.by) for each in LIFECYCLES for move in each.moves],
        empty="",
    )


def _variable(name: str) -> str:
    return f"RUJUKAN_{name.upper()}"


def _default(field: FieldInfo) -> str:
    shown = _shown(field.default)
    return "–" if shown is None else f"`{shown}`"


def _meaning(field: FieldInfo) -> Iterator[str]:
    yield field.description or ""
    if get_origin(field.annotation) is Literal:
        yield f"One of {', '.join(f'`{value}`' for value in get_args(field.annotation))}."
    least = next((rule.ge for rule in field.metadata if isinstance(rule, Ge)), None)
    most = next((rule.le for rule in field.metadata if isinstance(rule, Le)), None)
    if least is not None and most is not None:
        yield f"From {least} to {most}."
    elif least is not None:
        yield f"At least {least}."


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, SecretStr):
        return "(not shown)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        hours, rest = divmod(int(value.total_seconds()), 3600)
        if rest:
            return f"PT{int(value.total_seconds())}S"
        return f"P{hours // 24}D" if hours and hours % 24 == 0 else f"PT{hours}H"
    return str(value)

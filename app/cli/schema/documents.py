"""`schema json-schema` and `schema docs`: documents made from the models of the record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from app.cli.failures import Code, Failure
from schemas.documents.json_schema import DOCUMENTS, written

app = typer.Typer()
CHECKOUT: Final = Path(__file__).parents[3]

Write = Annotated[bool, typer.Option("--write", help="Write the files of this checkout instead.")]


@app.command("json-schema")
def json_schema(
    name: Annotated[str, typer.Argument(help="Which schema; --write writes them all.")] = next(iter(DOCUMENTS)),
    write: Write = False,
) -> None:
    """Print the record's JSON Schema, or the preview's."""
    if write:
        _write({f"openapi/schemas/{each}": written(each) for each in DOCUMENTS})
        return
    if name not in DOCUMENTS:
        raise Failure(f"there is no schema {name}", f"There are {', '.join(DOCUMENTS)}.", code=Code.usage)
    typer.echo(written(name), nl=False)


def _write(files: dict[str, str]) -> None:
    if not (CHECKOUT / "pyproject.toml").exists():
        raise Failure(
            "this is no checkout of the source", "Redirect the output: rujukan schema … > FILE", code=Code.failed
        )
    for name, text in files.items():
        path = CHECKOUT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    typer.echo(f"Wrote {len(files)} files.")

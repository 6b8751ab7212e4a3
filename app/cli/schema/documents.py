"""`schema json-schema` and `schema docs`: documents made from the models of the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.cli.failures import Code, Failure
from app.cli.schema.section_pages import pages
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


@app.command()
def docs(write: Write = False) -> None:
    """Print the pages about the record, docs/schema/."""
    made = {f"docs/schema/{name}": text for name, text in pages(_sample()).items()}
    if write:
        _write(made)
        return
    typer.echo("\n".join(made.values()), nl=False)


def _sample() -> dict[str, Any]:
    path = CHECKOUT / "openapi" / "examples" / "record.json"
    if not path.exists():
        raise Failure("this is no checkout of the source", "The pages are at docs/schema/ of one.", code=Code.failed)
    sample: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return sample


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

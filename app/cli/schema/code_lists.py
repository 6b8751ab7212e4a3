"""`schema code-lists`: the code lists as JSON, as CSV, or as a workbook to read and review."""

from __future__ import annotations

from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Annotated

import typer
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font

from app.cli.common import say
from app.cli.failures import Failure
from schemas.codes import list_names
from schemas.codes.tables import columns_of, csv_of, rows_of
from schemas.documents.code_lists import all_as_json, as_csv, as_json, published

app = typer.Typer()


class Format(StrEnum):
    """What the lists are written as."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"


@app.command("code-lists")
def code_lists(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these lists.", show_default=False)
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="xlsx is one workbook with a sheet a list, and needs --output.")
    ] = Format.JSON,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder to write a file a list into, and one of all; made if missing.", show_default=False),
    ] = None,
) -> None:
    """Write the code lists, with labels, definitions and what each code is in other standards."""
    chosen = list(dict.fromkeys(names or list_names()))
    if unknown := [name for name in chosen if name not in list_names()]:
        raise Failure(f"there is no list {', '.join(unknown)}", "GET /v1/code-lists has them all.")
    if output is None:
        if form is Format.XLSX:
            raise Failure("a workbook is no text to print", "Give a folder: --output DIR")
        typer.echo(_one(chosen, form), nl=False)
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
        for file, content in _files(chosen, form).items():
            (output / file).write_bytes(content)
    except OSError as error:
        raise Failure(f"{output} cannot be written to: {error.strerror}", "Give a folder with --output.") from None
    say(f"Wrote {len(chosen)} {'list' if len(chosen) == 1 else 'lists'} to {output}.", err=True)


def _one(names: list[str], form: Format) -> bytes:
    """All of it as one document."""
    if form is Format.CSV:
        return csv_of(names).encode()
    return as_json(names[0]) if len(names) == 1 else all_as_json(names)


def _files(names: list[str], form: Format) -> dict[str, bytes]:
    if form is Format.XLSX:
        return {"code-lists.xlsx": workbook(names)}
    render = as_csv if form is Format.CSV else as_json
    return {f"{name}.{form}": render(name) for name in names} | {f"code-lists.{form}": _one(names, form)}


def workbook(names: list[str]) -> bytes:
    """Return a workbook with a sheet a list, its title above its codes; every cell is text, so none is a formula."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name in names:
        about, columns = published(name), columns_of([name])
        sheet = book.create_sheet(name)
        sheet.append([f"{about.title_id} / {about.title_en}"])
        sheet.append(columns)
        for row in rows_of([name]):
            sheet.append([row[column] or None for column in columns])
        for cells in sheet.iter_rows():
            for cell in cells:
                if cell.value is not None:
                    cell.data_type = "s"
                cell.alignment = Alignment(wrap_text=True, vertical="top")
        for cell in (*sheet[1], *sheet[2]):
            cell.font = Font(bold=True)
            cell.alignment = Alignment(vertical="top")
        for letter, width in zip("ABCDE", (24, 30, 30, 60, 60), strict=True):
            sheet.column_dimensions[letter].width = width
        sheet.freeze_panes = "B3"
    written = BytesIO()
    book.save(written)
    return written.getvalue()

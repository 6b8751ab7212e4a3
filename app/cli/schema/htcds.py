"""`schema import-htcds`, `schema export-htcds`, `schema htcds`: sheets of HTCDS 2.0 in and out, and the page about it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from functools import lru_cache
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Annotated, Any, Final

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from app.cli.common import faults_of, say
from app.cli.failures import Code, Failure
from app.cli.schema.htcds_page import htcds_page
from app.cli.schema.sheets import WORKBOOK_CELL_MAX, TextTable, WorkbookTable, open_sheet, table_at, whole_file
from schemas.codes.services import StaffRole
from schemas.mappings.htcds import Exported, Imported, Loss, Manner, Problem, export, import_row
from schemas.mappings.htcds.cells import PROBLEMS, is_empty
from schemas.mappings.htcds.crosswalk import fields, their_codes
from schemas.mappings.htcds.fields import WRITTEN
from schemas.mappings.htcds.headers import SHORT_LABELS, TOOLKIT
from schemas.mappings.htcds.writing import REASONS_OF_LOSS
from schemas.text import LanguageTag

app = typer.Typer()
CHECKOUT: Final = Path(__file__).parents[3]
_JOINT: Final = "; "


class DateOrderChoice(StrEnum):
    """Which part of 03/04/2026 is the day."""

    dmy = "dmy"
    mdy = "mdy"


class LayoutChoice(StrEnum):
    """Which columns a file has, and whether its cells hold codes or labels."""

    full = "full"
    toolkit = "toolkit"


@app.command("import-htcds")
def import_htcds(
    file: Annotated[Path, typer.Argument(help="A sheet of HTCDS: CSV, or a workbook (.xlsx, .xlsm).")],
    output: Annotated[
        Path | None, typer.Option(help="Write here: one JSON document a line. Unset: to standard output.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write here what could not be taken as it stood, by row and column (CSV).")
    ] = None,
    date_order: Annotated[
        DateOrderChoice, typer.Option(help="Whether 03/04/2026 begins with the day or the month.")
    ] = DateOrderChoice.dmy,
    language: Annotated[str, typer.Option(help="The language of the texts, BCP 47 (id, en); und: not known.")] = "und",
    author_role: Annotated[
        str, typer.Option(help="The role of whoever kept the sheet, a code of the list staff_role.")
    ] = StaffRole.OTHER.value,
) -> None:
    """Read a sheet of HTCDS 2.0 into records, one for each row.

    A document has `row`, `record`, and in `exchange` what belongs to the case, the referrals and the organisation. It is no referral yet:
    bases, needs and a receiver are yours to add. A tick under Consent is a claim there, never a basis.
    """
    manner = Manner(date_order=date_order.value, language=_tag(language), author_role=_role(author_role))
    _apart(file, output, report)
    told: Counter[tuple[str, str]] = Counter()
    rows = 0
    with ExitStack() as stack:
        sheet = stack.enter_context(open_sheet(file))
        manner = Manner(manner.date_order, manner.language, manner.author_role, sheet.layout.survey)
        lines = stack.enter_context(_lines(output))
        note = stack.enter_context(_report(report, ("row", "column", "code", "done", "meaning")))
        step = stack.enter_context(_progress("Reading", sheet.size, sheet.done))

        def tell(problems: Iterable[Problem]) -> None:
            for problem in problems:
                told[problem.column, problem.code] += 1
                note((str(problem.row), problem.column, problem.code, problem.done, _meaning(problem.code)))

        tell(sheet.layout.problems)
        for number, values in enumerate(sheet.rows, start=sheet.layout.first_row + 1):
            step()
            if all(is_empty(cell) for cell in values):
                continue
            row, faults = sheet.layout.row(values, number)
            outcome = import_row(row, number=number, manner=manner)
            lines.write(outcome.document.model_dump_json(exclude_unset=True))
            lines.write("\n")
            rows += 1
            tell((*faults, *outcome.problems))
    _conclude(f"Read {rows} row{'' if rows == 1 else 's'} ({sheet.about}).", told, report, _meaning)


@app.command("export-htcds")
def export_htcds(
    documents: Annotated[
        Path,
        typer.Argument(
            metavar="IN.ndjson", help="Documents as import-htcds writes them, one a line; - for standard input."
        ),
    ],
    file: Annotated[Path, typer.Argument(help="The sheet to write: .csv or .xlsx.")],
    layout: Annotated[
        LayoutChoice,
        typer.Option(
            help="full: every field, codes in the cells. toolkit: the workbooks' 38 columns, labels in the cells."
        ),
    ] = LayoutChoice.full,
    single: Annotated[
        bool, typer.Option("--single", help="One value a cell, as in the workbook without macros.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write here what the sheet does not hold, by line and JSON Pointer (CSV).")
    ] = None,
) -> None:
    """Write records as a sheet of HTCDS 2.0, and say what it does not hold.

    HTCDS knows much less than a record. Channels that are not marked safe, addresses that could lead to the person, aliases and uncertain
    dates are never written.
    """
    tables: dict[str, type[TextTable | WorkbookTable]] = {".csv": TextTable, ".xlsx": WorkbookTable}
    table = tables.get(file.suffix.lower())
    if table is None:
        raise Failure(f"{file.name} says no format", "Let it end in .csv or .xlsx.")
    _apart(documents, file, report)
    columns = TOOLKIT if layout is LayoutChoice.toolkit else WRITTEN
    told: Counter[tuple[str, str]] = Counter()
    rows = 0
    with ExitStack() as stack:
        lines, size, done = stack.enter_context(_documents(documents))
        sheet = stack.enter_context(table_at(file, table))
        note = stack.enter_context(_report(report, ("line", "pointer", "reason", "meaning")))
        step = stack.enter_context(_progress("Writing", size, done))
        _head(sheet, columns, layout)
        for number, document in lines:
            step()
            made = export(document.record, document.exchange)
            cells, more = _cells(made, columns, layout, single=single, workbook=table is WorkbookTable)
            sheet.add(cells)
            rows += 1
            for loss in (*made.losses, *more):
                told["", loss.reason] += 1
                note((str(number), loss.pointer, loss.reason, REASONS_OF_LOSS[loss.reason]))
        if not rows:
            raise Failure(f"{documents} is empty", "It should hold documents, one a line. Nothing was written.")
    _conclude(f"Wrote {rows} row{'' if rows == 1 else 's'}.", told, report, REASONS_OF_LOSS.__getitem__, what="value")


@app.command("htcds")
def htcds(
    write: Annotated[
        bool, typer.Option("--write", help="Write docs/schema/htcds.md of this checkout instead.")
    ] = False,
) -> None:
    """Print where each field and each code of HTCDS 2.0 has its home in the record."""
    if not write:
        typer.echo(htcds_page(), nl=False)
        return
    path = CHECKOUT / "docs" / "schema" / "htcds.md"
    if not (CHECKOUT / "pyproject.toml").exists():
        raise Failure(
            "this is no checkout of the source", "Redirect the output: rujukan schema htcds > FILE", code=Code.failed
        )
    path.parent.mkdir(exist_ok=True)
    path.write_text(htcds_page(), encoding="utf-8")
    typer.echo(f"Wrote {path}.")


# What both ways share.


def _tag(language: str) -> str:
    try:
        return TypeAdapter(LanguageTag).validate_python(language)
    except ValidationError:
        raise Failure("there is no such language", "Give a BCP 47 tag, such as id, en or jv.") from None


def _role(role: str) -> StaffRole:
    try:
        return StaffRole(role)
    except ValueError:
        raise Failure("there is no such role", f"Roles are: {', '.join(sorted(StaffRole))}.") from None


def _apart(*paths: Path | None) -> None:
    """Refuse to write over what is read, or twice to one place."""
    given = [path.resolve() for path in paths if path is not None and str(path) != "-"]
    if len(set(given)) < len(given):
        raise Failure("one file is named for two things", "Give each its own name.")


@contextmanager
def _lines(output: Path | None) -> Iterator[IO[str]]:
    if output is None:
        yield sys.stdout
        return
    with whole_file(output) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        yield file


@contextmanager
def _report(path: Path | None, head: Sequence[str]) -> Iterator[Callable[[Sequence[str]], None]]:
    if path is None:
        yield lambda _: None
        return
    with table_at(path, TextTable) as table:
        table.add(head)
        yield table.add


@contextmanager
def _progress(what: str, size: int | None, done: Callable[[], int]) -> Iterator[Callable[[], None]]:
    """Show how far it is, on a terminal only: `done` of `size`, in whatever unit both are."""
    console = Console(stderr=True)
    shown = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rows]} rows"))
    with Progress(
        *shown, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=size, rows=0)
        count = 0

        def step() -> None:
            nonlocal count
            count += 1
            if count % 200 == 0:
                bar.update(task, completed=done() if size else 0, rows=count)

        yield step


def _meaning(code: str) -> str:
    return PROBLEMS.get(code, PROBLEMS["value_refused"])


def _conclude(
    done: str,
    told: Counter[tuple[str, str]],
    report: Path | None,
    meaning: Callable[[str], str],
    *,
    what: str = "cell",
) -> None:
    say(done, err=True)
    if not told:
        return
    total = sum(told.values())
    where = f"see {report}" if report is not None else "give --report for each"
    say(f"{total} {what}{' is' if total == 1 else 's are'} not there as told: {where}.", err=True)
    if report is None:
        for (column, code), count in told.most_common(20):
            say(f"  {count} × {' '.join(part for part in (column, code) if part)}: {meaning(code)}", err=True)


@contextmanager
def _documents(path: Path) -> Iterator[tuple[Iterator[tuple[int, Imported]], int | None, Callable[[], int]]]:
    """The documents of a file, its size in bytes where it has one, and how many bytes of it are read."""
    if str(path) == "-":
        yield _parsed(path, sys.stdin), None, lambda: 0
        return
    try:
        with path.open("rb") as raw, TextIOWrapper(raw, encoding="utf-8") as file:
            yield _parsed(path, file), path.stat().st_size, raw.tell
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}", "It should hold documents, one a line.") from None
    except UnicodeDecodeError:
        raise Failure(f"{path} is not UTF-8", "It should hold documents, one a line.") from None


def _parsed(path: Path, file: Iterable[str]) -> Iterator[tuple[int, Imported]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            yield number, Imported.model_validate_json(line)
        except ValidationError as error:
            raise Failure(
                f"line {number} of {path} is no document: {faults_of(error)}",
                'A document has "record" and may have "exchange". Nothing was written.',
            ) from None


@lru_cache(maxsize=1)
def _their_labels() -> dict[tuple[str, str], str]:
    lists = {each.column: each.code_list for each in fields()}
    labels = {(code.list, code.code): code.label for code in their_codes()}
    found: dict[tuple[str, str], str] = {}
    for column, name in lists.items():
        name = "country" if name.startswith("country") else name
        # Of gender the workbooks keep codes.
        if name and column != "prs_Gender":
            found |= {(column, code): text for (their, code), text in labels.items() if their == name}
    return found


def _head(sheet: Any, columns: Sequence[str], layout: LayoutChoice) -> None:
    sheet.add(columns, hidden=layout is LayoutChoice.toolkit)
    if layout is LayoutChoice.toolkit:
        labels = {each.column: each.label for each in fields()} | SHORT_LABELS
        sheet.add([labels[column] for column in columns])


def _cells(
    made: Exported, columns: Sequence[str], layout: LayoutChoice, *, single: bool, workbook: bool
) -> tuple[list[str], list[Loss]]:
    """The cells of a row in the layout, and what the layout loses."""
    labels = _their_labels() if layout is LayoutChoice.toolkit else {}
    cells, lost = [], {column: "layout" for column in made.row if column not in columns}
    dropped: set[tuple[str, str]] = set()
    for column in columns:
        value = made.row.get(column, "")
        values = value if isinstance(value, tuple) else (value,)
        if single:
            dropped |= {(column, other) for other in values[1:]}
            values = values[:1]
        cell = _JOINT.join(labels.get((column, each), each) for each in values)
        if workbook and len(cell) > WORKBOOK_CELL_MAX:
            lost[column] = "too_long"
            cell = ""
        cells.append(cell)
    losses = [
        Loss(pointer, lost.get(column, "single"))
        for pointer, (column, value) in made.carried.items()
        if column in lost or (column, value) in dropped
    ]
    return cells, losses

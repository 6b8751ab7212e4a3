"""Single cells: what a sheet that people keep by hand can hold where the standard has a date, a number, a code.

A reader returns the value as the record's models take it, or raises `Bad` with a code of `PROBLEMS`. Whether the value is
a good one (a phone number, a NIK, a country) is for the models to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final, Literal

from schemas.mappings.htcds.crosswalk import Read, key, words

Cell = str | int | float | bool | date | datetime | None
DateOrder = Literal["dmy", "mdy"]

PROBLEMS: Final[dict[str, str]] = {
    "boolean_form": "neither yes nor no",
    "column_not_recognised": "the column is none of HTCDS; nothing of it is read",
    "column_without_name": "the cell stands in a column without a name; nothing of it is read",
    "date_form": "no date that can be read one way only; say --date-order if the sheet is month-first",
    "digits_lost": "the sheet kept the number as a number and lost digits of it: ask for the original",
    "empty_header": "the column has no name; it was taken for the one the toolkit leaves unnamed",
    "excel_error": "an error of the sheet stands in the cell, or a formula that was never calculated, no value",
    "header_disagrees": "hidden name and visible label disagree; the label was followed, as whoever typed did",
    "leading_zero_lost": "it may have begun with a nought that the sheet dropped: ask for the original",
    "mislabelled_in_survey": "the survey form asks for the second name where it stores the title",
    "needs_a_name": "a form of address without a name",
    "needs_both": "a position has a latitude and a longitude",
    "not_a_nik": "no NIK, so kept as another paper; it will not be written as an identity number",
    "number_form": "not a whole number",
    "only_second_language": "no first language is given, so the second stands first",
    "read_as_narrower": "our code says more than theirs; look whether it is right",
    "read_as_year": "a year, kept as a year",
    "repeated_header": "the column stands there twice; only the first is read",
    "position_not_kept": "positions of persons and of organisations are not kept",
    "several_values": "several values where there can be one",
    "shuffled_address": "the names of the address columns are those the toolkit shuffled; they were read as labelled",
    "time_left_out": "a time stood beside the date, which was taken as it is written: by a clock elsewhere it may be the day before",
    "too_many_values": "more values than the record can hold",
    "unknown_code": "no value of the list",
    "unknown_country": "no country that exists",
    "unknown_language": "no language of ISO 639",
    "value_refused": "the record's own rule refuses it",
}
"""What can be wrong with a cell or a column. A refusal by a model has the model's own code instead."""


class Bad(Exception):
    """A cell that cannot be read."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


_ERRORS: Final = frozenset({"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"})
NOT_CALCULATED: Final = "#CALC!"
"""What is read of a formula without a result, which programs write that do not calculate."""
_EMPTY: Final = frozenset({"", "-", "–", "—", "n/a", "(blank)", "(kosong)"})
_WHOLE: Final = re.compile(r"[+-]?[0-9]+(?:[.,]0*)?")
_SCIENTIFIC: Final = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+")
_SEPARATORS: Final = re.compile(r"[;\n|]")
_SURE_DIGITS: Final = 15
"""What a spreadsheet keeps of a number; further digits become noughts."""


def text(cell: Cell) -> str:
    """A cell as text, without spaces around it; an error of the sheet is none."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    found = str(cell).replace("\r\n", "\n").replace("\r", "\n").strip()
    if found.upper() in _ERRORS:
        raise Bad("excel_error")
    return "" if found.casefold() in _EMPTY else found


def is_empty(cell: Cell) -> bool:
    """Whether nothing is said; an empty cell is absent, never a no."""
    try:
        return text(cell) == ""
    except Bad:
        return False


def is_error(cell: Cell) -> bool:
    """Whether a spreadsheet's word for an error stands there."""
    return isinstance(cell, str) and cell.strip().upper() in _ERRORS


def line(cell: Cell) -> str:
    """A text of one line; ends of lines inside a cell become commas."""
    return ", ".join(part.strip() for part in text(cell).split("\n") if part.strip())


def number_text(cell: Cell) -> str:
    """A number that is a name (of a paper, a phone, a postal code), unless the sheet has made a quantity of it."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        if isinstance(cell, float) and not cell.is_integer():
            raise Bad("digits_lost")
        digits = str(int(cell))
        if len(digits) > _SURE_DIGITS:
            raise Bad("digits_lost")
        return digits
    found = line(cell)
    if _SCIENTIFIC.fullmatch(found):
        raise Bad("digits_lost")
    return re.sub(r"(?<=[0-9])[.,]0+$", "", found) if re.fullmatch(r"[0-9]+[.,]0+", found) else found


_INTERNATIONAL: Final = re.compile(r"[1-79][0-9]{6,14}|8[0-9]{12,14}")


def phone(cell: Cell) -> str:
    """A phone number; E.164 without + gets it, unless a dropped nought would make it another number."""
    found = number_text(cell)
    digits = re.sub(r"[ ().\-]", "", found)
    if re.fullmatch(r"8[0-9]{7,11}", digits):
        raise Bad("leading_zero_lost")
    return f"+{digits}" if _INTERNATIONAL.fullmatch(digits) else found


def whole(cell: Cell) -> int:
    """A whole number."""
    found = text(cell)
    if isinstance(cell, bool) or not _WHOLE.fullmatch(found):
        raise Bad("number_form")
    return int(re.split("[.,]", found)[0])


def decimal(cell: Cell) -> float:
    """A number with a fraction, with a point or a comma."""
    try:
        return float(text(cell).replace(",", "."))
    except ValueError:
        raise Bad("number_form") from None


_YES: Final = frozenset({"true", "1", "yes", "y", "ya", "benar", "✓", "✔", "x"})
_NO: Final = frozenset({"false", "0", "no", "tidak", "salah", "✗"})


def flag(cell: Cell) -> bool:
    """A ticked box."""
    found = text(cell).casefold()
    if found in _YES:
        return True
    if found in _NO:
        return False
    raise Bad("boolean_form")


_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "jan januari january",
            "feb februari february pebruari",
            "mar maret march",
            "apr april",
            "mei may",
            "jun juni june",
            "jul juli july",
            "agu agt ags agustus aug august",
            "sep sept september",
            "okt oktober oct october",
            "nov november nopember",
            "des desember dec december",
        ),
        start=1,
    )
    for name in names.split()
}
_ISO: Final = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})(?:[T ][0-9:.]+(?:Z|[+-][0-9:]+)?)?")
_PARTS: Final = re.compile(r"([0-9]{1,2})[-/. ]([0-9]{1,2})[-/. ]([0-9]{4})(?: [0-9:.]+)?")
_WORDED: Final = re.compile(r"([0-9]{1,2})[-/. ]([A-Za-z]+)[-/. ,]+([0-9]{4})")
_YEAR: Final = range(1800, 2200)
_EPOCH: Final = date(1899, 12, 30)
"""Day nought of a workbook's calendar, for days after the 29 February 1900 it believes in."""


def day(cell: Cell, order: DateOrder = "dmy") -> str:
    """A date, ISO 8601. A partial one stays as it is written: whether the record takes it, its model says."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        if cell in _YEAR:
            return str(int(cell))
        if 60 < cell < 80_000:
            return (_EPOCH + timedelta(days=int(cell))).isoformat()
        raise Bad("date_form")
    found = text(cell)
    if whole_cell := _ISO.fullmatch(found):
        year, month, the_day = (int(part) for part in whole_cell.groups())
    elif whole_cell := _PARTS.fullmatch(found):
        first, second, year = (int(part) for part in whole_cell.groups())
        the_day, month = (first, second) if order == "dmy" else (second, first)
    elif whole_cell := _WORDED.fullmatch(found):
        the_day, year = int(whole_cell[1]), int(whole_cell[3])
        month = _MONTHS.get(whole_cell[2].casefold(), 0)
    elif re.fullmatch(r"[0-9]{5}(?:[.,][0-9]+)?", found):
        return day(float(found.replace(",", ".")), order)
    elif re.fullmatch(r"[0-9]{1,2}[-/. ].*", found):
        raise Bad("date_form")
    else:
        return found
    try:
        return date(year, month, the_day).isoformat()
    except ValueError:
        raise Bad("date_form") from None


_TIME: Final = re.compile(r"[T ](?=[0-9:.]*[1-9])[0-9]{1,2}:[0-9:.]+(?:Z|[+-][0-9:]+)?$|[0-9]{5}[.,][0-9]*[1-9][0-9]*$")


def has_time(cell: Cell) -> bool:
    """Whether a time stands beside a date: systems that keep midnight by UTC write the evening before, here in the east."""
    if isinstance(cell, datetime):
        return bool(cell.hour or cell.minute or cell.second)
    return _TIME.search(str(cell).strip()) is not None


def parts(cell: Cell | tuple[Cell, ...], known: Callable[[str], bool]) -> list[str]:
    """The values of a cell that may hold several: joined by semicolons in workbooks, by spaces in survey files.

    A value that is `known` as a whole is never taken apart: labels have commas and spaces in them.
    """
    if isinstance(cell, tuple):
        return [part for each in cell for part in parts(each, known)]
    found = text(cell)
    if not found or known(found):
        return [found] if found else []
    several = [part.strip() for part in _SEPARATORS.split(found) if part.strip()]
    unfolded: list[str] = []
    for part in several:
        for split in (part.split(","), part.split()):
            trimmed = [piece.strip() for piece in split if piece.strip()]
            if not known(part) and len(trimmed) > 1 and all(known(piece) for piece in trimmed):
                unfolded.extend(trimmed)
                break
        else:
            unfolded.append(part)
    return unfolded


def coded(cell: Cell | tuple[Cell, ...], their_list: str) -> list[tuple[str, Read | None]]:
    """The values of a cell of codes: each as it stands, with what it means; None where no list has it."""
    table = words(their_list)
    return [(part, table.get(key(part))) for part in parts(cell, lambda word: key(word) in table)]


_FORMULA: Final = re.compile(r"'*[=+\-@\t]")


def written(value: str) -> str:
    """A text for a text file a spreadsheet will open: what it would take for a formula begins with an apostrophe."""
    return f"'{value}" if _FORMULA.match(value) and not re.fullmatch(r"-?[0-9.]+(?:e-?[0-9]+)?", value) else value


def unwritten(cell: str) -> str:
    """A text as it was before it was `written`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell

"""The head of a sheet: which column is which field, however the toolkit, a survey tool or a hand has spelt it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from schemas.mappings.htcds import cells, names
from schemas.mappings.htcds.cells import Bad, Cell
from schemas.mappings.htcds.crosswalk import fields, key, words
from schemas.mappings.htcds.reading import KEPT, LEFT_OUT, Problem, Row

DEPTH: Final = 60
"""How many rows are looked at before any is read: titles, heads, and values enough to tell a shuffled address."""

_HEAD_WITHIN: Final = 15

TOOLKIT: Final = (
    "con_Consent",
    "cas_Status",
    "cas_CaseOwner",
    "prs_Salutation",
    "prs_FirstName",
    "prs_SecondName",
    "prs_Birthdate",
    "prs_Gender",
    "prs_Citizenship",
    "prs_Title",
    "prs_Email",
    "prs_HomePhone",
    "prs_MobilePhone",
    "prs_MailingStreet",
    "prs_MailingCity",
    "prs_MailingState",
    "prs_MailingPostalCode",
    "prs_MailingCountry",
    "vic_TraffickingStatus",
    "vic_TraffickingStatusDecisionMakingOrg",
    "vic_MethodOfRecruitment",
    "vic_LocationOfRecruitment",
    "vic_MethodsOfControl",
    "vic_TypeOfExploitation",
    "vic_ForcedLabourIndustry",
    "vic_TypeOfSexExploitation",
    "vic_LocationOfExploitation",
    "cas_ReasonForCaseClosure",
    "cas_ReferringOrganisation",
    "cas_IncomingReferralDate",
    "cas_ReferringPrimaryCaseWorker",
    "cas_ReasonForIncomingReferral",
    "cas_IncomingReferralDetails",
    "cas_ReferredOrganisation",
    "cas_ReferredPrimaryCaseWorker",
    "cas_ReasonForOutgoingReferral",
    "cas_OutgoingReferralDate",
    "cas_OutgoingReferralDetails",
)
"""The 38 columns of the toolkit's workbooks: the Core fields that are not deprecated. The address is in its visible order."""

SHORT_LABELS: Final[dict[str, str]] = {
    "prs_MailingStreet": "Street",
    "prs_MailingCity": "City",
    "prs_MailingState": "State",
    "prs_MailingPostalCode": "Postal Code",
    "prs_MailingCountry": "Country",
}
"""The labels the workbooks have where they are not the standard's."""

SHUFFLED: Final = (
    "prs_MailingCity",
    "prs_MailingCountry",
    "prs_MailingState",
    "prs_MailingStreet",
    "prs_MailingPostalCode",
)
"""The hidden names of the workbooks' address columns N to R; what people type there follows the labels, as in `SHORT_LABELS`."""

_UNSURE: Final = frozenset({"Type", "Longitude", "Latitude", "Phone", "Date", "City", "Country", "State", "Street"})
"""Labels of several fields, or of so little meaning that any sheet may have them for something else."""

_ALSO_CALLED: Final = {"prs_Nationality": "prs_Citizenship", "vic_AgeAtEntryIntoTrafficking": "vic_AgeWhenTrafficked"}
"""Names of earlier versions of the standard."""

_SURVEY_SPELLING: Final = frozenset({"prs_First_Name", "prs_Second_Name", "vic_Methods_of_Control"})


def _words(text: str) -> list[str]:
    return text.split()


_OF_THE_TOOL: Final = frozenset(
    key(name)
    for name in _words(
        "start end today deviceid subscriberid simserial phonenumber username __version__ instanceID instanceName meta KEY "
        "SubmissionDate SubmitterID SubmitterName AttachmentsPresent AttachmentsExpected ReviewState DeviceID Edits "
        "FormVersion _id _uuid _submission_time _validation_status _notes _status _submitted_by _tags _index _parent_index "
        "_parent_table_name _attachments _xform_id_string formhub/uuid meta/instanceID meta/rootUuid No # Nr Number Nomor"
    )
)
"""Columns a survey tool or a sheet keeps for itself; they say nothing of the person, and are passed over without a word."""


class DuplicatedColumns(Exception):
    """Several columns of a sheet are the same field."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        super().__init__(", ".join(columns))


@dataclass(frozen=True)
class Slot:
    """What a column of the sheet holds: a field, or one choice of a field whose choices have a column each."""

    column: str
    choice: str | None = None


@dataclass
class Layout:
    """The head of a sheet, understood."""

    slots: dict[int, Slot]
    first_row: int
    """The index of the first row after the head."""
    survey: bool = False
    problems: list[Problem] = field(default_factory=list)
    headed: set[int] = field(default_factory=set)
    """The columns with a head that holds no field."""

    def row(self, values: Sequence[Cell], number: int) -> tuple[Row, list[Problem]]:
        """The cells of a row by field, and what was wrong with those that are a choice each."""
        found: dict[str, Cell | tuple[Cell, ...]] = {}
        problems = []
        for at, slot in self.slots.items():
            cell = values[at] if at < len(values) else None
            if cells.is_empty(cell):
                continue
            if slot.choice is None:
                before = found.get(slot.column)
                found[slot.column] = cell if before is None else (cell, *_several(before))
                continue
            try:
                chosen = cells.flag(cell)
            except Bad as bad:
                problems.append(Problem(number, slot.column, bad.code, LEFT_OUT))
                continue
            if chosen:
                found[slot.column] = (*_several(found.get(slot.column)), slot.choice)
        problems += [
            Problem(number, f"column {_letters(at)}", "column_without_name", LEFT_OUT)
            for at, cell in enumerate(values)
            if at not in self.slots and at not in self.headed and not cells.is_empty(cell)
        ]
        return found, problems


def _letters(at: int) -> str:
    """A column as spreadsheets call it."""
    found = ""
    while at >= 0:
        found = chr(ord("A") + at % 26) + found
        at = at // 26 - 1
    return found


def _several(cell: Cell | tuple[Cell, ...]) -> tuple[Cell, ...]:
    return cell if isinstance(cell, tuple) else () if cell is None else (cell,)


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    found = {key(other): column for other, column in _ALSO_CALLED.items()}
    for each in fields():
        if each.kind == "field":
            for name in (each.column, each.xlsform_name, each.excel_name):
                if name:
                    found[key(name)] = each.column
    return found


@lru_cache(maxsize=1)
def _labels() -> dict[str, str]:
    found = {key(label): column for column, label in SHORT_LABELS.items()}
    found |= {key("Nationality"): "prs_Citizenship", key("Case Comments"): "cco_CaseComment"}
    for each in fields():
        if each.kind == "field" and each.label and each.label not in _UNSURE:
            found.setdefault(key(each.label), each.column)
            found.setdefault(key(each.label.replace("/Province", "").replace("Zip/", "")), each.column)
    return found


def _said(cell: Cell) -> str:
    try:
        return cells.text(cell)
    except Bad:
        return ""


def _choice(column: str | None, word: str) -> Slot | None:
    """One choice of a field, if it is one."""
    if column is None:
        return None
    code_list = next(each.code_list for each in fields() if each.column == column)
    known = (
        names.country(word) if column == "prs_Citizenship" else words(code_list).get(key(word)) if code_list else None
    )
    return Slot(column, word) if known is not None else None


def by_name(cell: Cell) -> Slot | None:
    """The field of that name, also inside groups of a survey (`person/prs_First_Name`), or one of its choices."""
    said = _said(cell)
    if (column := _names().get(key(said))) is not None:
        return Slot(column)
    pieces = [piece.strip() for piece in re.split(r"[/.:-]", said) if piece.strip()]
    if len(pieces) < 2:
        return None
    if (column := _names().get(key(pieces[-1]))) is not None:
        return Slot(column)
    return _choice(_names().get(key(pieces[-2])), pieces[-1])


def by_label(cell: Cell) -> Slot | None:
    """The field of that label, or one of its choices (`Type of Exploitation/Forced labour`)."""
    said = _said(cell)
    if (column := _labels().get(key(said))) is not None:
        return Slot(column)
    left, stroke, right = said.rpartition("/")
    return _choice(_labels().get(key(left)), right) if stroke else None


def recognise(rows: Sequence[Sequence[Cell]]) -> Layout | None:
    """Find the head among the first rows of a sheet: names, labels, or hidden names above visible labels."""
    best: tuple[int, int] = (0, -1)
    for at, row in enumerate(rows[:_HEAD_WITHIN]):
        count = sum(1 for cell in row if by_name(cell) or by_label(cell))
        if count > best[0]:
            best = (count, at)
    count, at = best
    # One label alone is a word that any sheet may have, unless there is nothing else.
    if count == 0 or (count == 1 and not any(map(by_name, rows[at])) and sum(map(bool, map(_said, rows[at]))) > 1):
        return None
    rows_of_names = [at] if _counts(rows[at])[0] >= _counts(rows[at])[1] else []
    rows_of_labels = [at] if not rows_of_names else []
    for beside in (at - 1, at + 1):
        if 0 <= beside < len(rows) and (kind := _kind(rows[beside])) is not None:
            if kind == "names" and not rows_of_names:
                rows_of_names = [beside]
            elif kind == "labels" and not rows_of_labels:
                rows_of_labels = [beside]
    head = [*rows_of_names, *rows_of_labels]
    layout = _Head(
        rows[rows_of_names[0]] if rows_of_names else (),
        rows[rows_of_labels[0]] if rows_of_labels else (),
        number=max(head) + 1,
    ).layout()
    layout.first_row = max(head) + 1
    if rows_of_names and not rows_of_labels:
        _unshuffle(layout, rows[layout.first_row :])
    return layout


def _counts(row: Sequence[Cell]) -> tuple[int, int]:
    """How many cells of a row are names of fields, and how many labels."""
    return sum(1 for cell in row if by_name(cell)), sum(1 for cell in row if by_label(cell))


def _kind(row: Sequence[Cell]) -> str | None:
    """Whether a row is one of names or of labels: at least half of what stands there is, and two of it."""
    filled = sum(1 for cell in row if _said(cell))
    by_names, by_labels = _counts(row)
    most = max(by_names, by_labels)
    if most == 0 or most * 2 < filled or (most < 2 and filled > 1):
        return None
    return "names" if by_names >= by_labels else "labels"


@dataclass
class _Head:
    named: Sequence[Cell]
    labelled: Sequence[Cell]
    number: int

    def layout(self) -> Layout:
        layout = Layout({}, 0)
        width = max(len(self.named), len(self.labelled))
        agreed = {name.column for at in range(width) if (name := self.name(at)) is not None and name == self.label(at)}
        for at in range(width):
            name, label = self.name(at), self.label(at)
            slot = name or label
            if name is not None and label is not None and name != label:
                if label.column in agreed:
                    # Trap 5: the survey form labels prs_Title "Second Name".
                    layout.survey = layout.survey or name.column == "prs_Title"
                else:
                    slot = label
                    layout.problems.append(Problem(self.number, label.column, "header_disagrees", KEPT))
            if slot is not None:
                layout.slots[at] = slot
        self.nameless(layout, width)
        layout.survey = layout.survey or any(self.survey_spelling())
        self.once(layout)
        for at in range(width):
            said = self.said(self.labelled, at) or self.said(self.named, at)
            if at in layout.slots or not said:
                continue
            layout.headed.add(at)
            if not _is_of_the_tool(said):
                layout.problems.append(Problem(self.number, said[:100], "column_not_recognised", LEFT_OUT))
        return layout

    @staticmethod
    def said(row: Sequence[Cell], at: int) -> str:
        return _said(row[at]) if at < len(row) else ""

    def name(self, at: int) -> Slot | None:
        if at >= len(self.named):
            return None
        return by_name(self.named[at]) or (None if self.labelled else by_label(self.named[at]))

    def label(self, at: int) -> Slot | None:
        if at >= len(self.labelled):
            return None
        return by_label(self.labelled[at]) or (None if self.named else by_name(self.labelled[at]))

    def survey_spelling(self) -> Iterable[bool]:
        for cell in self.named:
            yield re.split(r"[/.:-]", _said(cell))[-1].strip() in _SURVEY_SPELLING

    def nameless(self, layout: Layout, width: int) -> None:
        """Trap 2: the workbooks leave the name of the outgoing referral's reason empty."""
        column = "cas_ReasonForOutgoingReferral"
        if any(slot.column == column for slot in layout.slots.values()):
            return
        for at in range(1, width - 1):
            beside = (layout.slots.get(at - 1), layout.slots.get(at + 1))
            if (
                at not in layout.slots
                and not self.said(self.named, at)
                and not self.said(self.labelled, at)
                and beside == (Slot("cas_ReferredPrimaryCaseWorker"), Slot("cas_OutgoingReferralDate"))
            ):
                layout.slots[at] = Slot(column)
                layout.problems.append(Problem(self.number, column, "empty_header", KEPT))

    def once(self, layout: Layout) -> None:
        """A field has one column, or one for each of its choices."""
        seen: set[Slot] = set()
        twice: list[str] = []
        for at, slot in layout.slots.items():
            if slot not in seen:
                seen.add(slot)
            elif slot == Slot("prs_SecondName") and Slot("prs_Title") not in layout.slots.values():
                # Trap 5 again, in a file with labels only: the second "Second Name" is where the form stores the title.
                layout.slots[at] = Slot("prs_Title")
                layout.survey = True
            else:
                twice.append(slot.column)
        if twice:
            raise DuplicatedColumns(list(dict.fromkeys(twice)))


def _is_of_the_tool(said: str) -> bool:
    return key(said) in _OF_THE_TOOL or key(re.split(r"[/.:-]", said)[-1]) in _OF_THE_TOOL or key(said) == ""


def _unshuffle(layout: Layout, rows: Sequence[Sequence[Cell]]) -> None:
    """Trap 4 without the labels: if countries stand under the name of the postal code, the names are the shuffled ones."""
    at = {slot.column: index for index, slot in layout.slots.items() if slot.choice is None}
    places = [at.get(column) for column in SHUFFLED]
    first = places[0]
    if first is None or places != list(range(first, first + len(SHUFFLED))):
        return

    def countries(column: str) -> int:
        return sum(1 for row in rows if at[column] < len(row) and names.country(_said(row[at[column]])) is not None)

    if countries("prs_MailingPostalCode") > countries("prs_MailingCountry"):
        for offset, column in enumerate(SHORT_LABELS):
            layout.slots[first + offset] = Slot(column)
        layout.problems.append(Problem(layout.first_row, "prs_MailingStreet", "shuffled_address", KEPT))

"""Sheets in the toolkit's layout, made for the tests; the people in them are invented."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from schemas.mappings.htcds.crosswalk import fields
from schemas.mappings.htcds.headers import SHORT_LABELS, SHUFFLED, TOOLKIT
from tests.app.cli.conftest import Machine

LABELS = {each.column: each.label for each in fields()} | SHORT_LABELS
HIDDEN = {
    **{column: column for column in TOOLKIT},
    **dict(zip(SHORT_LABELS, SHUFFLED, strict=True)),
    "vic_TraffickingStatusDecisionMakingOrg": "vic_TraffickinStatusDecisionMakingOrg",
    "cas_ReasonForOutgoingReferral": None,
}
"""The hidden names of the toolkit's workbooks, with its mistakes."""

PERSON: dict[str, Any] = {
    "con_Consent": "Yes",
    "cas_Status": "Follow up",
    "prs_FirstName": "Surya",
    "prs_Gender": "Masculine\u00a0",
    "prs_Citizenship": "Indonesia",
    "prs_MailingStreet": "Jl. Contoh 1",
    "prs_MailingCity": "Ambon",
    "prs_MailingState": "Maluku",
    "prs_MailingPostalCode": 97123,
    "prs_MailingCountry": "Indonesia",
    "vic_TraffickingStatusDecisionMakingOrg": "Police",
    "vic_MethodsOfControl": "Debt bondage; False promises ; Withholds documents",
    "vic_ForcedLabourIndustry": "Agriculture, forestry and fishing; Construction",
    "cas_ReasonForOutgoingReferral": "Migration Or Change Of Location",
}


@dataclass
class Read:
    """What an import gave."""

    documents: list[dict[str, Any]]
    problems: list[dict[str, str]]
    said: str

    @property
    def record(self) -> dict[str, Any]:
        return self.documents[0]["record"]

    @property
    def exchange(self) -> dict[str, Any]:
        return self.documents[0]["exchange"]

    def codes(self, column: str) -> list[str]:
        """What was reported of a column."""
        return [problem["code"] for problem in self.problems if problem["column"] == column]


class Desk:
    """A folder with sheets, and the commands run on them."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine, self.folder = machine, folder

    def read(self, sheet: Path, *options: str) -> Read:
        """Import a sheet."""
        output, report = self.folder / "out.ndjson", self.folder / "report.csv"
        ended = self.machine.run(
            "schema", "import-htcds", str(sheet), "--output", str(output), "--report", str(report), *options
        )
        assert ended.code == 0, ended.err
        with report.open(encoding="utf-8-sig", newline="") as file:
            problems = list(csv.DictReader(file))
        lines = output.read_text(encoding="utf-8").splitlines()
        return Read([json.loads(line) for line in lines], problems, ended.err)

    def text(
        self, *rows: Sequence[str], encoding: str = "utf-8", separator: str = ",", name: str = "sheet.csv"
    ) -> Path:
        """A text file."""
        path = self.folder / name
        with path.open("w", encoding=encoding, newline="") as file:
            csv.writer(file, delimiter=separator).writerows(rows)
        return path

    def one(self, row: dict[str, str], *options: str) -> Read:
        """Import one row of text, under the names given."""
        return self.read(self.text(list(row), list(row.values())), *options)

    def workbook(self, *rows: Sequence[Any], hidden: bool = False, name: str = "sheet.xlsx") -> Path:
        """A workbook, with the sheet of lists the toolkit has."""
        book = Workbook()
        lists = book.create_sheet("Validation", 0)
        lists.append(["Gender", "Yes", "No"])
        sheet = book.create_sheet("HTCDS", 1)
        for row in rows:
            sheet.append(list(row))
        sheet.row_dimensions[1].hidden = hidden
        del book["Sheet"]
        path = self.folder / name
        book.save(path)
        return path

    def toolkit(self, *people: dict[str, Any]) -> Path:
        """A workbook of the toolkit: hidden names with its mistakes, above visible labels."""
        return self.workbook(
            [HIDDEN[column] for column in TOOLKIT],
            [LABELS[column] for column in TOOLKIT],
            *([person.get(column) for column in TOOLKIT] for person in people),
            hidden=True,
        )

"""The threat model is true: every test and file it names is there, and every threat has a test or a reason why it is borne."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if re.match(r"\| [STRIDE]\d+ \|", line)
]
NOT_YET = {"T1", "T17", "R1", "I2", "I18", "I27", "I28", "I29", "I36", "D9"}
"""Threats whose counter-measure is being built: `–` instead of a test. None is left when it is whole."""


@cache
def named(file: str) -> set[str]:
    """Every test of a file, as pytest writes it."""
    found: set[str] = set()
    for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}::{each.name}"
                for each in node.body
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return found


def named_tests(cell: str) -> list[str]:
    return re.findall(r"`(tests/[^`]+)`", cell)


def test_every_row_can_be_read_and_its_id_stands_once():
    assert len(ROWS) >= 45
    assert [row[0] for row in ROWS if len(row) != 4] == []
    ids = [row[0] for row in ROWS]
    for letter in "STRIDE":
        numbers = [int(each[1:]) for each in ids if each[0] == letter]
        assert numbers == [*range(1, len(numbers) + 1)], letter
        assert numbers, letter


def test_every_threat_has_a_test_or_a_reason_to_bear_it():
    bare = {row[0] for row in ROWS if not named_tests(row[3]) and not re.search(r"\*\*accepted\*\*: .{20,}", row[3])}
    assert bare == NOT_YET
    assert {row[0] for row in ROWS if row[3] == "–"} == bare


def test_every_test_it_names_is_there():
    missing = []
    for row in ROWS:
        for test in named_tests(row[3]):
            file, _, name = test.partition("::")
            if (
                not (ROOT / file).is_file()
                or name not in named(file)
                or not name.rpartition("::")[2].startswith("test_")
            ):
                missing.append((row[0], test))
    assert missing == []


def test_every_threat_names_the_code_against_it_and_it_is_there():
    assert [row[0] for row in ROWS if row[0] not in NOT_YET and not paths(row)] == []
    assert [(row[0], path) for row in ROWS for path in paths(row) if not (ROOT / path).exists()] == []


def paths(row: list[str]) -> list[str]:
    """The files and folders a row's counter-measure stands in."""
    return [each for each in re.findall(r"`([\w./-]+)`", row[2]) if "/" in each or each.endswith(".txt")]

"""The page on the law is true: what it names is there, and every duty has a test, or says whose duty it stays."""

from __future__ import annotations

import json
import re

from tests.makers.named_tests import ROOT, missing_tests, named_tests, rows

ROWS = rows("docs/protection.md", r"[PTIC]\d+")
DUTIES = {
    "P": [2, 4, *range(5, 17), *range(20, 27), *range(30, 47), 51, 52, 53, 54, 56],
    "T": [24, 44, 45, 46, 47, 48, 51, 52, 54],
    "I": [*range(1, 14)],
    "C": [*range(1, 17)],
}
"""What each table must have: articles of UU 27/2022 and UU 21/2007 (48 stands for 48 to 50, 51 for 51 to 53), principles, lines of the checklist."""


def test_every_duty_has_one_row():
    assert [row[0] for row in ROWS if len(row) != 4] == []
    assert [row[0] for row in ROWS] == [f"{letter}{number}" for letter, numbers in DUTIES.items() for number in numbers]


def test_every_duty_has_a_test_or_says_whose_it_stays():
    stays = re.compile(r"\*\*stays\*\*: .{15,}")
    assert [row[0] for row in ROWS if not named_tests(row[3]) and not stays.search(row[3])] == []


def test_every_test_it_names_is_there():
    assert missing_tests(ROWS) == []


def test_every_operation_it_names_is_there():
    paths = json.loads((ROOT / "openapi" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    there = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    named = {(row[0], each) for row in ROWS for each in re.findall(r"`((?:GET|POST|PUT) /v1/[^`]*)`", row[2])}
    assert len(named) >= 15
    assert [each for each in sorted(named) if each[1] not in there] == []

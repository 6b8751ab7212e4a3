"""The threat model is true: every test and file it names is there, and every threat has a test or a reason why it is borne."""

from __future__ import annotations

import re

from tests.makers.named_tests import ROOT, missing_tests, named_tests, rows

ROWS = rows("docs/threat-model.md", r"[STRIDE]\d+")


def test_every_row_can_be_read_and_its_id_stands_once():
    assert len(ROWS) >= 45
    assert [row[0] for row in ROWS if len(row) != 4] == []
    ids = [row[0] for row in ROWS]
    for letter in "STRIDE":
        numbers = [int(each[1:]) for each in ids if each[0] == letter]
        assert numbers == [*range(1, len(numbers) + 1)], letter
        assert numbers, letter


def test_every_threat_has_a_test_or_a_reason_to_bear_it():
    accepted = re.compile(r"\*\*accepted\*\*: .{20,}")
    assert [row[0] for row in ROWS if not named_tests(row[3]) and not accepted.search(row[3])] == []


def test_every_test_it_names_is_there():
    assert missing_tests(ROWS) == []


def test_every_threat_names_the_code_against_it_and_it_is_there():
    assert [row[0] for row in ROWS if not paths(row)] == []
    assert [(row[0], path) for row in ROWS for path in paths(row) if not (ROOT / path).exists()] == []


def paths(row: list[str]) -> list[str]:
    """The files and folders a row's counter-measure stands in."""
    return [each for each in re.findall(r"`([\w./-]+)`", row[2]) if "/" in each or each.endswith(".txt")]

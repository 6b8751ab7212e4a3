"""Tables of a page whose rows name tests: what stands in them, and which of the tests they name are not there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


def rows(page: str, ids: str) -> list[list[str]]:
    """The cells of every row of a table of `page` whose first cell fits the pattern `ids`."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / page).read_text(encoding="utf-8").splitlines()
        if re.match(rf"\| {ids} \|", line)
    ]


def named_tests(cell: str) -> list[str]:
    """The tests a cell names, as pytest writes them."""
    return re.findall(r"`(tests/[^`]+)`", cell)


def missing_tests(table: Iterable[list[str]]) -> list[tuple[str, str]]:
    """Of the tests in the last cells those that are not there, each with the id of its row."""
    return [(row[0], test) for row in table for test in named_tests(row[-1]) if not _is_there(test)]


def _is_there(test: str) -> bool:
    file, _, name = test.partition("::")
    return (ROOT / file).is_file() and name in _tests_of(file)


@cache
def _tests_of(file: str) -> set[str]:
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
    return {name for name in found if name.rpartition("::")[2].startswith("test_")}

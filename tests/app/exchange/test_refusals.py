"""What the database refuses: every code is known to the service that calls the function which raises it, and means one thing."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from pathlib import Path

import asyncpg
import pytest

import app
import auth
from app.exchange.passing import refusals

ROOTS = (Path(app.__file__).parent, Path(auth.__file__).parent)
SQL = ROOTS[0] / "migrations" / "sql"
CODE = re.compile(r"RJ\d{3}")
FUNCTION = re.compile(r"^CREATE FUNCTION (\w+)\(", re.M)
SHARED = set(refusals.REFUSALS) | {"RJ021", "RJ409"}
"""What `refusals.problem_of` knows."""
BY_ALL = {"RJ401", "RJ403"}
"""Raised where an act begins, and known to `app.dependencies`, by which every act goes."""


def functions() -> dict[str, str]:
    """Each function of the database with its text."""
    found: dict[str, str] = {}
    for file in SQL.glob("*.sql"):
        starts = list(FUNCTION.finditer(text := file.read_text()))
        ends = [*(each.start() for each in starts[1:]), len(text)]
        found |= {
            start[1]: re.sub(r"--.*", "", text[start.start() : end]).partition("$$;")[0]
            for start, end in zip(starts, ends, strict=False)
        }
    return found


def raised_by(texts: dict[str, str]) -> dict[str, set[str]]:
    """The codes that each function raises, by itself or by those it calls."""
    codes = {name: set(CODE.findall(text)) for name, text in texts.items()}
    calls = {name: {each for each in re.findall(r"\b(\w+)\(", text) if each in texts} for name, text in texts.items()}
    changed = True
    while changed:
        changed = False
        for name, called in calls.items():
            more = codes[name].union(*(codes[each] for each in called))
            changed |= more != codes[name]
            codes[name] = more
    return codes


def test_every_code_that_a_function_raises_is_known_to_the_service_that_calls_it() -> None:
    codes = raised_by(functions())
    assert len(codes) > 200
    assert codes["send"] > {"RJ010", "RJ020", "RJ021", "RJ404"}
    unknown: dict[str, set[str]] = defaultdict(set)
    folders = {file.parent for root in ROOTS for file in root.rglob("*.py") if "migrations" not in file.parts}
    asked = 0
    for folder in sorted(folders):
        text = "\n".join(file.read_text() for file in sorted(folder.glob("*.py")))
        known = set(CODE.findall(text)) | BY_ALL | (SHARED if "problem_of(" in text else set())
        for name in sorted(
            {each for each in re.findall(r"(?:SELECT|FROM) (?:\* FROM )?(\w+)\(", text) if each in codes}
        ):
            asked += 1
            unknown[f"{folder.relative_to(ROOTS[0].parent)}: {name}"] |= codes[name] - known
    assert asked > 100
    assert {where: sorted(found) for where, found in unknown.items() if found} == {}


def test_every_code_means_one_thing() -> None:
    """Those of a service of its own mean nothing to the others."""
    own = defaultdict(set)
    for root in ROOTS:
        for file in root.rglob("*.py"):
            if "migrations" not in file.parts:
                for code in CODE.findall(file.read_text()):
                    own[code].add(file.parent.name)
    everywhere = {"RJ010", "RJ011", "RJ404"}
    assert {code: found for code, found in own.items() if len(found) > 1 and code not in everywhere} == {}
    raised = {code for text in functions().values() for code in CODE.findall(text)}
    assert raised - set(own) == set(), "raised, and nobody knows what it means"
    assert set(own) - raised == set(), "known, and never raised"


def test_a_code_that_nobody_knows_is_a_fault_of_the_exchange_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    error = asyncpg.PostgresError("a name that nobody should read in a log")
    error.sqlstate = "RJ999"
    with caplog.at_level(logging.ERROR), pytest.raises(refusals.UnknownRefusalError, match="RJ999") as raised:
        refusals.problem_of(error)
    assert raised.value.__cause__ is error
    assert "RJ999" in caplog.text
    assert "a name" not in caplog.messages[0]
    error.sqlstate = "23505"
    assert refusals.problem_of(error) is None

"""The integrators' page is true: its example runs, its tables are complete."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import httpx
import pytest

from app.foundation.problems import all_problems
from auth.problems import NotLetIn

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "oauth.md").read_text()


async def test_the_worked_example_works(world, party, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names = {}
    exec(compile(code, "docs/oauth.md", "exec"), names)
    monkeypatch.setattr(httpx, "AsyncClient", functools.partial(httpx.AsyncClient, transport=world.http._transport))
    registered = type(party.credentials.signing_key().key).import_key(dict(party.credentials.private_jwk))
    reply = await names["call"](party.issuer, party.client_id, registered, "/v1/probe")
    assert (reply.status_code, reply.json()["client_id"]) == (200, party.client_id)


ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.partition("## What must hold")[2].partition("## Choices")[0].splitlines()
    if line.startswith("| ") and not line.startswith(("| | ", "| public", "| check"))
]
STATEMENTS = [row for row in ROWS if len(row) == 4]


def names(tree: ast.AST) -> set[str]:
    """Every function, method and class of a file, as pytest writes them."""
    found = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found |= {node.name} | {f"{node.name}::{inner}" for inner in names(node)}
    return found


@pytest.mark.parametrize(
    "path", sorted({path for row in ROWS for path in re.findall(r"`([\w/]+\.py(?:::\w+)*)`", row[2])})
)
def test_every_test_it_names_is_there(path):
    file, _, name = path.partition("::")
    source = ROOT / "tests" / file
    assert source.exists()
    if name:
        assert name in names(ast.parse(source.read_text()))


@pytest.mark.parametrize("row", STATEMENTS, ids=lambda row: row[0])
def test_every_statement_has_tests_and_code_or_is_not_held_yet(row):
    _, statement, tests, code = row
    if tests == "–":
        assert "**Not yet" in statement
        assert code == "–"
        return
    assert re.fullmatch(r"`[^`]+\.py[^`]*`(, `[^`]+\.py[^`]*`)*", tests)
    for name, within in re.findall(r"`([\w/]+\.(?:py|sql))`(?: \(`(\w+)`\))?", code):
        file = ROOT / name if name.startswith("app/") else ROOT / "auth" / name
        assert within in file.read_text()


def test_the_statements_are_numbered_without_a_gap():
    numbers = [row[0] for row in STATEMENTS]
    assert numbers == [*(str(number) for number in range(1, 20)), "20–21", "–", "–"]


REPORTS = re.findall(
    r"\S+",
    """
authlib#654 CVE-2024-37568 CVE-2025-59420 CVE-2025-61920 authlib#830 CVE-2026-27962 authlib#730 CVE-2020-5300 hydra#3255
hydra#1618 hydra#3136 hydra#3441 hydra#3030 hydra#2682 keycloak#38576 keycloak#38751 keycloak#43984 CVE-2025-27370 CVE-2025-27371
keycloak#43505 keycloak#38333 keycloak#39332 keycloak#27013 keycloak#14263 keycloak#30599 keycloak#6212 keycloak#7457
CVE-2026-1180 keycloak#53079 f167233 dbf6bfc 3f1baef f1bb868 b72d668 node-oidc-provider#144 django-oauth-toolkit#64
django-oauth-toolkit#60 django-oauth-toolkit#1664 django-oauth-toolkit#698 polar#11422 polar#12355 quarkus#48110 go-dpop#9
inji-certify#1000 better-auth#10987 SUNET/vc#486
""",
)


@pytest.mark.parametrize("report", REPORTS)
def test_every_public_report_is_tried_here(report):
    rows = [row for row in ROWS if len(row) == 3 and re.search(rf"(?<![\w#]){re.escape(report)}(?!\d)", row[0])]
    assert rows
    assert all(".py" in row[2] or row[2].startswith("–") for row in rows)


def checks(cell: str) -> set[str]:
    """`A7–A10, G3` as what it stands for."""
    found = set()
    for part in cell.split(", "):
        first, _, last = part.partition("–")
        letter = first[0]
        found |= {f"{letter}{number}" for number in range(int(first[1:]), int((last or first)[1:]) + 1)}
    return found


def test_the_checklist_of_fapi_is_whole():
    rows = [row for row in ROWS if len(row) == 3 and re.fullmatch(r"[TAZRDKG]\d.*", row[0])]
    assert all(".py" in row[2] for row in rows)
    listed = [each for row in rows for each in checks(row[0])]
    assert len(listed) == len(set(listed))
    wanted = {"T1", "T2", "T4", "K1", "K2", "K3"} | checks("A1–A21, Z1–Z8, R1–R9, D1–D9, G1–G6")
    assert wanted <= set(listed)


@pytest.mark.parametrize("problem", [problem for problem in all_problems() if issubclass(problem, NotLetIn)])
def test_every_problem_is_in_its_table(problem):
    assert f"`/problems/{problem.type}`" in TEXT


@pytest.mark.parametrize("file", sorted((ROOT / "auth").rglob("*.py")), ids=lambda path: path.name)
def test_every_error_code_is_in_its_table(file):
    for code in re.findall(r'error = "(\w+)"', file.read_text()):
        assert f"`{code}`" in TEXT

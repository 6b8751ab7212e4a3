"""The integrators' page is true: its example runs, its tables are complete."""

from __future__ import annotations

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


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:conformance|auth)/[\w/.]+)`", TEXT))))
def test_every_test_it_names_is_there(path):
    assert (ROOT / "tests" / path).exists()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:\w+/)?\w+\.(?:py|sql))`", TEXT))))
def test_every_file_it_names_is_there(name):
    folders = (ROOT / "auth", ROOT / "app" / "migrations" / "sql", ROOT, ROOT / "tests")
    assert any((folder / name).exists() for folder in folders)


@pytest.mark.parametrize("problem", [problem for problem in all_problems() if issubclass(problem, NotLetIn)])
def test_every_problem_is_in_its_table(problem):
    assert f"`/problems/{problem.type}`" in TEXT


@pytest.mark.parametrize("file", sorted((ROOT / "auth").rglob("*.py")), ids=lambda path: path.name)
def test_every_error_code_is_in_its_table(file):
    for code in re.findall(r'error = "(\w+)"', file.read_text()):
        assert f"`{code}`" in TEXT

"""What the guard remembers, and what it shows in OpenAPI."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from app.foundation.problems import all_problems
from auth import jose
from auth.caller import Caller
from auth.directory import AgencyEntry
from auth.guard import AccessToken, VerifiedTokens
from auth.problems import NotLetIn
from auth.scopes import DESCRIPTIONS, Scope, UnknownScopeError, parse_scope, scope_text


def token(ath):
    at = datetime(2026, 11, 25, tzinfo=UTC)
    return AccessToken("k", "c", "ck", "a", frozenset(), "t", at, at, "j", ath)


class TestVerifiedTokens:
    def test_the_one_not_seen_for_longest_is_forgotten(self):
        tokens = VerifiedTokens(size=2)
        for name in "ab":
            tokens.put(token(name))
        assert tokens.get("a")
        tokens.put(token("c"))
        assert (tokens.get("a"), tokens.get("b"), tokens.get("c")) == (token("a"), None, token("c"))

    def test_it_never_grows_beyond_its_size(self):
        tokens = VerifiedTokens(size=10)
        for number in range(1000):
            tokens.put(token(str(number)))
        assert len(tokens._tokens) == 10


async def test_a_tokens_signature_is_verified_once(party, monkeypatch):
    await party.call()
    value = await party.token()
    await party.call(token=value)
    seen = []
    real = jose.parse
    monkeypatch.setattr(jose, "parse", lambda *args: seen.append(args) or real(*args))
    assert (await party.call(token=value)).status_code == 200
    assert seen == []


async def test_a_refused_token_is_not_remembered(world, party):
    value = (await party.token())[:-8] + "AAAAAAAA"
    before = len(world.app.state.verified_tokens._tokens) if hasattr(world.app.state, "verified_tokens") else 0
    await party.call(token=value)
    assert len(world.app.state.verified_tokens._tokens) == before


async def test_the_caller_is_left_for_the_log_of_refusals(world, party):
    token = await party.token(scope="events.read")
    assert (await party.call(token=token)).status_code == 403


def test_a_caller_cannot_be_changed_and_hides_its_proof():
    agency = AgencyEntry(None, "a", "A", "k", None, "ID", None, "active")
    caller = Caller(
        "c",
        agency,
        frozenset(),
        b"secret hash",
        datetime(2026, 11, 25, tzinfo=UTC),
        datetime(2026, 11, 25, tzinfo=UTC),
        "r",
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        caller.client_id = "other"
    assert "secret hash" not in repr(caller)


def test_openapi_shows_the_scopes_of_each_route(world):
    schema = world.app.openapi()
    assert schema["paths"]["/v1/probe"]["get"]["security"] == [{"oauth2": ["cases.read"]}]
    assert schema["paths"]["/v1/probe"]["post"]["security"] == [{"oauth2": ["cases.write", "consents.write"]}]
    scheme = schema["components"]["securitySchemes"]["oauth2"]
    assert scheme["flows"]["clientCredentials"]["tokenUrl"] == "/oauth2/token"
    assert set(scheme["flows"]["clientCredentials"]["scopes"]) == set(Scope)
    assert not any(path.startswith("/oauth2") for path in schema["paths"])


class TestScopes:
    def test_each_is_described(self):
        assert set(DESCRIPTIONS) == set(Scope)

    def test_text_and_back(self):
        scopes = frozenset({Scope.cases_write, Scope.cases_read})
        assert scope_text(scopes) == "cases.read cases.write"
        assert parse_scope(scope_text(scopes)) == scopes

    @pytest.mark.parametrize("text", ["", " ", "cases.read ", "x", "cases.read\n"])
    def test_what_is_none(self, text):
        with pytest.raises(UnknownScopeError) as caught:
            parse_scope(text)
        assert text.strip() == "" or text not in str(caught.value)


def test_every_problem_is_explained_in_both_languages():
    ours = [problem for problem in all_problems() if issubclass(problem, NotLetIn)]
    assert {problem.type for problem in ours} == {
        "unauthenticated",
        "invalid-token",
        "invalid-dpop-proof",
        "dpop-proof-replayed",
        "use-dpop-nonce",
        "insufficient-scope",
    }
    for problem in ours:
        assert problem.title != problem.title_id
        assert len(problem.page()) > 80

"""Tokens that are issued at the same time are stored together, and yet each for itself."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta

import asyncpg
import pytest

from auth import queries
from auth.queries import TokenToStore
from auth.storing import TokenStore


@pytest.fixture
def store(world):
    return TokenStore(world.app.state.database.app)


@pytest.fixture
def statements(monkeypatch):
    """How many tokens each statement stored."""
    sent = []
    as_it_is = queries.store_tokens

    async def counted(pool, tokens):
        sent.append(len(tokens))
        return await as_it_is(pool, tokens)

    monkeypatch.setattr(queries, "store_tokens", counted)
    return sent


@pytest.fixture
async def token(world, party):
    agency = (await world.directory.current()).by_code[party.agencies[0]]

    def make(**values):
        until = world.clock.now() + timedelta(minutes=1)
        usual = {
            "at": world.clock.now(),
            "client_id": party.client_id,
            "agency_id": agency.id,
            "request_id": secrets.token_hex(12),
            "assertion": (secrets.token_bytes(32), until),
            "proof": (secrets.token_bytes(32), until),
            "detail": {"jti": secrets.token_urlsafe(16)},
            "address": None,
        }
        return TokenToStore(**usual | values)

    return make


async def test_what_comes_while_a_statement_runs_shares_the_next_one(store, token, statements):
    outcomes = await asyncio.gather(*(store.store(token()) for _ in range(20)))
    assert outcomes == ["stored"] * 20
    assert len(statements) <= 2


async def test_an_assertion_that_comes_twice_at_once_is_used_once(store, token):
    first = token()
    outcomes = await asyncio.gather(
        *(store.store(token(assertion=first.assertion)) for _ in range(5)), store.store(first), store.store(token())
    )
    assert outcomes == ["stored", *["assertion_used"] * 5, "stored"]


async def test_a_proof_that_comes_twice_at_once_is_used_once(store, token):
    first = token()
    again = token(proof=first.proof)
    assert await asyncio.gather(store.store(first), store.store(again)) == ["stored", "proof_used"]
    assert await store.store(token(assertion=again.assertion)) == "assertion_used"  # it is used up all the same


async def test_a_used_assertion_uses_up_no_proof(store, token):
    first = token()
    await store.store(first)
    refused = token(assertion=first.assertion)
    assert await store.store(refused) == "assertion_used"
    assert await store.store(token(proof=refused.proof)) == "stored"


async def test_a_token_without_assertion_and_proof_is_stored(store, token):
    assert await store.store(token(assertion=None, proof=None)) == "stored"


async def test_one_that_cannot_be_stored_takes_no_other_along(store, token):
    outcomes = await asyncio.gather(
        store.store(token()), store.store(token(request_id="\0")), store.store(token()), return_exceptions=True
    )
    assert outcomes[0] == outcomes[2] == "stored"
    assert isinstance(outcomes[1], asyncpg.PostgresError)


async def test_who_does_not_wait_for_the_answer_holds_nobody_up(store, token):
    left = asyncio.ensure_future(store.store(token()))
    await asyncio.sleep(0)
    left.cancel()
    assert await store.store(token()) == "stored"


async def test_two_processes_that_store_the_same_at_once_store_it_once(world, token):
    tokens = [token() for _ in range(20)]
    stores = [TokenStore(world.app.state.database.app) for _ in range(2)]
    outcomes = await asyncio.gather(
        *(stores[0].store(each) for each in tokens), *(stores[1].store(each) for each in reversed(tokens))
    )
    assert sorted(outcomes) == ["assertion_used"] * 20 + ["stored"] * 20


async def test_it_goes_on_after_the_database_was_away(store, token, monkeypatch):
    async def away(pool, tokens):
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(queries, "store_tokens", away)
        with pytest.raises(ConnectionError):
            await store.store(token())
    assert await store.store(token()) == "stored"

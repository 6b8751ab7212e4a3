"""RFC 9449 §11.1: a proof is used once, by whatever process, and also when the database has forgotten."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import asyncpg

from app.foundation.database import open_pool
from auth import jose, queries
from auth.binding import dpop
from auth.directory import Directory


def replayed(reply):
    body = reply.json()
    assert body.pop("request_id")
    assert body == {"type": "/problems/dpop-proof-replayed", "title": "The DPoP proof was used before", "status": 401}
    assert 'error="invalid_dpop_proof"' in reply.headers["WWW-Authenticate"]


async def test_a_second_use_is_refused(party):
    token = await party.token()
    proof = party.proof("GET", "/v1/probe", token)
    assert (await party.call(token=token, proof=proof)).status_code == 200
    replayed(await party.call(token=token, proof=proof))


async def test_of_many_at_once_one_succeeds(party):
    token = await party.token()
    proof = party.proof("GET", "/v1/probe", token)
    replies = await asyncio.gather(*(party.call(token=token, proof=proof) for _ in range(8)))
    assert sorted(reply.status_code for reply in replies) == [200] + [401] * 7


async def test_another_process_knows_of_the_use(world, party):
    """Two processes share nothing but the database."""
    token = await party.token()
    proof = party.proof("GET", "/v1/probe", token)
    assert (await party.call(token=token, proof=proof)).status_code == 200
    pool = await open_pool(world.addresses.app, size=1)
    mine, world.app.state.database = world.app.state.database, SimpleNamespace(app=pool)
    try:
        replayed(await party.call(token=token, proof=proof))
    finally:
        world.app.state.database = mine
        await pool.close()


async def test_proofs_nobody_vouches_for_cost_no_memory(world, party):
    """A flood of them, each by a key of its own, is refused before anything is stored, and what is cached has a bound."""
    token = await party.token()
    owner = await asyncpg.connect(world.addresses.owner)
    before = await owner.fetchval("SELECT count(*) FROM proof_jti")
    assert before > 0, "that of the token"
    for _ in range(20):
        stranger = jose.generate()
        proof = party.proof("GET", "/v1/probe", token, key=stranger)
        assert (await party.call(token=token, proof=proof)).json()["reason"] == "wrong_key"
        assert (await party.call(token="x", proof=proof)).json()["reason"] == "malformed"
        bad = {"client_assertion": party.assertion(key=stranger)}
        assert (await party.ask(proof=party.proof("POST", "/oauth2/token", key=stranger), **bad)).status_code == 401
    assert await owner.fetchval("SELECT count(*) FROM proof_jti") == before
    await owner.close()
    assert 0 < dpop._read_header.cache_info().maxsize <= 1024


async def test_the_same_jti_in_another_proof_is_the_same_use(party):
    token = await party.token()
    assert (await party.call(token=token, proof=party.proof("GET", "/v1/probe", token, jti="same"))).status_code == 200
    replayed(await party.call(token=token, proof=party.proof("GET", "/v1/probe", token, jti="same", iat=party.now + 1)))


async def test_another_keys_jti_is_not_mine(world, party):
    other = await world.party()
    for each in (party, other):
        token = await each.token()
        assert (
            await each.call(token=token, proof=each.proof("GET", "/v1/probe", token, jti="shared"))
        ).status_code == 200


async def test_a_proof_from_a_fast_clock_is_remembered_until_it_is_too_old(world, party):
    token = await party.token()
    proof = party.proof("GET", "/v1/probe", token, iat=party.now + 9)
    assert (await party.call(token=token, proof=proof)).status_code == 200
    world.clock.shift(timedelta(seconds=67))
    worker = await asyncpg.connect(world.addresses.worker)
    await queries.purge_expired(worker, now=world.clock.now())
    await worker.close()
    replayed(await party.call(token=token, proof=proof))
    world.clock.shift(timedelta(seconds=10))
    assert (await party.call(token=token, proof=proof)).json()["reason"] == "iat"


async def test_a_request_that_was_rolled_back_did_not_use_it(world, party):
    async with world.app.state.database.app.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        assert await queries.use_proof(conn, proof_hash=b"rolled back", until=world.clock.now() + timedelta(seconds=70))
        await transaction.rollback()
        assert await queries.use_proof(conn, proof_hash=b"rolled back", until=world.clock.now() + timedelta(seconds=70))


async def test_after_the_database_forgot_no_proof_from_before_is_taken(world, party):
    """A crash empties what is unlogged, without a new start of the server; so does the promotion of a standby."""
    token = await party.token()
    used = party.proof("GET", "/v1/probe", token, iat=party.now + 9)
    assert (await party.call(token=token, proof=used)).status_code == 200
    owner = await asyncpg.connect(world.addresses.owner)
    try:
        await owner.execute("TRUNCATE proof_jti, proof_memory")
        replayed(await party.call(token=token, proof=used))  # nobody has noticed yet: no proof is taken at all
        fresh = Directory(world.app.state.database.app, world.keyring, world.clock)
        await fresh.refresh()
        replayed(await party.call(token=token, proof=used))
        replayed(await party.call(token=token, proof=party.proof("GET", "/v1/probe", token)))
        world.clock.shift(dpop.AHEAD + timedelta(seconds=1))
        assert (await party.call(token=token, proof=party.proof("GET", "/v1/probe", token))).status_code == 200
        replayed(await party.call(token=token, proof=used))
    finally:
        await owner.execute("UPDATE proof_memory SET complete_from = '-infinity'")
        await owner.close()

"""The exchange's own signing keys: next → active → retiring → retired."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import asyncpg
import pytest
import tink

from auth import keys, queries
from auth.keys import NextKeyTooYoungError

DAY = timedelta(days=1)


@pytest.fixture
async def conn(world):
    """The administrator's connection; what the test does to the keys is undone."""
    transaction = world.admin.transaction()
    await transaction.start()
    await world.admin.execute(  # and whatever a clock ahead of this one has made before
        "UPDATE signing_key SET state = 'retired', private_sealed = NULL, created_at = created_at - interval '100 years'"
    )
    yield world.admin
    await transaction.rollback()


@pytest.fixture
def now(world):
    return world.clock.now()


async def states(conn, since):
    return Counter(key["state"] for key in await keys.list_keys(conn) if key["created_at"] >= since)


async def published(conn, world, now):
    rows = await conn.fetch(
        "SELECT id, kid, state, jwk::text AS jwk, private_sealed, published_until FROM signing_key WHERE state <> 'retired'"
    )
    signing = keys.load(rows, world.keyring)
    return [key["kid"] for key in signing.jwks(now=now)["keys"]], signing


async def test_the_first_keys_are_made_once(conn, world, now):
    for _ in range(3):
        await keys.ensure_active(conn, world.keyring, now)
    assert await states(conn, now) == {"active": 1, "next": 1}


async def test_rotation_promotes_the_next_one_and_makes_another(conn, world, now):
    await keys.ensure_active(conn, world.keyring, now)
    before, _ = await published(conn, world, now)
    kid = await keys.rotate(conn, world.keyring, now + DAY)
    assert kid in before
    assert await states(conn, now) == {"retiring": 1, "active": 1, "next": 1}
    after, signing = await published(conn, world, now + DAY)
    assert set(before) < set(after)
    assert len(after) == 3
    assert signing.active.public.kid == kid


async def test_a_key_that_does_not_sign_any_more_has_no_private_half(conn, world, now):
    await keys.ensure_active(conn, world.keyring, now)
    await keys.rotate(conn, world.keyring, now + DAY)
    rows = await conn.fetch("SELECT state, private_sealed IS NULL AS gone FROM signing_key WHERE created_at >= $1", now)
    assert {row["state"]: row["gone"] for row in rows} == {"retiring": True, "active": False, "next": False}


async def test_a_retiring_key_goes_when_its_last_token_has_expired(conn, world, now):
    await keys.ensure_active(conn, world.keyring, now)
    old = (await published(conn, world, now))[1].active.public.kid
    await keys.rotate(conn, world.keyring, now + DAY)
    almost, after = now + DAY + keys.RETIRING_FOR - timedelta(seconds=1), now + DAY + keys.RETIRING_FOR
    assert old in (await published(conn, world, almost))[0]
    kids, signing = await published(conn, world, after)
    assert old not in kids  # whether or not anybody has cleaned up
    assert signing.verifying(old, now=after) is None
    await keys.ensure_active(conn, world.keyring, after)
    assert (await states(conn, now))["retired"] == 1


async def test_a_key_is_published_before_it_signs(conn, world, now):
    await keys.ensure_active(conn, world.keyring, now)
    with pytest.raises(NextKeyTooYoungError):
        await keys.rotate(conn, world.keyring, now + keys.PUBLISH_BEFORE - timedelta(seconds=1))
    await keys.rotate(conn, world.keyring, now + keys.PUBLISH_BEFORE)


async def test_rotation_on_schedule(conn, world, now):
    await keys.ensure_active(conn, world.keyring, now)
    await keys.ensure_active(conn, world.keyring, now + 89 * DAY)
    assert "retiring" not in await states(conn, now)
    await keys.ensure_active(conn, world.keyring, now + 90 * DAY)
    await keys.ensure_active(conn, world.keyring, now + 90 * DAY)
    assert await states(conn, now) == {"retiring": 1, "active": 1, "next": 1}


async def test_rotation_at_once_withdraws_the_key(conn, world, now):
    await keys.ensure_active(conn, world.keyring, now)
    old = (await published(conn, world, now))[1].active.public.kid
    await keys.rotate(conn, world.keyring, now, at_once=True)
    assert await states(conn, now) == {"retired": 1, "active": 1, "next": 1}
    kids, signing = await published(conn, world, now)
    assert old not in kids
    assert signing.verifying(old, now=now) is None


async def test_there_are_never_two_active_ones(conn, world, now):
    await keys.ensure_active(conn, world.keyring, now)
    with pytest.raises(asyncpg.UniqueViolationError):
        await conn.execute("UPDATE signing_key SET state = 'active' WHERE state = 'next'")


async def test_the_private_half_is_bound_to_its_row(conn, world, now):
    await keys.ensure_active(conn, world.keyring, now)
    rows = [
        dict(row)
        for row in await conn.fetch(
            "SELECT id, kid, state, jwk::text AS jwk, private_sealed, published_until FROM signing_key WHERE state IN ('next', 'active')"
        )
    ]
    rows[0]["private_sealed"], rows[1]["private_sealed"] = rows[1]["private_sealed"], rows[0]["private_sealed"]
    with pytest.raises(tink.TinkError):
        keys.load(rows, world.keyring)


async def test_the_api_can_neither_change_keys_nor_clients(world):
    async with world.app.state.database.app.acquire() as app:
        for statement in (
            "UPDATE signing_key SET state = 'retired'",
            "INSERT INTO revoked_token VALUES ('x', 'now', 'now')",
            "UPDATE client SET status = 'active'",
            "UPDATE client_key SET ends_at = NULL",
            "DELETE FROM proof_jti",
            "DELETE FROM assertion_jti",
            "UPDATE proof_jti SET expires_at = 'now'",
            "DELETE FROM proof_memory",
            "UPDATE proof_memory SET complete_from = '-infinity'",
            "UPDATE epoch SET value = 0",
            "INSERT INTO client_agency VALUES ('x', gen_random_uuid())",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(statement)


async def test_expired_jtis_are_forgotten(world):
    now = world.clock.now()
    async with world.app.state.database.app.acquire() as app:
        assert await queries.use_proof(app, proof_hash=b"old", until=now - timedelta(seconds=1))
        assert await queries.use_proof(app, proof_hash=b"new", until=now + timedelta(seconds=1))
        worker = await asyncpg.connect(world.addresses.worker)
        assert await queries.purge_expired(worker, now=now) >= 1
        await worker.close()
        assert await queries.use_proof(app, proof_hash=b"old", until=now - timedelta(seconds=1))
        assert not await queries.use_proof(app, proof_hash=b"new", until=now + timedelta(seconds=1))


async def test_the_worker_may_keep_the_keys_in_order(world):
    """It creates, rotates and retires them on schedule, but administers nothing else."""
    worker = await asyncpg.connect(world.addresses.worker)
    transaction = worker.transaction()
    await transaction.start()
    try:
        await worker.execute("UPDATE signing_key SET state = 'retired', private_sealed = NULL")
        now = world.clock.now()
        await keys.ensure_active(worker, world.keyring, now)
        await keys.ensure_active(worker, world.keyring, now + 90 * DAY)
        assert await states(worker, now) == {"retiring": 1, "active": 1, "next": 1}
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await worker.execute("UPDATE client SET status = 'active'")
    finally:
        await transaction.rollback()
        await worker.close()

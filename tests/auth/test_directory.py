"""The snapshot in memory: fresh within a second, or the database's error passes."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import pytest

from app.foundation.database import open_pool
from auth import directory
from auth.admin.agencies import add_service_point
from auth.directory import Directory
from tests.makers import auth as make
from tests.makers.auth import unverified
from tests.makers.standing import suspend_client


@pytest.fixture
async def own(world):
    """A directory of the test's own, not polling."""
    pool = await open_pool(world.addresses.app, size=2)
    yield Directory(pool, world.keyring, world.clock)
    await pool.close()


async def test_it_holds_what_there_is(world, own):
    parent = await world.agency()
    code = await world.agency(parent=parent, region="31.75", country="MY")
    point = await world.act(add_service_point, agency=code, name="A house", confidential=True, services=["shelter"])
    snapshot = await own.current()
    agency = snapshot.by_code[code]
    assert (agency.region, agency.country, agency.status, agency.active) == ("31.75", "MY", "active", True)
    assert agency.parent_id == snapshot.by_code[parent].id
    assert snapshot.agencies[agency.id] is agency
    found = snapshot.service_points[point]
    assert (found.agency_id, found.confidential, found.address, found.services) == (agency.id, True, None, ("shelter",))


async def test_a_fresh_snapshot_is_given_at_once(own, monkeypatch):
    first = await own.current()

    async def never(*_):
        raise AssertionError("asked the database")

    monkeypatch.setattr(directory.queries, "epoch_now", never)
    assert await own.current() is first


async def test_an_old_one_is_looked_at_again_before_it_is_given(world, own, monkeypatch):
    first = await own.current()
    code = await make.add_agency(world.admin, world.clock.now())
    assert await own.current() is first
    monkeypatch.setattr(own, "_looked_at", time.monotonic() - directory.FRESH_FOR)
    assert code in (await own.current()).by_code


async def test_errors_pass_once_it_is_old(own, monkeypatch):
    await own.current()

    async def away(_):
        raise ConnectionRefusedError

    monkeypatch.setattr(directory.queries, "epoch_now", away)
    await own.current()
    monkeypatch.setattr(own, "_looked_at", time.monotonic() - directory.FRESH_FOR)
    with pytest.raises(ConnectionRefusedError):
        await own.current()


async def test_it_is_read_again_only_when_something_changed(world, own):
    first = await own.refresh()
    assert await own.refresh() is first
    await make.add_agency(world.admin, world.clock.now())
    assert await own.refresh() is not first


async def test_of_a_revocation_nothing_else_is_read_again(world, party, own, monkeypatch):
    first, token = await own.refresh(), await party.token()

    async def never(*_, **__):
        raise AssertionError("read everything")

    monkeypatch.setattr(directory.queries, "everything", never)
    assert (await party.revoke(token)).status_code == 200
    then = await own.refresh()
    assert then.revoked == first.revoked | {unverified(token)[1]["jti"]}
    assert then.clients is first.clients
    assert await own.refresh() is then


async def test_use_of_a_client_changes_nothing(world, party, own):
    first = await own.refresh()
    await party.call()
    assert await own.refresh() is first


async def test_suspension_is_noticed_within_a_second_by_a_process_that_only_polls(world, party, own):
    await own.start()
    try:
        await suspend_client(world.admin, party.client_id, now=world.clock.now(), actor="test")
        suspended_at = time.monotonic()
        for _ in range(200):
            if not (await own.current()).clients[party.client_id].may_sign_in(world.clock.now()):
                break
            await asyncio.sleep(0.02)
        assert time.monotonic() - suspended_at < 1
    finally:
        await own.stop()
        await world.directory.refresh()


async def test_the_poll_outlives_the_database(own, monkeypatch, caplog):
    monkeypatch.setattr(directory, "POLL_EVERY", 0.01)
    real, down = directory.queries.epoch_now, True

    async def sometimes(pool):
        if down and pool is own._pool:
            raise ConnectionResetError
        return await real(pool)

    await own.start()
    monkeypatch.setattr(directory.queries, "epoch_now", sometimes)
    await asyncio.sleep(0.08)
    looked = own._looked_at
    down = False
    for _ in range(500):
        await asyncio.sleep(0.01)
        if own._looked_at > looked:
            break
    await own.stop()
    assert own._looked_at > looked
    assert caplog.text.count("directory not refreshed") == 1  # once, not ten times a second


async def test_a_scope_of_a_newer_release_is_left_out(world, party, own):
    await world.admin.execute(
        "UPDATE client SET scopes = '{cases.read,from.the.future}' WHERE client_id = $1", party.client_id
    )
    assert {str(scope) for scope in (await own.current()).clients[party.client_id].scopes} == {"cases.read"}


async def test_a_revocation_and_a_change_are_both_seen_in_one_look(world, party, own):
    await own.refresh()
    token = await party.token()
    await party.revoke(token)
    code = await make.add_agency(world.admin, world.clock.now())
    then = await own.refresh()
    assert (code in then.by_code, unverified(token)[1]["jti"] in then.revoked) == (True, True)


async def test_every_change_moves_the_epoch(world, party):
    async def epoch():
        return await world.admin.fetchval("SELECT value FROM epoch")

    owner = await asyncpg.connect(world.addresses.owner)
    try:
        for table in ("agency", "service_point", "client", "client_agency", "client_key", "signing_key"):
            before = await epoch()
            column = await owner.fetchval(
                "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attname IN ('name', 'agency_id', 'jwk') ORDER BY 1 DESC",
                table,
            )
            await owner.execute(f"UPDATE {table} SET {column} = {column}")
            assert await epoch() == before + 1, table
    finally:
        await owner.close()

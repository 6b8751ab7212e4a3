"""RFC 7009 §2: a client ends a token of its own, and it is refused everywhere within a second."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import asyncpg
import pytest

from app.foundation.database import open_pool
from auth import queries
from auth.admin.agencies import resume_agency, suspend_agency
from auth.admin.log import page_of_log
from auth.directory import Directory
from auth.scopes import AGENCY_SCOPES
from tests.makers.auth import unverified

DONE = (200, {})


async def outcome(party, token, **parameters):
    reply = await party.revoke(token, **parameters)
    assert reply.headers["Cache-Control"] == "no-store"
    return reply.status_code, reply.json()


async def reason(party, token):
    reply = await party.call(token=token)
    return reply.json().get("reason") if reply.status_code == 401 else None


@pytest.mark.parametrize("seen_before", [False, True])
async def test_section_2_1_a_revoked_token_is_refused_within_a_second(party, seen_before):
    token = await party.token()
    if seen_before:
        assert await reason(party, token) is None
    assert await outcome(party, token) == DONE
    began = time.monotonic()
    while await reason(party, token) != "revoked":
        assert time.monotonic() - began < 1
        await asyncio.sleep(0.02)
    assert await reason(party, await party.token()) is None, "a new one counts"


async def test_section_2_1_in_every_process(world, party):
    """Another process has the database in common with this one, and nothing else."""
    pool = await open_pool(world.addresses.app, size=1)
    another = Directory(pool, world.keyring, world.clock)
    await another.start()
    try:
        token = await party.token()
        await party.revoke(token)
        jti, began = unverified(token)[1]["jti"], time.monotonic()
        while jti not in (await another.current()).revoked:
            assert time.monotonic() - began < 1
            await asyncio.sleep(0.02)
    finally:
        await another.stop()
        await pool.close()


async def test_section_2_1_another_clients_token_is_left_alone(world):
    """§2.1 would have the client told; what is told of a token to whoever is not its client is that there is nothing to tell."""
    party, other = await world.party(scopes=AGENCY_SCOPES), await world.party()
    token = await other.token()
    assert await outcome(party, token) == DONE
    await world.directory.refresh()
    assert await reason(other, token) is None


class TestWithAnAdministrativeScope:
    """A client that is registered for `admin.write` ends anybody's token; the log says so, as of every administrative act."""

    async def test_another_clients_token_ends(self, world):
        operators, other = await world.party(scopes=("admin.write",)), await world.party()
        token = await other.token()
        assert await outcome(operators, token) == DONE
        await world.directory.refresh()
        assert await reason(other, token) == "revoked"
        (entry,) = await page_of_log(world.admin, action="token:revoke", actor=f"client:{operators.client_id}", limit=9)
        assert entry.detail == {"jti": unverified(token)[1]["jti"], "client_id": other.client_id}

    async def test_its_own_is_no_administrative_act(self, world):
        operators = await world.party(scopes=("admin.write", "cases.read"))
        assert await outcome(operators, await operators.token()) == DONE
        assert await page_of_log(world.admin, actor=f"client:{operators.client_id}", limit=9) == []

    async def test_it_is_asked_of_the_registration_and_not_of_a_token(self, world):
        """What the endpoint knows is the client: `admin.read` is not enough, and a scope that was taken away is gone at once."""
        other = await world.party()
        reader = await world.party(scopes=("admin.read",))
        token = await other.token()
        assert await outcome(reader, token) == DONE
        operators = await world.party(scopes=("admin.write", "events.read"))
        await world.admin.execute(
            "UPDATE client SET scopes = '{events.read}' WHERE client_id = $1", operators.client_id
        )
        await world.directory.refresh()
        assert await outcome(operators, token) == DONE
        await world.directory.refresh()
        assert await reason(other, token) is None

    async def test_nothing_of_it_is_left_after_an_emergency_rotation(self, world):
        other, operators = await world.party(), await world.party(scopes=("admin.write", "events.read"))
        await world.admin.execute(
            "UPDATE client SET emergency_until = $2 WHERE client_id = $1",
            operators.client_id,
            world.clock.now() + timedelta(hours=1),
        )
        await world.directory.refresh()
        token = await other.token()
        assert await outcome(operators, token) == DONE
        await world.directory.refresh()
        assert await reason(other, token) is None


@pytest.mark.parametrize("token", ["x", "a.b.c", "..", "\u00e9", "\u0000", "a" * 9000], ids=range(6))
async def test_section_2_2_what_is_no_token_is_as_good_as_revoked(party, token):
    assert await outcome(party, token) == DONE


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "made_up", "", "x" * 500])
async def test_section_2_2_a_wrong_hint_is_ignored(world, party, hint):
    token = await party.token()
    assert await outcome(party, token, token_type_hint=hint) == DONE
    await world.directory.refresh()
    assert await reason(party, token) == "revoked"


async def test_twice_is_as_good_as_once_and_moves_nothing(world, party):
    token = await party.token()
    assert await outcome(party, token) == DONE
    epoch = await world.admin.fetchrow("SELECT * FROM epoch")
    assert await outcome(party, token) == DONE
    assert await world.admin.fetchrow("SELECT * FROM epoch") == epoch


async def test_several_at_once(world, party):
    token = await party.token()
    outcomes = await asyncio.gather(*(outcome(party, token) for _ in range(6)))
    assert outcomes == [DONE] * 6
    await world.directory.refresh()
    assert await reason(party, token) == "revoked"


async def test_a_token_of_a_suspended_agency_can_be_revoked(world, party):
    """The suspension may end before the token does."""
    token = await party.token()
    await world.act(suspend_agency, party.agencies[0])
    assert await outcome(party, token) == DONE
    await world.act(resume_agency, party.agencies[0])
    assert await reason(party, token) == "revoked"


async def test_an_expired_token_leaves_nothing_behind(world, party):
    token = await party.token()
    world.clock.shift(timedelta(seconds=301))
    assert await outcome(party, token) == DONE
    jti = unverified(token)[1]["jti"]
    assert not await world.admin.fetchval("SELECT true FROM revoked_token WHERE jti = $1", jti)


async def test_it_is_logged_without_the_token_and_forgotten_once_it_has_expired(world, party):
    token = await party.token()
    jti = unverified(token)[1]["jti"]
    await party.revoke(token)
    owner = await asyncpg.connect(world.addresses.owner)
    rows = await owner.fetch(
        "SELECT *, detail::text AS said FROM log_entry WHERE client_id = $1 AND action = 'token:revoke'",
        party.client_id,
    )
    await owner.close()
    (row,) = rows
    assert jti in row["said"]
    assert all(part not in str(dict(row)) for part in token.split("."))
    worker = await asyncpg.connect(world.addresses.worker)
    for shift, left in ((0, 1), (301, 0)):
        world.clock.shift(timedelta(seconds=shift))
        await queries.purge_expired(worker, now=world.clock.now())
        assert await worker.fetchval("SELECT count(*) FROM revoked_token WHERE jti = $1", jti) == left
    await worker.close()
    assert await reason(party, token) == "expired"


async def test_the_services_role_can_revoke_but_neither_undo_it_nor_move_the_epoch(world):
    conn = await asyncpg.connect(world.addresses.app)
    for statement in (
        "DELETE FROM revoked_token",
        "INSERT INTO revoked_token VALUES ('x', now(), now())",
        "UPDATE epoch SET value = 1",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(statement)
    await conn.close()

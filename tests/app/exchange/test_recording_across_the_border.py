"""Who records for another agency reads all that it may: so an agreement to record is no way out of the country."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from app.foundation.database import Connection
from auth.admin import agreements
from tests.makers.world import Agency, World


@pytest.fixture
async def conn(world: World) -> AsyncIterator[Connection]:
    """The administrator's connection; what was agreed is forgotten afterwards."""
    conn = await asyncpg.connect(world.exchange.addresses.admin)
    yield conn
    await conn.close()
    await world.owner.execute("DELETE FROM agreement")
    await world.exchange.directory.refresh()


async def records_for(world: World, conn: Connection, by: str, agency: str) -> None:
    now = world.exchange.clock.now()
    await agreements.add_acts_for(conn, agency=agency, by=by, reference="PKS-17", now=now, actor="admin-1")
    await world.exchange.directory.refresh()


async def read(reader: Agency, path: str, acts_for: str) -> httpx.Response:
    return await reader.get(path, headers={"Rujukan-Acts-For": acts_for})


async def test_an_agency_abroad_reads_nothing_for_one_inside(world: World, conn: Connection) -> None:
    bangkok, held = await world.mission(), await world.accepted()
    await records_for(world, conn, by="bangkok", agency="iom")
    for path in (held.path, "/v1/referrals", "/v1/events", "/v1/events?wait=1"):
        reply = await read(bangkok, path, "iom")
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/may-not-act-for"), path


async def test_one_inside_records_for_a_mission_abroad(world: World, conn: Connection) -> None:
    await world.mission()
    await records_for(world, conn, by="iom", agency="bangkok")
    assert (await read(world.iom, "/v1/referrals", "bangkok")).status_code == 200


async def test_one_abroad_records_for_another_in_its_country(world: World, conn: Connection) -> None:
    bangkok = await world.mission()
    await world.newcomer("bangkok-shelter", "civil_society", country="TH")
    await records_for(world, conn, by="bangkok", agency="bangkok-shelter")
    assert (await read(bangkok, "/v1/referrals", "bangkok-shelter")).status_code == 200

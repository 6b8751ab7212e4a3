"""An agency that still answers for people cannot be closed; the administrator learns how many, and nothing of the cases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from auth.admin import errors
from auth.admin.agencies import close_agency
from tests.makers import cases
from tests.makers.world import World


@pytest.fixture
async def administrator(world: World) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the administrator's role; the agencies are as before afterwards."""
    conn = await asyncpg.connect(world.exchange.addresses.admin)
    yield conn
    await conn.close()
    await world.owner.execute("UPDATE agency SET status = 'active'")
    await world.exchange.app.state.directory.refresh()


async def stands_in_the_way(world: World, conn: asyncpg.Connection, code: str) -> dict[str, int]:
    """What keeps the agency from being closed; nothing if it was."""
    before = await world.owner.fetchval("SELECT count(*) FROM log_entry WHERE action = 'agency:close'")
    try:
        await close_agency(conn, code, now=world.exchange.clock.now(), actor="staff-7")
    except errors.OpenDutiesError as refused:
        status = await world.owner.fetchval("SELECT status FROM agency WHERE code = $1", code)
        logged = await world.owner.fetchval("SELECT count(*) FROM log_entry WHERE action = 'agency:close'")
        assert (status, logged) == ("active", before), "nothing has changed"
        return refused.duties
    return {}


class TestClosing:
    async def test_waits_for_every_case_the_agency_leads(self, world: World, administrator: asyncpg.Connection) -> None:
        first, second = await cases.opened(world), await cases.opened(world)
        await cases.moved(world, first, "follow_up")
        assert await stands_in_the_way(world, administrator, "police") == {"cases it leads": 2}
        await cases.moved(world, first, "close")
        await world.handed_over(sender="police", receiver="iom", case_id=second.id)
        assert await stands_in_the_way(world, administrator, "police") == {}

    async def test_waits_for_what_it_has_accepted_and_not_for_what_it_was_only_asked(
        self, world: World, administrator: asyncpg.Connection
    ) -> None:
        asked = await world.send(receiver="shelter")
        assert await stands_in_the_way(world, administrator, "lpsk") == {}
        await world.moved(asked, "accept")
        await world.accepted(kind="transfer", sender="iom", receiver="shelter")
        assert await stands_in_the_way(world, administrator, "shelter") == {
            "referrals it has accepted": 1,
            "transfers it has accepted": 1,
        }

    @pytest.mark.parametrize("state", ["accepted", "in_progress", "on_hold", "cancel_requested"])
    async def test_waits_in_each_state_in_which_the_agency_holds_a_person(
        self, world: World, administrator: asyncpg.Connection, state: str
    ) -> None:
        held = await world.send(receiver="shelter")
        await world.put(held, state)
        assert await stands_in_the_way(world, administrator, "shelter") == {"referrals it has accepted": 1}
        await world.put(held, "completed")
        assert await stands_in_the_way(world, administrator, "shelter") == {}

    async def test_says_what_stands_in_the_way_in_numbers_alone(
        self, world: World, administrator: asyncpg.Connection
    ) -> None:
        case = await cases.opened(world)
        with pytest.raises(errors.OpenDutiesError, match=r"police .*cases it leads: 1\b") as refused:
            await close_agency(administrator, "police", now=world.exchange.clock.now(), actor="staff-7")
        assert case.id not in str(refused.value)
        assert case.reference not in str(refused.value)

    async def test_of_an_agency_there_is_none_is_said_to_be_that(
        self, world: World, administrator: asyncpg.Connection
    ) -> None:
        with pytest.raises(errors.UnknownAgencyError):
            await close_agency(administrator, "nowhere", now=world.exchange.clock.now(), actor="staff-7")


class TestTheNumbers:
    @pytest.mark.parametrize("role", ["app", "worker"])
    async def test_are_for_the_administrator_alone(self, world: World, role: str) -> None:
        conn = await asyncpg.connect(getattr(world.exchange.addresses, role))
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.fetch("SELECT * FROM duties_of($1)", world.ids["police"])
        finally:
            await conn.close()

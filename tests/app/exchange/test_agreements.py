"""What agencies have agreed is kept with its time, and nothing is agreed that would lose somebody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from app.foundation.database import Connection
from app.foundation.settings import Settings
from auth.admin import agreements
from auth.admin.errors import InvalidValueError, TakenError, UnknownAgencyError
from schemas.codes.referral import Urgency
from tests.makers import records
from tests.makers.world import World

HOUR = timedelta(hours=1)


@pytest.fixture
async def conn(world: World) -> AsyncIterator[Connection]:
    """The administrator's connection; what was agreed is forgotten afterwards."""
    conn = await asyncpg.connect(world.exchange.addresses.admin)
    yield conn
    await conn.close()
    await world.owner.execute("DELETE FROM agreement")


async def add_times(world: World, conn: Connection, times: dict[str, timedelta], **more: Any) -> UUID:
    now = world.exchange.clock.now()
    made = await agreements.add_times(
        conn, **{"agency": "iom", "times": times, "reference": "PKS-7", "now": now, "actor": "admin-1", **more}
    )
    await world.exchange.directory.refresh()  # type: ignore[attr-defined]
    return made


class TestTimes:
    def test_may_be_agreed_for_every_deadline_there_is_and_for_nothing_else(self) -> None:
        named = {
            row.setting + (urgency if row.by_urgency else "")
            for lifecycle in (REFERRAL, TRANSFER)
            for row in lifecycle.deadlines
            for urgency in Urgency
        }
        assert set(agreements.DEADLINES) == named
        assert named <= set(Settings.model_fields)

    async def test_are_the_receivers_for_what_is_sent_to_it(self, world: World, conn: Connection) -> None:
        await add_times(world, conn, {"respond_within_urgent": 6 * HOUR})
        for receiver, hours in (("iom", 6), ("lpsk", 24)):
            sent = await world.send(receiver=receiver, urgency="urgent")
            row = await world.row(sent)
            assert row["respond_by"] - row["sent_at"] == hours * HOUR
            assert row["due_at"] - row["sent_at"] == hours * HOUR / 2

    async def test_are_the_clocks_too(self, world: World, conn: Connection) -> None:
        await add_times(world, conn, {"respond_within_urgent": 6 * HOUR})
        sent = await world.send(urgency="urgent")
        for _ in range(2):
            world.exchange.later(hours=3.1)
            await world.exchange.settle()
        row = await world.row(sent)
        assert row["clock"] == "escalated"
        assert row["respond_by"] - world.exchange.clock.now() <= 6 * HOUR  # extended once, by its own time

    async def test_limit_what_a_sender_may_ask(self, world: World, conn: Connection) -> None:
        await add_times(world, conn, {"respond_within_standard": 48 * HOUR})
        by = (world.exchange.clock.now() + timedelta(days=3)).isoformat()
        reply = await world.police.post("/v1/referrals", records.referral("iom", respond_by=by))
        assert reply.status_code == 422

    async def test_hold_from_the_time_they_begin_until_they_end(self, world: World, conn: Connection) -> None:
        now = world.exchange.clock.now()
        agreed = {"respond_within_urgent": 6 * HOUR}
        made = await add_times(world, conn, agreed, from_at=now + HOUR, until_at=now + 48 * HOUR)
        seen = []
        for hours in (0, 2, 50):
            world.exchange.later(hours=hours)
            row = await world.row(await world.send(urgency="urgent"))
            seen.append((row["respond_by"] - row["sent_at"]) / HOUR)
        assert seen == [24, 6, 24]
        with pytest.raises(agreements.UnknownAgreementError):
            await agreements.end_agreement(conn, made, now=world.exchange.clock.now(), actor="admin-1")

    @pytest.mark.parametrize(
        ("times", "says"),
        [
            ({}, "names at least one"),
            ({"database_pool_size": HOUR}, "times are"),
            ({"respond_within_immediate": timedelta(minutes=4)}, "respond_within_immediate is from"),
            ({"respond_within_immediate": 5 * HOUR}, "respond_within_immediate is from"),
            ({"hold_at_most": timedelta(days=-1)}, "hold_at_most is from"),
        ],
    )
    async def test_are_sane(self, world: World, conn: Connection, times: dict[str, timedelta], says: str) -> None:
        with pytest.raises(InvalidValueError, match=says):
            await add_times(world, conn, times)
        assert await world.owner.fetchval("SELECT count(*) FROM agreement") == 0

    async def test_are_agreed_once_for_one_time(self, world: World, conn: Connection) -> None:
        now = world.exchange.clock.now()
        agreed = {"respond_within_urgent": 6 * HOUR}
        first = await add_times(world, conn, agreed)
        with pytest.raises(TakenError):
            await add_times(world, conn, agreed, from_at=now + 24 * HOUR)
        await agreements.end_agreement(conn, first, now=now + HOUR, actor="admin-1")
        await add_times(world, conn, agreed, from_at=now + 24 * HOUR)
        await add_times(world, conn, agreed, agency="sentra")
        listed = await agreements.list_agreements(conn)
        assert [(each.agency, each.until_at is None) for each in listed] == [
            ("iom", False),
            ("iom", True),
            ("sentra", True),
        ]
        assert listed[0].times == agreed


class TestActingFor:
    async def add(self, world: World, conn: Connection, **more: Any) -> UUID:
        now = world.exchange.clock.now()
        made = await agreements.add_acts_for(
            conn, **{"agency": "shelter", "by": "sentra", "reference": "PKS-8", "now": now, "actor": "admin-1", **more}
        )
        await world.exchange.directory.refresh()  # type: ignore[attr-defined]
        return made

    async def test_lets_one_agency_record_for_another_until_it_ends(self, world: World, conn: Connection) -> None:
        headers = {"Rujukan-Acts-For": "shelter"}
        assert (await world.sentra.get("/v1/cases", headers=headers)).status_code == 403
        made = await self.add(world, conn)
        assert (await world.sentra.get("/v1/cases", headers=headers)).status_code == 200
        assert (await world.stranger.get("/v1/cases", headers=headers)).status_code == 403
        await agreements.end_agreement(conn, made, now=world.exchange.clock.now(), actor="admin-1")
        await world.exchange.directory.refresh()  # type: ignore[attr-defined]
        assert (await world.sentra.get("/v1/cases", headers=headers)).status_code == 403

    async def test_is_logged(self, world: World, conn: Connection) -> None:
        made = await self.add(world, conn)
        await agreements.end_agreement(conn, made, now=world.exchange.clock.now(), actor="admin-1")
        entries = [row for row in await world.log(subject="agreement") if row["subject_id"] == made]
        assert [(row["action"], row["actor"]) for row in entries] == [
            ("agreement:add", "admin-1"),
            ("agreement:end", "admin-1"),
        ]

    @pytest.mark.parametrize(
        ("more", "error"),
        [
            ({"agency": "nobody-there"}, UnknownAgencyError),
            ({"by": "nobody-there"}, UnknownAgencyError),
            ({"by": "shelter"}, InvalidValueError),
            ({"reference": " "}, InvalidValueError),
            ({"reference": "x" * 201}, InvalidValueError),
        ],
    )
    async def test_is_refused(
        self, world: World, conn: Connection, more: dict[str, Any], error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            await self.add(world, conn, **more)

    async def test_does_not_end_before_it_begins(self, world: World, conn: Connection) -> None:
        now = world.exchange.clock.now()
        for begins, ends in ((now + 2 * HOUR, now + HOUR), (now - 2 * HOUR, now - HOUR)):
            with pytest.raises(InvalidValueError):
                await self.add(world, conn, from_at=begins, until_at=ends)

    async def test_that_is_unknown_cannot_be_ended(self, world: World, conn: Connection) -> None:
        with pytest.raises(agreements.UnknownAgreementError):
            await agreements.end_agreement(conn, uuid4(), now=world.exchange.clock.now(), actor="admin-1")

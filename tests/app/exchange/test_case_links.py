"""Cases are linked without one side learning of the other more than who leads it; suspected harm keeps two people apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.makers import cases
from tests.makers.cases import Case
from tests.makers.world import Agency, Passed, World

TEXT = "Both were brought by Pak Surya's boat."


class Link:
    """A link on its way: police propose, from their case, one with IOM's."""

    def __init__(self, here: Case, there: Case, made: dict[str, Any]) -> None:
        self.here, self.there = here, there
        self.id: str = made["id"]
        self.version: int = made["version"]

    @property
    def path(self) -> str:
        return f"/v1/case-links/{self.id}"

    async def move(self, event: str, by: Agency, *, seen: int | None = None, **more: Any) -> Any:
        body = {} if event == "confirm" else {"reason": f"{event}: {TEXT}"}
        reply = await by.post(f"{self.path}/{event}", {**body, **more}, if_match=seen or self.version)
        if reply.status_code == 200:
            self.version = reply.json()["version"]
        return reply

    async def read(self, who: Agency) -> dict[str, Any]:
        reply = await who.get(self.path)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found


async def propose(here: Case, other: str, kind: str = "family", by: Agency | None = None, **more: Any) -> Any:
    return await (by or here.lead).post(f"{here.path}/links", {"kind": kind, "other": other, "text": TEXT, **more})


async def linked(world: World, kind: str = "family", *, here: str = "police", there: str = "iom") -> Link:
    ours, theirs = await cases.opened(world, here), await cases.opened(world, there)
    await world.owner.execute("TRUNCATE outbox")
    reply = await propose(ours, theirs.reference, kind)
    assert reply.status_code == 201, reply.text
    return Link(ours, theirs, reply.json())


def told_of(link: Link, shown: object, *, to: str) -> None:
    """What one side is shown holds nothing of the other's case."""
    other = link.there if to == "here" else link.here
    assert other.id not in str(shown)
    assert other.reference not in str(shown)


class TestProposing:
    async def test_asks_the_other_cases_lead_about_its_own_case(self, world: World) -> None:
        link = await linked(world)
        assert await world.told() == [("iom", "case.link_proposed")]
        await world.exchange.settle()
        (event,) = (await world.iom.get("/v1/events")).json()["items"]
        assert (event["subject"], event["subject_id"], event["case_id"]) == ("link", link.id, link.there.id)
        told_of(link, event, to="there")
        read = await link.read(world.iom)
        assert (read["state"], read["case_id"], read["proposed_here"]) == ("proposed", link.there.id, False)
        assert read["other_lead"]["code"] == "police", "who is asked must know by whom"
        assert (read["text"], read["moves"]) == (None, ["confirm", "refuse", "end"])
        told_of(link, read, to="there")

    async def test_tells_the_proposer_nothing_of_the_other_before_it_confirms(self, world: World) -> None:
        link = await linked(world)
        read = await link.read(world.police)
        assert (read["state"], read["other_lead"], read["text"]) == ("proposed", None, TEXT)
        assert read["moves"] == ["end"]
        told_of(link, read, to="here")

    async def test_understands_a_reference_as_a_person_types_it(self, world: World) -> None:
        for typed in (str.lower, lambda text: text.replace("-", " "), lambda text: f"  {text.replace('0', 'o')} "):
            ours, theirs = await cases.opened(world), await cases.opened(world, "iom")
            assert (await propose(ours, typed(theirs.reference))).status_code == 201

    async def test_looks_the_same_for_what_is_no_case_and_for_what_is_no_reference(self, world: World) -> None:
        case, sent = await cases.opened(world), await world.send()
        other = sent.reply.json()["reference"]
        wrong_check = case.reference[:-1] + ("1" if case.reference[-1] != "1" else "2")
        bodies = []
        for typed in ("K-0000-0000-0", other, wrong_check, "Surya", "x" * 64, "'; DROP TABLE case_link; --"):
            reply = await propose(case, typed)
            assert (reply.status_code, reply.json()["type"]) == (422, "/problems/unknown-case"), typed
            bodies.append({**reply.json(), "request_id": ""})
        assert bodies == [bodies[0]] * len(bodies)
        assert await world.owner.fetchval("SELECT count(*) FROM case_link") == 0

    async def test_names_neither_the_case_itself_nor_one_that_is_linked_already(self, world: World) -> None:
        link = await linked(world)
        reply = await propose(link.here, link.here.reference)
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/same-case")
        for case, other in ((link.here, link.there), (link.there, link.here)):
            reply = await propose(case, other.reference)
            assert (reply.status_code, reply.json()["type"]) == (409, "/problems/linked-already")
            assert reply.json()["link_id"] == link.id
        assert (await propose(link.here, link.there.reference, "group")).status_code == 201

    async def test_is_the_leads_alone(self, world: World) -> None:
        held = await world.accepted(receiver="shelter")
        case, other = await cases.case_of(world, held.case_id), await cases.opened(world, "iom")
        for who, status, problem in ((world.shelter, 403, "not-lead"), (world.stranger, 404, "not-found")):
            reply = await propose(case, other.reference, by=who)
            assert (reply.status_code, reply.json()["type"]) == (status, f"/problems/{problem}")

    async def test_needs_an_open_case_of_ones_own_and_takes_a_closed_one_of_another(self, world: World) -> None:
        ours, theirs = await cases.opened(world), await cases.closed(world, "iom")
        assert (await propose(ours, theirs.reference, "earlier_case")).status_code == 201
        reply = await propose(theirs, ours.reference, "group")
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/case-closed")

    @pytest.mark.parametrize(
        "wrong",
        [{"kind": "friends"}, {"kind": None}, {"other": ""}, {"other": 7}, {"other": "x" * 65}, {"text": "x" * 10_001}],
    )
    async def test_takes_no_nonsense(self, world: World, wrong: dict[str, Any]) -> None:
        case = await cases.opened(world)
        reply = await case.lead.post(f"{case.path}/links", {"kind": "family", "other": case.reference, **wrong})
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/invalid-request")

    async def test_twice_by_one_key_is_one_link(self, world: World) -> None:
        ours, theirs = await cases.opened(world), await cases.opened(world, "iom")
        body = {"kind": "family", "other": theirs.reference}
        replies = [await world.police.post(f"{ours.path}/links", body, idempotency_key="once") for _ in range(2)]
        assert replies[0].json() == replies[1].json()
        assert replies[0].json()["case_id"] == ours.id

    async def test_of_two_cases_of_one_lead_confirms_at_once(self, world: World) -> None:
        link = await linked(world, there="police")
        assert (await link.read(world.police))["state"] == "confirmed"
        assert await world.told() == []
        for case in (link.here, link.there):
            (shown,) = (await case.read())["links"]
            assert (shown["case_id"], shown["other_lead"]["code"]) == (case.id, "police")
        (listed,) = (await world.police.get("/v1/case-links")).json()["items"]
        assert listed["case_id"] == link.here.id
        assert (await link.move("end", world.police)).status_code == 200

    async def test_at_once_from_both_sides_makes_one_link(self, world: World) -> None:
        for _ in range(10):
            ours, theirs = await cases.opened(world), await cases.opened(world, "iom")
            replies = await asyncio.gather(propose(ours, theirs.reference), propose(theirs, ours.reference))
            assert sorted(reply.status_code for reply in replies) == [201, 409]


class TestConfirming:
    async def test_shows_each_who_leads_the_other_and_no_more(self, world: World) -> None:
        link = await linked(world)
        reply = await link.move("confirm", world.iom)
        assert (reply.status_code, reply.json()["state"], reply.json()["case_id"]) == (200, "confirmed", link.there.id)
        assert await world.told() == [("iom", "case.link_proposed"), ("police", "case.link_confirmed")]
        for who, other, side, case in (
            (world.police, "iom", "here", link.here),
            (world.iom, "police", "there", link.there),
        ):
            read = await link.read(who)
            assert (read["other_lead"]["code"], read["case_id"]) == (other, case.id)
            told_of(link, read, to=side)
            assert (await case.read(who))["links"] == [read]
            (listed,) = (await who.get("/v1/case-links?state=confirmed")).json()["items"]
            assert listed == read

    async def test_is_the_other_leads_alone(self, world: World) -> None:
        link = await linked(world)
        reply = await link.move("confirm", world.police)
        assert (reply.status_code, reply.json()["moves"]) == (409, ["end"])
        for event in ("confirm", "refuse", "end"):
            assert (await link.move(event, world.stranger)).status_code == 404

    async def test_is_for_who_leads_the_case_now(self, world: World) -> None:
        link = await linked(world)
        await world.handed_over(sender="iom", receiver="ministry", case_id=link.there.id)
        for event in ("confirm", "refuse", "end"):
            assert (await link.move(event, world.iom)).status_code == 404
        assert (await world.iom.get(link.path)).status_code == 404
        assert (await link.move("confirm", world.ministry)).status_code == 200
        assert (await link.read(world.police))["other_lead"]["code"] == "ministry"

    async def test_needs_the_version_seen(self, world: World) -> None:
        link = await linked(world)
        assert (await link.move("confirm", world.iom, seen=7)).status_code == 412
        assert (await world.iom.post(f"{link.path}/confirm")).status_code == 428

    async def test_and_refusing_at_once_are_not_both_done(self, world: World) -> None:
        for _ in range(10):
            link = await linked(world)
            moves = (link.move(event, world.iom, seen=1) for event in ("confirm", "refuse"))
            assert sorted(reply.status_code for reply in await asyncio.gather(*moves)) == [200, 409]


class TestRefusingAndEnding:
    @pytest.mark.parametrize(
        ("event", "by", "state", "told"),
        [("refuse", "iom", "refused", "police"), ("end", "police", "ended", "iom"), ("end", "iom", "ended", "police")],
    )
    async def test_tells_the_other_and_keeps_the_reason_on_ones_own_side(
        self, world: World, event: str, by: str, state: str, told: str
    ) -> None:
        link = await linked(world)
        await world.owner.execute("TRUNCATE outbox")
        assert (await link.move(event, world.agencies[by])).status_code == 200
        assert await world.told() == [(told, f"case.link_{state}")]
        mine, theirs = await link.read(world.agencies[by]), await link.read(world.agencies[told])
        assert (mine["state"], mine["reason"], theirs["reason"]) == (state, f"{event}: {TEXT}", None)
        assert (mine["other_lead"], theirs["other_lead"], mine["moves"]) == (None, None, [])

    async def test_is_final(self, world: World) -> None:
        link = await linked(world)
        await link.move("end", world.police)
        for event in ("confirm", "refuse", "end"):
            reply = await link.move(event, world.iom)
            assert (reply.status_code, reply.json()["state"], reply.json()["moves"]) == (409, "ended", [])
        assert (await propose(link.here, link.there.reference)).status_code == 201, "it may be proposed afresh"

    async def test_of_a_confirmed_one_hides_who_leads_again(self, world: World) -> None:
        link = await linked(world)
        await link.move("confirm", world.iom)
        await link.move("end", world.iom)
        assert (await link.read(world.police))["other_lead"] is None

    async def test_needs_a_reason(self, world: World) -> None:
        link = await linked(world)
        assert (await link.move("refuse", world.iom, reason="")).status_code == 422
        assert (await link.move("end", world.iom, reason=None)).status_code == 422


class TestTheList:
    async def test_comes_in_pages_newest_first(self, world: World) -> None:
        links = [(await linked(world)).id for _ in range(5)]
        path, found = "/v1/case-links?limit=2", []
        while path:
            page = (await world.iom.get(path)).json()
            found += [each["id"] for each in page["items"]]
            path = page["next"]
        assert found == links[::-1]
        assert (await world.stranger.get("/v1/case-links")).json()["items"] == []
        assert (await world.iom.get("/v1/case-links?state=confirmed")).json()["items"] == []
        assert (await world.iom.get("/v1/case-links?state=married")).status_code == 422

    async def test_is_not_shown_to_a_mere_party_of_the_case(self, world: World) -> None:
        link = await linked(world)
        await world.accepted(sender="police", receiver="shelter", case_id=link.here.id)
        assert (await link.here.read(world.shelter))["links"] == []
        assert (await world.shelter.get(link.path)).status_code == 404


class TestWhatIsStored:
    async def test_holds_no_word_in_the_open(self, world: World) -> None:
        link = await linked(world)
        await link.move("refuse", world.iom)
        for table in ("case_link", "move", "log_entry", "idempotency", "outbox"):
            for row in await world.owner.fetch(f"SELECT t::text AS row FROM {table} t"):
                assert "Surya" not in row["row"], table

    async def test_is_out_of_the_services_own_reach(self, world: World) -> None:
        await linked(world)
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            await conn.execute("SELECT set_config('rujukan.agency', $1, false)", str(world.ids["police"]))
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.fetch("SELECT * FROM case_link")
        finally:
            await conn.close()

    async def test_is_logged_and_stands_in_the_history_of_each_sides_own_case(self, world: World) -> None:
        link = await linked(world)
        await link.move("confirm", world.iom)
        await link.move("end", world.police)
        assert [each["event"] for each in (await link.here.read())["history"]] == ["open_case", "link", "end_link"]
        assert [each["event"] for each in (await link.there.read())["history"]] == ["open_case", "confirm_link"]
        for action in ("case:link", "link:confirm", "link:end"):
            assert len(await world.log(action=action, outcome="done")) == 1


class TestSuspectedHarm:
    """Two people in two cases; the shelter has two houses."""

    @pytest.fixture
    async def shelters(self, world: World) -> AsyncIterator[asyncpg.Connection]:
        conn = await asyncpg.connect(world.exchange.addresses.app)
        await conn.execute("SELECT set_config('rujukan.agency', $1, false)", str(world.ids["shelter"]))
        yield conn
        await conn.close()

    async def apart(self, world: World) -> tuple[Link, Passed, Passed]:
        """A referral of each case to the shelter, and a link between them."""
        here = await world.send(sender="police", receiver="shelter")
        there = await world.send(sender="iom", receiver="shelter")
        ours, theirs = await cases.case_of(world, here.case_id), await cases.case_of(world, there.case_id)
        reply = await propose(ours, theirs.reference, "suspected_harm")
        assert reply.status_code == 201, reply.text
        return Link(ours, theirs, reply.json()), here, there

    async def taken(self, world: World, passed: Passed, point: str | None, state: str = "accepted") -> None:
        await world.put(passed, state)
        await world.owner.execute(
            f"UPDATE {passed.kind} SET service_point_id = $2 WHERE id = $1",
            UUID(passed.id),
            UUID(world.service_points[point]) if point else None,
        )

    async def barred(self, world: World, conn: asyncpg.Connection, passed: Passed, point: str | None) -> bool:
        try:
            await conn.execute(
                "SELECT check_service_point($1, $2, $3)",
                UUID(passed.case_id),
                UUID(world.service_points[point]) if point else None,
                world.ids["shelter"],
            )
        except asyncpg.PostgresError as error:
            if (error.sqlstate, error.detail) != ("RJ031", None):
                raise
            return True
        return False

    @pytest.mark.parametrize(
        ("theirs", "ours", "barred"),
        [
            ("house", "house", True),
            ("house", "office", False),
            (None, "house", True),
            ("house", None, True),
            (None, None, True),
        ],
    )
    async def test_bars_a_shared_service_point_or_one_that_may_be_shared(
        self, world: World, shelters: asyncpg.Connection, theirs: str | None, ours: str | None, barred: bool
    ) -> None:
        _, here, there = await self.apart(world)
        await self.taken(world, there, theirs)
        assert await self.barred(world, shelters, here, ours) is barred

    async def test_bars_from_the_proposal_until_it_is_refused_or_ended(
        self, world: World, shelters: asyncpg.Connection
    ) -> None:
        link, here, there = await self.apart(world)
        await self.taken(world, there, "house")
        assert await self.barred(world, shelters, here, "house")
        await link.move("confirm", world.iom)
        assert await self.barred(world, shelters, here, "house")
        await link.move("end", world.iom)
        assert not await self.barred(world, shelters, here, "house")
        again = Link(link.here, link.there, (await propose(link.here, link.there.reference, "suspected_harm")).json())
        assert await self.barred(world, shelters, here, "house")
        await again.move("refuse", world.iom)
        assert not await self.barred(world, shelters, here, "house")

    async def test_bars_whichever_side_proposed_it(self, world: World, shelters: asyncpg.Connection) -> None:
        _, here, there = await self.apart(world)
        await self.taken(world, here, "house")
        assert await self.barred(world, shelters, there, "house")

    @pytest.mark.parametrize(
        ("state", "barred"),
        [
            ("sent", False), ("received", False), ("accepted", True), ("in_progress", True), ("on_hold", True),
            ("cancel_requested", True), ("completed", False), ("declined", False), ("cancelled", False),
        ],
    )  # fmt: skip
    async def test_counts_where_the_other_is_and_not_where_they_were(
        self, world: World, shelters: asyncpg.Connection, state: str, barred: bool
    ) -> None:
        _, here, there = await self.apart(world)
        await self.taken(world, there, "house", state)
        assert await self.barred(world, shelters, here, "house") is barred

    async def test_counts_a_case_handed_over_to_that_place(self, world: World, shelters: asyncpg.Connection) -> None:
        here = await world.send(sender="police", receiver="shelter")
        there = await world.accepted(kind="transfer", sender="iom", receiver="shelter")
        ours, theirs = await cases.case_of(world, here.case_id), await cases.case_of(world, there.case_id)
        await propose(ours, theirs.reference, "suspected_harm")
        assert await self.barred(world, shelters, here, "house")
        await world.moved(there, "confirm_handover")
        assert await self.barred(world, shelters, here, "house")
        await world.handed_over(sender="shelter", receiver="ministry", case_id=theirs.id)
        assert not await self.barred(world, shelters, here, "house")

    @pytest.mark.parametrize("kind", ["same_person", "family", "group", "earlier_case"])
    async def test_alone_among_the_kinds_bars(self, world: World, shelters: asyncpg.Connection, kind: str) -> None:
        here = await world.send(sender="police", receiver="shelter")
        there = await world.send(sender="iom", receiver="shelter")
        ours, theirs = await cases.case_of(world, here.case_id), await cases.case_of(world, there.case_id)
        await propose(ours, theirs.reference, kind)
        await self.taken(world, there, "house")
        assert not await self.barred(world, shelters, here, "house")

    async def test_is_asked_by_who_accepts_and_by_nobody_else(self, world: World) -> None:
        _, here, _ = await self.apart(world)
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            for me, receiver, case in (
                ("stranger", "shelter", here.case_id),
                ("stranger", "stranger", here.case_id),
                ("shelter", "iom", here.case_id),
                ("shelter", "shelter", str(uuid4())),
            ):
                await conn.execute("SELECT set_config('rujukan.agency', $1, false)", str(world.ids[me]))
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await conn.execute("SELECT check_service_point($1, NULL, $2)", UUID(case), world.ids[receiver])
        finally:
            await conn.close()

    async def test_of_two_acceptances_at_once_lets_one_through(self, world: World) -> None:
        """As the service does it: the row accepted first, then the question, then the commit."""

        async def accept(passed: Passed) -> bool:
            conn = await asyncpg.connect(world.exchange.addresses.app)
            try:
                async with conn.transaction():
                    await conn.execute("SELECT set_config('rujukan.agency', $1, true)", str(world.ids["shelter"]))
                    await conn.execute(
                        "UPDATE referral SET state = 'accepted', service_point_id = $2 WHERE id = $1",
                        UUID(passed.id),
                        UUID(world.service_points["house"]),
                    )
                    await conn.execute(
                        "SELECT check_service_point($1, $2, $3)",
                        UUID(passed.case_id),
                        UUID(world.service_points["house"]),
                        world.ids["shelter"],
                    )
                return True
            except asyncpg.PostgresError as error:
                if error.sqlstate != "RJ031":
                    raise
                return False
            finally:
                await conn.close()

        for _ in range(15):
            _, here, there = await self.apart(world)
            assert sorted(await asyncio.gather(accept(here), accept(there))) == [False, True]

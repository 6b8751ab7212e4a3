"""The work list: what waits for an agency, for exactly whose turn it is, soonest deadline first; and cheap, however much there is."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from schemas.exchange.inbox import Waiting
from tests.app.exchange import test_incidents, test_subject_requests
from tests.makers import records
from tests.makers.world import Agency, Passed, World

EVERYBODY = ("police", "iom", "ministry", "sentra", "shelter", "lpsk", "stranger", "embassy")


async def inbox(who: Agency, query: str = "") -> list[dict[str, Any]]:
    reply = await who.get(f"/v1/inbox{query}")
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["items"]
    return found


async def waits(world: World) -> list[tuple[str, str]]:
    """For whom something waits, and what."""
    return [(code, item["kind"]) for code in EVERYBODY for item in await inbox(world.agencies[code])]


async def pages(who: Agency, query: str) -> list[list[dict[str, Any]]]:
    found, path = [], f"/v1/inbox?{query}"
    while path:
        reply = await who.get(path)
        assert reply.status_code == 200, reply.text
        found.append(reply.json()["items"])
        path = reply.json()["next"]
        assert len(found) < 100, "a list ends"
    return found


PENDING = {"paper": "pending"}
TURNS: list[tuple[str, tuple[str, ...], list[tuple[str, str]]]] = [
    ("referral", (), [("ministry", "answer")]),
    ("referral", ("acknowledge",), [("ministry", "answer")]),
    ("referral", ("request_info",), [("police", "give_information")]),
    ("referral", ("request_info", "provide_info"), [("ministry", "answer")]),
    ("referral", ("accept",), [("ministry", "start")]),
    ("referral", ("accept", "start"), []),
    ("referral", ("accept", "start", "hold"), []),
    ("referral", ("accept", "request_cancel"), [("ministry", "answer_cancellation")]),
    ("referral", ("accept", "request_cancel", "refuse_cancel"), [("ministry", "start")]),
    ("referral", ("accept", "start", "complete"), []),
    ("referral", ("accept", "fail"), []),
    ("referral", ("accept", "request_cancel", "confirm_cancel"), []),
    ("referral", ("decline",), []),
    ("referral", ("recall",), []),
    ("referral", ("enter_in_error",), []),
    ("transfer", (), [("ministry", "answer")]),
    ("transfer", ("acknowledge",), [("ministry", "answer")]),
    ("transfer", ("request_info",), [("police", "give_information")]),
    ("transfer", ("request_info", "provide_info"), [("ministry", "answer")]),
    ("transfer", ("accept",), [("ministry", "confirm_handover")]),
    ("transfer", ("accept", "confirm_handover"), []),
    ("transfer", ("decline",), []),
    ("transfer", ("recall",), []),
    ("transfer", ("enter_in_error",), []),
]


class TestWhatHasADayByLaw:
    """Three times 24 hours: UU 27/2022 art 46 for an incident, and as long for what a person asks."""

    async def test_waits_for_whom_it_concerns_until_it_is_answered(self, world: World) -> None:
        sent = await world.accepted(receiver="shelter")
        asked = await test_subject_requests.asked(world, world.shelter, sent.case_id)
        incident = await test_incidents.reported(world, world.shelter, sent.case_id)
        listed = [
            (code, what) for code, what in await waits(world) if what in ("answer_subject_request", "see_to_incident")
        ]
        assert listed == [("police", "answer_subject_request"), ("shelter", "see_to_incident")]
        (item,) = await inbox(world.police, "?kind=answer_subject_request")
        assert (item["id"], item["moves"], item["other"]["code"]) == (asked.rsplit("/", 1)[1], ["answer"], "shelter")
        (item,) = await inbox(world.shelter, "?kind=see_to_incident")
        assert (item["id"], item["case_id"], item["moves"]) == (incident.rsplit("/", 1)[1], None, ["add", "close"])
        world.exchange.later(hours=73)
        assert len(await inbox(world.police, "?kind=answer_subject_request&overdue=true")) == 1
        counts = (await world.shelter.get("/v1/inbox/counts")).json()["counts"]
        assert counts["see_to_incident"] == {"waiting": 1, "overdue": 1}
        assert (await test_subject_requests.answer(world.police, asked)).status_code == 200
        now = world.exchange.clock.now()
        notice = {**test_incidents.notice(now), "persons": 1, "happened_at": (now - timedelta(hours=80)).isoformat()}
        closed = await world.shelter.post(f"{incident}/close", notice)
        assert closed.status_code == 200, closed.text
        assert [what for _, what in await waits(world) if what in ("answer_subject_request", "see_to_incident")] == []


class TestWhatWaits:
    @pytest.mark.parametrize(("kind", "events", "expected"), TURNS, ids=str)
    async def test_is_listed_for_whose_turn_it_is_and_for_nobody_else(
        self, world: World, kind: str, events: tuple[str, ...], expected: list[tuple[str, str]]
    ) -> None:
        sent = await world.moved(await world.send(kind=kind, receiver="ministry"), *events)
        assert await waits(world) == expected
        for code, _ in expected:
            (item,) = await inbox(world.agencies[code])
            read = (await world.agencies[code].get(sent.path)).json()
            for name in ("id", "case_id", "reference", "state", "version", "urgency", "deadline", "clock", "moves"):
                assert item[name] == read[name], name
            assert item["subject"] == kind
            assert item["other"]["code"] == ({"police", "ministry"} - {code}).pop()
            assert item["moves"] != []

    async def test_says_after_an_abort_that_what_was_read_is_to_be_erased(self, world: World) -> None:
        await world.moved(await world.accepted(kind="transfer", receiver="ministry"), "abort")
        assert await waits(world) == [("ministry", "request")]
        (item,) = await inbox(world.ministry)
        assert (item["subject"], item["moves"]) == ("request", ["answer"])
        reply = await world.ministry.post(f"/v1/requests/{item['id']}/answer", {"answer": "erased"})
        assert reply.status_code == 200, reply.text
        assert await waits(world) == []

    async def test_says_that_a_paper_is_to_be_supplied_until_it_is(self, world: World) -> None:
        handed = await world.accepted(kind="transfer", receiver="ministry")
        await world.move(handed, "confirm_handover", PENDING)
        assert await waits(world) == [("ministry", "supply_paper")]
        (item,) = await inbox(world.ministry)
        assert (item["moves"], item["version"]) == (["handover_paper"], handed.version)
        await world.moved(handed, "handover_paper")
        assert await waits(world) == []

    @pytest.mark.parametrize("events", [("start",), ("start", "hold")], ids=str)
    async def test_says_that_work_is_to_go_on_once_the_clock_has_asked(
        self, world: World, events: tuple[str, ...]
    ) -> None:
        passed = await world.moved(await world.accepted(receiver="ministry"), *events)
        assert await waits(world) == []
        world.exchange.later(days=16)
        await world.exchange.settle()
        assert ("ministry", "continue") in await waits(world)
        await world.moved(passed, "record_service" if events == ("start",) else "resume")
        assert await waits(world) == []

    async def test_says_that_a_reported_error_can_be_confirmed_where_something_waits(self, world: World) -> None:
        accepted = await world.moved(await world.accepted(receiver="ministry"), "report_error")
        (item,) = await inbox(world.ministry)
        assert "confirm_error" in item["moves"]
        await world.moved(accepted, "confirm_error")
        assert await waits(world) == []

    async def test_goes_with_the_case_to_the_new_lead(self, world: World) -> None:
        asked = await world.moved(await world.send(receiver="iom"), "request_info")
        assert await waits(world) == [("police", "give_information")]
        await world.handed_over(receiver="ministry", case_id=asked.case_id)
        assert await waits(world) == [("ministry", "give_information")]

    async def test_goes_away_for_who_was_not_the_first(self, world: World) -> None:
        group = "7b1c2f6e-0000-4000-8000-000000000001"
        first = await world.send(receiver="iom", offer_group=group)
        await world.send(receiver="sentra", offer_group=group, case_id=first.case_id)
        await world.moved(first, "accept")
        assert await waits(world) == [("iom", "start")]

    async def test_goes_away_once_nobody_answered_in_time(self, world: World) -> None:
        await world.send(receiver="iom")
        for _ in range(40):
            world.exchange.later(days=1)
            await world.exchange.settle()
        assert [what for what in await waits(world) if what[1] != "escalation"] == []

    async def test_says_nothing_about_the_person(self, world: World) -> None:
        await world.accepted(receiver="iom", record=records.full_record(), purpose="social_rehabilitation",
                             bases=[records.legal_basis(*records.FULL_SECTIONS)])  # fmt: skip
        text = (await world.iom.get("/v1/inbox")).text
        for word in (records.NAME, records.SECRET_PLACE, records.SECRET_STORY, "shelter_men", "disclosures"):
            assert word not in text

    async def test_of_several_comes_soonest_deadline_first(self, world: World) -> None:
        sent = [await world.send(receiver="iom", urgency=urgency) for urgency in ("standard", "immediate", "urgent")]
        sent.append(await world.moved(await world.send(receiver="iom"), "accept"))
        found = await inbox(world.iom)
        assert [item["id"] for item in found[:2]] == [sent[1].id, sent[2].id]
        deadlines = [item["deadline"] for item in found]
        assert deadlines == sorted(deadlines)


class TestFilters:
    @pytest.fixture
    async def six(self, world: World) -> dict[str, Passed]:
        return {
            "immediate": await world.send(receiver="iom", urgency="immediate"),
            "standard": await world.send(receiver="iom"),
            "start": await world.accepted(receiver="iom"),
            "cancel": await world.moved(await world.accepted(receiver="iom"), "request_cancel"),
            "asked": await world.moved(await world.send(sender="iom", receiver="sentra"), "request_info"),
            "transfer": await world.send(kind="transfer", receiver="iom"),
        }

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("?kind=answer", {"immediate", "standard", "transfer"}),
            ("?kind=start", {"start"}),
            ("?kind=answer_cancellation&kind=give_information", {"cancel", "asked"}),
            ("?kind=confirm_handover", set()),
            ("?kind=escalation&kind=request", set()),
            ("?overdue=true", {"immediate"}),
            ("?overdue=true&kind=start", set()),
            ("", {"immediate", "standard", "start", "cancel", "asked", "transfer"}),
        ],
    )
    async def test_give_what_fits(self, world: World, six: dict[str, Passed], query: str, expected: set[str]) -> None:
        world.exchange.later(hours=2)
        found = {item["id"] for item in await inbox(world.iom, query)}
        assert found == {six[name].id for name in expected}
        assert await inbox(world.stranger, query) == []

    @pytest.mark.parametrize(
        "query",
        [
            "kind=nonsense",
            "kind=answer&kind=Answer",
            "overdue=perhaps",
            "limit=0",
            "limit=201",
            "colour=red",
            "limit=1&limit=1",
        ],
    )
    async def test_that_are_not_understood_are_refused(self, world: World, query: str) -> None:
        reply = await world.iom.get(f"/v1/inbox?{query}")
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/invalid-request")
        assert "nonsense" not in reply.text

    async def test_belong_to_their_cursor(self, world: World, six: dict[str, Passed]) -> None:
        link = (await world.iom.get("/v1/inbox?limit=2")).json()["next"]
        cursor = link.rsplit("cursor=", 1)[1]
        for who, path in (
            (world.iom, f"/v1/inbox?limit=2&kind=answer&cursor={cursor}"),
            (world.iom, f"/v1/inbox?limit=2&overdue=true&cursor={cursor}"),
            (world.iom, f"/v1/referrals?limit=2&cursor={cursor}"),
            (world.police, f"/v1/inbox?limit=2&cursor={cursor}"),
            (world.iom, "/v1/inbox?cursor=abcdefghijklmnop"),
        ):
            assert (await who.get(path)).json()["type"] == "/problems/invalid-cursor"

    async def test_are_counted(self, world: World, six: dict[str, Passed]) -> None:
        world.exchange.later(hours=2)
        counted = (await world.iom.get("/v1/inbox/counts")).json()["counts"]
        assert counted.keys() == {kind.value for kind in Waiting}
        assert {kind: each for kind, each in counted.items() if each["waiting"]} == {
            "answer": {"waiting": 3, "overdue": 1},
            "start": {"waiting": 1, "overdue": 0},
            "answer_cancellation": {"waiting": 1, "overdue": 0},
            "give_information": {"waiting": 1, "overdue": 0},
        }
        strangers = (await world.stranger.get("/v1/inbox/counts")).json()["counts"]
        assert {each["waiting"] for each in strangers.values()} == {0}


class TestPaging:
    async def test_gives_every_row_once(self, world: World) -> None:
        sent = {(await world.send(receiver="iom", urgency=urgency)).id for urgency in ("standard", "urgent") * 6}
        found = await pages(world.iom, "limit=5")
        assert [len(page) for page in found] == [5, 5, 2]
        assert Counter(item["id"] for page in found for item in page) == Counter(sent)

    async def test_parts_rows_of_one_deadline(self, world: World) -> None:
        sent = {(await world.send(receiver="iom")).id for _ in range(9)}
        await world.owner.execute("UPDATE referral SET deadline_at = '2027-01-01Z'")
        found = await pages(world.iom, "limit=2")
        assert Counter(item["id"] for page in found for item in page) == Counter(sent)

    async def test_loses_and_repeats_nothing_while_others_move(self, world: World) -> None:
        """Between the pages some rows are answered, one is paused, one comes: the rest comes once, the answered at most once."""
        sent = [await world.send(receiver="iom") for _ in range(12)]
        first = (await world.iom.get("/v1/inbox?limit=4")).json()
        shown = [item["id"] for item in first["items"]]
        by_id = {each.id: each for each in sent}
        rest = [each for each in sent if each.id not in shown]
        await world.moved(by_id[shown[0]], "decline")
        await world.moved(rest[0], "recall")
        await world.moved(rest[1], "request_info")
        new = await world.send(receiver="iom")
        later, path = [], first["next"]
        while path:
            page = (await world.iom.get(path)).json()
            later += [item["id"] for item in page["items"]]
            path = page["next"]
        assert len(set(shown + later)) == len(shown + later)
        expected = {each.id for each in sent} - {rest[0].id, rest[1].id} | {new.id}
        assert set(shown + later) == expected


START = datetime(2026, 1, 1, tzinfo=UTC)
PAGES: list[tuple[str, list[str] | None, bool, datetime | None, int]] = [
    ("iom", None, False, None, 51),
    ("iom", ["answer"], False, None, 51),
    ("iom", ["answer"], False, START + timedelta(seconds=15_000), 51),
    ("iom", None, True, START + timedelta(seconds=15_000), 51),
    ("iom", ["answer_cancellation"], False, None, 3),
    ("iom", ["answer_cancellation"], False, START + timedelta(seconds=19_999), 0),
    ("ministry", ["supply_paper"], False, None, 20),
    ("iom", ["supply_paper", "start"], True, None, 0),
    ("stranger", None, False, None, 0),
]
"""Who asks for which kinds, only overdue ones, after which deadline; and how many rows of a page of 51 there are."""


class TestAtTwentyThousandRowsEach:
    """What PostgreSQL counted while the very functions the service calls ran."""

    @pytest.fixture
    async def many(self, world: World) -> int:
        """20 000 referrals and as many transfers; IOM receives nineteen of twenty, and three of them ask to cancel."""
        count = 20_000
        await world.owner.execute("ANALYZE referral, transfer, case_file")  # while they are empty
        iom, police, ministry = (world.ids[code] for code in ("iom", "police", "ministry"))
        await world.owner.execute(
            """INSERT INTO case_file (id, reference, lead_id, state, entry_channel, opened_by_id, opened_at, updated_at)
               SELECT md5('case' || n)::uuid, 'K-' || n, $1, 'open', 'outreach', $1, $2::timestamptz, $2
               FROM generate_series(1, $3::int) AS n""",
            police,
            START,
            count,
        )
        for kind, states, rare, names, values in (
            ("referral", ["sent", "completed", "declined"], "CASE WHEN n IN (7, 9007, 19007) THEN 'cancel_requested' END",
             "sent_by_id, needs_hash", "$5::uuid, decode(md5(n::text), 'hex')"),
            ("transfer", ["offered", "aborted", "declined"], "CASE WHEN n % 1000 = 0 THEN 'completed' END",
             "paper, manifest, manifest_digest", "CASE WHEN n % 1000 = 0 THEN 'pending' END, jsonb_build_object('by', $5::uuid), ''"),
        ):  # fmt: skip
            await world.owner.execute(
                f"""INSERT INTO {kind} (id, case_id, reference, sender_id, receiver_id, recorded_by_id, state, purpose, urgency, respond_by,
                                        sections, version_id, sent_at, last_occurred_at, deadline_at, updated_at, {names})
                    SELECT (lpad(to_hex(n), 12, '0') || substr(md5(n::text), 1, 20))::uuid, md5('case' || n)::uuid, 'X-' || n, $4::uuid,
                           CASE WHEN n % 20 = 0 THEN $5::uuid ELSE $6::uuid END, $4,
                           coalesce({rare}, ($3::text[])[1 + n % 3]), 'shelter', 'standard', $1::timestamptz, '{{needs}}',
                           md5('v' || n)::uuid, $1, $1, $1 + make_interval(secs => (n * 7919) % $2::int), $1, {values}
                    FROM generate_series(1, $2::int) AS n""",
                START,
                count,
                states,
                police,
                ministry,
                iom,
            )
        return count

    async def counted(
        self, world: World, who: str, statement: str, *arguments: Any
    ) -> tuple[int, dict[str, int], list[Any]]:
        """Sequential scans of both tables, tuples read through each index, rows returned."""
        conn = await asyncpg.connect(world.exchange.addresses.app)
        acting = (world.ids[who], f"{who}-system", "a", "r", START + timedelta(days=1), None, None, None)
        try:
            async with conn.transaction():
                await conn.execute("SELECT set_config('rujukan.agency', $1, true)", str(world.ids[who]))
                rows = await conn.fetch(statement, acting, *arguments)
                scans = await conn.fetchval(
                    "SELECT pg_stat_get_xact_numscans('referral'::regclass) + pg_stat_get_xact_numscans('transfer'::regclass)"
                )
                indexes = await conn.fetch(
                    """SELECT indexrelid::regclass::text AS name, pg_stat_get_xact_tuples_returned(indexrelid) AS read
                       FROM pg_index WHERE indrelid IN ('referral'::regclass, 'transfer'::regclass)
                         AND pg_stat_get_xact_numscans(indexrelid) > 0"""
                )
        finally:
            await conn.close()
        return scans, {row["name"]: row["read"] for row in indexes}, rows

    @pytest.mark.parametrize("analysed", [True, False], ids=["analysed", "statistics of an empty table"])
    async def test_a_page_reads_what_it_shows_and_no_more(self, world: World, many: int, analysed: bool) -> None:
        if analysed:
            await world.owner.execute("ANALYZE referral, transfer, case_file")
        for who, kinds, overdue, after, rows in PAGES:
            after_id = UUID(int=0) if after else None
            scans, indexes, found = await self.counted(
                world, who, "SELECT * FROM list_inbox($1, $2, $3, $4, $5, 51)", kinds, overdue, after, after_id
            )
            shown = (who, kinds, overdue, after, indexes)
            assert (len(found), scans) == (rows, 0), shown
            assert set(indexes) <= {"referral_turn", "transfer_turn"}, shown
            # a page of each state that is asked for, at most; and the planner looks at the ends of an index
            assert sum(indexes.values()) <= (2 * 51 if rows else 0) + 8, shown

    async def test_a_count_reads_no_more_than_it_counts(self, world: World, many: int) -> None:
        scans, indexes, found = await self.counted(world, "iom", "SELECT * FROM count_inbox($1, 1000)")
        counts = {row["kind"]: (row["waiting"], row["overdue"]) for row in found}
        assert (scans, counts["answer"], counts["answer_cancellation"]) == (0, (1000, 1000), (3, 3))
        assert set(indexes) <= {"referral_turn", "transfer_turn"}
        assert sum(indexes.values()) <= 2 * 1000 + 50

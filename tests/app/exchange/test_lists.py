"""Lists: every row once, whatever the filters and the page; and found by an index, however many rows there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import asyncpg
import pytest

from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from tests.makers.world import Agency, World

KINDS = ("referral", "transfer")
STATES = {"referral": REFERRAL.states, "transfer": TRANSFER.states}
START = datetime(2026, 1, 1, tzinfo=UTC)
HOLDERS = ("police", "iom", "ministry", "lpsk")


@pytest.fixture
async def many(world: World, kind: str, count: int) -> int:
    """Rows between four agencies, in all states and urgencies, by the owner's hand; IOM has a small part of many."""
    holders = [
        world.ids[code] for code in (HOLDERS if count < 1_000 else ("police", "ministry", "lpsk") * 16 + ("iom",))
    ]
    await world.owner.execute(
        """INSERT INTO case_file (id, reference, lead_id, state, entry_channel, opened_by_id, opened_at, updated_at)
           SELECT md5('case' || n)::uuid, 'K-' || n, $1, 'open', 'outreach', $1, $2::timestamptz, $2
           FROM generate_series(1, $3::int) AS n""",
        holders[0],
        START,
        count,
    )
    names, values = {
        "referral": ("sent_by_id, needs_hash", "$6::uuid, decode(md5(n::text), 'hex')"),
        "transfer": ("manifest, manifest_digest", "jsonb_build_object('by', $6::uuid), ''"),
    }[kind]
    await world.owner.execute(
        f"""INSERT INTO {kind} (id, case_id, reference, sender_id, receiver_id, recorded_by_id, state, purpose, urgency, respond_by,
                                sections, version_id, sent_at, last_occurred_at, deadline_at, updated_at, {names})
            SELECT (lpad(to_hex(n), 12, '0') || substr(md5(n::text), 1, 20))::uuid, md5('case' || n)::uuid, 'X-' || n,
                   ($1::uuid[])[1 + n % size], ($1::uuid[])[1 + (n + 1 + n / size % (size - 1)) % size], $6,
                   ($4::text[])[1 + (hashint4(n) & 65535) % cardinality($4::text[])], 'shelter',
                   ($5::text[])[1 + (hashint4(-n) & 65535) % 3], $2::timestamptz,
                   '{{needs}}', md5('v' || n)::uuid, $2 + make_interval(secs => n), $2, $2 + make_interval(secs => n % 1000),
                   $2 + make_interval(secs => (n * 7919) % $3::int), {values}
            FROM generate_series(1, $3::int) AS n, cardinality($1::uuid[]) AS size""",
        holders,
        START,
        count,
        list(STATES[kind]),
        ["immediate", "urgent", "standard"],
        holders[0],
    )
    await world.owner.execute(f"ANALYZE {kind}, case_file")
    return count


async def pages(who: Agency, path: str) -> list[list[dict[str, Any]]]:
    found = []
    next_path: str | None = path
    while next_path is not None:
        reply = await who.get(next_path)
        assert reply.status_code == 200, reply.text
        found.append(reply.json()["items"])
        next_path = reply.json()["next"]
        assert len(found) < 100, "a list ends"
    return found


async def everything(who: Agency, path: str) -> list[dict[str, Any]]:
    return [item for page in await pages(who, path) for item in page]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [400])
class TestPaging:
    @pytest.mark.parametrize("who", HOLDERS)
    @pytest.mark.parametrize("role", ["sender", "receiver"])
    async def test_gives_every_row_once_newest_first(
        self, world: World, many: int, kind: str, who: str, role: str
    ) -> None:
        expected = await world.owner.fetch(
            f"SELECT id FROM {kind} WHERE {role}_id = $1 ORDER BY id DESC", world.ids[who]
        )
        found = await pages(world.agencies[who], f"/v1/{kind}s?role={role}&limit=7")
        assert [item["id"] for page in found for item in page] == [str(row["id"]) for row in expected]
        assert {len(page) for page in found[:-1]} == {7}
        assert len(expected) > 50

    async def test_ends_without_an_empty_page(self, world: World, many: int, kind: str) -> None:
        mine = await world.owner.fetchval(f"SELECT count(*) FROM {kind} WHERE receiver_id = $1", world.ids["iom"])
        found = await pages(world.iom, f"/v1/{kind}s?limit={mine}")
        assert [len(page) for page in found] == [mine]

    async def test_by_change_gives_the_oldest_change_first(self, world: World, many: int, kind: str) -> None:
        since = START + timedelta(seconds=100)
        expected = await world.owner.fetch(
            f"SELECT id FROM {kind} WHERE receiver_id = $1 AND updated_at >= $2 ORDER BY updated_at, id",
            world.ids["iom"],
            since,
        )
        found = await everything(world.iom, f"/v1/{kind}s?updated_since={quote(since.isoformat())}&limit=7")
        assert [item["id"] for item in found] == [str(row["id"]) for row in expected]

    async def test_is_not_upset_by_what_is_sent_meanwhile(self, world: World, many: int, kind: str) -> None:
        counted = await world.owner.fetchval(f"SELECT count(*) FROM {kind} WHERE receiver_id = $1", world.ids["iom"])
        first = (await world.iom.get(f"/v1/{kind}s?limit=20")).json()
        new = await world.send(kind=kind, receiver="iom")
        rest = await everything(world.iom, first["next"])
        ids = [item["id"] for item in first["items"] + rest]
        assert len(ids) == len(set(ids)) == counted
        assert new.id not in ids

    @pytest.mark.parametrize(
        "filters",
        [
            {"state": ["accepted"]},
            {"state": ["accepted", "completed"]},
            {"state": ["received", "info_requested", "accepted"]},
            {"urgency": ["immediate"]},
            {"urgency": ["immediate", "urgent"]},
            {"urgency": ["urgent"], "state": ["declined", "recalled"]},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("since", [False, True], ids=["by id", "by change"])
    async def test_with_filters_gives_what_fits_and_all_of_it(
        self, world: World, many: int, kind: str, filters: dict[str, list[str]], since: bool
    ) -> None:
        query = "&".join(f"{name}={value}" for name, values in filters.items() for value in values)
        query += f"&updated_since={quote(START.isoformat())}" if since else ""
        rows = await world.owner.fetch(f"SELECT * FROM {kind} WHERE receiver_id = $1", world.ids["iom"])
        expected = {str(row["id"]) for row in rows if all(row[name] in values for name, values in filters.items())}
        found = [item["id"] for item in await everything(world.iom, f"/v1/{kind}s?{query}&limit=2")]
        assert len(found) == len(set(found))
        assert set(found) == expected
        assert len(expected) > 2

    async def test_of_one_case_gives_that_case(self, world: World, many: int, kind: str) -> None:
        row = await world.owner.fetchrow(f"SELECT * FROM {kind} WHERE receiver_id = $1", world.ids["iom"])
        assert row is not None
        (found,) = await everything(world.iom, f"/v1/{kind}s?case_id={row['case_id']}")
        assert found["id"] == str(row["id"])
        assert await everything(world.stranger, f"/v1/{kind}s?case_id={row['case_id']}") == []

    async def test_shows_a_stranger_nothing(self, world: World, many: int, kind: str) -> None:
        for role in ("sender", "receiver"):
            assert await everything(world.stranger, f"/v1/{kind}s?role={role}") == []


@pytest.mark.parametrize("kind", KINDS)
class TestACursor:
    @pytest.fixture
    async def cursor(self, world: World, kind: str) -> str:
        """A cursor of the receiver's list with two a page."""
        for _ in range(3):
            await world.send(kind=kind, receiver="iom")
        link = (await world.iom.get(f"/v1/{kind}s?limit=2")).json()["next"]
        assert isinstance(link, str)
        return link.rsplit("cursor=", 1)[1]

    async def test_is_good_for_its_own_list(self, world: World, kind: str, cursor: str) -> None:
        reply = await world.iom.get(f"/v1/{kind}s?limit=2&cursor={cursor}")
        assert (reply.status_code, len(reply.json()["items"])) == (200, 1)

    @pytest.mark.parametrize(
        "query",
        [
            "limit=3",
            "limit=2&role=sender",
            "limit=2&state=accepted",
            "limit=2&urgency=urgent",
            f"limit=2&case_id={UUID(int=5)}",
            "",
        ],
    )
    async def test_is_not_good_with_other_filters(self, world: World, kind: str, cursor: str, query: str) -> None:
        reply = await world.iom.get(f"/v1/{kind}s?{query}&cursor={cursor}")
        assert (reply.status_code, reply.json()["type"]) == (400, "/problems/invalid-cursor")

    async def test_is_not_good_for_another_agency_or_another_list(self, world: World, kind: str, cursor: str) -> None:
        other = {"referral": "transfers", "transfer": "referrals"}[kind]
        for who, path in (
            (world.ministry, f"/v1/{kind}s"),
            (world.stranger, f"/v1/{kind}s"),
            (world.iom, f"/v1/{other}"),
            (world.iom, "/v1/cases"),
            (world.iom, "/v1/agencies"),
        ):
            reply = await who.get(f"{path}?limit=2&cursor={cursor}")
            assert (reply.status_code, reply.json()["type"]) == (400, "/problems/invalid-cursor"), path

    @pytest.mark.parametrize("garbage", ["", "x", "AAAA", "a" * 400, "..%2F..", "%00", "%C3%A9", "W10", "bnVsbA"])
    async def test_is_not_made_by_hand(self, world: World, kind: str, cursor: str, garbage: str) -> None:
        reply = await world.iom.get(f"/v1/{kind}s?limit=2&cursor={garbage}")
        assert (reply.status_code, reply.json()["type"]) == (400, "/problems/invalid-cursor")

    async def test_is_not_good_once_altered(self, world: World, kind: str, cursor: str) -> None:
        for place in (0, 10, 17, 30):
            other = "A" if cursor[place] != "A" else "B"
            reply = await world.iom.get(f"/v1/{kind}s?limit=2&cursor={cursor[:place] + other + cursor[place + 1 :]}")
            assert reply.status_code == 400


@pytest.mark.parametrize("path", ["/v1/referrals", "/v1/transfers", "/v1/cases", "/v1/agencies"])
class TestAQuery:
    @pytest.mark.parametrize(
        "query", ["colour=red", "limit=5&limit=5", "limit=0", "limit=201", "limit=x", "cursor=a&cursor=b"]
    )
    async def test_that_is_not_understood_is_refused(self, world: World, path: str, query: str) -> None:
        reply = await world.iom.get(f"{path}?{query}")
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/invalid-request"), reply.text
        assert "colour" not in reply.text, "what the caller wrote is not repeated"


@pytest.mark.parametrize("kind", KINDS)
class TestAQueryOfAList:
    @pytest.mark.parametrize(
        "query",
        [
            "role=lead",
            "role=sender&role=receiver",
            "state=acepted",
            "state=accepted&state=nonsense",
            "urgency=soon",
            "case_id=7",
            "case=7",
            "updated_since=yesterday",
            "updated_since=2026-01-01",
        ],
    )
    async def test_that_is_not_understood_is_refused(self, world: World, kind: str, query: str) -> None:
        """An unknown state is a mistake to be told of, not an empty inbox."""
        reply = await world.iom.get(f"/v1/{kind}s?{query}")
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/invalid-request"), reply.text

    async def test_that_names_a_state_of_the_other_kind_is_refused(self, world: World, kind: str) -> None:
        other = {"referral": "offered", "transfer": "sent"}[kind]
        assert (await world.iom.get(f"/v1/{kind}s?state={other}")).status_code == 422


class TestCases:
    async def test_are_paged_by_who_leads_them(self, world: World) -> None:
        mine = {(await world.send()).case_id for _ in range(5)}
        await world.send(sender="ministry", receiver="iom")
        found = await pages(world.police, "/v1/cases?limit=2&state=open")
        assert [len(page) for page in found] == [2, 2, 1]
        assert {item["id"] for page in found for item in page} == mine
        assert await everything(world.iom, "/v1/cases") == []
        assert await everything(world.police, "/v1/cases?state=closed") == []


OPEN = {kind: list(lifecycle.open_states) for kind, lifecycle in (("referral", REFERRAL), ("transfer", TRANSFER))}


@pytest.mark.parametrize("count", [20_000])
@pytest.mark.parametrize("kind", KINDS)
class TestAtTwentyThousandRows:
    """The plans of the very functions the service calls, by what PostgreSQL counted while they ran."""

    async def counted(
        self, world: World, kind: str, statement: str, *arguments: Any
    ) -> tuple[int, dict[str, int], int]:
        """Sequential scans of the table, tuples read through each of its indexes, rows returned."""
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            async with conn.transaction():
                await conn.execute("SELECT set_config('rujukan.agency', $1, true)", str(world.ids["iom"]))
                rows = await conn.fetch(statement, *arguments)
                scans = await conn.fetchval("SELECT pg_stat_get_xact_numscans($1::regclass)", kind)
                indexes = await conn.fetch(
                    """SELECT indexrelid::regclass::text AS name, pg_stat_get_xact_tuples_returned(indexrelid) AS read
                       FROM pg_index WHERE indrelid = $1::regclass AND pg_stat_get_xact_numscans(indexrelid) > 0""",
                    kind,
                )
        finally:
            await conn.close()
        # the planner itself looks at the ends of an index to estimate how much a range holds
        looked_at = {row["name"]: row["read"] for row in indexes if row["read"] > 2 or len(rows) == 1}
        return scans, looked_at, len(rows)

    def acting(self, world: World) -> tuple[Any, ...]:
        return (world.ids["iom"], "iom-system", "a", "r", START, None, None, None)

    async def test_a_page_is_read_from_its_index_and_one_row_by_its_key(
        self, world: World, many: int, kind: str
    ) -> None:
        since, halfway = START + timedelta(seconds=5_000), UUID(f"{10_000:012x}" + "8" * 20)
        changed = START + timedelta(seconds=9_000)
        for role in ("sender", "receiver"):
            for index, states, updated_since, after, last in (
                ("", None, None, None, None),
                ("", None, None, None, halfway),
                ("_open", OPEN[kind], None, None, None),
                ("_open", OPEN[kind], None, None, halfway),
                ("_open", OPEN[kind][:3], None, None, None),
                ("_updated", None, since, None, None),
                ("_updated", None, since, changed, halfway),
            ):
                scans, indexes, rows = await self.counted(
                    world,
                    kind,
                    f"SELECT * FROM list_{kind}s($1, $2, $3, $4, NULL, NULL, $5, $6, $7, 51)",
                    self.acting(world),
                    role,
                    states,
                    states is not None,
                    updated_since,
                    after,
                    last,
                )
                name = f"{kind}_{role}{index}"
                assert (rows, scans, set(indexes)) == (51, 0, {name}), "no sequential scan, no other index"
                assert indexes[name] <= 10 * rows, "what the page needs, and what deleted rows have left in it"
        row_id = await world.owner.fetchval(f"SELECT id FROM {kind} WHERE receiver_id = $1 LIMIT 1", world.ids["iom"])
        scans, indexes, rows = await self.counted(world, kind, f"SELECT * FROM {kind} WHERE id = $1", row_id)
        assert (scans, set(indexes), rows) == (0, {f"{kind}_id"}, 1)

    async def test_nor_is_it_sorted_for_an_agency_that_has_most_rows(self, world: World, many: int, kind: str) -> None:
        """Statistics that speak of an empty table, and an agency with half of all rows, whose own are the older half."""
        await world.owner.execute(
            f"UPDATE {kind} SET receiver_id = $1, sender_id = $2", world.ids["lpsk"], world.ids["police"]
        )
        await world.owner.execute(
            f"UPDATE {kind} SET receiver_id = $1 WHERE id IN (SELECT id FROM {kind} ORDER BY id LIMIT $2)",
            world.ids["iom"],
            many // 2,
        )
        scans, indexes, rows = await self.counted(
            world,
            kind,
            f"SELECT * FROM list_{kind}s($1, 'receiver', NULL, false, NULL, NULL, NULL, NULL, NULL, 51)",
            self.acting(world),
        )
        assert (rows, scans, set(indexes)) == (51, 0, {f"{kind}_receiver"})
        assert indexes[f"{kind}_receiver"] <= 10 * rows, "a page, and what the updates left behind"

    async def test_the_clock_reads_what_is_due_and_no_more(self, world: World, many: int, kind: str) -> None:
        await world.owner.execute(
            f"UPDATE {kind} SET due_at = $1 WHERE id IN (SELECT id FROM {kind} LIMIT 9)", START - timedelta(days=1)
        )
        await world.owner.execute(f"ANALYZE {kind}")
        conn = await asyncpg.connect(world.exchange.addresses.worker)
        plan = await conn.fetch(
            f"""EXPLAIN SELECT id, state FROM {kind} WHERE due_at <= '2026-01-01Z' ORDER BY due_at LIMIT 200 FOR UPDATE SKIP LOCKED"""
        )
        await conn.close()
        text = "\n".join(row[0] for row in plan)
        assert f"{kind}_due" in text
        assert "Seq Scan" not in text

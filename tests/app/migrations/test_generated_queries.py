"""Hundreds of queries made from the catalogue, as each agency, under the service's own role: none finds what is not the agency's.

What is an agency's is said apart, in plain Python (`expected`, beside this file), over all the rows as their owner sees them.
"""

from __future__ import annotations

import io
import random
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import pytest

from tests.app.migrations.test_each_agency_sees_its_own_rows import GUARDED, expected, put_right, watched_over
from tests.makers.world import World

OF_EVERYBODY = {
    "duty_contact": "the directory: whom to call",
    "sealing_key": "the directory: public keys, to which sections are sealed",
}
"""Guarded tables that every agency reads whole."""
UNREADABLE = {"outbox", "log_entry", "case_link"}
"""Guarded tables that the service itself may not read."""
ANSWERS_ABOUT_OTHERS = {
    "append_log": "writes an entry and returns its id",
    "log_by": "as append_log",
    "log_refusal": "as append_log",
    "store_case": "refuses an id that is taken, as any primary key does; nobody can guess one",
    "store_record": "as store_case",
}
"""Functions whose answer differs by what they are asked about and that are no way to a case."""
WRITE_FOR_ANYBODY = {
    "append_log": "an entry of the log",
    "log_by": "as append_log",
    "log_refusal": "as append_log",
    "store_case": "a case of the stranger's own",
    "store_link": "holds the rows of both cases until it has found that neither is the stranger's; changes none",
}
"""Functions that write something for a stranger, whatever the ids it names."""
MADE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32,}")
"""What a call makes itself, or was given: ids, salts."""


@dataclass
class Life:
    """A busy database: every guarded table's rows, its columns, and who may see which rows."""

    columns: dict[str, list[str]]
    all: dict[str, list[asyncpg.Record]]
    own: dict[str, dict[str, list[asyncpg.Record]]]


async def lived(world: World) -> Life:
    made = await world.busy()
    await put_right(world, made)
    await watched_over(world, made)
    rows = {table: await world.owner.fetch(f"SELECT * FROM {table}") for table in (*GUARDED, "agency")}
    columns = await world.owner.fetch(
        """SELECT relname AS table, array_agg(attname::text ORDER BY attnum) AS columns FROM pg_class c JOIN pg_attribute ON attrelid = c.oid
           WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relrowsecurity
             AND attnum > 0 AND NOT attisdropped GROUP BY relname"""
    )
    guarded = {row["table"]: list(row["columns"]) for row in columns}
    assert set(guarded) - set(OF_EVERYBODY) - UNREADABLE == set(GUARDED), "a table that nobody has said the rule of"
    own = {code: expected(rows, agency_id) for code, agency_id in world.ids.items()}
    return Life({table: guarded[table] for table in GUARDED}, rows, own | {"": expected(rows, UUID(int=0))})


@asynccontextmanager
async def acting(conn: asyncpg.Connection, agency: UUID | None) -> AsyncIterator[None]:
    """One transaction as an agency, undone afterwards."""
    change = conn.transaction()
    await change.start()
    try:
        if agency is not None:
            await conn.execute("SELECT set_config('rujukan.agency', $1, true)", str(agency))
        yield
    finally:
        await change.rollback()


def reads(life: Life, table: str, chance: random.Random) -> Iterator[str]:
    """Queries that each answer with rows of one table, as JSON: no two by the same way."""
    row, of = "to_jsonb(t)::text", f"{table} AS t"  # a column may be named as a table is
    yield f"SELECT {row} FROM {of}"
    yield f"SELECT {row} FROM {of} WHERE true OR t.{life.columns[table][0]} IS NULL"
    yield f"SELECT (SELECT {row} FROM (SELECT 1) AS x) FROM {of} ORDER BY random()"
    yield f"WITH t AS MATERIALIZED (SELECT * FROM {table}) SELECT {row} FROM t"
    yield f"SELECT r FROM (SELECT {row} AS r FROM {of} UNION ALL SELECT {row} FROM {of}) AS x"
    yield f"SELECT unnest(array_agg({row})) FROM {of}"
    others = [each for each in life.columns if each != table and "case_id" in life.columns[each]]
    if "case_id" in life.columns[table]:
        for other in chance.sample(others, 2):
            yield f"SELECT {row} FROM {of} JOIN {other} USING (case_id)"
            yield f"SELECT {row} FROM {of} WHERE EXISTS (SELECT FROM {other} o WHERE o.case_id = t.case_id)"
            yield f"SELECT {row} FROM {of} LEFT JOIN LATERAL (SELECT * FROM {other} o WHERE o.case_id = t.case_id) x ON true"
        foreign = chance.choice([each["case_id"] for each in life.all[table] if each["case_id"]])
        yield f"SELECT {row} FROM {of} WHERE case_id = '{foreign}'"


@pytest.fixture
async def service(world: World) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(world.exchange.addresses.app)
    yield conn
    await conn.close()


async def as_json(world: World, table: str, rows: list[asyncpg.Record]) -> set[str]:
    """Rows as the queries answer with them."""
    key = "id" if rows and "id" in rows[0] else None
    found = await world.owner.fetch(f"SELECT to_jsonb({table})::text AS j, {table} AS r FROM {table}")
    wanted = {str(tuple(row)) for row in rows} if key is None else {str(row["id"]) for row in rows}
    return {row["j"] for row in found if (str(row["r"]["id"]) if key else str(tuple(row["r"]))) in wanted}


class TestGeneratedQueries:
    async def test_find_what_is_the_agencys_own_and_nothing_else(
        self, world: World, service: asyncpg.Connection
    ) -> None:
        life, chance, asked = await lived(world), random.Random(20), 0
        for code in life.own:
            agency = world.ids.get(code)
            for table, columns in life.columns.items():
                right = await as_json(world, table, life.own[code][table])
                async with acting(service, agency):
                    for query in reads(life, table, chance):
                        found = {row[0] for row in await service.fetch(query)}
                        assert found <= right, (code, query)
                        assert found == right or " JOIN " in query or "EXISTS" in query or "case_id = '" in query, (
                            code,
                            query,
                        )
                        asked += 1
                    counts = ", ".join(f"count({column}), min({column}::text) IS NULL" for column in columns)
                    counted = await service.fetchrow(f"SELECT count(*), {counts} FROM {table}")
                    filled = [sum(row[column] is not None for row in life.own[code][table]) for column in columns]
                    assert [*counted] == [len(right), *(each for n in filled for each in (n, n == 0))], (code, table)
                    for copying in (service.copy_from_query, service.copy_from_table):
                        copied = io.BytesIO()
                        whole = (
                            f"SELECT to_jsonb({table})::text FROM {table}"
                            if copying == service.copy_from_query
                            else table
                        )
                        await copying(whole, output=copied)
                        # of a partitioned table itself nothing is copied
                        assert len(copied.getvalue().splitlines()) in (len(right), 0), (code, table)
                        asked += 1
        assert asked > 1500
        assert not any(life.own[""].values()), "nobody owns nothing"

    async def test_change_what_is_the_agencys_own_and_nothing_else(
        self, world: World, service: asyncpg.Connection
    ) -> None:
        life, refused, changed = await lived(world), 0, 0
        for code in ("police", "iom", "stranger", ""):
            for table, columns in life.columns.items():
                own = len(life.own[code][table])
                for change in (
                    *(f"UPDATE {table} SET {name} = {name}" for name in columns),
                    f"DELETE FROM {table}",
                    f"TRUNCATE {table}",
                ):
                    async with acting(service, world.ids.get(code)):
                        try:
                            done = await service.execute(change)
                        except (asyncpg.InsufficientPrivilegeError, asyncpg.GeneratedAlwaysError):
                            refused += 1
                            continue
                        assert int(done.split()[-1]) <= own, (code, change)
                        changed += 1
        assert refused > changed > 100

    async def test_reach_no_partition_around_its_table(self, world: World, service: asyncpg.Connection) -> None:
        await world.busy()
        parts = await world.owner.fetch(
            "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        assert len(parts) > 5
        for part in parts:
            async with acting(service, world.ids["police"]):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await service.fetch(f"SELECT * FROM {part['relname']}")


async def outcome(conn: asyncpg.Connection, agency: UUID, call: str) -> tuple[str, bool]:
    """What a call answers, and whether it wrote anything."""
    async with acting(conn, agency):
        try:
            answer = [tuple(row) for row in await conn.fetch(call)]
        except asyncpg.PostgresError as error:
            return f"{error.sqlstate} {error} {getattr(error, 'detail', '')}", False
        wrote = await conn.fetchval("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
    return str(answer), wrote


def argument(kind: str, id: UUID, agency: UUID) -> str:
    """A value for a parameter, which names `id` wherever it can."""
    ids = ", ".join(
        f"'{name}', '{id}'" for name in ("id", "case_id", "subject_id", "version_id", "consent_id", "other_id")
    )
    return {
        "uuid": f"'{id}'::uuid",
        "uuid[]": f"ARRAY['{id}']::uuid[]",
        "acting": f"ROW('{agency}', 'x', 'officer-7', NULL, now(), NULL, NULL, NULL)::acting",
        "jsonb": f"jsonb_build_object({ids})",
        "json": f"json_build_object({ids})",
        "text": "'referral'",
        "text[]": "'{identity}'::text[]",
        "timestamp with time zone": "'2026-01-01Z'::timestamptz",
        "interval": "'1 day'::interval",
        "integer": "1",
        "bigint": "1",
        "boolean": "true",
        "bytea": "'\\x00'::bytea",
        "bytea[]": "'{}'::bytea[]",
    }.get(kind, f"NULL::{kind}")


class TestEveryFunction:
    async def test_answers_about_anothers_case_as_about_none(self, world: World, service: asyncpg.Connection) -> None:
        """Each function that the service may call, asked by a stranger about the ids of others: as about an id that does not exist."""
        life = await lived(world)
        functions = await world.owner.fetch(
            """SELECT proname, proretset, ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes) WITH ORDINALITY AS x(t, n) ORDER BY n) AS takes
               FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f' AND has_function_privilege('rujukan_app', oid, 'EXECUTE')"""
        )
        stranger, nobody = world.ids["stranger"], uuid.uuid4()
        chance, told, wrote = random.Random(7), set(), set()
        tables = (
            "case_file",
            "referral",
            "transfer",
            "consent",
            "record_version",
            "correction",
            "request",
            "escalation",
            "disclosure",
            "move",
            "review",
            "emergency_access",
            "subject_request",
            "incident",
            "legal_hold",
        )
        for function in functions:
            if not {"uuid", "uuid[]", "jsonb"} & set(function["takes"]):
                continue

            def call(id: UUID, function: asyncpg.Record = function) -> str:
                values = ", ".join(argument(kind, id, stranger) for kind in function["takes"])
                return f"SELECT * FROM {function['proname']}({values})"

            as_nothing, _ = await outcome(service, stranger, call(nobody))
            for table in chance.sample(tables, 5):
                id = chance.choice(life.all[table])["id"]
                answer, has_written = await outcome(service, stranger, call(id))
                if MADE.sub("id", answer) != MADE.sub("id", as_nothing):
                    told.add((function["proname"], table, answer[:90], as_nothing[:90]))
                if has_written:
                    wrote.add(function["proname"])
        assert sorted(each for each in told if each[0] not in ANSWERS_ABOUT_OTHERS) == []
        assert wrote <= set(WRITE_FOR_ANYBODY), (
            "a function that a stranger wrote something with, about what is not its own"
        )

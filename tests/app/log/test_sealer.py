"""The sealer: every committed entry gets one position, whoever crashes, waits or comes late."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from app.log import keys, notes, proofs, tree
from app.log.leaf import entry_of, leaf_hash_of
from app.log.sealer import LogAltered, seal
from tests.makers.world import World

WRITE = "SELECT append_log($1, NULL, NULL, 'test', NULL, $2, 'done', NULL, NULL, NULL, '{}')"


@pytest.fixture
async def connect(world: World) -> AsyncIterator[Any]:
    """Connections as any role, closed after the test."""
    opened: list[asyncpg.Connection] = []

    async def open_one(role: str) -> asyncpg.Connection:
        opened.append(await asyncpg.connect(getattr(world.exchange.addresses, role)))
        return opened[-1]

    yield open_one
    for each in opened:
        if not each.is_closed():
            await each.close(timeout=2)


async def sealing(world: World, conn: asyncpg.Connection, limit: int = 1000) -> int:
    return await seal(
        conn,
        world.exchange.keyring,
        world.exchange.clock.now(),
        public_url="https://rujukan.test",
        rotate_after=timedelta(days=365),
        limit=limit,
    )


async def checked(world: World) -> int:
    """Check the whole of what is stored, by the definitions alone; return how many leaves there are."""
    leaves = await world.owner.fetch("SELECT * FROM log_leaf ORDER BY position")
    assert [row["position"] for row in leaves] == list(range(len(leaves)))
    frontier, roots = tree.Frontier(), {}
    for leaf in leaves:
        entry = await world.owner.fetchrow("SELECT * FROM log_entry WHERE id = $1", leaf["entry_id"])
        assert leaf_hash_of(entry) == leaf["hash"]
        list(frontier.append(leaf["hash"]))
        roots[frontier.size] = frontier.root()
    verifiers = await keys.verifiers(world.owner)
    for row in await world.owner.fetch("SELECT * FROM log_checkpoint"):
        checkpoint, _ = notes.verify(row["note"], verifiers)
        assert (checkpoint.origin, checkpoint.size) == ("rujukan.test/log", row["size"])
        assert checkpoint.root == roots[row["size"]]
    unsealed = await world.owner.fetchval(
        "SELECT count(*) FROM log_entry e WHERE NOT EXISTS (SELECT FROM log_leaf l WHERE l.entry_id = e.id)"
    )
    assert unsealed == await world.owner.fetchval("SELECT count(*) FROM log_waiting")
    return len(leaves)


class TestPositions:
    async def test_are_dense_while_many_write_and_three_seal_and_one_dies_over_and_over(
        self, world: World, connect: Any
    ) -> None:
        writing = True

        async def writer() -> None:
            conn = await connect("admin")
            for n in range(15):
                async with conn.transaction():
                    await conn.execute(WRITE, world.exchange.clock.now(), f"test:{n}")
                    await asyncio.sleep(random.random() / 50)  # committed later than others that began later

        async def sealer(limit: int) -> None:
            conn = await connect("worker")
            while writing or await sealing(world, conn, limit):
                await sealing(world, conn, limit)
                await asyncio.sleep(0.003)

        async def dying() -> None:
            while writing:
                conn = await connect("worker")
                task = asyncio.create_task(sealing(world, conn, 5))
                await asyncio.sleep(random.random() / 60)
                conn.terminate()
                await asyncio.gather(task, return_exceptions=True)

        async with asyncio.timeout(60):
            running = asyncio.gather(sealer(7), sealer(1000), dying())
            await asyncio.gather(*(writer() for _ in range(8)))
            writing = False
            await running
        assert await checked(world) >= 8 * 15

    async def test_come_late_for_what_is_committed_late_and_hold_up_nobody(self, world: World, connect: Any) -> None:
        slow, quick, worker = await connect("admin"), await connect("admin"), await connect("worker")
        transaction = slow.transaction()
        await transaction.start()
        first = await slow.fetchval(WRITE, world.exchange.clock.now(), "test:slow")
        second = await quick.fetchval(WRITE, world.exchange.clock.now(), "test:quick")
        assert first < second
        assert await asyncio.wait_for(sealing(world, worker), 5)
        await transaction.commit()
        assert await sealing(world, worker) == 1
        order = [row["entry_id"] for row in await world.owner.fetch("SELECT entry_id FROM log_leaf ORDER BY position")]
        assert order.index(second) < order.index(first) == len(order) - 1
        await checked(world)

    @pytest.mark.parametrize("table", ["log_leaf", "log_subtree", "log_checkpoint", "log_waiting"])
    async def test_are_not_given_halfway(self, world: World, connect: Any, table: str) -> None:
        """Wherever the sealer is stopped, nothing of the batch is there, and the next one begins where it began."""
        conn, worker = await connect("admin"), await connect("worker")
        for n in range(300):
            await conn.execute(WRITE, world.exchange.clock.now(), f"test:{n}")
        await sealing(world, worker, 250)
        before = await world.owner.fetchval("SELECT max(size) FROM log_checkpoint")
        event = "DELETE" if table == "log_waiting" else "INSERT"
        await world.owner.execute(
            f"""CREATE FUNCTION torn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'torn'; END $$;
                GRANT EXECUTE ON FUNCTION torn() TO PUBLIC;
                CREATE TRIGGER torn AFTER {event} ON {table} FOR EACH ROW EXECUTE FUNCTION torn()"""
        )
        try:
            with pytest.raises(asyncpg.RaiseError):
                await sealing(world, worker)
        finally:
            await world.owner.execute(f"DROP TRIGGER torn ON {table}; DROP FUNCTION torn()")
        assert await world.owner.fetchval("SELECT max(size) FROM log_checkpoint") == before
        assert await world.owner.fetchval("SELECT count(*) FROM log_leaf") == before
        while await sealing(world, worker):
            pass
        assert await checked(world) >= 300

    async def test_are_given_by_one_at_a_time(self, world: World, connect: Any) -> None:
        await world.send()
        one, other = await connect("worker"), await connect("worker")
        async with one.transaction():
            assert await sealing(world, one) > 0
            assert await asyncio.wait_for(sealing(world, other), 5) == 0
        assert await sealing(world, other) == 0


class TestWriters:
    async def test_never_wait_for_a_sealer_that_hangs(self, world: World, connect: Any) -> None:
        """It holds its lock and has sealed all that there is, and does not commit."""
        sent = await world.send()
        worker = await connect("worker")
        async with worker.transaction():
            assert await sealing(world, worker) > 0
            async with asyncio.timeout(5):
                await world.moved(sent, "accept")
                assert (await world.iom.get(sent.path)).status_code == 200
                await world.send()
        await sealing(world, worker)
        await checked(world)


class TestTheTree:
    async def test_is_proved_at_every_size_from_what_is_stored(self, world: World, connect: Any) -> None:
        conn, worker = await connect("admin"), await connect("worker")
        await conn.execute(
            "SELECT count(append_log($1, NULL, NULL, 'test', NULL, 'test:' || n, 'done', NULL, NULL, NULL, '{}'))"
            " FROM generate_series(1, 1100) AS n",
            world.exchange.clock.now(),
        )
        while await sealing(world, worker, 300):
            pass
        size = await checked(world)
        hashes = [row["hash"] for row in await world.owner.fetch("SELECT hash FROM log_leaf ORDER BY position")]
        assert await world.owner.fetchval("SELECT count(*) FROM log_subtree") == size // 256
        roots = {}
        for each in (1, 2, 255, 256, 257, 512, 1000, size):
            frontier = tree.Frontier()
            for leaf in hashes[:each]:
                list(frontier.append(leaf))
            roots[each] = frontier.root()
            assert await proofs.root_at(worker, each) == roots[each]
            for position in {0, each // 2, each - 1}:
                proof = await proofs.inclusion(worker, position, each)
                tree.check_inclusion(hashes[position], position, each, proof, roots[each])
        for earlier in roots:
            for later in roots:
                if earlier <= later:
                    proof = await proofs.consistency(worker, earlier, later)
                    tree.check_consistency(earlier, later, proof, roots[earlier], roots[later])

    @pytest.mark.parametrize(
        "altered",
        [
            "UPDATE log_leaf SET hash = sha256('x') WHERE position = 2",
            "UPDATE log_leaf SET position = position + 1 WHERE position = (SELECT max(position) FROM log_leaf)",
            "DELETE FROM log_leaf WHERE position = (SELECT max(position) FROM log_leaf)",
            "DELETE FROM log_checkpoint",
            "UPDATE log_checkpoint SET note = replace(note, E'/log\\n', E'/lag\\n')",
            "DELETE FROM log_entry WHERE action = 'referral:accept'",
        ],
    )
    async def test_is_not_signed_any_further_once_it_was_altered(
        self, world: World, connect: Any, altered: str
    ) -> None:
        sent = await world.send()
        worker = await connect("worker")
        await sealing(world, worker)
        await world.moved(sent, "accept")
        async with world.owner.transaction():
            await world.owner.execute("SET LOCAL session_replication_role = replica")
            await world.owner.execute(altered)
        with pytest.raises(LogAltered):
            await sealing(world, worker)

    async def test_takes_entries_of_any_form(self, world: World, connect: Any) -> None:
        """Numbers that RFC 8785 cannot write would otherwise keep everything after them from being sealed."""
        conn, worker = await connect("admin"), await connect("worker")
        await conn.execute(
            """SELECT append_log($1, NULL, NULL, E'\\u0007"\\\\ḁ😀', NULL, 'test:odd', 'done', NULL, NULL, NULL,
                '{"big": 12345678901234567890, "float": 1.50, "tiny": 1e-400, "é": "\\u2028",
                 "deep": [{"n": -9007199254740993, "ok": true, "none": null}]}')""",
            world.exchange.clock.now(),
        )
        assert await sealing(world, worker) > 0
        await checked(world)
        entry = entry_of(await world.owner.fetchrow("SELECT * FROM log_entry WHERE action = 'test:odd'"))
        assert entry["detail"]["big"] == "12345678901234567890"


class TestKeys:
    async def test_follow_one_another_and_old_checkpoints_stay_good(self, world: World, connect: Any) -> None:
        worker, clock, keyring = await connect("worker"), world.exchange.clock, world.exchange.keyring
        await world.send()
        await sealing(world, worker)
        (first,) = await world.owner.fetch("SELECT note FROM log_checkpoint")
        with pytest.raises(keys.NextKeyTooYoung):
            await keys.rotate(worker, keyring, clock.now())
        known = {row["state"]: row for row in await world.owner.fetch("SELECT * FROM log_key WHERE state <> 'retired'")}
        world.exchange.later(days=366)
        await world.send()
        await sealing(world, worker)
        rows = {row["id"]: row for row in await world.owner.fetch("SELECT * FROM log_key")}
        assert rows[known["active"]["id"]]["state"] == "retired"
        assert rows[known["active"]["id"]]["private_sealed"] is None
        assert rows[known["next"]["id"]]["state"] == "active", "what was published as the next one"
        newest = await world.owner.fetchval("SELECT note FROM log_checkpoint ORDER BY size DESC LIMIT 1")
        assert notes.verify(newest, [keys.verifier_of(known["next"])])
        assert notes.verify(first["note"], [keys.verifier_of(known["active"])])
        await checked(world)
        assert await keys.rotate(worker, keyring, clock.now(), at_once=True, actor="officer-1")
        last = (await world.owner.fetch("SELECT * FROM log_entry WHERE action = 'log_key:rotate' ORDER BY id"))[-1]
        assert last["actor"] == "officer-1"

"""An exported log is checked from the file alone; whatever a superuser has altered anywhere is found, and where it is."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from app.log import keys, notes
from app.log.auditing import Audit, Finding
from app.log.exporting import export
from app.log.leaf import leaf_of
from app.log.notes import Checkpoint, Verifier
from app.log.tree import Frontier, hash_leaf
from tests.makers.world import World

TABLES = ("log_entry", "log_leaf", "log_subtree", "log_checkpoint", "log_waiting")
FIRST, SECOND, LAST = 270, 290, 300
"""Sizes of the checkpoints; the first is a whole subtree of 256 and more."""


async def exported(world: World) -> list[dict[str, Any]]:
    conn = await asyncpg.connect(world.exchange.addresses.auditor)
    lines = [json.loads(json.dumps(line)) async for line in export(conn)]
    await conn.close()
    return lines


def findings(
    lines: list[dict[str, Any]], trusted: list[Verifier], kept: dict[int, bytes] | None = None
) -> list[Finding]:
    audit = Audit(trusted, kept or {})
    found = [finding for line in lines for finding in audit.feed(line)]
    return [*found, *audit.finish()]


@pytest.fixture
async def sealed(world: World) -> AsyncIterator[list[Verifier]]:
    """A log of 300 entries under three checkpoints, and one entry that waits; returns its keys."""
    conn = await asyncpg.connect(world.exchange.addresses.admin)

    async def write(n: int) -> None:
        await conn.execute(
            """SELECT count(append_log($1, NULL, 'a-client', 'officer-' || n, 'request', 'test:' || n, 'done', 'case', uuidv7(), uuidv7(),
                                       jsonb_build_object('sections', jsonb_build_array('identity'))))
               FROM generate_series(1, $2) AS n""",
            world.exchange.clock.now(),
            n,
        )

    present = await world.owner.fetchval("SELECT count(*) FROM log_waiting")
    made = 0 if await world.owner.fetchval("SELECT EXISTS (SELECT FROM log_key)") else 2
    for upto in (FIRST, SECOND, LAST):
        before = await world.owner.fetchval("SELECT count(*) FROM log_leaf")
        await write(upto - before - (present + made if upto == FIRST else 0))
        await world.exchange.worker.seal_log()
    await write(1)
    await conn.close()
    assert await world.owner.fetchval("SELECT array_agg(size ORDER BY size) FROM log_checkpoint") == [
        FIRST,
        SECOND,
        LAST,
    ]
    for table in TABLES:
        await world.owner.execute(f"CREATE TEMP TABLE kept_{table} AS TABLE {table}")
    trusted = await keys.verifiers(world.owner)
    yield trusted
    for table in TABLES:
        await world.owner.execute(f"DROP TABLE kept_{table}")


async def restore(world: World) -> None:
    async with world.owner.transaction():
        await world.owner.execute("SET LOCAL session_replication_role = replica")
        for table in TABLES:
            overriding = "OVERRIDING SYSTEM VALUE" if table == "log_waiting" else ""
            await world.owner.execute(f"DELETE FROM {table}; INSERT INTO {table} {overriding} TABLE kept_{table}")


OF_280 = "WHERE id = (SELECT entry_id FROM log_leaf WHERE position = 280)"
ENTRY = "entry_changed"
TAMPERED: list[tuple[str, str, int | None, int | None]] = [
    # what a superuser does; what is found; where: the position, or the first and the last it may be
    *(
        (f"UPDATE log_entry SET {column} = {value} {OF_280}", ENTRY, 280, None)
        for column, value in {
            "agency_id": "uuidv7()",
            "client_id": "'another'",
            "actor": "NULL",
            "request_id": "'other'",
            "action": "'test:nothing'",
            "outcome": "'refused'",
            "subject": "'referral'",
            "subject_id": "case_id",
            "case_id": "NULL",
            "detail": "detail || '{\"sections\": []}'",
        }.items()
    ),
    (f"UPDATE log_entry SET id = uuidv7() {OF_280}", "entry_missing", 280, None),
    (f"UPDATE log_entry SET recorded_at = recorded_at + interval '1 microsecond' {OF_280}", "entry_missing", 280, None),
    (f"DELETE FROM log_entry {OF_280}", "entry_missing", 280, None),
    (
        """UPDATE log_entry e SET detail = o.detail || '{"x": 1}', actor = o.actor FROM log_entry o, log_leaf a, log_leaf b
           WHERE a.position IN (280, 281) AND b.position = 561 - a.position AND e.id = a.entry_id AND o.id = b.entry_id""",
        ENTRY, 280, None,
    ),
    (
        "INSERT INTO log_entry (id, recorded_at, action, outcome, detail) VALUES (uuidv7(), now(), 'test:invented', 'done', '{}')",
        "entry_put_in", None, None,
    ),
    ("UPDATE log_leaf SET hash = sha256('x') WHERE position = 280", "hash_changed", 280, None),
    ("UPDATE log_leaf SET hash = sha256('x') WHERE position = 3", "hash_changed", 3, None),
    ("DELETE FROM log_leaf WHERE position = 280", "leaf_missing", 280, 280),
    ("DELETE FROM log_leaf WHERE position BETWEEN 280 AND 284", "leaf_missing", 280, 284),
    ("DELETE FROM log_leaf WHERE position = 0", "leaf_missing", 0, 0),
    # two whole places exchanged: each entry goes with its hash, and only the signature says that it is wrong
    (
        """DELETE FROM log_leaf WHERE position IN (280, 281);
           INSERT INTO log_leaf SELECT 561 - position, entry_id, recorded_at, hash FROM kept_log_leaf WHERE position IN (280, 281)""",
        "not_as_signed", 270, 289,
    ),
    (
        """UPDATE log_leaf SET entry_id = uuidv7() WHERE position = 280;
           UPDATE log_leaf SET entry_id = (SELECT entry_id FROM kept_log_leaf WHERE position = 280) WHERE position = 281;
           UPDATE log_leaf SET entry_id = (SELECT entry_id FROM kept_log_leaf WHERE position = 281) WHERE position = 280""",
        ENTRY, 280, None,
    ),
    ("UPDATE log_leaf SET position = position + 100 WHERE position = 299", "leaf_missing", 299, 398),
    ("INSERT INTO log_leaf VALUES (300, uuidv7(), now(), sha256('x'))", "entry_missing", 300, None),
    ("UPDATE log_subtree SET hash = sha256('x')", "subtree_changed", 0, 255),
    ("DELETE FROM log_subtree", "subtree_missing", 0, 255),
    ("INSERT INTO log_subtree VALUES (1, 1, sha256('x'))", "subtree_changed", 256, 511),
    ("UPDATE log_checkpoint SET note = replace(note, E'\\n290\\n', E'\\n289\\n') WHERE size = 290", "checkpoint_changed", 270, 289),
    (
        "UPDATE log_checkpoint SET note = (SELECT note FROM kept_log_checkpoint WHERE size = 270) WHERE size = 290",
        "checkpoint_moved", 270, 289,
    ),
    ("DELETE FROM log_checkpoint WHERE size = 300", "no_checkpoint", 290, 299),
    ("UPDATE log_checkpoint SET size = 280 WHERE size = 290", "checkpoint_moved", 280, 289),
]  # fmt: skip


class TestAnExport:
    async def test_that_is_whole_holds(self, world: World, sealed: list[Verifier]) -> None:
        lines = await exported(world)
        audit = Audit(sealed)
        assert [finding for line in lines for finding in audit.feed(line)] + list(audit.finish()) == []
        assert (audit.entries, audit.sealed, audit.checkpoints, audit.waiting) == (LAST, LAST, 3, 1)

    async def test_tells_what_was_altered_at_every_place_and_where(self, world: World, sealed: list[Verifier]) -> None:
        for statement, what, first, until in TAMPERED:
            async with world.owner.transaction():
                await world.owner.execute("SET LOCAL session_replication_role = replica")
                await world.owner.execute(statement)
            found = findings(await exported(world), sealed)
            assert found, statement
            assert (found[0].what, found[0].position, found[0].until) == (what, first, until), (statement, found)
            await restore(world)
        assert findings(await exported(world), sealed) == []

    async def test_finds_entries_that_were_changed_together_with_their_hash(
        self, world: World, sealed: list[Verifier]
    ) -> None:
        """Whoever rewrites everything but the signature is found by the next checkpoint, and within its batch."""
        lines = await exported(world)
        entry = next(line for line in lines if line.get("position") == 280 and line["type"] == "entry")
        entry["entry"]["actor"] = "somebody-else"
        entry["hash"] = base64.b64encode(hash_leaf(leaf_of(entry["entry"]))).decode()
        (first, *_) = findings(lines, sealed)
        assert (first.what, first.position, first.until) == ("not_as_signed", FIRST, SECOND - 1)

    async def test_does_not_hold_for_other_keys(self, world: World, sealed: list[Verifier]) -> None:
        found = findings(await exported(world), [Verifier("rujukan.test/log", bytes(32))])
        assert [each.what for each in found] == ["checkpoint_changed"] * 3 + ["no_checkpoint"]

    async def test_is_held_against_checkpoints_that_were_kept(self, world: World, sealed: list[Verifier]) -> None:
        """A log cut off at an earlier checkpoint, or written anew with the log's own key, is whole in itself."""
        lines = await exported(world)
        kept = {
            notes.verify(line["note"], sealed)[0].size: notes.verify(line["note"], sealed)[0].root
            for line in lines
            if line["type"] == "checkpoint"
        }
        assert findings(lines, sealed, kept) == []
        shorter = [line for line in lines if line.get("position", 0) < SECOND or line["type"] == "subtree"]
        shorter = [line for line in shorter if not str(line.get("note", "")).startswith(f"rujukan.test/log\n{LAST}\n")]
        assert findings(shorter, sealed) == []
        (found,) = findings(shorter, sealed, kept)
        assert (found.what, found.position, found.until) == ("entries_missing", SECOND, LAST - 1)
        found = findings(lines, sealed, {**kept, SECOND: bytes(32)})[0]
        assert (found.what, found.position, found.until) == ("not_as_signed", FIRST, SECOND - 1)
        found = findings(lines, sealed, {280: bytes(32)})[0]
        assert (found.what, found.position, found.until) == ("not_as_signed", FIRST, 279)

    async def test_that_is_cut_off_or_no_export_is_told_too(self, world: World, sealed: list[Verifier]) -> None:
        lines = await exported(world)
        assert [each.what for each in findings(lines[:-1], sealed)] == ["cut_off"]
        assert findings([*lines, lines[5]], sealed)[0].what == "after_the_end"
        assert findings([], sealed)[0].what == "cut_off"
        for odd in (
            {},
            {"type": "entry"},
            {"type": "subtree"},
            {"type": "checkpoint"},
            {"type": "entry", "position": 1e300, "entry": [], "hash": 3},
        ):
            assert findings([odd], sealed)


class TestNotes:
    def test_are_those_of_c2sp(self) -> None:
        """A note signed by the Go project's implementation of the form (golang.org/x/mod/sumdb/note, its own example)."""
        key = notes.read_vkey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
        note = (
            "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
            "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
        )
        text, ((name, signature),) = notes._split(note)
        assert (name, signature[:4]) == (key.name, key.id)
        assert key.verifies(signature[4:], text.encode())
        assert not key.verifies(signature[4:], text.encode() + b" ")

    def test_are_refused_where_anything_is_altered(self) -> None:
        private = notes.Ed25519PrivateKey.generate()
        verifier = Verifier("log.example/log", private.public_key().public_bytes_raw())
        frontier = Frontier()
        list(frontier.append(bytes(32)))
        note = notes.sign(Checkpoint("log.example/log", 1, frontier.root()), verifier, private)
        assert notes.verify(note, [verifier])[0] == Checkpoint("log.example/log", 1, frontier.root())
        witnessed = note + "\u2014 witness.example/w " + base64.b64encode(b"abcd" + bytes(72)).decode() + "\n"
        assert notes.verify(witnessed, [verifier])[0].size == 1
        for place in range(len(note)):
            for letter in "A\n+":
                altered = note[:place] + letter + note[place + 1 :]
                if altered != note:
                    with pytest.raises(notes.NoteRefused):
                        notes.verify(altered, [verifier])
        assert notes.read_vkey(verifier.vkey) == verifier
        for wrong in ("", "a+b", verifier.vkey[:-4], verifier.vkey.replace("log.example", "lag.example"), "x" * 100):
            with pytest.raises(notes.NoteRefused):
                notes.read_vkey(wrong)

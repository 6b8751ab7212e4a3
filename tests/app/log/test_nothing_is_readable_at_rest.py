"""What a thief of the database would find of the people: nothing that can be read, and nothing that opens in another place."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import pytest
import tink

from app.foundation.keyring import Keyring, Place, Sealed
from tests.makers import records
from tests.makers.world import World

WORDS = (
    # of the record
    "Surya", "Wijaksana", "Ampel", "Cempaka", "harbour", "passport", "Tegal", "Rifampicin", "Melati", "6281234567890", "1994-03",
    # of reasons, consents and what was said
    "fishing vessel", "I want my mother", "Pak Surya", "No bed", "No longer needed",
)  # fmt: skip


async def dump(world: World) -> dict[str, bytes]:
    """Every table, as its owner reads it: each row as text, and each binary value as the bytes it is."""
    tables = await world.owner.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace"
    )
    found: dict[str, bytes] = {}
    for (table,) in tables:
        rows = await world.owner.fetch(f"SELECT t.*, t::text AS as_text FROM {table} t")
        parts: list[bytes] = []
        for row in rows:
            parts.append(row["as_text"].encode())
            for value in row.values():
                for each in value if isinstance(value, list) else [value]:
                    parts += [each] if isinstance(each, bytes) else []
        found[table] = b"\n".join(parts)
    return found


class TestADumpOfEveryTable:
    async def test_holds_no_word_of_anyone(self, world: World) -> None:
        await world.busy()
        found = await dump(world)
        assert len(found) > 20
        assert len(found["record_content"]) > 5_000
        for table, content in found.items():
            assert [word for word in WORDS if word.encode() in content] == [], table
            assert [word for word in WORDS if word.encode().hex().encode() in content] == [], table

    async def test_holds_no_need_of_anyone_in_the_clear(self, world: World) -> None:
        await world.busy()
        for table, content in (await dump(world)).items():
            if table not in ("agency", "service_point"):  # whom agencies take is the directory
                assert b"shelter_men" not in content, table

    async def test_would_hold_them_if_they_were_not_sealed(self, world: World) -> None:
        """The search finds what is there: the same words, put into a table by hand."""
        await world.send()
        await world.owner.execute("UPDATE record_version SET preview = $1", records.NAME.encode())
        await world.owner.execute("UPDATE move SET actor = $1", records.NAME)
        found = await dump(world)
        assert b"Surya" in found["record_version"]
        assert b"Surya" in found["move"]

    async def test_says_the_same_needs_of_two_people_by_different_hashes(self, world: World) -> None:
        """Otherwise whoever knows one person's needs could look for all others with the same."""
        await world.send()
        await world.send()
        hashes = await world.owner.fetch("SELECT needs_hash FROM referral")
        assert hashes[0]["needs_hash"] != hashes[1]["needs_hash"]


class TestACiphertext:
    async def test_moved_to_another_row_does_not_open(self, world: World) -> None:
        mine, other = await world.accepted(), await world.accepted()
        rows = await world.owner.fetch("SELECT * FROM record_content ORDER BY version_id")
        await world.owner.execute(
            "UPDATE record_content SET wrapped_key = $2, parts = $3 WHERE version_id = $1",
            rows[0]["version_id"],
            rows[1]["wrapped_key"],
            rows[1]["parts"],
        )
        reply = await world.iom.get(mine.path)
        assert reply.status_code == 500
        assert records.NAME not in reply.text
        assert (await world.iom.get(other.path)).status_code == 200

    async def test_of_one_section_does_not_open_as_another(self, world: World) -> None:
        accepted = await world.accepted()
        parts = await world.owner.fetchval("SELECT parts FROM record_content")
        await world.owner.execute("UPDATE record_content SET parts = $1", [parts[1], parts[0], *parts[2:]])
        assert (await world.iom.get(accepted.path)).status_code == 500

    async def test_of_a_preview_does_not_open_in_another_version(self, world: World) -> None:
        sent, other = await world.send(), await world.send()
        preview = await world.owner.fetchval(
            "SELECT preview FROM record_version WHERE case_id = $1", UUID(other.case_id)
        )
        await world.owner.execute(
            "UPDATE record_version SET preview = $1 WHERE case_id = $2", preview, UUID(sent.case_id)
        )
        assert (await world.iom.get(sent.path)).status_code == 500

    async def test_that_was_altered_does_not_open(self, world: World) -> None:
        accepted = await world.accepted()
        parts = await world.owner.fetchval("SELECT parts FROM record_content")
        parts[0] = parts[0][:-1] + bytes([parts[0][-1] ^ 1])
        await world.owner.execute("UPDATE record_content SET parts = $1", parts)
        assert (await world.iom.get(accepted.path)).status_code == 500

    def test_is_bound_to_its_case_its_document_and_its_part(self, world: World) -> None:
        keyring: Keyring = world.exchange.keyring
        one, other, case, another = (UUID(int=number) for number in range(4))
        sealed = keyring.seal(one, {"identity": b"a", "health": b"b"}, case_id=case)
        assert keyring.open_parts(one, sealed, case_id=case) == {"identity": b"a", "health": b"b"}
        swapped = Sealed(sealed.key, {"identity": sealed.parts["health"]})
        for document, of, moved in ((other, case, sealed), (one, another, sealed), (one, case, swapped)):
            with pytest.raises(tink.TinkError):
                keyring.open_parts(document, moved, case_id=of)
        place = Place("move.detail", one, case)
        small = keyring.seal_one(place, b"a")
        assert keyring.open_one(place, small) == b"a"
        for elsewhere in (
            replace(place, id=other),
            replace(place, of=another),
            replace(place, of=None),
            replace(place, column="consent.detail"),
        ):
            with pytest.raises(tink.TinkError):
                keyring.open_one(elsewhere, small)

    def test_has_a_key_of_its_own_for_each_document(self, world: World) -> None:
        keyring: Keyring = world.exchange.keyring
        one = UUID(int=1)
        first, second = (
            keyring.seal(one, {"identity": b"a"}, case_id=one),
            keyring.seal(one, {"identity": b"a"}, case_id=one),
        )
        assert first.key != second.key
        with pytest.raises(tink.TinkError):
            keyring.open_parts(one, Sealed(first.key, second.parts), case_id=one)


class TestTheLogsDetail:
    async def test_names_sections_and_codes_and_nothing_else(self, world: World) -> None:
        await world.busy()
        known = {"receiver", "purpose", "bases", "sections", "preview", "previewed", "reason", "leads", "transfer"}
        known |= {"record_version", "commitment", "refused"}
        members = set()
        for entry in await world.log():
            if entry["action"].split(":")[0] in ("referral", "transfer", "case", "consent"):
                members |= set(json.loads(entry["detail"]))
        assert members <= known
        assert {"bases", "sections", "reason"} <= members

"""A month's key from the file to its end, on a database of its own, as several processes see it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

import auth.keys
from app.at_rest import months, queries, rewrapping
from app.at_rest.watch import KeyWatch, meet
from app.foundation import keyring as keyrings
from app.foundation.clock import Clock
from app.foundation.database import Addresses
from app.foundation.ids import uuid7
from app.foundation.keyring import Keyring, KeyringUnusable, Place
from app.foundation.settings import Settings
from tests.conftest import clone

NOVEMBER = datetime(2026, 11, 10, 8, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@dataclass
class Vault:
    """A database, the file of its keyring, and connections of the three roles that meet it."""

    addresses: Addresses
    settings: Settings
    owner: asyncpg.Connection
    app: asyncpg.Connection
    worker: asyncpg.Connection

    @property
    def path(self) -> Path:
        return self.settings.keyring_path

    def keyring(self) -> Keyring:
        return Keyring.of(self.settings)

    async def states(self) -> list[str]:
        return [months.state_of(row)[0] for row in await queries.keys(self.worker)]

    async def add_document(self, keyring: Keyring, now: datetime) -> UUID:
        id = uuid7(now)
        sealed = keyring.seal_one(Place("signing_key.private_sealed", id), b"words that are kept")
        await self.owner.execute(
            "INSERT INTO signing_key (id, kid, state, jwk, private_sealed, created_at, published_until)"
            " VALUES ($1, $2, 'retiring', '{}', $3, $4, $4)",
            id,
            str(id),
            sealed,
            now,
        )
        return id

    async def document(self, keyring: Keyring, id: UUID) -> bytes:
        sealed = await self.owner.fetchval("SELECT private_sealed FROM signing_key WHERE id = $1", id)
        return keyring.open_one(Place("signing_key.private_sealed", id), sealed)

    async def rewrap(self, keyring: Keyring, now: datetime) -> None:
        while await rewrapping.rewrap(self.worker, keyring, now=now, batch=10) is not None:
            pass


@pytest.fixture
async def vault(template: Addresses, tmp_path: Path) -> AsyncIterator[Vault]:
    addresses = await clone(template, f"vault_{secrets.token_hex(3)}")
    settings = Settings(data_dir=tmp_path)
    keyrings.make(settings.keyring_path, NOVEMBER)
    connections = [await asyncpg.connect(url) for url in (addresses.owner, addresses.app, addresses.worker)]
    # any number of keys that "are retiring" and have a private half: the smallest sealed thing, which belongs to no case
    await connections[0].execute("ALTER TABLE signing_key DROP CONSTRAINT signing_key_private_while_needed")
    yield Vault(addresses, settings, *connections)
    for each in connections:
        await each.close()


class TestTheFirstKey:
    async def test_is_used_at_once_and_names_the_keyring_for_good(self, vault: Vault, tmp_path: Path) -> None:
        await meet(vault.app, vault.keyring(), now=NOVEMBER)
        assert await vault.states() == ["primary"]
        other = Keyring.open(tmp_path / "other.json", create=True)
        with pytest.raises(KeyringUnusable, match="not the one this database was made with"):
            await meet(vault.app, other, now=NOVEMBER)
        assert await vault.states() == ["primary"], "and what it holds was not taken in"
        wrong, _ = await months.faults(vault.worker, other, vault.settings, now=NOVEMBER)
        assert wrong == ["the keyring is not the one this database was made with"]

    async def test_is_missed_by_a_file_that_lost_it(self, vault: Vault) -> None:
        first = vault.keyring()
        await meet(vault.app, first, now=NOVEMBER)
        key = keyrings.add_key(vault.path, NOVEMBER, month=keyrings.month_of(NOVEMBER, later=1))
        keyrings.remove_key(vault.path, first.primary, use=key)
        with pytest.raises(KeyringUnusable, match=f"lacks the key {first.primary} of 2026-11"):
            await meet(vault.app, vault.keyring(), now=NOVEMBER)

    async def test_is_missed_by_a_file_with_another_key_of_its_number(self, vault: Vault) -> None:
        first = vault.keyring()
        await meet(vault.app, first, now=NOVEMBER)
        keyrings.add_key(vault.path, NOVEMBER, month=keyrings.month_of(NOVEMBER, later=1))
        content = keyrings.stored(vault.path)
        one, two = content["key_encryption"]["key"]
        one["keyData"]["value"], two["keyData"]["value"] = two["keyData"]["value"], one["keyData"]["value"]
        keyrings.replace(vault.path, content)
        with pytest.raises(KeyringUnusable, match="damaged"):
            await meet(vault.app, vault.keyring(), now=NOVEMBER)


class TestTheNextKey:
    async def test_is_used_when_its_month_has_begun_and_every_process_holds_it(self, vault: Vault) -> None:
        old, here, there = vault.keyring(), uuid4(), uuid4()
        lagging = vault.keyring()  # another machine's copy of the file
        await meet(vault.app, old, now=NOVEMBER, process=here)
        await months.look_after(vault.worker, old, vault.settings, now=NOVEMBER + 10 * DAY)
        assert await vault.states() == ["primary"], "nothing is made before the 25th"
        late = NOVEMBER + 16 * DAY
        await months.look_after(vault.worker, old, vault.settings, now=late)
        await months.look_after(vault.worker, old, vault.settings, now=late)
        assert await vault.states() == ["primary", "added"]
        renewed = vault.keyring()
        assert [key.month.month for key in renewed.keys] == [11, 12]
        december = datetime(2026, 12, 1, 0, 1, tzinfo=UTC)
        for before in (late + MINUTE, late + 2 * DAY):
            await meet(vault.app, renewed, now=before, process=here)
            assert renewed.primary == old.primary, "its month has not begun"
        await meet(vault.app, lagging, now=december, process=there)
        await meet(vault.app, renewed, now=december, process=here)
        assert renewed.primary == old.primary, "another process does not hold it"
        await meet(vault.app, renewed, now=december + MINUTE, process=there)  # it got the new file
        await meet(vault.app, renewed, now=december + MINUTE, process=here)
        assert renewed.primary != old.primary
        assert await vault.states() == ["retired", "primary"]
        with pytest.raises(KeyringUnusable, match="lacks the key"):
            await meet(vault.app, lagging, now=december + 2 * MINUTE)
        log = await vault.owner.fetch(
            "SELECT action, actor, detail::jsonb->>'month' AS month FROM log_entry ORDER BY id"
        )
        assert [tuple(row.values()) for row in log] == [
            ("encryption_key:use", "system", "2026-11"),
            ("encryption_key:add", "system", "2026-12"),
            ("encryption_key:use", "system", "2026-12"),
        ]

    async def test_waits_a_day_unless_it_is_wanted_at_once(self, vault: Vault) -> None:
        keyring, now = vault.keyring(), NOVEMBER + 31 * DAY  # nobody was there at the month's beginning
        await meet(vault.app, keyring, now=NOVEMBER)
        await months.look_after(vault.worker, keyring, vault.settings, now=now)
        await meet(vault.app, keyring, now=now + 23 * timedelta(hours=1))
        assert await vault.states() == ["primary", "added"]
        key = await months.add(
            vault.worker,
            keyring,
            vault.settings,
            month=keyrings.month_of(now),
            now=now + MINUTE,
            actor="op-1",
            at_once=True,
        )
        assert keyring.primary == key
        assert sorted(await vault.states()) == ["added", "primary", "retired"]
        with pytest.raises(months.KeyThere):
            await months.add(vault.worker, keyring, vault.settings, month=keyrings.month_of(now), now=now, actor="op-1")

    async def test_is_met_by_a_running_process_when_the_file_is_renewed(
        self, vault: Vault, caplog: pytest.LogCaptureFixture
    ) -> None:
        clock = Clock()
        clock.shift(NOVEMBER - clock.now())
        keyring = vault.keyring()
        watch = KeyWatch(vault.addresses.app, keyring, clock)
        await watch.start()
        assert watch.standing() == "ok"
        keyrings.add_key(vault.path, NOVEMBER, month=keyrings.month_of(NOVEMBER, later=1))
        await watch.look()
        assert len(keyring.keys) == 2
        good = vault.path.read_text()
        vault.path.write_text(good[:100])
        await watch.look()
        assert (watch.standing(), "stays in use" in caplog.text) == ("ok", True)
        assert keyring.keyed_hash("still") == vault_hash(good, vault.path.parent), "what it had stays in use"
        await watch.stop()


def vault_hash(text: str, folder: Path) -> bytes:
    path = folder / "copy.json"
    path.write_text(text)
    return Keyring.open(path, create=False).keyed_hash("still")


class TestRewrapping:
    async def december(self, vault: Vault, keyring: Keyring) -> datetime:
        """November's key is retired."""
        await months.look_after(vault.worker, keyring, vault.settings, now=NOVEMBER + 20 * DAY)
        now = datetime(2026, 12, 3, tzinfo=UTC)
        await meet(vault.app, keyring, now=now)
        return now

    async def test_moves_everything_in_batches_and_goes_on_where_it_was_killed(self, vault: Vault) -> None:
        keyring = vault.keyring()
        await meet(vault.app, keyring, now=NOVEMBER)
        assert await rewrapping.rewrap(vault.worker, keyring, now=NOVEMBER) is None, "there is nothing to move"
        old, ids = keyring.primary, [await vault.add_document(keyring, NOVEMBER) for _ in range(25)]
        before = {row["id"]: row["private_sealed"] for row in await vault.owner.fetch("SELECT * FROM signing_key")}
        now = await self.december(vault, keyring)
        looked_at = 0
        while looked_at < 10:  # killed after its first batch of ten
            looked_at += await rewrapping.rewrap(vault.worker, keyring, now=now, batch=10) or 0
        counts = {row["key_id"]: row["n"] for row in await queries.counted(vault.worker)}
        assert counts == {old: 15, keyring.primary: 10}
        again = vault.keyring()  # another worker, which reads keyring and progress anew
        written = await vault.add_document(keyring, now)  # a writer in between
        slow = vault.keyring()
        slow.use(old)
        late = await vault.add_document(slow, now)  # and one that still uses the earlier key
        gone = ids.pop()  # and an erasure
        await vault.owner.execute("UPDATE signing_key SET private_sealed = NULL WHERE id = $1", gone)
        await vault.rewrap(again, now)
        assert {row["key_id"]: row["n"] for row in await queries.counted(vault.worker)} == {keyring.primary: 26}
        for id in [*ids, written, late]:
            assert await vault.document(again, id) == b"words that are kept"
        after = {row["id"]: row["private_sealed"] for row in await vault.owner.fetch("SELECT * FROM signing_key")}
        assert after[gone] is None
        size = 4 + int.from_bytes(before[ids[0]][:4], "big")
        assert after[ids[0]][:size] != before[ids[0]][:size], "the key of the document is wrapped anew"
        assert after[ids[0]][size:] == before[ids[0]][size:], "the document was not touched"
        assert await vault.states() == ["emptied", "primary"]

    async def test_leaves_what_changed_since_it_was_read(self, vault: Vault) -> None:
        keyring = vault.keyring()
        await meet(vault.app, keyring, now=NOVEMBER)
        changed, same = [await vault.add_document(keyring, NOVEMBER) for _ in range(2)]
        await self.december(vault, keyring)
        found = await queries.keys_to_move(
            vault.worker, "signing_key.private_sealed", key=keyring.primary, after=None, limit=9
        )
        place = [Place("signing_key.private_sealed", row["id"], row["of"]) for row in found]
        moved = [
            (row["id"], row["wrapped"], keyring.rewrapped(where, row["wrapped"]))
            for row, where in zip(found, place, strict=True)
        ]
        newer = keyring.seal_one(Place("signing_key.private_sealed", changed), b"written since")
        await vault.owner.execute("UPDATE signing_key SET private_sealed = $2 WHERE id = $1", changed, newer)
        await queries.begin_pass(vault.worker, key=keyring.primary, now=NOVEMBER)
        assert await queries.move_keys(vault.worker, "signing_key.private_sealed", moved, after=None, ended=None) == 1
        assert await vault.document(keyring, changed) == b"written since"
        assert await vault.document(keyring, same) == b"words that are kept"

    async def test_gives_the_worker_keys_and_no_content(self, vault: Vault) -> None:
        keyring = vault.keyring()
        await meet(vault.app, keyring, now=NOVEMBER)
        id = await vault.add_document(keyring, NOVEMBER)
        row = (await queries.keys_to_move(vault.worker, "signing_key.private_sealed", key=0, after=None, limit=9))[0]
        sealed = await vault.owner.fetchval("SELECT private_sealed FROM signing_key WHERE id = $1", id)
        assert sealed.startswith(row["wrapped"])
        assert len(sealed) > len(row["wrapped"]) + len(b"words that are kept")
        for statement in ("SELECT parts FROM record_content", "SELECT detail FROM consent"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await vault.worker.execute(statement)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await queries.counted(vault.app)


class TestDestroying:
    async def test_is_refused_while_documents_or_backups_need_the_key(self, vault: Vault) -> None:
        keyring = vault.keyring()
        await meet(vault.app, keyring, now=NOVEMBER)
        id, old = await vault.add_document(keyring, NOVEMBER), keyring.primary

        async def destroy(now: datetime) -> bool:
            return await months.destroy(vault.worker, keyring, vault.settings, old, now=now, actor="op-1")

        with pytest.raises(months.KeyNeeded, match="what is written now"):
            await destroy(NOVEMBER)
        now = await TestRewrapping().december(vault, keyring)
        with pytest.raises(months.KeyNeeded, match="may still be wrapped"):
            await destroy(now + 90 * DAY)
        await vault.rewrap(keyring, now)
        with pytest.raises(months.KeyNeeded, match="backups up to 2027-01-07"):
            await destroy(now + 34 * DAY)
        backup = vault.path.with_name("backup.json")
        backup.write_bytes(vault.path.read_bytes())
        keyring_then = Keyring.open(backup, create=False)
        keyring_then.use(old)
        stray = await vault.add_document(keyring_then, now)
        with pytest.raises(months.KeyNeeded, match="1 documents are wrapped by it after all"):
            await destroy(now + 36 * DAY)
        await vault.rewrap(keyring, now + 36 * DAY)
        await vault.rewrap(keyring, now + 36 * DAY + timedelta(minutes=10))
        with pytest.raises(months.KeyNeeded, match="backups up to"):
            await destroy(now + 40 * DAY)
        assert await destroy(now + 72 * DAY)
        assert await vault.states() == ["destroyed", "primary"]
        assert [key.id for key in vault.keyring().keys] == [keyring.primary]
        for each in (id, stray):
            assert await vault.document(vault.keyring(), each) == b"words that are kept"
        assert not await destroy(now + 72 * DAY), "again is no harm"
        entry = await vault.owner.fetchrow(
            "SELECT actor, detail FROM log_entry WHERE action = 'encryption_key:destroy'"
        )
        assert (entry["actor"], str(old) in entry["detail"]) == ("op-1", True)
        _, soon = await months.faults(vault.worker, keyring_then, vault.settings, now=now + 72 * DAY)
        assert any("was destroyed, and this file still has it" in each for each in soon)

    async def test_makes_what_was_erased_in_its_time_unreadable_in_every_backup(self, vault: Vault) -> None:
        keyring = vault.keyring()
        await meet(vault.app, keyring, now=NOVEMBER)
        id, old = await vault.add_document(keyring, NOVEMBER), keyring.primary
        backup = await vault.owner.fetchval("SELECT private_sealed FROM signing_key WHERE id = $1", id)
        await vault.owner.execute("UPDATE signing_key SET private_sealed = NULL WHERE id = $1", id)  # erased
        now = await TestRewrapping().december(vault, keyring)
        await vault.rewrap(keyring, now)
        place = Place("signing_key.private_sealed", id)
        assert vault.keyring().open_one(place, backup) == b"words that are kept", "until then a backup can be read"
        await months.destroy(vault.worker, keyring, vault.settings, old, now=now + 36 * DAY, actor="op-1")
        for each in (keyring, vault.keyring()):
            with pytest.raises(Exception, match=r"ecryption failed|No matching key"):
                each.open_one(place, backup)


class TestSeveralAtOnce:
    async def test_meet_in_peace(self, vault: Vault) -> None:
        connections = [await asyncpg.connect(vault.addresses.app) for _ in range(4)]
        try:
            await asyncio.gather(*(meet(each, vault.keyring(), now=NOVEMBER, process=uuid4()) for each in connections))
            assert await vault.states() == ["primary"]
            assert len(await queries.holders(vault.worker, now=NOVEMBER)) == 4
            await auth.keys.ensure_active(vault.worker, vault.keyring(), NOVEMBER)
        finally:
            for each in connections:
                await each.close()

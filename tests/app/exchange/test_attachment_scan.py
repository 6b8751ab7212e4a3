"""Files that clamd looks at before anybody uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.exchange.attachments.encryption import CHUNK
from app.exchange.attachments.jobs import FileKeeper
from app.foundation import metrics
from tests.app.exchange.test_attachments import NAME, disposition, look_after, rows_of
from tests.makers import clamd, files
from tests.makers.files import EICAR, PDF, content_of, delete, uploaded
from tests.makers.world import World
from tests.trouble.conftest import free_port

Scanning = Callable[[str | None], None]


@pytest.fixture
def scanned_by(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scanning]:
    """Have service and worker use this clamd."""
    state, before = world.exchange.app.state, world.exchange.settings

    def use(address: str | None) -> None:
        state.settings = before.model_copy(update={"clamd": address})
        monkeypatch.setattr(world.exchange.worker, "_files", FileKeeper(state.settings, world.exchange.keyring))

    yield use
    state.settings = before


class TestAFile:
    async def test_is_of_no_use_until_it_is_scanned_and_then_its_agency_is_told(
        self, world: World, scanned_by: Scanning
    ) -> None:
        content = files.pdf(CHUNK * 5 + 3)
        with clamd.Scripted() as server:
            scanned_by(server.address)
            made = await uploaded(world.police, content)
            assert made["state"] == "scanning"
            refused = await content_of(world.police, made["id"])
            assert (refused.status_code, refused.json()["type"], refused.json()["state"]) == (
                409,
                "/problems/attachment-not-ready",
                "scanning",
            )
            await look_after(world)
            assert server.seen == [content]
        assert (await content_of(world.police, made["id"])).content == content
        assert await world.told() == [("police", "attachment.ready")]

    async def test_waits_while_clamd_gives_no_answer_and_stops_no_other(
        self, world: World, scanned_by: Scanning
    ) -> None:
        scanned_by(f"127.0.0.1:{free_port()}")
        waiting = await uploaded(world.police)
        dropped = await uploaded(world.police)
        await delete(world.police, dropped["id"])
        await look_after(world)
        assert [row["state"] for row in await rows_of(world)] == ["scanning"], "the deleted one is gone"
        for says in ("cut", "stream: no memory ERROR", "INSTREAM size limit exceeded. ERROR", "rubbish", ""):
            with clamd.Scripted(says) as server:
                scanned_by(server.address)
                world.exchange.later(hours=1)
                await look_after(world)
            (row,) = await rows_of(world)
            assert row["state"] == "scanning", says
        (parked,) = await rows_of(world, "parked_job")
        assert (parked["job"], parked["subject_id"], parked["attempts"]) == ("look_after_files", row["id"], 6)
        await world.exchange.worker.measure()
        assert metrics.QUEUE.labels("attachment_scans")._value.get() == 1
        assert metrics.QUEUE_AGE.labels("attachment_scans")._value.get() > 5 * 3600
        with clamd.Scripted() as server:
            scanned_by(server.address)
            await look_after(world)
            assert server.seen == [], "not before its time"
            world.exchange.later(hours=1)
            await look_after(world)
        assert (await content_of(world.police, waiting["id"])).content == PDF
        assert await rows_of(world, "parked_job") == []

    async def test_is_destroyed_when_something_is_found(self, world: World, scanned_by: Scanning) -> None:
        with clamd.Scripted("stream: Win.Test.EICAR_HDB-1 FOUND") as server:
            scanned_by(server.address)
            made = await uploaded(world.police, content_disposition=disposition(NAME))
            await look_after(world)
        shown = (await world.police.get(f"/v1/attachments/{made['id']}")).json()
        assert (shown["state"], shown["reason"], shown["digest"], shown["file_name"]) == (
            "rejected",
            "malware",
            None,
            None,
        )
        assert (await content_of(world.police, made["id"])).json()["state"] == "rejected"
        assert await world.told() == [("police", "attachment.rejected")]
        (row,) = await rows_of(world)
        assert (row["wrapped_key"], row["detail"]) == (None, None)
        assert await rows_of(world, "attachment_chunk") == []
        (entry,) = await world.log(action="attachment:reject")
        assert "Win.Test.EICAR_HDB-1" in str(entry["detail"])
        assert "Kanari" not in str([dict(row) for row in await world.log()])
        world.exchange.later(days=8)
        await look_after(world)
        assert await rows_of(world) == []

    async def test_is_scanned_by_a_real_clamd(self, world: World, scanned_by: Scanning, tmp_path: Path) -> None:
        program = clamd.binary()
        if program is None:
            pytest.skip("no clamd here: apt-get install clamav-daemon, or say where it is by CLAMD")
        with clamd.real(tmp_path, program) as address:
            scanned_by(address)
            clean = await uploaded(world.police, files.pdf(CHUNK + 7))
            bad = await uploaded(world.police, b"a note\n" * 40_000 + EICAR)
            large = await uploaded(world.police, files.pdf(3_000_000))
            await look_after(world)
        states = {each["id"]: each["state"] for each in (await world.police.get("/v1/attachments")).json()["items"]}
        assert states == {clean["id"]: "ready", bad["id"]: "rejected", large["id"]: "scanning"}, "it takes 2 MB at most"

"""Many referrals at once: each line is what `POST /v1/referrals` would have been, once, whatever breaks in between."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import psutil
import pytest

from app.exchange.bulk import jobs, queries, uploads
from app.exchange.bulk.jobs import LEASE, MOST_TRIES, Importer
from app.foundation import metrics
from app.worker import Worker
from tests.makers import records
from tests.makers.ndjson import handle, imported, line, lines, results, send
from tests.makers.standing import resume_client, suspend_client
from tests.makers.world import World


@pytest.fixture(autouse=True)
def hurried(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between batches."""
    monkeypatch.setitem(world.exchange.worker._importer._settings.__dict__, "import_rate", 0)


async def referrals(world: World) -> int:
    count: int = await world.owner.fetchval("SELECT count(*) FROM referral")
    return count


async def contents(world: World) -> int:
    """How many lines the exchange still holds the text of."""
    count: int = await world.owner.fetchval("SELECT count(*) FROM import_line WHERE content IS NOT NULL")
    return count


class TestEachLine:
    async def test_is_sent_as_if_alone_and_what_is_wrong_is_a_result_of_that_line(self, world: World) -> None:
        """A table of lines, each with what becomes of it."""
        police = world.police
        before = records.referral("iom", record=records.record(needs=("medical",)))
        assert (await police.post("/v1/referrals", before, idempotency_key="sent-before")).status_code == 201
        other = records.referral("lpsk")
        assert (await police.post("/v1/referrals", other, idempotency_key="other-before")).status_code == 201
        secret = "Zqsecretname"
        table: list[tuple[str, bytes, str, dict[str, Any]]] = [
            ("right", line("right"), "created", {}),
            ("ends in CR LF", line("windows") + b"\r", "created", {}),
            ("sent before by POST, with members in another order",
             json.dumps(dict(reversed(list({"key": "sent-before", **before}.items()))), indent=None).encode(), "existed", {}),
            ("key used by POST for another referral", line("other-before"), "refused", {"type": "/problems/idempotency-key-reused"}),
            ("the same key again", line("right"), "refused", {"errors": [{"pointer": "/key", "code": "repeated"}]}),
            ("no JSON", f"{secret} {{".encode(), "refused", {"type": "/problems/malformed-body", "reason": "not_json"}),
            ("empty", b"", "refused", {"type": "/problems/malformed-body", "reason": "not_json"}),
            ("not UTF-8", b'{"key": "latin", "x": "\xe9"}', "refused", {"reason": "not_utf8"}),
            ("a member twice", b'{"key": "a", "key": "b"}', "refused", {"reason": "duplicate_member"}),
            ("no object", b"[1]", "refused", {"type": "/problems/invalid-request"}),
            ("too long", b'{"key": "' + b"x" * 1_048_576 + b'"}', "refused", {"type": "/problems/body-too-large"}),
            ("no key", json.dumps(records.referral()).encode(), "refused", {"errors": [{"code": "missing", "pointer": "/key"}]}),
            ("a key that is no text", json.dumps({"key": 7, **records.referral()}).encode(), "refused", {"type": "/problems/invalid-request"}),
            ("a key in another script", line("kasus-\u0e01"), "refused", {"type": "/problems/invalid-request"}),
            ("an unknown member", line("unknown", **{secret: 1}), "refused", {"errors": [{"code": "extra_forbidden", "pointer": "/…"}]}),
            ("an unknown receiver", line("whom", "nobody-of-that-name"), "refused", {"type": "/problems/unknown-receiver"}),
            ("more than the policy lets go", line("too-much", record=records.full_record(), bases=[records.legal_basis(*records.FULL_SECTIONS)],
                                                  receiver="embassy"), "refused", {"status": 403}),
            ("another agency's case", line("theirs", case=None, case_id=str(uuid4())), "refused", {"type": "/problems/not-found"}),
            ("without its end of line", line("last"), "created", {}),
        ]  # fmt: skip
        reply = await send(police, b"\n".join(each[1] for each in table))
        assert reply.status_code == 201, reply.text
        made = reply.json()
        assert (made["state"], made["lines"], made["counts"]["waiting"]) == ("running", len(table), len(table))
        assert reply.headers["Location"] == f"/v1/imports/{made['id']}"
        at_rest = await world.owner.fetch("SELECT content FROM import_line WHERE content IS NOT NULL")
        assert len(at_rest) == len(table) - 1
        assert not [row for row in at_rest if b"receiver" in row["content"]], "sealed"
        await handle(world)

        found = await results(police, made["id"])
        assert [each["line"] for each in found] == list(range(1, len(table) + 1))
        for (name, _, outcome, problem), result in zip(table, found, strict=True):
            assert result["outcome"] == outcome, (name, result)
            assert problem.items() <= (result["problem"] or {}).items(), (name, result)
            assert (result["referral_id"] is not None) == (outcome in ("created", "existed")), name
        assert secret not in json.dumps(found), "no value is repeated"
        assert [each["key"] for each in found[:3]] == ["right", "windows", "sent-before"]
        assert await contents(world) == 0, "what was handled is gone"

        ended = (await police.get(f"/v1/imports/{made['id']}")).json()
        assert ended["state"] == "finished"
        outcomes = Counter(each[2] for each in table)
        assert {name: ended["counts"][name] for name in outcomes} == dict(outcomes)
        assert ended["counts"]["waiting"] == 0
        assert ended["lines_per_second"] > 0
        assert await referrals(world) == 2 + outcomes["created"]
        refusals = [each["outcome"] for each in await world.refusals() if each["action"] == "send_referral"]
        assert "not_found" in refusals, "logged as a refused POST is"
        read = (await world.iom.get(f"/v1/referrals/{found[0]['referral_id']}")).json()
        assert (read["sender"]["code"], read["reference"]) == ("police", found[0]["reference"])
        await world.exchange.settle()
        events = (await police.get("/v1/events")).json()["items"]
        assert [(each["type"], each["state"]) for each in events if each["subject"] == "import"] == [
            ("import.finished", "finished")
        ]

        # each in its pages; by outcome; and nobody else's
        page = (await police.get(f"/v1/imports/{made['id']}/results?outcome=refused&limit=5")).json()
        refused = page["items"]
        while page["next"]:
            page = (await police.get(page["next"])).json()
            refused += page["items"]
        assert [each["line"] for each in refused] == [each["line"] for each in found if each["outcome"] == "refused"]
        for path in ("", "/results"):
            assert (await world.iom.get(f"/v1/imports/{made['id']}{path}")).status_code == 404
        assert (await world.iom.post(f"/v1/imports/{made['id']}/cancel")).status_code == 404
        assert (await world.iom.get("/v1/imports?key=import-1")).json()["items"] == []

    async def test_happens_once_however_often_it_comes(self, world: World) -> None:
        first = await imported(world, world.police, lines(4))
        again = await send(world.police, lines(4))
        assert (again.status_code, again.json()["id"]) == (201, first["id"]), "the same import"
        spaced = await send(world.police, lines(4).replace(b": ", b":  "))
        assert (spaced.status_code, spaced.json()["type"]) == (422, "/problems/idempotency-key-reused")
        other = await imported(world, world.police, lines(6), key="import-2")
        assert (other["counts"]["existed"], other["counts"]["created"]) == (4, 2)
        by_hand = {name: value for name, value in json.loads(line("case-5")).items() if name != "key"}
        reply = await world.police.post("/v1/referrals", by_hand, idempotency_key="case-5")
        assert reply.status_code == 201
        assert reply.json()["reference"] == (await results(world.police, other["id"]))[5]["reference"]
        assert await referrals(world) == 6
        theirs = await imported(world, world.iom, lines(2, receiver="lpsk"))
        assert theirs["counts"]["created"] == 2, "keys are each client's own"

    async def test_as_a_whole_has_its_limits(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        police = world.police
        for content in (b"", b"\n"[:0]):
            empty = await send(police, content)
            assert (empty.status_code, empty.json()["type"], empty.json()["reason"]) == (
                400,
                "/problems/malformed-body",
                "missing",
            )
        assert (await police.get("/v1/imports")).json()["items"] == [], "nothing is left of it"
        wrong = await send(police, lines(1), headers={"Content-Type": "application/json"})
        assert wrong.status_code == 415
        packed = await send(police, gzip.compress(lines(1)), headers={"Content-Encoding": "gzip"})
        assert (packed.status_code, packed.json()["type"]) == (415, "/problems/unsupported-media-type")
        assert (await police.get("/v1/imports")).json()["items"] == [], "it would be lines of rubbish"
        monkeypatch.setattr(uploads, "MOST_LINES", 5)
        long = await send(police, lines(6), key="long")
        assert (long.status_code, long.json()["type"]) == (413, "/problems/import-too-large")
        assert (long.json()["limit"], long.json()["most"]) == ("lines", 5)
        held = (await police.get(f"/v1/imports/{long.json()['import_id']}")).json()
        assert (held["state"], held["lines"]) == ("receiving", 5), "nothing was started"
        monkeypatch.setattr(uploads, "MOST_OPEN", 1)
        assert (await send(police, lines(1), key="one-more")).json()["type"] == "/problems/too-many-imports"
        cancelled = await police.post(f"/v1/imports/{held['id']}/cancel")
        assert (cancelled.json()["state"], cancelled.json()["counts"]["cancelled"]) == ("cancelled", 5)
        assert await contents(world) == 0
        assert (await police.post(f"/v1/imports/{held['id']}/cancel")).status_code == 200, "again, it changes nothing"
        assert (await police.post(f"/v1/imports/{held['id']}/start")).json()["state"] == "cancelled"
        assert await referrals(world) == 0


async def test_an_upload_is_never_held_whole(world: World) -> None:
    """Forty megabytes: the process grows by a small part of them."""

    async def much() -> Any:
        for number in range(4_000):
            yield b'{"key": "case-%d", "x": "' % number + b"y" * 10_000 + b'"}\n'

    process = psutil.Process()
    assert (await send(world.police, lines(210), key="warm")).status_code == 201
    before = process.memory_info().rss
    reply = await send(world.police, much, key="much")
    assert (reply.status_code, reply.json()["lines"]) == (201, 4_000)
    assert reply.json()["bytes"] > 40_000_000
    assert process.memory_info().rss - before < 16_000_000
    for found in (await world.police.get("/v1/imports?state=running")).json()["items"]:
        await world.police.post(f"/v1/imports/{found['id']}/cancel")


class TestAnUploadWithoutEnd:
    """What is passed over is sent all the same, and costs; and so does a line that never ends."""

    async def test_of_one_line_is_cut_off_at_the_limit_of_bytes(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(world.exchange.settings.__dict__, "import_max_bytes", 4_000_000)
        given = [0]

        async def endless() -> Any:
            yield line("whole") + b"\n"
            while given[0] < 40_000_000:
                given[0] += 100_000
                yield b"x" * 100_000

        reply = await send(world.police, endless)
        assert (reply.status_code, reply.json()["type"]) == (413, "/problems/import-too-large")
        assert (reply.json()["limit"], given[0] < 5_000_000) == ("bytes", True)
        held = (await world.police.get(f"/v1/imports/{reply.json()['import_id']}")).json()
        assert (held["state"], held["lines"]) == ("receiving", 1), "whole lines are kept"

        many = b"".join((b"y" * 1_100_000 + b"\n") for _ in range(4))
        reply = await send(world.police, many, key="many")
        assert (reply.status_code, reply.json()["limit"]) == (413, "bytes"), "lines passed over count as sent"
        assert (await imported(world, world.police, many[:2_200_002], key="two"))["bytes"] == 2_200_000
        given[0] = 0
        again = await send(world.police, endless, key="two")
        assert (again.status_code, given[0] < 5_000_000) == (422, True)

    async def test_ends_with_its_token_or_when_nothing_comes(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(uploads, "LOOK_EVERY", 0.0)

        async def outlasts() -> Any:
            yield line("first") + b"\n"
            world.exchange.later(hours=1)
            for _ in range(1_000):
                yield b"x"
            raise AssertionError("it is still listened to")

        assert (await send(world.police, outlasts)).status_code == 401
        world.police.client.forget_token()
        monkeypatch.setattr(uploads, "IDLE_SECONDS", 0.05)

        async def stalls() -> Any:
            yield line("first") + b"\n" + line("second")[:50]
            await asyncio.sleep(30)

        reply = await send(world.police, stalls, key="stalls")
        assert (reply.status_code, reply.json()["reason"]) == (400, "broken_off")
        (left,) = (await world.police.get("/v1/imports?key=stalls")).json()["items"]
        assert (left["state"], left["lines"]) == ("receiving", 1), "gone on with after the whole line"


class TestABrokenUpload:
    async def test_is_gone_on_with_after_the_lines_that_arrived(self, world: World) -> None:
        police = world.police
        every = [line(f"case-{number}") + b"\n" for number in range(450)]

        async def breaks() -> Any:
            for each in every[:423]:
                yield each
            yield every[423][:100]
            raise ConnectionResetError

        assert (await send(police, breaks)).status_code == 503  # over HTTP nobody hears it: test_over_http.py
        (left,) = (await police.get("/v1/imports?key=import-1")).json()["items"]
        assert (left["state"], left["lines"]) == ("receiving", 400), "what was stored before it broke"
        again = await send(police, b"".join(every))
        assert (again.status_code, again.json()["type"]) == (409, "/problems/import-incomplete")
        assert (again.json()["import_id"], again.json()["lines"]) == (left["id"], 400)
        path = f"/v1/imports/{left['id']}"
        wrong = await send(police, b"".join(every[300:]), path=f"{path}/lines?after=300")
        assert (wrong.status_code, wrong.json()["type"], wrong.json()["lines"]) == (
            409,
            "/problems/lines-elsewhere",
            400,
        )
        assert (await send(world.iom, b"".join(every[400:]), path=f"{path}/lines?after=400")).status_code == 404
        grown = await send(police, b"".join(every[400:]), path=f"{path}/lines?after=400")
        assert (grown.status_code, grown.json()["lines"], grown.json()["state"]) == (200, 450, "receiving")
        assert await referrals(world) == 0
        for _ in range(2):
            started = await police.post(f"{path}/start")
            assert (started.status_code, started.json()["state"]) == (200, "running")
        late = await send(police, every[0], path=f"{path}/lines?after=450")
        assert (late.status_code, late.json()["type"]) == (409, "/problems/import-not-open")
        assert (await send(police, b"".join(every))).json()["id"] == left["id"], "the whole is known by its lines"
        await police.post(f"{path}/cancel")

    async def test_that_nobody_goes_on_with_is_destroyed_and_results_are_forgotten_in_time(self, world: World) -> None:
        done = await imported(world, world.police, lines(1), key="done")

        async def breaks() -> Any:
            yield lines(250, "left")
            raise ConnectionResetError

        assert (await send(world.police, breaks, key="left")).status_code == 503
        assert await contents(world) == 200
        world.exchange.later(days=world.exchange.settings.import_unfinished_days, minutes=1)
        await world.exchange.worker.forget_imports()
        assert await contents(world) == 0
        (left,) = (await world.police.get("/v1/imports?key=left")).json()["items"]
        assert (left["state"], left["reason"], left["counts"]["cancelled"]) == ("cancelled", "not_gone_on_with", 200)
        world.exchange.later(days=world.exchange.settings.import_days)
        await world.exchange.worker.forget_imports()
        assert (await world.police.get(f"/v1/imports/{done['id']}")).status_code == 404
        assert await referrals(world) == 1, "what was sent is nothing of the import's"


class TestWhoeverHandlesIt:
    async def test_may_be_two_workers_and_may_die_and_nothing_is_lost_or_doubled(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One dies between sending a referral and saying so: the line is found again by its key, as this import's own."""
        sent = await send(world.police, lines(45))
        other = Worker(
            world.exchange.settings.model_copy(update={"import_rate": 0}),
            world.exchange.addresses,
            world.exchange.keyring,
            world.exchange.clock,
        )
        other.jobs = list  # type: ignore[method-assign,assignment]
        await other.start()
        settle, left = Importer._settle, [3]

        async def dies(self: Importer, *arguments: Any) -> None:
            if left[0]:
                left[0] -= 1
                raise asyncio.CancelledError
            await settle(self, *arguments)

        monkeypatch.setattr(Importer, "_settle", dies)
        workers = (world.exchange.worker, other)
        for _ in range(30):
            await asyncio.gather(*(each.run_imports() for each in workers), return_exceptions=True)
        waiting = (await world.police.get(f"/v1/imports/{sent.json()['id']}")).json()["counts"]
        assert waiting["waiting"] == 3, "in hand of the dead"
        world.exchange.later(seconds=LEASE.total_seconds() + 1)
        await handle(world)
        await other.stop()
        ended = (await world.police.get(f"/v1/imports/{sent.json()['id']}")).json()
        assert (ended["state"], ended["counts"]["created"]) == ("finished", 45)
        assert await referrals(world) == 45

    async def test_may_be_a_process_that_is_killed_in_the_middle(self, world: World) -> None:
        exchange = world.exchange
        sent = (await send(world.police, lines(40))).json()
        settings = {
            "DATABASE_URL": exchange.addresses.app, "DATABASE_WORKER_URL": exchange.addresses.worker,
            "DATABASE_ADMIN_URL": exchange.addresses.admin, "KEYRING_FILE": str(exchange.settings.keyring_path),
            "DATA_DIR": str(exchange.settings.data_dir), "IMPORT_RATE": "25", "IMPORT_CONCURRENCY": "4",
        }  # fmt: skip
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RUJUKAN_")}
        env = clean | {f"RUJUKAN_{name}": value for name, value in settings.items()}
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "app.cli", "worker", env=env, stdout=-3)
        async with asyncio.timeout(60):
            while await referrals(world) < 12:  # noqa: ASYNC110 -- another process does it
                await asyncio.sleep(0.05)
        process.kill()
        await process.wait()
        before = (await world.police.get(f"/v1/imports/{sent['id']}")).json()
        assert (before["state"], before["counts"]["waiting"] > 0) == ("running", True)
        exchange.later(seconds=LEASE.total_seconds() + 1)
        await handle(world)
        ended = (await world.police.get(f"/v1/imports/{sent['id']}")).json()
        assert (ended["state"], ended["counts"]["created"], await referrals(world)) == ("finished", 40, 40)

    async def test_parks_a_line_that_raises_or_kills_after_a_few_tries_and_goes_on_with_the_others(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        right = jobs.referrals.send

        async def poisoned(db: Any, body: Any, key: Any) -> Any:
            if key.value == "case-2":
                raise LookupError("what nobody foresaw")
            return await right(db, body, key)

        monkeypatch.setattr(jobs.referrals, "send", poisoned)
        sent = (await send(world.police, lines(5))).json()
        await world.owner.execute(  # a line that has killed its worker as often as it was tried
            "UPDATE import_line SET tries = $2, due_at = $3 WHERE import_id = $1 AND number = 5",
            UUID(sent["id"]), MOST_TRIES, world.exchange.clock.now() - timedelta(seconds=1),
        )  # fmt: skip
        for _ in range(MOST_TRIES + 1):
            await handle(world)
            world.exchange.later(minutes=2)
        found = await results(world.police, sent["id"])
        assert [each["outcome"] for each in found] == ["created", "created", "parked", "created", "parked"]
        assert {each["problem"]["type"] for each in found if each["outcome"] == "parked"} == {
            "/problems/internal-error"
        }
        assert (await world.police.get(f"/v1/imports/{sent['id']}")).json()["state"] == "finished"

    async def test_parks_an_import_that_fails_as_a_whole_and_goes_on_with_the_others(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = [(await send(world.police, lines(3, key), key=key)).json()["id"] for key in ("one", "two")]
        right = queries.claim_lines

        async def poisoned(tx: Any, import_id: UUID, **how: Any) -> Any:
            if str(import_id) == first:
                raise LookupError("what nobody foresaw")
            return await right(tx, import_id, **how)

        async def noted() -> list[tuple[Any, ...]]:
            return [
                tuple(row) for row in await world.owner.fetch("SELECT job, subject, error, attempts FROM parked_job")
            ]

        async def state(id: str) -> str:
            return str((await world.police.get(f"/v1/imports/{id}")).json()["state"])

        with monkeypatch.context() as broken:
            broken.setattr(queries, "claim_lines", poisoned)
            await handle(world)
            await handle(world)
            assert await noted() == [("run_imports", "import", "LookupError", 1)], "and not tried again before its time"
            assert (await state(first), await state(second)) == ("running", "finished")
            await world.exchange.worker.measure()
            assert metrics.QUEUE.labels("import_lines")._value.get() == 3
        world.exchange.later(minutes=1)
        await handle(world)
        assert (await state(first), await noted()) == ("finished", [])

    async def test_stops_when_its_client_or_agency_may_not_go_on(self, world: World) -> None:
        async def handled(key: str) -> dict[str, Any]:
            """Two batches' lines, of which one batch is handled before something changes."""
            sent = (await send(world.police, lines(jobs.BATCH + 5, key), key=key)).json()
            await world.exchange.worker.run_imports()
            return dict(sent)

        async def state(sent: dict[str, Any]) -> tuple[str, str | None, int, int]:
            await handle(world)
            found = (await world.police.get(f"/v1/imports/{sent['id']}")).json()
            return found["state"], found["reason"], found["counts"]["created"], found["counts"]["cancelled"]

        cancelled = await handled("cancelled")
        assert (await world.police.post(f"/v1/imports/{cancelled['id']}/cancel")).status_code == 200
        assert await state(cancelled) == ("cancelled", None, jobs.BATCH, 5)

        suspended = await handled("suspended")
        for change in (
            suspend_client,
            resume_client,
        ):  # the import does not outlive it, though the client is let in again
            admin = await asyncpg.connect(world.exchange.addresses.admin)
            await change(admin, "police-system", now=world.exchange.clock.now(), actor="test")
            await admin.close()
            await refresh(world)
        world.police.client.forget_token()
        world.exchange.later(seconds=2)
        assert await state(suspended) == ("stopped", "client", jobs.BATCH, 5)

        scopes = await world.owner.fetchval("SELECT scopes FROM client WHERE client_id = 'police-system'")
        narrowed = await handled("narrowed")
        narrow = "UPDATE client SET scopes = $1 WHERE client_id = 'police-system'"
        await world.owner.execute(narrow, [each for each in scopes if each != "referrals.write"])
        await refresh(world)
        await handle(world)
        await world.owner.execute(narrow, scopes)
        await refresh(world)
        assert await state(narrowed) == ("stopped", "scope", jobs.BATCH, 5)
        assert await contents(world) == 0, "of what is not handled nothing is kept"


async def refresh(world: World) -> None:
    """What service and worker learn within a second."""
    await world.owner.execute("UPDATE epoch SET value = value + 1")
    await world.exchange.directory.refresh()  # type: ignore[attr-defined]
    directory = world.exchange.worker._importer._directory
    assert directory is not None
    await directory.refresh()


async def test_another_system_of_the_agency_sees_and_stops_an_import_and_cannot_go_on_with_it(world: World) -> None:
    """An agency's import is not another's, and a client's rights are its own."""
    sent = (await send(world.police, lines(2))).json()
    await world.owner.execute("UPDATE bulk_import SET client_id = 'iom-system' WHERE id = $1", UUID(sent["id"]))
    assert (await world.police.post(f"/v1/imports/{sent['id']}/start")).status_code == 404
    assert (await world.police.get(f"/v1/imports/{sent['id']}")).json()["client"] == "iom-system"
    assert (await world.police.post(f"/v1/imports/{sent['id']}/cancel")).json()["state"] == "cancelled"

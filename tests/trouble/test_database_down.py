"""The database goes away under load and comes back: 503 meanwhile, and then everything goes on by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
import pytest

from app.client import ExchangeClient, TokenRefusedError
from tests.trouble.conftest import Service, keys, referral

CALLERS = 6
AWAY = 10
"""Seconds without a database."""
PATIENCE = 35
"""Seconds after which a caller would call it hung."""


@dataclass
class Load:
    """Callers who send one referral after the other, and what each was told."""

    told: list[tuple[int, float, dict[str, Any]]] = field(default_factory=list)
    asked: dict[str, tuple[dict[str, Any], str | None]] = field(default_factory=dict)
    """By key: the body, and the id answered, if any was."""
    over: bool = False

    async def call(self, client: ExchangeClient) -> None:
        while not self.over:
            (key,) = keys(1)
            await self.send(client, key, referral())
            await asyncio.sleep(0.1 if self.told[-1][0] == 201 else 0.3)

    async def send(self, client: ExchangeClient, key: str, body: dict[str, Any]) -> None:
        self.asked.setdefault(key, (body, None))
        began = time.monotonic()
        try:
            reply = await client.post("/v1/referrals", json=body, actor="officer-7", idempotency_key=key)
        except TokenRefusedError as refused:
            self.told.append((refused.status, time.monotonic() - began, {"error": refused.error}))
            return
        answer = reply.json() | {"retry_after": reply.headers.get("retry-after")}
        self.told.append((reply.status_code, time.monotonic() - began, answer))
        if reply.status_code == 201:
            self.asked[key] = (body, answer["id"])

    async def until_told(self, status: int) -> None:
        """Wait until a caller was told this, now and not earlier."""
        before = len(self.told)
        async with asyncio.timeout(PATIENCE):
            while status not in {told for told, _, _ in self.told[before:]}:  # noqa: ASYNC110 -- as short as a caller's own pause
                await asyncio.sleep(0.05)

    @property
    def unanswered(self) -> list[str]:
        return [key for key, (_, answered) in self.asked.items() if answered is None]


@pytest.mark.parametrize("how", ["fast", "immediate"])
async def test_the_service_says_so_and_recovers(service: Service, how: str):
    load = Load()
    async with service.connection() as conn:
        before = await conn.fetchval("SELECT count(*) FROM referral")
    async with service.client("police") as police, service.client("iom") as iom:
        end = (await service.feed("iom"))[-1:]
        after = end[0]["position"] if end else 0
        await iom.token()
        waiting = asyncio.create_task(iom.get("/v1/events?types=hold.*&wait=60"))
        callers = [asyncio.create_task(load.call(police)) for _ in range(CALLERS)]
        await load.until_told(201)
        await asyncio.to_thread(service.stop_database, how)
        async with httpx.AsyncClient(base_url=service.url, timeout=PATIENCE) as anybody:
            for path, status in (("/healthz", 200), ("/readyz", 503), ("/docs", 200), ("/openapi.json", 200)):
                assert (await anybody.get(path)).status_code == status, path
        await asyncio.sleep(AWAY)
        during = [status for status, _, _ in load.told].count(503)
        await asyncio.to_thread(service.start_database)
        await asyncio.to_thread(service.wait_until_ready, PATIENCE)
        await load.until_told(201)
        load.over = True
        await asyncio.wait_for(asyncio.gather(*callers), PATIENCE)
        statuses = {status for status, _, _ in load.told}
        assert {201, 503} <= statuses, "there was load before and during"
        assert during > 10, "callers are told at once, not left to wait"
        assert statuses <= {201, 401, 503}, load.told
        assert max(seconds for _, seconds, _ in load.told) < PATIENCE
        for status, _, answer in load.told:
            if status == 503 and "type" in answer:
                assert (answer["type"], answer["retry_after"]) == ("/problems/service-unavailable", "2")
            if status == 401:
                assert how == "immediate", "only a crash makes the database forget which proofs were used"
                assert answer["type"] == "/problems/dpop-proof-replayed"
        told = await asyncio.wait_for(waiting, PATIENCE)
        assert told.status_code == 503, "who waited for events is told as well"

        retried = time.monotonic()
        while load.unanswered:
            assert time.monotonic() - retried < 30, load.told[-3:]
            for key in load.unanswered:
                await load.send(police, key, load.asked[key][0])
                if key in load.unanswered:
                    await asyncio.sleep(0.5)
                    break

        # the feed waits again, and its listener hears again
        events = await service.feed("iom")
        waiting = asyncio.create_task(iom.get(f"/v1/events?after={events[-1]['position']}&wait=30"))
        await asyncio.sleep(0.5)
        began = time.monotonic()
        (key,) = keys(1)
        await load.send(police, key, referral())
        told = await asyncio.wait_for(waiting, PATIENCE)
        assert [event["subject_id"] for event in told.json()["items"]] == [load.asked[key][1]]
        assert time.monotonic() - began < 3

    ids = [answered for _, answered in load.asked.values()]
    events = [event for event in await service.feed("iom") if event["position"] > after]
    assert sorted(event["subject_id"] for event in events) == sorted(ids), "each once, none lost"
    assert [event["position"] for event in events] == list(range(after + 1, after + len(ids) + 1))
    async with service.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM referral") == before + len(ids)


async def test_a_database_that_hangs_gathers_no_callers(service: Service):
    """Frozen, not gone: nothing refuses, nothing answers. Whoever asks is told within seconds, the last as soon as the first."""
    pid = service.postmaster()
    assert pid is not None
    postmaster = psutil.Process(pid)
    frozen = [postmaster, *postmaster.children(recursive=True)]
    async with service.client("iom") as iom, httpx.AsyncClient(base_url=service.url, timeout=60) as anybody:
        await iom.token()

        async def ask(request: Awaitable[httpx.Response]) -> tuple[int, float]:
            began = time.monotonic()
            return (await request).status_code, time.monotonic() - began

        for process in frozen:
            process.suspend()
        try:
            await asyncio.sleep(1.5)  # the last look at who there is has become too old
            strangers = [ask(anybody.get("/v1/me")) for _ in range(12)]
            told = await asyncio.gather(*strangers, *(ask(iom.get("/v1/me")) for _ in range(4)))
        finally:
            for process in frozen:
                process.resume()
        assert {status for status, _ in told} == {503}
        assert max(seconds for _, seconds in told) < 6
        await asyncio.to_thread(service.wait_until_ready, PATIENCE)
        async with asyncio.timeout(PATIENCE):
            while (await iom.get("/v1/me")).status_code != 200:  # noqa: ASYNC110 -- another process's recovery sends no event
                await asyncio.sleep(0.2)

"""Told to end, the process finishes what it began, keeps nobody waiting, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from tests.trouble.conftest import Service, keys, referral

WAITING = 20
IN_FLIGHT = 8


async def test_requests_in_flight_are_finished_and_those_who_wait_let_go(service: Service):
    async with service.client("iom") as iom, service.client("police") as police, service.connection() as owner:
        await iom.token()
        await police.token()
        waiting = [asyncio.create_task(iom.get("/v1/events?wait=60")) for _ in range(WAITING)]
        lock = owner.transaction()
        await lock.start()
        await owner.execute("LOCK TABLE case_file IN SHARE MODE")
        in_flight = [
            asyncio.create_task(police.post("/v1/referrals", json=referral(), actor="officer-7", idempotency_key=key))
            for key in keys(IN_FLIGHT)
        ]
        await _until_they_wait(owner)
        began = time.monotonic()
        service.told_to_end()
        answers = await asyncio.wait_for(asyncio.gather(*waiting), 10)
        assert not any(task.done() for task in in_flight)
        await lock.rollback()
        finished = await asyncio.wait_for(asyncio.gather(*in_flight), 10)
    assert service.ended(10) == 0
    assert time.monotonic() - began < 10
    assert [(answer.status_code, answer.json()["items"]) for answer in answers] == [(200, [])] * WAITING
    assert [reply.status_code for reply in finished] == [201] * IN_FLIGHT
    await _are_there_after_the_next_start(service)


async def _are_there_after_the_next_start(service: Service) -> None:
    """What was stored, at the sender and in the receiver's feed."""
    service.start()
    async with service.client("police") as police:
        page = (await police.get("/v1/cases?limit=200", actor="officer-7")).json()
    assert len(page["items"]) == IN_FLIGHT
    assert len(await service.feed("iom")) == IN_FLIGHT


async def _until_they_wait(owner: object) -> None:
    """Until every request in flight has come to the lock."""
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'case_file'::regclass AND NOT granted"
    for _ in range(500):
        if await owner.fetchval(waiting) == IN_FLIGHT:  # type: ignore[attr-defined]
            return
        await asyncio.sleep(0.02)
    raise AssertionError("they never came to the lock")


async def test_nothing_is_left_running(service: Service):
    database = service.postmaster()
    assert database is not None
    service.told_to_end()
    assert service.ended(10) == 0
    assert service.postmaster() is None
    assert service.processes() == []
    async with httpx.AsyncClient() as stranger:
        with pytest.raises(httpx.ConnectError):
            await stranger.get(f"{service.url}/healthz")

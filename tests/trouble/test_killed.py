"""The process dies in the middle of its work: nothing it promised is lost, nothing happens twice."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from tests.trouble.conftest import Service, keys, referral

MANY = 100


async def test_every_referral_that_was_acknowledged_is_there_once(service: Service):
    asked = {key: referral() for key in keys(MANY)}
    acknowledged: dict[str, Any] = {}
    cut_off: list[str] = []

    async with service.client("police") as police:
        await police.token()

        async def send(key: str) -> None:
            try:
                reply = await police.post("/v1/referrals", json=asked[key], actor="officer-7", idempotency_key=key)
            except httpx.TransportError:
                cut_off.append(key)
                return
            assert reply.status_code == 201, reply.text
            acknowledged[key] = reply.json()
            if len(acknowledged) == 20 and service.process is not None:
                service.kill()

        await asyncio.gather(*(send(key) for key in asked))
    assert len(acknowledged) >= 20
    assert cut_off, "the process died too late to try anything"

    postmaster = service.postmaster()
    service.start()
    assert service.postmaster() == postmaster, "the database a killed process leaves behind is adopted"

    async with service.connection() as conn:
        stored = {str(row["id"]) for row in await conn.fetch("SELECT id FROM referral")}
    assert stored >= {answer["id"] for answer in acknowledged.values()}
    assert len(stored) <= MANY

    answers: dict[str, Any] = {}
    async with service.client("police") as police:
        for key, body in asked.items():
            reply = await police.post("/v1/referrals", json=body, actor="officer-7", idempotency_key=key)
            assert reply.status_code == 201, reply.text
            answers[key] = reply.json()
    assert {key: answers[key] for key in acknowledged} == acknowledged, "a repeated request gets its original answer"
    ids = {answer["id"] for answer in answers.values()}
    assert len(ids) == MANY
    assert stored <= ids, "what had taken effect unseen was not done again"
    async with service.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM referral") == MANY
        assert await conn.fetchval("SELECT count(*) FROM case_file") == MANY
        assert await conn.fetchval("SELECT count(*) FROM log_entry WHERE action = 'referral:send'") == MANY

    events = await service.feed("iom")
    assert sorted(event["subject_id"] for event in events) == sorted(ids)
    assert [event["position"] for event in events] == list(range(1, MANY + 1))
    assert {event["type"] for event in events} == {"referral.sent"}


async def test_who_was_killed_and_started_again_ends_as_any_other(service: Service):
    service.kill()
    service.start()
    service.told_to_end()
    assert service.ended(10) == 0
    assert service.postmaster() is None
    assert service.processes() == []

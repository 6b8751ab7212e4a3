"""`jobs`: what the worker could not do, and having it tried at once again."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from uuid import UUID

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.outbox.jobs import queries
from app.outbox.jobs.claims import WAITS
from tests.makers.processes import environment
from tests.makers.world import World

SUBJECT, CASE = UUID(int=7), UUID(int=8)


@pytest.fixture
async def failed(world: World) -> World:
    """A deadline that could not be dealt with, three times; the next try is minutes away."""
    now = world.exchange.clock.now()
    async with world.exchange.worker._pool.acquire() as conn:
        for _ in range(3):
            await queries.note_failure(conn, "watch_referrals", "referral", SUBJECT, CASE, "RJ999", now, WAITS)
    return world


async def run(world: World, *words: str) -> tuple[int, str]:
    """Run a command on the exchange's own database."""
    env = environment(world.exchange.addresses, data_dir=world.exchange.settings.data_dir)
    result = await asyncio.to_thread(CliRunner().invoke, app, ["jobs", *words], env=env, prog_name="rujukan")
    return result.exit_code, result.output


async def test_lists_what_has_failed(failed: World) -> None:
    code, said = await run(failed, "list", "--json")
    assert code == 0, said
    (item,) = json.loads(said)
    assert (item["job"], item["subject"], item["error"], item["attempts"]) == (
        "watch_referrals",
        "referral",
        "RJ999",
        3,
    )
    assert (item["subject_id"], item["case_id"], item["state"]) == (str(SUBJECT), str(CASE), "parked")
    code, said = await run(failed, "list")
    assert code == 0
    assert "parked" in said


async def test_has_it_tried_at_once_and_says_in_the_log_who_asked(failed: World) -> None:
    now = failed.exchange.clock.now()
    code, said = await run(failed, "retry", "--job", "watch_transfers", "--actor", "op-12")
    assert (code, "Nothing" in said) == (0, True)
    code, said = await run(failed, "retry", str(SUBJECT), "--actor", "op-12", "--json")
    assert (code, json.loads(said)) == (0, {"retried": 1})
    retry_at = await failed.owner.fetchval("SELECT retry_at FROM parked_job")
    assert retry_at - now < timedelta(seconds=60), "not in two minutes, as it would have been"
    (entry,) = await failed.log(action="job:retry")
    assert (entry["actor"], entry["subject_id"], entry["agency_id"]) == ("op-12", SUBJECT, None)


async def test_wants_to_know_what_to_try(world: World) -> None:
    code, said = await run(world, "retry", "--actor", "op-12")
    assert code == 2
    assert "--all" in said

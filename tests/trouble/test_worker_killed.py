"""The worker is killed, again and again, in the middle of every kind of job: nothing is left undone, nothing is done twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import asyncpg

from app.exchange.retention.erasing import brought_back
from app.exchange.retention.erasure_list import read_if_there
from tests.makers import cases, records
from tests.makers.processes import Process, environment
from tests.makers.world import World

KILLS = 6


async def worked(world: World, folder: Path, random: Random, *, days: float, settled: str) -> int:
    """Run two workers, `days` from now, and kill one after the other until `settled` finds nothing left; return how often they were killed."""
    settings = world.exchange.settings
    env = environment(
        world.exchange.addresses,
        data_dir=settings.data_dir,
        public_url=settings.public_url,
        clock_offset_seconds=days * 86_400,
        log_seal_seconds=0.05,
        retain_specific="P30D",
        retain_general="P30D",
        retain_access="P30D",
        retain_words="P30D",
        retain_proof="P30D",
    )
    workers = [Process(["worker"], env, folder / f"worker-{number}.log") for number in (1, 2)]
    try:
        for each in workers:
            each.start()
        async with asyncio.timeout(120):
            for kill in range(KILLS):
                await at_work(workers[kill % 2])
                await asyncio.sleep(random.uniform(0, 0.25))
                workers[kill % 2].kill()
                workers[kill % 2].start()
            while True:
                if not await world.owner.fetchval(settled):
                    break
                await asyncio.sleep(0.1)
        for each in workers:
            await at_work(each)
            assert each.end() == 0
            assert "Traceback" not in each.log.read_text()
            assert "failed" not in each.log.read_text()
    finally:
        for each in workers:
            each.remove()
    return sum(each.kills for each in workers)


async def at_work(worker: Process) -> None:
    """Wait until it has begun with its jobs."""
    while True:
        said = worker.log.read_text() if worker.log.exists() else ""
        if said.count("The worker runs") > worker.kills:
            return
        await asyncio.sleep(0.02)


def told(rows: list[asyncpg.Record], type: str) -> Counter[Any]:
    """Who was told of what, and how often."""
    return Counter((row["subject_id"], row["agency_id"]) for row in rows if row["type"] == type)


async def test_every_job_does_what_is_due_once(world: World, tmp_path: Path) -> None:
    """Deadlines pass, escalations climb, reviews lapse, events get positions and entries theirs, what is too old is erased."""
    random = Random(7)
    late = [await world.send(urgency=urgency) for urgency in ("standard", "urgent") for _ in range(12)]
    vital = records.legal_basis("identity", "safety", "needs", kind="vital_interest")
    vital = {name: value for name, value in vital.items() if name not in ("legal_basis", "article")}
    opened = [await world.accepted(bases=[vital]) for _ in range(6)]
    closed = [await cases.closed(world) for _ in range(4)]
    await world.exchange.settle()
    unsealed = await world.owner.fetchval("SELECT count(*) FROM log_waiting")
    assert unsealed

    kills = await worked(
        world,
        tmp_path,
        random,
        days=40,
        settled=f"""SELECT EXISTS (SELECT FROM referral WHERE state = 'sent' AND clock <> 'escalated')
                   OR EXISTS (SELECT FROM escalation WHERE rung < 1)
                   OR EXISTS (SELECT FROM review WHERE clock <> 'overdue')
                   OR EXISTS (SELECT FROM outbox) OR EXISTS (SELECT FROM log_waiting)
                   OR (SELECT count(DISTINCT case_id) FROM erasure WHERE kind = 'access') < {len(closed)}""",
    )
    assert kills == KILLS

    events = await world.owner.fetch("SELECT * FROM event")
    by, to = world.ids["police"], world.ids["iom"]
    overdue = told(events, "referral.overdue")
    for each in late:
        row = await world.row(each)
        assert (row["state"], row["clock"], row["version"]) == ("sent", "escalated", 1)
        assert (overdue[row["id"], to], overdue[row["id"], by]) == (1, 1)
    first = told(events, "escalation.opened")
    assert set(first.values()) == {1}
    assert len(await world.owner.fetch("SELECT FROM escalation WHERE closed_at IS NULL")) >= len(late)
    for each in opened:
        lapsed = await world.log(action="review:lapse", case_id=(await world.row(each))["case_id"])
        assert len(lapsed) == 1
    positions = Counter((row["agency_id"], row["position"]) for row in events)
    assert set(positions.values()) == {1}
    ends = dict(await world.owner.fetch("SELECT agency_id, position FROM feed_end"))
    assert ends == Counter(row["agency_id"] for row in events), "positions are dense"
    assert len({(row["agency_id"], row["event_id"]) for row in events}) == len(events)

    settings = world.exchange.settings
    listed, done = await asyncio.to_thread(read_if_there, settings.erasure_folder)
    assert Counter((each.case, each.kind, each.row) for each in listed if each.id in done).most_common(1)[0][1] == 1
    worker = await asyncpg.connect(world.exchange.addresses.worker)
    assert await brought_back(worker, settings.erasure_folder) == []
    await worker.close()
    assert await world.owner.fetch("SELECT * FROM parked_job") == []
    sizes = await world.owner.fetchrow(
        "SELECT count(*) AS leaves, count(DISTINCT entry_id) AS entries, (SELECT max(size) FROM log_checkpoint) AS sealed FROM log_leaf"
    )
    assert sizes is not None
    assert sizes["leaves"] == sizes["entries"] == sizes["sealed"]

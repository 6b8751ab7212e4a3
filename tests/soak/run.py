"""One soak from beginning to end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from app.foundation.database import Addresses
from tests.soak import checks
from tests.soak.agencies import Play
from tests.soak.readers import Reader
from tests.soak.stage import AGENCIES, Stage, staged


@dataclass(frozen=True)
class Outcome:
    """What came of a soak."""

    faults: list[str]
    acts: int
    seconds: float
    events: int
    kills: int
    delays: list[float]
    counted: Counter[str]

    def figures(self) -> str:
        """Say it in a few lines."""
        ordered = sorted(self.delays) or [0.0]
        p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.99))
        return (
            f"{self.acts} acts and {self.events} events in {self.seconds:.0f} s ({self.acts / self.seconds:.0f} acts/s,"
            f" {self.events / self.seconds:.0f} events/s), {self.kills} processes killed;\n"
            f"an event was read after {p50 * 1000:.0f} ms (median), {p99 * 1000:.0f} ms (99 of 100), {ordered[-1]:.1f} s at most"
        )


async def soak(
    folder: Path,
    referrals: int,
    seed: str,
    where: Addresses | None = None,
    *,
    at_once: int = 8,
    acts: int = 6,
    kill_every: tuple[float, float] = (3, 12),
    most_kills: int | None = None,
) -> Outcome:
    """Play, kill, settle, compare."""
    async with staged(folder, Random(seed), where) as stage:
        play = Play(stage, seed)
        readers = {code: Reader(play.systems[code], Random(f"{seed} reader {code}")) for code in AGENCIES}
        began = time.monotonic()
        reading = [asyncio.create_task(each.read(), name=f"reader {code}") for code, each in readers.items()]
        killing = asyncio.create_task(stage.kill_now_and_then(kill_every, (0.1, 1.5), most_kills))
        playing = asyncio.create_task(play.run(referrals, at_once=at_once, acts=acts))
        try:
            await _first_to_end(playing, [*reading, killing])
            killing.cancel()
            with suppress(asyncio.CancelledError):
                await killing
            await stage.ready()
            seconds = time.monotonic() - began
            await _settle(stage, readers, reading)
            faults = [
                *await checks.of_acts(stage, play),
                *await checks.of_states(stage, play),
                *await checks.of_feeds(stage, readers),
                *await checks.of_leftovers(stage),
                *await asyncio.to_thread(checks.of_log, stage),
            ]
        finally:
            for task in (playing, killing, *reading):
                task.cancel()
            await asyncio.gather(playing, killing, *reading, return_exceptions=True)
        counted = play.ledger.counted + sum((each.counted for each in readers.values()), Counter())
        return Outcome(
            faults,
            len(play.ledger.done),
            seconds,
            sum(len(each.events) for each in readers.values()),
            stage.kills,
            [delay for each in readers.values() for delay in each.delays],
            counted,
        )


async def _first_to_end(playing: asyncio.Task[None], others: Sequence[asyncio.Task[None]]) -> None:
    """Wait for the play to end. Whatever else ends before it has failed."""
    done, _ = await asyncio.wait({playing, *others}, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    assert playing in done, "nothing else ends by itself"


async def _settle(stage: Stage, readers: dict[str, Reader], reading: Sequence[asyncio.Task[None]]) -> None:
    """Stop the clock, let the workers do what is left, and every reader read it."""
    await stage.owner.execute(
        "UPDATE referral SET due_at = NULL; UPDATE transfer SET due_at = NULL; UPDATE escalation SET next_at = NULL"
    )
    async with asyncio.timeout(120):
        while True:
            for task in reading:
                assert not task.done(), task.exception()
            left = await stage.owner.fetchval(
                "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM log_waiting)"
            )
            ends = {
                row["agency_id"]: row["position"]
                for row in await stage.query("SELECT agency_id, position FROM feed_end")
            }
            if not left and all(readers[code].cursor == ends.get(id, 0) for code, id in stage.ids.items()):
                return
            await asyncio.sleep(0.1)

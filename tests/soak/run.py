"""One soak from beginning to end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from app.foundation.database import Addresses
from tests.makers.receivers import Receivers, receiving
from tests.soak import checks, webhooks
from tests.soak.agencies import Play
from tests.soak.progress import Progress
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
    sent: list[float]
    """Seconds until an event had come to a receiver of webhooks for the first time, whatever state that was in."""
    counted: Counter[str]
    took: dict[str, float]
    """Seconds of each part."""

    def figures(self) -> str:
        """Say it in a few lines."""
        return (
            f"{self.counted['referral send']} referrals, {self.acts} acts and {self.events} events in {self.seconds:.0f} s"
            f" ({self.acts / self.seconds:.0f} acts/s, {self.events / self.seconds:.0f} events/s), {self.kills} processes killed;\n"
            f"an event was read after {_spread(self.delays)};\nit came by webhook after {_spread(self.sent)};\n"
            + ", ".join(f"{part} {seconds:.1f} s" for part, seconds in self.took.items())
        )


def _spread(delays: Sequence[float]) -> str:
    ordered = sorted(delays) or [0.0]
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.99))
    return f"{p50 * 1000:.0f} ms (median), {p99 * 1000:.0f} ms (99 of 100), {ordered[-1]:.1f} s at most"


async def soak(
    folder: Path,
    referrals: int,
    seed: str,
    where: Addresses | None = None,
    *,
    at_once: int = 8,
    acts: int = 6,
    kill_every: tuple[float, float] = (3, 12),
    fewest_kills: int = 0,
    most_kills: int | None = None,
    play_for: float | None = None,
    say: Callable[[str], None] | None = None,
) -> Outcome:
    """Play, kill, settle, compare; tell `say` now and then how far that is."""
    async with receiving(folder) as receivers, staged(folder, Random(seed), where, **_reachable(receivers)) as stage:
        hooks = await webhooks.hooked(stage, receivers, seed)
        play = Play(stage, seed)
        readers = {code: Reader(play.systems[code], Random(f"{seed} reader {code}")) for code in AGENCIES}
        progress = Progress(stage, play.ledger, say)
        began = time.monotonic()
        reading = [asyncio.create_task(each.read(), name=f"reader {code}") for code, each in readers.items()]
        lives = [asyncio.create_task(each.live(), name=f"receiver {code}") for code, each in hooks.items()]
        killing = asyncio.create_task(stage.kill_now_and_then(kill_every, (0.1, 1.5), most_kills))
        playing = asyncio.create_task(play.run(referrals, at_once=at_once, acts=acts, seconds=play_for))
        telling = asyncio.create_task(progress.tell())
        try:
            with progress.part("play"):
                await _first_to_end(playing, [*reading, *lives, killing])
                async with asyncio.timeout(60):
                    while stage.kills < fewest_kills:  # noqa: ASYNC110 -- somebody else kills
                        await asyncio.sleep(0.05)
            for task in (killing, *lives):
                task.cancel()
            await asyncio.gather(killing, *lives, return_exceptions=True)
            await stage.ready()
            seconds = time.monotonic() - began
            with progress.part("settle"):
                await _settle(stage, readers, reading)
            faults: list[str] = []
            for name, check in (
                ("acts", lambda: checks.of_acts(stage, play)),
                ("states", lambda: checks.of_states(stage, play)),
                ("feeds", lambda: checks.of_feeds(stage, readers)),
                ("webhooks", lambda: webhooks.of_webhooks(stage, hooks)),
                ("leftovers", lambda: checks.of_leftovers(stage)),
                ("log", lambda: asyncio.to_thread(checks.of_log, stage)),
            ):
                with progress.part(f"check {name}"):
                    faults += await check()
        finally:
            for task in (playing, killing, telling, *reading, *lives):
                task.cancel()
            await asyncio.gather(playing, killing, telling, *reading, *lives, return_exceptions=True)
        counted = sum((each.counted for each in (*readers.values(), *hooks.values())), play.ledger.counted)
        recorded = {
            str(row["event_id"]): row["recorded_at"].timestamp()
            for row in await stage.query("SELECT event_id, recorded_at FROM event")
        }
        return Outcome(
            faults,
            len(play.ledger.done),
            seconds,
            sum(len(each.events) for each in readers.values()),
            stage.kills,
            [delay for each in readers.values() for delay in each.delays],
            webhooks.delays(hooks, recorded),
            counted,
            progress.took,
        )


def _reachable(receivers: Receivers) -> dict[str, str]:
    receivers.certify("localhost")
    return {name: str(value) for name, value in receivers.settings.items()}


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
    hurried = 0.0
    async with asyncio.timeout(300):
        while True:
            if time.monotonic() > hurried + 5:
                await webhooks.hurry(stage)
                hurried = time.monotonic()
            for task in reading:
                assert not task.done(), task.exception()
            left = await stage.owner.fetchval(
                "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM log_waiting) + (SELECT count(*) FROM delivery WHERE state = 'waiting')"
            )
            ends = {
                row["agency_id"]: row["position"]
                for row in await stage.query("SELECT agency_id, position FROM feed_end")
            }
            if not left and all(readers[code].cursor == ends.get(id, 0) for code, id in stage.ids.items()):
                return
            await asyncio.sleep(0.1)

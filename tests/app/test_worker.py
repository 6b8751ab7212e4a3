"""One thing that fails keeps no other from being done."""

from __future__ import annotations

import pytest

from app import worker
from app.exchange.emergencies.jobs import end_emergencies
from tests.makers.world import World


async def test_what_cannot_be_watched_does_not_keep_the_rest_from_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that no clock can take is found again every second: the requests, holds and emergencies behind it still have their time."""
    done: list[str] = []

    async def broken(*_: object) -> int:
        raise LookupError("a row nobody foresaw")

    async def ended(*arguments: object) -> int:
        done.append("emergencies")
        return await end_emergencies(*arguments)  # type: ignore[arg-type]

    async def held(*_: object) -> int:
        done.append("holds")
        return 3

    monkeypatch.setattr(worker, "watch", broken)
    monkeypatch.setattr(worker, "watch_reviews", broken)
    monkeypatch.setattr(worker, "end_emergencies", ended)
    monkeypatch.setattr(worker, "watch_holds", held)
    for job in (world.exchange.worker.watch_deadlines, world.exchange.worker.watch_reviews):
        with pytest.raises(LookupError):
            await job()
    assert done == ["holds", "emergencies"]

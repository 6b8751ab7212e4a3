"""Whether one client's flood slows another: the other's answers alone, and while 64 connections send as fast as they are answered.

`python -m benchmarks.fairness` runs this alone. Beside it the same flood with the limits off.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import load, stage
from benchmarks.load import Result

FLOOD = 64
OFF = {"RUJUKAN_CLIENT_RATE": "0", "RUJUKAN_CLIENT_CONCURRENCY": "0", "RUJUKAN_ADDRESS_RATE": "0"}
DEFAULTS = {
    "RUJUKAN_CLIENT_RATE": "50",
    "RUJUKAN_CLIENT_BURST": "500",
    "RUJUKAN_CLIENT_CONCURRENCY": "8",
    "RUJUKAN_ADDRESS_RATE": "10",
    "RUJUKAN_ADDRESS_BURST": "200",
}
PATH = "/v1/referrals?state=sent&limit=50"


async def asking(on: stage.Stage, name: str, count: int) -> list[bytes]:
    return [await load.signed(on.clients[name], "GET", PATH) for _ in range(count)]


async def calm(on: stage.Stage, name: str, count: int) -> Result:
    """Ask as an agency's system does that has something to do: one request after the other, over two connections."""
    return await load.run("calm", stage.PORT, await asking(on, name, count), connections=2)


async def under_flood(on: stage.Stage, count: int) -> tuple[Result, Result]:
    """Return how the calm client fares, and the flood."""
    requests = iter(await asking(on, stage.SENDER, 16_000))
    flood = asyncio.create_task(load.run("flood", stage.PORT, requests, connections=FLOOD))  # type: ignore[arg-type]
    await asyncio.sleep(4)  # until it has used up what it may do at once
    found = await calm(on, stage.RECEIVER, count)
    for _ in requests:  # nothing more is sent
        pass
    return found, await flood


async def measured(
    on: stage.Stage, env: dict[str, str], rounds: int, count: int
) -> list[tuple[Result, Result, Result]]:
    found = []
    with stage.serving(on, env=env):
        for each in on.clients.values():
            each.forget_token()
        await calm(on, stage.RECEIVER, 50)
        for _ in range(rounds):
            alone = load.good(await calm(on, stage.RECEIVER, count), 200)
            beside, flood = await under_flood(on, count)
            found.append((alone, beside, flood))
            await asyncio.sleep(11)  # until the calm one has all its requests again
    return found


async def main(rounds: int, count: int) -> None:
    with stage.folder() as folder:
        on = await stage.build(folder)
        table = Table(title=f"p95 of a calm client in ms; {FLOOD} connections flood; medians of {rounds} rounds")
        for column in (
            "limits",
            "alone",
            "beside the flood",
            "times",
            "not served",
            "flood let in",
            "flood refused (429)",
        ):
            table.add_column(column, justify="left" if column == "limits" else "right")
        for name, env in (("as they are by default", DEFAULTS), ("off", OFF)):
            found = await measured(on, env, rounds, count)
            alone, beside = (statistics.median(each[place].percentile(0.95) for each in found) for place in (0, 1))
            lost = sum(each[1].requests - each[1].statuses.get(200, 0) for each in found)
            let_in, refused = (sum(each[2].statuses.get(status, 0) for each in found) for status in (200, 429))
            row: list[Any] = [name, f"{alone:.1f}", f"{beside:.1f}", f"{beside / alone:.1f}", lost, let_in, refused]
            table.add_row(*map(str, row))
        Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.fairness")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=200)
    given = parser.parse_args()
    stage.run_async(main(given.rounds, given.size))

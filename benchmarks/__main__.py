"""`make bench`: what the exchange does in a second, beside the database alone and beside two frameworks' usual way."""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import uuid
from itertools import islice
from typing import Any

import asyncpg
from rich.console import Console
from rich.table import Table

from benchmarks import growth, load, oauth, pgbench, stage
from benchmarks import record as record_models
from benchmarks.load import Result, good
from benchmarks.peers_run import peers

SECTIONS = ("identity", "contact", "location", "family", "identification", "safety", "health", "psychosocial", "needs")


def body(case_id: str, record: dict[str, Any]) -> dict[str, Any]:
    """A referral on an existing case."""
    return {
        "case_id": case_id,
        "receiver": stage.RECEIVER,
        "purpose": "shelter",
        "urgency": "standard",
        "record": record,
        "bases": [
            {
                "kind": "legal_obligation",
                "sections": [name for name in SECTIONS if name in record],
                "legal_basis": "uu-21-2007",
                "article": "51",
                "reason": "Help within seven days.",
            }
        ],
    }


async def creations(on: stage.Stage, cases: list[str], record: dict[str, Any]) -> list[bytes]:
    client = on.clients[stage.SENDER]
    return [
        await load.signed(client, "POST", "/v1/referrals", body(case, record), **{"Idempotency-Key": str(uuid.uuid4())})
        for case in cases
    ]


async def pages(on: stage.Stage, count: int) -> list[bytes]:
    client = on.clients[stage.RECEIVER]
    return [await load.signed(client, "GET", "/v1/referrals?state=sent&limit=50") for _ in range(count)]


async def main(rounds: int, size: int, with_peers: bool) -> None:
    console = Console()
    console.print(f"processors: {os.cpu_count()}, load before: {os.getloadavg()[0]:.1f}, rounds: {rounds} of {size}")
    with stage.folder() as folder:
        on = await stage.build(folder)
        full = stage.sample_record()
        record = {"schema_version": full["schema_version"], **{name: full[name] for name in SECTIONS if name in full}}
        cases = await stage.open_cases(on, size * rounds * 2 + 1000)
        turn = iter(cases)
        ours: list[Result] = []
        floor: list[float] = []
        with stage.serving(on):
            await load.run("warm-up", stage.PORT, await creations(on, list(islice(turn, 200)), record))
            sizes, preview, sections = await stored_sizes(on)
            script = await pgbench.creation_script(on, size * rounds + 400, sizes, preview, sections)
            taken = set(cases[:200]) | await pgbench.reserved(on)
            turn = iter([case for case in cases if case not in taken])
            for _ in range(rounds):
                ours.append(
                    good(
                        await load.run(
                            "referrals created", stage.PORT, await creations(on, list(islice(turn, size)), record)
                        ),
                        201,
                    )
                )
                floor.append(await asyncio.to_thread(pgbench.run, on, script, transactions=size // 16))
            listed = [
                good(await load.run("inbox pages of 50", stage.PORT, await pages(on, size)), 200) for _ in range(rounds)
            ]
        beside = await peers(on, record, size, rounds) if with_peers else {}
    base = statistics.median(floor)
    table = Table(title="One API process, 16 connections; medians of the rounds")
    for column in ("what", "per second", "p50 ms", "p99 ms", "ratio to pgbench"):
        table.add_column(column, justify="left" if column == "what" else "right")
    table.add_row("pgbench, the same function and rows", f"{base:.0f}", "", "", "1.00")
    ratio = statistics.median(mine.rate / theirs for mine, theirs in zip(ours, floor, strict=True))
    for name, runs, shown in (
        ("referrals created", ours, f"{ratio:.2f}"),
        *(
            (peer, results, f"{statistics.median(r.rate for r in results) / base:.2f}")
            for peer, results in beside.items()
        ),
        ("inbox pages of 50", listed, ""),
    ):
        table.add_row(
            name,
            f"{statistics.median(run.rate for run in runs):.0f}",
            f"{statistics.median(run.percentile(0.5) for run in runs):.1f}",
            f"{statistics.median(run.percentile(0.99) for run in runs):.1f}",
            shown,
        )
    console.print(table)


async def stored_sizes(on: stage.Stage) -> tuple[list[int], int, list[str]]:
    """Return the sizes of the ciphertexts as the service stored them."""
    conn = await asyncpg.connect(on.addresses.owner)
    try:
        row = await conn.fetchrow(
            """SELECT c.parts, octet_length(v.preview) AS preview, v.sections
               FROM record_content c JOIN record_version v ON v.id = c.version_id LIMIT 1"""
        )
    finally:
        await conn.close()
    return [len(part) for part in row["parts"]], row["preview"], list(row["sections"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=1600)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument(
        "--growth", type=int, nargs="*", help="Only moves and work lists, at these numbers of referrals."
    )
    parser.add_argument("--oauth", action="store_true", help="Only tokens and verified requests.")
    given = parser.parse_args()
    if given.oauth:
        stage.run_async(oauth.main(given.rounds, given.size))
        raise SystemExit
    if given.growth is None:
        record_models.main()
        stage.run_async(main(given.rounds, given.size, not given.no_peers))
        stage.run_async(oauth.main(given.rounds, given.size))
    stage.run_async(growth.main(given.growth or growth.SIZES, given.size))

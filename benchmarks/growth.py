"""Moves and work lists at growing numbers of referrals: both should cost the same, whatever the tables hold."""

from __future__ import annotations

import os
import statistics
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
from rich.console import Console
from rich.table import Table

from benchmarks import load, stage
from benchmarks.load import Result, good

SIZES: Final = (10_000, 100_000, 1_000_000)
OTHERS: Final = 60
"""Agencies among which the referrals are spread; the bench's receiver has one in `OTHERS` of them, like everybody."""
MOVES: Final[dict[str, dict[str, Any]]] = {
    "acknowledge": {},
    "accept": {"ready_to_receive_from": datetime.now(UTC).isoformat()},
    "start": {},
}


async def fill(conn: asyncpg.Connection, total: int) -> None:
    """Bring the database to `total` referrals, in every state of their life, with what a move and a list touch."""
    have = await conn.fetchval("SELECT count(*) FROM referral")
    await conn.execute(
        """INSERT INTO agency (id, code, name, kind, created_at)
           SELECT uuidv7(), 'bench-other-' || i, 'bench', 'trauma_centre', now() FROM generate_series(1, $1) i
           ON CONFLICT DO NOTHING""",
        OTHERS,
    )
    for start in range(have, total, 100_000):
        await conn.execute(
            """
            WITH agencies AS (
                SELECT array_agg(id ORDER BY code) AS ids, (SELECT id FROM agency WHERE code = $3) AS sender
                FROM agency WHERE code LIKE 'bench-%' AND code <> $3),
            made AS (
                SELECT uuidv7() AS id, uuidv7() AS case_id, uuidv7() AS version_id, n, sender, ids[1 + n % cardinality(ids)] AS receiver,
                       (ARRAY['sent', 'completed', 'in_progress', 'declined', 'sent', 'completed', 'accepted', 'recalled'])
                       [1 + (hashint4(n) & 7)] AS state,
                       now() - make_interval(secs => n % 500000) AS at
                FROM agencies, generate_series($1::int + 1, $2::int) AS n),
            cases AS (
                INSERT INTO case_file (id, reference, lead_id, state, entry_channel, opened_by_id, opened_at, updated_at)
                SELECT case_id, 'K-' || n, sender, 'open', 'police_report', sender, at, at FROM made),
            leads AS (INSERT INTO case_lead (case_id, agency_id, from_at) SELECT case_id, sender, at FROM made),
            versions AS (
                INSERT INTO record_version (id, case_id, number, author_id, schema_version, sections, needs_hash, preview, recorded_at)
                SELECT version_id, case_id, 1, sender, '1.0', '{needs}', 'n', 'p', at FROM made),
            disclosures AS (
                INSERT INTO disclosure (id, case_id, subject, subject_id, version_id, sender_id, receiver_id, basis, sections, onward, recorded_at)
                SELECT uuidv7(), case_id, 'referral', id, version_id, sender, receiver, 'legal_obligation', '{needs}', false, at FROM made)
            INSERT INTO referral (id, case_id, reference, sender_id, sent_by_id, receiver_id, recorded_by_id, state, purpose, urgency, respond_by,
                                  sections, needs_hash, version_id, sent_at, updated_at, last_occurred_at, deadline_at, due_at, accepted_at, ended_at)
            SELECT id, case_id, 'R-' || n, sender, sender, receiver, sender, state, 'shelter', 'standard', at + interval '7 days', '{needs}', 'n',
                   version_id, at, at, at, at + interval '7 days', at + interval '3 days',
                   CASE WHEN state IN ('accepted', 'in_progress', 'completed') THEN at END,
                   CASE WHEN state IN ('completed', 'declined', 'recalled') THEN at END
            FROM made""",
            start,
            min(start + 100_000, total),
            stage.SENDER,
        )
    await conn.execute("VACUUM ANALYZE")


async def moved(on: stage.Stage, referrals: Sequence[tuple[uuid.UUID, int]], event: str) -> Result:
    """Make one move on each of the referrals."""
    client = on.clients[stage.RECEIVER]
    requests = []
    for row_id, version in referrals:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        if event != "acknowledge":
            headers["If-Match"] = f'"{version}"'
        requests.append(await load.signed(client, "POST", f"/v1/referrals/{row_id}/{event}", MOVES[event], **headers))
    return good(await load.run(event, stage.PORT, requests), 200)


async def listed(on: stage.Stage, path: str, count: int) -> Result:
    """Read one page over and over."""
    client = on.clients[stage.RECEIVER]
    return good(await load.run(path, stage.PORT, [await load.signed(client, "GET", path) for _ in range(count)]), 200)


def _rate(results: Iterable[Result]) -> float:
    return statistics.median(each.rate for each in results)


async def main(sizes: Sequence[int], count: int) -> None:
    """Print what one API process does in a second at each size, and the ratio to the first."""
    console = Console()
    console.print(f"processors: {os.cpu_count()}, load before: {os.getloadavg()[0]:.1f}, {count} requests a figure")
    rows: dict[str, list[float]] = {}
    with stage.folder() as folder:
        on = await stage.build(folder)
        conn = await asyncpg.connect(on.addresses.owner)
        receiver = await conn.fetchval("SELECT id FROM agency WHERE code = $1", stage.RECEIVER)
        try:
            for size in sizes:
                await fill(conn, size)
                with stage.serving(on):
                    waiting = await conn.fetch(
                        "SELECT id, version FROM referral WHERE receiver_id = $1 AND state = 'sent' AND acknowledged_at IS NULL LIMIT $2",
                        receiver,
                        min(count, size // 400),
                    )
                    mine = [(row["id"], row["version"]) for row in waiting]
                    await listed(on, "/v1/me", 200)  # warm-up
                    moves = []
                    for event in MOVES:
                        result = await moved(on, mine, event)
                        moves.append(result)
                        mine = [(row_id, version + (event != "acknowledge")) for row_id, version in mine]
                    figures = {
                        "moves": sum(each.requests for each in moves) / sum(each.seconds for each in moves),
                        "work list, pages of 50": _rate([await listed(on, "/v1/inbox", count) for _ in range(3)]),
                        "counts of the work list": _rate(
                            [await listed(on, "/v1/inbox/counts", count) for _ in range(3)]
                        ),
                        "referrals, pages of 50": _rate(
                            [await listed(on, "/v1/referrals?state=sent", count) for _ in range(3)]
                        ),
                    }
                    for name, figure in figures.items():
                        rows.setdefault(name, []).append(figure)
        finally:
            await conn.close()
    table = Table(title="One API process, 16 connections; per second, and as a ratio to the first size")
    table.add_column("what")
    for size in sizes:
        table.add_column(f"{size:,} referrals", justify="right")
    for name, found in rows.items():
        table.add_row(name, *(f"{figure:.0f} ({figure / found[0]:.2f})" for figure in found))
    console.print(table)

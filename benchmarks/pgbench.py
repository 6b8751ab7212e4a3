"""The floor: `pgbench` calling the same function with the same rows and the same size of ciphertext, as the same role."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

from benchmarks.stage import RECEIVER, SENDER, Stage


async def creation_script(
    stage: Stage, cases: int, part_sizes: list[int], preview_size: int, sections: list[str]
) -> str:
    """Return a pgbench script that sends one referral a transaction, each on a case of its own."""
    conn = await asyncpg.connect(stage.addresses.owner)
    try:
        sender = await conn.fetchval("SELECT id FROM agency WHERE code = $1", SENDER)
        receiver = await conn.fetchval("SELECT id FROM agency WHERE code = $1", RECEIVER)
        await conn.execute("DROP TABLE IF EXISTS bench_case")
        await conn.execute(
            "CREATE TABLE bench_case AS SELECT row_number() OVER (ORDER BY id) AS n, id FROM "
            "(SELECT id FROM case_file c WHERE NOT EXISTS (SELECT FROM referral r WHERE r.case_id = c.id) LIMIT $1)",
            cases,
        )
        await conn.execute(
            "CREATE UNIQUE INDEX ON bench_case (n); GRANT SELECT ON bench_case TO rujukan_app; ANALYZE bench_case"
        )
        # taken by turns: a sequence is cheap and never gives a case twice
        await conn.execute("DROP SEQUENCE IF EXISTS bench_turn")
        await conn.execute("CREATE SEQUENCE bench_turn; GRANT USAGE ON SEQUENCE bench_turn TO rujukan_app")
    finally:
        await conn.close()
    basis = {
        "place": 1,
        "id": "@id4",
        "basis": "legal_obligation",
        "consent_id": None,
        "legal_basis": "uu-21-2007",
        "article": "51",
        "sections": sections,
        "until_at": None,
        "onward": False,
    }
    envelope = {
        "subject": "referral",
        "id": "@id1",
        "reference": "R-BENC-HMRK-0",
        "case_id": "@case",
        "new_case": None,
        "consent": None,
        "receiver_id": str(receiver),
        "receiver_code": RECEIVER,
        "receiver_kind": "trauma_centre",
        "recorded_by_id": str(sender),
        "purpose": "shelter",
        "urgency": "standard",
        "respond_by": "2027-01-01T00:00:00Z",
        "due_at": "2026-12-30T00:00:00Z",
        "sections": sections,
        "version_id": "@id2",
        "schema_version": "1.0",
        "record_sections": sections,
        "reuse": False,
        "replaces_id": None,
        "offer_group": None,
        "guardian_suspected": False,
        "bases": [basis],
        "occurred_at": "2026-11-25T00:00:00Z",
        "channel": "system",
    }
    text = json.dumps(envelope).replace("'", "''")
    for name, value in (("@id1", "uuidv7()"), ("@id2", "uuidv7()"), ("@id4", "uuidv7()"), ("@case", "b.id")):
        text = text.replace(f'"{name}"', f"\"' || {value} || '\"")
    parts = ", ".join(f"repeat('x', {size})::bytea" for size in part_sizes)
    body = f"""
SELECT s.* FROM bench_case b, send(
  ROW('{sender}', 'bench', 'bench-1', 'r', now(), uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
      now() + interval '2 minutes', NULL)::acting,
  gen_random_uuid()::text, uuid_send(gen_random_uuid()), 30, ('{text}')::jsonb, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
  repeat('k', 160)::bytea, ARRAY[{parts}], repeat('p', {preview_size})::bytea, ARRAY[repeat('r', 120)::bytea], NULL, NULL) s
WHERE b.n = (SELECT nextval('bench_turn'));
"""
    return re.sub(r"\s+", " ", body).strip().replace("\n", " ") + "\n"


async def reserved(stage: Stage) -> set[str]:
    """Return the cases set aside for pgbench."""
    conn = await asyncpg.connect(stage.addresses.owner)
    try:
        return {str(row["id"]) for row in await conn.fetch("SELECT id FROM bench_case")}
    finally:
        await conn.close()


def run(stage: Stage, script: str, *, clients: int = 16, transactions: int = 200, threads: int = 1) -> float:
    """Run pgbench as rujukan_app and return transactions per second."""
    parts = urlsplit(stage.addresses.app)
    host = unquote(parse_qs(parts.query)["host"][0])
    path = Path(stage.folder) / "bench.sql"
    path.write_text(script)
    done = subprocess.run(
        [
            stage.pgbench,
            "-n",
            "-M",
            "prepared",
            "-c",
            str(clients),
            "-j",
            str(threads),
            "-t",
            str(transactions),
            "-f",
            str(path),
            "-h",
            host,
            "-U",
            "rujukan_app",
            "rujukan",
        ],
        capture_output=True,
        text=True,
    )
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if done.returncode or not found:
        raise RuntimeError(done.stderr[-2000:])
    return float(found[1])

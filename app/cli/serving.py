"""`serve` and `worker`: the processes that stay."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import ssl
from typing import Annotated, Any

import typer
import uvicorn
from fastapi import FastAPI

from app.at_rest.watch import KeyWatch
from app.cli.administering import prepared
from app.cli.common import at_port, clock_of, load_settings
from app.cli.failures import Code, Failure
from app.foundation import logs, metrics
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from app.serving import configure, listen, tls_context
from app.worker import Worker
from auth.client_auth import mtls
from auth.people.oidc import own_key

app = typer.Typer()
GRACE = 20
"""Seconds that requests in flight are given to end."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [RUJUKAN_HOST]", show_default=False)] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on. [RUJUKAN_PORT]", min=0, max=65535, show_default=False)
    ] = None,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Leave the jobs to `rujukan worker`.")] = False,
) -> None:
    """Serve the exchange over HTTP, until SIGTERM or Ctrl-C; requests in flight are finished."""
    settings = load_settings(host=host, port=port, worker_in_process=False if no_worker else None)
    settings.refuse_unsafe()
    _end_normally_when_told()
    logs.configure(settings)
    tls = _tls(settings)
    _oidc(settings)
    listening = _bind(settings)
    if settings.socket is None:
        settings = at_port(settings, listening.getsockname()[1])
    from app.main import create_app  # which takes seconds: what is refused above is refused at once

    clock = clock_of(settings)
    where = asyncio.run(prepared(settings, clock))
    service = create_app(settings, clock=clock, where=where)
    config = configure(service, grace=GRACE, tls=tls)
    stop_metrics = metrics.serve(settings)
    try:
        _Server(config, settings, service).run(sockets=[listening])
    except KeyboardInterrupt:
        raise typer.Exit from None
    finally:
        if stop_metrics is not None:
            stop_metrics()


@app.command()
def worker() -> None:
    """Run the jobs alone (feed positions, deadlines, key rotation), until SIGTERM or Ctrl-C. Any number may run, on any number of machines."""
    settings = load_settings()
    settings.refuse_unsafe()
    _end_normally_when_told()
    logs.configure(settings)
    asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    clock = clock_of(settings)
    where = await prepared(settings, clock)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, told.set)
    keyring = Keyring.of(settings)
    watch = KeyWatch(where.of("worker"), keyring, clock)
    jobs = Worker(settings, where, keyring, clock)
    await watch.start()
    await jobs.start()
    stop_metrics = metrics.serve(settings)
    typer.echo("The worker runs; it ends on SIGTERM or Ctrl-C.")
    await told.wait()
    if stop_metrics is not None:
        stop_metrics()
    await jobs.stop()
    await watch.stop()


class _Server(uvicorn.Server):
    """Says where it listens once it does, and keeps nobody waiting when it ends."""

    def __init__(self, config: uvicorn.Config, settings: Settings, service: FastAPI) -> None:
        super().__init__(config)
        self._settings = settings
        self._service = service

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        assert sockets is not None
        settings, url = self._settings, self._settings.public_url
        if settings.socket is not None:
            where = str(settings.socket)
        else:
            scheme = "http" if settings.tls_certificate is None else "https"
            where = f"{scheme}://{settings.reachable_host}:{sockets[0].getsockname()[1]}"
        typer.echo(f"Rujukan listens on {where} ({settings.env})")
        typer.echo(f"  issuer       {url}\n  for people   {url}/docs\n  for programs {url}/openapi.json")
        if not settings.worker_in_process:
            typer.echo("  The jobs are left to `rujukan worker`.")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let those go who only wait for events, then end as the others do."""
        self._service.state.listener.release()
        await super().shutdown(sockets)


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """Read every file TLS needs, or say which of them is wrong."""
    try:
        if settings.tls_client_ca is not None:
            mtls.authorities(settings.tls_client_ca)
        return tls_context(settings)
    except (OSError, ValueError) as error:  # ssl's errors are some
        raise Failure(
            f"TLS cannot be set up: {getattr(error, 'reason', None) or getattr(error, 'strerror', None) or error}",
            "See RUJUKAN_TLS_CERTIFICATE, _KEY and _CLIENT_CA; `rujukan doctor` looks at each.",
            code=Code.failed,
        ) from None


def _oidc(settings: Settings) -> None:
    """Read the key for the OpenID provider, or say what is wrong with its file."""
    try:
        own_key(settings)
    except (OSError, ValueError) as error:
        raise Failure(
            f"sign-in through the OpenID provider cannot be set up: {getattr(error, 'strerror', None) or error}",
            "See RUJUKAN_OIDC_KEY_FILE.",
            code=Code.failed,
        ) from None


def _bind(settings: Settings) -> socket.socket:
    """Take the port, or say what to do."""
    try:
        return listen(settings)
    except OSError as error:
        another = "Is another `rujukan serve` running? " if error.errno == errno.EADDRINUSE else ""
        where = f"{settings.host} port {settings.port}" if settings.socket is None else str(settings.socket)
        do = "--host and --port, or RUJUKAN_HOST and RUJUKAN_PORT" if settings.socket is None else "RUJUKAN_SOCKET"
        raise Failure(
            f"cannot listen on {where}: {error.strerror or error}",
            f"{another}Choose another with {do}.",
            code=Code.failed,
        ) from None


def _end_normally_when_told() -> None:
    """Let SIGTERM end the process through its exits, not past them: the embedded database is stopped there."""

    def end(_: int, __: Any) -> None:
        raise SystemExit(0)

    def pass_on(_: int, __: Any) -> None:
        signal.raise_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup asked to outlive the terminal
        signal.signal(signal.SIGHUP, pass_on)

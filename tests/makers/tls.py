"""The assembled service where client certificates reach it: on its own TLS, or behind a proxy that ends TLS and passes them on."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import uvicorn
from cryptography import x509
from fastapi import FastAPI

from app.foundation.clock import Clock
from app.foundation.database import Addresses
from app.foundation.settings import Settings
from app.main import create_app
from app.serving import configure, tls_context
from auth.admin.clients import add_client
from tests.makers import auth as make
from tests.makers.auth import EVERY_SCOPE, Party
from tests.makers.certificates import SERVER, Authority, Issued, san

PROXY = "127.0.0.2"
"""Where the trusted proxy connects from; everybody else on this machine comes from 127.0.0.1."""
NO_CHECK_TIME = 0x200000  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME


@dataclass
class Site:
    """The running service, and a way to administer it."""

    url: str
    direct: str
    app: FastAPI
    clock: Clock
    ca: Authority
    conn: asyncpg.Connection
    folder: Path
    proxy: TlsProxy | None = None

    def http(self, certificate: Issued | None = None, **options: Any) -> httpx.AsyncClient:
        """Return a client whose connections present the certificate."""
        return httpx.AsyncClient(base_url=self.url, verify=self.context(certificate), trust_env=False, **options)

    def context(self, certificate: Issued | None = None) -> ssl.SSLContext:
        """Return a context that trusts the service and presents the certificate."""
        context = ssl.create_default_context(cadata=self.ca.issued.pem.decode())
        if certificate is not None:
            certificate.into(context, self.folder)
            if self.proxy is not None:
                self.proxy.let_through(certificate)
        return context

    def as_proxy(self) -> httpx.AsyncClient:
        """Return a client that comes from where the trusted proxy does."""
        transport = httpx.AsyncHTTPTransport(local_address=PROXY)
        return httpx.AsyncClient(base_url=self.direct, transport=transport)

    async def refresh(self) -> None:
        """Have the service notice what administration changed."""
        directory = self.app.state.directory
        loop = directory._task.get_loop()
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(directory.refresh(), loop))

    async def agency(self) -> str:
        return await make.add_agency(self.conn, self.clock.now())

    async def register(self, **values: Any) -> str:
        """Register a client for an agency of its own; returns its id."""
        client_id = f"client-{secrets.token_hex(4)}"
        right = {"client_id": client_id, "name": "x", "agencies": [await self.agency()], "scopes": EVERY_SCOPE}
        await add_client(self.conn, **{**right, **values}, now=self.clock.now(), actor="test")
        await self.refresh()
        return client_id

    async def party(self, http: httpx.AsyncClient, **values: Any) -> Party:
        """Register a client that signs assertions, and let it speak over `http`."""
        agency = await self.agency()
        credentials = make.Credentials.generate(f"client-{secrets.token_hex(4)}", self.url)
        await self.register(
            client_id=credentials.client_id, agencies=[agency], jwks=credentials.public_jwks(), **values
        )
        return Party(credentials, [agency], http, self.clock)


async def ask(
    http: httpx.AsyncClient, client_id: str | None, *, path: str = "/oauth2/token", **extra: Any
) -> httpx.Response:
    """Send the request of a client that authenticates by its certificate: for a token, or to another endpoint."""
    form = {"grant_type": "client_credentials", **({"client_id": client_id} if client_id else {})}
    headers = extra.pop("headers", {})
    return await http.post(path, data={**form, **extra}, headers=headers)


async def token_of(http: httpx.AsyncClient, client_id: str, **extra: Any) -> str:
    reply = await ask(http, client_id, **extra)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["access_token"])


async def me(http: httpx.AsyncClient, token: str, scheme: str = "Bearer", **headers: str) -> httpx.Response:
    """Ask the service who one is; a request that runs a statement of the database as any other."""
    return await http.get("/v1/me", headers={"Authorization": f"{scheme} {token}", **headers})


@contextmanager
def running(app: FastAPI, settings: Settings, listening: socket.socket) -> Iterator[None]:
    """Serve from a thread of its own, with the loop and protocol that `rujukan serve` has."""
    server = uvicorn.Server(configure(app, grace=1, tls=tls_context(settings)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.02)
    yield
    server.should_exit = True
    thread.join(20)


@asynccontextmanager
async def own_tls(exchange: Any, addresses: Addresses, folder: Path, **changed: Any) -> AsyncIterator[Site]:
    """TLS ends in the service; `changed` are settings that differ from the test run's."""
    ca = Authority.make()
    certificate, key = ca.issue("CN=localhost", names=san("localhost"), purposes=SERVER).write(folder, "server")
    authorities = folder / "ca.crt"
    authorities.write_bytes(ca.issued.pem)
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"https://localhost:{listening.getsockname()[1]}"
    settings = exchange.settings.model_copy(
        update={
            "public_url": url,
            "tls_certificate": certificate,
            "tls_key": key,
            "tls_client_ca": authorities,
            "database_pool_size": 3,
            **changed,
        }
    )
    app = create_app(settings, clock=exchange.clock, where=addresses)
    conn = await asyncpg.connect(addresses.admin)
    with running(app, settings, listening):
        yield Site(url, url, app, exchange.clock, ca, conn, folder)
    await conn.close()


@asynccontextmanager
async def behind_proxy(exchange: Any, addresses: Addresses, folder: Path) -> AsyncIterator[Site]:
    """TLS ends in a proxy, which says in `Client-Cert` who the caller is."""
    ca = Authority.make()
    authorities = folder / "ca.crt"
    authorities.write_bytes(ca.issued.pem)
    server = ca.issue("CN=localhost", names=san("localhost"), purposes=SERVER).write(folder, "server")
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    proxy = TlsProxy(server, port)
    url = await proxy.start()
    settings = exchange.settings.model_copy(
        update={
            "public_url": url,
            "tls_client_ca": authorities,
            "trusted_proxies": f"{PROXY}, 10.255.0.0/24",
            "database_pool_size": 3,
        }
    )
    app = create_app(settings, clock=exchange.clock, where=addresses)
    conn = await asyncpg.connect(addresses.admin)
    with running(app, settings, listening):
        yield Site(url, f"http://127.0.0.1:{port}", app, exchange.clock, ca, conn, folder, proxy=proxy)
    await proxy.stop()
    await conn.close()


class TlsProxy:
    """Ends TLS, strips `Client-Cert` and `Client-Cert-Chain` from what it gets, and sets its own (RFC 9440 §2).

    nginx takes any client certificate with `ssl_verify_client optional_no_ca`; Python's ssl must be told of each.
    """

    def __init__(self, certificate: tuple[Path, Path], port: int) -> None:
        self._port = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._context.verify_mode = ssl.CERT_OPTIONAL
        self._context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        return f"https://localhost:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def let_through(self, certificate: Issued) -> None:
        self._context.load_verify_locations(cadata=certificate.pem.decode())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one request on and its answer back."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
            kept = [line for line in lines if not line.lower().startswith((b"client-cert", b"connection:"))]
            length = next((int(line[15:]) for line in kept if line.lower().startswith(b"content-length:")), 0)
            body = await reader.readexactly(length)
            handshake = writer.get_extra_info("ssl_object")
            if (der := handshake.getpeercert(binary_form=True)) is not None:
                sent = [each.public_bytes() for each in handshake._sslobj.get_unverified_chain()]
                chain = tuple(x509_of(each) for each in sent[1:])
                issued = Issued(x509_of(ssl.DER_cert_to_PEM_cert(der)), None, chain)
                kept.append(b"Client-Cert: " + issued.field.encode())
                if chain:
                    kept.append(b"Client-Cert-Chain: " + issued.chain_field.encode())
            inside, outside = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(PROXY, 0))
            outside.write(b"\r\n".join([first, *kept, b"Connection: close", b"", b""]) + body)
            writer.write(await inside.read())
            await writer.drain()
            outside.close()
        except (OSError, asyncio.IncompleteReadError):
            pass  # who went away needs no answer
        finally:
            writer.close()


def x509_of(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())

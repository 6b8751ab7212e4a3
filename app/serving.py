"""How uvicorn serves the exchange: one way to take the port, one set of options, a bound and a certificate it does not have."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.foundation.settings import Settings

MAX_HEAD: Final = 65_536
"""Bytes of a request line and its headers, about: what comes in one read is looked at as a whole."""
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which by itself would keep headers without end, from a caller it does not know yet."""

    _head: int | None = None

    def data_received(self, data: bytes) -> None:
        """Read, and end the connection if a head has become too large without being complete."""
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > MAX_HEAD and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        """Count from here."""
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Count no more: a body has its own bound."""
        self._head = None
        super().on_headers_complete()


class TlsProtocol(BoundedProtocol):
    """The same where TLS ends here: the handshake's client certificate is put where ASGI's TLS extension has it."""

    _tls: dict[str, Any] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read the certificate once a connection: there is no renegotiation and no post-handshake authentication."""
        super().connection_made(transport)
        handshake: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if handshake is not None and handshake.getpeercert(binary_form=True) is not None:
            self._tls = {"client_cert_chain": [ssl.DER_cert_to_PEM_cert(each) for each in _chain(handshake)]}

    def on_message_begin(self) -> None:
        """Begin a request with it."""
        super().on_message_begin()
        if self._tls is not None:
            self.scope["extensions"] = {"tls": self._tls}  # type: ignore[dict-item]


def _chain(handshake: ssl.SSLObject) -> list[bytes]:
    """Return what the caller sent, its own certificate first. Before Python 3.13 `ssl` keeps the others to itself."""
    if hasattr(handshake, "get_unverified_chain"):
        return list(handshake.get_unverified_chain())
    found = handshake._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in found]


_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
"""Of TLS 1.2 what BCP 195 recommends (RFC 9325 §4.2); TLS 1.3 has no others."""


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Return how TLS ends here, if it does; a client certificate is asked for, not demanded. Raises `OSError` for a file that is not one.

    No sessions are resumed: what a resumed one says of the caller was checked at another time, and its chain is not kept.
    """
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    if settings.tls_client_ca is not None and not settings.behind_proxy:
        context.load_verify_locations(settings.tls_client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= (
            ssl.VERIFY_X509_PARTIAL_CHAIN
        )  # an intermediate authority may be trusted without its root
    return context


def configure(service: FastAPI, *, grace: int, tls: ssl.SSLContext | None = None) -> uvicorn.Config:
    """Return the options; `grace` is how many seconds requests in flight are given when the process ends."""
    return uvicorn.Config(
        service,
        loop="uvloop",
        http=BoundedProtocol if tls is None else TlsProtocol,
        ssl_context_factory=None if tls is None else lambda *_: tls,
        proxy_headers=False,  # who a peer is, is what trusted proxies are told by: never a header's to say
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=grace,
    )


def listen(settings: Settings) -> socket.socket:
    """Take the port or socket before anything is started; who calls early waits until everything is ready. Raises `OSError`."""
    if settings.socket is not None:
        return _listen_on(settings.socket)
    made = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((settings.host, settings.port))
        made.listen(2048)
    except OSError:
        made.close()
        raise
    return made


def _listen_on(path: Path) -> socket.socket:
    """Take a unix socket for the owner and group of this process; one that nobody answers at any more is replaced."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(ConnectionRefusedError, FileNotFoundError):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
                other.connect(str(path))
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        if path.is_socket():
            path.unlink()
        before = os.umask(0o117)
        try:
            made.bind(str(path))
        finally:
            os.umask(before)
        made.listen(2048)
    except OSError:
        made.close()
        raise
    return made

"""How uvicorn serves the exchange: one way to take the port, one set of options, and a bound it does not have."""

from __future__ import annotations

import socket
from typing import Final

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


def configure(service: FastAPI, *, grace: int) -> uvicorn.Config:
    """Return the options; `grace` is how many seconds requests in flight are given when the process ends."""
    return uvicorn.Config(
        service,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=grace,
    )


def listen(settings: Settings) -> socket.socket:
    """Take the port before anything is started; who calls early waits until everything is ready. Raises `OSError`."""
    made = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((settings.host, settings.port))
        made.listen(2048)
    except OSError:
        made.close()
        raise
    return made


def reachable(host: str) -> str:
    """Return `host` as a caller on this machine writes it in a URL."""
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 -- compared, not listened on
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host

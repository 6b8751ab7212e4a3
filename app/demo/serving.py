"""The real service in this process: uvicorn on a socket that is already ours."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from app import serving as port
from app.demo.systems import DemoError
from app.foundation.logs import Discreet
from app.foundation.settings import Settings

GRACE = 3
"""Seconds that requests in flight are given to end."""


class _Server(uvicorn.Server):
    """Leaves signals to who started it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def listen(settings: Settings) -> socket.socket:
    """Take the port. Raises `DemoError` if somebody has it."""
    try:
        return port.listen(settings)
    except OSError as error:
        raise DemoError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}\n"
            "  Is another `rujukan demo` or `rujukan serve` running? Choose another port with RUJUKAN_PORT."
        ) from None


def log_to(path: Path) -> None:
    """Send the server's log to a file of its own: the terminal is for the cases."""
    handler = logging.StreamHandler(os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a"))
    handler.setFormatter(Discreet("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("rujukan", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)


@asynccontextmanager
async def served(service: FastAPI, listening: socket.socket) -> AsyncIterator[None]:
    """Serve for the block. Raises `DemoError` if the service does not start."""
    server = _Server(port.configure(service, grace=GRACE))
    task = asyncio.create_task(server.serve(sockets=[listening]), name="server")
    try:
        while not server.started:
            if task.done():
                raise DemoError("the service did not start; its log says why")
            await asyncio.sleep(0.02)
        yield
    finally:
        server.should_exit = True
        await task

"""Real HTTPS receivers of webhooks on this machine: they answer, fail, hang, drip, redirect, say too much, vanish and come back."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.makers.certificates import SERVER, Authority, san

NAME: Final = "localhost"


@dataclass(frozen=True)
class Reply:
    """What a receiver answers to one message."""

    status: int = 204
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    """Seconds before it."""
    drip: float = 0
    """Seconds between one byte of the body and the next."""
    close: bool = False
    raw: bytes | None = None
    """What is sent instead, before the connection is closed; empty: nothing at all."""


HANG: Final = Reply(delay=60)


@dataclass
class Got:
    """A message as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    """By the loop's clock."""

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def position(self) -> int:
        return int(self.document["data"]["position"])

    def is_signed_by(self, public_key: str) -> bool:
        """As the text of Standard Webhooks has it: any of the signatures over id, timestamp and body."""
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        for each in self.headers["webhook-signature"].split():
            version, _, signature = each.partition(",")
            with suppress(Exception):
                assert version == "v1a"
                key.verify(base64.b64decode(signature), signed)
                return True
        return False


@dataclass
class Receiver:
    """One of them: what it was sent, and what it answers (the first reply first, the last one from then on)."""

    folder: Path
    context: ssl.SSLContext | None
    port: int = 0
    got: list[Got] = field(default_factory=list)
    connections: int = 0
    replies: list[Reply] = field(default_factory=lambda: [Reply()])
    stalls: bool = False
    """Whether it takes connections and does not even begin TLS."""
    most_at_once: int = 0
    _at_once: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}/hook"

    @property
    def open(self) -> int:
        """How many connections it has now."""
        return len(self._open)

    def answers(self, *replies: Reply) -> None:
        self.replies = list(replies)

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.got]

    @property
    def positions(self) -> list[int]:
        return [each.position for each in self.got]

    async def has_got(self, count: int, within: float = 10) -> list[Got]:
        """Wait until so many messages have come."""
        async with asyncio.timeout(within):
            while len(self.got) < count:
                self._news.clear()
                await self._news.wait()
        return self.got

    async def start(self) -> None:
        """Listen, on the same port as before."""
        context = None if self.stalls else self.context
        serve = self._stall if self.stalls else self._serve
        self._server = await asyncio.start_server(serve, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and drop every connection at once."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.transport.abort()
            self._server = None
        await asyncio.sleep(0)

    async def _stall(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        self._news.set()
        with suppress(OSError):
            await reader.read()
        self._open.discard(writer)
        writer.close()

    async def is_connected_to(self, count: int, within: float = 10) -> None:
        """Wait until there have been so many connections."""
        async with asyncio.timeout(within):
            while self.connections < count:
                self._news.clear()
                await self._news.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # who went away needs no answer
        finally:
            self._open.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        assert first.startswith("POST "), first
        self.got.append(Got(first.split()[1], headers, body, asyncio.get_running_loop().time()))
        self._news.set()
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(reply.delay)
        finally:
            self._at_once -= 1
        if reply.raw is not None:
            writer.write(reply.raw)
            await writer.drain()
            return False
        said = [f"HTTP/1.1 {reply.status} Said", f"Content-Length: {len(reply.body)}"]
        said += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write("\r\n".join([*said, "", ""]).encode())
        for number in range(len(reply.body) if reply.drip else 0):
            writer.write(reply.body[number : number + 1])
            await writer.drain()
            await asyncio.sleep(reply.drip)
        if not reply.drip:
            writer.write(reply.body)
        await writer.drain()
        return not reply.close


@dataclass
class Receivers:
    """Makes them, all with certificates of one authority."""

    folder: Path
    authority: Authority = field(default_factory=Authority.make)
    made: list[Receiver] = field(default_factory=list)
    _context: ssl.SSLContext | None = None

    @property
    def ca(self) -> Path:
        return self.folder / "receivers-ca.crt"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that let them be sent to."""
        return {"outbound_networks": "127.0.0.0/8", "outbound_ca": self.ca}

    def certify(self, *names: str) -> ssl.SSLContext:
        """A server's side of TLS, with a certificate for a name."""
        self.ca.write_bytes(self.authority.issued.pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued = self.authority.issue(
            f"CN={names[0]}", names=[each for name in names for each in san(name)], purposes=SERVER
        )
        context.load_cert_chain(*issued.write(self.folder, f"receiver-{names[0]}"))
        return context

    async def open(self, *replies: Reply, stalls: bool = False, names: tuple[str, ...] = (NAME,)) -> Receiver:
        """A receiver that listens."""
        if self._context is None or names != (NAME,):
            self._context = self.certify(*names)
        receiver = Receiver(self.folder, self._context, stalls=stalls)
        if replies:
            receiver.answers(*replies)
        await receiver.start()
        self.made.append(receiver)
        return receiver


@asynccontextmanager
async def receiving(folder: Path) -> AsyncIterator[Receivers]:
    """Make receivers, and stop all of them in the end."""
    made = Receivers(folder)
    try:
        yield made
    finally:
        for each in made.made:
            await each.stop()

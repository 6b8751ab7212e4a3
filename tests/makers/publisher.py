"""An HTTPS server on this machine that answers whatever a test wants, and counts who asks: where clients publish their keys."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.makers.certificates import SERVER, Authority, san


@dataclass
class Publisher:
    """What it answers, and what it was asked."""

    ca: Path
    port: int = 0
    reply: bytes = b""
    pause: float = 0
    """Seconds between one byte and the next; 0: everything at once."""
    delay: float = 0
    """Seconds before the answer."""
    asked: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    """What TLS was asked for (SNI)."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/jwks.json"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that let it be asked."""
        return {"outbound_networks": "127.0.0.0/8", "outbound_ca": self.ca}

    def says(
        self, body: bytes | str, *, status: str = "200 OK", kind: str = "application/json", **headers: str
    ) -> None:
        """Answer with this body."""
        content = body if isinstance(body, bytes) else body.encode()
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(content)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.reply = "\r\n".join([*lines, "", ""]).encode() + content

    def publishes(self, *jwks: dict[str, Any]) -> None:
        """Answer with a JWK Set."""
        self.says(json.dumps({"keys": list(jwks)}), kind="application/jwk-set+json")

    async def is_asked(self, times: int) -> None:
        """Wait until it was asked so often."""
        while len(self.asked) < times:
            self._news.clear()
            await self._news.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            self._news.set()
            await asyncio.sleep(self.delay)
            if not self.pause:
                writer.write(self.reply)
            for number in range(len(self.reply) if self.pause else 0):
                writer.write(self.reply[number : number + 1])
                await writer.drain()
                await asyncio.sleep(self.pause)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # who went away needs no answer
        finally:
            writer.close()


@asynccontextmanager
async def publishing(folder: Path, *, name: str = "localhost") -> AsyncIterator[Publisher]:
    """Serve on a port of 127.0.0.1, with a certificate for `name` of an authority of its own."""
    authority = Authority.make()
    ca = folder / "outbound-ca.crt"
    ca.write_bytes(authority.issued.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(f"CN={name}", names=san(name), purposes=SERVER).write(folder, "publisher"))
    made = Publisher(ca)
    context.sni_callback = lambda _, asked_for, __: made.names.append(asked_for)
    server = await asyncio.start_server(made._serve, "127.0.0.1", 0, ssl=context)
    made.port = server.sockets[0].getsockname()[1]
    made.publishes()
    try:
        yield made
    finally:
        server.close()

"""POST to addresses that others have named, under the rules of `outbound`, over connections that are kept for a while.

A connection is made as `outbound.fetch` makes its own: the name is resolved once, every address it has is looked at, and one of those is
connected to, with TLS for the name. Connections are kept by name and port and never by address, so that what was verified for one name is
not used for another; a new one looks at the addresses again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpcore

from app.foundation.outbound import ADDRESSES_TRIED, OutboundError, Target, check_url, resolve, root_of, trust
from app.foundation.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE: Final = 15.0
"""Seconds for everything: resolving, connecting, sending, the answer."""
BODY_PATIENCE: Final = 2.0
"""Of these, seconds that the body of an answer may take. Its status is known by then, and is what counts."""
CONNECT_PATIENCE: Final = 5.0
READ: Final = 16_384
"""Bytes of an answer that are read at most; the connection is closed where there are more."""
KEPT: Final = 500
MOST_READ: Final = 262_144
"""Bytes that are read at most in answer to one request, whatever they are: `1xx` answers without end are none of the answer's body."""
KEEP_ALIVE: Final = 30.0
"""Seconds that a connection is kept unused."""
MOST_NAMES: Final = 200
"""Names and ports to which connections are kept."""
RENEW: Final = 300.0
"""Seconds after which connections are made anew though they are in use: a name may have moved."""

_connects: ContextVar[list[str]] = ContextVar("connects")
"""The connections that the present request has made, by host."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered."""

    status: int
    retry_after: str | None
    body: bytes = field(repr=False)
    """Its first bytes, at most `KEPT`."""


class _Stream(httpcore.AsyncNetworkStream):
    """A connection before TLS. It is closed where TLS does not come about, also by a time limit: httpcore would leave it open then."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's interface
    ) -> httpcore.AsyncNetworkStream:
        """Begin TLS, or close the connection."""
        try:
            return _Tls(await self._stream.start_tls(ssl_context, server_hostname, timeout))
        except BaseException:
            await self._stream.aclose()
            raise

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()


class _Tls(httpcore.AsyncNetworkStream):
    """A connection with TLS, of which so much is read at most between one request and the next."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._read = 0

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's interface
    ) -> bytes:
        """Read some, unless that was too much already."""
        if self._read > MOST_READ:
            raise httpcore.ReadError
        found = await self._stream.read(max_bytes, timeout)
        self._read += len(found)
        return found

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's interface
    ) -> None:
        """Send some; what comes in answer is counted anew."""
        self._read = 0
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        """Tell of it what the one underneath tells."""
        return self._stream.get_extra_info(info)


class _Checked(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that may be connected to, and to nothing else."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, look at every address, and connect to one of them."""
        _connects.get().append(host)
        addresses = (await resolve(Target(host, port, "/"), self._settings))[:ADDRESSES_TRIED]
        for address in addresses[:-1]:
            try:
                return _Stream(await self._network.connect_tcp(str(address), port, timeout=timeout))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return _Stream(await self._network.connect_tcp(str(addresses[-1]), port, timeout=timeout))

    async def sleep(self, seconds: float) -> None:
        """Wait, between attempts that are never made: the interface asks for it."""
        await self._network.sleep(seconds)


class _Pool:
    """Connections to one name and port, of one time."""

    def __init__(self, settings: Settings, made_at: float) -> None:
        self.made_at = made_at
        self.used_at = made_at
        self.in_use = 0
        self.kept = True
        self.http = httpcore.AsyncConnectionPool(
            ssl_context=trust(settings.outbound_ca),
            max_connections=None,
            max_keepalive_connections=settings.webhooks_at_once_each,
            keepalive_expiry=KEEP_ALIVE,
            network_backend=_Checked(settings),
        )


class Poster:
    """Sends, and keeps its connections. `close` it after use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pools: dict[tuple[str, int], _Pool] = {}
        """A pool each, since httpcore's looks at all it has for each request; the one that was used last stands last."""
        self._closing: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Close every connection."""
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await pool.http.aclose()
        await asyncio.gather(*self._closing)

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST `body` and return what is answered, whatever its status. Raises `OutboundError` where no answer comes in time."""
        target = check_url(url, self._settings)
        head: list[Answer] = []
        kept = bytearray()
        _connects.set([])
        try:
            async with asyncio.timeout(PATIENCE - BODY_PATIENCE) as limit:
                await self._post(target, headers, body, head, kept, limit)
        except (TimeoutError, httpcore.TimeoutException):
            if not head:
                raise OutboundError("timeout") from None
        except httpcore.ConnectError as error:
            raise OutboundError("tls" if isinstance(root_of(error), ssl.SSLError) else "unreachable") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError, EOFError):
            if not head:
                raise OutboundError("protocol") from None
        return Answer(head[0].status, head[0].retry_after, bytes(kept))

    async def _post(
        self,
        target: Target,
        headers: Mapping[str, str],
        body: bytes,
        head: list[Answer],
        kept: bytearray,
        limit: asyncio.Timeout,
    ) -> None:
        while True:
            try:
                return await self._once(target, headers, body, head, kept, limit)
            except (httpcore.NetworkError, httpcore.ProtocolError):
                # the other side has let go of a connection that was kept: that is no fault of theirs, and ours to try with the next, down to
                # one that is new. (What failed is kept no longer, so that comes to an end.)
                if head or _connects.get():
                    raise

    async def _once(
        self,
        target: Target,
        headers: Mapping[str, str],
        body: bytes,
        head: list[Answer],
        kept: bytearray,
        limit: asyncio.Timeout,
    ) -> None:
        async with (
            self._connections(target) as http,
            http.stream(
                "POST",
                httpcore.URL(scheme="https", host=target.host, port=target.port, target=target.path),
                headers=[
                    ("Host", target.authority),
                    ("User-Agent", "rujukan"),
                    ("Accept", "*/*"),
                    ("Accept-Encoding", "identity"),
                    ("Content-Length", str(len(body))),
                    *headers.items(),
                ],
                content=body,
                extensions={"timeout": {"connect": CONNECT_PATIENCE}},
            ) as response,
        ):
            asked = next((value for name, value in response.headers if name.lower() == b"retry-after"), None)
            head.append(Answer(response.status, None if asked is None else asked.decode("latin-1"), b""))
            limit.reschedule(asyncio.get_running_loop().time() + BODY_PATIENCE)
            read = 0
            async for chunk in response.aiter_stream():
                kept += chunk[: KEPT - len(kept)]
                read += len(chunk)
                if read > READ:
                    return

    @asynccontextmanager
    async def _connections(self, target: Target) -> AsyncIterator[httpcore.AsyncConnectionPool]:
        now = asyncio.get_running_loop().time()
        key = (target.host, target.port)
        pool = self._pools.pop(key, None)
        if pool is not None and now - pool.made_at > RENEW:
            self._let_go(pool)
            pool = None
        pool = self._pools[key] = pool or _Pool(self._settings, now)
        pool.used_at = now
        pool.in_use += 1
        for other, oldest in list(self._pools.items()):
            if now - oldest.used_at < KEEP_ALIVE and len(self._pools) <= MOST_NAMES:
                break
            if not oldest.in_use:
                self._let_go(self._pools.pop(other))
        try:
            yield pool.http
        finally:
            pool.in_use -= 1
            if not pool.kept and not pool.in_use:
                self._let_go(pool)

    def _let_go(self, pool: _Pool) -> None:
        """Close its connections, as soon as none is in use."""
        pool.kept = False
        if pool.in_use:
            return
        task = asyncio.create_task(pool.http.aclose(), name="close old connections")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

"""Asking clamd about a file, in a thread, as it is read and decrypted: neither the file nor more than a few chunks of it is ever held."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from typing import Final

from clamav_client.clamd import BufferTooLongError, ClamdError, ClamdNetworkSocket, ClamdUnixSocket

SECONDS: Final = 60
"""How long clamd may be silent."""
_SIGNATURE: Final = re.compile(r"[A-Za-z0-9._/+-]{1,100}")


class ScanFailed(Exception):
    """No answer, or none that says yes or no; `why` is a code. The file stays unscanned."""


async def scan(clamd: str, parts: AsyncIterator[bytes]) -> str | None:
    """Return the name of what clamd found, or None if the file is clean. Raises `ScanFailed`, and whatever reading `parts` raises."""
    loop = asyncio.get_running_loop()
    body = _Body(parts, loop)
    try:
        found = await asyncio.to_thread(_client(clamd).instream, body)  # type: ignore[arg-type]  # it only reads
    except BufferTooLongError:
        raise ScanFailed("larger_than_clamd_takes") from None
    except (ClamdError, OSError, UnicodeError) as error:
        if body.failed is not None:
            raise body.failed from None
        raise ScanFailed(type(error).__name__) from None
    status, name = next(iter(found.values()), ("", None))
    if body.failed is not None:
        raise body.failed
    if status == "FOUND":
        return name if name is not None and _SIGNATURE.fullmatch(name) else "unnamed"
    if status != "OK":
        raise ScanFailed("no_verdict")
    return None


def _client(clamd: str) -> ClamdNetworkSocket:
    if clamd.startswith("/"):
        return ClamdUnixSocket(clamd, timeout=SECONDS)
    host, _, port = clamd.rpartition(":")
    return ClamdNetworkSocket(host, int(port), timeout=SECONDS)


class _Body(io.RawIOBase):
    """What the client reads in its thread, fetched in the loop. An error of the fetching is kept for the loop."""

    def __init__(self, parts: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._parts, self._loop = parts, loop
        self._held = b""
        self.failed: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes: a chunk at a time, whatever the client asks for. Each is far below clamd's limit of one message."""
        found: bytes | None = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
        if found is None and self.failed is not None:
            raise OSError("the file cannot be read")
        return found or b""

    async def _next(self) -> bytes | None:
        try:
            return await anext(self._parts, None)
        except Exception as error:
            self.failed = error
            return None

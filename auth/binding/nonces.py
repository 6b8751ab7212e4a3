"""DPoP nonces (RFC 9449 §8 and §9): stateless, the same in every process, one a minute, three valid at once.

A nonce is a keyed hash of the minute it belongs to, so nothing is stored, nobody without the keyring can say a coming one, and a
proof made ahead of time is of no use. It is the same for all callers: it says when a proof was made, not by whom.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.foundation.keyring import Keyring

STEP: Final = 60
"""Seconds until the next nonce. One counts for its own minute, and for those before and after: clocks differ, requests take time."""


class Nonces:
    """The nonces of one exchange."""

    def __init__(self, keyring: Keyring) -> None:
        @lru_cache(maxsize=8)
        def of(step: int) -> str:
            digest = keyring.keyed_hash("dpop nonce", step.to_bytes(8, "big"))
            return urlsafe_b64encode(digest[:18]).decode("ascii")

        self._of = of

    def current(self, now: datetime) -> str:
        """Return the nonce to hand out."""
        return self._of(int(now.timestamp()) // STEP)

    def accept(self, nonce: object, now: datetime) -> bool:
        """Whether a proof may carry this nonce: that of this minute, of the one before or, from a faster clock, of the next."""
        if not isinstance(nonce, str):
            return False
        given = nonce.encode("utf-8", "surrogatepass")
        step = int(now.timestamp()) // STEP
        return any(hmac.compare_digest(given, self._of(each).encode()) for each in (step, step - 1, step + 1))


class NonceHeader:
    """ASGI layer, outermost where nonces are on: every answer brings the nonce to use next (§8.2), unless caches may keep it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_nonce(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: list[tuple[bytes, bytes]] = message["headers"]
                if any(name.lower() == b"cache-control" and b"no-store" in value for name, value in headers):
                    headers.append((b"dpop-nonce", _current(scope["app"].state)))
            await send(message)

        await self.app(scope, receive, send_with_nonce)


def _current(state: Any) -> bytes:
    nonces: Nonces = state.nonces
    return nonces.current(state.clock.now()).encode()

"""The ASGI layer of limits: where a request comes from, said once; and its place given back when it has ended, however it ended."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from app.foundation.settings import Settings
from auth.address import FROM, Addresses
from auth.limits.limits import HELD


class Admission:
    """Stands before whatever asks for the address or takes a place."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.addresses = Addresses(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope[FROM] = self.addresses.of(scope)
        try:
            await self.app(scope, receive, send)
        finally:
            if HELD in scope:
                scope["app"].state.limits.leave(scope)

"""A path is written in one way, so that a rule by path in a proxy means the same behind it."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.foundation.problems import NotFound

_ESCAPED: Final = re.compile(rb"%(?:2f|5c)", re.IGNORECASE)


class PlainPaths:
    """ASGI layer that knows no path with an escaped slash or backslash.

    The router would read `/admin%2Fv1` as `/admin/v1`; to a proxy that keeps `/admin/` to itself it is something else
    (RFC 3986 §2.2: an escaped delimiter is data). No id of ours holds one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and _ESCAPED.search(scope.get("raw_path") or b""):
            await NotFound().response(Request(scope))(scope, receive, send)
            return
        await self.app(scope, receive, send)

"""Public documents that change only with a release: answered with an `ETag`, and 304 to who has them."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import orjson
from fastapi import Request
from starlette.responses import Response

MAX_AGE: Final = timedelta(minutes=5)


def cacheable(
    request: Request,
    document: Mapping[str, Any] | bytes,
    *,
    media_type: str = "application/json",
    max_age: timedelta = MAX_AGE,
    headers: Mapping[str, str] | None = None,
    compressed: bytes | None = None,
) -> Response:
    """Render a public document with an `ETag`, or 304 if the caller has it (RFC 9110 §13.1.2); `compressed` to whoever takes gzip."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**(headers or {}), "Cache-Control": f"public, max-age={int(max_age.total_seconds())}"}
    if compressed is not None:
        headers["Vary"] = "Accept-Encoding"
        if _takes_gzip(request):
            headers["Content-Encoding"] = "gzip"
            body, tag = compressed, f'{tag[:-1]}-gzip"'  # another representation (RFC 9110 §8.8.3.3)
    headers["ETag"] = tag
    known = [given.strip().removeprefix("W/") for given in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


async def made_once(request: Request, key: str, make: Callable[[], Mapping[str, Any]]) -> Response:
    """Publish what `make` returns. It is made when it is first asked for, in a thread: nobody else should wait for the seconds it takes."""

    def written() -> tuple[bytes, bytes]:
        document = orjson.dumps(make())
        return document, gzip.compress(document, mtime=0)

    state = request.app.state
    if not hasattr(state, key):
        setattr(state, key, await asyncio.to_thread(written))
    plain, compressed = getattr(state, key)
    return cacheable(request, plain, compressed=compressed)


def _takes_gzip(request: Request) -> bool:
    """Whether `Accept-Encoding` names gzip, and not with a weight of nothing (RFC 9110 §12.5.3)."""
    for given in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, weight = given.replace(" ", "").partition(";q=")
        if name == "gzip":
            return weight.strip("0.") != "" or weight == ""
    return False

"""Public documents that change only with a release: answered with an `ETag`, and 304 to who has them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
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
) -> Response:
    """Render a public document with an `ETag`, or 304 if the caller has it (RFC 9110 §13.1.2)."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**(headers or {}), "Cache-Control": f"public, max-age={int(max_age.total_seconds())}", "ETag": tag}
    known = [given.strip().removeprefix("W/") for given in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)

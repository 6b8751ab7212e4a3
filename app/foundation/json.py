"""JSON as the exchange writes it."""

from __future__ import annotations

from typing import Any

import orjson


def dumps(document: Any) -> bytes:
    """Write a document: times in UTC with `Z`; the driver's own UUID class as any other."""
    return orjson.dumps(document, default=str, option=orjson.OPT_UTC_Z)


def text(document: Any) -> str:
    """Write a document as text, for a `jsonb` parameter."""
    return dumps(document).decode()

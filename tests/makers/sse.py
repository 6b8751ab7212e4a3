"""A reader of Server-Sent Events, by the rules of WHATWG HTML, "Interpreting an event stream"."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass
class Dispatched:
    """One event as an `EventSource` gives it."""

    id: str
    type: str
    data: Any


class Reader:
    """Reads a stream, and remembers what a browser would: the last id and when to come again."""

    def __init__(self) -> None:
        self.last_id = ""
        self.retry: int | None = None
        self.comments = 0

    async def read(self, reply: httpx.Response) -> AsyncIterator[Dispatched]:
        """Yield events as they are dispatched."""
        data: list[str] = []
        type, last_id = "", self.last_id
        async for line in reply.aiter_lines():
            if not line:
                self.last_id = last_id
                if data:
                    yield Dispatched(last_id, type or "message", json.loads("\n".join(data)))
                data, type = [], ""
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not name:
                self.comments += 1
            elif name == "data":
                data.append(value)
            elif name == "event":
                type = value
            elif name == "id":
                last_id = value
            elif name == "retry":
                self.retry = int(value)

"""Makes the lines of imports, and reads those of exports."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.makers import records
from tests.makers.world import Agency, World

NDJSON = {"Content-Type": "application/x-ndjson"}


def line(key: str, receiver: str = "iom", **more: Any) -> bytes:
    """A line as a system writes it."""
    return json.dumps({"key": key, **records.referral(receiver, **more)}).encode()


def lines(count: int, prefix: str = "case", **more: Any) -> bytes:
    """So many right lines."""
    return b"".join(line(f"{prefix}-{number}", **more) + b"\n" for number in range(count))


async def send(
    who: Agency, content: Any, key: str = "import-1", path: str = "/v1/imports", **options: Any
) -> httpx.Response:
    """Upload lines."""
    headers = {**NDJSON, **options.pop("headers", {})}
    return await who.client.post(
        path, content=content, actor=who.actor, idempotency_key=key, headers=headers, **options
    )


async def imported(world: World, who: Agency, content: bytes, key: str = "import-1") -> dict[str, Any]:
    """Upload lines, have them handled, and return the import as it is then."""
    reply = await send(who, content, key)
    assert reply.status_code == 201, reply.text
    await handle(world)
    found: dict[str, Any] = (await who.get(f"/v1/imports/{reply.json()['id']}")).json()
    return found


async def handle(world: World) -> None:
    """What the worker does until it finds nothing."""
    while await world.exchange.worker.run_imports():
        pass


async def results(who: Agency, import_id: str, query: str = "?limit=1000") -> list[dict[str, Any]]:
    """What became of the lines."""
    reply = await who.get(f"/v1/imports/{import_id}/results{query}")
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["items"]
    return found


async def exported(who: Agency, query: str = "", **options: Any) -> list[dict[str, Any]]:
    """Every line of an export."""
    reply = await who.get(f"/v1/exports{query}", **options)
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(each) for each in reply.content.splitlines()]

"""Webhooks by a job queue, `procrastinate`, as its documentation shows: one job a message; a worker signs it and posts it by httpx.

The signature is that of Standard Webhooks, Ed25519. No address is looked at, nothing is kept sealed, and of an answer only the status counts.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import time
from typing import Any

import httpx
import procrastinate
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

queue = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=os.environ.get("PEER_DATABASE_URL", "postgresql://"))
)
key = Ed25519PrivateKey.generate()


class Client:
    """The one client of the process; it keeps connections."""

    http: httpx.AsyncClient


@queue.task(name="send", retry=procrastinate.RetryStrategy(max_attempts=20, exponential_wait=5))
async def send(url: str, id: str, message: dict[str, Any]) -> None:
    body, timestamp = json.dumps(message).encode(), str(int(time.time()))
    signature = key.sign(f"{id}.{timestamp}.".encode() + body)
    answer = await Client.http.post(
        url,
        content=body,
        headers={
            "Content-Type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1a,{base64.b64encode(signature).decode()}",
        },
    )
    answer.raise_for_status()


async def main() -> None:
    trust = ssl.create_default_context(cafile=os.environ["PEER_CA"])
    async with httpx.AsyncClient(verify=trust, timeout=15) as Client.http, queue.open_async():
        await queue.run_worker_async(concurrency=int(os.environ["PEER_CONCURRENCY"]))


def run() -> None:
    asyncio.run(main())

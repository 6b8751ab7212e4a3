"""Whoever waits for events."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

WITHIN = 20
"""Seconds within which a request has begun to wait, also on a machine with much else to do."""


async def begun_to_wait(app: FastAPI, count: int = 1) -> None:
    """Wait until so many wait for events in this process."""
    async with asyncio.timeout(WITHIN):
        while app.state.listener.waiting < count:  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0.01)

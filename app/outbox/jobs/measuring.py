"""What waits, measured by the worker now and then; whoever scrapes asks the database nothing."""

from __future__ import annotations

import logging
from datetime import datetime

from app.foundation import metrics
from app.foundation.database import GONE, Connection
from app.outbox.jobs import queries
from app.outbox.jobs.claims import PARKED_FROM

log = logging.getLogger("rujukan.metrics")
_told: set[str] = set()


async def measure(conn: Connection, now: datetime) -> None:
    """Measure every queue and what is parked. One that cannot be measured keeps no other from it."""
    for queue in queries.QUEUES:
        try:
            length, since = await queries.length(conn, queue, now)
        except GONE:
            raise
        except Exception as error:
            _unmeasured(queue.name, error)
            continue
        metrics.QUEUE.labels(queue.name).set(length)
        metrics.QUEUE_AGE.labels(queue.name).set(0 if since is None else max(0.0, (now - since).total_seconds()))
    parked = await queries.parked_by_job(conn, PARKED_FROM)
    metrics.PARKED.clear()
    for job, count in parked.items():
        metrics.PARKED.labels(job).set(count)


def _unmeasured(name: str, error: Exception) -> None:
    metrics.UNMEASURED.labels(name).inc()
    for gauge in (metrics.QUEUE, metrics.QUEUE_AGE):
        gauge.labels(name).set(float("nan"))
    if name not in _told:
        _told.add(name)
        log.warning("%s is not measured: %s", name, type(error).__name__)

"""What the process measures of itself, in Prometheus' form. Every name stands in docs/metrics.md; a test compares.

No label has a value that a caller chooses, an id, or an agency: routes, states, names of jobs and types of problems alone, which the code lists.
A measurement that fails is left out, and disturbs nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Any, Final

import asyncpg
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from starlette.routing import Route

from app.foundation.settings import Settings

log = logging.getLogger("rujukan.metrics")
disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody asks for
REGISTRY: Final = CollectorRegistry(auto_describe=False)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED: Final = "none"
"""The route of a request that no route fits."""

BUILD = Info("rujukan_build", "The version that runs.", registry=REGISTRY)
REQUESTS = Histogram(
    "rujukan_http_request_seconds",
    "Seconds from a request to the first byte of its answer, by route (its template), method and class of status.",
    ("route", "method", "status"),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
    registry=REGISTRY,
)
PROBLEMS = Counter("rujukan_problems", "Problems answered, by type.", ("type",), registry=REGISTRY)
TOKENS = Counter(
    "rujukan_tokens", "Access tokens asked for: `issued`, `refused` or `unavailable`.", ("outcome",), registry=REGISTRY
)
WAITING_FEEDS = Gauge("rujukan_waiting_feeds", "Requests that wait for an event.", registry=REGISTRY)
POOL = Gauge(
    "rujukan_database_pool_connections",
    "Connections of a pool, by role: `open`, `idle`, and `most` that it may open.",
    ("role", "state"),
    registry=REGISTRY,
)
JOB_SECONDS = Histogram(
    "rujukan_job_seconds",
    "Seconds of a run of a job, by job and outcome (`done`, `failed`, `unreachable`).",
    ("job", "outcome"),
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600),
    registry=REGISTRY,
)
JOB_FOUND = Counter("rujukan_job_found", "What runs of a job found to do.", ("job",), registry=REGISTRY)
JOB_DONE_AT = Gauge(
    "rujukan_job_last_done_timestamp_seconds", "When a job last ran to its end.", ("job",), registry=REGISTRY
)
PARKED = Gauge(
    "rujukan_parked_jobs",
    "What a job has failed at, three times or more, and not done since: somebody may wait for each.",
    ("job",),
    registry=REGISTRY,
)
QUEUE = Gauge(
    "rujukan_queue_length", "What waits in a queue; 100,000 and more are 100,000.", ("queue",), registry=REGISTRY
)
QUEUE_AGE = Gauge(
    "rujukan_queue_oldest_seconds", "How long the first in a queue waits; 0: none.", ("queue",), registry=REGISTRY
)
UNMEASURED = Counter(
    "rujukan_unmeasured", "Measurements that failed, by what they measure.", ("what",), registry=REGISTRY
)

BUILD.info({"version": version("rujukan")})
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

_requests: dict[tuple[Any, ...], Any] = {}
_plain: dict[Any, str] = {}


def know(routes: Iterable[Route]) -> None:
    """Count by their paths what Starlette routes: unlike FastAPI it does not say which route it took."""
    _plain.update({route.endpoint: route.path for route in routes})


def request_answered(scope: Mapping[str, Any], status: int, seconds: float) -> None:
    """Count an answer whose first byte goes out now."""
    with suppress(Exception):
        route, method = scope.get("route"), scope["method"]
        path = _plain.get(scope.get("endpoint")) if route is None else route.path
        key = (scope.get("root_path"), path, method, status // 100)
        child = _requests.get(key)
        if child is None:
            template = UNMATCHED if path is None else f"{key[0] or ''}{path}"
            child = REQUESTS.labels(template, method if method in _METHODS else "other", f"{status // 100}xx")
            if method in _METHODS:  # what a caller makes up is not remembered
                _requests[key] = child
        child.observe(seconds)


def problem_answered(type: str) -> None:
    """Count a problem."""
    with suppress(Exception):
        PROBLEMS.labels(type).inc()


def token_asked(outcome: str) -> None:
    """Count a request for an access token."""
    with suppress(Exception):
        TOKENS.labels(outcome).inc()


def job_ran(job: str, outcome: str, seconds: float, *, found: int = 0, at: float | None = None) -> None:
    """Count a run of a job; `at`: the time, if it ran to its end."""
    with suppress(Exception):
        JOB_SECONDS.labels(job, outcome).observe(seconds)
        if found:
            JOB_FOUND.labels(job).inc(found)
        if at is not None:
            JOB_DONE_AT.labels(job).set(at)


def _or_nothing(measure: Callable[[], float]) -> Callable[[], float]:
    def measured() -> float:
        try:
            return measure()
        except Exception:
            return float("nan")

    return measured


def watch_pool(role: str, pool: asyncpg.Pool) -> None:
    """Show a pool's connections from now on."""
    for state, measure in (("open", pool.get_size), ("idle", pool.get_idle_size), ("most", pool.get_max_size)):
        POOL.labels(role, state).set_function(_or_nothing(measure))


def forget_pool(role: str) -> None:
    """Show them no more."""
    for state in ("open", "idle", "most"):
        with suppress(KeyError):
            POOL.remove(role, state)


def watch_feeds(waiting: Callable[[], int]) -> None:
    """Show how many requests wait, as `waiting` says."""
    WAITING_FEEDS.set_function(_or_nothing(waiting))


def serve(settings: Settings) -> Callable[[], None] | None:
    """Serve what is measured at `RUJUKAN_METRICS_ADDRESS`, in a thread of its own; return what ends it. None: off, or it cannot be had."""
    if settings.metrics_address is None:
        return None
    host, port = settings.metrics_host_and_port
    try:
        server, _ = start_http_server(port, host, registry=REGISTRY)
    except OSError as error:  # the work goes on unmeasured
        log.error("metrics are not served: %s port %d: %s", host, port, error.strerror or type(error).__name__)
        return None

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop

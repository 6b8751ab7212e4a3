"""Every operation of the OpenAPI document, tried with generated requests and real tokens over real HTTP, every check on.

Requests are generated when a test runs, by the worker that runs it: at collection every worker of pytest would make them all.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from functools import cache
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test

from tests.contract.conftest import Proof, Served
from tests.contract.document import DOCUMENT, operations_of
from tests.makers.effort import ALL

load_all_checks()

SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
BUDGET = 8
"""Generated examples an operation, after those that cover each keyword of its schemas."""
ONE_IN = 1 if ALL else 12
"""Of the operations with a body, chosen by name, so that a run can be repeated. It is the making of such requests that takes the time;
`test_bad_input.py` tries every body in every run, and `tests/schemas/test_json_schema.py` holds the record's schema to its models."""
WHOLE = "provide_info_of_referral" if ALL else None
"""Where a record is covered keyword by keyword: of the operations that take one this has the least besides. It takes thousands of requests."""
SHORT = "amend_referral"
"""Where what goes with a record is covered: consents, legal bases. Of its record only the version is."""
RULES = {
    # what no schema can say (a deadline too late, a cursor of another list, a code that is no agency) is refused by rule
    "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", "400", "401", "403", "404", "409", "412", "422"]},
    # RFC 6585 §3 has a status of its own for a missing If-Match
    "missing_required_header": {"expected-statuses": ["400", "401", "403", "404", "422", "428"]},
}


def _named(part: Any) -> set[str]:
    """The schemas a part of the document refers to, those they refer to, and so on."""
    found: set[str] = set()
    waiting = [part]
    while waiting:
        match waiting.pop():
            case {"$ref": str(ref)} if (name := ref.rsplit("/", 1)[-1]) not in found:
                found.add(name)
                waiting.append(SCHEMAS[name])
            case dict(members):
                waiting += members.values()
            case list(items):
                waiting += items
    return found


def _tries() -> list[tuple[str, str | None]]:
    """Each operation with the phases it has."""
    found: list[tuple[str, str | None]] = []
    for _, _, operation in operations_of(DOCUMENT):
        name, body = operation["operationId"], operation.get("requestBody")
        if body and name not in (WHOLE, SHORT) and zlib.crc32(name.encode()) % ONE_IN:
            continue
        if name == WHOLE or "RecordInput" not in _named(body):
            found.append((name, None))
        else:
            found.append((name, "fuzzing"))
            if name == SHORT and ALL:
                found.append((name, "coverage"))
    return found


TRIES = _tries()


@cache
def _operations(only: str | None, *, short: bool) -> dict[str, Any]:
    """The operations by name, as the document has them, or as it would if a record had nothing but its version."""
    document: dict[str, Any] = json.loads(json.dumps(DOCUMENT))
    if short:
        record = document["components"]["schemas"]["RecordInput"]
        record["properties"] = {"schema_version": record["properties"]["schema_version"]}
    phases = {phase: {"enabled": only in (None, phase)} for phase in ("coverage", "fuzzing")}
    config = schemathesis.Config.from_dict({"checks": RULES, "phases": phases})
    made = [found.ok() for found in schemathesis.openapi.from_dict(document, config=config).get_all_operations()]
    return {operation.definition.raw["operationId"]: operation for operation in made}


def _waits(value: Any) -> bool:
    try:
        return 0 < float(value) <= 60
    except (TypeError, ValueError):
        return False


@settings(max_examples=BUDGET, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def _try(case: Any, served: Served, loop: asyncio.AbstractEventLoop) -> None:
    if case.path == "/v1/events" and _waits(case.query.get("wait")):
        case.query["wait"] = 0.1
    session = requests.Session()
    session.auth = Proof(served.clients["police"], loop)
    with session:
        case.call_and_validate(base_url=served.url, session=session, checks=CHECKS.get_all())


@pytest.mark.parametrize(("name", "only"), TRIES, ids=["-".join(filter(None, each)) for each in TRIES])
def test_answers_as_the_document_says(
    name: str, only: str | None, served: Served, loop: asyncio.AbstractEventLoop
) -> None:
    operation = _operations(only, short=name == SHORT and only == "coverage")[name]
    # `schema.parametrize()` calls this at collection
    attempt = build_operation_test(
        config=operation.schema.config,
        operation=operation,
        test_func=_try,
        given_kwargs={},
        feedback=FeedbackSources(),
    )
    attempt(served=served, loop=loop)

"""Every operation of `/admin/v1`, tried with generated requests and a real token over real HTTP, every check on."""

from __future__ import annotations

import asyncio
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
from tests.contract.document import ADMIN as DOCUMENT
from tests.contract.document import operations_of
from tests.contract.test_schemathesis import RULES

load_all_checks()

BUDGET = 2
"""Generated examples an operation: its bad input has tests of its own (`tests/app/admin/test_bad_input.py`)."""
LEFT_OUT = {"rotate_signing_key", "rotate_signing_key_at_once"}
"""Would end the tokens of the tests beside this one."""
BY_A_TOKEN = "ignored_auth"
"""A check that leaves out the session cookie and expects 401: but there is a token, of which it does not know."""
NAMES = sorted({operation["operationId"] for _, __, operation in operations_of(DOCUMENT)} - LEFT_OUT)


@cache
def _operations() -> dict[str, Any]:
    phases = {"coverage": {"enabled": False}, "fuzzing": {"enabled": True}}
    config = schemathesis.Config.from_dict({"checks": RULES, "phases": phases})
    made = [found.ok() for found in schemathesis.openapi.from_dict(DOCUMENT, config=config).get_all_operations()]
    return {operation.definition.raw["operationId"]: operation for operation in made}


@settings(max_examples=BUDGET, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def _try(case: Any, served: Served, loop: asyncio.AbstractEventLoop) -> None:
    session = requests.Session()
    session.auth = Proof(served.clients["police"], loop)
    case.cookies = {}  # by token: a session has tests of its own
    checks = [check for check in CHECKS.get_all() if check.__name__ != BY_A_TOKEN]
    with session:
        case.call_and_validate(base_url=served.url, session=session, checks=checks)


@pytest.mark.parametrize("name", NAMES)
def test_answers_as_the_document_says(name: str, served: Served, loop: asyncio.AbstractEventLoop) -> None:
    operation = _operations()[name]
    attempt = build_operation_test(
        config=operation.schema.config,
        operation=operation,
        test_func=_try,
        given_kwargs={},
        feedback=FeedbackSources(),
    )
    attempt(served=served, loop=loop)

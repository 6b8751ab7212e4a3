"""The committed document of `/admin/v1` is the code's, it is OpenAPI 3.1, and what is answered is what it says."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from app.cli.documents import admin_openapi_text
from app.foundation.problems import MEDIA_TYPE, all_problems
from tests.contract.document import ADMIN as DOCUMENT
from tests.contract.document import FOLDER, not_used, operations_of

SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    pytest.param(method, path, operation, id=f"{method} {path}") for method, path, operation in operations_of(DOCUMENT)
]
PUBLIC = {
    ("post", "/admin/v1/sign-in/begin"),
    ("post", "/admin/v1/sign-in/finish"),
    ("post", "/admin/v1/enrolment/begin"),
    ("post", "/admin/v1/enrolment/finish"),
    ("post", "/admin/v1/command-line/look"),
}
"""What whoever is not signed in yet may call: from the exchange's own pages only."""
every_operation = pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)


class TestTheDocument:
    def test_is_the_codes(self):
        assert (FOLDER / "admin.json").read_text(encoding="utf-8") == admin_openapi_text(), (
            "the contract has changed: run `make openapi`, and look at what changed before you commit it"
        )

    async def test_is_served_to_anybody(self, exchange: Any):
        reply = await exchange.http.get("/admin/openapi.json")
        assert (reply.status_code, reply.json()) == (200, DOCUMENT)
        known = {"If-None-Match": reply.headers["ETag"]}
        assert (await exchange.http.get("/admin/openapi.json", headers=known)).status_code == 304

    def test_is_openapi_3_1_with_json_schemas(self):
        jsonschema_rs.validator_for(OPENAPI_31).validate(DOCUMENT)
        for schema in SCHEMAS.values():
            jsonschema_rs.meta.validate(schema)

    def test_refers_to_nothing_that_is_not_there_and_holds_nothing_that_is_not_used(self):
        assert not_used(DOCUMENT) == (set(), set())

    def test_names_schemas_as_the_code_does(self):
        assert [name for name in SCHEMAS if not re.fullmatch(r"([A-Z][a-z0-9]+)+", name)] == []

    def test_knows_three_ways_in_and_two_scopes(self):
        schemes = DOCUMENT["components"]["securitySchemes"]
        assert schemes["session"]["type"] == "apiKey"
        assert (schemes["session"]["in"], schemes["session"]["name"]) == ("cookie", "__Host-rujukan-session")
        assert schemes["mutualTLS"]["type"] == "mutualTLS"
        assert schemes["oauth2"]["flows"]["clientCredentials"]["scopes"].keys() == {"admin.read", "admin.write"}

    def test_names_only_problems_there_are_at_their_status(self):
        statuses = {problem.type: str(problem.status) for problem in all_problems()}
        for _, path, operation in (each.values for each in OPERATIONS):
            for status, answer in operation["responses"].items():
                for name in re.findall(r"`([a-z-]+)`:", answer["description"]):
                    assert statuses.get(name) == status, f"{path}: {name} at {status}"
                if int(status) >= 400:
                    assert answer["content"] == {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}

    def test_lets_only_those_call_without_a_session_who_are_about_to_have_one(self):
        assert {
            (method, path)
            for method, path, operation in (each.values for each in OPERATIONS)
            if "security" not in operation
        } == PUBLIC

    def test_operations_have_names_of_their_own(self):
        names = [each.values[2]["operationId"] for each in OPERATIONS]
        assert len(set(names)) == len(names)


class TestEveryOperation:
    @every_operation
    def test_says_in_words_what_it_does(self, method: str, path: str, operation: dict[str, Any]):
        assert 8 < len(operation["summary"]) <= 90
        assert operation["description"].startswith(operation["summary"])
        assert operation["description"].rstrip().endswith(".")
        assert len(operation["tags"]) == 1

    @every_operation
    def test_says_who_may_call_it(self, method: str, path: str, operation: dict[str, Any]):
        if (method, path) in PUBLIC:
            assert "security" not in operation
            assert "401" not in operation["responses"]
            assert "`cross-site`" in operation["responses"]["403"]["description"]
            return
        scope = "admin.read" if method == "get" else "admin.write"
        by_session, *by_token = operation["security"]
        assert by_session == {"session": []}
        assert by_token in ([], [{"oauth2": [scope]}, {"oauth2": [scope], "mutualTLS": []}])
        assert bool(by_token) == (f"Scope: `{scope}`." in operation["description"])
        assert "`not-signed-in`" in operation["responses"]["401"]["description"]
        assert ("`cross-site`" in operation["responses"]["403"]["description"]) == (method != "get")

    @every_operation
    def test_explains_each_of_its_parameters(self, method: str, path: str, operation: dict[str, Any]):
        for parameter in operation.get("parameters", ()):
            assert parameter["description"].endswith((".", "`")), parameter["name"]
        named = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))

    @every_operation
    def test_answers_with_a_schema(self, method: str, path: str, operation: dict[str, Any]):
        (success,) = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        if "204" in operation["responses"]:
            assert "content" not in success
        else:
            assert success["content"]
            assert all(content["schema"] for content in success["content"].values())

    @every_operation
    def test_says_what_happens_to_a_body_it_cannot_read(self, method: str, path: str, operation: dict[str, Any]):
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= operation["responses"].keys()

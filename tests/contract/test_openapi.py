"""The committed document is the code's, it is OpenAPI 3.1, and it says the same of every operation."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from schemathesis.specs.openapi.definitions import OPENAPI_31

from app.cli.documents import openapi_text
from app.delivery import signing
from app.foundation.settings import Settings
from app.main import create_app
from schemas import Record
from schemas.codes.agencies import AgencyKind
from schemas.codes.base import CodeEnum
from schemas.codes.referral import Purpose, Urgency
from schemas.exchange.event import EVENT_TYPES, EventPage
from schemas.exchange.problem import Problem
from schemas.exchange.referral import Accept, NewReferral, NewTransfer
from schemas.exchange.webhook import TEST
from tests.app.test_routes import PUBLIC
from tests.contract.document import DOCUMENT, FOLDER, not_used, operations_of
from tests.makers.world import World

SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
OPERATIONS = operations_of(DOCUMENT)
WITHOUT_BODY = {
    "/v1/me/keys/{key_id}/end",
    "/v1/imports/{import_id}/start",
    "/v1/imports/{import_id}/cancel",
    *(
        f"/v1/webhooks/{{webhook_id}}/{what}"
        for what in ("enable", "disable", "test", "deliveries/{message_id}/replay")
    ),
}
"""What is asked for by the path alone."""
every_operation = pytest.mark.parametrize(
    ("method", "path", "operation"), OPERATIONS, ids=[f"{method} {path}" for method, path, _ in OPERATIONS]
)


def test_the_committed_document_is_the_codes_whatever_the_settings_and_however_often_it_is_made():
    assert (FOLDER / "openapi.json").read_text(encoding="utf-8") == openapi_text(), (
        "the contract has changed: run `make openapi`, and look at what changed before you commit it"
    )
    other = Settings(public_url="https://rujukan.example", max_body_bytes=70_000, worker_in_process=False)
    assert create_app(other).openapi() == DOCUMENT


class TestTheDocument:
    def test_is_openapi_3_1(self):
        assert DOCUMENT["openapi"].startswith("3.1.")
        jsonschema_rs.validator_for(OPENAPI_31).validate(DOCUMENT)

    def test_holds_json_schemas(self):
        for schema in SCHEMAS.values():
            jsonschema_rs.meta.validate(schema)

    def test_refers_to_nothing_that_is_not_there_and_holds_nothing_that_is_not_used(self):
        assert not_used(DOCUMENT) == (set(), set())

    def test_writes_what_many_operations_have_in_common_once(self):
        operations = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
        shared = {"$ref": "#/components/responses/StaleVersion"}
        assert {str(operation["responses"]["412"]) for operation in operations if "412" in operation["responses"]} == {
            str(shared)
        }
        (send,) = [operation for operation in operations if operation["operationId"] == "send_referral"]
        assert {"$ref": "#/components/parameters/IdempotencyKey"} in send["parameters"]
        assert "`open-twin`" in send["responses"]["409"]["description"], "what only this one has stays with it"
        assert (FOLDER / "openapi.json").stat().st_size < 10_000 * len(operations)

    def test_says_what_each_group_of_operations_is_for(self):
        paths = DOCUMENT["paths"].values()
        used = {tag for operations in paths for operation in operations.values() for tag in operation["tags"]}
        assert {tag["name"] for tag in DOCUMENT["tags"]} == used
        assert all(tag["description"].endswith(".") for tag in DOCUMENT["tags"])

    def test_names_schemas_as_the_code_does(self):
        made_by_a_generator = [name for name in SCHEMAS if not re.fullmatch(r"([A-Z][a-z0-9]+)+", name)]
        assert made_by_a_generator == []

    def test_says_at_events_which_types_there_are(self):
        assert SCHEMAS["Event"]["properties"]["type"]["x-known-values"] == sorted(EVENT_TYPES)

    def test_has_a_message_for_every_type_of_event(self):
        assert DOCUMENT["webhooks"].keys() == {*EVENT_TYPES, TEST}
        headers = set(signing.headers("m", datetime.now(UTC), b"{}", [signing.generate()]))
        for name, message in DOCUMENT["webhooks"].items():
            (schema,) = (content["schema"] for content in message["post"]["requestBody"]["content"].values())
            assert schema["allOf"][0] == {"$ref": "#/components/schemas/WebhookMessage"}
            assert schema["allOf"][1]["properties"]["type"] == {"const": name}
            assert message["post"]["description"].startswith(EVENT_TYPES.get(name, "A test message"))
            components = [each["$ref"].rsplit("/", 1)[1] for each in message["post"]["parameters"]]
            names = {DOCUMENT["components"]["parameters"][component]["name"] for component in components}
            assert names == headers

    @pytest.mark.parametrize("codes", [Urgency, Purpose, AgencyKind])
    def test_closes_codes_in_requests_and_leaves_them_open_in_answers(self, codes: type[CodeEnum]):
        values = [code.value for code in codes]
        assert SCHEMAS[f"{codes.__name__}Input"]["enum"] == values
        answered = SCHEMAS[codes.__name__]
        assert answered["x-known-values"] == values
        assert "enum" not in answered

    def test_closes_documents_in_requests_and_leaves_them_open_in_answers(self):
        assert SCHEMAS["NewReferral"]["additionalProperties"] is False
        assert SCHEMAS["RecordInput"]["additionalProperties"] is False
        assert "additionalProperties" not in SCHEMAS["Record"]
        assert "additionalProperties" not in SCHEMAS["Referral"]

    def test_promises_every_member_of_an_answer(self):
        for name in ("Referral", "Transfer", "Case", "Moved", "EventPage", "Event"):
            assert set(SCHEMAS[name]["required"]) == set(SCHEMAS[name]["properties"]), name


class TestEveryOperation:
    def test_has_a_name_of_its_own_which_is_its_functions(self):
        names = [operation["operationId"] for _, __, operation in OPERATIONS]
        assert len(set(names)) == len(names)
        functions = {
            route.endpoint.__name__
            for route in iter_route_contexts(create_app(Settings()).routes)
            if isinstance(route.original_route, APIRoute) and route.include_in_schema
        }
        assert set(names) == functions

    @every_operation
    def test_says_in_words_what_it_does(self, method: str, path: str, operation: dict[str, Any]):
        assert 8 < len(operation["summary"]) <= 90
        assert operation["description"].startswith(operation["summary"])
        assert operation["description"].rstrip().endswith(".")
        assert len(operation["tags"]) == 1

    @every_operation
    def test_says_who_may_call_it(self, method: str, path: str, operation: dict[str, Any]):
        guarded = path.startswith("/v1/") and path not in PUBLIC
        assert ("security" in operation) == guarded
        assert ("401" in operation["responses"]) == guarded
        for scope in [scope for way in operation.get("security", ()) for scope in way["oauth2"]]:
            assert f"`{scope}`" in operation["description"].rsplit("Scope: ", 1)[-1]
            assert "`insufficient-scope`" in operation["responses"]["403"]["description"]

    @every_operation
    def test_explains_each_of_its_parameters(self, method: str, path: str, operation: dict[str, Any]):
        for parameter in operation.get("parameters", ()):
            assert parameter["description"].endswith((".", "`")), parameter["name"]
        named = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))

    @every_operation
    def test_answers_with_a_schema(self, method: str, path: str, operation: dict[str, Any]):
        answers = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
        if answers.keys() == {"204"}:
            assert method in ("delete", "put")
            assert answers["204"].keys() <= {"description", "headers"}
            return
        assert len(answers) == 1 or answers.keys() == {"200", "206"}, "a file, or a range of it"
        for answer in answers.values():
            assert answer["content"]
            assert all(content["schema"] for content in answer["content"].values())

    @every_operation
    def test_says_what_happens_to_a_body_it_cannot_read(self, method: str, path: str, operation: dict[str, Any]):
        assert ("requestBody" in operation) == (method in ("post", "put", "patch") and path not in WITHOUT_BODY)
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= operation["responses"].keys()


MODELS: dict[str, type[BaseModel]] = {
    "new-referral.json": NewReferral,
    "new-transfer.json": NewTransfer,
    "accept.json": Accept,
    "problem.json": Problem,
    "event-page.json": EventPage,
    "record.json": Record,
}


def example(name: str) -> Any:
    return json.loads((FOLDER / "examples" / name).read_text(encoding="utf-8"))


class TestExamples:
    def test_are_all_known(self):
        assert {path.name for path in (FOLDER / "examples").iterdir()} == MODELS.keys()
        readme = (FOLDER / "README.md").read_text(encoding="utf-8")
        assert all(f"`{name}`" in readme for name in MODELS)

    @pytest.mark.parametrize("name", MODELS)
    def test_are_what_the_models_take(self, name: str):
        MODELS[name].model_validate_json(json.dumps(example(name)))

    @pytest.mark.parametrize("name", MODELS)
    def test_are_what_the_schemas_describe(self, name: str):
        model = MODELS[name].__name__
        schema = SCHEMAS.get(f"{model}Input", SCHEMAS[model])
        described = {**schema, "components": DOCUMENT["components"]}
        jsonschema_rs.Draft202012Validator(described, validate_formats=True).validate(example(name))

    async def test_can_be_sent(self, world: World):
        sent = await world.police.post("/v1/referrals", {**example("new-referral.json"), "receiver": "shelter"})
        assert sent.status_code == 201, sent.text
        path = f"/v1/referrals/{sent.json()['id']}"
        accepted = await world.shelter.post(f"{path}/accept", example("accept.json"), if_match=1)
        assert accepted.status_code == 200, accepted.text

    async def test_of_events_has_the_members_of_the_feed(self, world: World):
        await world.moved(await world.send(), "accept")
        await world.exchange.settle()
        page = (await world.police.get("/v1/events")).json()
        shown = example("event-page.json")
        assert page.keys() == shown.keys()
        assert [list(event) for event in page["items"]] == [list(shown["items"][1])]
        assert page["items"][0]["type"] == shown["items"][1]["type"]

    async def test_of_a_problem_is_what_is_answered(self, world: World):
        body = example("new-referral.json")
        covered = [name for name in body["bases"][0]["sections"] if name != "contact"]
        body["bases"][0]["sections"] = covered
        answered = (await world.police.post("/v1/referrals", {**body, "receiver": "shelter"})).json()
        shown = example("problem.json")
        assert {**answered, "request_id": ""} == {**shown, "request_id": ""}

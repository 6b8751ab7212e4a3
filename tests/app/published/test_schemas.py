"""Anyone may read the JSON Schemas, and need not read them twice."""

import hashlib
import json

from app.cli.schema.documents import CHECKOUT
from schemas.documents.json_schema import DOCUMENTS


class TestTheIndex:
    async def test_lists_every_schema_with_its_digest(self, exchange):
        answer = await exchange.http.get("/v1/schemas")
        assert answer.status_code == 200
        assert [item["name"] for item in answer.json()["items"]] == list(DOCUMENTS)
        for item in answer.json()["items"]:
            found = await exchange.http.get(item["href"])
            assert hashlib.sha256(found.content).hexdigest() == item["digest"]


class TestASchema:
    async def test_is_the_committed_file(self, exchange):
        for name in DOCUMENTS:
            answer = await exchange.http.get(f"/v1/schemas/{name}")
            assert answer.headers["Content-Type"] == "application/schema+json"
            assert answer.content == (CHECKOUT / "openapi" / "schemas" / name).read_bytes()

    async def test_is_found_at_its_own_id(self, exchange):
        answer = await exchange.http.get("/v1/schemas/record-1.0.json")
        assert json.loads(answer.content)["$id"] == answer.request.url.path

    async def test_is_not_sent_again_to_who_has_it(self, exchange):
        first = await exchange.http.get("/v1/schemas/record-1.0.json")
        assert first.headers["Cache-Control"].startswith("public")
        again = await exchange.http.get("/v1/schemas/record-1.0.json", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")

    async def test_that_does_not_exist_is_not_found(self, exchange):
        for name in ("record-9.9.json", "..%2Fopenapi.json", "record-1.0"):
            answer = await exchange.http.get(f"/v1/schemas/{name}")
            assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")

    async def test_takes_no_parameters(self, exchange):
        answer = await exchange.http.get("/v1/schemas/record-1.0.json?lang=id")
        assert answer.status_code == 422

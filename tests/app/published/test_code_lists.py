"""`/v1/code-lists`: for anyone, once, as JSON or CSV."""

from __future__ import annotations

import csv
import hashlib
import io

import httpx
import pytest

from app.published.code_lists import prefers_csv
from schemas import code_list, list_names
from schemas.exchange.code_lists import CodeListIndex, PublishedCodeList
from tests.makers.world import World

INDEX = "/v1/code-lists"


@pytest.fixture
def http(world: World) -> httpx.AsyncClient:
    """A caller without a token."""
    return world.exchange.http


class TestIndex:
    async def test_names_every_list_and_where_it_is(self, http: httpx.AsyncClient) -> None:
        reply = await http.get(INDEX)
        assert reply.status_code == 200
        found = CodeListIndex.model_validate(reply.json())
        assert [item.name for item in found.items] == list(list_names())
        assert {item.name: item.codes for item in found.items}["legal_basis"] == len(code_list("legal_basis").codes)
        assert "CC BY 4.0" in found.attribution

    async def test_says_by_a_digest_whether_a_list_changed(self, http: httpx.AsyncClient) -> None:
        items = {item["name"]: item for item in (await http.get(INDEX)).json()["items"]}
        for name in ("need", "sex"):
            body = (await http.get(items[name]["href"])).content
            assert items[name]["digest"] == hashlib.sha256(body).hexdigest()


class TestOneList:
    async def test_says_of_each_code_what_it_means_and_where_it_is_used(self, http: httpx.AsyncClient) -> None:
        reply = await http.get(f"{INDEX}/need")
        assert reply.headers["Content-Type"] == "application/json"
        found = PublishedCodeList.model_validate(reply.json())
        assert found.codes == code_list("need").codes
        assert "/needs/services/*/need" in found.used_in
        (shelter,) = [code for code in reply.json()["codes"] if code["code"] == "shelter_men"]
        assert shelter["id"] == "Penampungan laki-laki"
        assert shelter["definition_en"] == "A safe place for a time that takes men."
        assert (shelter["status"], shelter["replaced_by"]) == ("active", None)

    @pytest.mark.parametrize("asked", [{"headers": {"Accept": "text/csv"}}, {"params": {"format": "csv"}}])
    async def test_is_a_table_to_who_asks_for_one(
        self, http: httpx.AsyncClient, asked: dict[str, dict[str, str]]
    ) -> None:
        reply = await http.get(f"{INDEX}/urgency", **asked)
        assert reply.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
        assert reply.headers["Content-Disposition"] == 'attachment; filename="rujukan-urgency.csv"'
        rows = list(csv.DictReader(io.StringIO(reply.content.decode("utf-8"), newline="")))
        assert [(row["code"], row["id"], row["respond_within"]) for row in rows] == [
            ("immediate", "Segera", "PT1H"),
            ("urgent", "Mendesak", "PT24H"),
            ("standard", "Biasa", "P7D"),
        ]

    async def test_is_json_to_who_says_so_in_the_address_whatever_else_it_accepts(
        self, http: httpx.AsyncClient
    ) -> None:
        reply = await http.get(f"{INDEX}/urgency", params={"format": "json"}, headers={"Accept": "text/csv"})
        assert reply.json()["name"] == "urgency"

    async def test_is_not_sent_twice(self, http: httpx.AsyncClient) -> None:
        for address in (INDEX, f"{INDEX}/need", f"{INDEX}/need?format=csv"):
            first = await http.get(address)
            again = await http.get(address, headers={"If-None-Match": first.headers["ETag"]})
            assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])

    async def test_has_another_tag_in_another_form(self, http: httpx.AsyncClient) -> None:
        as_json = await http.get(f"{INDEX}/need")
        as_csv = await http.get(
            f"{INDEX}/need", headers={"Accept": "text/csv", "If-None-Match": as_json.headers["ETag"]}
        )
        assert as_csv.status_code == 200
        assert as_json.headers["Vary"] == as_csv.headers["Vary"] == "Accept"

    @pytest.mark.parametrize("name", ["no_such_list", "NEED", "need.csv", "..%2Flists", "%00", "a" * 64])
    async def test_that_is_not_there_is_not_found(self, http: httpx.AsyncClient, name: str) -> None:
        reply = await http.get(f"{INDEX}/{name}")
        assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found")

    @pytest.mark.parametrize(
        "query", [{"format": "xml"}, {"format": ""}, {"lang": "id"}, [("format", "csv"), ("format", "json")]]
    )
    async def test_is_not_guessed_at(self, http: httpx.AsyncClient, query: dict[str, str]) -> None:
        reply = await http.get(f"{INDEX}/need", params=query)
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/invalid-request")


@pytest.mark.parametrize(
    ("accept", "csv_wanted"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/csv", True),
        ("TEXT/CSV; charset=utf-8", True),
        ("application/json;q=0.5, text/csv", True),
        ("text/csv;q=0.5, application/json;q=0.9", False),
        ("text/csv;q=0", False),
        ("text/csv;q=nonsense", False),
        ("text/html, text/csv;q=0.1", True),
        ("text/csv, application/json", False),
        (";;,,q=", False),
    ],
)
def test_csv_is_sent_to_who_prefers_it(accept: str, csv_wanted: bool) -> None:
    assert prefers_csv(accept) is csv_wanted

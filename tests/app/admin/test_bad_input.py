# ruff: noqa: E501 -- tables
"""Whatever is wrong with a request to `/admin/v1`: it is refused by name, nothing of it is stored or repeated, and it is never a fault of ours."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from starlette.datastructures import State

from app.admin.assembly import create_admin
from tests.app.admin.test_routes import PUBLIC, THEIR_OWN
from tests.makers.admins import Administrator, new_agency, new_client, public_jwk

CANARY = "Kanari4711"
HUGE = CANARY * 2000
NOBODY = uuid.UUID(int=4711)
NO_KEY = "x" * 43
POINT = {"name": "Rumah", "confidential": False}
ACTS_FOR = {"kind": "acts_for", "agency": "police", "by": "iom", "reference": "PKS 1"}
TIMES = {"kind": "times", "agency": "police", "times": {"respond_within_urgent": 3600}, "reference": "PKS 1"}

BODIES: list[tuple[str, str, dict[str, Any], list[dict[str, Any]]]] = [
    (
        "POST",
        "/agencies",
        new_agency(),
        [
            {"code": "A"}, {"code": "x" * 65}, {"code": f"{CANARY}"}, {"code": 5}, {"code": None}, {"name": ""}, {"name": HUGE},
            {"name": "a\x00b"}, {"name": "a\nb"}, {"name": "\u200b"}, {"kind": CANARY}, {"country": "id"}, {"region": "99999"},
            {"region": "31,75"}, {"capacity": -1}, {"capacity": 10**9}, {"capacity": "4"}, {"capacity": True}, {"capacity": 1.5},
            {"accepts": {CANARY: "yes"}}, {"accepts": {"women": CANARY}}, {"accepts": []}, {"sandbox": "yes"}, {"note": HUGE},
            {"parent": CANARY}, {CANARY: 1}, {"status": "active"}, {"desk": True},
        ],
    ),
    (
        "POST",
        "/agencies/police/notice-address",
        {"email": "piket@police.example.org"},
        [{"email": None}, {"email": ""}, {"email": CANARY}, {"email": f"{HUGE}@x.id"}, {"email": f"a@{CANARY}.id\nBcc: b@c.id"}, {"email": [CANARY]}, {"language": "nl"}, {"language": None}, {CANARY: 1}],
    ),
    (
        "POST",
        f"/agencies/police/encryption-keys/{NO_KEY}/end",
        {"reason": "lost"},
        [{"reason": None}, {"reason": CANARY}, {"reason": "stolen", "compromised_since": CANARY}, {"compromised_since": 5}, {CANARY: 1}],
    ),
    ("PATCH", "/agencies/police", {"note": "x"}, [{"name": None}, {"name": ""}, {"code": "other"}, {"status": "active"}, {"capacity": -1}, {"sandbox": True}]),
    (
        "POST",
        "/agencies/police/service-points",
        POINT,
        [{"name": ""}, {"name": HUGE}, {"confidential": None}, {"confidential": "no"}, {"services": [CANARY]}, {"services": None}, {"services": ["shelter"] * 41}, {"address": HUGE}, {"id": str(NOBODY)}],
    ),
    ("PATCH", f"/service-points/{NOBODY}", {"name": "x"}, [{"name": None}, {"services": None}, {"confidential": None}, {"agency": "police"}]),
    (
        "POST",
        "/clients",
        new_client("police"),
        [
            {"client_id": "Ab"}, {"client_id": CANARY}, {"client_id": "x" * 65}, {"name": ""}, {"name": HUGE}, {"agencies": []}, {"agencies": "police"},
            {"agencies": [CANARY]}, {"agencies": ["police"] * 1001}, {"scopes": []}, {"scopes": [CANARY]}, {"scopes": ["no.such"]}, {"scopes": [None]},
            {"scopes": ["cases.read"] * 41}, {"auth_method": "client_secret_basic"}, {"jwks": {}}, {"jwks": {"keys": []}}, {"jwks": {"keys": ["x"]}},
            {"jwks": {"keys": [{}]}}, {"jwks": {"keys": [{"kty": CANARY}]}}, {"jwks": {"keys": [public_jwk()] * 11}}, {"jwks": None},
            {"jwks": {"keys": [{**public_jwk(), "kid": "a\x00b"}]}}, {"jwks": {"keys": [{**public_jwk(), "kid": "x" * 129}]}},
            {"jwks": {"keys": [{**public_jwk(), "kid": 5}]}}, {"jwks": {"keys": [{**public_jwk(), "d": CANARY}]}},
            {"jwks_uri": "http://iom.test/jwks"}, {"jwks_uri": "https://"}, {"jwks_uri": HUGE}, {"tls_name": {"kind": "san_dns", "value": "iom.test"}},
            {"tls_name": {"kind": CANARY, "value": "x"}}, {"networks": ["192.0.2.1/24"]}, {"networks": ["0.0.0.0/33"]}, {"networks": [CANARY]},
            {"networks": ["::/129"]}, {"networks": [5]}, {"networks": ["192.0.2.0/24"] * 101}, {"certificate_bound": "yes"}, {"status": "active"},
        ],
    ),
    (
        "PATCH",
        "/clients/police-system",
        {"name": "x"},
        [{"name": None}, {"scopes": None}, {"scopes": []}, {"scopes": ["no.such"]}, {"agencies": []}, {"networks": None}, {"networks": ["x"]}, {"status": "active"}, {"client_id": "other"}],
    ),
    (
        "POST",
        "/clients/police-system/keys",
        {"jwk": public_jwk()},
        [
            {"jwk": None}, {"jwk": {}}, {"jwk": [CANARY]}, {"jwk": {"kty": "EC", "x": CANARY}}, {"jwk": {str(n): n for n in range(17)}},
            {"starts_at": "tomorrow"}, {"starts_at": 5}, {"starts_at": "2199-01-01T00:00:00Z"}, {"starts_at": "2026-01-01T00:00:00"},
            {"overlap_seconds": -1}, {"overlap_seconds": 10**9}, {"overlap_seconds": "1h"}, {"overlap_seconds": 1.5}, {"kid": CANARY},
        ],
    ),
    (
        "POST",
        "/agreements",
        ACTS_FOR,
        [
            {"kind": CANARY}, {"kind": None}, {"kind": "data_sharing"}, {"agency": CANARY}, {"by": None}, {"by": "police"}, {"reference": ""},
            {"reference": HUGE}, {"reference": "a\x00"}, {"from_at": "soon"}, {"until_at": "2020-01-01T00:00:00Z"},
            {"from_at": "2190-01-02T00:00:00Z", "until_at": "2190-01-01T00:00:00Z"}, {"times": {}}, {CANARY: 1},
        ],
    ),
    (
        "POST",
        "/agreements",
        TIMES,
        [{"times": {}}, {"times": {CANARY: 3600}}, {"times": {"respond_within_urgent": 0}}, {"times": {"respond_within_urgent": "PT1H"}}, {"times": {"respond_within_urgent": 10**12}}, {"by": "iom"}],
    ),
    ("POST", f"/approvals/{NOBODY}/refuse", {"reason": "x"}, [{"reason": ""}, {"reason": HUGE}, {"reason": "a\nb"}, {"reason": None}, {"also": 1}]),
]  # fmt: skip
CASES = [(method, path, wrong, {**right, **wrong}) for method, path, right, wrongs in BODIES for wrong in wrongs]
QUERIES = [
    "/agencies?status=asleep", "/agencies?kind=x", "/agencies?limit=0", "/agencies?limit=201", "/agencies?limit=x", "/agencies?cursor=x",
    f"/agencies?{CANARY}=1", "/agencies?limit=1&limit=2", "/clients?scope=x", "/clients?agency=X", "/clients?status=x", "/clients?cursor=%00",
    "/clients?cursor=\u00e9", f"/clients?cursor={'a' * 401}", "/agreements?holds=perhaps", "/agreements?kind=x", "/agreements?cursor=AAAA",
    "/log?since=yesterday", "/log?until=5", "/log?actor=a%20b", "/log?action=A", "/log?action=a:b:c", "/log?subject=%00", "/log?subject_id=x",
    "/approvals?all=perhaps", "/signing-keys?x=1", "/agencies/A", "/agencies/%00%00%00", "/notices?state=lost", "/notices?agency=A", "/notices?cursor=x", "/clients/..%2F..", "/agreements/x", "/approvals/x",
]  # fmt: skip


def check(reply) -> None:
    """It is refused as a problem, and nothing of it is repeated."""
    assert 400 <= reply.status_code < 500, reply.text
    assert reply.status_code in (400, 404, 422), reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    for text in (CANARY, CANARY.lower()):
        assert text not in reply.text


@pytest.fixture
async def everybody(operator, officer, auditor) -> dict[str, Administrator]:
    """Who may send what, by the beginning of its path."""
    return {"/agreements": officer, "/log": auditor, "": operator}


async def test_bodies_are_refused_by_name_and_nothing_of_them_is_stored(everybody, exchange, world):
    tables = ("agency", "service_point", "client", "client_key", "client_agency", "agreement", "approval", "log_entry")
    counts = " UNION ALL ".join(f"SELECT count(*) FROM {table}" for table in tables)
    before = await exchange.owner.fetch(counts)
    for method, path, wrong, body in CASES:
        who = next(who for start, who in everybody.items() if path.startswith(start))
        reply = await who.request(method, path, body)
        assert 400 <= reply.status_code < 500, (method, path, str(wrong)[:200], reply.text)
        check(reply)
    assert await exchange.owner.fetch(counts) == before


async def test_what_is_right_but_for_what_is_wrong_there_is_taken(everybody, world):
    """Else the cases above would be refused for something else."""
    for method, path, body, _ in BODIES:
        who = next(who for start, who in everybody.items() if path.startswith(start))
        reply = await who.request(method, path, body)
        assert reply.status_code in (200, 201, 202) or str(NOBODY) in path or NO_KEY in path, reply.text
        if str(NOBODY) in path:
            assert reply.status_code == 404


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"name": "a", "name": "b"}', "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b" " * 2_000_000, "application/json", 413),
    ],
    ids=["half", "twice", "NaN", "no UTF-8", "nothing", "a list", "null", "a form", "too large"],
)
async def test_what_is_no_document_is_refused(operator, content, kind, status):
    for method, path in (("POST", "/agencies"), ("PATCH", "/agencies/police"), ("POST", "/clients")):
        reply = await operator.request(method, path, content=content, headers={"Content-Type": kind})
        assert reply.status_code == status, reply.text


async def test_queries_and_paths_are_refused_by_name(everybody):
    for path in QUERIES:
        who = next(who for start, who in everybody.items() if path.startswith(start))
        check(await who.get(path))


async def test_a_method_there_is_not_is_told_which_there_are(operator):
    reply = await operator.request("DELETE", "/agencies/police")
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, PATCH")
    assert (await operator.get("/no-such-thing")).json()["type"] == "/problems/not-found"


ROUTES = [
    (method, str(route.path).removeprefix("/v1").replace("{code}", "police").replace("{client_id}", "police-system"))
    for route in iter_route_contexts(create_admin(State()).routes)
    if str(route.path) not in PUBLIC
    for method in sorted(route.methods or ())
]


def filled(path: str) -> str:
    """The path of something that is not there."""
    return "/".join(str(NOBODY) if part.startswith("{") else part for part in path.split("/"))


async def test_whoever_is_not_signed_in_gets_no_further_anywhere(exchange, operator, auditor, world):
    """Nobody, a session that was ended, another's site, an auditor who would change something."""
    nobody = Administrator("nobody", NOBODY, "x" * 43, exchange)
    for method, path in ROUTES:
        reply = await nobody.request(method, filled(path), {} if method != "GET" else None)
        assert (reply.status_code, reply.json()["type"]) == (401, "/problems/not-signed-in"), path
        if method == "GET":
            continue
        for origin in ("https://evil.example", "null", ""):
            reply = await operator.request(method, filled(path), {}, headers={"Origin": origin})
            assert (reply.status_code, reply.json()["type"]) == (403, "/problems/cross-site"), path
        if f"/v1{path}".startswith(THEIR_OWN):
            continue
        reply = await auditor.request(method, filled(path), {})
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/role-required"), path

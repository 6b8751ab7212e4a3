"""RFC 9449 §7.1 and §7.2, RFC 6750 §2 and §3: how a token is presented, and how a caller is told that it was not taken."""

from __future__ import annotations

import pytest

from tests.makers.auth import ABSENT

METADATA = 'resource_metadata="https://rujukan.example/.well-known/oauth-protected-resource"'
ALGS = 'algs="ES256 PS256 EdDSA Ed25519"'


async def test_no_token_is_told_without_an_error_code(world):
    reply = await world.http.get("/v1/probe")
    body = reply.json()
    assert body.pop("request_id")
    assert body == {"type": "/problems/unauthenticated", "title": "An access token is required", "status": 401}
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"] == f"DPoP {ALGS}, {METADATA}"


@pytest.mark.parametrize("scheme", ["DPoP", "dpop", "DPOP"])
async def test_the_schemes_name_is_not_case_sensitive(party, scheme):
    token = await party.token()
    assert (await party.call(token=token, headers={"Authorization": f"{scheme} {token}"})).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Basic", "Token"])
async def test_a_bound_token_with_another_scheme_is_refused(party, scheme):
    token = await party.token()
    reply = await party.call(token=token, headers={"Authorization": f"{scheme} {token}"})
    assert (reply.status_code, reply.json()["reason"]) == (401, "wrong_scheme")
    assert reply.headers["WWW-Authenticate"] == (
        f'DPoP error="invalid_token", error_description="The access token is not valid", {ALGS}, {METADATA}'
    )


@pytest.mark.parametrize("value", ["DPoP", "DPoP ", "DPoP x", "DPoP a.b.c", "DPoP \u00e9", "DPoP " + "x" * 9000])
async def test_what_is_no_token_is_refused(party, value):
    reply = await party.call(token="x", headers={"Authorization": value.encode("latin-1")})
    assert (reply.status_code, reply.json()["reason"]) == (401, "malformed")


async def test_two_tokens_are_refused(world, party):
    token = await party.token()
    headers = [
        ("Authorization", f"DPoP {token}"),
        ("Authorization", f"DPoP {token}"),
        ("DPoP", party.proof("GET", "/v1/probe", token)),
    ]
    reply = await world.http.get("/v1/probe", headers=headers)
    assert (reply.status_code, reply.json()["reason"]) == (401, "malformed")


async def test_a_token_in_the_query_is_not_read(party):
    token = await party.token()
    reply = await party.call(f"/v1/probe?access_token={token}", token=token, headers={"Authorization": ABSENT})
    assert (reply.status_code, reply.json()["type"]) == (401, "/problems/unauthenticated")


async def test_a_token_in_the_query_beside_the_header_is_refused(party):
    token = await party.token()
    reply = await party.call(f"/v1/probe?access_token={token}", token=token)
    assert (reply.status_code, reply.json()["errors"]) == (422, [{"code": "unknown_parameter"}])
    assert token not in reply.text


async def test_a_token_in_the_body_is_not_read(party):
    token = await party.token()
    reply = await party.call(
        method="POST", token=token, headers={"Authorization": ABSENT}, data={"access_token": token}
    )
    assert (reply.status_code, reply.json()["type"]) == (401, "/problems/unauthenticated")


async def test_who_is_not_let_in_is_not_told_what_else_is_wrong(world):
    assert (await world.http.get("/v1/probe?unknown=x")).status_code == 401


async def test_a_missing_scope_is_named(party):
    token = await party.token(scope="cases.write")
    reply = await party.call(method="POST", token=token)
    body = reply.json()
    assert body.pop("request_id")
    scopes = ["cases.write", "consents.write"]
    assert body == {
        "type": "/problems/insufficient-scope",
        "title": "The token lacks a scope",
        "status": 403,
        "scopes": scopes,
    }
    assert reply.status_code == 403
    assert reply.headers["WWW-Authenticate"] == (
        'DPoP error="insufficient_scope", error_description="The token lacks a scope", scope="cases.write consents.write", '
        f"{ALGS}, {METADATA}"
    )


async def test_all_scopes_of_a_route_are_needed_and_suffice(party):
    assert (
        await party.call(method="POST", token=await party.token(scope="cases.write consents.write"))
    ).status_code == 200


async def test_the_problem_speaks_the_callers_language(world):
    reply = await world.http.get("/v1/probe", headers={"Accept-Language": "id"})
    assert reply.json()["title"] == "Token akses diperlukan"
    assert reply.headers["Content-Language"] == "id"

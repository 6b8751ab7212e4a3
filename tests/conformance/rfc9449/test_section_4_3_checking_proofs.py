"""RFC 9449 §4.3: the table of proofs, at a protected resource and at the token endpoint, with the exact answers."""

from __future__ import annotations

import pytest

from auth.errors import PROOF_TEXTS
from auth.jose import ALGORITHMS, generate, import_private
from tests.conformance.rfc9449.cases import ADMIN_PATH, CASES, PATH, Case
from tests.makers.auth import ABSENT, rsa_key

CHALLENGE = (
    'DPoP error="invalid_dpop_proof", error_description="The DPoP proof is not valid", algs="ES256 PS256 EdDSA Ed25519", '
    'resource_metadata="https://rujukan.example/.well-known/oauth-protected-resource"'
)


def refusal(reply, reason):
    body = reply.json()
    assert body.pop("request_id")
    assert body == {
        "type": "/problems/invalid-dpop-proof",
        "title": "The DPoP proof is not valid",
        "status": 401,
        "reason": reason,
    }
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"] == CHALLENGE
    assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("case", "path"),
    [*((case, PATH) for case in CASES), *((case, ADMIN_PATH) for case in CASES[::3])],
    ids=lambda each: getattr(each, "name", each),
)
async def test_at_a_protected_resource(party, case: Case, path: str):
    token = await party.token()
    reply = await party.call(path, token=token, headers={"DPoP": case.proof(party, "GET", path, token)}, proof=ABSENT)
    if case.reason is None:
        assert reply.status_code == 200, reply.text
    else:
        refusal(reply, case.reason)


@pytest.mark.parametrize("case", [case for case in CASES if not case.resource_only], ids=lambda case: case.name)
async def test_at_the_token_endpoint(party, case: Case):
    reply = await party.ask(proof=ABSENT, headers={"DPoP": case.proof(party, "POST", "/oauth2/token", None)})
    if case.reason is None:
        assert reply.status_code == 200, reply.text
    else:
        assert (reply.status_code, reply.json()) == (
            400,
            {"error": "invalid_dpop_proof", "error_description": PROOF_TEXTS[case.reason]},
        )


async def test_the_headers_name_is_not_case_sensitive(party):
    token = await party.token()
    assert (
        await party.call(token=token, proof=ABSENT, headers={"DPOP": party.proof("GET", PATH, token)})
    ).status_code == 200


async def test_two_headers_are_refused(world, party):
    token = await party.token()
    headers = [("Authorization", f"DPoP {token}"), *(("DPoP", party.proof("GET", PATH, token)) for _ in range(2))]
    refusal(await world.http.get(PATH, headers=headers), "several")
    both = [("DPoP", party.proof("POST", "/oauth2/token")) for _ in range(2)]
    reply = await world.http.post("/oauth2/token", data=party.form(), headers=both)
    assert (reply.status_code, reply.json()["error_description"]) == (400, PROOF_TEXTS["several"])


async def test_no_header_is_refused(party):
    token = await party.token()
    refusal(await party.call(token=token, proof=ABSENT), "missing")
    reply = await party.ask(proof=ABSENT)
    assert (reply.status_code, reply.json()) == (
        400,
        {"error": "invalid_dpop_proof", "error_description": "A DPoP proof is required."},
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_each_listed_algorithm_proves(party, algorithm):
    party.proof_key = generate(algorithm)
    assert (await party.call()).status_code == 200


@pytest.mark.parametrize("bits", [3072, 4096])
async def test_long_rsa_keys_fit_into_the_header(party, bits):
    party.proof_key = import_private(rsa_key(bits).as_dict(private=True))
    assert (await party.call()).status_code == 200


async def test_the_query_of_the_request_plays_no_part(party):
    assert (await party.call("/v1/probe?q=x")).status_code == 200


@pytest.mark.parametrize(
    ("requested", "proven"),
    [
        ("/v1/probe/a%20b", "/v1/probe/a%20b"),
        ("/v1/probe/%7eme", "/v1/probe/~me"),
        ("/v1/probe/%c3%a9", "/v1/probe/%C3%A9"),
        ("/v1/probe/a%2fb", "/v1/probe/a%2Fb"),
    ],
)
async def test_escapes_in_the_requests_path_are_normalised_too(party, requested, proven):
    token = await party.token()
    reply = await party.call(requested, token=token, proof=party.proof("GET", proven, token))
    assert reply.status_code == 200, reply.text


async def test_an_escaped_slash_is_not_a_slash(party):
    token = await party.token()
    refusal(await party.call("/v1/probe/a%2Fb", token=token, proof=party.proof("GET", "/v1/probe/a/b", token)), "htu")


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-URL"])
async def test_what_a_proxy_or_a_caller_says_of_the_host_plays_no_part(party, header):
    value = {"X-Forwarded-Proto": "http", "Forwarded": "host=evil.example;proto=http"}.get(header, "evil.example")
    token = await party.token()
    assert (await party.call(token=token, headers={header: value})).status_code == 200
    spoofed = party.proof("GET", PATH, token, htu="https://evil.example" + PATH)
    refusal(await party.call(token=token, headers={header: value}, proof=spoofed), "htu")

"""A sample of the bad ones, sent to the running server: the right status and error, and no 500."""

from __future__ import annotations

import dataclasses
import re

import pytest

from auth.errors import PROOF_TEXTS
from tests.conformance.mutations.sample import good_ones, sample
from tests.conformance.mutations.table import MUTATIONS, Mutation
from tests.makers.auth import ABSENT, ath

SENDABLE = [
    each
    for each in MUTATIONS
    if not re.search(r"second|now|line break|null byte|beyond ASCII|looks like one| behind", each.name)
]
"""Without those that stand on a boundary of time, or that no client could put into a header."""
OF_KIND = {kind: [each for each in SENDABLE if each.kind == kind] for kind in ("assertion", "proof", "token")}


async def made(world, party, mutation: Mutation, token: str = "token") -> str:
    good = good_ones(
        client_id=party.client_id,
        agency=party.agencies[0],
        sender=party.credentials.signing_key(),
        prover=party.proof_key,
        active=(await world.directory.current()).signing.active,
        now=party.clock.now(),
        token_hash=ath(token),
    )
    return mutation.make(dataclasses.replace(sample(), good=good, ath=ath(token), now=party.clock.now()))


@pytest.mark.parametrize("mutation", OF_KIND["assertion"][::11], ids=str)
async def test_an_assertion_at_each_of_the_three_endpoints(world, party, mutation):
    for path in ("/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"):
        assertion = await made(world, party, mutation)
        if path == "/oauth2/token":
            reply = await party.ask(client_assertion=assertion)
        else:
            reply = await party.about(path, "x", client_assertion=assertion)
        assert reply.status_code == 401, reply.text
        assert reply.json() == {"error": "invalid_client", "error_description": reply.json()["error_description"]}
        # who is known has told its name by client_id; a mutated subject is then not that name
        assert reply.json()["error_description"] in (
            mutation.refusal,
            "client_id is not the subject of the assertion.",
            "The client must authenticate by private_key_jwt.",
        )


@pytest.mark.parametrize("mutation", OF_KIND["token"][::23], ids=str)
async def test_a_token_at_the_administration_api(world, party, mutation):
    reply = await party.call("/admin/v1/approvals", token=await made(world, party, mutation))
    assert (reply.status_code, reply.json()["type"]) == (401, "/problems/invalid-token")
    assert reply.json()["reason"] == mutation.refusal
    assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]


@pytest.mark.parametrize("mutation", OF_KIND["proof"][::11], ids=str)
async def test_a_proof(world, party, mutation):
    token = await party.token()
    proof = await made(world, party, mutation, token)
    reply = await party.call(method="POST", token=token, proof=ABSENT, headers={"DPoP": proof})
    assert (reply.status_code, reply.json()["type"]) == (401, "/problems/invalid-dpop-proof")
    assert reply.json()["reason"] == mutation.refusal
    assert 'error="invalid_dpop_proof"' in reply.headers["WWW-Authenticate"]
    reply = await party.ask(proof=ABSENT, headers={"DPoP": proof})
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_dpop_proof")
    assert reply.json()["error_description"] in PROOF_TEXTS.values()


@pytest.mark.parametrize("mutation", OF_KIND["token"][::11], ids=str)
async def test_a_token(world, party, mutation):
    token = await made(world, party, mutation)
    reply = await party.call(token=token)
    assert (reply.status_code, reply.json()["type"]) == (401, "/problems/invalid-token")
    assert reply.json()["reason"] == mutation.refusal
    assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]
    reply = await party.introspect(token)
    assert (reply.status_code, reply.json()) == (200, {"active": False})
    assert (await party.revoke(token)).status_code == 200

"""RFC 9449 §5 and §6: no token is issued that is not bound to the key of the proof."""

from __future__ import annotations

import asyncio

from auth.errors import PROOF_TEXTS
from auth.jose import generate
from tests.makers.auth import unverified

USED = {"error": "invalid_dpop_proof", "error_description": PROOF_TEXTS["used"]}


async def test_the_token_is_bound_to_the_key_of_the_proof(party):
    reply = await party.ask()
    assert reply.json()["token_type"] == "DPoP"
    assert unverified(reply.json()["access_token"])[1]["cnf"] == {"jkt": party.proof_key.public.thumbprint}


async def test_a_clients_fault_is_told_before_its_proofs(party):
    reply = await party.ask(proof="garbage", client_assertion="garbage")
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")


async def test_a_proof_is_used_once(party):
    proof = party.proof("POST", "/oauth2/token")
    assert (await party.ask(proof=proof)).status_code == 200
    reply = await party.ask(proof=proof)
    assert (reply.status_code, reply.json()) == (400, USED)


async def test_of_many_at_once_one_succeeds(party):
    proof = party.proof("POST", "/oauth2/token")
    replies = await asyncio.gather(*(party.ask(proof=proof) for _ in range(6)))
    assert sorted(reply.status_code for reply in replies) == [200] + [400] * 5


async def test_a_proof_for_the_token_endpoint_is_none_for_a_resource(party):
    token = await party.token()
    reply = await party.call(token=token, proof=party.proof("POST", "/oauth2/token", token))
    assert reply.json()["reason"] == "htm"


async def test_each_token_is_bound_to_its_own_key(party):
    first = await party.token()
    first_key, party.proof_key = party.proof_key, generate()
    second = await party.token()
    assert (await party.call(token=second)).status_code == 200
    assert (await party.call(token=first)).json()["reason"] == "wrong_key"
    party.proof_key = first_key
    assert (await party.call(token=first)).status_code == 200

"""RFC 9449 §2, FAPI 2.0 attacker model A5 and A7: whoever copied a token, a proof or a whole request can do nothing with it.

keycloak#38333: one endpoint forgot to check. So every GET of the document is tried.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from auth import jose
from auth.scopes import AGENCY_SCOPES
from tests.contract.document import DOCUMENT
from tests.makers import auth as make
from tests.makers.auth import ABSENT, Party


def refused(reply, kind: str) -> None:
    assert (reply.status_code, reply.json()["type"]) == (401, f"/problems/{kind}"), reply.text


class TestAToken:
    async def test_with_a_proof_by_the_thiefs_key(self, party):
        token = await party.token()
        proof = party.proof("GET", "/v1/probe", token, key=jose.generate())
        reply = await party.call(token=token, proof=proof)
        refused(reply, "invalid-dpop-proof")
        assert reply.json()["reason"] == "wrong_key"

    async def test_with_the_victims_public_key_in_a_proof_the_thief_signs(self, party):
        """The thumbprint is right; the signature is not."""
        token = await party.token()
        thief = jose.generate()
        proof = party.proof("GET", "/v1/probe", token, key=thief, header={"jwk": dict(party.proof_key.public.jwk)})
        reply = await party.call(token=token, proof=proof)
        refused(reply, "invalid-dpop-proof")
        assert reply.json()["reason"] == "signature"

    async def test_without_a_proof_in_either_scheme(self, party):
        token = await party.token()
        refused(await party.call(token=token, proof=ABSENT), "invalid-dpop-proof")
        refused(
            await party.call(token=token, proof=ABSENT, headers={"Authorization": f"Bearer {token}"}), "invalid-token"
        )

    async def test_is_not_active_to_another_client_nor_ended_by_it(self, world, party):
        """RFC 7662 §4, RFC 7009 §2.1."""
        token, other = await party.token(), await world.party(scopes=tuple(AGENCY_SCOPES))
        assert (await other.introspect(token)).json() == {"active": False}
        assert (await other.revoke(token)).status_code == 200
        assert (await party.call(token=token)).status_code == 200

    async def test_is_no_assertion_and_no_proof(self, party):
        """RFC 8725 §2.8: one kind of JWT in the place of another."""
        token = await party.token()
        assert (await party.ask(client_assertion=token)).json()["error"] == "invalid_client"
        assert (await party.ask(proof=token)).json()["error"] == "invalid_dpop_proof"
        for other in (party.assertion(), party.proof("GET", "/v1/probe", token)):
            refused(await party.call(token=other), "invalid-token")


class TestACopiedRequest:
    async def test_of_a_get_is_not_one_for_another_path_or_method(self, party):
        token = await party.token()
        proof = party.proof("GET", "/v1/probe/a", token)
        for method, path in (("POST", "/v1/probe/a"), ("GET", "/v1/probe/b"), ("GET", "/v1/probe")):
            reply = await party.call(path, method=method, token=token, proof=proof)
            assert reply.status_code in (401, 405), reply.text
        assert (await party.call("/v1/probe/a", token=token, proof=proof)).status_code == 200, "none of it used it up"

    async def test_is_too_old_after_a_minute_even_if_nobody_used_it(self, world, party):
        token = await party.token()
        proof = party.proof("GET", "/v1/probe", token)
        world.clock.shift(timedelta(seconds=61))
        reply = await party.call(token=token, proof=proof)
        refused(reply, "invalid-dpop-proof")
        assert reply.json()["reason"] == "iat"

    async def test_of_a_token_request_gives_nothing_after_it_was_refused_for_its_proof(self, party):
        """A refused request leaves its assertion unused; still nobody else can use it, since the proof is not theirs to make: they can,
        with a key of their own, but only who holds the assertion, which travels by TLS alone."""
        assertion = party.assertion()
        first = await party.ask(client_assertion=assertion, proof=ABSENT)
        assert first.status_code == 400
        assert (await party.ask(client_assertion=assertion)).status_code == 200
        assert (await party.ask(client_assertion=assertion)).status_code == 401

    async def test_proof_with_the_hash_of_another_token(self, party):
        """RFC 9449 §4.3 check 12: `ath` is of this very token."""
        one, other = await party.token(), await party.token()
        reply = await party.call(token=one, proof=party.proof("GET", "/v1/probe", other))
        refused(reply, "invalid-dpop-proof")
        assert reply.json()["reason"] == "ath"


@pytest.fixture
async def victim(exchange) -> AsyncIterator[Party]:
    """A client of the assembled service, with every scope there is."""
    conn = await asyncpg.connect(exchange.addresses.admin)
    code = await make.add_agency(conn, exchange.clock.now())
    issuer = exchange.settings.public_url
    credentials = await make.add_client(conn, exchange.clock.now(), issuer, agencies=[code])
    await exchange.directory.refresh()
    yield Party(credentials, [code], exchange.http, exchange.clock)
    await conn.close()


async def test_no_operation_takes_a_stolen_token(exchange, victim):
    """Every operation under /v1 that needs a token, with a token and the thief's own proof for exactly that request; then without any proof."""
    token, thief, tried = await victim.token(), jose.generate(), 0
    for path, operations in DOCUMENT["paths"].items():
        where = re.sub(r"{\w+}", "0190a6b0-0000-7000-8000-000000000000", path)
        for method, operation in operations.items():
            if not operation.get("security"):
                continue
            tried += 1
            headers = {"Authorization": f"DPoP {token}", "Idempotency-Key": "0123456789abcdef", "Rujukan-Actor": "x"}
            proof = victim.proof(method.upper(), where, token, key=thief)
            body = {} if method in ("post", "put", "patch") else None
            reply = await exchange.http.request(method.upper(), where, headers={**headers, "DPoP": proof}, json=body)
            assert (reply.status_code, reply.json().get("reason")) == (401, "wrong_key"), f"{method} {path}"
            reply = await exchange.http.request(method.upper(), where, headers=headers, json=body)
            assert reply.status_code == 401, f"{method} {path}"
    assert tried > 40
    mine = {"Authorization": f"DPoP {token}", "DPoP": victim.proof("GET", "/v1/me", token)}
    assert (await exchange.http.get("/v1/me", headers=mine)).status_code == 200, "the token itself is good"

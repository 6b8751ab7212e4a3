"""FAPI 2.0 attacker model A1, RFC 9068 §4, RFC 7523 §3 item 3, CVE-2025-27370: what another exchange gave or got counts for nothing here.

The other one really runs: a copy for training, say, with its own database and its own keys.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest

import auth.keys
from app.client import Credentials
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from app.main import create_app
from auth.admin.clients import add_client
from tests.conformance.mutations.sample import good_ones
from tests.conftest import GENEROUS, clone
from tests.makers import auth as make
from tests.makers.auth import EVERY_SCOPE, Party, ath, unverified

ELSEWHERE = "https://pelatihan.example"


@asynccontextmanager
async def another_exchange(template, folder, clock, issuer: str, copied: Party) -> AsyncIterator[Party]:
    """An exchange with a database and keys of its own, where `copied` has registered the same key under the same name."""
    where = await clone(template, f"other_{secrets.token_hex(4)}")
    settings = Settings(public_url=issuer, data_dir=folder, worker_in_process=False, database_pool_size=2, **GENEROUS)
    owner, conn = await asyncpg.connect(where.owner), await asyncpg.connect(where.admin)
    await owner.fetchval("SELECT ensure_partitions($1)", clock.now())
    await auth.keys.ensure_active(conn, Keyring.open(settings.keyring_path, create=True), clock.now())
    code = await make.add_agency(conn, clock.now(), copied.agencies[0])
    await add_client(
        conn, client_id=copied.client_id, name="x", agencies=[code], scopes=EVERY_SCOPE,
        jwks=copied.credentials.public_jwks(), now=clock.now(), actor="test",
    )  # fmt: skip
    await conn.close()
    await owner.close()
    app = create_app(settings, clock=clock, where=where)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=issuer) as http:
            credentials = Credentials(copied.client_id, issuer, copied.credentials.private_jwk)
            yield Party(credentials, copied.agencies, http, clock, proof_key=copied.proof_key)


@pytest.fixture
async def copied(world) -> Party:
    return await world.party()


@pytest.mark.parametrize("same_name", [False, True], ids=["its own name", "our very name"])
async def test_its_token_is_refused(world, template, copied, tmp_path, same_name):
    """Also where it was set up with the name of ours, as a copy for tests may be: then the keys differ still."""
    issuer = copied.issuer if same_name else ELSEWHERE
    async with another_exchange(template, tmp_path, world.clock, issuer, copied) as elsewhere:
        token = await elsewhere.token()
        assert unverified(token)[1]["iss"] == issuer
        assert (await elsewhere.call("/v1/me", token=token)).status_code == 200
        reply = await copied.call(token=token)
        assert (reply.status_code, reply.json()["reason"]) == (401, "signing_key")
        assert (await copied.introspect(token)).json() == {"active": False}


async def test_what_it_was_sent_is_of_no_use_here(world, template, copied, tmp_path):
    """It is malicious, or was broken into: it has assertions and proofs that our client made for it."""
    async with another_exchange(template, tmp_path, world.clock, ELSEWHERE, copied) as elsewhere:
        assertion, proof = elsewhere.assertion(), elsewhere.proof("POST", "/oauth2/token")
        ours = {"client_assertion": copied.assertion(), "proof": copied.proof("POST", "/oauth2/token")}
        reply = await copied.ask(client_assertion=assertion)
        assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")
        assert (await copied.ask(proof=proof)).json()["error"] == "invalid_dpop_proof"
        assert (await elsewhere.ask(client_assertion=ours["client_assertion"])).status_code == 401
        assert (await copied.ask(**ours)).status_code == 200


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": ELSEWHERE}, "issuer"),
        ({"iss": "https://rujukan.example/"}, "issuer"),
        ({"iss": "HTTPS://rujukan.example"}, "issuer"),
        ({"iss": "https://rujukan.example:443"}, "issuer"),
        ({"aud": ELSEWHERE}, "audience"),
        ({"aud": [ELSEWHERE, "https://rujukan.example"]}, "audience"),
        ({"aud": ["https://rujukan.example"]}, "audience"),
        ({"aud": "https://rujukan.example/v1"}, "audience"),
        ({"aud": "https://rujukan.example/"}, "audience"),
        ({"aud": "client-one"}, "audience"),
        ({"aud": {"https://rujukan.example": 1}}, "audience"),
    ],
    ids=str,
)
async def test_issuer_and_audience_are_compared_as_texts(world, copied, claims, reason):
    """RFC 9068 §4 with RFC 3986 §6.2.1: by our own key, with one letter more or less."""
    good = good_ones(
        client_id=copied.client_id, agency=copied.agencies[0], sender=copied.credentials.signing_key(), prover=copied.proof_key,
        active=(await world.directory.current()).signing.active, now=world.clock.now(), token_hash=ath("x"),
    )["token"]  # fmt: skip
    assert (await copied.call(token=good.text)).status_code == 200
    reply = await copied.call(token=good.signed(good.header, {**good.claims, **claims}))
    assert (reply.status_code, reply.json()["reason"]) == (401, reason)


@pytest.mark.parametrize(
    "aud",
    [
        "https://rujukan.example/oauth2/token",
        "https://rujukan.example/",
        "HTTPS://RUJUKAN.EXAMPLE",
        "https://rujukan.example:443",
        "rujukan.example",
        ["https://rujukan.example"],
        ["https://rujukan.example", ELSEWHERE],
        ELSEWHERE,
        "https://rujukan.example https://pelatihan.example",
        "",
        None,
    ],
    ids=str,
)
async def test_an_assertion_for_another_audience_is_refused_everywhere(copied, aud):
    """CVE-2025-27370, CVE-2025-27371: at the token endpoint, at introspection, at revocation."""
    for path in ("/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"):
        assertion = copied.assertion(aud=aud)
        if path == "/oauth2/token":
            reply = await copied.ask(client_assertion=assertion)
        else:
            reply = await copied.about(path, "x", client_assertion=assertion)
        assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")

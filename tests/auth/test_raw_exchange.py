"""The raw exchange of the integrators' page and the OpenAPI document is what the service does, byte by byte, over a real connection at its time."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from datetime import datetime

import asyncpg
import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from app.cli.client_checks import of_key
from app.foundation.clock import Clock
from app.foundation.ids import uuid7
from app.foundation.keyring import Keyring, Place
from app.foundation.settings import Settings
from app.main import create_app
from auth import jose, queries
from auth.admin.agencies import add_agency
from auth.admin.client_keys import certificate_jwk, registered_keys
from auth.admin.clients import add_client
from auth.admin.errors import UnusableKeyError
from auth.admin.queries import insert_client_key
from auth.example_keys import EXAMPLE_KEYS
from tests.conftest import clone
from tests.contract.document import DOCUMENT
from tests.makers import raw_exchange as page
from tests.makers.certificates import self_signed
from tests.makers.tls import running


class Stopped(Clock):
    """It is always the page's time."""

    def now(self) -> datetime:
        return page.AT


@pytest.fixture
async def port(template, tmp_path):
    """The service of the page: its key, its agency, its client, its time, on a database of its own."""
    addresses = await clone(template, f"raw_{secrets.token_hex(4)}")
    settings = Settings(public_url=page.ISSUER, data_dir=tmp_path, worker_in_process=False, database_pool_size=2)
    keyring = Keyring.open(settings.keyring_path, create=True)
    owner, conn = await asyncpg.connect(addresses.owner), await asyncpg.connect(addresses.admin)
    await owner.fetchval("SELECT ensure_partitions($1)", page.AT)
    key, id = page.OF_THE_EXCHANGE, uuid7(page.AT)
    await queries.insert_signing_key(
        conn,
        id=id,
        kid=key.public.kid,
        state="active",
        jwk=key.public_jwk(),
        private_sealed=keyring.seal_one(
            Place("signing_key.private_sealed", id), json.dumps(key.private_jwk()).encode()
        ),
        at=page.AT,
    )
    acts = {"now": page.AT, "actor": "test"}
    await add_agency(conn, code=page.AGENCY, name=page.AGENCY_NAME, kind="trauma_centre", **acts)
    another = {"keys": [jose.generate().public_jwk()]}
    await add_client(
        conn,
        client_id=page.CLIENT_ID,
        name="x",
        agencies=[page.AGENCY],
        scopes=["cases.read", "events.read"],
        jwks=another,
        **acts,
    )
    # what is published is not registered (auth/example_keys.py): only so can it be in the database
    published = page.REGISTERED.public
    jwk = {**published.jwk, "kid": published.kid, "use": "sig"}
    await insert_client_key(conn, client_id=page.CLIENT_ID, kid=published.kid, jwk=jwk, at=page.AT)
    for each in (owner, conn):
        await each.close()
    listening = socket.create_server(("127.0.0.1", 0))
    with running(create_app(settings, clock=Stopped(), where=addresses), settings, listening):
        yield listening.getsockname()[1]


async def answer(port: int, request: bytes) -> tuple[list[str], str]:
    """Send bytes, and return the answer's head without what differs each time, and its body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
    length = next(int(line[15:]) for line in head if line.startswith("content-length:"))
    body = (await reader.readexactly(length)).decode("ascii")
    writer.close()
    return [line for line in head if not line.startswith(("date:", "x-request-id:", "ratelimit"))], body


def shown(message: str) -> tuple[list[str], str]:
    head, _, body = message.partition("\r\n\r\n")
    return head.split("\r\n"), body


FILE = page.read()


def test_it_is_as_it_is_made_and_the_page_has_it():
    again = "run `python -m tests.makers.raw_exchange`"
    assert page.made() == FILE, again
    assert page.section(FILE) in page.PAGE.read_text(), again


def test_the_openapi_document_holds_it():
    assert DOCUMENT["x-raw-exchange"] == FILE


def test_its_keys_are_refused_wherever_one_could_be_used():
    """What everybody can sign by must vouch for nobody."""
    for key in FILE["keys"].values():
        public = {name: value for name, value in key["private_jwk"].items() if name != "d"}
        assert key["thumbprint"] in EXAMPLE_KEYS
        with pytest.raises(UnusableKeyError, match="published example"):
            registered_keys("private_key_jwt", [public])
        finding, _ = of_key(key["private_jwk"])
        assert (finding.state, "published example" in finding.says) == ("fail", True)
        certificate = self_signed("CN=contoh", key=jose.import_private(key["private_jwk"]).key.raw_value)
        with pytest.raises(UnusableKeyError, match="published example"):
            registered_keys("self_signed_tls_client_auth", [certificate_jwk(certificate.pem)])


def test_other_keys_of_rfcs_are_refused_too():
    """RFC 7638 §3.1 (the private key is in RFC 7517 appendix A.2) and RFC 8037 appendix A.3."""
    for jwk in OF_RFCS:
        with pytest.raises(UnusableKeyError, match="published example"):
            registered_keys("private_key_jwt", [jwk])


async def test_in_production_no_token_is_bound_to_one(world, party):
    party.proof_key = page.PROVING
    assert (await party.ask()).status_code == 200
    world.app.state.settings = world.settings.model_copy(update={"env": "production"})
    try:
        reply = await party.ask()
    finally:
        world.app.state.settings = world.settings
    assert (reply.status_code, reply.json()) == (
        400,
        {"error": "invalid_dpop_proof", "error_description": "The key of the DPoP proof is a published example."},
    )


async def test_the_service_answers_as_the_page_says(port):
    head, body = await answer(port, FILE["token_request"].encode("ascii"))
    assert head[0] == "HTTP/1.1 200 OK", body
    given = json.loads(body)["access_token"]
    parts = jose.parse(given, {"at+jwt"})
    assert parts.is_signed_by(page.OF_THE_EXCHANGE.public)
    signing_input = given.rpartition(".")[0]
    claims = page.compact({**parts.claims, "jti": "contoh-token-1"})
    assert f"{signing_input.partition('.')[0]}.{page.b64(claims.encode())}" == page.TOKEN.input
    body = body.replace(given, page.TOKEN.jws)
    head = [f"content-length: {len(body)}" if line.startswith("content-length") else line for line in head]
    assert (head, body) == shown(FILE["token_answer"])

    assert await answer(port, FILE["call"].encode("ascii")) == shown(FILE["call_answer"])

    refused = [json.loads((await answer(port, FILE[each].encode("ascii")))[1]) for each in ("token_request", "call")]
    assert refused[0] == {"error": "invalid_client", "error_description": "The assertion was used before."}
    assert refused[1]["type"] == "/problems/dpop-proof-replayed"


@pytest.mark.parametrize(
    ("signed", "key"),
    [
        ("assertion", "registered"),
        ("token_proof", "proving"),
        ("call_proof", "proving"),
        ("access_token", "of_the_exchange"),
    ],
)
def test_another_library_verifies_its_signatures(signed, key):
    by = ECKey.import_key(FILE["keys"][key]["private_jwk"])
    found = jws.deserialize_compact(FILE[signed]["jws"], by, algorithms=["ES256"])
    assert found.payload.decode() == FILE[signed]["claims"]


OF_RFCS = [
    {
        "kty": "RSA",
        "e": "AQAB",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"
        "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbI"
        "SD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    },
    {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
]

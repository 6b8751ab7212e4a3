"""The raw exchange of the integrators' page is what the service does, byte by byte, over a real connection at the page's time."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from datetime import datetime

import asyncpg
import pytest
from joserfc import jws

from app.foundation.clock import Clock
from app.foundation.ids import uuid7
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from app.main import create_app
from auth import jose, queries
from auth.admin.agencies import add_agency
from auth.admin.clients import add_client
from tests.conftest import clone
from tests.makers import raw_exchange as page
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
        private_sealed=keyring.seal_one(id, json.dumps(key.private_jwk()).encode()),
        at=page.AT,
    )
    acts = {"now": page.AT, "actor": "test"}
    await add_agency(conn, code=page.AGENCY, name=page.AGENCY_NAME, kind="trauma_centre", **acts)
    registered = {"keys": [dict(page.REGISTERED.public.jwk)]}  # without a kid
    await add_client(
        conn,
        client_id=page.CLIENT_ID,
        name="x",
        agencies=[page.AGENCY],
        scopes=["cases.read", "events.read"],
        jwks=registered,
        **acts,
    )
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


def shown(lines: tuple[str, ...]) -> tuple[list[str], str]:
    return list(lines[:-2]), lines[-1]


def test_the_page_has_it():
    assert page.section() in page.PAGE.read_text(), "run `python -m tests.makers.raw_exchange`"


async def test_the_service_answers_as_the_page_says(port):
    head, body = await answer(port, page.raw(page.TOKEN_REQUEST))
    assert head[0] == "HTTP/1.1 200 OK", body
    given = json.loads(body)["access_token"]
    parts = jose.parse(given, {"at+jwt"})
    assert parts.is_signed_by(page.OF_THE_EXCHANGE.public)
    signing_input = given.rpartition(".")[0]
    claims = page.compact({**parts.claims, "jti": "contoh-token-1"})
    assert f"{signing_input.partition('.')[0]}.{page.b64(claims.encode())}" == page.TOKEN.input
    body = body.replace(given, page.TOKEN.jws)
    head = [f"content-length: {len(body)}" if line.startswith("content-length") else line for line in head]
    assert (head, body) == shown(page.TOKEN_ANSWER)

    assert await answer(port, page.raw(page.CALL)) == shown(page.CALL_ANSWER)

    refused = [json.loads((await answer(port, page.raw(each)))[1]) for each in (page.TOKEN_REQUEST, page.CALL)]
    assert refused[0] == {"error": "invalid_client", "error_description": "The assertion was used before."}
    assert refused[1]["type"] == "/problems/dpop-proof-replayed"


@pytest.mark.parametrize(
    ("signed", "key"),
    [
        (page.ASSERTION, page.REGISTERED),
        (page.FIRST_PROOF, page.PROVING),
        (page.SECOND_PROOF, page.PROVING),
        (page.TOKEN, page.OF_THE_EXCHANGE),
    ],
    ids=["assertion", "first proof", "second proof", "token"],
)
def test_another_library_verifies_its_signatures(signed, key):
    assert jws.deserialize_compact(signed.jws, key.key, algorithms=["ES256"]).payload.decode() == signed.claims

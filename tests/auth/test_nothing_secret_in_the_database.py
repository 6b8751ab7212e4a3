"""What is secret in the database is encrypted or hashed: every column of every table is read after the service was used.

Whoever copies the database without the keyring can sign no token, be no client and take over no session.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import b64encode, urlsafe_b64decode
from uuid import UUID

import asyncpg
import pytest
from tink import TinkError

from app.foundation.ids import uuid7
from app.foundation.keyring import Place
from auth.people import sessions
from tests.makers import auth as make
from tests.makers.auth import Party


async def everything(owner: asyncpg.Connection) -> str:
    """Every row of every table as text; what is binary is in it as hex."""
    tables = await owner.fetch(
        "SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    )
    assert len(tables) > 30
    rows = []
    for table in tables:
        rows += [row["line"] for row in await owner.fetch(f"SELECT t::text AS line FROM {table['name']} AS t")]
    return "\n".join(rows)


def ways_of_writing(secret: bytes) -> set[str]:
    """A secret as it may stand in a column."""
    return {
        secret.hex(), secret.hex().upper(), b64encode(secret).decode(), make.b64(secret), str(int.from_bytes(secret, "big"))
    }  # fmt: skip


async def test_no_private_key_no_token_and_no_session_is_there_in_clear(exchange):
    now = exchange.clock.now()
    admin = await asyncpg.connect(exchange.addresses.admin)
    code = await make.add_agency(admin, now)
    credentials = await make.add_client(admin, now, exchange.settings.public_url, agencies=[code])
    await exchange.directory.refresh()
    party = Party(credentials, [code], exchange.http, exchange.clock)

    # a client's day: tokens, calls, a repeated request, introspection, revocation, refusals
    assertion, proof = party.assertion(), party.proof("POST", "/oauth2/token")
    token = (await party.ask(client_assertion=assertion, proof=proof)).json()["access_token"]
    used = party.proof("GET", "/v1/me", token)
    for _ in range(2):
        await party.call("/v1/me", token=token, proof=used)
    await party.introspect(token)
    await party.revoke(token)
    await party.call("/v1/me", token=token)
    await party.ask(client_assertion=assertion)

    # the exchange's keys
    rows = await exchange.owner.fetch("SELECT id, private_sealed FROM signing_key WHERE private_sealed IS NOT NULL")
    signing = [json.loads(exchange.keyring.open_one(place(row["id"]), row["private_sealed"])) for row in rows]
    assert signing

    # an administrator's session
    admin_id = uuid7(now)
    await exchange.owner.execute(
        "INSERT INTO administrator (id, reference, name, roles, created_at) VALUES ($1, $2, 'x', $3, $4)",
        admin_id,
        f"op-{secrets.token_hex(3)}",
        ["operator"],
        now,
    )
    session = await sessions.begin(admin, admin_id, method="command_line", address=None, user_agent=None, now=now)
    await admin.close()

    found = await everything(exchange.owner)
    assert credentials.client_id in found, "what is looked through is what was written"
    assert hashlib.sha256(session.encode()).hexdigest() in found, "the session is known by its hash"
    for jwk in [*signing, credentials.private_jwk]:
        for way in ways_of_writing(urlsafe_b64decode(str(jwk["d"]) + "==")):
            assert way not in found
    for sent in (token, assertion, proof, used):
        head, payload, signature = sent.split(".")
        assert signature not in found
        assert payload not in found
        assert f"{head}.{payload}" not in found
    for way in {session, *ways_of_writing(session.encode()), *ways_of_writing(urlsafe_b64decode(session + "="))}:
        assert way not in found
    assert "PRIVATE KEY" not in found
    assert '"d":' not in found.replace(" ", "").replace("\\", "")
    keyring = json.loads(exchange.settings.keyring_path.read_text())
    assert not any(part in found for part in leaves(keyring) if len(part) > 24)


def place(key_id: UUID) -> Place:
    return Place("signing_key.private_sealed", key_id)


def leaves(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in leaves(each)]
    if isinstance(value, list):
        return [text for each in value for text in leaves(each)]
    return [value] if isinstance(value, str) else []


async def test_a_sealed_key_opens_for_its_own_row_alone(exchange):
    """Its id is bound into the ciphertext: who can write to the table cannot put a key of an older time in another's place."""
    rows = await exchange.owner.fetch("SELECT id, private_sealed FROM signing_key WHERE private_sealed IS NOT NULL")
    sealed = rows[0]["private_sealed"]
    assert exchange.keyring.open_one(place(rows[0]["id"]), sealed)
    with pytest.raises(TinkError, match="Authentication failed"):
        exchange.keyring.open_one(place(uuid7(exchange.clock.now())), sealed)

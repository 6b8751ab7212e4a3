"""What the service's own role can do to clients: what the functions of registration allow, whatever the service asks them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from auth import jose
from auth.registration import tokens
from tests.makers.registering import Invited, invite, invited

__all__ = ["invite", "invited"]
DAY = timedelta(days=1)


@pytest.fixture
async def service(world: Any) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the service has it."""
    conn = await asyncpg.connect(world.addresses.app)
    yield conn
    await conn.close()


def client(**values: Any) -> str:
    right = {
        "client_id": "client-by-hand",
        "name": "x",
        "scopes": ["cases.read"],
        "auth_method": "private_key_jwt",
        "certificate_bound": False,
        "keys": [],
    }
    return json.dumps({**right, **values})


async def register(service: asyncpg.Connection, invited: Invited, **values: Any) -> bool:
    now = invited.world.clock.now()
    done: bool = await service.fetchval(
        "SELECT register_client($1, $2, $3, $4, 'r', $5::jsonb)",
        tokens.hash_of(invited.token),
        b"hash",
        now,
        DAY,
        client(**values),
    )
    return done


class TestTheService:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE client SET status = 'active'",
            "UPDATE client SET scopes = '{admin.write}'",
            "INSERT INTO client (client_id, name, scopes, created_at) VALUES ('abc', 'x', '{a}', now())",
            "INSERT INTO client_key SELECT * FROM client_key",
            "UPDATE client_key SET ends_at = NULL",
            "DELETE FROM client_key",
            "INSERT INTO client_agency SELECT * FROM client_agency",
            "SELECT * FROM initial_access_token",
            "UPDATE initial_access_token SET uses_left = 9",
            "SELECT * FROM approval",
            "UPDATE approval SET state = 'approved'",
            "UPDATE client_jwks SET tried_at = '-infinity'",
            "SELECT registration_detail('x')",
            "SELECT ask_for_client('x', 'x', now(), '1 day', 'x')",
        ],
    )
    async def test_changes_no_client_by_itself(self, service, statement) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute(statement)

    async def test_registers_no_more_than_was_invited(self, service, invited) -> None:
        for scopes in (["cases.read", "cases.write"], ["admin.write"]):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await register(service, invited, scopes=scopes)
        stored = await invited.world.admin.fetchval(
            "SELECT uses_left FROM initial_access_token WHERE id = $1", invited.id
        )
        assert stored == 20

    async def test_registers_nobody_without_an_invitation(self, service, invited) -> None:
        invited.token = "another"
        assert not await register(service, invited)

    async def test_registers_no_private_key(self, service, invited) -> None:
        with pytest.raises(asyncpg.CheckViolationError):
            await register(service, invited, keys=[{"kid": "a", "jwk": jose.generate().private_jwk()}])

    async def test_stores_published_keys_only_for_who_publishes_them_there(self, world, service, party) -> None:
        key = [{"kid": "mine", "jwk": jose.generate().public_jwk()}]
        for uri in (None, "https://keys.example/"):
            stored = await service.fetchval(
                "SELECT store_client_jwks($1, $2, $3, $4::jsonb, NULL, $5)",
                party.client_id,
                uri,
                world.clock.now(),
                json.dumps(key),
                DAY,
            )
            assert not stored
        assert not await service.fetchval(
            "SELECT claim_jwks_fetch($1, $2, true, $3, $3)", party.client_id, world.clock.now(), DAY
        )

    async def test_manages_no_client_without_its_token(self, world, service, party) -> None:
        retired = await service.fetchval(
            "SELECT retire_registration($1, $2, $3, 'r')", party.client_id, b"", world.clock.now()
        )
        assert retired is False
        replaced = await service.fetchval(
            "SELECT replace_registration($1, NULL, $2, $3, $4, $4, 'r', 'active', $5::jsonb)",
            party.client_id,
            b"new",
            world.clock.now(),
            DAY,
            client(),
        )
        assert replaced == "gone"

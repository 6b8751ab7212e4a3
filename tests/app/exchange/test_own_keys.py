"""A client rotates its own key: it is announced at once, works in an hour, and never leaves the client without one."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from app.client import Credentials, ExchangeClient, TokenRefusedError
from app.exchange.own_client.queries import remind_of_ending_keys
from auth import jose
from auth.admin.client_keys import certificate_jwk
from auth.admin.clients import add_client
from auth.scopes import Scope
from tests.makers.certificates import self_signed
from tests.makers.world import World


@dataclass
class Own:
    """A client of two agencies, for this test alone."""

    world: World
    credentials: Credentials
    client: ExchangeClient

    @property
    def client_id(self) -> str:
        return self.credentials.client_id

    async def add(self, jwk: dict[str, Any], **more: Any) -> httpx.Response:
        again = more.pop("idempotency_key", None)
        return await self.client.post("/v1/me/keys", json={"jwk": jwk, **more}, idempotency_key=again)

    async def list(self) -> list[dict[str, Any]]:
        reply = await self.client.get("/v1/me/keys")
        assert reply.status_code == 200, reply.text
        found: list[dict[str, Any]] = reply.json()["items"]
        return found

    async def end(self, id: str) -> httpx.Response:
        return await self.client.post(f"/v1/me/keys/{id}/end")

    async def works(self, key: jose.SigningKey) -> bool:
        """Whether the client gets a token by this key now."""
        credentials = Credentials(self.client_id, self.credentials.issuer, key.private_jwk(), "iom")
        other = ExchangeClient(credentials, http=self.world.exchange.http, clock=self.world.exchange.clock)
        await self.world.exchange.directory.refresh()
        try:
            await other.token()
        except TokenRefusedError:
            return False
        return True

    async def ends_at(self, ends: timedelta | None) -> None:
        """Let its present keys end then, as an administrator could."""
        now = self.world.exchange.clock.now()
        await self.world.owner.execute(
            "UPDATE client_key SET ends_at = $2 WHERE client_id = $1",
            self.client_id,
            None if ends is None else now + ends,
        )
        await self.world.exchange.directory.refresh()


async def register(world: World, **values: Any) -> Own:
    credentials = Credentials.generate(
        f"client-{secrets.token_hex(4)}", world.exchange.settings.public_url, agency="iom"
    )
    conn = await asyncpg.connect(world.exchange.addresses.admin)
    await add_client(
        conn, client_id=credentials.client_id, name="x", agencies=["iom", "lpsk"], scopes=[str(scope) for scope in Scope],
        now=world.exchange.clock.now(), actor="test", **({"jwks": credentials.public_jwks()} | values),
    )  # fmt: skip
    await conn.close()
    await world.exchange.directory.refresh()
    client = ExchangeClient(credentials, http=world.exchange.http, clock=world.exchange.clock)
    return Own(world, credentials, client)


@pytest.fixture
async def own(world: World) -> AsyncIterator[Own]:
    made = await register(world)
    yield made
    await world.owner.execute(
        "UPDATE client SET status = 'retired', status_before = NULL WHERE client_id LIKE 'client-%' AND name = 'x'"
    )
    await world.exchange.directory.refresh()


def key(**members: Any) -> dict[str, Any]:
    return {**jose.generate().public_jwk(), **members}


class TestAddingAKey:
    async def test_is_announced_at_once_and_works_after_an_hour(self, world: World, own: Own) -> None:
        fresh = jose.generate()
        reply = await own.add(fresh.public_jwk())
        assert reply.status_code == 201, reply.text
        made = reply.json()
        assert (made["added_by"], made["counts"], made["ends_at"]) == ("client", False, None)
        assert await world.told() == [("iom", "client.key_added"), ("lpsk", "client.key_added")]
        subject = await world.owner.fetchval("SELECT subject_id::text FROM outbox LIMIT 1")
        assert subject == made["id"]
        world.exchange.later(minutes=59, seconds=55)
        assert not await own.works(fresh)
        world.exchange.later(seconds=6)
        assert await own.works(fresh)
        (logged,) = await world.log(action="client:add_own_key")
        assert (logged["client_id"], logged["outcome"]) == (own.client_id, "done")

    async def test_can_be_repeated(self, world: World, own: Own) -> None:
        jwk, again = key(), secrets.token_hex(8)
        first = await own.add(jwk, idempotency_key=again)
        second = await own.add(jwk, idempotency_key=again)
        assert (second.status_code, second.json()) == (201, first.json())
        assert len(await own.list()) == 2
        other = await own.add(key(), idempotency_key=again)
        assert other.json()["type"] == "/problems/idempotency-key-reused"

    async def test_of_a_key_there_is_or_was_is_refused(self, world: World, own: Own) -> None:
        jwk = key()
        made = (await own.add(jwk)).json()
        await own.end(made["id"])
        for known in (
            jwk,
            {**jwk, "kid": "under-another-name"},
            own.credentials.public_jwks()["keys"][0],
            key(kid=made["kid"]),
        ):
            reply = await own.add(known)
            assert (reply.status_code, reply.json()["type"]) == (409, "/problems/key-known")

    async def test_goes_to_ten_that_have_not_ended(self, world: World, own: Own) -> None:
        made = [(await own.add(key())).json() for _ in range(9)]
        reply = await own.add(key())
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/too-many-keys")
        await own.end(made[0]["id"])
        assert (await own.add(key())).status_code == 201

    async def test_goes_to_ten_also_when_many_come_at_once(self, world: World, own: Own) -> None:
        await own.client.token()
        replies = await asyncio.gather(*(own.add(key()) for _ in range(12)))
        assert sorted(reply.status_code for reply in replies) == [201] * 9 + [409] * 3

    @pytest.mark.parametrize(
        ("jwk", "problem"),
        [
            ({}, "key-unusable"),
            ({"kty": "oct", "k": "c2VjcmV0"}, "key-unusable"),
            ({"kty": "EC", "crv": "P-256", "x": "!", "y": 7}, "key-unusable"),
            (jose.generate().private_jwk(), "key-unusable"),
            (key(kid="x" * 129), "key-unusable"),
            (key(kid="a\x00b"), "key-unusable"),
            ({str(number): number for number in range(30)}, "invalid-request"),
            ("a key", "invalid-request"),
            (None, "invalid-request"),
        ],
    )
    async def test_of_what_is_no_key_is_refused_and_told_to_nobody(
        self, world: World, own: Own, jwk: Any, problem: str
    ) -> None:
        reply = await own.add(jwk)
        assert (reply.status_code, reply.json()["type"]) == (422, f"/problems/{problem}")
        if isinstance(jwk, dict) and "d" in jwk:
            assert jwk["d"] not in reply.text
        assert await world.told() == []
        assert len(await own.list()) == 1

    @pytest.mark.parametrize("ends", [timedelta(0), timedelta(minutes=59), timedelta(days=-1)])
    async def test_that_would_end_before_it_starts_is_refused(self, world: World, own: Own, ends: timedelta) -> None:
        reply = await own.add(key(), ends_at=(world.exchange.clock.now() + ends).isoformat())
        assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/ends_at")

    async def test_is_nothing_another_agency_does_for_it(self, world: World, own: Own) -> None:
        reply = await own.client.get("/v1/me/keys", headers={"Rujukan-Acts-For": "police"})
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/may-not-act-for")

    async def test_is_for_clients_whose_keys_are_kept_here(self, world: World) -> None:
        own = await register(world)
        await own.client.token()
        await world.owner.execute(
            "UPDATE client SET jwks_uri = 'https://x.example/jwks' WHERE client_id = $1", own.client_id
        )
        await world.exchange.directory.refresh()
        assert (await own.add(key())).json()["type"] == "/problems/keys-elsewhere"

    async def test_of_a_client_known_by_its_certificate_needs_that(self, world: World, own: Own) -> None:
        await own.client.token()
        await world.owner.execute(
            "UPDATE client SET auth_method = 'self_signed_tls_client_auth' WHERE client_id = $1", own.client_id
        )
        await world.exchange.directory.refresh()
        assert (await own.add(key())).json()["type"] == "/problems/key-unusable"
        assert (await own.add(certificate_jwk(self_signed().pem))).status_code == 201


class TestEndingAKey:
    async def test_ends_it_with_its_tokens_and_tells_the_agencies(self, world: World, own: Own) -> None:
        fresh = jose.generate()
        made = (await own.add(fresh.public_jwk())).json()
        world.exchange.later(hours=1, seconds=1)
        first = next(each for each in await own.list() if each["added_by"] == "admin")
        reply = await own.end(first["id"])
        assert (reply.status_code, reply.json()["counts"]) == (200, False)
        await world.exchange.directory.refresh()
        with pytest.raises(TokenRefusedError):
            await own.client.get("/v1/me")
        assert await own.works(fresh)
        assert ("lpsk", "client.key_ended") in await world.told()
        assert made["id"] != first["id"]

    async def test_never_ends_the_last_that_works(self, world: World, own: Own) -> None:
        await own.add(key())  # does not work yet
        first = next(each for each in await own.list() if each["added_by"] == "admin")
        reply = await own.end(first["id"])
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/last-key")
        assert (await own.client.get("/v1/me")).status_code == 200

    async def test_leaves_one_also_when_both_are_ended_at_once(self, world: World, own: Own) -> None:
        await own.add(key())
        world.exchange.later(hours=1, seconds=1)
        await own.client.token()
        replies = await asyncio.gather(*(own.end(each["id"]) for each in await own.list()))
        assert sorted(reply.status_code for reply in replies) == [200, 409]

    async def test_is_for_ones_own_that_has_not_ended(self, world: World, own: Own) -> None:
        made = (await own.add(key())).json()
        assert (await own.end(made["id"])).status_code == 200
        assert (await own.end(made["id"])).status_code == 404
        other = await register(world)
        theirs = (await other.list())[0]["id"]
        assert (await own.end(theirs)).status_code == 404
        assert theirs not in {each["id"] for each in await own.list()}


class TestWhoAmI:
    async def test_says_when_the_last_key_ends(self, world: World, own: Own) -> None:
        assert (await own.client.get("/v1/me")).json()["key_ends_at"] is None
        await own.ends_at(timedelta(days=30))
        ends = (await own.client.get("/v1/me")).json()["key_ends_at"]
        assert ends is not None
        await own.add(key())
        await world.exchange.directory.refresh()
        assert (await own.client.get("/v1/me")).json()["key_ends_at"] is None


class TestReminders:
    async def remind(self, world: World) -> list[tuple[str, str]]:
        """Do what the worker does, and say who was told since."""
        await world.owner.execute("DELETE FROM outbox")
        conn = await asyncpg.connect(world.exchange.addresses.worker)
        try:
            await remind_of_ending_keys(conn, world.exchange.clock.now())
        finally:
            await conn.close()
        return [each for each in await world.told() if each[1] == "client.key_ending"]

    async def test_come_fourteen_days_and_two_days_before_and_once_each(self, world: World, own: Own) -> None:
        await own.ends_at(timedelta(days=20))
        told = [("iom", "client.key_ending"), ("lpsk", "client.key_ending")]
        for days, expected in ((5, []), (2, told), (1, []), (9, []), (1.5, told), (0.5, []), (2, [])):
            world.exchange.later(days=days)
            assert await self.remind(world) == expected, days

    async def test_come_once_where_little_time_is_left(self, world: World, own: Own) -> None:
        await own.ends_at(timedelta(hours=30))
        assert len(await self.remind(world)) == 2
        world.exchange.later(hours=3)
        assert await self.remind(world) == []

    async def test_do_not_come_where_another_key_follows(self, world: World, own: Own) -> None:
        assert (await own.add(key())).status_code == 201
        await world.owner.execute(
            "UPDATE client_key SET ends_at = $2 WHERE client_id = $1 AND added_by = 'admin'",
            own.client_id, world.exchange.clock.now() + timedelta(days=3),
        )  # fmt: skip
        assert await self.remind(world) == []

    async def test_come_where_the_other_key_ends_first(self, world: World, own: Own) -> None:
        ends = (world.exchange.clock.now() + timedelta(days=1)).isoformat()
        assert (await own.add(key(), ends_at=ends)).status_code == 201
        await world.owner.execute(
            "UPDATE client_key SET ends_at = $2 WHERE client_id = $1 AND added_by = 'admin'",
            own.client_id, world.exchange.clock.now() + timedelta(days=3),
        )  # fmt: skip
        assert len(await self.remind(world)) == 2

    async def test_are_not_for_who_is_shut_out(self, world: World, own: Own) -> None:
        await own.ends_at(timedelta(days=1))
        await world.owner.execute(
            "UPDATE client SET status = 'retired', status_before = NULL WHERE client_id = $1", own.client_id
        )
        assert await self.remind(world) == []

    async def test_are_a_job_of_the_worker(self, world: World, own: Own) -> None:
        await own.ends_at(timedelta(days=1))
        assert await world.exchange.worker.remind_of_ending_keys() == 1
        assert await world.exchange.worker.remind_of_ending_keys() == 0

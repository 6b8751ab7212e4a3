"""Keys that sections are sealed to: an agency's own client publishes and ends them, everybody in the directory reads them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg

from app.client import Credentials, ExchangeClient
from app.sealing import generate_key, public_part
from auth.admin.clients import add_client
from auth.admin.kill_switch import stop
from auth.admin.sealing_keys import end_sealing_key
from auth.scopes import Scope
from tests.makers.sealed import publish
from tests.makers.world import Agency, World

PATH = "/v1/me/encryption-keys"


async def published(world: World, code: str, who: Agency | None = None) -> list[dict[str, Any]]:
    reply = await (who or world.police).get(f"/v1/agencies/{code}/encryption-keys")
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["keys"]
    return found


class TestAKey:
    async def test_is_announced_at_once_and_read_by_all_after_an_hour(self, world: World) -> None:
        key = generate_key("X25519")
        reply = await world.shelter.post(PATH, {"jwk": public_part(key)})
        assert reply.status_code == 201, reply.text
        assert reply.json() | {"counts": False, "kid": key["kid"], "added_by": "shelter-system"} == reply.json()
        assert await world.told() == [("shelter", "agency.encryption_key_added")]
        world.exchange.later(minutes=59, seconds=55)
        assert await published(world, "shelter") == []
        world.exchange.later(seconds=6)
        for who in (world.police, world.stranger, world.shelter):
            assert await published(world, "shelter", who) == [public_part(key)]
        (second,) = await publish(world, world.shelter)
        assert [each["kid"] for each in await published(world, "shelter")] == [second["kid"], key["kid"]], (
            "they overlap"
        )
        first = reply.json()["id"]
        assert (await world.police.post(f"{PATH}/{first}/end", {"reason": "replaced"})).status_code == 404, "another's"
        ended = await world.shelter.post(f"{PATH}/{first}/end", {"reason": "replaced"})
        assert (ended.status_code, ended.json()["items"]) == (200, [])
        assert [each["kid"] for each in await published(world, "shelter")] == [second["kid"]]
        assert (await world.shelter.post(f"{PATH}/{first}/end", {"reason": "lost"})).status_code == 404
        known = await world.shelter.post(PATH, {"jwk": public_part(key)})
        assert known.json()["type"].endswith("key-known"), "an ended key does not come back"
        own = (await world.shelter.get(PATH)).json()["items"]
        assert [(each["kid"], each["end_reason"]) for each in own] == [(second["kid"], None), (key["kid"], "replaced")]
        assert (await world.police.get(PATH)).json()["items"] == []

    async def test_is_what_sections_can_be_sealed_to_and_nothing_else(self, world: World) -> None:
        key, other = generate_key(), generate_key("X25519")
        public = public_part(key)
        wrong: dict[str, Any] = {
            "private": key,
            "for signatures": {**public, "use": "sig"},
            "another algorithm": {**public, "alg": "ECDH-ES"},
            "another kid": {**public, "kid": "shelter-1"},
            "another curve": {"kty": "OKP", "crv": "Ed25519", "x": other["x"]},
            "not on the curve": {**public, "x": public["y"], "kid": None},
            "of small order": {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
            "too long": {**public_part(other), "x": other["x"] + "AA"},
            "of numbers": {"kty": "EC", "crv": "P-256", "x": 1, "y": 2},
            "a list": {"kty": ["EC"], "crv": ["P-256"]},
            "nothing": {},
        }
        for name, jwk in wrong.items():
            given = {member: value for member, value in jwk.items() if value is not None}
            reply = await world.shelter.post(PATH, {"jwk": given})
            assert (reply.status_code, reply.json()["type"].rsplit("/")[-1]) == (422, "key-unusable"), (
                name,
                reply.text,
            )
            assert key["d"] not in reply.text
        assert (await world.shelter.post(PATH, {"jwk": "x"})).status_code == 422
        reply = await world.shelter.post(PATH, {"jwk": {**public, "name": "Surya"}})
        assert reply.status_code == 201
        row = await world.owner.fetchval("SELECT jwk FROM sealing_key")
        assert "Surya" not in row, "only what is a key is kept"

    async def test_has_an_etag(self, world: World) -> None:
        await publish(world, world.shelter)
        path = "/v1/agencies/shelter/encryption-keys"
        tag = (await world.police.get(path)).headers["ETag"]
        assert (await world.police.get(path, headers={"If-None-Match": tag})).status_code == 304
        await publish(world, world.shelter)
        assert (await world.police.get(path, headers={"If-None-Match": tag})).status_code == 200

    async def test_of_a_practice_agency_is_known_to_practice_agencies_alone(self, world: World) -> None:
        police, iom = await world.practice()
        (key,) = await publish(world, iom)
        assert [each["kid"] for each in await published(world, "practice-iom", police)] == [key["kid"]]
        assert (await world.police.get("/v1/agencies/practice-iom/encryption-keys")).status_code == 404
        assert (await world.police.get("/v1/agencies/nobody/encryption-keys")).status_code == 404

    async def test_is_ended_by_an_administrator_who_cannot_add_one(self, world: World) -> None:
        (key,) = await publish(world, world.shelter)
        conn = await asyncpg.connect(world.exchange.addresses.admin)
        await end_sealing_key(conn, "shelter", key["kid"], reason="stolen", now=world.exchange.clock.now(), actor="a")
        assert await published(world, "shelter") == []
        assert ("shelter", "agency.encryption_key_ended") in await world.told()
        try:
            await conn.execute("INSERT INTO sealing_key (agency_id, kid) VALUES ($1, 'x')", world.ids["shelter"])
            raise AssertionError("an administrator could read what is sealed to it")
        except asyncpg.InsufficientPrivilegeError:
            pass
        finally:
            await conn.close()


class TestTheKillSwitch:
    async def test_ends_the_keys_a_stolen_client_has_added(self, world: World) -> None:
        (kept,) = await publish(world, world.lpsk)
        credentials = Credentials.generate("thief-system", world.exchange.settings.public_url)
        conn = await asyncpg.connect(world.exchange.addresses.admin)
        await add_client(
            conn, client_id="thief-system", name="x", agencies=["lpsk"], scopes=[str(scope) for scope in Scope],
            jwks=credentials.public_jwks(), now=world.exchange.clock.now(), actor="test",
        )  # fmt: skip
        await world.exchange.directory.refresh()
        thief = Agency("lpsk", ExchangeClient(credentials, clock=world.exchange.clock, http=world.exchange.http))
        (added,) = await publish(world, thief)
        assert {each["kid"] for each in await published(world, "lpsk")} == {kept["kid"], added["kid"]}
        now = world.exchange.clock.now()
        since = now - timedelta(hours=2)
        stopped = await stop(conn, "thief-system", reason="stolen", compromised_since=since, now=now, actor="test")
        await conn.close()
        assert added["kid"] in stopped.keys
        assert [each["kid"] for each in await published(world, "lpsk")] == [kept["kid"]]
        await world.exchange.directory.refresh()

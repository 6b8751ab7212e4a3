"""Keys that a client publishes itself: fetched when they are needed, seldom, and kept while nothing answers."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.foundation import outbound
from auth import jose, jwks_uri
from auth.admin.client_changes import add_client_key
from auth.admin.client_keys import end_client_key
from auth.admin.clients import add_client, list_clients
from auth.admin.errors import InvalidValueError, UnusableKeyError
from auth.client_auth import mtls
from auth.jose import SigningKey
from auth.jwks_uri import SetRefusedError, read_set
from tests.makers import auth as make
from tests.makers.auth import EVERY_SCOPE, Credentials, Party
from tests.makers.publisher import Publisher, publishing
from tests.makers.standing import suspend_client


@pytest.fixture
async def publisher(world: Any, tmp_path: Path) -> AsyncIterator[Publisher]:
    """Where a client publishes its keys; the exchange may ask it, though it is on this machine."""
    before = world.app.state.settings
    async with publishing(tmp_path) as made:
        world.app.state.settings = before.model_copy(update=made.settings)
        yield made
        world.app.state.settings = before


class Publishing(Party):
    """A client that publishes its keys, and signs by whichever the test says."""

    signs_by: SigningKey

    def assertion(self, *, key: SigningKey | None = None, header: Any = None, **claims: Any) -> str:
        return super().assertion(key=key or self.signs_by, header=header, **claims)


@pytest.fixture
async def client(world: Any, publisher: Publisher) -> Publishing:
    """A client with one published key."""
    code = await world.agency()
    credentials = Credentials.generate(f"client-{secrets.token_hex(4)}", world.settings.public_url)
    party = Publishing(credentials, [code], world.http, world.clock)
    party.signs_by = credentials.signing_key()
    publisher.publishes(party.signs_by.public_jwk())
    await world.act(
        add_client, client_id=party.client_id, name="x", agencies=[code], scopes=EVERY_SCOPE, jwks_uri=publisher.url
    )
    return party


async def status(client: Party, **values: Any) -> int:
    return (await client.ask(**values)).status_code


async def events(exchange: Any, client: Party) -> list[tuple[str, str]]:
    rows = await exchange.owner.fetch(
        "SELECT type, o.state FROM outbox o JOIN agency a ON a.id = o.agency_id WHERE a.code = $1 ORDER BY o.recorded_at, type",
        client.agencies[0],
    )
    return [(row["type"], row["state"]) for row in rows]


async def shown(world: Any, client: Party) -> Any:
    (found,) = [each for each in await list_clients(world.admin) if each.client_id == client.client_id]
    return found


class TestKeys:
    async def test_are_fetched_when_they_are_first_needed(self, world, client, publisher) -> None:
        assert await status(client) == 200
        assert len(publisher.asked) == 1
        found = await shown(world, client)
        assert [(key.kid, key.added_by) for key in found.keys] == [(client.signs_by.public.kid, "jwks_uri")]
        assert (found.keys_fetched_at, found.keys_fault) == (found.keys[0].added_at, None)

    async def test_are_not_fetched_again_while_they_are_fresh(self, world, client, publisher) -> None:
        for minutes in (0, 5, 9):
            world.clock.shift(timedelta(minutes=minutes))
            assert await status(client) == 200
        assert len(publisher.asked) == 1

    async def test_are_fetched_again_when_they_are_stale(self, world, client, publisher) -> None:
        assert await status(client) == 200
        world.clock.shift(timedelta(minutes=16))
        assert await status(client) == 200
        assert len(publisher.asked) == 2

    async def test_of_a_new_name_are_fetched_at_once(self, world, client, publisher) -> None:
        assert await status(client) == 200
        old, client.signs_by = client.signs_by, jose.generate("EdDSA")
        publisher.publishes(old.public_jwk(), client.signs_by.public_jwk())
        world.clock.shift(timedelta(minutes=2))
        assert await status(client) == 200
        assert await status(client, client_assertion=client.assertion(key=old)) == 200

    async def test_serve_at_the_neighbours_of_the_token_endpoint_too(self, client, publisher) -> None:
        assert (await client.introspect("x")).json() == {"active": False}
        assert (await client.revoke("x")).status_code == 200
        assert len(publisher.asked) == 1

    async def test_that_are_gone_end_with_their_tokens(self, world, client, publisher) -> None:
        token = await client.token()
        assert (await client.call(token=token)).status_code == 200
        old, client.signs_by = client.signs_by, jose.generate()
        publisher.publishes(client.signs_by.public_jwk())
        world.clock.shift(timedelta(minutes=2))
        assert await status(client) == 200
        assert (await client.call(token=token)).json()["type"] == "/problems/invalid-token"
        assert await status(client, client_assertion=client.assertion(key=old)) == 401

    async def test_that_come_back_count_again(self, world, client, publisher) -> None:
        first, second = client.signs_by, jose.generate()
        for key in (first, second, first):
            publisher.publishes(key.public_jwk())
            client.signs_by = key
            assert await status(client) == 200
            world.clock.shift(timedelta(minutes=2))

    async def test_that_change_under_their_name_are_replaced(self, world, client, publisher) -> None:
        token, old, other = await client.token(), client.signs_by, jose.generate()
        client.signs_by = jose.import_private({**jose.generate().private_jwk(), "kid": old.public.kid})
        publisher.publishes(client.signs_by.public_jwk(), other.public_jwk())
        world.clock.shift(timedelta(minutes=2))
        assert await status(client, client_assertion=client.assertion(key=other)) == 200
        assert await status(client) == 200
        assert await status(client, client_assertion=client.assertion(key=old)) == 401
        assert (await client.call(token=token)).json()["type"] == "/problems/invalid-token"

    async def test_that_are_new_are_told_to_the_agency_and_the_log(self, exchange, world, client, publisher) -> None:
        assert await status(client) == 200
        assert await events(exchange, client) == [("client.key_added", "active")]
        world.clock.shift(timedelta(minutes=16))
        assert await status(client) == 200
        assert len(await events(exchange, client)) == 1
        detail = await exchange.owner.fetch("SELECT detail FROM log_entry WHERE action = 'client:follow_keys'")
        assert [json.loads(row["detail"]) for row in detail] == [{"added": [client.signs_by.public.kid], "ended": []}]

    async def test_all_end_with_an_empty_set(self, world, client, publisher) -> None:
        assert await status(client) == 200
        publisher.publishes()
        world.clock.shift(timedelta(minutes=16))
        assert await status(client) == 401

    async def test_that_an_administrator_has_ended_stay_so_under_any_name(self, world, client, publisher) -> None:
        assert await status(client) == 200
        await world.act(end_client_key, client.client_id, client.signs_by.public.kid)
        world.clock.shift(timedelta(minutes=2))
        assert await status(client) == 401
        client.signs_by = jose.import_private({**client.signs_by.private_jwk(), "kid": "another"})
        publisher.publishes(client.signs_by.public_jwk())
        world.clock.shift(timedelta(minutes=2))
        assert await status(client) == 401
        assert (await shown(world, client)).keys_fault == "ended_key"

    async def test_are_not_added_by_hand(self, world, client) -> None:
        with pytest.raises(UnusableKeyError, match="jwks_uri"):
            await world.act(add_client_key, client.client_id, jwk=jose.generate().public_jwk(), overlap=timedelta())


class TestRequestsToTheAddress:
    async def test_are_one_a_minute_whatever_names_are_made_up(self, world, client, publisher) -> None:
        for minute in range(3):
            for _ in range(5):
                forged = client.assertion(key=jose.generate(), header={"kid": secrets.token_hex(8)})
                assert await status(client, client_assertion=forged) == 401
            assert len(publisher.asked) == minute + 1
            world.clock.shift(timedelta(seconds=61))

    async def test_are_one_of_many_at_the_same_moment(self, client, publisher) -> None:
        publisher.delay = 0.1
        found = await asyncio.gather(*(status(client) for _ in range(8)))
        assert len(publisher.asked) == 1
        assert sorted(found)[:1] == [200]

    async def test_do_not_make_others_wait(self, world, client, publisher) -> None:
        assert await status(client) == 200
        publisher.delay = 30
        world.clock.shift(timedelta(minutes=16))
        slow = asyncio.create_task(status(client))
        await publisher.is_asked(2)
        async with asyncio.timeout(1):
            assert await status(client) == 200
        slow.cancel()

    async def test_are_not_made_for_a_suspended_client(self, world, client, publisher) -> None:
        await world.act(suspend_client, client.client_id)
        assert await status(client) == 401
        assert publisher.asked == []

    async def test_are_not_made_for_a_client_that_has_none(self, party, publisher) -> None:
        assert await status(party, client_assertion=party.assertion(key=jose.generate())) == 401
        assert publisher.asked == []


class TestWhileNothingAnswers:
    async def test_the_last_keys_count_for_a_day(self, world, client, publisher) -> None:
        assert await status(client) == 200
        publisher.says("", status="503 Service Unavailable")
        world.clock.shift(timedelta(hours=22))
        assert await status(client) == 200
        assert (await shown(world, client)).keys_fault == "status"
        world.clock.shift(timedelta(hours=2, minutes=1))
        await world.directory.refresh()
        assert await status(client) == 401
        publisher.publishes(client.signs_by.public_jwk())
        world.clock.shift(timedelta(minutes=2))
        assert await status(client) == 200

    async def test_no_event_is_told_of_keys_that_only_were_old(self, exchange, world, client, publisher) -> None:
        assert await status(client) == 200
        world.clock.shift(timedelta(days=3))
        await world.directory.refresh()
        assert await status(client) == 200
        assert len(await events(exchange, client)) == 1

    @pytest.mark.parametrize(
        ("body", "kind", "fault"),
        [
            ('{"keys": []}', "text/html", "content_type"),
            ('{"keys": []}', "", "content_type"),
            ("<html>", "application/json", "not_json"),
            ('{"keys": [], "keys": []}', "application/json", "not_json"),
            ('{"keys": NaN}', "application/json", "not_json"),
            ("[" * 60_000, "application/json", "not_json"),
            (b"\xff\xfe", "application/json", "not_json"),
            ("[]", "application/json", "not_a_jwk_set"),
            ("{}", "application/json", "not_a_jwk_set"),
            ('{"keys": {}}', "application/json", "not_a_jwk_set"),
            ("x" * 65_537, "application/json", "too_large"),
        ],
    )
    async def test_an_answer_that_is_no_jwk_set_leaves_the_keys(
        self, world, client, publisher, body, kind, fault
    ) -> None:
        assert await status(client) == 200
        publisher.says(body, kind=kind)
        world.clock.shift(timedelta(minutes=16))
        assert await status(client) == 200
        assert (await shown(world, client)).keys_fault == fault

    async def test_an_address_inside_is_not_asked(self, world, client, publisher) -> None:
        world.app.state.settings = world.app.state.settings.model_copy(update={"outbound_networks": "10.0.0.0/8"})
        assert await status(client) == 401
        assert publisher.asked == []
        assert (await shown(world, client)).keys_fault == "host"


class TestSets:
    def test_keep_what_may_be_used_and_say_what_not(self) -> None:
        good, other = jose.generate().public_jwk(), jose.generate("EdDSA").public_jwk()
        encryption = {**make.ec_key().as_dict(private=False), "use": "enc"}
        keys, fault = read_set(
            json.dumps({"keys": [good, encryption, other, 5, {"kty": "oct", "x": 1}]}).encode(), "private_key_jwt"
        )
        assert ([key["kid"] for key in keys], fault) == ([good["kid"], other["kid"]], "unusable_keys")

    def test_with_a_private_key_say_so(self) -> None:
        good = jose.generate().public_jwk()
        keys, fault = read_set(json.dumps({"keys": [jose.generate().private_jwk(), good]}).encode(), "private_key_jwt")
        assert ([key["kid"] for key in keys], fault) == ([good["kid"]], "private_key")

    def test_with_a_name_twice_lose_both(self) -> None:
        twice = [{**jose.generate().public_jwk(), "kid": "a"} for _ in range(2)]
        keys, fault = read_set(json.dumps({"keys": [*twice, jose.generate().public_jwk()]}).encode(), "private_key_jwt")
        assert (len(keys), fault) == (1, "unusable_keys")

    @pytest.mark.parametrize("kid", ["\ud800", "a\x00b", "\u202eabc", "x" * 129])
    def test_with_a_name_nobody_could_store_leave_it_out(self, kid) -> None:
        body = json.dumps({"keys": [{**jose.generate().public_jwk(), "kid": kid}]}).encode()
        assert read_set(body, "private_key_jwt") == ([], "unusable_keys")

    def test_have_ten_keys_at_most_of_those_that_count(self) -> None:
        unusable = [{"kty": "oct"}] * 20
        ten = [jose.generate().public_jwk() for _ in range(10)]
        assert len(read_set(json.dumps({"keys": [*unusable, *ten]}).encode(), "private_key_jwt")[0]) == 10
        with pytest.raises(SetRefusedError) as refused:
            read_set(json.dumps({"keys": [*ten, jose.generate().public_jwk()]}).encode(), "private_key_jwt")
        assert refused.value.fault == "too_many_keys"


class TestRegistering:
    @pytest.mark.parametrize(
        "values",
        [
            {"jwks_uri": "https://keys.example/", "jwks": {"keys": [jose.generate().public_jwk()]}},
            {"jwks_uri": "http://keys.example/"},
            {
                "jwks_uri": "https://keys.example/",
                "auth_method": mtls.TLS_CLIENT_AUTH,
                "tls_name": ("san_dns", "a.example"),
            },
            {"jwks_uri": "https://keys.example/", "auth_method": "none"},
            {},
        ],
    )
    async def test_takes_one_source_of_keys(self, world, values) -> None:
        agency = await world.agency()
        with pytest.raises((InvalidValueError, UnusableKeyError)):
            await world.act(
                add_client, client_id="client-two", name="x", agencies=[agency], scopes=EVERY_SCOPE, **values
            )


def test_every_fault_has_words_of_its_own() -> None:
    assert not jwks_uri.FAULTS.keys() & outbound.FAULTS.keys()

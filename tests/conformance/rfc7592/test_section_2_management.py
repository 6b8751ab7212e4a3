"""RFC 7592 §2: a client reads, replaces and ends its registration; what people have approved it cannot change."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from auth import jose
from auth.admin import agencies, approvals
from auth.admin.errors import UnknownApprovalError
from tests.conformance.rfc7591.cases import REFUSED, jwks
from tests.conformance.rfc7591.test_section_3_registration import is_refused
from tests.makers.auth import ABSENT
from tests.makers.publisher import publishing
from tests.makers.registering import PERSON, SCOPES, settings


@pytest.fixture
async def made(invited):
    """A client that waits."""
    return await invited.register()


@pytest.fixture
async def active(made):
    """A client in use."""
    await made.activate()
    return made


async def events(exchange, agency: str) -> list[tuple[str, str]]:
    rows = await exchange.owner.fetch(
        "SELECT type, o.state FROM outbox o JOIN agency a ON a.id = o.agency_id WHERE a.code = $1"
        " AND type NOT IN ('client.approved', 'client.activated') ORDER BY o.recorded_at, type",
        agency,
    )
    return [(row["type"], row["state"]) for row in rows]


class TestWhoMay:
    async def test_only_the_client_itself(self, invited, made) -> None:
        other = await invited.register()
        for token in (
            other.token,
            invited.token,
            "rujukan_rat_" + "A" * 43,
            "x",
            await (await made.world.party()).token(),
        ):
            for method in ("GET", "PUT", "DELETE"):
                is_refused(await made.manage(method, token=token), 401, "invalid_token")

    @pytest.mark.parametrize("client_id", ["nobody-here", "x", "%00", "a%00b", "..%2e", "x" * 300, "%ff", "%ed%a0%80"])
    async def test_and_nothing_says_whether_another_is_there(self, invited, made, client_id) -> None:
        other = await invited.register()
        elsewhere = await made.manage(path=f"/oauth2/register/{other.client_id}")
        nowhere = await made.manage(path=f"/oauth2/register/{client_id}")
        assert (elsewhere.status_code, elsewhere.content) == (nowhere.status_code, nowhere.content)
        assert elsewhere.headers["www-authenticate"] == nowhere.headers["www-authenticate"]
        is_refused(nowhere, 401, "invalid_token")

    async def test_not_while_it_is_suspended(self, active) -> None:
        await active.change("suspend")
        for method in ("GET", "PUT", "DELETE"):
            is_refused(await active.manage(method), 401, "invalid_token")
        await active.change("resume")
        assert (await active.manage()).status_code == 200

    async def test_not_while_its_agency_is(self, world, active) -> None:
        await world.act(agencies.suspend_agency, active.agency)
        for method in ("GET", "PUT", "DELETE"):
            is_refused(await active.manage(method), 401, "invalid_token")

    async def test_not_after_an_emergency_until_people_agree(self, exchange, active) -> None:
        await exchange.owner.execute(
            "UPDATE client SET emergency_until = $2 WHERE client_id = $1",
            active.client_id,
            active.world.clock.now() + timedelta(hours=1),
        )
        is_refused(await active.manage(), 401, "invalid_token")

    @pytest.mark.parametrize("method", ["POST", "PATCH", "OPTIONS"])
    async def test_by_three_methods(self, made, method) -> None:
        reply = await made.manage(method)
        is_refused(reply, 405, "invalid_request")
        assert reply.headers["allow"] == "GET, PUT, DELETE"


class TestReading:
    async def test_section_2_1_answers_as_the_registration_did(self, made) -> None:
        reply = await made.manage()
        assert (reply.status_code, reply.json()) == (200, made.answer)
        assert reply.headers["cache-control"] == "no-store"

    async def test_says_how_far_it_has_come(self, made) -> None:
        await made.approve()
        assert (await made.manage()).json()["status"] == "approved"
        await made.change("activate")
        assert (await made.manage()).json()["status"] == "active"


class TestReplacing:
    async def test_section_2_2_replaces_everything_before_the_approval(self, made) -> None:
        key = jose.generate("EdDSA")
        reply = await made.replace(client_name="Another", scope="cases.read", software_id="x", **jwks(key.public_jwk()))
        assert reply.status_code == 200, reply.text
        read = (await made.manage()).json()
        assert read == reply.json()
        assert (read["client_name"], read["scope"], read["software_id"]) == ("Another", "cases.read", "x")
        assert [each["kid"] for each in read["jwks"]["keys"]] == [key.public.kid]

    async def test_what_is_left_out_falls_back(self, made) -> None:
        await made.replace(software_id="x", scope="cases.read")
        await made.replace(software_id=ABSENT, scope=ABSENT)
        assert "software_id" not in made.answer
        assert made.answer["scope"] == " ".join(SCOPES)

    async def test_gives_a_new_token_and_ends_the_old(self, made) -> None:
        old = made.token
        assert (await made.replace()).status_code == 200
        assert made.token != old
        is_refused(await made.manage(token=old), 401, "invalid_token")
        assert (await made.manage()).status_code == 200

    async def test_twice_at_once_is_once(self, made) -> None:
        replies = await asyncio.gather(*(made.manage("PUT", json=made.replacement()) for _ in range(5)))
        assert sorted(reply.status_code for reply in replies) == [200, *[401] * 4]

    async def test_asks_people_afresh(self, world, made) -> None:
        """Else one could say yes to one key, and the other to another."""
        before = await made.approval()
        key = jose.generate()
        await made.replace(**jwks(key.public_jwk()))
        after = await made.approval()
        assert after.detail["kids"] == [key.public.kid]
        with pytest.raises(UnknownApprovalError):
            await approvals.approve(world.admin, before.id, by=PERSON, now=world.clock.now(), two_people=False)

    @pytest.mark.parametrize(
        "change",
        [
            {"client_id": ABSENT},
            {"client_id": "another"},
            {"client_id": 5},
            {"client_id": ""},
            {"client_secret": "x"},
            {"registration_access_token": "x"},
            {"registration_client_uri": "https://x.example"},
            {"client_id_issued_at": 1},
            {"client_secret_expires_at": 0},
        ],
    )
    async def test_members_that_must_not_be_sent(self, made, change) -> None:
        is_refused(await made.manage("PUT", json=made.replacement(**change)), 400, "invalid_request")
        assert (await made.manage()).json() == made.answer

    @pytest.mark.parametrize(
        ("change", "error"), [each[1:] for each in REFUSED][::6], ids=[each[0] for each in REFUSED][::6]
    )
    async def test_what_a_registration_must_not_say(self, made, change, error) -> None:
        content = json.dumps(made.replacement(**change)).encode()
        is_refused(await _put(made, content), 400, error)
        assert (await made.manage()).json() == made.answer

    async def test_software_statements_are_refused_here_too(self, made) -> None:
        reply = await made.manage("PUT", json=made.replacement(software_statement="a.b.c"))
        is_refused(reply, 400, "unapproved_software_statement")

    async def test_never_what_an_administrator_decides(self, exchange, made) -> None:
        assert (await made.replace(status="active", agencies=["polri"], networks=["0.0.0.0/0"])).status_code == 200
        row = await exchange.owner.fetchrow("SELECT status, networks FROM client WHERE client_id = $1", made.client_id)
        assert (row["status"], row["networks"]) == ("requested", [])


async def _put(made, content: bytes):
    return await made.world.http.put(
        f"/oauth2/register/{made.client_id}",
        headers={**made.headers(), "Content-Type": "application/json"},
        content=content,
    )


class TestReplacingWhatIsApproved:
    @pytest.mark.parametrize(
        "change",
        [
            {"scope": "cases.read"},
            {"scope": "cases.read cases.write"},
            {"token_endpoint_auth_method": "tls_client_auth", "jwks": ABSENT, "tls_client_auth_san_dns": "a.example"},
            {"tls_client_certificate_bound_access_tokens": True, "dpop_bound_access_tokens": False},
            {"grant_types": ["authorization_code"]},
        ],
    )
    async def test_nothing_that_people_said_yes_to(self, active, change) -> None:
        is_refused(await active.manage("PUT", json=active.replacement(**change)), 400, "invalid_client_metadata")

    async def test_what_is_left_out_stays(self, active) -> None:
        left = {name: active.answer[name] for name in ("client_id", "client_name", "jwks")}
        reply = await active.manage("PUT", json=left)
        assert (reply.status_code, reply.json()["scope"]) == (200, active.answer["scope"])

    async def test_the_name(self, active) -> None:
        assert (await active.replace(client_name="A new name")).status_code == 200
        assert (await active.manage()).json()["client_name"] == "A new name"
        assert (await active.party.call()).status_code == 200

    async def test_a_new_key_works_after_an_hour_and_the_old_until_then(self, exchange, world, active) -> None:
        old, new = active.key, jose.generate()
        assert (await active.replace(**jwks(new.public_jwk()))).status_code == 200
        assert await events(exchange, active.agency) == [("client.key_added", "waiting")]

        async def works(key) -> bool:
            active.key = key
            return (await active.party.ask()).status_code == 200

        assert (await works(old), await works(new)) == (True, False)
        world.clock.shift(timedelta(minutes=59))
        assert (await works(old), await works(new)) == (True, False)
        world.clock.shift(timedelta(minutes=2))
        assert (await works(old), await works(new)) == (False, True)

    async def test_a_key_beside_the_old_leaves_that_alone(self, world, active) -> None:
        new = jose.generate()
        assert (await active.replace(**jwks(active.key.public_jwk(), new.public_jwk()))).status_code == 200
        world.clock.shift(timedelta(minutes=61))
        assert (await active.party.ask()).status_code == 200
        active.key = new
        assert (await active.party.ask()).status_code == 200

    async def test_a_key_that_only_goes_goes_at_once(self, world, active) -> None:
        old, new = active.key, jose.generate()
        await active.replace(**jwks(old.public_jwk(), new.public_jwk()))
        world.clock.shift(timedelta(minutes=61))
        token = await active.party.token()
        assert (await active.replace(**jwks(new.public_jwk()))).status_code == 200
        assert (await active.party.ask()).status_code == 401
        reply = await active.party.call(token=token)
        assert reply.status_code == 401

    async def test_no_key_comes_back_and_none_takes_anothers_name(self, world, active) -> None:
        old = active.key.public_jwk()
        await active.replace(**jwks(jose.generate().public_jwk()))
        for again in (old, {**old, "kid": "another-name"}, {**jose.generate().public_jwk(), "kid": old["kid"]}):
            reply = await active.manage("PUT", json=active.replacement(**jwks(again)))
            is_refused(reply, 400, "invalid_client_metadata")

    async def test_what_was_read_can_be_sent_back(self, exchange, active) -> None:
        for _ in range(2):
            assert (await active.replace()).status_code == 200
        assert await events(exchange, active.agency) == []

    async def test_an_address_instead_of_keys_counts_after_an_hour_and_is_told(
        self, exchange, world, active, tmp_path: Path
    ) -> None:
        async with publishing(tmp_path) as publisher:
            old, new = active.key, jose.generate()
            publisher.publishes(new.public_jwk())
            with settings(world, **publisher.settings):
                assert (await active.replace(jwks=ABSENT, jwks_uri=publisher.url)).status_code == 200
                assert await events(exchange, active.agency) == [("client.key_added", "waiting")]
                assert (await active.party.ask()).status_code == 200
                active.key = new
                assert (await active.party.ask()).status_code == 401
                world.clock.shift(timedelta(minutes=61))
                assert (await active.party.ask()).status_code == 200
                active.key = old
                assert (await active.party.ask()).status_code == 401

    async def test_the_same_key_at_an_address_goes_on(self, exchange, world, active, tmp_path: Path) -> None:
        async with publishing(tmp_path) as publisher:
            publisher.publishes(active.key.public_jwk())
            with settings(world, **publisher.settings):
                assert (await active.replace(jwks=ABSENT, jwks_uri=publisher.url)).status_code == 200
                for minutes in (0, 30, 31, 100):
                    world.clock.shift(timedelta(minutes=minutes))
                    assert (await active.party.ask()).status_code == 200, minutes
        assert await events(exchange, active.agency) == []

    async def test_another_address_waits_also_if_it_answers_only_later(self, world, active, tmp_path: Path) -> None:
        async with publishing(tmp_path) as publisher:
            publisher.says("", status="503 Later")
            new = jose.generate()
            with settings(world, **publisher.settings):
                assert (await active.replace(jwks=ABSENT, jwks_uri=publisher.url)).status_code == 200
                world.clock.shift(timedelta(hours=2))
                publisher.publishes(new.public_jwk())
                active.key = new
                assert (await active.party.ask()).status_code == 401
                world.clock.shift(timedelta(minutes=61))
                assert (await active.party.ask()).status_code == 200

    async def test_keys_instead_of_an_address(self, world, active, tmp_path: Path) -> None:
        async with publishing(tmp_path) as publisher:
            publisher.publishes(active.key.public_jwk())
            with settings(world, **publisher.settings):
                await active.replace(jwks=ABSENT, jwks_uri=publisher.url)
                reply = await active.replace(jwks_uri=ABSENT, **jwks(active.key.public_jwk()))
                assert reply.status_code == 200, reply.text
            world.clock.shift(timedelta(days=2))
            await world.directory.refresh()
            assert (await active.party.ask()).status_code == 200


class TestEnding:
    @pytest.mark.parametrize("approved", [False, True])
    async def test_section_2_3_is_for_good_and_at_once(self, exchange, world, made, approved) -> None:
        client = made
        if approved:
            await client.activate()
        reply = await client.manage("DELETE")
        assert (reply.status_code, reply.content) == (204, b"")
        await world.directory.refresh()
        assert (await client.party.ask()).json()["error"] == "invalid_client"
        is_refused(await client.manage(), 401, "invalid_token")
        assert ("client.retired", "retired") in await events(exchange, client.agency)
        status = await exchange.owner.fetchval("SELECT status FROM client WHERE client_id = $1", client.client_id)
        assert status == "retired"

    async def test_takes_back_what_waits(self, world, made) -> None:
        waiting = await made.approval()
        await made.manage("DELETE")
        with pytest.raises(UnknownApprovalError):
            await approvals.approve(world.admin, waiting.id, by=PERSON, now=world.clock.now(), two_people=False)


class TestTheLog:
    async def test_names_each_act_and_the_client(self, exchange, made) -> None:
        await made.replace(client_name="Another")
        await made.manage("DELETE")
        rows = await exchange.owner.fetch(
            "SELECT action, client_id FROM log_entry WHERE client_id = $1 AND action LIKE 'client:%' ORDER BY id",
            made.client_id,
        )
        assert [row["action"] for row in rows] == ["client:register", "client:replace", "client:retire"]

"""What somebody with a stolen key or token, or one administrator alone, must not be able to do with a client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.exchange.own_client.service import STARTS_AFTER
from auth import jose
from auth.admin import approvals, client_life
from auth.admin.client_changes import read_client
from auth.admin.client_keys import end_client_key
from auth.admin.errors import ClientMoveError, TakenError, UnknownApprovalError
from auth.people.person import Person
from tests.auth.test_client_life import approve, asked, duty_contacts, owner, people, put, stop
from tests.makers.auth import ABSENT
from tests.makers.publisher import publishing
from tests.makers.registering import invite, invited, settings

__all__ = ["invite", "invited", "owner", "people"]
HOUR = timedelta(hours=1)


@pytest.fixture
async def service(world: Any) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the service has it, speaking for the first agency of whom a test names."""
    conn = await asyncpg.connect(world.addresses.app)
    yield conn
    await conn.close()


async def status(party: Any, key: jose.SigningKey | None = None) -> int:
    given = {} if key is None else {"client_assertion": party.assertion(key=key)}
    return int((await party.ask(**given)).status_code)


class TestTokens:
    async def test_of_before_the_stop_do_not_count_again_when_the_client_is_let_in(self, world, people, party) -> None:
        before = await party.token()
        assert (await party.call(token=before)).status_code == 200
        await stop(world, party.client_id)
        world.clock.shift(timedelta(seconds=2))
        waits = await asked(world, client_life.ask_to_resume, party.client_id, by=people[0])
        await approve(world, waits, people[1])
        assert (await party.call(token=before)).json()["type"] == "/problems/invalid-token"
        assert (await party.introspect(before)).json() == {"active": False}
        world.clock.shift(timedelta(seconds=1))
        assert (await party.call(token=await party.token())).status_code == 200

    async def test_that_a_process_issued_before_it_noticed_the_stop_do_not_either(self, world, people, party) -> None:
        stopped_at = world.clock.now()
        world.clock.shift(timedelta(seconds=2))
        late = await party.token()
        world.clock.shift(stopped_at - world.clock.now())
        await stop(world, party.client_id)
        world.clock.shift(timedelta(seconds=60))
        waits = await asked(world, client_life.ask_to_resume, party.client_id, by=people[0])
        await approve(world, waits, people[1])
        assert (await party.call(token=late)).status_code == 401


class TestAdministrativeScopes:
    @pytest.mark.parametrize("state", ["sandbox", "requested", "approved"])
    async def test_are_not_had_before_two_people_have_said_yes(self, world, owner, party, state) -> None:
        practice = await world.agency(sandbox=True)
        await owner.execute(
            "INSERT INTO client_agency SELECT $1, id FROM agency WHERE code = $2", party.client_id, practice
        )
        other = await world.party()
        token = await other.token()
        await put(owner, party.client_id, state)
        await world.directory.refresh()
        assert (await party.introspect(token)).json() == {"active": False}, "another's token"
        assert (await party.revoke(token)).status_code == 200
        await world.directory.refresh()
        assert (await other.call(token=token)).status_code == 200, "it was not ended by a stranger"
        reply = await party.ask(agency=practice, scope="admin.write")
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_scope")
        reply = await party.ask(agency=practice)
        assert "admin" not in reply.json()["scope"]


class TestOneAdministratorAlone:
    async def give(self, world: Any, party: Any, by: Person, key: jose.SigningKey | None = None) -> Any:
        jwk = (key or jose.generate()).public_jwk()
        return await asked(world, client_life.give_emergency_key, party.client_id, jwk=jwk, called_back="1", by=by)

    async def test_cannot_prolong_an_emergency(self, world, owner, people, party) -> None:
        await duty_contacts(owner, party.agencies[0], "duty officer")
        first = await self.give(world, party, people[0])
        world.clock.shift(timedelta(hours=9))
        people[0] = Person(**{**_members(people[0]), "confirmed_at": world.clock.now()})
        second = await self.give(world, party, people[0])
        assert second.until == first.until
        assert second.approval.expires_at == first.until

    async def test_cannot_begin_another_after_it_lapsed(self, world, owner, people, party) -> None:
        await duty_contacts(owner, party.agencies[0], "duty officer")
        await self.give(world, party, people[0])
        world.clock.shift(timedelta(hours=25))
        again = Person(**{**_members(people[0]), "confirmed_at": world.clock.now()})
        with pytest.raises(ClientMoveError, match="two people let it in first"):
            await self.give(world, party, again)

    async def test_cannot_begin_another_after_somebody_refused_it(self, world, owner, people, party) -> None:
        await duty_contacts(owner, party.agencies[0], "duty officer")
        made = await self.give(world, party, people[0])
        await approvals.refuse(
            world.admin, made.approval.id, by=people[1], reason="no", now=world.clock.now(), two_people=True
        )
        with pytest.raises(ClientMoveError, match="two people let it in first"):
            await self.give(world, party, people[0])

    async def test_cannot_bring_an_ended_key_back_under_another_name(self, world, owner, people, party) -> None:
        await duty_contacts(owner, party.agencies[0], "duty officer")
        stolen = party.credentials.signing_key()
        renamed = {**stolen.public_jwk(), "kid": "as-new"}
        with pytest.raises(TakenError):
            await asked(
                world, client_life.give_emergency_key, party.client_id, jwk=renamed, called_back="1", by=people[0]
            )
        await world.act(client_life.end_key_of, party.client_id, stolen.public.kid)
        with pytest.raises(TakenError):
            await asked(
                world, client_life.ask_for_key, party.client_id, jwk=renamed, overlap=timedelta(), by=people[0],
            )  # fmt: skip

    async def test_cannot_let_a_client_in_by_a_yes_from_before_it_was_stopped_again(self, world, people, party) -> None:
        await stop(world, party.client_id)
        waits = await asked(world, client_life.ask_to_resume, party.client_id, by=people[0])
        world.clock.shift(timedelta(minutes=5))
        await stop(world, party.client_id, compromised_since=world.clock.now() - timedelta(minutes=1))
        with pytest.raises(UnknownApprovalError):
            await approve(world, waits, people[1])


def _members(person: Person) -> dict[str, Any]:
    return {name: getattr(person, name) for name in ("reference", "roles", "admin_id")}


def respelled(jwk: dict[str, Any]) -> dict[str, Any]:
    """The same key, written with a bit that decoders drop."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = letters[letters.index(jwk["x"][-1]) ^ 1]
    return {**jwk, "x": jwk["x"][:-1] + last}


class TestAKey:
    @pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
    def test_has_one_spelling(self, algorithm) -> None:
        jwk = jose.generate(algorithm).public_jwk()
        jose.import_public(jwk)
        for other in (
            respelled(jwk),
            {**jwk, "x": jwk["x"] + "="},
            {**jwk, "x": jwk["x"] + "\n"},
            {**jwk, "x": "AAAA" + jwk["x"]},
        ):
            with pytest.raises(jose.JoseRefusedError):
                jose.import_public(other)

    def test_of_rsa_has_one_spelling(self) -> None:
        jwk = jose.generate("PS256").public_jwk()
        with pytest.raises(jose.JoseRefusedError):
            jose.import_public({**jwk, "n": "AAAA" + jwk["n"]})


class TestAClientsOwnKey:
    async def add(self, service: Any, world: Any, party: Any, starts: timedelta = STARTS_AFTER, **jwk: Any) -> Any:
        agency = world.directory._snapshot.by_code[party.agencies[0]].id
        await service.execute("SELECT set_config('rujukan.agency', $1, true)", str(agency))
        now, key = world.clock.now(), {**jose.generate().public_jwk(), **jwk}
        return await service.fetchval(
            "SELECT apply_own_key($1, $2, $3::jsonb, $4, NULL, $5)",
            party.client_id, key.get("kid", "k"), json.dumps(key), now + starts, now,
        )  # fmt: skip

    async def test_waits_an_hour_whatever_the_service_asks(self, world, service, party) -> None:
        for starts in (-HOUR, timedelta(), HOUR - timedelta(seconds=1)):
            with pytest.raises(asyncpg.InvalidParameterValueError):
                async with service.transaction():
                    await self.add(service, world, party, starts)
        async with service.transaction():
            assert await self.add(service, world, party)

    async def test_that_was_on_its_way_when_the_client_was_stopped_is_not_added(self, world, service, party) -> None:
        admin = await asyncpg.connect(world.addresses.admin)
        try:
            async with admin.transaction():
                await client_life.change_client(admin, party.client_id, "suspend", now=world.clock.now(), actor="test")

                async def late() -> None:
                    async with service.transaction():
                        await self.add(service, world, party)

                adding = asyncio.create_task(late())
                await asyncio.sleep(0.2)
                assert not adding.done(), "it waits for the stop"
            with pytest.raises(asyncpg.PostgresError) as refused:
                await adding
            assert refused.value.sqlstate == "RJ404"
        finally:
            await admin.close()
        assert len((await read_client(world.admin, party.client_id)).keys) == 1

    @pytest.mark.parametrize(
        "column", ["emergency_until = now() + interval '1 day'", "jwks_uri = 'https://x.example/'"]
    )
    async def test_is_not_added_in_an_emergency_nor_beside_published_ones(
        self, world, owner, service, party, column
    ) -> None:
        await owner.execute(f"UPDATE client SET {column} WHERE client_id = $1", party.client_id)
        with pytest.raises(asyncpg.PostgresError) as refused:
            async with service.transaction():
                await self.add(service, world, party)
        assert refused.value.sqlstate == "RJ404"

    async def test_is_never_the_last_whichever_request_comes_first(self, world, service, party) -> None:
        """Two requests end one key each; the one with the earlier time is carried out second."""
        async with service.transaction():
            await self.add(service, world, party)
        world.clock.shift(2 * HOUR)
        first, second = (await read_client(world.admin, party.client_id)).keys
        agency = world.directory._snapshot.by_code[party.agencies[0]].id
        end = "SELECT apply_own_key_end($1, $2, $3)"
        async with service.transaction():
            await service.execute("SELECT set_config('rujukan.agency', $1, true)", str(agency))
            await service.fetchval(end, party.client_id, first.id, world.clock.now())
            with pytest.raises(asyncpg.PostgresError) as refused:
                await service.fetchval(end, party.client_id, second.id, world.clock.now() - timedelta(seconds=1))
        assert refused.value.sqlstate == "RJ122"

    async def test_being_ended_does_not_hold_up_a_stop(self, world, service, party) -> None:
        """Whoever changes a client's keys takes the client first: else one of the two would be a deadlock's victim."""
        async with service.transaction():
            await self.add(service, world, party)
        world.clock.shift(2 * HOUR)
        first, _ = (await read_client(world.admin, party.client_id)).keys
        agency = world.directory._snapshot.by_code[party.agencies[0]].id
        admin = await asyncpg.connect(world.addresses.admin)
        try:
            async with admin.transaction():
                await client_life.change_client(admin, party.client_id, "suspend", now=world.clock.now(), actor="test")

                async def end() -> None:
                    async with service.transaction():
                        await service.execute("SELECT set_config('rujukan.agency', $1, true)", str(agency))
                        await service.fetchval(
                            "SELECT apply_own_key_end($1, $2, $3)", party.client_id, first.id, world.clock.now()
                        )

                ending = asyncio.create_task(end())
                await asyncio.sleep(0.2)
                await admin.execute(
                    "UPDATE client_key SET ends_at = $2 WHERE client_id = $1", party.client_id, world.clock.now()
                )
            with pytest.raises(asyncpg.PostgresError) as refused:
                await ending
            assert refused.value.sqlstate == "RJ404"
        finally:
            await admin.close()


class TestAnAddressThatAThiefNamed:
    """Who has stolen a registration access token can name another `jwks_uri`: its agency has an hour, whatever is published there."""

    @pytest.mark.parametrize("harmless", ["the client's own key", "nothing"])
    async def test_has_no_key_at_once_by_answering_harmlessly_first(
        self, world, invited, tmp_path: Path, harmless
    ) -> None:
        active = await invited.register()
        await active.activate()
        own, thiefs = active.key, jose.generate()
        async with publishing(tmp_path) as publisher:
            publisher.publishes(*([] if harmless == "nothing" else [own.public_jwk()]))
            with settings(world, **publisher.settings):
                assert (await active.replace(jwks=ABSENT, jwks_uri=publisher.url)).status_code == 200
                publisher.publishes(own.public_jwk(), thiefs.public_jwk())
                for minutes in (2, 50):
                    world.clock.shift(timedelta(minutes=minutes))
                    assert await status(active.party, thiefs) == 401, minutes
                    assert await status(active.party, own) == 200, minutes
                world.clock.shift(timedelta(minutes=11))
                assert await status(active.party, thiefs) == 200, "it was told an hour ago, and nobody has ended it"

    async def test_lets_a_key_that_only_goes_go_at_once(self, world, invited, tmp_path: Path) -> None:
        active = await invited.register()
        await active.activate()
        other = jose.generate()
        async with publishing(tmp_path) as publisher:
            publisher.publishes(active.key.public_jwk(), other.public_jwk())
            with settings(world, **publisher.settings):
                await active.replace(jwks=ABSENT, jwks_uri=publisher.url)
                world.clock.shift(timedelta(minutes=61))
                assert await status(active.party, other) == 200
                publisher.publishes(other.public_jwk())
                world.clock.shift(timedelta(minutes=16))
                assert await status(active.party, other) == 200
                assert await status(active.party) == 401

    async def test_is_asked_no_more_after_a_stop(self, world, owner, people, invited, tmp_path: Path) -> None:
        active = await invited.register()
        await active.activate()
        since = world.clock.now()
        world.clock.shift(timedelta(minutes=1))
        async with publishing(tmp_path) as publisher:
            publisher.publishes(jose.generate().public_jwk())
            with settings(world, **publisher.settings):
                assert (await active.replace(jwks=ABSENT, jwks_uri=publisher.url)).status_code == 200
        await stop(world, active.client_id, compromised_since=since)
        assert (await read_client(world.admin, active.client_id)).jwks_uri is None

    async def test_cannot_bring_back_what_an_administrator_ended(self, world, invited, tmp_path: Path) -> None:
        active = await invited.register()
        await active.activate()
        async with publishing(tmp_path) as publisher:
            publisher.says("", status="503 Later")
            with settings(world, **publisher.settings):
                assert (await active.replace(jwks=ABSENT, jwks_uri=publisher.url)).status_code == 200
                await world.act(end_client_key, active.client_id, active.key.public.kid)
                publisher.publishes(active.key.public_jwk())
                world.clock.shift(timedelta(minutes=2))
                assert await status(active.party) == 401
                world.clock.shift(2 * HOUR)
                assert await status(active.party) == 401


class TestARegistrationAccessToken:
    async def test_counts_no_more_once_there_was_an_emergency(self, world, owner, people, invited) -> None:
        active = await invited.register()
        await active.activate()
        await duty_contacts(owner, active.agency, "duty officer")
        made = await asked(
            world, client_life.give_emergency_key, active.client_id, jwk=jose.generate().public_jwk(),
            called_back="1", by=people[0],
        )  # fmt: skip
        await approve(world, made.approval, people[1])
        assert (await active.manage()).status_code == 401

    async def test_is_not_replaced_by_its_hash_which_the_service_can_read(self, world, service, invited) -> None:
        active = await invited.register()
        await active.activate()
        known = await service.fetchval("SELECT registration_hash FROM client WHERE client_id = $1", active.client_id)
        changed = json.dumps({"name": "x", "keys": [{"kid": "k", "jwk": jose.generate().public_jwk()}]})
        outcome = await service.fetchval(
            "SELECT replace_registration($1, $2, $2, $3, '0', '1 day', 'r', 'active', $4::jsonb)",
            active.client_id, known, world.clock.now(), changed,
        )  # fmt: skip
        assert outcome == "gone"
        retired = "SELECT retire_registration($1, $2, $3, 'r')"
        assert not await service.fetchval(retired, active.client_id, known, world.clock.now())
        with pytest.raises(asyncpg.InvalidParameterValueError):
            await service.fetchval(
                "SELECT replace_registration($1, $2, $2, $3, '0', '1 day', 'r', 'active', $4::jsonb)",
                active.client_id, active.token.encode(), world.clock.now(), changed,
            )  # fmt: skip


class TestWhomAStopLeavesWaiting:
    async def test_counts_no_client_that_may_hear_of_nothing(self, world, owner, party) -> None:
        """Another system that only reads the directory sees to nobody."""
        other = await world.party(scopes=["directory.read"])
        await owner.execute(
            "UPDATE client_agency SET agency_id = (SELECT id FROM agency WHERE code = $2) WHERE client_id = $1",
            other.client_id, party.agencies[0],
        )  # fmt: skip
        silent = "SELECT count(*) FROM silent_without($1, $2)"
        assert await owner.fetchval(silent, party.client_id, world.clock.now()) == 1
        await owner.execute("UPDATE client SET scopes = '{events.read}' WHERE client_id = $1", other.client_id)
        assert await owner.fetchval(silent, party.client_id, world.clock.now()) == 0

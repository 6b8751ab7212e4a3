"""The life of a client: every state and every move; what one person does, what takes two; the kill switch; an emergency."""

from __future__ import annotations

import secrets
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from app.client import Credentials
from app.foundation.ids import uuid7
from auth import jose
from auth.admin import approvals, client_life, kill_switch
from auth.admin.client_changes import Wish, read_client
from auth.admin.client_lifecycle import CLIENT
from auth.admin.clients import change_client
from auth.admin.errors import (
    ClientMoveError,
    InvalidValueError,
    MayNotApproveError,
    TakenError,
    UnknownApprovalError,
    UnknownClientError,
    UnknownKeyError,
    UnusableKeyError,
)
from auth.people.person import Person, Role, at_the_machine
from auth.scopes import EMERGENCY_SCOPES
from tests.makers.auth import EVERY_SCOPE
from tests.makers.auth_server import World

STATES = ("sandbox", "requested", "approved", "active", "suspended", "retired")


@pytest.fixture
async def owner(world):
    """The database as its owner sees it."""
    conn = await asyncpg.connect(world.addresses.owner)
    yield conn
    await conn.close()


@pytest.fixture
async def people(world):
    """Two operators and an auditor who have proved who they are."""
    return [
        await person(world, Role.operator),
        await person(world, Role.operator),
        await person(world, Role.auditor),
    ]


async def person(world: World, *roles: Role) -> Person:
    id, reference = uuid7(world.clock.now()), f"op-{secrets.token_hex(4)}"
    await world.admin.execute(
        "INSERT INTO administrator (id, reference, name, roles, created_at) VALUES ($1, $2, 'X', $3, $4)",
        id,
        reference,
        list(roles),
        world.clock.now(),
    )
    return Person(reference, frozenset(roles), admin_id=id, confirmed_at=world.clock.now())


async def asked(world: World, function, *arguments, by: Person, two_people: bool = True, **named):
    """Run what may have to be asked for, and have the directory notice."""
    done = await function(world.admin, *arguments, by=by, now=world.clock.now(), two_people=two_people, **named)
    await world.directory.refresh()
    return done


async def set_networks(conn, client_id, networks, **by):
    """Wish that a client may call from these networks only."""
    return await client_life.change(conn, client_id, Wish(networks=client_life.read_networks(networks)), **by)


async def registered(world: World, *, by: Person, **values):
    """Register a client where two people are needed."""
    settings = world.settings.model_copy(update={"two_people": "on"})
    return await client_life.register(world.admin, by=by, now=world.clock.now(), settings=settings, **values)


async def approve(world: World, approval: approvals.Approval, by: Person) -> approvals.Approval:
    done = await approvals.approve(world.admin, approval.id, by=by, now=world.clock.now(), two_people=True)
    await world.directory.refresh()
    return done


async def stop(world: World, client_id: str, **named) -> kill_switch.Stopped:
    return await world.act(kill_switch.stop, client_id, reason="a laptop is gone", **named)


async def put(owner: asyncpg.Connection, client_id: str, status: str) -> None:
    before = "active" if status == "suspended" else None
    await owner.execute(
        "UPDATE client SET status = $2, status_before = $3 WHERE client_id = $1", client_id, status, before
    )


async def told(owner: asyncpg.Connection, code: str) -> list[tuple[str, str]]:
    """What an agency was told, as (type, state)."""
    rows = await owner.fetch(
        "SELECT type, o.state FROM outbox o JOIN agency a ON a.id = o.agency_id WHERE a.code = $1 ORDER BY seq", code
    )
    return [(row["type"], row["state"]) for row in rows]


async def duty_contacts(owner: asyncpg.Connection, code: str, *roles: str) -> None:
    for place, role in enumerate(roles, start=1):
        await owner.execute(
            "INSERT INTO duty_contact (agency_id, place, role, phone) SELECT id, $2, $3, '+62211234567' FROM agency WHERE code = $1",
            code,
            place,
            role,
        )


class TestTheTable:
    def test_speaks_of_every_state_and_leads_out_of_each_but_the_last(self):
        left = {state for move in CLIENT.values() for state in move.from_states}
        reached = {move.to_state for move in CLIENT.values()} - {None}
        assert left | reached == set(STATES)
        assert left == set(STATES) - {"retired"}

    @pytest.mark.parametrize("move", CLIENT)
    @pytest.mark.parametrize("state", STATES)
    async def test_only_what_it_says_can_be_done(self, world, owner, party, state, move):
        await put(owner, party.client_id, state)
        row, now = CLIENT[move], world.clock.now()
        reached = (row.to_state or "active") if state in row.from_states else state
        with nullcontext() if state in row.from_states else pytest.raises(ClientMoveError, match=row.refusal):
            assert await change_client(world.admin, party.client_id, move, now=now, actor="test") == reached
        tells = row.tells is not None and state in row.from_states
        assert await told(owner, party.agencies[0]) == ([(row.tells, reached)] if tells else [])
        assert (await read_client(world.admin, party.client_id)).status == reached

    @pytest.mark.parametrize("state", STATES)
    async def test_the_kill_switch_stops_from_every_state_that_is_not_over(self, world, owner, party, state):
        await put(owner, party.client_id, state)
        if state == "retired":
            with pytest.raises(ClientMoveError):
                await stop(world, party.client_id)
            return
        assert (await stop(world, party.client_id)).was == state
        listed = await read_client(world.admin, party.client_id)
        assert (listed.status, listed.status_before) == ("suspended", "active" if state == "suspended" else state)


class TestLettingIn:
    async def test_a_registered_client_works_once_two_people_have_said_yes_and_one_activates_it(self, world, people):
        first, second, _ = people
        agency = await world.agency()
        credentials = Credentials.generate(f"client-{secrets.token_hex(4)}", world.settings.public_url)
        values = {
            "client_id": credentials.client_id,
            "name": "A system",
            "agencies": [agency],
            "scopes": ["cases.read"],
            "jwks": credentials.public_jwks(),
        }
        waits = await registered(world, by=first, **values)
        assert (waits.act, waits.state, waits.yes) == ("client:approve", "waiting", (first.reference,))
        assert waits.detail["agencies"] == [agency]
        with pytest.raises(MayNotApproveError):
            await approve(world, waits, first)
        assert (await approve(world, waits, second)).done
        status = await world.act(change_client, credentials.client_id, "activate")
        assert status == "active"

    async def test_where_one_person_is_enough_a_registered_client_works_at_once(self, world, people):
        agency, key = await world.agency(), jose.generate()
        settings = world.settings.model_copy(update={"two_people": "off"})
        asked = await client_life.register(
            world.admin, client_id=f"client-{secrets.token_hex(4)}", name="A system", agencies=[agency],
            scopes=["cases.read"], jwks={"keys": [key.public_jwk()]}, by=people[0], now=world.clock.now(), settings=settings,
        )  # fmt: skip
        assert (asked.state, (await read_client(world.admin, asked.subject)).status) == ("approved", "active")

    async def test_what_is_put_into_the_sandbox_is_asked_for_later(self, world, people):
        agency = await world.agency(sandbox=True)
        credentials = Credentials.generate(f"client-{secrets.token_hex(4)}", world.settings.public_url)
        values = {
            "client_id": credentials.client_id,
            "name": "A system",
            "agencies": [agency],
            "scopes": ["cases.read"],
            "jwks": credentials.public_jwks(),
        }
        assert await registered(world, by=people[0], sandbox=True, **values) is None
        assert (await read_client(world.admin, credentials.client_id)).status == "sandbox"
        waits = await asked(world, client_life.request, credentials.client_id, by=people[0])
        assert (await read_client(world.admin, credentials.client_id)).status == "requested"
        with pytest.raises(ClientMoveError, match="only a client in the sandbox"):
            await asked(world, client_life.request, credentials.client_id, by=people[0])
        refused = await approvals.refuse(
            world.admin, waits.id, by=people[1], reason="not yet", now=world.clock.now(), two_people=True
        )
        assert refused.state == "refused"
        assert (await read_client(world.admin, credentials.client_id)).status == "sandbox"

    async def test_a_suspended_one_is_let_in_by_two_people_and_its_ended_keys_stay_ended(self, world, people, party):
        other = jose.generate()
        before = world.clock.now()
        world.clock.shift(timedelta(seconds=5))
        await asked(
            world, client_life.ask_for_key, party.client_id, jwk=other.public_jwk(), overlap=timedelta(days=1),
            by=people[0], two_people=False,
        )  # fmt: skip
        await stop(world, party.client_id, compromised_since=before + timedelta(seconds=1))
        waits = await asked(world, client_life.ask_to_resume, party.client_id, by=people[0])
        assert await status_of_token_request(party) == 401
        await approve(world, waits, people[1])
        assert await status_of_token_request(party) == 200
        assert (await party.ask(client_assertion=party.assertion(key=other))).status_code == 401

    async def test_only_what_is_out_can_be_let_in(self, world, people, party):
        with pytest.raises(ClientMoveError, match="it is not suspended"):
            await asked(world, client_life.ask_to_resume, party.client_id, by=people[0])

    async def test_somebody_at_the_machine_may_ask_and_has_said_nothing(self, world, people, party):
        await stop(world, party.client_id)
        waits = await asked(world, client_life.ask_to_resume, party.client_id, by=at_the_machine("root"))
        assert not (await approve(world, waits, people[0])).done
        assert (await approve(world, waits, people[1])).done


async def status_of_token_request(party) -> int:
    return (await party.ask()).status_code


class TestBounds:
    async def test_fewer_networks_count_at_once_and_more_wait(self, world, people, party):
        first, second, _ = people
        assert await asked(world, set_networks, party.client_id, ["10.0.0.0/8", "10.1.0.0/16"], by=first) is None
        assert (await read_client(world.admin, party.client_id)).networks == ("10.0.0.0/8",)
        waits = await asked(world, set_networks, party.client_id, ["10.2.0.0/16", "2001:db8::/32"], by=first)
        assert (await read_client(world.admin, party.client_id)).networks == ("10.2.0.0/16",)
        with pytest.raises(TakenError):
            await asked(world, set_networks, party.client_id, [], by=first)
        await approve(world, waits, second)
        assert set((await read_client(world.admin, party.client_id)).networks) == {"10.2.0.0/16", "2001:db8::/32"}

    async def test_other_networks_leave_the_present_ones_until_they_are_approved(self, world, people, party):
        await asked(world, set_networks, party.client_id, ["10.0.0.0/8"], by=people[0])
        await asked(world, set_networks, party.client_id, ["192.0.2.0/24"], by=people[0])
        assert (await read_client(world.admin, party.client_id)).networks == ("10.0.0.0/8",), "never none: that is any"

    @pytest.mark.parametrize("wrong", ["10.0.0.1/8", "10.0.0/24", "everywhere", "", "10.0.0.0/33", "2001:db8::1/32"])
    async def test_what_is_no_network_is_refused(self, world, people, party, wrong):
        with pytest.raises(InvalidValueError) as refused:
            await asked(world, set_networks, party.client_id, [wrong], by=people[0])
        assert not wrong or wrong not in str(refused.value)

    async def test_less_may_be_done_at_once_and_more_waits(self, world, people, party):
        await asked(
            world, client_life.change, party.client_id, Wish(scopes=["cases.read", "events.read"]), by=people[0]
        )
        assert (await read_client(world.admin, party.client_id)).scopes == ("cases.read", "events.read")
        waits = await asked(
            world, client_life.change, party.client_id, Wish(scopes=["cases.read", "cases.write"]), by=people[0]
        )
        assert (await read_client(world.admin, party.client_id)).scopes == ("cases.read",)
        await approve(world, waits, people[1])
        assert (await read_client(world.admin, party.client_id)).scopes == ("cases.read", "cases.write")

    async def test_a_retired_one_changes_no_more(self, world, people, party):
        await world.act(client_life.retire, party.client_id)
        with pytest.raises(ClientMoveError):
            await asked(world, set_networks, party.client_id, ["10.0.0.0/8"], by=people[0])


class TestKeys:
    async def test_another_takes_two_peoples_yes_and_its_overlap_begins_then(self, world, people, party):
        other, ends_at = jose.generate(), world.clock.now() + timedelta(days=365)
        kid, waits = await asked(
            world, client_life.ask_for_key, party.client_id, jwk=other.public_jwk(), overlap=timedelta(hours=1),
            ends_at=ends_at, by=people[0],
        )  # fmt: skip
        assert (await party.ask(client_assertion=party.assertion(key=other))).status_code == 401
        world.clock.shift(timedelta(hours=5))
        await approve(world, waits, people[1])
        first, second = (await read_client(world.admin, party.client_id)).keys
        assert timedelta(minutes=59) < first.ends_at - world.clock.now() <= timedelta(hours=1), (
            "not from when it was asked for"
        )
        assert (second.kid, second.ends_at) == (kid, ends_at)
        assert (await party.ask(client_assertion=party.assertion(key=other))).status_code == 200

    async def test_one_can_be_ended_alone(self, world, owner, party):
        kid = party.credentials.signing_key().public.kid
        await world.act(client_life.end_key_of, party.client_id, kid)
        assert await status_of_token_request(party) == 401
        assert await told(owner, party.agencies[0]) == [("client.key_ended", "ended")]
        with pytest.raises(UnknownKeyError):
            await world.act(client_life.end_key_of, party.client_id, "another")


class TestTheKillSwitch:
    async def test_ends_the_keys_added_since_and_no_others(self, world, owner, people, party):
        before, keys = world.clock.now(), []
        for _ in range(3):
            world.clock.shift(timedelta(hours=1))
            kid, _ = await asked(
                world, client_life.ask_for_key, party.client_id, jwk=jose.generate().public_jwk(),
                overlap=timedelta(days=9), by=people[0], two_people=False,
            )  # fmt: skip
            keys.append(kid)
        stopped = await stop(world, party.client_id, compromised_since=before + timedelta(hours=2))
        assert set(stopped.keys) == set(keys[1:])
        listed = {key.kid: key for key in (await read_client(world.admin, party.client_id)).keys}
        assert [listed[kid].ends_at <= world.clock.now() for kid in keys] == [False, True, True]
        assert (await told(owner, party.agencies[0])).count(("client.key_ended", "ended")) == 2

    async def test_applies_a_later_finding_to_what_is_stopped_already(self, world, party):
        await stop(world, party.client_id)
        again = await stop(world, party.client_id, compromised_since=world.clock.now() - timedelta(hours=1))
        assert (again.was, len(again.keys)) == ("suspended", 1)

    async def test_shuts_out_what_registered_itself_since_and_ends_its_tokens(self, world, owner, party):
        now, other = world.clock.now(), await world.party()
        early, late, elsewhere = (uuid7(now) for _ in range(3))
        for id, agency, at in (
            (early, party.agencies[0], now - timedelta(days=2)),
            (late, party.agencies[0], now - timedelta(minutes=5)),
            (elsewhere, other.agencies[0], now - timedelta(minutes=5)),
        ):
            await owner.execute(
                "INSERT INTO initial_access_token (id, token_hash, agency_id, scopes, uses_left, created_by, created_at, expires_at)"
                " SELECT $1, $2, id, '{cases.read}', 3, 'x', $4, $5 FROM agency WHERE code = $3",
                id, secrets.token_bytes(32), agency, at, now + timedelta(days=9),
            )  # fmt: skip
        registered = [await world.party() for _ in range(3)]
        for made, token, created in (
            (registered[0], early, now - timedelta(days=1)),
            (registered[1], early, now - timedelta(minutes=1)),
            (registered[2], elsewhere, now - timedelta(minutes=1)),
        ):
            await owner.execute(
                "UPDATE client SET status = 'sandbox', registered_by = $2, created_at = $3, registration_hash = $4 WHERE client_id = $1",
                made.client_id, token, created, secrets.token_bytes(32),
            )  # fmt: skip
        await owner.execute(
            "UPDATE client SET registration_hash = $2 WHERE client_id = $1", party.client_id, secrets.token_bytes(32)
        )
        stopped = await stop(world, party.client_id, compromised_since=now - timedelta(hours=1))
        assert (stopped.registrations, stopped.tokens_ended) == ((registered[1].client_id,), 1)
        ended = {
            row["id"] for row in await owner.fetch("SELECT id FROM initial_access_token WHERE ended_at IS NOT NULL")
        }
        assert ended == {late}
        kept = {
            row["client_id"]
            for row in await owner.fetch("SELECT client_id FROM client WHERE registration_hash IS NOT NULL")
        }
        assert kept & {party.client_id, *(each.client_id for each in registered)} == {
            registered[0].client_id,
            registered[2].client_id,
        }

    async def test_withdraws_what_was_asked_for_through_it_or_about_it_since(self, world, people, party):
        other = await world.party()
        thief = Person("somebody", frozenset({Role.operator}), client_id=party.client_id)
        early = await asked(world, set_networks, other.client_id, ["10.0.0.0/8"], by=people[0])
        assert early is None
        kept = await asked(world, set_networks, other.client_id, [], by=people[0])
        world.clock.shift(timedelta(hours=1))
        since = world.clock.now()
        _, through = await asked(
            world,
            client_life.ask_for_key,
            other.client_id,
            jwk=jose.generate().public_jwk(),
            overlap=timedelta(),
            by=thief,
        )
        _, about = await asked(
            world,
            client_life.ask_for_key,
            party.client_id,
            jwk=jose.generate().public_jwk(),
            overlap=timedelta(),
            by=people[0],
        )
        stopped = await stop(world, party.client_id, compromised_since=since)
        assert stopped.approvals_withdrawn == 2
        with pytest.raises(UnknownApprovalError):
            await approve(world, through, people[1])
        with pytest.raises(UnknownApprovalError):
            await approve(world, about, people[1])
        assert (await approve(world, kept, people[1])).done

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\nb"])
    async def test_wants_a_reason_that_can_be_read(self, world, party, reason):
        with pytest.raises(InvalidValueError):
            await world.act(kill_switch.stop, party.client_id, reason=reason)

    async def test_knows_no_future(self, world, party):
        with pytest.raises(InvalidValueError):
            await stop(world, party.client_id, compromised_since=world.clock.now() + timedelta(hours=1))
        assert await status_of_token_request(party) == 200

    async def test_of_a_client_there_is_none_is_said_to_be_that(self, world):
        with pytest.raises(UnknownClientError):
            await kill_switch.stranded(world.admin, "nobody", now=world.clock.now())
        with pytest.raises(UnknownClientError):
            await stop(world, "nobody")


class TestAnEmergency:
    async def give(self, world, party, by: Person, two_people: bool = True, **named):
        fresh = jose.generate()
        given = {"jwk": fresh.public_jwk(), "called_back": "duty officer", **named}
        made = await asked(
            world, client_life.give_emergency_key, party.client_id, by=by, two_people=two_people, **given
        )
        return fresh, made

    async def test_lets_a_stopped_client_in_with_a_new_key_and_narrow_scopes(self, world, owner, people, party):
        await duty_contacts(owner, party.agencies[0], "Duty officer", "deputy")
        await stop(world, party.client_id)
        fresh, made = await self.give(world, party, people[0])
        assert made.called_back == f"{party.agencies[0]} 1"
        assert await status_of_token_request(party) == 401, "its earlier key has ended"
        reply = await party.ask(client_assertion=party.assertion(key=fresh))
        assert set(reply.json()["scope"].split()) == set(EMERGENCY_SCOPES)
        assert [type for type, _ in await told(owner, party.agencies[0])] == [
            "client.suspended", "client.key_ended", "client.key_added", "client.resumed",
        ]  # fmt: skip

    async def test_lasts_a_day_and_the_client_is_out_by_itself(self, world, owner, people, party):
        await duty_contacts(owner, party.agencies[0], "duty officer")
        fresh, made = await self.give(world, party, people[0])
        world.clock.shift(timedelta(hours=23, minutes=59))
        assert (await party.ask(client_assertion=party.assertion(key=fresh))).status_code == 200
        world.clock.shift(timedelta(minutes=2))
        assert (await party.ask(client_assertion=party.assertion(key=fresh))).status_code == 401
        with pytest.raises(UnknownApprovalError):
            await approve(world, made.approval, people[1])
        again = [replace(each, confirmed_at=world.clock.now()) for each in people]
        waits = await asked(world, client_life.ask_to_resume, party.client_id, by=again[0])
        await approve(world, waits, again[1])
        reply = await party.ask(client_assertion=party.assertion(key=fresh))
        assert set(reply.json()["scope"].split()) == set(EVERY_SCOPE)

    async def test_ends_well_by_another_persons_yes(self, world, owner, people, party):
        await duty_contacts(owner, party.agencies[0], "duty officer")
        fresh, made = await self.give(world, party, people[0])
        with pytest.raises(MayNotApproveError):
            await approve(world, made.approval, people[0])
        assert (await approve(world, made.approval, people[1])).done
        world.clock.shift(timedelta(days=2))
        reply = await party.ask(client_assertion=party.assertion(key=fresh))
        assert set(reply.json()["scope"].split()) == set(EVERY_SCOPE)

    async def test_ends_at_once_by_another_persons_no(self, world, owner, people, party):
        await duty_contacts(owner, party.agencies[0], "duty officer")
        fresh, made = await self.give(world, party, people[0])
        await approvals.refuse(
            world.admin, made.approval.id, by=people[1], reason="I called too", now=world.clock.now(), two_people=True
        )
        await world.directory.refresh()
        assert (await party.ask(client_assertion=party.assertion(key=fresh))).status_code == 401

    async def test_is_over_when_the_client_is_stopped_again(self, world, owner, people, party):
        await duty_contacts(owner, party.agencies[0], "duty officer")
        _, made = await self.give(world, party, people[0])
        await stop(world, party.client_id)
        with pytest.raises(UnknownApprovalError):
            await approve(world, made.approval, people[1])

    async def test_needs_a_registered_contact_who_was_called(self, world, owner, people, party):
        with pytest.raises(InvalidValueError, match="no duty contact is registered"):
            await self.give(world, party, people[0])
        await duty_contacts(owner, party.agencies[0], "duty officer", "duty officer", "deputy")
        for called, says in (
            ("the minister", "registered duty contacts"),
            ("duty officer", "several"),
            ("4", "registered"),
        ):
            with pytest.raises(InvalidValueError, match=says):
                await self.give(world, party, people[0], called_back=called)
        _, made = await self.give(world, party, people[0], called_back="2")
        assert made.called_back == f"{party.agencies[0]} 2"

    async def test_needs_an_operator_who_has_signed_in(self, world, owner, people, party):
        await duty_contacts(owner, party.agencies[0], "duty officer")
        for nobody in (at_the_machine("root"), people[2], Person("thief", frozenset({Role.operator}), client_id="x-y")):
            with pytest.raises(MayNotApproveError):
                await self.give(world, party, nobody)
        assert await status_of_token_request(party) == 200, "nothing has changed"

    async def test_is_not_for_a_key_there_was_nor_for_a_client_known_by_an_authority(self, world, owner, people, party):
        await duty_contacts(owner, party.agencies[0], "duty officer")
        with pytest.raises(TakenError):
            await self.give(world, party, people[0], jwk=party.credentials.public_jwks()["keys"][0])
        assert await status_of_token_request(party) == 200, "nothing has changed"
        await owner.execute(
            "UPDATE client SET auth_method = 'tls_client_auth', tls_name_kind = 'san_dns', tls_name = 'x.example' WHERE client_id = $1",
            party.client_id,
        )
        with pytest.raises(UnusableKeyError):
            await self.give(world, party, people[0])

    async def test_is_settled_at_once_where_one_person_is_enough(self, world, owner, people, party):
        await duty_contacts(owner, party.agencies[0], "duty officer")
        fresh, made = await self.give(world, party, at_the_machine("me"), two_people=False)
        assert made.until is None
        reply = await party.ask(client_assertion=party.assertion(key=fresh))
        assert set(reply.json()["scope"].split()) == set(EVERY_SCOPE)


class TestRetiring:
    async def test_ends_its_keys_and_what_waits_about_it(self, world, people, party):
        _, waits = await asked(
            world,
            client_life.ask_for_key,
            party.client_id,
            jwk=jose.generate().public_jwk(),
            overlap=timedelta(),
            by=people[0],
        )
        await world.act(client_life.retire, party.client_id)
        assert all(key.ends_at is not None for key in (await read_client(world.admin, party.client_id)).keys)
        with pytest.raises(UnknownApprovalError):
            await approve(world, waits, people[1])

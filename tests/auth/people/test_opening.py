"""Who may open administration to whom: the machine alone at first, then two operators."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest

from auth.admin import approvals, errors
from auth.people import administrators, invitations, opening, sessions
from auth.people.opening import Rules
from auth.people.person import Person, Role, at_the_machine

MACHINE = Rules(two_people=True, at_machine=True)
WEB = Rules(two_people=True)
ROOT = at_the_machine("root")


@pytest.fixture
async def conn(exchange):
    made = await asyncpg.connect(exchange.addresses.admin)
    yield made
    await made.close()


@pytest.fixture
def now(exchange):
    return exchange.clock.now()


async def add(conn, now, reference, *roles, by=ROOT, rules=MACHINE):
    wanted = roles or (Role.operator,)
    return await opening.add(conn, reference=reference, name="Person", roles=wanted, by=by, now=now, rules=rules)


async def operator(conn, now, reference) -> Person:
    """Somebody who can sign in, and has."""
    id = await administrators.add_administrator(
        conn, reference=reference, name="Person", roles=[Role.operator], now=now, actor="test"
    )
    await administrators.link_oidc(conn, id, "https://idp.example", reference, now=now, actor=reference)
    token = await sessions.begin(conn, id, method="oidc", address=None, user_agent=None, now=now)
    found = await sessions.find(conn, token, now=now)
    assert found is not None
    return found


class TestTheFirst:
    async def test_are_added_by_the_machine_alone_and_the_log_says_so(self, exchange, conn, now):
        opened = await add(conn, now, "staff-1")
        assert (opened.done, opened.approval) == (True, None)
        invited = await invitations.look(conn, sessions.token_hash(opened.token), now=now)
        assert invited.reference == "staff-1"
        rows = await exchange.owner.fetch("SELECT action, actor FROM log_entry WHERE action LIKE 'admin:%' ORDER BY id")
        assert [tuple(row) for row in rows] == [
            ("admin:bootstrap", "root"),
            ("admin:add", "root"),
            ("admin:invite", "root"),
        ]

    async def test_are_not_added_from_elsewhere(self, conn, now):
        with pytest.raises(errors.MayNotApproveError):
            await add(conn, now, "staff-1", rules=WEB)

    async def test_end_with_two_operators_who_can_sign_in(self, conn, now):
        one = await operator(conn, now, "staff-1")
        assert (await add(conn, now, "staff-3")).done, "one cannot say the second yes"
        await operator(conn, now, "staff-2")
        later = await add(conn, now, "staff-4", by=one)
        assert (later.done, later.approval.state) == (False, "waiting")

    async def test_are_not_ended_by_who_cannot_say_yes(self, conn, now):
        """Two auditors, or somebody suspended, or a person without a way in, could approve nothing."""
        await operator(conn, now, "staff-1")
        await operator(conn, now, "staff-2")
        await administrators.set_roles(conn, "staff-2", [Role.auditor], now=now, actor="test")
        assert await opening.bootstraps(conn, MACHINE)
        await administrators.set_roles(conn, "staff-2", [Role.operator], now=now, actor="test")
        assert not await opening.bootstraps(conn, MACHINE)
        await administrators.suspend(conn, "staff-2", now=now, actor="test")
        assert await opening.bootstraps(conn, MACHINE)


class TestApproved:
    async def test_two_operators_do_it(self, conn, now):
        one, two = await operator(conn, now, "staff-1"), await operator(conn, now, "staff-2")
        opened = await add(conn, now, "staff-3", Role.auditor, by=one, rules=WEB)
        hash = sessions.token_hash(opened.token)
        assert await invitations.look(conn, hash, now=now) is None
        await approvals.approve(conn, opened.approval.id, by=two, now=now, two_people=True)
        assert (await invitations.look(conn, hash, now=now)).reference == "staff-3"

    async def test_the_machine_asks_for_no_link(self, conn, now):
        """It may be one of the two who would have to approve it: they would hold the link, and be shown its code."""
        await operator(conn, now, "staff-1")
        await add(conn, now, "staff-3")
        await operator(conn, now, "staff-2")
        with pytest.raises(errors.MayNotApproveError):
            await add(conn, now, "staff-4")
        with pytest.raises(errors.MayNotApproveError):
            await opening.invite(conn, "staff-3", by=ROOT, now=now, rules=MACHINE)

    async def test_the_machine_asks_for_roles_but_its_yes_is_nobodys(self, conn, now):
        one, two = await operator(conn, now, "staff-1"), await operator(conn, now, "staff-2")
        opened = await opening.change_roles(conn, "staff-1", [Role.auditor], by=ROOT, now=now, rules=MACHINE)
        first = await approvals.approve(conn, opened.approval.id, by=one, now=now, two_people=True)
        assert first.state == "waiting"
        second = await approvals.approve(conn, opened.approval.id, by=two, now=now, two_people=True)
        assert second.done

    async def test_the_link_counts_for_a_day_from_then(self, conn, now):
        one, two = await operator(conn, now, "staff-1"), await operator(conn, now, "staff-2")
        opened = await add(conn, now, "staff-3", by=one, rules=WEB)
        approved = now + timedelta(days=2)
        await approvals.approve(conn, opened.approval.id, by=two, now=approved, two_people=True)
        hash = sessions.token_hash(opened.token)
        assert await invitations.look(conn, hash, now=approved + timedelta(hours=23))
        assert await invitations.look(conn, hash, now=approved + timedelta(hours=24)) is None

    async def test_nothing_is_left_of_what_cannot_be_done_any_more(self, conn, now):
        one, two = await operator(conn, now, "staff-1"), await operator(conn, now, "staff-2")
        opened = await add(conn, now, "staff-3", by=one, rules=WEB)
        await administrators.add_administrator(
            conn, reference="staff-3", name="Other", roles=["auditor"], now=now, actor="test"
        )
        with pytest.raises(errors.TakenError):
            await approvals.approve(conn, opened.approval.id, by=two, now=now, two_people=True)
        found = await approvals.read(conn, opened.approval.id, now=now, two_people=True)
        assert (found.state, found.yes) == ("waiting", ("staff-1",))

    async def test_nobody_is_invited_who_was_suspended_meanwhile(self, conn, now):
        one, two = await operator(conn, now, "staff-1"), await operator(conn, now, "staff-2")
        await operator(conn, now, "staff-3")
        opened = await opening.invite(conn, "staff-3", by=one, now=now, rules=WEB)
        await administrators.suspend(conn, "staff-3", now=now, actor="test")
        with pytest.raises(errors.AdministratorStateError):
            await approvals.approve(conn, opened.approval.id, by=two, now=now, two_people=True)
        with pytest.raises(errors.AdministratorStateError):
            await opening.invite(conn, "staff-3", by=one, now=now, rules=WEB)


class TestLinking:
    async def test_an_account_is_one_persons_and_a_person_has_one(self, conn, now):
        one, two = await operator(conn, now, "staff-1"), await operator(conn, now, "staff-2")
        with pytest.raises(errors.AdministratorStateError):
            await administrators.link_oidc(conn, one.admin_id, "https://idp.example", "x", now=now, actor="x")
        await administrators.link_oidc(conn, one.admin_id, "https://idp.example", "staff-1", now=now, actor="x")
        await administrators.unlink_oidc(conn, "staff-2", now=now, actor="test")
        with pytest.raises(errors.TakenError):
            await administrators.link_oidc(conn, two.admin_id, "https://idp.example", "staff-1", now=now, actor="x")
        await administrators.link_oidc(conn, two.admin_id, "https://idp.example", "else", now=now, actor="x")
        assert [each.linked for each in await administrators.list_administrators(conn)] == [True, True]

    async def test_parting_ends_the_sessions(self, conn, now):
        one = await operator(conn, now, "staff-1")
        assert await sessions.list_sessions(conn, admin_id=one.admin_id, now=now)
        await administrators.unlink_oidc(conn, "staff-1", now=now, actor="test")
        assert await sessions.list_sessions(conn, admin_id=one.admin_id, now=now) == []
        with pytest.raises(errors.AdministratorStateError):
            await administrators.unlink_oidc(conn, "staff-1", now=now, actor="test")

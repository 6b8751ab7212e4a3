"""Sessions: how long they last, who sees them, who ends them; and the command line's."""

from __future__ import annotations

import uuid

import pytest

from auth.people import command_line, sessions
from auth.people.person import Role
from tests.makers.people import problem


class TestHowLong:
    async def test_half_an_hour_without_use(self, exchange, signed_in):
        browser = await signed_in()
        exchange.later(minutes=29)
        assert (await browser.get("me")).status_code == 200
        exchange.later(minutes=29)
        assert (await browser.get("me")).status_code == 200, "it was used"
        exchange.later(minutes=30, seconds=1)
        assert problem(await browser.get("me")) == (401, "not-signed-in")

    async def test_twelve_hours_at_most(self, exchange, signed_in):
        browser = await signed_in()
        for _ in range(28):
            exchange.later(minutes=25)
            assert (await browser.get("me")).status_code == 200
        exchange.later(minutes=25)
        assert problem(await browser.get("me")) == (401, "not-signed-in")

    async def test_me_says_so(self, signed_in):
        me = (await (await signed_in()).get("me")).json()
        assert me["session"]["created_at"] < me["confirmed_until"] < me["session"]["idle_until"]
        assert me["session"]["idle_until"] < me["session"]["expires_at"]


class TestListing:
    async def test_ones_own(self, signed_in):
        mine = await signed_in("staff-1")
        await signed_in("staff-2")
        (only,) = (await mine.get("sessions")).json()["items"]
        assert (only["reference"], only["current"]) == ("staff-1", True)

    async def test_everybodys_for_operators_and_auditors(self, signed_in):
        operator, auditor = await signed_in("staff-1"), await signed_in("staff-2", Role.auditor)
        for browser in (operator, auditor):
            items = (await browser.get("sessions?all=true")).json()["items"]
            assert {each["reference"] for each in items} == {"staff-1", "staff-2"}
        officer = await signed_in("staff-3", Role.protection_officer)
        assert problem(await officer.get("sessions?all=true")) == (403, "role-required")

    async def test_no_token_is_shown(self, signed_in):
        browser = await signed_in()
        shown = (await browser.get("sessions")).text + (await browser.get("me")).text
        assert browser.session not in shown
        assert sessions.token_hash(browser.session).hex() not in shown


class TestEnding:
    async def test_ones_other_session(self, browser_of, signed_in, log):
        first = await signed_in("staff-1")
        second = browser_of()
        second.device = first.device
        await second.sign_in()
        other = next(each for each in (await first.get("sessions")).json()["items"] if not each["current"])
        assert (await first.post(f"sessions/{other['id']}/end")).status_code == 204
        assert problem(await second.get("me")) == (401, "not-signed-in")
        assert (await first.get("me")).status_code == 200
        assert await log("admin:session-end") == [("staff-1", {"of": "staff-1"})]

    async def test_all_others_of_ones_own(self, browser_of, signed_in):
        first, stranger = await signed_in("staff-1"), await signed_in("staff-2")
        for _ in range(2):
            other = browser_of()
            other.device = first.device
            await other.sign_in()
        assert (await first.post("sessions/end-others")).json() == {"ended": 2}
        assert (await first.get("me")).status_code == 200
        assert (await stranger.get("me")).status_code == 200

    async def test_anothers_is_for_operators(self, signed_in):
        officer, victim = await signed_in("staff-1", Role.protection_officer), await signed_in("staff-2")
        id = (await victim.get("me")).json()["session"]["id"]
        assert problem(await officer.post(f"sessions/{id}/end")) == (404, "admin-not-there")
        assert (await victim.get("me")).status_code == 200
        operator = await signed_in("staff-3")
        assert (await operator.post(f"sessions/{id}/end")).status_code == 204
        assert problem(await victim.get("me")) == (401, "not-signed-in")

    @pytest.mark.parametrize("id", [uuid.UUID(int=0), "x"])
    async def test_what_is_not_there_is_told(self, signed_in, id):
        reply = await (await signed_in()).post(f"sessions/{id}/end")
        assert problem(reply) in ((404, "admin-not-there"), (422, "invalid-request"))


class TestTheCommandLine:
    async def ask(self, exchange, conn):
        return await command_line.ask(conn, machine="desk\u202e-1", login="siti", now=exchange.clock.now())

    async def test_gets_a_session_of_the_person_who_allows_it(self, exchange, conn, signed_in, browser_of, log):
        asked = await self.ask(exchange, conn)
        shown = await browser_of().post("command-line/look", {"code": asked.code})
        assert shown.json() == {"compare": asked.compare, "machine": "desk-1", "login": "siti"}
        assert await sessions.find(conn, asked.token, now=exchange.clock.now()) is None
        browser = await signed_in("staff-1", Role.auditor)
        assert (await browser.post("command-line/allow", {"code": asked.code})).status_code == 204
        person = await sessions.find(conn, asked.token, now=exchange.clock.now())
        assert (person.reference, person.roles) == ("staff-1", {Role.auditor})
        listed = (await browser.get("sessions")).json()["items"]
        assert {each["method"] for each in listed} == {"passkey", "command_line"}
        assert ("staff-1", {"method": "command_line"}) in await log("admin:sign-in")

    async def test_is_allowed_once(self, exchange, conn, signed_in):
        asked, browser = await self.ask(exchange, conn), await signed_in()
        assert (await browser.post("command-line/allow", {"code": asked.code})).status_code == 204
        again = await browser.post("command-line/allow", {"code": asked.code})
        assert problem(again) == (409, "ceremony-over")

    async def test_is_allowed_within_five_minutes(self, exchange, conn, signed_in):
        asked, browser = await self.ask(exchange, conn), await signed_in()
        exchange.later(minutes=5, seconds=1)
        for path in ("look", "allow"):
            assert problem(await browser.post(f"command-line/{path}", {"code": asked.code})) == (409, "ceremony-over")

    async def test_is_allowed_by_who_has_just_proved_who_they_are(self, exchange, conn, signed_in, browser_of):
        browser = await signed_in()
        exchange.later(minutes=11)
        asked = await self.ask(exchange, conn)
        early = await browser.post("command-line/allow", {"code": asked.code})
        assert problem(early) == (403, "confirmation-required")
        nobody = await browser_of().post("command-line/allow", {"code": asked.code})
        assert problem(nobody) == (401, "not-signed-in")
        await browser.confirm()
        assert (await browser.post("command-line/allow", {"code": asked.code})).status_code == 204

    async def test_counts_as_proved_no_longer_than_the_browser_that_allowed_it(self, exchange, conn, signed_in):
        browser = await signed_in()
        exchange.later(minutes=9)
        asked = await self.ask(exchange, conn)
        await browser.post("command-line/allow", {"code": asked.code})
        exchange.later(minutes=2)
        person = await sessions.find(conn, asked.token, now=exchange.clock.now())
        assert not person.confirmed(exchange.clock.now())

    async def test_keeps_no_token_in_the_database(self, exchange, conn):
        asked = await self.ask(exchange, conn)
        (row,) = await exchange.owner.fetch("SELECT c::text AS row FROM ceremony c")
        assert asked.token not in row["row"]
        assert asked.code not in row["row"]

"""Invited, enrolled, signed in, confirmed again, signed out: by passkeys, over HTTP."""

from __future__ import annotations

import secrets

import pytest

from auth.people import administrators, opening, sessions
from auth.people.opening import Rules
from auth.people.person import at_the_machine
from tests.makers.people import PRESENT, VERIFIED, Authenticator, Browser, problem, strange_session


class TestEnrolling:
    async def test_makes_a_passkey_by_the_link_and_signs_in(self, browser_of, link_of, log):
        browser = browser_of()
        reply = await browser.enrol(await link_of("staff-1"))
        assert (reply.status_code, reply.json()) == (200, {"reference": "staff-1"})
        me = (await browser.get("me")).json()
        assert (me["reference"], me["roles"], [key["name"] for key in me["passkeys"]]) == (
            "staff-1",
            ["operator"],
            ["A key"],
        )
        assert [actor for actor, _ in await log("admin:passkey-add")] == ["staff-1"]
        assert await log("admin:sign-in") == [("staff-1", {"method": "passkey"})]

    async def test_asks_for_a_passkey_that_finds_and_verifies_its_person(self, browser_of, link_of):
        options = await browser_of().begin("enrolment", {"token": await link_of("staff-1")})
        assert options["authenticatorSelection"] == {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        }
        assert (options["attestation"], options["rp"]["id"]) == ("none", "rujukan.test")

    async def test_a_link_works_once(self, browser_of, link_of):
        token = await link_of("staff-1")
        assert (await browser_of().enrol(token)).status_code == 200
        again = await browser_of().post("enrolment/begin", {"token": token})
        assert problem(again) == (410, "link-over")

    async def test_two_who_began_with_one_link_do_not_both_end(self, browser_of, link_of):
        token = await link_of("staff-1")
        first, second = browser_of(), browser_of()
        begun = [await each.begin("enrolment", {"token": token}) for each in (first, second)]
        ended = [
            await each.post("enrolment/finish", {"credential": each.device.create(options)})
            for each, options in zip((first, second), begun, strict=True)
        ]
        assert [reply.status_code for reply in ended] == [200, 410]
        assert (await second.get("me")).status_code == 401

    async def test_a_link_is_for_a_day(self, exchange, browser_of, link_of):
        token = await link_of("staff-1")
        exchange.later(hours=24, seconds=1)
        assert problem(await browser_of().post("enrolment/begin", {"token": token})) == (410, "link-over")

    async def test_a_newer_link_ends_the_earlier(self, exchange, conn, browser_of, link_of):
        earlier = await link_of("staff-1")
        newer = await opening.invite(
            conn, "staff-1", by=at_the_machine("root"), now=exchange.clock.now(), rules=Rules(two_people=False)
        )
        assert problem(await browser_of().post("enrolment/begin", {"token": earlier})) == (410, "link-over")
        assert (await browser_of().enrol(newer.token)).status_code == 200

    async def test_a_link_ends_with_its_person(self, exchange, conn, browser_of, link_of):
        token = await link_of("staff-1")
        await administrators.suspend(conn, "staff-1", now=exchange.clock.now(), actor="root")
        assert problem(await browser_of().post("enrolment/begin", {"token": token})) == (410, "link-over")

    @pytest.mark.parametrize("token", ["", "x", "A" * 43, "\u202e", "é" * 20])
    async def test_a_link_made_up_leads_nowhere(self, browser_of, token):
        assert problem(await browser_of().post("enrolment/begin", {"token": token})) == (410, "link-over")

    async def test_a_failure_leaves_the_link_as_it_was(self, browser_of, link_of, log):
        browser, token = browser_of(), await link_of("staff-1")
        browser.device.flags = PRESENT
        assert problem(await browser.enrol(token)) == (403, "passkey-refused")
        browser.device.flags = PRESENT | VERIFIED
        assert problem(await browser.enrol(token, name=" ")) == (422, "admin-not-right")
        assert (await browser.enrol(token)).status_code == 200
        refused = {"reason": "not_verified", "doing": "enrol"}
        assert await log("admin:passkey-refused") == [("staff-1", refused)]

    async def test_only_the_hash_of_a_link_is_stored(self, exchange, link_of):
        token = await link_of("staff-1")
        stored = await exchange.owner.fetch(
            "SELECT i::text AS row FROM invitation i UNION ALL SELECT a::text FROM approval a"
        )
        assert stored
        assert not [row for row in stored if token in row["row"]]


class TestSigningIn:
    async def test_begins_a_session_whose_cookie_only_the_browser_sees(self, browser_of, signed_in):
        browser = await signed_in("staff-1")
        reply = await browser.sign_in()
        assert reply.status_code == 200
        (given,) = [each for each in reply.headers.get_list("set-cookie") if each.startswith(sessions.COOKIE)]
        parts = {part.strip().lower() for part in given.split(";")[1:]}
        assert {"httponly", "secure", "samesite=strict", "path=/"} <= parts
        assert not [part for part in parts if part.startswith("domain")]
        assert (await browser.get("me")).json()["session"]["method"] == "passkey"

    async def test_gives_another_token_each_time_and_ends_the_one_before(self, signed_in):
        browser = await signed_in("staff-1")
        before = browser.session
        await browser.sign_in()
        assert browser.session not in (None, before)
        browser.http.cookies = {sessions.COOKIE: before}
        assert problem(await browser.get("me")) == (401, "not-signed-in")

    async def test_stores_no_token(self, exchange, signed_in):
        browser = await signed_in("staff-1")
        (row,) = await exchange.owner.fetch("SELECT s::text AS row FROM admin_session s")
        assert browser.session not in row["row"]

    async def test_is_told_nothing_of_who_there_is(self, browser_of, signed_in):
        await signed_in("staff-1")
        options = await browser_of().begin("sign-in")
        assert options["allowCredentials"] == []
        assert options["userVerification"] == "required"

    async def test_a_ceremony_is_answered_once(self, signed_in):
        browser = await signed_in("staff-1")
        options = await browser.begin("sign-in")
        held = browser.http.cookies.get("__Host-rujukan-ceremony")
        answer = {"credential": browser.device.get(options)}
        assert (await browser.post("sign-in/finish", answer)).status_code == 200
        again = await browser.post("sign-in/finish", answer, Cookie=f"__Host-rujukan-ceremony={held}")
        assert problem(again) == (409, "ceremony-over")

    async def test_a_ceremony_that_failed_is_over_too(self, signed_in):
        browser = await signed_in("staff-1")
        options = await browser.begin("sign-in")
        wrong = browser.device.get(options, origin="https://evil.example")
        assert problem(await browser.post("sign-in/finish", {"credential": wrong})) == (403, "passkey-refused")
        right = browser.device.get(options)
        assert problem(await browser.post("sign-in/finish", {"credential": right})) == (409, "ceremony-over")

    async def test_a_ceremony_takes_five_minutes_at_most(self, exchange, signed_in):
        browser = await signed_in("staff-1")
        options = await browser.begin("sign-in")
        exchange.later(minutes=5, seconds=1)
        reply = await browser.post("sign-in/finish", {"credential": browser.device.get(options)})
        assert problem(reply) == (409, "ceremony-over")

    async def test_ceremonies_nobody_ends_are_forgotten(self, exchange, browser_of):
        for _ in range(3):
            await browser_of().begin("sign-in")
        exchange.later(minutes=5, seconds=1)
        await browser_of().begin("sign-in")
        assert await exchange.owner.fetchval("SELECT count(*) FROM ceremony") == 1

    async def test_a_ceremony_belongs_to_the_browser_that_began_it(self, browser_of, signed_in):
        mine, other = await signed_in("staff-1"), browser_of()
        options = await mine.begin("sign-in")
        answer = {"credential": mine.device.get(options)}
        assert problem(await other.post("sign-in/finish", answer)) == (409, "ceremony-over")

    async def test_a_ceremony_is_for_what_it_was_begun_for(self, signed_in):
        browser = await signed_in("staff-1")
        options = await browser.begin("sign-in")
        reply = await browser.post("confirmation/finish", {"credential": browser.device.get(options)})
        assert problem(reply) == (409, "ceremony-over")


class TestAWrongPasskey:
    @pytest.mark.parametrize(
        ("wrong", "client_data"),
        [
            ({}, {"origin": "https://evil.example"}),
            ({}, {"origin": "http://rujukan.test"}),
            ({}, {"type": "webauthn.create"}),
            ({}, {"challenge": "AAAA"}),
            ({"rp_id": "evil.example"}, {}),
            ({"flags": PRESENT}, {}),
            ({"flags": VERIFIED}, {}),
            ({"handle": b"another"}, {}),
            ({"handle": None}, {}),
        ],
        ids=["site", "scheme", "type", "challenge", "rp", "not-verified", "not-present", "handle", "no-handle"],
    )
    async def test_is_refused_and_logged(self, signed_in, log, wrong, client_data):
        browser = await signed_in("staff-1")
        for name, value in wrong.items():
            setattr(browser.device, name, value)
        options = await browser.begin("sign-in")
        answer = {"credential": browser.device.get(options, **client_data)}
        assert problem(await browser.post("sign-in/finish", answer)) == (403, "passkey-refused")
        ((actor, detail),) = await log("admin:passkey-refused")
        assert (actor, detail["doing"]) == ("staff-1", "sign-in")

    async def test_of_another_key_is_refused(self, signed_in):
        browser = await signed_in("staff-1")
        browser.device.key = Authenticator("").key
        assert problem(await browser.sign_in()) == (403, "passkey-refused")

    async def test_of_nobody_is_refused_and_fills_no_log(self, browser_of, log):
        browser = browser_of()
        browser.device.handle = secrets.token_bytes(16)
        assert problem(await browser.sign_in()) == (403, "passkey-refused")
        assert await log("admin:passkey-refused") == []

    @pytest.mark.parametrize(
        "credential",
        [
            {},
            {"id": 1},
            {"id": "AA", "rawId": "AA", "type": "public-key", "response": {}},
            {"id": "é", "rawId": "é", "type": "public-key", "response": None},
            {
                "id": "AA",
                "rawId": "AA",
                "type": "public-key",
                "response": dict.fromkeys(("clientDataJSON", "authenticatorData", "signature"), "AAAA"),
            },
        ],
    )
    async def test_that_is_none_is_refused(self, browser_of, credential):
        browser = browser_of()
        await browser.begin("sign-in")
        reply = await browser.post("sign-in/finish", {"credential": credential})
        assert problem(reply) == (403, "passkey-refused")

    async def test_that_was_garbled_is_refused(self, signed_in):
        browser = await signed_in("staff-1")
        for member in ("clientDataJSON", "authenticatorData", "signature", "userHandle"):
            for value in ("", "AAAA", "e30", "A" * 5000):
                answer = browser.device.get(await browser.begin("sign-in"))
                answer["response"][member] = value
                reply = await browser.post("sign-in/finish", {"credential": answer})
                assert problem(reply) == (403, "passkey-refused"), (member, value[:9])

    async def test_of_a_suspended_person_is_refused(self, exchange, conn, signed_in, log):
        browser = await signed_in("staff-1")
        await administrators.suspend(conn, "staff-1", now=exchange.clock.now(), actor="root")
        assert problem(await browser.get("me")) == (401, "not-signed-in")
        assert problem(await browser.sign_in()) == (403, "passkey-refused")
        assert [detail["reason"] for _, detail in await log("admin:passkey-refused")] == ["suspended"]

    async def test_that_has_ended_is_refused(self, exchange, conn, signed_in, log):
        browser = await signed_in("staff-1")
        (key,) = (await administrators.find_administrator(conn, "staff-1")).passkeys
        await administrators.end_passkey(conn, "staff-1", key.id, now=exchange.clock.now(), actor="root")
        assert problem(await browser.get("me")) == (401, "not-signed-in")
        assert problem(await browser.sign_in()) == (403, "passkey-refused")
        assert [detail["reason"] for _, detail in await log("admin:passkey-refused")] == ["ended"]


class TestACopiedPasskey:
    async def test_ends_with_the_sessions_of_its_person(self, browser_of, signed_in, log):
        """The copy signs in; then the original's count is behind."""
        original = await signed_in("staff-1")
        copy = browser_of()
        device = original.device
        copy.device = Authenticator(
            device.origin, key=device.key, credential_id=device.credential_id, handle=device.handle, count=device.count
        )
        assert (await copy.sign_in()).status_code == 200
        assert problem(await original.sign_in()) == (403, "passkey-copied")
        assert problem(await copy.get("me")) == (401, "not-signed-in")
        assert problem(await copy.sign_in()) == (403, "passkey-refused")
        assert await log("admin:passkey-copied") == [("staff-1", {"reason": "copied", "doing": "sign-in"})]

    async def test_is_not_suspected_where_nothing_is_counted(self, browser_of, link_of):
        browser = browser_of()
        browser.device.counts = False
        assert (await browser.enrol(await link_of("staff-1"))).status_code == 200
        for _ in range(2):
            assert (await browser.sign_in()).status_code == 200


class TestComingFromElsewhere:
    @pytest.mark.parametrize(
        "path", ["sign-in/begin", "sign-in/finish", "enrolment/begin", "enrolment/finish", "command-line/look"]
    )
    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://rujukan.test", ""])
    async def test_opens_no_way_in(self, browser_of, path, origin):
        assert problem(await browser_of().post(path, {}, Origin=origin)) == (403, "cross-site")

    async def test_changes_nothing_with_a_cookie(self, signed_in):
        browser = await signed_in("staff-1")
        for path in ("sign-out", "sessions/end-others", "confirmation/begin", "administrators"):
            assert problem(await browser.post(path, {}, Origin="https://evil.example")) == (403, "cross-site")
            bare = await browser.http.post(f"/admin/v1/{path}", json={})
            assert problem(bare) == (403, "cross-site")
        assert (await browser.get("me")).status_code == 200

    async def test_a_form_is_no_json(self, signed_in):
        browser = await signed_in("staff-1")
        reply = await browser.http.post(
            "/admin/v1/enrolment/begin", data={"token": "x"}, headers={"Origin": browser.origin}
        )
        assert problem(reply) == (415, "unsupported-media-type")


class TestConfirming:
    async def test_is_needed_after_ten_minutes_and_gives_another_token(self, exchange, signed_in, log):
        browser = await signed_in("staff-1")
        exchange.later(minutes=10, seconds=1)
        body = {"reference": "staff-2", "name": "Two", "roles": ["auditor"]}
        assert problem(await browser.post("administrators", body)) == (403, "confirmation-required")
        before = browser.session
        assert (await browser.confirm()).status_code == 200
        assert browser.session != before
        assert (await browser.post("administrators", body)).status_code == 202
        browser.http.cookies = {sessions.COOKIE: before}
        assert problem(await browser.get("me")) == (401, "not-signed-in")
        assert [actor for actor, _ in await log("admin:confirm")] == ["staff-1"]

    async def test_is_not_done_by_another_person(self, signed_in):
        mine, others = await signed_in("staff-1"), await signed_in("staff-2")
        options = await mine.begin("confirmation")
        reply = await mine.post("confirmation/finish", {"credential": others.device.get(options)})
        assert problem(reply) == (403, "passkey-refused")

    async def test_does_not_lengthen_the_session(self, exchange, signed_in):
        browser = await signed_in("staff-1")
        end = (await browser.get("me")).json()["session"]["expires_at"]
        exchange.later(minutes=20)
        await browser.confirm()
        assert (await browser.get("me")).json()["session"]["expires_at"] == end

    async def test_needs_a_session(self, browser_of):
        assert problem(await browser_of().post("confirmation/begin")) == (401, "not-signed-in")


class TestAnotherPasskeyOfOnesOwn:
    async def add(self, browser: Browser, device: Authenticator):
        options = await browser.begin("passkeys")
        return await browser.post("passkeys/finish", {"name": "Second", "credential": device.create(options)})

    async def test_signs_in_too(self, browser_of, signed_in):
        browser, other = await signed_in("staff-1"), browser_of()
        assert (await self.add(browser, other.device)).status_code == 204
        assert (await other.sign_in()).json() == {"reference": "staff-1"}

    async def test_needs_a_fresh_proof(self, exchange, signed_in):
        browser = await signed_in("staff-1")
        exchange.later(minutes=11)
        assert problem(await browser.post("passkeys/begin")) == (403, "confirmation-required")

    async def test_is_not_one_that_is_known(self, signed_in):
        browser, other = await signed_in("staff-1"), await signed_in("staff-2")
        assert problem(await self.add(browser, other.device)) == (403, "passkey-refused")

    async def test_of_a_ceremony_of_somebody_else_is_refused(self, browser_of, signed_in):
        """Whoever signs in in between, in the same browser, does not get the other's passkey."""
        browser, second = await signed_in("staff-1"), await signed_in("staff-2")
        options = await browser.begin("passkeys")
        held = browser.http.cookies.get("__Host-rujukan-ceremony")
        browser.http.cookies = {sessions.COOKIE: second.session, "__Host-rujukan-ceremony": held}
        reply = await browser.post("passkeys/finish", {"credential": Authenticator(browser.origin).create(options)})
        assert problem(reply) == (409, "ceremony-over")

    async def test_ends_but_not_the_last(self, browser_of, signed_in):
        browser, other = await signed_in("staff-1"), browser_of()
        (first,) = (await browser.get("me")).json()["passkeys"]
        last = await browser.post(f"me/passkeys/{first['id']}/end")
        assert problem(last) == (409, "admin-not-possible")
        await self.add(browser, other.device)
        await other.sign_in()
        assert (await browser.post(f"me/passkeys/{first['id']}/end")).status_code == 204
        assert problem(await browser.sign_in()) == (403, "passkey-refused")
        assert (await other.get("me")).status_code == 401, "a session the ended passkey may have begun"
        assert (await other.sign_in()).status_code == 200


class TestSigningOut:
    async def test_ends_the_session_and_its_cookie(self, signed_in, log):
        browser = await signed_in("staff-1")
        token = browser.session
        assert (await browser.post("sign-out")).status_code == 204
        assert browser.session is None
        browser.http.cookies = {sessions.COOKIE: token}
        assert problem(await browser.get("me")) == (401, "not-signed-in")
        assert [actor for actor, _ in await log("admin:sign-out")] == ["staff-1"]


async def test_a_token_of_nobody_is_nobodys(browser_of):
    browser = browser_of()
    browser.http.cookies = {sessions.COOKIE: strange_session()}
    assert problem(await browser.get("me")) == (401, "not-signed-in")

"""Strangers at the ways in: what they cost, what they are told, and that they do not keep those out who must stop something."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import asyncpg
import pytest

from auth import jose
from auth.people import guard, invitations, sessions
from auth.people.oidc import RelyingParty
from tests.makers import admins
from tests.makers.openid_provider import fake_provider
from tests.makers.people import problem, strange_session

PEOPLE = ("administrator", "passkey", "invitation", "admin_session", "ceremony", "approval", "approval_yes")


@pytest.fixture
async def provider(exchange):
    """The exchange knows an OpenID provider."""
    async with fake_provider(exchange.clock) as made:
        exchange.app.state.oidc = RelyingParty(
            issuer=made.issuer,
            client_id="rujukan",
            redirect_uri="https://rujukan.test/admin/oidc/callback",
            keyring=exchange.keyring,
            clock=exchange.clock.now,
            key=jose.generate("ES256"),
        )
        yield made
        exchange.app.state.oidc = None


class TestTheProvidersDoor:
    async def start(self, browser, **form):
        return await browser.http.post("/admin/oidc/start", data=form, headers={"Origin": browser.origin})

    @pytest.fixture
    async def coded(self, conn, exchange, link_of):
        """A link that takes a code: its token, and the code."""
        await link_of("staff-1")
        admin_id, now = await conn.fetchval("SELECT id FROM administrator"), exchange.clock.now()
        hash = sessions.token_hash("token")
        code = await invitations.invite(conn, admin_id, "staff-1", token_hash=hash, coded=True, now=now, actor="test")
        return "token", code

    async def test_takes_the_code_of_a_link_too(self, provider, browser_of, coded):
        token, code = coded
        assert (await self.start(browser_of(), invitation=token)).status_code == 403
        assert (await self.start(browser_of(), invitation=token, code="0000-0000-0000-0000")).status_code == 403
        assert (await self.start(browser_of(), invitation=token, code=code)).status_code == 200

    async def test_is_paid_for_like_the_others(self, provider, exchange, browser_of, monkeypatch):
        """Else strangers fill the table of ceremonies there, and keep the administrators' connections busy."""
        asked = []

        async def attempt(address):
            asked.append(address)

        monkeypatch.setattr(exchange.app.state.limits, "attempt", attempt)
        assert (await browser_of().http.get("/admin/oidc/start")).status_code == 200
        assert len(asked) == 1


class TestAFlood:
    async def test_of_strangers_does_not_keep_the_kill_switch_waiting(self, exchange, world, operator, browser_of):
        made = (await operator.post("/clients", admins.new_client("police"))).json()["approval"]["subject"]
        strangers = [browser_of() for _ in range(8)]
        for each in strangers:
            each.http.cookies.set(sessions.COOKIE, strange_session(), domain="rujukan.test")
        flood = [asyncio.create_task(each.get("me")) for each in strangers for _ in range(25)]
        await asyncio.sleep(0)
        began = time.monotonic()
        stopped = await operator.post(f"/clients/{made}/suspend", {"reason": "a key is gone"})
        took = time.monotonic() - began
        assert stopped.status_code == 200
        assert {problem(each) for each in await asyncio.gather(*flood)} == {(401, "not-signed-in")}
        assert took < 5

    async def test_is_told_to_come_again_where_no_connection_is_free(self, exchange, operator, monkeypatch):
        """Waiting without an end would keep more and more requests in memory."""
        pool = exchange.app.state.database.admin
        monkeypatch.setattr(guard, "PATIENCE", 0.1)
        async with AsyncExitStack() as held:
            for _ in range(pool.get_max_size()):
                await held.enter_async_context(pool.acquire())
            reply = await asyncio.wait_for(operator.get("/me"), 2)
        assert problem(reply) == (503, "service-unavailable")


class TestWhatIsAnswered:
    @pytest.mark.parametrize("path", ["v1/me", "v1/nothing", "nothing", "v1/approvals?x=1", "oidc/callback?state=x"])
    async def test_is_kept_by_no_cache_and_framed_by_nobody(self, browser_of, path):
        reply = await browser_of().http.get(f"/admin/{path}")
        assert reply.status_code >= 400
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"

    @pytest.mark.parametrize(
        "origin", [None, "null", "http://rujukan.test", "https://rujukan.test:8443", "https://rujukan.test.evil.test"]
    )
    async def test_is_nothing_done_for_a_page_from_elsewhere(self, operator, origin):
        headers = {"Origin": origin} if origin is not None else {"Origin": ""}
        reply = await operator.post("/sessions/end-others", headers=headers)
        assert problem(reply) == (403, "cross-site")


class TestTheDatabase:
    async def test_gives_nobody_else_anything_of_people(self, exchange):
        given = await exchange.owner.fetch(
            "SELECT role, name, may FROM unnest($1::text[]) role, unnest($2::text[]) name,"
            " unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) may WHERE has_table_privilege(role, name, may)"
            " OR (may IN ('SELECT', 'INSERT', 'UPDATE') AND has_any_column_privilege(role, name, may))",
            ["rujukan_app", "rujukan_worker", "rujukan_auditor"],
            PEOPLE,
        )
        assert [tuple(row) for row in given] == []

    async def test_lets_not_even_administrators_take_a_yes_or_an_act_back(self, conn):
        for table in ("approval_yes", "log_entry"):
            for change in (f"DELETE FROM {table}", f"UPDATE {table} SET actor = 'x'"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await conn.execute(change)


@pytest.mark.usefixtures("two_people", "world")
class TestAtTheSameTime:
    @pytest.fixture
    async def asked(self, exchange, world, operator):
        reply = await world.ministry.client.request("POST", "/admin/v1/clients", json=admins.new_client("police"))
        return reply.json()["approval"]

    async def test_one_person_says_yes_once(self, asked, second):
        replies = await asyncio.gather(*(second.approve(asked) for _ in range(6)))
        assert sorted(each.status_code for each in replies) == [200, 403, 403, 403, 403, 403]
        assert (await second.get(f"/approvals/{asked['id']}")).json()["state"] == "waiting"

    async def test_a_yes_and_a_no_end_in_one_of_the_two(self, asked, operator, second, officer):
        await operator.approve(asked)
        yes, no = await asyncio.gather(
            second.approve(asked), officer.post(f"/approvals/{asked['id']}/refuse", {"reason": "No."})
        )
        assert sorted((yes.status_code, no.status_code)) == [200, 404]
        state = (await second.get(f"/approvals/{asked['id']}")).json()["state"]
        assert state == ("approved" if yes.status_code == 200 else "refused")

    async def test_whoever_is_shut_out_meanwhile_has_said_nothing(self, asked, operator, second, officer):
        await operator.approve(asked)
        yes, out = await asyncio.gather(second.approve(asked), officer.post("/administrators/op-ani/suspend"))
        assert out.status_code == 200
        state = (await second.get(f"/approvals/{asked['id']}")).json()["state"]
        assert state in ("waiting", "approved")
        assert yes.status_code == 200

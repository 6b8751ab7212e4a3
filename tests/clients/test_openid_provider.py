"""Administrators sign in at a real OpenID provider (npm oidc-provider), and nobody else does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from playwright.async_api import Page, async_playwright

from app.admin.oidc import AFTERWARDS, BROWSER
from app.foundation.database import Addresses
from auth.people.oidc import CALLBACK, RelyingParty
from auth.people.sessions import COOKIE
from tests.app.pages.conftest import QUIET, WATCH, find_browser
from tests.clients import openid
from tests.clients.openid import Browser, Place, goes_on, parameters

WHO = "/admin/v1/approvals"
"""What anybody may read who has signed in."""


@pytest.fixture(scope="session")
async def _place(
    exchange: Any, addresses: Addresses, tmp_path_factory: pytest.TempPathFactory, node: str
) -> AsyncIterator[Place]:
    async with openid.place(exchange, addresses, tmp_path_factory.mktemp("openid"), node) as made:
        yield made


@pytest.fixture
def place(exchange: Any, _place: Place) -> Place:
    """The exchange and its provider; no administrator yet."""
    return _place


@pytest.fixture
async def browser(place: Place) -> AsyncIterator[Browser]:
    """A browser that has been nowhere."""
    made = place.browser()
    async with made.http:
        yield made


def says(reply: httpx.Response, status: int, sentence: str) -> None:
    assert (reply.status_code, sentence in reply.text) == (status, True), reply.text
    assert "unsafe-inline" not in reply.headers["Content-Security-Policy"]
    assert reply.headers["Cache-Control"] == "no-store"


async def logged(place: Place) -> list[tuple[str, str, dict[str, Any]]]:
    rows = await place.owner.fetch(
        "SELECT action, actor, detail::text AS detail FROM log_entry WHERE action LIKE 'admin:%' ORDER BY id"
    )
    return [(row["action"], row["actor"], json.loads(row["detail"])) for row in rows]


class TestSignIn:
    async def test_goes_to_the_provider_and_comes_back_with_a_session(self, place: Place, browser: Browser) -> None:
        warsih = await place.administrator(account="warsih")
        assert (await browser.http.get(WHO)).status_code == 401
        url = await browser.start()
        asked = parameters(url)
        assert url.startswith(place.issuer)
        assert (asked["response_type"], asked["code_challenge_method"], asked["scope"]) == ("code", "S256", "openid")
        reply = await browser.http.get(await browser.at_provider(url, "warsih"))
        assert goes_on(reply) == AFTERWARDS
        for needed in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"):
            assert needed in reply.headers["Set-Cookie"]
        assert (await browser.http.get(WHO)).status_code == 200
        session = await place.session(browser.session)
        assert (session["reference"], session["method"]) == (warsih, "oidc")
        assert await logged(place) == [("admin:sign-in", warsih, {"method": "oidc"})]
        assert BROWSER not in browser.http.cookies

    async def test_counts_as_proof_from_when_the_provider_was_shown_it(self, place: Place, browser: Browser) -> None:
        await place.administrator(account="warsih")
        await browser.sign_in("warsih")
        first = await place.session(browser.session)
        again = goes_on(await browser.http.get(await browser.at_provider(await browser.start(), None)))
        assert again == AFTERWARDS  # the provider remembered them, and asked nothing
        second = await place.session(browser.session)
        assert second["id"] != first["id"]
        ended = await place.site.conn.fetchval("SELECT ended_at FROM admin_session WHERE id = $1", first["id"])
        assert ended is not None  # the browser has one session
        assert abs(second["confirmed_at"] - first["confirmed_at"]) <= timedelta(seconds=1)
        assert second["confirmed_at"] <= second["created_at"]

    async def test_works_with_a_secret_instead_of_a_key(self, place: Place, browser: Browser) -> None:
        await place.administrator(account="warsih")
        party = replace(place.party, client_id="by-secret", secret="a%secret: with+signs", key=None)
        with place.with_party(party):
            assert goes_on(await browser.sign_in("warsih")) == AFTERWARDS

    async def test_lets_nobody_in_who_is_not_known(self, place: Place, browser: Browser) -> None:
        await place.administrator(account="warsih")
        says(await browser.sign_in("somebody@example.id"), 403, "does not belong to anybody")
        assert (browser.session, await place.sessions()) == (None, [])
        ((action, actor, detail),) = await logged(place)
        assert (action, actor, detail["why"]) == ("admin:sign-in-refused", "unknown", "unknown")
        assert "somebody" not in json.dumps(detail)

    async def test_lets_nobody_in_who_is_suspended(self, place: Place, browser: Browser) -> None:
        await place.administrator(account="warsih", status="suspended")
        says(await browser.sign_in("warsih"), 403, "does not belong to anybody")
        assert (browser.session, await place.sessions()) == (None, [])

    async def test_says_plainly_that_the_provider_was_denied(self, place: Place, browser: Browser) -> None:
        await place.administrator(account="warsih")
        back = await browser.at_provider(await browser.start(), None)
        assert parameters(back)["error"] == "access_denied"
        says(await browser.http.get(back), 403, "did not sign you in")
        assert await place.sessions() == []

    async def test_is_in_the_language_of_the_reader(self, place: Place, browser: Browser) -> None:
        reply = await browser.http.get(CALLBACK, headers={"Accept-Language": "id"})
        says(reply, 400, "Mulailah lagi")

    async def test_says_that_there_is_no_provider(self, place: Place, browser: Browser) -> None:
        with place.with_party(None):
            for path in ("/admin/oidc/start", CALLBACK):
                says(await browser.http.get(path), 404, "No OpenID provider")

    async def test_says_that_the_provider_does_not_answer(self, place: Place, browser: Browser) -> None:
        nobody = RelyingParty("http://127.0.0.1:1", "x", "x", place.party.keyring, place.site.clock.now, secret="x")
        with place.with_party(nobody):
            says(await browser.http.get("/admin/oidc/start"), 503, "does not answer")


class TestWhatComesBack:
    async def back(self, place: Place, browser: Browser) -> str:
        await place.administrator(account="warsih")
        return await browser.at_provider(await browser.start(), "warsih")

    async def refused(self, place: Place, browser: Browser, url: str, sentence: str) -> None:
        says(await browser.http.get(url), 400, sentence)
        assert await place.sessions() == []

    async def test_is_taken_once(self, place: Place, browser: Browser) -> None:
        url = await self.back(place, browser)
        kept = dict(browser.http.cookies)
        assert goes_on(await browser.http.get(url)) == AFTERWARDS
        browser.http.cookies.update(kept)
        says(await browser.http.get(url), 400, "Begin again")
        assert len(await place.sessions()) == 1

    async def test_must_have_been_begun_here(self, place: Place, browser: Browser) -> None:
        sent = parameters(await self.back(place, browser))
        for state in ("", "x" * 43, sent["state"][:-1], sent["state"] + "A", "é" * 43, "x" * 5000):
            url = f"{CALLBACK}?{urlencode({**sent, 'state': state})}"
            await self.refused(place, browser, url, "Begin again")

    async def test_must_come_to_the_browser_that_began(self, place: Place, browser: Browser) -> None:
        url = await self.back(place, browser)
        another = place.browser()
        async with another.http:
            await another.start()  # it has a cookie of its own
            await self.refused(place, another, url, "Begin again")
        browser.http.cookies.clear()
        await self.refused(place, browser, url, "Begin again")

    async def test_must_come_in_time(self, exchange: Any, place: Place, browser: Browser) -> None:
        url = await self.back(place, browser)
        exchange.later(minutes=6)
        await self.refused(place, browser, url, "Begin again")

    @pytest.mark.parametrize("issuer", ["http://127.0.0.1:1", "", None])
    async def test_must_name_our_provider(self, place: Place, browser: Browser, issuer: str | None) -> None:
        sent = parameters(await self.back(place, browser))
        assert sent.pop("iss") == place.issuer
        if issuer is not None:
            sent["iss"] = issuer
        await self.refused(place, browser, f"{CALLBACK}?{urlencode(sent)}", "not a sign-in")

    async def test_must_have_each_parameter_once(self, place: Place, browser: Browser) -> None:
        url = await self.back(place, browser)
        await self.refused(place, browser, f"{url}&code=another", "not a sign-in")

    @pytest.mark.parametrize("code", ["", "another", "x" * 3000, "é"])
    async def test_must_have_a_code_that_counts(self, place: Place, browser: Browser, code: str) -> None:
        sent = parameters(await self.back(place, browser))
        await self.refused(place, browser, f"{CALLBACK}?{urlencode({**sent, 'code': code})}", "not a sign-in")

    async def test_must_not_have_the_code_of_another_client(self, place: Place, browser: Browser) -> None:
        await place.administrator(account="warsih")
        url = await browser.start()
        stolen = url.replace("client_id=rujukan", "client_id=another")
        assert stolen != url
        await self.refused(place, browser, await browser.at_provider(stolen, "warsih"), "not a sign-in")

    async def test_must_not_have_the_code_of_another_sign_in(self, place: Place, browser: Browser) -> None:
        """A code somebody else got is of no use here: our verifier does not fit it (RFC 7636)."""
        victim = place.browser()
        async with victim.http:
            stolen = parameters(await self.back(place, victim))["code"]
        sent = parameters(await browser.at_provider(await browser.start(), "attacker"))
        await self.refused(place, browser, f"{CALLBACK}?{urlencode({**sent, 'code': stolen})}", "not a sign-in")


class TestInvitation:
    async def test_links_the_account_and_signs_in(self, place: Place, browser: Browser) -> None:
        warsih = await place.administrator()
        invitation = await place.invitation(warsih)
        url = goes_on(await browser.start_invited(invitation))
        assert invitation not in url
        assert goes_on(await browser.http.get(await browser.at_provider(url, "warsih"))) == AFTERWARDS
        assert [action for action, *_ in await logged(place)] == ["admin:link", "admin:sign-in"]
        another = place.browser()
        async with another.http:
            assert goes_on(await another.sign_in("warsih")) == AFTERWARDS
            assert (await place.session(another.session))["reference"] == warsih

    async def test_counts_once_and_not_for_ever(self, place: Place, browser: Browser) -> None:
        warsih = await place.administrator()
        invitation = await place.invitation(warsih)
        first, second = [goes_on(await browser.start_invited(invitation)) for _ in range(2)]
        assert first != second
        back = await browser.at_provider(second, "warsih")
        assert goes_on(await browser.http.get(back)) == AFTERWARDS
        for token in (invitation, await place.invitation(warsih, hours=-1), "never", ""):
            says(await browser.start_invited(token), 403, "expired")

    async def test_that_was_used_meanwhile_links_nothing(self, place: Place, browser: Browser) -> None:
        warsih = await place.administrator()
        back = await browser.at_provider(goes_on(await browser.start_invited(await place.invitation(warsih))), "other")
        await place.site.conn.execute("UPDATE invitation SET used_at = created_at")
        says(await browser.http.get(back), 403, "expired")
        assert await place.sessions() == []

    async def test_does_not_replace_an_account(self, place: Place, browser: Browser) -> None:
        warsih = await place.administrator(account="warsih")
        invitation = await place.invitation(warsih)
        back = await browser.at_provider(goes_on(await browser.start_invited(invitation)), "other")
        says(await browser.http.get(back), 409, "another account")
        browser.signs_out_there()
        assert goes_on(await browser.sign_in("warsih")) == AFTERWARDS

    async def test_does_not_take_the_account_of_another(self, place: Place, browser: Browser) -> None:
        await place.administrator(account="warsih")
        invitation = await place.invitation(await place.administrator())
        back = await browser.at_provider(goes_on(await browser.start_invited(invitation)), "warsih")
        says(await browser.http.get(back), 403, "another person")
        assert await place.sessions() == []
        goes_on(await browser.start_invited(invitation))  # it can still be used for another account

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example"},
            {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
        ],
    )
    async def test_is_taken_from_our_own_pages_only(
        self, place: Place, browser: Browser, headers: dict[str, str]
    ) -> None:
        invitation = await place.invitation(await place.administrator())
        says(await browser.start_invited(invitation, **headers), 403, "own pages")


class TestConfirming:
    async def test_gives_the_session_another_token(self, exchange: Any, place: Place, browser: Browser) -> None:
        await place.administrator(account="warsih")
        await browser.sign_in("warsih")
        old = browser.session
        before = await place.session(old)
        await place.site.conn.execute("UPDATE admin_session SET confirmed_at = confirmed_at - interval '1 hour'")
        url = await browser.start("/admin/oidc/start?confirm=1")
        assert (parameters(url)["prompt"], parameters(url)["max_age"]) == ("login", "0")
        assert goes_on(await browser.http.get(await browser.at_provider(url, "warsih"))) == AFTERWARDS
        after = await place.session(browser.session)
        assert (after["id"], await place.session(old)) == (before["id"], None)
        assert after["confirmed_at"] >= before["confirmed_at"]

    async def test_is_not_done_by_another_person(self, place: Place, browser: Browser) -> None:
        await place.administrator(account="warsih")
        await place.administrator(account="budi")
        await browser.sign_in("warsih")
        before = await place.session(browser.session)
        browser.signs_out_there()
        reply = await browser.sign_in("budi", "/admin/oidc/start?confirm=1")
        says(reply, 403, "another person")
        assert (await place.session(browser.session))["confirmed_at"] == before["confirmed_at"]

    async def test_is_not_done_by_a_session_that_has_ended(self, place: Place, browser: Browser) -> None:
        await place.administrator(account="warsih")
        await browser.sign_in("warsih")
        back = await browser.at_provider(await browser.start("/admin/oidc/start?confirm=1"), "warsih")
        await place.site.conn.execute("UPDATE admin_session SET ended_at = created_at")
        says(await browser.http.get(back), 403, "does not belong")
        assert (await browser.http.get(WHO)).status_code == 401

    async def test_takes_a_session(self, place: Place, browser: Browser) -> None:
        says(await browser.http.get("/admin/oidc/start?confirm=1"), 401, "Sign in first")


class TestInABrowser:
    """What no HTTP library minds: which cookies go along from which site, and what a page's policy stops."""

    async def test_signs_in_and_proves_it_again(self, place: Place) -> None:
        await place.administrator(account="warsih")
        async with async_playwright() as playwright:
            chromium = await playwright.chromium.launch(executable_path=find_browser(), args=QUIET)
            page = await (await chromium.new_context(ignore_https_errors=True)).new_page()
            wrong: list[str] = []
            await page.add_init_script(WATCH)
            page.on("console", lambda message: wrong.append(message.text) if "CSP" in message.text else None)
            tokens = [await self._way(page, place, path) for path in ("", "?confirm=1")]
            await chromium.close()
        assert wrong == []
        assert await place.session(tokens[0]) is None  # it has another token since
        assert (await place.session(tokens[1]))["method"] == "oidc"

    async def _way(self, page: Page, place: Place, query: str) -> str:
        """Go it, and return the token that the browser brought to the page after it."""
        await page.goto(f"{place.site.url}/admin/oidc/start{query}")
        await page.wait_for_url(f"{place.issuer}/interaction/*")
        async with page.expect_request(place.site.url + AFTERWARDS) as asked:
            await page.get_by_role("button", name="Sign in").click()
        sent = SimpleCookie((await (await asked.value).all_headers())["cookie"])
        await page.wait_for_url(place.site.url + AFTERWARDS)
        assert BROWSER not in sent
        return sent[COOKIE].value

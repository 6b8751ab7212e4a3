"""People sign in, in a real browser with a virtual authenticator (Web Authentication §11), by pages that hold to their own policy."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

import pytest
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page

from app.serving import configure
from auth.people import administrators, command_line, invitations, sessions
from tests.app.admin.conftest import changed
from tests.app.pages.conftest import WATCH, browser

__all__ = ["browser"]


@dataclass
class Person:
    """Somebody at a browser of their own, with a device that holds passkeys."""

    page: Page
    context: BrowserContext
    origin: str
    wrong: list[str]
    """What went wrong or came from elsewhere: a script's error, what the policy stopped."""

    async def open(self, path: str) -> None:
        await self.page.goto(f"{self.origin}/admin/{path}", wait_until="load")

    async def cookie(self, name: str) -> dict | None:
        return next((each for each in await self.context.cookies() if each["name"] == name), None)


@pytest.fixture
async def ports(exchange) -> AsyncIterator[tuple[int, int]]:
    """Two ports of this machine at which the service answers."""
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    config = configure(exchange.app, grace=1)
    config.lifespan = "off"  # the service runs already
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve(listening))  # who calls early waits in the socket's queue
    first, second = (each.getsockname()[1] for each in listening)
    yield first, second
    server.should_exit = True
    await serving


@pytest.fixture
def other_port(ports: tuple[int, int]) -> int:
    """A port that is not the administrators' origin."""
    return ports[1]


@pytest.fixture
def site(exchange, ports: tuple[int, int]) -> Iterator[str]:
    """Where administrators go. `http://localhost` is a secure context: passkeys and Secure cookies work there."""
    origin = f"http://localhost:{ports[0]}"
    with changed(exchange, admin_url=origin):
        yield origin


@pytest.fixture
async def person(browser: Browser, site: str) -> AsyncIterator[Callable[[], Awaitable[Person]]]:
    """People, each with a browser profile and an authenticator of their own."""
    made: list[BrowserContext] = []

    async def arrive() -> Person:
        context = await browser.new_context(locale="en-GB")
        made.append(context)
        await context.add_init_script(WATCH)
        page = await context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if "CSP" in message.text else None)
        page.on("request", lambda sent: None if sent.url.startswith(f"{site}/") else wrong.append(sent.url))
        devtools = await context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable")
        await devtools.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )
        return Person(page, context, site, wrong)

    yield arrive
    for each in made:
        await each.close()


@pytest.fixture
def enrolled(person, link_of):
    """Somebody who has made a passkey, and is signed in on their sessions' page."""

    async def make(reference: str = "staff-1") -> Person:
        one = await person()
        await one.open(f"enrol#{await link_of(reference)}")
        await one.page.get_by_role("button", name="Make a passkey").click()
        await one.page.wait_for_url("**/admin/sessions")
        await one.page.get_by_text(f"({reference})").wait_for()
        return one

    return make


async def said(one: Person, text: str) -> None:
    await one.page.get_by_role("alert").filter(has_text=text).wait_for()


async def test_a_persons_whole_way(enrolled, exchange, conn):
    """Invited, enrolled, signed out, signed in, confirmed, and out of a session elsewhere."""
    one = await enrolled()
    cookie = await one.cookie(sessions.COOKIE)
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, True, "Strict", "/")
    assert await one.page.evaluate("document.cookie") == ""
    await one.page.get_by_role("button", name="Sign out").click()
    await one.page.wait_for_url("**/admin/sign-in")
    assert await one.cookie(sessions.COOKIE) is None
    await one.page.get_by_role("button", name="Sign in with a passkey").click()
    await one.page.wait_for_url("**/admin/sessions")
    exchange.later(minutes=11)
    await one.open("confirm")
    await one.page.get_by_role("button", name="Confirm with your passkey").click()
    await one.page.get_by_role("status").filter(has_text="You may go on").wait_for()
    me = await administrators.find_administrator(conn, "staff-1")
    await sessions.begin(conn, me.id, method="passkey", address=None, user_agent="Elsewhere", now=exchange.clock.now())
    await one.page.get_by_role("link", name="To my sessions").click()
    elsewhere = one.page.get_by_role("row").filter(has_text="Elsewhere")
    await elsewhere.get_by_role("button", name="End").click()
    await elsewhere.wait_for(state="detached")
    assert len(await sessions.list_sessions(conn, admin_id=me.id, now=exchange.clock.now())) == 1
    assert one.wrong == []


async def test_the_link_leaves_the_address_bar_and_works_once(enrolled, person, link_of):
    token = await link_of("staff-1")
    one, other = await person(), await person()
    for each in (one, other):
        await each.open(f"enrol#{token}")
        await each.page.get_by_role("button", name="Make a passkey").wait_for()
        assert "#" not in each.page.url
    await one.page.get_by_role("button", name="Make a passkey").click()
    await one.page.wait_for_url("**/admin/sessions")
    await other.page.get_by_role("button", name="Make a passkey").click()
    await said(other, "The link was used, has expired, or is not approved yet")
    await other.open("enrol")
    await said(other, "There is no link here")
    assert one.wrong + other.wrong == []


async def test_a_link_that_two_people_opened_takes_the_code_too(person, link_of, exchange, conn):
    await link_of("staff-1")
    newcomer, now = await administrators.find_administrator(conn, "staff-1"), exchange.clock.now()
    hash = sessions.token_hash("token")
    code = await invitations.invite(conn, newcomer.id, "staff-1", token_hash=hash, coded=True, now=now, actor="test")
    one = await person()
    await one.open("enrol#token")
    await one.page.get_by_role("button", name="Make a passkey").click()
    await said(one, "The link takes the code of whoever approved it")
    await one.page.get_by_label("The code").fill(f" {code.lower()} ")
    await one.page.get_by_role("button", name="Make a passkey").click()
    await one.page.wait_for_url("**/admin/sessions")


async def test_what_goes_wrong_is_told_in_words(enrolled, person, exchange, conn):
    nobody = await person()
    await nobody.open("sessions")
    await nobody.page.wait_for_url("**/admin/sign-in")
    one = await enrolled()
    await administrators.suspend(conn, "staff-1", now=exchange.clock.now(), actor="root")
    await one.open("sessions")
    await one.page.wait_for_url("**/admin/sign-in")
    await one.page.get_by_role("button", name="Sign in with a passkey").click()
    await said(one, "The passkey is not accepted")
    assert nobody.wrong + one.wrong == []


async def test_another_passkey_takes_a_fresh_proof_and_the_same_device_is_known(enrolled, exchange):
    one = await enrolled()
    exchange.later(minutes=11)
    await one.page.get_by_role("button", name="Add another passkey").click()
    await said(one, "holds a passkey of yours for this site already")
    assert one.wrong == []


async def test_the_command_line_is_allowed_by_a_passkey_even_if_nobody_was_signed_in(enrolled, exchange, conn):
    one = await enrolled()
    await one.page.get_by_role("button", name="Sign out").click()
    await one.page.wait_for_url("**/admin/sign-in")
    asked = await command_line.ask(conn, machine="<b>desk</b>", login="siti", now=exchange.clock.now())
    await one.open(f"command-line#{asked.code}")
    await one.page.get_by_text(asked.compare).wait_for()
    await one.page.get_by_text("<b>desk</b>").wait_for()
    await one.page.get_by_role("button", name="It is the same").click()
    await one.page.get_by_role("status").filter(has_text="Allowed").wait_for()
    found = await sessions.find(conn, asked.token, now=exchange.clock.now())
    assert found is not None
    assert found.reference == "staff-1"
    assert one.wrong == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_another_origin_changes_nothing(enrolled, other_port, host):
    """From `localhost` on another port, which is the same site, the cookie comes along: what refuses it is its `Origin`."""
    one = await enrolled()
    page = await one.context.new_page()
    await page.goto(f"http://{host}:{other_port}/healthz")
    statuses: list[int] = []
    page.on("response", lambda reply: statuses.append(reply.status))
    await page.evaluate(
        """async address => {
            for (const path of ["sign-out", "sessions/end-others"])
                await fetch(`${address}/admin/v1/${path}`, {method: "POST", mode: "no-cors", credentials: "include", body: "{}"});
        }""",
        one.origin,
    )
    assert statuses == ([403, 403] if host == "localhost" else [401, 401])
    await page.close()
    await one.open("sessions")
    await one.page.get_by_text("(staff-1)").wait_for()


async def test_the_policy_stops_what_is_written_into_a_page_and_frames_of_it(person):
    one = await person()
    await one.open("sign-in")
    ran = await one.page.evaluate(
        """() => {
            const script = document.createElement("script");
            try { script.textContent = "window.ran = true"; } catch { return "stopped"; }
            document.body.append(script);
            return window.ran || "stopped";
        }"""
    )
    await one.page.wait_for_timeout(200)
    assert ran == "stopped"
    assert one.wrong, "the test would notice"


async def test_fits_a_telephone(enrolled):
    one = await enrolled()
    await one.page.set_viewport_size({"width": 360, "height": 740})
    for path in ("sign-in", "sessions", "confirm"):
        await one.open(path)
        assert await one.page.evaluate("document.documentElement.scrollWidth") <= 360, path

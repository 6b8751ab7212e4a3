"""`admins`, `approvals`, `sign-in`, `sign-out` at the command line, with people who sign in at the service on the same database."""

from __future__ import annotations

import asyncio
import json
import secrets
import stat
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import asyncpg
import pytest

from app.cli import signing_in
from app.foundation.clock import Clock
from app.foundation.database import embedded_addresses
from app.foundation.settings import Settings
from app.main import create_app
from tests.app.cli.conftest import Machine, Outcome
from tests.makers.people import Browser, new_browser

TWO = {"RUJUKAN_TWO_PEOPLE": "on"}


def token_of(ended: Outcome) -> str:
    assert ended.code == 0, ended.err
    return ended.out.partition("/admin/enrol#")[2].split()[0].strip('",')


class Web:
    """The service of the same machine, in a thread of its own, and browsers for it."""

    def __init__(self, machine: Machine) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        settings = Settings(
            public_url=machine.url,
            data_dir=machine.folder,
            worker_in_process=False,
            database_pool_size=2,
            two_people="on",
        )
        self.origin = settings.admin_origin
        self.app = create_app(settings, clock=Clock(), where=embedded_addresses(machine.folder))
        self.lifespan = self.app.router.lifespan_context(self.app)
        self.run(self.lifespan.__aenter__())

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(30)

    def stop(self) -> None:
        self.run(self.lifespan.__aexit__(None, None, None))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    def browser(self) -> Browser:
        # the pages are on http://localhost, to which browsers send Secure cookies, but httpx does not
        made = new_browser(self.app, self.origin)
        made.http.base_url = self.origin.replace("http://", "https://")  # type: ignore[assignment]
        return made

    def enrolled(self, token: str) -> Browser:
        browser = self.browser()
        assert self.run(browser.enrol(token)).status_code == 200
        return browser


@pytest.fixture(scope="module")
def staffed(machine: Machine) -> Machine:
    """A machine with two operators, who have their links."""
    for reference in ("staff-1", "staff-2"):
        added = machine.run("admins", "add", reference, "--name", "Ibu Satu", "--role", "operator", "--json", **TWO)
        assert added.code == 0, added.err
        assert added.json["done"] is True
    return machine


@pytest.fixture(scope="module")
def web(staffed: Machine) -> Iterator[Web]:
    made = Web(staffed)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def people(staffed: Machine, web: Web) -> list[Browser]:
    """Both operators, enrolled by new links: the machine may invite alone until both can sign in."""
    return [web.enrolled(token_of(staffed.run("admins", "invite", each, **TWO))) for each in ("staff-1", "staff-2")]


def sign_in(machine: Machine, web: Web, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Run `rujukan sign-in` while the person opens its link."""
    said: list[str] = []

    def allow() -> None:
        for _ in range(400):
            if any("command-line#" in line for line in said):
                break
            time.sleep(0.02)
        text = "\n".join(said)
        code = text.partition("command-line#")[2].split()[0]
        shown = web.run(browser.post("command-line/look", {"code": code})).json()
        assert f"code  {shown['compare']}" in text
        assert web.run(browser.post("command-line/allow", {"code": code})).status_code == 204

    person = threading.Thread(target=allow)
    person.start()
    with monkeypatch.context() as patched:
        patched.setattr(signing_in, "POLL_SECONDS", 0.05)
        patched.setattr(signing_in, "say", lambda text, **_: said.append(text))
        ended = machine.run("sign-in", **TWO)
    person.join(30)
    return Outcome(ended.code, "\n".join(said), ended.err)


class TestAdmins:
    def test_are_listed_and_shown(self, people: list[Browser], staffed: Machine) -> None:
        listed = staffed.run("admins", "list", "--json").json
        assert [(each["reference"], each["roles"], len(each["passkeys"])) for each in listed] == [
            ("staff-1", ["operator"], 1),
            ("staff-2", ["operator"], 1),
        ]
        assert "1 passkey" in staffed.run("admins", "list").out
        assert "A key, never used" in staffed.run("admins", "show", "staff-1").out

    def test_more_take_two_signed_in_operators(
        self, people: list[Browser], staffed: Machine, web: Web, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sign_in(staffed, web, people[0], monkeypatch)
        asked = staffed.run("admins", "add", "staff-3", "--name", "Tiga", "--role", "auditor", **TWO)
        assert "It waits for the yes of 1 signed-in operator:" in asked.out
        (waiting,) = staffed.run("approvals", "list", "--json", **TWO).json
        staffed.run("sign-out")
        alone = staffed.run("approvals", "approve", waiting["id"], **TWO)
        assert (alone.code, "only somebody who has signed in" in alone.err) == (2, True)
        sign_in(staffed, web, people[1], monkeypatch)
        approved = staffed.run("approvals", "approve", waiting["id"], **TWO)
        code = approved.out.partition("It is not shown again.")[2].split()[0]
        staffed.run("sign-out")
        assert web.run(web.browser().enrol(token_of(asked), code=code)).status_code == 200
        assert "admin:add" in staffed.run("approvals", "list", "--all", **TWO).out
        assert "Let somebody administer" in staffed.run("approvals", "show", waiting["id"], **TWO).out

    def test_are_shut_out_at_once(self, people: list[Browser], staffed: Machine, web: Web) -> None:
        assert staffed.run("admins", "add", "staff-5", "--name", "Lima", "--role", "auditor").code == 0
        browser = web.enrolled(token_of(staffed.run("admins", "invite", "staff-5")))
        assert [each["reference"] for each in staffed.run("admins", "sessions", "staff-5", "--json").json] == [
            "staff-5"
        ]
        assert staffed.run("admins", "suspend", "staff-5", "--json", **TWO).json == {"ended": 1}
        assert web.run(browser.get("me")).status_code == 401
        resumed = staffed.run("admins", "resume", "staff-5", "--json", **TWO).json
        assert resumed["done"] is False

    def test_lose_a_session_or_a_passkey(self, people: list[Browser], staffed: Machine, web: Web) -> None:
        assert staffed.run("admins", "add", "staff-6", "--name", "Enam", "--role", "auditor").code == 0
        browser = web.enrolled(token_of(staffed.run("admins", "invite", "staff-6")))
        (session,) = staffed.run("admins", "sessions", "staff-6", "--json").json
        assert staffed.run("admins", "end-session", session["id"]).code == 0
        assert web.run(browser.get("me")).status_code == 401
        (key,) = staffed.run("admins", "show", "staff-6", "--json").json["passkeys"]
        assert staffed.run("admins", "end-passkey", "staff-6", key["id"]).code == 0
        assert web.run(browser.sign_in()).status_code == 403

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("add", "staff-1", "--name", "X", "--role", "operator"), "of that reference already"),
            (("add", "Ibu X", "--name", "X", "--role", "operator"), "a staff reference is"),
            (("add", "x", "--name", " ", "--role", "operator"), "a name is"),
            (
                ("add", "x", "--name", "X", "--role", "operator", "--role", "auditor", "--role", "protection_officer"),
                "nobody has all three",
            ),
            (("add", "x", "--name", "X", "--role", "king"), "king"),
            (("invite", "nobody"), "See `rujukan admins list`"),
            (("resume", "staff-1"), "not suspended"),
            (("show", "nobody"), "See `rujukan admins list`"),
            (("end-session", "01a21e5e-002c-79c2-b026-2cb987358bae"), "See `rujukan admins sessions`"),
            (("end-passkey", "staff-1", "01a21e5e-002c-79c2-b026-2cb987358bae"), "no such passkey"),
        ],
    )
    def test_told_why_it_cannot_be(self, people: Any, staffed: Machine, arguments: tuple[str, ...], says: str) -> None:
        ended = staffed.run("admins", *arguments)
        assert ended.code == 2
        assert says in ended.err


class TestSigningIn:
    def test_makes_the_yes_of_the_command_line_a_persons(
        self, people: list[Browser], staffed: Machine, web: Web, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended = sign_in(staffed, web, people[0], monkeypatch)
        assert (ended.code, "staff-1 is signed in here" in ended.out) == (0, True)
        file = staffed.folder / "admin-session"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text() not in ended.out
        asked = staffed.run("admins", "add", "staff-7", "--name", "Tujuh", "--role", "auditor", "--json", **TWO).json
        shown = staffed.run("approvals", "show", asked["approval"], "--json", **TWO).json
        assert (shown["asked_by"], shown["yes"]) == ("staff-1", ["staff-1"])
        again = staffed.run("approvals", "approve", asked["approval"], **TWO)
        assert (again.code, "you have said yes already" in again.err) == (2, True)
        assert web.run(people[1].post(f"approvals/{asked['approval']}/approve")).status_code == 200
        assert "staff-7" in staffed.run("admins", "list").out

    def test_does_not_let_an_old_proof_open_anything(
        self, people: list[Browser], staffed: Machine, web: Web, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sign_in(staffed, web, people[0], monkeypatch)
        late = {**TWO, "RUJUKAN_CLOCK_OFFSET_SECONDS": "660"}
        ended = staffed.run("admins", "add", "staff-8", "--name", "Delapan", "--role", "auditor", **late)
        assert (ended.code, "Run `rujukan sign-in` again" in ended.err) == (2, True)

    def test_ends_by_signing_out(
        self, people: list[Browser], staffed: Machine, web: Web, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sign_in(staffed, web, people[0], monkeypatch)
        before = json.loads(staffed.run("admins", "sessions", "staff-1", "--json").out)
        assert "command_line" in {each["method"] for each in before}
        assert staffed.run("sign-out").code == 0
        assert not (staffed.folder / "admin-session").exists()
        after = json.loads(staffed.run("admins", "sessions", "staff-1", "--json").out)
        assert len(after) < len(before)
        assert "Nobody is signed in here" in staffed.run("sign-out").out


async def test_no_token_is_in_the_database(people: list[Browser], staffed: Machine) -> None:
    owner = await asyncpg.connect(embedded_addresses(staffed.folder).owner)
    stored = " ".join(row[0] for row in await owner.fetch("SELECT s::text FROM admin_session s"))
    await owner.close()
    assert stored
    assert not [each for each in people if each.session and each.session in stored]


def agency(machine: Machine) -> str:
    """The code of a new agency."""
    code = f"pos-{secrets.token_hex(3)}"
    assert machine.run("agencies", "add", code, "--name", "Pos", "--kind", "police").code == 0
    return code


async def _actors(machine: Machine, action: str) -> list[str]:
    owner = await asyncpg.connect(embedded_addresses(machine.folder).owner)
    rows = await owner.fetch("SELECT actor FROM log_entry WHERE action = $1 ORDER BY id", action)
    await owner.close()
    return [row["actor"] for row in rows]


def actors(machine: Machine, action: str) -> list[str]:
    """Whom the log says did it, the latest last."""
    return asyncio.run(_actors(machine, action))


class TestWhoeverIsNotSignedIn:
    """A command that nobody has signed in for asks and stops, and takes nobody's place."""

    @pytest.fixture(autouse=True)
    def _nobody(self, people: list[Browser], staffed: Machine) -> None:
        staffed.run("sign-out")

    def test_does_not_go_by_an_administrators_reference_in_the_log(self, staffed: Machine) -> None:
        code = agency(staffed)
        for who in ("staff-1", "night-shift"):
            assert staffed.run("agencies", "suspend", code, "--actor", who).code == 0
            assert staffed.run("agencies", "resume", code).code == 0
        assert actors(staffed, "agency:suspend")[-2:] == ["machine:staff-1", "night-shift"]

    @pytest.mark.parametrize(
        ("move", "act"), [("resume", "agency:resume"), ("desk", "agency:desk"), ("reviewer", "agency:reviewer")]
    )
    def test_opens_no_agency(self, staffed: Machine, move: str, act: str) -> None:
        code = agency(staffed)
        if move == "resume":
            staffed.run("agencies", "suspend", code)
        before = next(each for each in staffed.run("agencies", "list", "--json").json if each["code"] == code)
        asked = staffed.run("agencies", move, code, **TWO)
        assert (asked.code, "2 different people, signed in" in asked.out, act in asked.out) == (0, True, True)
        after = next(each for each in staffed.run("agencies", "list", "--json").json if each["code"] == code)
        assert after == before

    def test_asks_for_no_link(self, staffed: Machine) -> None:
        """Who approves it could be who holds it."""
        asked = staffed.run("admins", "invite", "staff-2", **TWO)
        assert (asked.code, "just signed in" in asked.err, "enrol#" in asked.out) == (2, True, False)


def test_production_takes_two_people_whatever_a_command_is_told() -> None:
    assert Settings(env="production", two_people="off").needs_two_people

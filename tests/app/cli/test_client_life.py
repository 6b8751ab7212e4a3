"""`clients` and `agencies offboard` at the command line: what works at once, what waits and for whom, and two processes that stop as one."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from app.cli.client_life import read_time
from app.cli.failures import Failure
from app.client import Credentials, ExchangeClient
from app.foundation.clock import Clock
from app.foundation.database import embedded_addresses
from app.foundation.ids import uuid7
from auth.people import sessions
from tests.app.cli.conftest import Machine, Outcome, free_port

TWO = {"RUJUKAN_TWO_PEOPLE": "on"}


@pytest.fixture(scope="module")
def peopled(machine: Machine) -> Machine:
    """A machine with two agencies, one of which says whom to call."""
    for code in ("polri", "rptc-x"):
        added = machine.run("agencies", "add", code, "--name", code, "--kind", "trauma_centre")
        assert added.code == 0, added.err
    contacts = json.dumps({"items": [{"role": "Duty officer", "phone": "+6221123456"}]})
    assert machine.run("agencies", "duty-contacts", "polri", "--set", "-", stdin=contacts).code == 0
    return machine


@pytest.fixture
def added(peopled: Machine) -> str:
    """A client that works."""
    return new(peopled)


def new(machine: Machine, *options: str, **env: str) -> str:
    client_id = f"system-{secrets.token_hex(4)}"
    done = machine.run("clients", "add", client_id, "--agency", "polri", "--generate", *options, **env)
    assert done.code == 0, done.err
    return client_id


def shown(machine: Machine, client_id: str) -> dict[str, Any]:
    found: dict[str, Any] = machine.run("clients", "show", client_id, "--json").json
    return found


async def _sign_in(machine: Machine, reference: str, role: str) -> str:
    conn = await asyncpg.connect(embedded_addresses(machine.folder).admin)
    id, now = uuid7(Clock().now()), Clock().now()
    await conn.execute(
        "INSERT INTO administrator (id, reference, name, roles, created_at) VALUES ($1, $2, 'X', $3, $4)",
        id, reference, [role], now,
    )  # fmt: skip
    token = await sessions.begin(conn, id, method="command_line", address=None, user_agent=None, now=now)
    await conn.close()
    return token


@pytest.fixture
def signed_in(peopled: Machine) -> Any:
    """An operator who has signed in at the command line."""
    file = peopled.folder / "admin-session"
    reference = f"op-{secrets.token_hex(4)}"
    file.write_text(asyncio.run(_sign_in(peopled, reference, "operator")))
    yield reference
    file.unlink()


def one_line(ended: Outcome, *words: str) -> None:
    assert ended.code == 2, ended.out
    assert ended.err.startswith("rujukan: ")
    for word in words:
        assert word in ended.err
    assert len(ended.err.strip().splitlines()) <= 2
    assert "Traceback" not in ended.err


class TestWhereOneIsEnough:
    def test_a_client_works_at_once(self, peopled: Machine, added: str) -> None:
        assert shown(peopled, added)["status"] == "active"

    def test_one_in_the_sandbox_practises_until_it_is_asked_for(self, peopled: Machine) -> None:
        client_id = new(peopled, "--sandbox")
        assert shown(peopled, client_id)["status"] == "sandbox"
        done = peopled.run("clients", "request", client_id, "--json")
        assert done.json == {"client_id": client_id, "status": "active", "waits": None}
        one_line(peopled.run("clients", "request", client_id), "only a client in the sandbox")

    def test_it_goes_out_and_comes_in_again(self, peopled: Machine, added: str) -> None:
        out = peopled.run("clients", "suspend", added)
        assert "out within a second" in out.out
        assert "was active" in peopled.run("clients", "show", added).out
        assert "It was already" in peopled.run("clients", "suspend", added).out
        assert peopled.run("clients", "resume", added, "--json").json["status"] == "active"
        one_line(peopled.run("clients", "resume", added), "it is not suspended")

    def test_it_is_retired_for_good(self, peopled: Machine, added: str) -> None:
        assert "is retired" in peopled.run("clients", "retire", added).out
        for move in ("retire", "resume", "suspend", "activate", "request"):
            one_line(peopled.run("clients", move, added), "is retired")
        one_line(peopled.run("clients", "rotate", added, "--generate"), "is retired")
        one_line(peopled.run("clients", "networks", added, "10.0.0.0/8"), "is retired")


async def _proved_long_ago(machine: Machine, reference: str) -> None:
    conn = await asyncpg.connect(embedded_addresses(machine.folder).admin)
    await conn.execute(
        "UPDATE admin_session SET confirmed_at = confirmed_at - interval '11 minutes' FROM administrator p"
        " WHERE p.id = admin_id AND p.reference = $1",
        reference,
    )
    await conn.close()


class TestWhereTwoAreNeeded:
    def test_nobody_goes_by_an_administrators_reference_who_is_not_signed_in(
        self, peopled: Machine, added: str, signed_in: str
    ) -> None:
        session = peopled.folder / "admin-session"
        kept = session.read_text()
        session.unlink()
        for command in (("agencies", "suspend", "rptc-x"), ("clients", "retire", added)):
            one_line(
                peopled.run(*command, "--actor", signed_in, **TWO), f"{signed_in} administers, and is not signed in"
            )
        assert peopled.run("agencies", "takes-nobody", "rptc-x", "--actor", "op-nobody", **TWO).code == 0
        session.write_text(kept)
        assert peopled.run("agencies", "takes-nobody", "rptc-x", "--actor", signed_in, **TWO).code == 0

    def test_an_agency_is_let_in_again_and_made_the_desk_by_two(self, peopled: Machine, signed_in: str) -> None:
        assert peopled.run("agencies", "suspend", "rptc-x", **TWO).code == 0
        for act, then in (("resume", "suspended"), ("desk", None)):
            code = "rptc-x" if act == "resume" else "polri"
            asked = peopled.run("agencies", act, code, **TWO)
            assert "another person, signed in, runs: rujukan approvals approve" in asked.out, asked.err
            (found,) = [each for each in peopled.run("agencies", "list", "--json").json if each["code"] == code]
            assert then is None or found["status"] == then
            assert found["desk"] is False

    def test_whoever_proved_long_ago_who_they_are_asks_for_nothing_that_opens(
        self, peopled: Machine, added: str, signed_in: str
    ) -> None:
        assert peopled.run("clients", "suspend", added, **TWO).code == 0
        asyncio.run(_proved_long_ago(peopled, signed_in))
        for command in (
            ("clients", "resume", added),
            ("clients", "add", "system-late", "--agency", "polri", "--generate"),
            ("agencies", "desk", "polri"),
            ("registrations", "invite", "polri"),
            ("keys", "rotate"),
            ("agreements", "add-acts-for", "rptc-x", "--by", "polri", "--reference", "PKS-1"),
        ):
            one_line(peopled.run(*command, **TWO), "more than ten minutes have passed")
        assert peopled.run("clients", "retire", added, **TWO).code == 0, "what stops somebody never waits"

    def test_a_client_waits_and_is_told_for_whom(self, peopled: Machine) -> None:
        client_id = f"system-{secrets.token_hex(4)}"
        done = peopled.run("clients", "add", client_id, "--agency", "polri", "--generate", **TWO)
        assert done.code == 0, done.err
        (waits,) = shown(peopled, client_id)["waits"]
        assert "does not work yet" in done.out
        assert f"2 different people, signed in, each run: rujukan approvals approve {waits['id']}" in done.out
        assert f"rujukan clients activate {client_id}" in done.out
        assert "Try it" not in done.out
        one_line(peopled.run("clients", "activate", client_id, **TWO), "is requested", "only an approved client")

    def test_whoever_has_signed_in_has_said_yes_by_asking(self, peopled: Machine, signed_in: None) -> None:
        client_id = f"system-{secrets.token_hex(4)}"
        done = peopled.run("clients", "add", client_id, "--agency", "polri", "--generate", **TWO)
        assert "another person, signed in, runs: rujukan approvals approve" in done.out

    def test_another_key_waits_in_a_file_of_its_own(self, peopled: Machine, added: str) -> None:
        file = peopled.folder / "clients" / f"{added}.json"
        before = file.read_bytes()
        done = peopled.run("clients", "rotate", added, "--generate", "--json", **TWO)
        assert done.code == 0, done.err
        assert done.json["file"] == f"{file}.new"
        assert Credentials.load(Path(done.json["file"])).client_id == added
        assert (file.read_bytes(), len(shown(peopled, added)["keys"])) == (before, 1)
        one_line(
            peopled.run("clients", "rotate", added, "--generate", "--out", str(file) + "2", **TWO),
            "waits for approval already",
        )
        assert not Path(f"{file}2.new").exists()

    def test_letting_in_again_waits(self, peopled: Machine, added: str) -> None:
        peopled.run("clients", "suspend", added, **TWO)
        done = peopled.run("clients", "resume", added, "--json", **TWO)
        assert (done.json["status"], done.json["waits"] is not None) == ("suspended", True)


class TestBounds:
    def test_networks_are_shown_narrowed_at_once_and_widened_by_two(self, peopled: Machine, added: str) -> None:
        run = lambda *more: peopled.run("clients", "networks", added, *more, **TWO)  # noqa: E731
        assert "any network" in run().out
        assert run("10.0.0.0/8", "--json").json == {"client_id": added, "networks": ["10.0.0.0/8"], "waits": None}
        wider = run("--any")
        assert "10.0.0.0/8" in wider.out
        assert "approvals approve" in wider.out
        assert "calls from" in peopled.run("clients", "show", added).out
        one_line(run("10.0.0.1/8"), "a network is")
        one_line(run("10.0.0.0/8", "--any"), "--any")

    def test_scopes_and_agencies_too(self, peopled: Machine, added: str) -> None:
        done = peopled.run("clients", "scopes", added, "cases.read events.read", "--json", **TWO)
        assert (done.json["scopes"], done.json["waits"]) == (["cases.read", "events.read"], None)
        done = peopled.run("clients", "agencies", added, "polri", "rptc-x", "--json", **TWO)
        assert (done.json["agencies"], done.json["waits"] is not None) == (["polri"], True)
        one_line(peopled.run("clients", "scopes", added, "everything"), "scopes are:")
        one_line(peopled.run("clients", "agencies", added, "nobody"), "there is no agency nobody")


class TestKeys:
    def test_one_that_lasts_shows_its_end_and_can_be_ended_before(self, peopled: Machine, added: str) -> None:
        done = peopled.run("clients", "rotate", added, "--generate", "--lasts", "365d", "--overlap", "0", "--json")
        assert done.code == 0, done.err
        first, second = shown(peopled, added)["keys"]
        assert (second["kid"], second["ends_at"][:4] > "2020") == (done.json["kids"][0], True)
        assert f"{first['kid']} from" in peopled.run("clients", "show", added).out
        assert peopled.run("clients", "end-key", added, second["kid"]).code == 0
        one_line(peopled.run("clients", "end-key", added, "another"), "no such key")


class TestAtTwoInTheMorning:
    def test_what_was_stolen_is_undone(self, peopled: Machine, added: str) -> None:
        peopled.run("clients", "rotate", added, "--generate", "--overlap", "9d")
        done = peopled.run("clients", "suspend", added, "--compromised-since", "2h", "--reason", "stolen", "--json")
        assert (done.json["was"], len(done.json["keys"]), done.json["stranded"]) == ("active", 2, [])

    @pytest.mark.parametrize(
        ("time", "says"),
        [
            ("2026-01-01T02:00", "needs its zone"),
            ("yesterday", "a time is written"),
            ("2190-01-01T00:00Z", "in the future"),
            ("999999d", "a time is written"),
        ],
    )
    def test_a_time_that_cannot_be_meant_stops_nothing(
        self, peopled: Machine, added: str, time: str, says: str
    ) -> None:
        one_line(peopled.run("clients", "suspend", added, "--compromised-since", time), says)
        assert shown(peopled, added)["status"] == "active"

    def test_times_are_read(self) -> None:
        now = Clock().now()
        assert read_time("2026-03-01T02:10+07:00", now).isoformat() == "2026-02-28T19:10:00+00:00"
        assert (now - read_time("6h", now)).total_seconds() == 6 * 3600
        with pytest.raises(Failure):
            read_time("", now)

    def test_an_emergency_key_takes_a_call_back_and_a_signed_in_operator(
        self, peopled: Machine, added: str, request: pytest.FixtureRequest
    ) -> None:
        rotate = ("clients", "rotate", added, "--generate", "--emergency")
        one_line(peopled.run(*rotate), "--called-back")
        one_line(peopled.run("clients", "rotate", added, "--generate", "--called-back", "x"), "--emergency")
        one_line(peopled.run(*rotate, "--called-back", "duty officer", **TWO), "who has signed in within")
        request.getfixturevalue("signed_in")
        peopled.run("clients", "suspend", added)
        one_line(peopled.run(*rotate, "--called-back", "somebody", **TWO), "registered duty contacts")
        given = peopled.run(*rotate, "--called-back", "duty officer", **TWO)
        assert given.code == 0, given.err
        assert "in 24 hours it is out again" in given.out
        assert "approvals approve" in given.out
        told = peopled.run("clients", "show", added).out
        assert "in an emergency" in told
        assert Credentials.load(peopled.folder / "clients" / f"{added}.json").signing_key().public.kid in told
        assert "ended" in told

    def test_what_is_stranded_is_listed(self, peopled: Machine, added: str) -> None:
        assert peopled.run("clients", "stranded", added, "--json").json == {"escalated": None, "items": []}
        one_line(peopled.run("clients", "stranded", added, "--escalate"), "nothing is stranded")
        peopled.run("clients", "suspend", added)
        assert "0 escalated" in peopled.run("clients", "stranded", added, "--escalate").out


class TestAnAgencyThatLeaves:
    def test_is_led_to_its_end(self, peopled: Machine) -> None:
        peopled.run("agencies", "add", "rptc-y", "--name", "Y", "--kind", "trauma_centre")
        peopled.run("clients", "add", "rptc-y-system", "--agency", "rptc-y", "--generate")
        first = peopled.run("agencies", "offboard", "rptc-y").out
        for command in ("agencies takes-nobody rptc-y", "clients retire", "agencies close rptc-y"):
            assert f"rujukan {command}" in first
        assert peopled.run("agencies", "takes-nobody", "rptc-y").code == 0
        assert peopled.run("clients", "retire", "rptc-y-system").code == 0
        left = [
            each for each in peopled.run("agencies", "offboard", "rptc-y", "--json").json["steps"] if not each["done"]
        ]
        assert [each["what"] for each in left] == ["close it for good"]
        assert peopled.run("agencies", "close", "rptc-y").code == 0
        done = peopled.run("agencies", "offboard", "rptc-y", "--json").json
        assert (done["status"], all(each["done"] for each in done["steps"])) == ("closed", True)
        one_line(peopled.run("agencies", "offboard", "nowhere"), "there is no agency nowhere")


@asynccontextmanager
async def calling(url: str) -> Any:
    async with httpx.AsyncClient(base_url=url, timeout=40) as http:
        yield http


class TestTwoProcesses:
    """The client is stopped at the command line; two serving processes notice, each by itself."""

    def test_are_shut_within_a_second(self, peopled: Machine, added: str) -> None:
        other = free_port()
        apart = {"RUJUKAN_PORT": str(other), "RUJUKAN_PUBLIC_URL": peopled.url}
        watcher = new(peopled, "--scope", "admin.read")
        with peopled.serving(), peopled.serving(**apart):
            asyncio.run(self._stop(peopled, added, watcher, f"http://127.0.0.1:{other}"))

    async def _stop(self, machine: Machine, client_id: str, watcher: str, other: str) -> None:
        async with calling(machine.url) as here, calling(other) as there:
            client, watching = (
                ExchangeClient(Credentials.load(machine.folder / "clients" / f"{each}.json"), http=here)
                for each in (client_id, watcher)
            )

            async def look(http: httpx.AsyncClient) -> list[Any]:
                """A request, a token request, and what another client is told of the token."""
                me = await http.get("/v1/me", headers=await client.authorization("GET", "/v1/me"))
                token_url = f"{machine.url}/oauth2/token"
                asked = await http.post(
                    "/oauth2/token",
                    data={**client.authentication(), "grant_type": "client_credentials"},
                    headers={"DPoP": client.proof("POST", token_url)},
                )
                form = {**watching.authentication(), "token": (await client.token())[0]}
                told = await http.post("/oauth2/introspect", data=form)
                return [me.status_code, asked.status_code, told.json().get("active")]

            assert await look(here) == await look(there) == [200, 200, True]
            seen = -1
            while (page := (await client.get("/v1/events?limit=500")).json()["items"]) and len(page) > seen:
                seen = len(page)
                await asyncio.sleep(0.3)  # the worker may still be giving what the commands did its position
            feed = f"/v1/events?after={max(seen, 0)}&wait=30"
            feeds = [
                asyncio.create_task(http.get(feed, headers=await client.authorization("GET", "/v1/events")))
                for http in (here, there)
            ]
            await asyncio.sleep(0.5)
            assert not any(waiting.done() for waiting in feeds)
            stopped = await asyncio.to_thread(machine.run, "clients", "suspend", client_id)
            began = time.monotonic()
            assert stopped.code == 0, stopped.err
            await asyncio.sleep(1)
            assert await look(here) == await look(there) == [401, 401, False]
            for waiting in feeds:
                ended = await asyncio.wait_for(waiting, 1)
                assert ended.status_code == 401 or [each["type"] for each in ended.json()["items"]] in (
                    [],
                    ["client.suspended"],
                )
            assert time.monotonic() - began < 2.5

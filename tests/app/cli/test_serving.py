"""`serve` and `api`: real processes, real HTTP."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.app.cli.conftest import SAMPLES, Machine, free_port

NOTICED = 0.6
"""Seconds after which every process has noticed what administration changed."""


@pytest.fixture(scope="module")
def served(machine: Machine) -> Iterator[Machine]:
    """A machine that serves, with sample agencies and one client of IOM's."""
    with machine.serving():
        assert machine.run("agencies", "import", str(SAMPLES)).code == 0
        assert machine.run("clients", "add", "iom-system", "--agency", "iom-indonesia", "--generate").code == 0
        time.sleep(NOTICED)
        yield machine


class TestServe:
    def test_answers_without_naming_its_server(self, served: Machine) -> None:
        answer = httpx.get(f"{served.url}/healthz")
        assert answer.status_code == 200
        assert "server" not in answer.headers

    def test_issuer_follows_the_port(self, served: Machine) -> None:
        metadata = httpx.get(f"{served.url}/.well-known/oauth-authorization-server").json()
        assert metadata["issuer"] == served.url

    def test_keys_and_keyring_are_their_owners_alone(self, served: Machine) -> None:
        for path in (served.folder / "keyring.json", served.folder / "clients" / "iom-system.json"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE((served.folder / "clients").stat().st_mode) == 0o700

    def test_taken_port_is_said_in_one_line(self, served: Machine) -> None:
        ended = served.run_apart("serve")
        assert ended.code == 1
        assert f"cannot listen on 127.0.0.1 port {served.port}" in ended.err
        assert "Traceback" not in ended.err

    def test_short_commands_beside_it_leave_its_database_running(self, served: Machine) -> None:
        before = served.postmaster()
        for _ in range(2):
            assert served.run_apart("agencies", "list").code == 0
        assert served.postmaster() == before
        assert httpx.get(f"{served.url}/readyz").status_code == 200


class TestApi:
    def test_says_who_the_client_is(self, served: Machine) -> None:
        ended = served.run_apart("api", "GET", "/v1/me", "--as", "iom-system")
        assert ended.code == 0, ended.err
        assert ended.json["agency"]["code"] == "iom-indonesia"

    def test_takes_the_client_from_the_environment_as_every_command_does(self, served: Machine) -> None:
        ended = served.run("api", "GET", "/v1/me", RUJUKAN_CLIENT="iom-system")
        assert (ended.code, ended.json["client_id"]) == (0, "iom-system"), ended.err

    def test_takes_a_file_and_a_whole_address(self, served: Machine) -> None:
        file = served.folder / "clients" / "iom-system.json"
        ended = served.run("api", "get", f"{served.url}/v1/me", "--as", str(file), "--agency", "iom-indonesia")
        assert ended.code == 0, ended.err

    def test_asks_for_the_form_it_is_told_to(self, served: Machine) -> None:
        ended = served.run("api", "GET", "/v1/code-lists/sex", "--accept", "text/csv", "--as", "iom-system")
        assert (ended.code, ended.out.partition(",")[0]) == (0, "code")

    def test_shows_status_and_headers_when_asked(self, served: Machine) -> None:
        ended = served.run("api", "GET", "/v1/agencies/nobody", "--as", "iom-system", "-i")
        assert ended.code == 4
        head, _, body = ended.out.partition("\n\n")
        assert head.startswith("HTTP 404 Not Found\n")
        assert "content-type: application/problem+json" in head
        assert json.loads(body)["type"] == "/problems/not-found"

    def test_reads_the_body_from_a_file_and_sends_the_key_it_is_given(self, served: Machine, tmp_path: Path) -> None:
        body = tmp_path / "case.json"
        body.write_text(json.dumps({"entry_channel": "referral_agency"}))
        sent = [served.run(*_open_case(f"@{body}")) for _ in range(2)]
        assert [each.code for each in sent] == [0, 0], sent[0].out
        assert sent[0].json["id"] == sent[1].json["id"]

    def test_tells_apart_a_refused_token(self, served: Machine) -> None:
        added = served.run("clients", "add", "iom-other", "--agency", "iom-indonesia", "--generate")
        assert added.code == 0
        time.sleep(NOTICED)
        assert served.run("api", "GET", "/v1/me", "--as", "iom-other").code == 0
        assert served.run("api", "GET", "/v1/me", "--as", "iom-other", "--agency", "polri").code == 4
        served.run("clients", "suspend", "iom-other")
        time.sleep(NOTICED)
        ended = served.run("api", "GET", "/v1/me", "--as", "iom-other")
        assert ended.code == 4
        assert "invalid_client" in ended.err
        assert "Traceback" not in ended.err

    def test_a_rotated_client_goes_on_with_its_new_key(self, served: Machine) -> None:
        file = served.folder / "clients" / "polri-system.json"
        served.run("clients", "add", "polri-system", "--agency", "polri", "--generate")
        rotated = served.run("clients", "rotate", "polri-system", "--generate", "--overlap", "0", "--json")
        assert rotated.code == 0, rotated.err
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        time.sleep(NOTICED)
        assert served.run("api", "GET", "/v1/me", "--as", "polri-system").code == 0
        assert served.run("api", "GET", "/v1/me", "--as", f"{file}.old").code == 4

    def test_tells_when_nothing_answers(self, served: Machine, tmp_path: Path) -> None:
        stored = json.loads((served.folder / "clients" / "iom-system.json").read_text())
        elsewhere = tmp_path / "elsewhere.json"
        elsewhere.write_text(json.dumps({**stored, "issuer": f"http://127.0.0.1:{free_port()}"}))
        ended = served.run_apart("api", "GET", "/v1/me", "--as", str(elsewhere))
        assert ended.code == 3
        assert "cannot be reached" in ended.err
        assert "Traceback" not in ended.err


def _open_case(body: str) -> tuple[str, ...]:
    key = "6f1c0f0e-4b1e-4b52-9a06-0f2a4d1c9f10"
    return ("api", "POST", "/v1/cases", "-d", body, "--as", "iom-system", "--key", key)


class TestEnding:
    def test_sigterm_lets_a_waiting_request_go_and_stops_the_database(self, tmp_path: Path) -> None:
        machine = Machine(tmp_path / "data", free_port())
        with machine.serving() as process:
            machine.run_apart("agencies", "import", str(SAMPLES))
            machine.run_apart("clients", "add", "iom-system", "--agency", "iom-indonesia", "--generate")
            assert machine.run_apart("api", "GET", "/v1/me", "--as", "iom-system").code == 0
            with machine.start("api", "GET", "/v1/events?types=hold.*&wait=50", "--as", "iom-system") as waiting:
                _wait_for_connection(machine.port)
                process.send_signal(signal.SIGTERM)
                _, err = process.communicate(timeout=15)
                answer, _ = waiting.communicate(timeout=15)
        assert process.returncode == 0, err
        assert "Traceback" not in err
        assert json.loads(answer)["items"] == []
        assert machine.postmaster() is None

    def test_a_killed_one_leaves_a_server_the_next_command_takes_over_and_stops(self, tmp_path: Path) -> None:
        machine = Machine(tmp_path / "data", free_port())
        with machine.serving() as process:
            process.kill()
            process.communicate()
        assert machine.postmaster() is not None
        assert machine.run_apart("agencies", "list").code == 0
        assert machine.wait_for_postmaster_to_end()

    def test_a_machine_that_lost_its_power_comes_back(self, tmp_path: Path) -> None:
        machine = Machine(tmp_path / "data", free_port())
        with machine.serving() as process:
            postmaster = machine.postmaster()
            assert postmaster is not None
            process.kill()
            os.kill(postmaster, signal.SIGKILL)
            process.communicate()
        left = machine.folder / "postgresql" / "postmaster.pid"
        left.write_text(left.read_text().replace(str(postmaster), str(os.getpid()), 1))  # somebody else's by now
        ended = machine.run_apart("agencies", "list")
        assert ended.code == 0, ended.err

    def test_first_commands_at_the_same_time_do_not_disturb_each_other(self, tmp_path: Path) -> None:
        machine = Machine(tmp_path / "data", free_port())
        both: list[subprocess.Popen[str]] = [machine.start("keys", "list", "--json") for _ in range(3)]
        told = []
        for process in both:
            with process:
                told.append(process.communicate(timeout=60))
        assert [process.returncode for process in both] == [0, 0, 0], told
        assert len({out for out, _ in told}) == 1


def _wait_for_connection(port: int) -> None:
    """Until somebody has been connected for a second: no other than who waits stays that long."""
    since = None
    for _ in range(200):
        held = any(
            connection.laddr.port == port and connection.status == psutil.CONN_ESTABLISHED
            for connection in psutil.net_connections("tcp4")
            if connection.laddr
        )
        since = (since or time.monotonic()) if held else None
        if since is not None and time.monotonic() - since > 1:
            return
        time.sleep(0.05)
    raise AssertionError("nobody connected")


class TestProduction:
    def test_refuses_everything_unsafe_at_once(self, machine: Machine) -> None:
        ended = machine.run_apart("serve", RUJUKAN_ENV="production", RUJUKAN_LOG_LEVEL="DEBUG")
        assert ended.code == 1
        assert ended.out == ""
        for name in ("PUBLIC_URL", "DATABASE_URL", "KEYRING_FILE", "LOG_LEVEL"):
            assert f"RUJUKAN_{name}" in ended.err
        assert "Traceback" not in ended.err

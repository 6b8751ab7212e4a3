"""`rujukan events`: an integrator's look at its feed."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from tests.app.cli.conftest import SAMPLES, Machine

AS = ("--as", "iom-system")


@pytest.fixture(scope="module")
def served(machine: Machine) -> Iterator[Machine]:
    """A machine that serves, on which two agencies have systems."""
    with machine.serving():
        assert machine.run("agencies", "import", str(SAMPLES)).code == 0
        for name, agency in (("iom-system", "iom-indonesia"), ("iom-archive", "iom-indonesia")):
            assert machine.run("clients", "add", name, "--agency", agency, "--generate").code == 0
        yield machine


def happens(machine: Machine) -> None:
    """Something that the agency of both systems is told."""
    for act in ("suspend", "resume"):
        outcome = machine.run("clients", act, "iom-archive", *(("--reason", "drill") if act == "suspend" else ()))
        assert outcome.code == 0, outcome.err


def test_prints_what_there_is_and_follows_what_comes(served: Machine) -> None:
    happens(served)
    with served.start("events", *AS, "--follow", "--json", "--acknowledge", "--types", "client.*") as following:
        assert following.stdout is not None
        first = json.loads(following.stdout.readline())
        seen = [first]
        while seen[-1]["type"] != "client.resumed":
            seen.append(json.loads(following.stdout.readline()))
        happens(served)
        seen += [json.loads(following.stdout.readline()) for _ in range(2)]
        following.send_signal(signal.SIGINT)
        _, err = following.communicate(timeout=15)
    assert "Traceback" not in err
    positions = [each["position"] for each in seen]
    assert positions == sorted(set(positions))
    assert [each["type"] for each in seen[-2:]] == ["client.suspended", "client.resumed"]

    lines = served.run("events", *AS, "--after", str(positions[-3])).out.splitlines()
    assert [line.split()[0] for line in lines] == [str(each) for each in positions[-2:]]
    assert "client.suspended" in lines[0]
    kept = served.run("api", "GET", "/v1/events/position", *AS).json["position"]
    rest = served.run("events", *AS, "--after", "acknowledged")
    assert [int(line.split()[0]) for line in rest.out.splitlines()] == [each for each in positions if each > kept]


def test_says_what_to_do_where_the_place_is_lost(served: Machine) -> None:
    ahead = served.run("events", *AS, "--after", "4711")
    assert (ahead.code, ahead.out) == (4, "")
    assert "restored from a backup" in ahead.err
    assert "/v1/inbox" in ahead.err
    for arguments, code, words in (
        (("--after", "soon"), 2, "whole number"),
        (("--types", "referral.lost"), 4, "no such type"),
        (("--types", "hold.*"), 0, "no events"),
        (("--agency", "bp3mi"), 4, ""),
    ):
        outcome = served.run("events", *AS, *arguments)
        assert (outcome.code, outcome.out) == (code, ""), outcome.err
        assert words in outcome.err
        assert "Traceback" not in outcome.err

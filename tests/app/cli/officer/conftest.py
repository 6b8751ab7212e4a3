"""Agencies on a served machine, each with an officer at the keyboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.app.cli.conftest import Machine, Outcome, free_port
from tests.makers import records

AGENCIES = {
    "police": "police_regional",
    "iom": "international_organisation",
    "ministry": "ministry_social",
    "shelter": "trauma_centre",
    "rptc": "trauma_centre",
    "sentra": "sentra",
    "stranger": "civil_society",
}

IMMEDIATE = 1
"""Seconds in which an immediate referral is to be answered here."""


@dataclass
class Passed:
    """A referral or transfer, as the officer who sent it knows it."""

    kind: str
    id: str
    case_id: str
    reference: str


class Office:
    """The agencies' officers, by short name."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def run(self, who: str, *arguments: str, stdin: str | None = None, **env: str) -> Outcome:
        """Run a command as an officer of an agency."""
        given = {"RUJUKAN_CLIENT": f"{who}-system", "RUJUKAN_ACTOR": "officer-7", "RUJUKAN_LANG": "en", **env}
        return self.machine.run(*arguments, stdin=stdin, **given)

    def done(self, who: str, *arguments: str, stdin: str | None = None) -> Outcome:
        """Run a command that succeeds."""
        ended = self.run(who, *arguments, stdin=stdin)
        assert ended.code == 0, ended.err
        return ended

    def read(self, who: str, passed: Passed) -> Any:
        """What an agency may read of it."""
        return self.done(who, "api", "GET", f"/v1/{passed.kind}s/{passed.id}", "--as", f"{who}-system").json

    def send(self, receiver: str = "shelter", *, sender: str = "police", kind: str = "referral", **more: Any) -> Passed:
        """Send a referral, or offer a transfer."""
        maker = records.referral if kind == "referral" else records.transfer
        command = "refer" if kind == "referral" else "transfer"
        answer = self.done(sender, command, "-", "--json", stdin=json.dumps(maker(receiver, **more))).json
        return Passed(kind, answer["id"], answer["case_id"], answer["reference"])

    def accepted(self, receiver: str = "shelter", **more: Any) -> Passed:
        """A referral that its receiver has accepted."""
        passed = self.send(receiver, **more)
        self.done(receiver, "accept", passed.id, "--ready-from", "2099-01-01 08:00")
        return passed

    def in_progress(self, receiver: str = "shelter", **more: Any) -> Passed:
        """A referral whose person has arrived."""
        passed = self.accepted(receiver, **more)
        self.done(receiver, "start", passed.id)
        return passed


@pytest.fixture(scope="package")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A served machine with agencies, and credentials for each."""
    machine = Machine(tmp_path_factory.mktemp("office") / "data", free_port())
    for code, kind in AGENCIES.items():
        added = machine.run("agencies", "add", code, "--name", f"The {code}", "--kind", kind)
        assert added.code == 0, added.err
        added = machine.run("clients", "add", f"{code}-system", "--agency", code, "--generate")
        assert added.code == 0, added.err
    assert machine.run("agencies", "desk", "ministry").code == 0
    agreed = machine.run("agreements", "add-acts-for", "shelter", "--by", "ministry", "--reference", "MoU 7")
    assert agreed.code == 0, agreed.err
    added = machine.run("service-points", "add", "shelter", "--name", "House", "--confidential", "--service", "shelter")
    assert added.code == 0, added.err
    with machine.serving(RUJUKAN_RESPOND_WITHIN_IMMEDIATE=f"PT{IMMEDIATE}S"):
        yield Office(machine)

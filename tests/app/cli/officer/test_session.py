"""Who acts, and what is said when the exchange is away."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest
from typer.main import get_group

import app.cli
from app.cli import PLACES
from app.cli.officer.moves import LIFECYCLES
from app.cli.officer.words import COMMANDS
from app.exchange.lifecycle import Party
from tests.app.cli.conftest import Machine, free_port
from tests.app.cli.officer.conftest import Office
from tests.makers import records

ID = "019aba6d-ef2f-7dd4-9a82-4d2f3ea8f7d6"


class TestWhoActs:
    def test_must_be_said(self, office: Office) -> None:
        ended = office.machine.run("show", ID)
        assert (ended.code, "RUJUKAN_CLIENT" in ended.err) == (2, True)

    def test_needs_credentials(self, office: Office) -> None:
        ended = office.run("nobody", "show", ID)
        assert (ended.code, "there is no key file for nobody-system" in ended.err) == (2, True)

    def test_is_named_in_the_log_and_is_no_name(self, office: Office) -> None:
        ended = office.run("shelter", "show", ID, "--actor", "Pak Budi")
        assert (ended.code, "an actor is" in ended.err) == (2, True)

    def test_may_not_be_another_agency_without_an_agreement(self, office: Office) -> None:
        sent = office.send()
        ended = office.run("iom", "acknowledge", sent.id, "--for", "shelter")
        assert (ended.code, "may not act for that one" in ended.err) == (4, True)

    def test_is_told_in_their_language(self, office: Office) -> None:
        sent = office.send()
        ended = office.run("iom", "acknowledge", sent.id, "--for", "shelter", "--lang", "id")
        assert "Instansi Anda tidak boleh bertindak" in ended.err

    def test_cannot_be_a_client_that_the_exchange_does_not_know(self, office: Office, tmp_path: Path) -> None:
        stored = json.loads((office.machine.folder / "clients" / "shelter-system.json").read_text())
        (tmp_path / "other.json").write_text(json.dumps({**stored, "client_id": "other-system"}))
        ended = office.run("shelter", "show", ID, "--as", str(tmp_path / "other.json"))
        assert (ended.code, "gives no token" in ended.err) == (4, True)


class TestWhenTheExchangeIsAway:
    @pytest.fixture
    def away(self, office: Office, tmp_path: Path) -> Path:
        """Credentials for an exchange that does not answer."""
        stored = json.loads((office.machine.folder / "clients" / "shelter-system.json").read_text())
        file = tmp_path / "away.json"
        file.write_text(json.dumps({**stored, "issuer": f"http://127.0.0.1:{free_port()}"}))
        return file

    def test_reading_says_so(self, office: Office, away: Path) -> None:
        ended = office.run("shelter", "show", ID, "--as", str(away))
        assert (ended.code, "the exchange cannot be reached" in ended.err) == (3, True)

    def test_sending_says_how_to_repeat_it_without_sending_it_twice(self, office: Office, away: Path) -> None:
        text = json.dumps(records.referral("iom"))
        ended = office.run("shelter", "refer", "-", "--as", str(away), "--key", "night-call-2", stdin=text)
        assert (ended.code, "Repeat the command with --key night-call-2" in ended.err) == (3, True)
        without = office.run("shelter", "refer", "-", "--as", str(away), stdin=text)
        assert "Repeat the command with --key " in without.err


def test_every_move_of_a_person_has_its_command() -> None:
    for lifecycle in LIFECYCLES.values():
        for move in lifecycle.moves:
            if move.from_states and move.by not in (Party.CLOCK, Party.SYSTEM, Party.DESK):
                assert COMMANDS[move.event] in PLACES


def commands_of(name: str) -> list[tuple[str, ...]]:
    """The command, or those of the group of this name."""
    group = get_group(importlib.import_module(PLACES[name]).app)
    return [(name,)] if name in group.commands else [(name, each) for each in group.commands]


@pytest.mark.parametrize("name", [name for name, place in PLACES.items() if ".officer." in place])
def test_every_command_says_what_it_does_and_who_acts(machine: Machine, name: str) -> None:
    for command in commands_of(name):
        shown = machine.run(*command, "--help", COLUMNS="200").out
        assert "RUJUKAN_CLIENT" in shown, command
        assert "--for" in shown, command
        assert "--json" in shown, command


def test_nothing_is_printed_but_by_what_makes_it_harmless() -> None:
    """Text of others is in every answer: names, reasons, notes, and whatever a forged answer would hold."""
    for path in (Path(app.cli.__file__).parent / "officer").glob("*.py"):
        assert not re.search(r"\b(print|typer\.(secho|echo))\(", path.read_text().replace("_console.print(", "")), (
            path.name
        )

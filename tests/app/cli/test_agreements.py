"""`agreements`, the desk and the duty contacts, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from tests.app.cli.conftest import Machine


@pytest.fixture(scope="module")
def peopled(machine: Machine) -> Machine:
    """A machine with three agencies and a practice one."""
    for code, kind in (("kemsos", "ministry_social"), ("rptc-x", "trauma_centre"), ("sentra-x", "sentra")):
        assert machine.run("agencies", "add", code, "--name", code.upper(), "--kind", kind).code == 0
    assert machine.run("agencies", "add", "practice-x", "--name", "X", "--kind", "sentra", "--sandbox").code == 0
    return machine


SHARED = ("--section", "identity", "--section", "needs", "--basis", "UU 27/2022, Pasal 56")
SHARES = ("add-data-sharing", "rptc-x", "--to", "sentra-x", *SHARED)


class TestAgreements:
    def test_are_added_listed_and_ended(self, peopled: Machine) -> None:
        assert "no agreement yet" in peopled.run("agreements", "list").err
        added = peopled.run(
            "agreements", "add-acts-for", "rptc-x", "--by", "sentra-x", "--reference", "PKS-1", "--json"
        )
        assert added.code == 0, added.err
        times = peopled.run(
            "agreements", "add-times", "rptc-x", "respond_within_urgent=12h", "hold_at_most=14d", "--reference", "PKS-2",
            "--until", "2099-01-01T00:00:00+07:00",
        )  # fmt: skip
        assert times.code == 0, times.err
        assert "2 times of its own" in times.out
        listed = {each["kind"]: each for each in peopled.run("agreements", "list", "--json").json}
        assert listed["acts_for"]["other"] == "sentra-x"
        assert listed["times"]["times"] == {"respond_within_urgent": 43200.0, "hold_at_most": 1209600.0}
        assert "sentra-x records for it" in peopled.run("agreements", "list").out
        ended = peopled.run("agreements", "end", added.json["id"])
        assert ended.code == 0
        again = peopled.run("agreements", "end", added.json["id"])
        assert (again.code, "no such agreement" in again.err) == (2, True)

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("add-times", "rptc-x", "respond_within_urgent=12"), "respond_within_urgent is from"),
            (("add-times", "sentra-x", "respond_within_urgent"), "setting=duration"),
            (("add-times", "sentra-x", "hold_at_most=1d", "hold_at_most=2d"), "each setting once"),
            (("add-times", "sentra-x", "hold_at_most=soon"), "a duration is"),
            (("add-times", "sentra-x", "database_pool_size=1d"), "times are"),
            (("add-times", "nobody", "hold_at_most=1d"), "there is no agency nobody"),
            (("add-acts-for", "rptc-x", "--by", "rptc-x"), "to act for itself"),
            ((*SHARES, "--purpose", "tourism"), "purposes, each once, are of"),
            ((*SHARES, "--purpose", "return", "--section", "needs"), "sections, each once, are of"),
            ((*SHARES, "--purpose", "return", "--to", "nobody"), "there is no agency nobody"),
            ((*SHARES, "--purpose", "return", "--to", "practice-x"), "do not know each other"),
            (("add-acts-for", "rptc-x", "--by", "sentra-x", "--from", "tomorrow"), "RFC 3339"),
            (("end", str(uuid4())), "no such agreement"),
        ],
    )
    def test_that_cannot_be_made_are_told_why(self, peopled: Machine, arguments: tuple[str, ...], says: str) -> None:
        more = () if arguments[0] == "end" else ("--reference", "PKS-3")
        ended = peopled.run("agreements", *arguments, *more)
        assert ended.code == 2
        assert says in ended.err


class TestDataSharing:
    def test_is_added_listed_and_ended(self, peopled: Machine) -> None:
        added = peopled.run(
            "agreements", *SHARES, "--purpose", "return", "--purpose", "shelter", "--reference", "MoU-12", "--both-ways", "--json",
        )  # fmt: skip
        assert added.code == 0, added.err
        assert added.json["state"] == "approved"
        (found,) = [each for each in peopled.run("agreements", "list", "--json").json if each["id"] == added.json["id"]]
        assert (found["purposes"], found["sections"]) == (["return", "shelter"], ["identity", "needs"])
        assert (found["both_ways"], found["basis"], found["reference"]) == (True, "UU 27/2022, Pasal 56", "MoU-12")
        assert "to and from" in peopled.run("agreements", "list").out
        assert peopled.run("agreements", "end", added.json["id"]).code == 0

    def test_waits_for_another_person_where_two_are_needed(self, peopled: Machine) -> None:
        arguments = ("agreements", *SHARES, "--purpose", "legal_assistance", "--reference", "MoU-13")
        asked = peopled.run(*arguments, RUJUKAN_TWO_PEOPLE="on")
        assert asked.code == 0, asked.err
        assert "waits for another person's yes" in asked.out
        references = [each["reference"] for each in peopled.run("agreements", "list", "--json").json]
        assert "MoU-13" not in references


class TestPracticeAgencies:
    def test_are_told_apart_in_the_list(self, peopled: Machine) -> None:
        assert "active, practice" in peopled.run("agencies", "list").out
        listed = {each["code"]: each["sandbox"] for each in peopled.run("agencies", "list", "--json").json}
        assert [code for code, sandbox in listed.items() if sandbox] == ["practice-x"]

    def test_are_neither_the_desk_nor_part_of_a_real_agency(self, peopled: Machine) -> None:
        ended = peopled.run("agencies", "desk", "practice-x")
        assert (ended.code, "a practice agency is not it" in ended.err) == (2, True)
        ended = peopled.run("agencies", "add", "unit-x", "--name", "U", "--kind", "sentra", "--parent", "practice-x")
        assert (ended.code, "none belongs to the other" in ended.err) == (2, True)


class TestTheDesk:
    def test_is_one_agency(self, peopled: Machine) -> None:
        for code in ("rptc-x", "kemsos"):
            assert peopled.run("agencies", "desk", code).out == f"{code} is the desk.\n"
        assert "kemsos is the desk already" in peopled.run("agencies", "desk", "kemsos").err
        listed = {each["code"]: each["desk"] for each in peopled.run("agencies", "list", "--json").json}
        assert [code for code, desk in listed.items() if desk] == ["kemsos"]
        assert "active, desk" in peopled.run("agencies", "list").out

    def test_is_an_active_one(self, peopled: Machine) -> None:
        ended = peopled.run("agencies", "desk", "nobody")
        assert (ended.code, "there is no agency nobody" in ended.err) == (2, True)


class TestDutyContacts:
    def test_are_shown_and_replaced(self, peopled: Machine, tmp_path: Path) -> None:
        assert "no duty contact yet" in peopled.run("agencies", "duty-contacts", "kemsos").err
        file = tmp_path / "contacts.json"
        file.write_text(json.dumps({"items": [{"role": "desk at night", "phone": "0812 3456 7890", "hours": "21-06"}]}))
        ended = peopled.run("agencies", "duty-contacts", "kemsos", "--set", str(file), "--json")
        assert ended.code == 0, ended.err
        (found,) = peopled.run("agencies", "duty-contacts", "kemsos", "--json").json["items"]
        assert (found["role"], found["phone"], found["email"]) == ("desk at night", "+6281234567890", None)
        assert "desk at night" in peopled.run("agencies", "duty-contacts", "kemsos").out

    def test_that_are_wrong_are_told_where(self, peopled: Machine) -> None:
        ended = peopled.run(
            "agencies", "duty-contacts", "kemsos", "--set", "-", stdin='{"items": [{"role": "x", "phone": "1"}]}'
        )
        assert (ended.code, "/items/0/phone" in ended.err) == (2, True)
        assert peopled.run("agencies", "duty-contacts", "nobody").code == 2

"""The moves, made by command: what they do, and what is said when they cannot be made."""

from __future__ import annotations

import pytest

from tests.app.cli.officer.conftest import Office

LATER = "2099-01-01 08:00"


class TestAnswering:
    def test_acknowledging_and_accepting(self, office: Office) -> None:
        sent = office.send()
        first = office.done("shelter", "acknowledge", sent.id)
        assert f"{sent.reference} is received (version 1). You may now: " in first.out
        ended = office.done("shelter", "accept", sent.id, "--ready-from", LATER, "--contact", "Duty social worker")
        assert (
            f"{sent.reference}, from The police to The shelter, standard, is received (version 1): accept." in ended.err
        )
        assert f"{sent.reference} is accepted (version 2). You may now: decline, start" in ended.out
        assert office.read("police", sent)["acceptance"]["contact"] == "Duty social worker"

    def test_declining_with_a_suggestion(self, office: Office) -> None:
        sent = office.send()
        office.done("shelter", "decline", sent.id, "--reason", "no_place_for_men", "--suggest", "iom")
        read = office.read("police", sent)
        assert (read["state"], read["ending"]["suggested_receivers"]) == ("declined", ["iom"])

    def test_recalling(self, office: Office) -> None:
        sent = office.send()
        ended = office.done("police", "recall", sent.id, "--reason", "The family has come.")
        assert "is recalled (version 2). There is nothing for you to do with it now." in ended.out

    def test_for_scripts(self, office: Office) -> None:
        sent = office.send()
        answer = office.done("shelter", "accept", sent.id, "--ready-from", LATER, "--json").json
        assert (answer["state"], answer["version"]) == ("accepted", 2)


class TestWorking:
    def test_from_arrival_to_the_end(self, office: Office) -> None:
        passed = office.in_progress()
        office.done("shelter", "service", passed.id, "--service", "shelter", "--on", "2026-11-24", "--status", "given")
        ended = office.run("shelter", "complete", passed.id)
        assert ended.code == 2
        assert "--outcome shelter_men=…" in ended.err
        assert "met" in ended.err
        office.done("shelter", "complete", passed.id, "--outcome", "shelter_men=met")
        read = office.read("shelter", passed)
        assert (read["state"], len(read["services"])) == ("completed", 1)

    def test_ending_without_the_services(self, office: Office) -> None:
        passed = office.accepted()
        ended = office.done("shelter", "fail", passed.id, "--reason", "did_not_arrive")
        assert "is not completed" in ended.out

    def test_when_and_how_it_really_happened(self, office: Office) -> None:
        passed = office.accepted()
        happened = office.read("shelter", passed)["accepted_at"]
        office.done("shelter", "start", passed.id, "--occurred-at", happened, "--channel", "phone")
        last = office.read("police", passed)["history"][-1]
        assert (last["event"], last["channel"], last["occurred_at"]) == ("start", "phone", happened)


class TestTransfers:
    def test_are_accepted_after_a_look_at_what_comes_with_the_case(self, office: Office) -> None:
        offered = office.send("ministry", kind="transfer")
        refused = office.run("ministry", "accept", offered.id, "--ready-from", LATER, stdin="n\n")
        assert refused.code == 1
        assert "With the case come: " in refused.err
        assert office.read("ministry", offered)["state"] == "offered"
        office.done("ministry", "accept", offered.id, "--ready-from", LATER, stdin="y\n")
        assert office.read("ministry", offered)["state"] == "accepted"

    def test_are_handed_over_with_a_paper(self, office: Office) -> None:
        offered = office.send("ministry", kind="transfer")
        office.done("ministry", "accept", offered.id, "--ready-from", LATER, "--yes")
        without = office.run("ministry", "confirm-handover", offered.id, "--paper", "issued")
        assert (without.code, "--number and --date" in without.err) == (2, True)
        ended = office.done(
            "ministry",
            "confirm-handover",
            offered.id,
            "--paper",
            "issued",
            "--number",
            "7/BAST",
            "--date",
            "2026-11-25",
        )
        assert "is completed" in ended.out

    def test_have_no_moves_of_a_referral(self, office: Office) -> None:
        offered = office.send("ministry", kind="transfer")
        assert office.run("ministry", "start", offered.id).code == 4


class TestMistakes:
    def test_somebody_was_first(self, office: Office) -> None:
        """The officer read version 1, and decides on it after the record was amended."""
        passed = office.accepted()
        ended = office.run("shelter", "start", passed.id, "--if-match", "1")
        assert ended.code == 4
        assert "it has changed since you read it: it is accepted (version 2). Nothing was done" in ended.err
        assert "You may now: decline, start" in ended.err

    def test_the_state_does_not_allow_it(self, office: Office) -> None:
        passed = office.send()
        ended = office.run("shelter", "start", passed.id)
        assert ended.code == 4
        assert "not possible now: it is sent (version 1). Nothing was done" in ended.err
        assert "accept, decline" in ended.err

    def test_it_is_not_theirs_to_do(self, office: Office) -> None:
        passed = office.send()
        ended = office.run("police", "accept", passed.id, "--ready-from", LATER)
        assert (ended.code, "You may now: recall" in ended.err) == (4, True)

    def test_a_stranger_finds_nothing(self, office: Office) -> None:
        passed = office.send()
        for command in (("show",), ("acknowledge",), ("recall", "--reason", "x")):
            name, *options = command
            ended = office.run("stranger", name, passed.id, *options)
            assert (ended.code, "nothing there that your agency may see" in ended.err) == (4, True)

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("accept", "{id}"), "--ready-from"),
            (("accept", "{id}", "--ready-from", "tomorrow"), "a time is written"),
            (("accept", "{id}", "--ready-from", "2026-11-25"), "a time is written"),
            (("decline", "{id}"), "--reason"),
            (("decline", "{id}", "--reason", "full"), "no_place_for_men"),
            (("decline", "{id}", "--reason", "other"), "--text"),
            (
                ("service", "{id}", "--service", "shelter", "--on", "25-11-2026", "--status", "given"),
                "a day is written",
            ),
            (("complete", "{id}", "--outcome", "shelter_men:met"), "NEED=OUTCOME"),
            (("recall", "R-7XQ2-M4PD-8", "--reason", "x"), "misheard or mistyped"),
            (("recall", "the one from last night", "--reason", "x"), "neither a reference nor an id"),
            (("accept",), "REFERENCE"),
        ],
    )
    def test_what_was_typed_wrongly_is_told(self, office: Office, arguments: tuple[str, ...], says: str) -> None:
        sent = office.send()
        ended = office.run("shelter", *(each.format(id=sent.id) for each in arguments))
        assert (ended.code, says in ended.err) == (2, True), ended.err

    def test_an_outcome_is_missing(self, office: Office) -> None:
        passed = office.in_progress()
        ended = office.run("shelter", "complete", passed.id, "--outcome", "medical=met")
        assert ended.code == 4
        assert "missing: shelter_men; not among its needs: medical" in ended.err

    def test_what_the_body_says_wrongly_is_named_without_its_value(self, office: Office) -> None:
        passed = office.send()
        ended = office.run("police", "recall", passed.id, "--reason", "Siti\x00")
        assert (ended.code, "/reason" in ended.err, "Siti" in ended.err) == (4, True, False)

"""The moves, made by command: what they do, and what is said when they cannot be made."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.app.cli.officer.conftest import Office
from tests.makers import records

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
        assert "not possible now: it is sent (version 1), by send at 20" in ended.err
        assert "Nothing was done" in ended.err
        assert "accept, decline" in ended.err

    def test_a_script_gets_the_problem_itself(self, office: Office) -> None:
        passed = office.send()
        ended = office.run("shelter", "start", passed.id, "--json")
        assert (ended.code, ended.json["type"], ended.json["state"]) == (4, "/problems/move-not-allowed", "sent")

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


class TestAskingAndAnswering:
    def test_a_question_is_read_and_answered_in_words(self, office: Office) -> None:
        sent = office.send()
        office.done("shelter", "ask", sent.id, "--question", "Does he take medicines?")
        assert "Does he take medicines?" in office.done("police", "show", sent.id).out
        words = ("--text", "Rifampicin, once a day.", "--section", "health")
        rests = ("--legal-basis", "uu-21-2007", "--article", "art. 51", "--reason", "Care tonight.")
        without = office.run("police", "answer", sent.id, *words)
        assert (without.code, "rests on a basis" in without.err) == (2, True)
        office.done("police", "answer", sent.id, *words, *rests)
        shown = office.done("police", "show", sent.id).out
        assert "provide info → received, The police" in shown
        assert "[Health] Rifampicin, once a day." in shown

    def test_or_by_a_new_version_of_the_record(self, office: Office) -> None:
        sent = office.send()
        office.done("shelter", "ask", sent.id, "--question", "What does he need?")
        new = {"record": records.record(needs=("medical",)), "bases": [records.legal_basis()]}
        office.done("police", "answer", sent.id, "--record", "-", stdin=json.dumps(new))
        assert "Health care" in office.done("shelter", "show", sent.id).out

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ((), "--text or --record"),
            (("--text", "Yes."), "--section"),
            (("--text", "Yes.", "--section", "health", "--legal-basis", "uu-21-2007"), "--article"),
            (("--text", "Yes.", "--section", "health", "--consent", "x", "--reason", "y"), "one basis"),
            (("--text", "Yes.", "--section", "everything"), "identity"),
        ],
    )
    def test_an_answer_that_is_none_is_told(self, office: Office, options: tuple[str, ...], says: str) -> None:
        sent = office.send()
        ended = office.run("police", "answer", sent.id, *options)
        assert (ended.code, says in ended.err) == (2, True), ended.err

    def test_a_note_of_the_receiver_needs_no_basis(self, office: Office) -> None:
        passed = office.in_progress()
        office.done("shelter", "note", passed.id, "--text", "He has settled in.")
        assert "He has settled in." in office.done("shelter", "show", passed.id).out


class TestPausingAndCancelling:
    def test_hold_and_resume(self, office: Office) -> None:
        passed = office.in_progress()
        soon = (datetime.now(UTC) + timedelta(days=5)).isoformat()
        held = office.done("shelter", "hold", passed.id, "--reason", "In hospital.", "--review-at", soon)
        assert "is on hold (version 4). You may now: resume" in held.out
        assert "Review" in office.done("shelter", "show", passed.id).out
        assert "is in progress (version 5)" in office.done("shelter", "resume", passed.id).out

    def test_a_cancellation_is_confirmed(self, office: Office) -> None:
        passed = office.accepted()
        asked = office.done("police", "cancel", passed.id, "--reason", "He goes home.")
        assert "is cancel requested" in asked.out
        assert "is cancelled" in office.done("shelter", "confirm-cancel", passed.id).out

    def test_or_refused(self, office: Office) -> None:
        passed = office.in_progress()
        office.done("police", "cancel", passed.id, "--reason", "He goes home.")
        refused = office.done("shelter", "refuse-cancel", passed.id, "--reason", "He wants to stay.")
        assert "is in progress" in refused.out


class TestErrors:
    def test_before_acceptance_it_is_taken_out_at_once(self, office: Office) -> None:
        sent = office.send()
        assert "is entered in error" in office.done("police", "error", sent.id, "--reason", "Another person.").out

    def test_afterwards_the_receiver_confirms(self, office: Office) -> None:
        passed = office.accepted()
        early = office.run("shelter", "confirm-error", passed.id)
        assert early.code == 4
        assert "is accepted" in office.done("police", "error", passed.id, "--reason", "Another person.").out
        assert "is entered in error" in office.done("shelter", "confirm-error", passed.id).out


class TestHandovers:
    def test_are_aborted(self, office: Office) -> None:
        offered = office.send("ministry", kind="transfer")
        office.done("ministry", "accept", offered.id, "--ready-from", LATER, "--yes")
        assert "is aborted" in office.done("police", "abort", offered.id, "--reason", "The person has left.").out

    def test_get_their_paper_later(self, office: Office) -> None:
        offered = office.send("ministry", kind="transfer")
        office.done("ministry", "accept", offered.id, "--ready-from", LATER, "--yes")
        office.done("ministry", "confirm-handover", offered.id, "--paper", "pending")
        assert re.search(r"Paper \(BAST\) .*\[pending\], due 20", office.done("ministry", "show", offered.id).out)
        office.done("ministry", "paper", offered.id, "--number", "7/BAST", "--date", "2026-11-25")
        assert office.read("ministry", offered)["paper"] == "issued"

    def test_say_what_is_still_to_be_done(self, office: Office) -> None:
        offered = office.send("ministry", kind="transfer", tasks=["Book the ferry."], protective_measures=["No calls."])
        accepted = office.run("ministry", "accept", offered.id, "--ready-from", LATER, stdin="y\n")
        assert "1 tasks, to be read once accepted" in accepted.err
        assert "Book the ferry." in office.done("ministry", "show", offered.id).out


class TestForAnother:
    def test_it_is_recorded_as_theirs_and_they_may_dispute_it(self, office: Office) -> None:
        sent = office.send()
        for command in (("acknowledge",), ("accept", "--ready-from", LATER)):
            ended = office.run("ministry", command[0], sent.id, *command[1:], "--for", "shelter", "--channel", "phone")
            assert ended.code == 0, ended.err
        assert "accept → accepted, The shelter, recorded by The ministry" in office.done("shelter", "show", sent.id).out
        several = office.run("shelter", "dispute", sent.id, "--reason", "We said no.")
        assert several.code == 2
        (accepted,) = re.findall(r"--move (\S+)  accept", several.err)
        office.done("shelter", "dispute", sent.id, "--reason", "We said no.", "--move", accepted)
        assert "DISPUTED" in office.done("police", "show", sent.id).out
        office.done("shelter", "dispute", sent.id, "--reason", "Nor that.")

    def test_nothing_is_disputed_that_was_their_own(self, office: Office) -> None:
        passed = office.accepted()
        ended = office.run("shelter", "dispute", passed.id, "--reason", "x")
        assert (ended.code, "nothing of it was recorded by another" in ended.err) == (2, True)


class TestAfterABreach:
    def test_a_disputed_move_is_confirmed_through_another_system(self, office: Office) -> None:
        second = office.machine.run("clients", "add", "rptc-second", "--agency", "rptc", "--generate")
        assert second.code == 0, second.err
        passed = office.accepted("rptc")
        early = office.run("rptc", "confirm-move", passed.id, RUJUKAN_CLIENT="rptc-second")
        assert (early.code, "no move of yours in it is disputed" in early.err) == (2, True)
        disputed = office.machine.run("breach", "dispute", "--client", "rptc-system", "--since", "1h", "--json")
        assert disputed.code == 0, disputed.err
        assert "DISPUTED" in office.done("police", "show", passed.id).out
        same = office.run("rptc", "confirm-move", passed.id)
        assert (same.code, "nother system" in same.err) == (4, True), same.err
        confirmed = office.run("rptc", "confirm-move", passed.id, RUJUKAN_CLIENT="rptc-second")
        assert confirmed.code == 0, confirmed.err
        assert "accepted, The rptc, confirmed" in office.done("police", "show", passed.id).out
        stranger = office.run("stranger", "confirm-move", passed.id)
        assert stranger.code == 4

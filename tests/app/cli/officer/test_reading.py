"""`show`: what an agency may read, in words, with nothing hidden and nothing that steers a terminal."""

from __future__ import annotations

import json
import time

from app.cli.officer.words import TASKS
from schemas.exchange.inbox import Waiting
from tests.app.cli.officer.conftest import IMMEDIATE, Office
from tests.makers import records

FULL = {
    "record": records.full_record(),
    "purpose": "social_rehabilitation",
    "bases": [records.legal_basis(*records.FULL_SECTIONS)],
}


class TestInbox:
    """Each test has an agency of its own to look at: what others send to the shelter would be in its list."""

    def test_lists_what_waits_with_what_can_be_done(self, office: Office) -> None:
        sent = office.send("rptc", urgency="urgent")
        shown = office.done("rptc", "inbox").out
        assert "1 to answer" in shown.splitlines()[0]
        (row,) = [line for line in shown.splitlines() if sent.reference in line]
        for part in ("to answer", "Urgent", "The police", "in 23 h", "acknowledge, ask, accept, decline, note"):
            assert part in row, part
        office.done("rptc", "accept", sent.reference, "--ready-from", "2099-01-01 08:00")
        assert "accepted, to start" in office.done("rptc", "inbox", "--kind", "start").out
        assert sent.reference not in office.done("rptc", "inbox", "--kind", "answer").out

    def test_marks_what_is_overdue(self, office: Office) -> None:
        sent = office.send("sentra", urgency="immediate")
        time.sleep(IMMEDIATE)
        shown = office.done("sentra", "inbox", "--overdue").out
        assert " overdue)" in shown.splitlines()[0]
        rows = [line for line in shown.splitlines() if sent.reference in line]  # perhaps its escalation beside it
        assert any("OVERDUE by 0 min" in row for row in rows)

    def test_is_empty_for_a_stranger(self, office: Office) -> None:
        office.send("shelter")
        assert office.done("stranger", "inbox").out == "Waiting: nothing.\n"
        assert office.done("stranger", "inbox", "--json").json["items"] == []

    def test_says_when_there_is_more(self, office: Office) -> None:
        for _ in range(2):
            office.send("sentra")
        assert "There is more" in office.done("sentra", "inbox", "--limit", "1").out

    def test_of_an_unknown_kind_lists_the_kinds(self, office: Office) -> None:
        ended = office.run("shelter", "inbox", "--kind", "everything")
        assert (ended.code, "give_information" in ended.err) == (2, True)

    def test_has_words_for_every_kind(self) -> None:
        assert set(TASKS) == set(Waiting)


class TestReferences:
    def test_are_read_as_they_were_heard(self, office: Office) -> None:
        sent = office.send()
        careless = sent.reference.lower().replace("-", " ").replace("0", "o").replace("1", "l")
        assert sent.reference in office.done("shelter", "show", careless).out

    def test_name_cases_too(self, office: Office) -> None:
        sent = office.send()
        reference = office.done("police", "show", sent.case_id, "--json").json["case"]["reference"]
        assert f"{reference}  case, open" in office.done("police", "show", reference).out

    def test_misheard_are_refused_before_anything_is_asked(self, office: Office) -> None:
        sent = office.send()
        wrong = sent.reference[:-1] + ("3" if sent.reference[-1] != "3" else "4")
        ended = office.run("shelter", "show", wrong)
        assert (ended.code, "misheard or mistyped" in ended.err) == (2, True)

    def test_of_others_name_nothing(self, office: Office) -> None:
        sent = office.send()
        ended = office.run("stranger", "show", sent.reference)
        assert (ended.code, "nothing there that your agency may see" in ended.err) == (4, True)

    def test_of_another_kind_are_told_apart(self, office: Office) -> None:
        offered = office.send("ministry", kind="transfer")
        ended = office.run("ministry", "start", offered.reference)
        assert ended.code == 2
        assert f"{offered.reference} is a transfer" in ended.err
        assert "This is for a referral." in ended.err


class TestShow:
    def test_has_the_preview_before_acceptance_and_says_what_is_withheld(self, office: Office) -> None:
        sent = office.send(**FULL)
        shown = office.done("shelter", "show", sent.id).out
        assert f"{sent.reference}  referral, sent, version 1" in shown
        assert "Need: Shelter for men" in shown
        assert "Identity, Contact, Location" in shown[shown.index("Withheld") :]
        assert records.NAME not in shown
        assert "Anti-trafficking act [uu-21-2007], art. 51" in shown

    def test_has_the_record_by_section_from_acceptance_on(self, office: Office) -> None:
        passed = office.accepted(**FULL)
        shown = office.done("shelter", "show", passed.id).out
        assert f"- Full: {records.NAME}" in shown
        assert f"Street: {records.SECRET_PLACE}" in shown
        assert "Kind: Where the person is now" in shown
        assert "Withheld" not in shown
        assert "You may now: decline, start, fail" in shown

    def test_labels_codes_in_the_readers_language(self, office: Office) -> None:
        sent = office.send()
        assert "Penampungan laki-laki" in office.done("shelter", "show", sent.id, "--lang", "id").out
        assert "Penampungan laki-laki" in office.run("shelter", "show", sent.id, RUJUKAN_LANG="id").out
        assert "Shelter for men" in office.done("shelter", "show", sent.id, "--lang", "en").out

    def test_shows_times_by_the_clock_on_the_wall(self, office: Office) -> None:
        passed = office.accepted()
        assert "Ready to receive from: 2099-01-01 " in office.done("shelter", "show", passed.id).out

    def test_tells_what_happened(self, office: Office) -> None:
        passed = office.in_progress()
        office.done("shelter", "service", passed.id, "--service", "shelter", "--on", "2026-11-24", "--status", "given")
        office.done("shelter", "complete", passed.id, "--outcome", "shelter_men=met")
        shown = office.done("shelter", "show", passed.id).out
        for part in ("accept → accepted, The shelter", "Service: Temporary shelter", "On: 2026-11-24", "Outcome: Met"):
            assert part in shown, part

    def test_of_a_transfer_has_the_manifest(self, office: Office) -> None:
        offered = office.send("ministry", kind="transfer")
        shown = office.done("ministry", "show", offered.id).out
        assert "What comes with the case  digest " in shown
        assert "salt" not in shown.lower()

    def test_of_a_case_has_what_is_of_it_as_far_as_the_reader_may_know(self, office: Office) -> None:
        sent = office.send()
        more = office.send("iom", case=None, case_id=sent.case_id)
        for_lead = office.done("police", "show", sent.case_id).out
        assert sent.reference in for_lead
        assert more.reference in for_lead
        for_receiver = office.done("iom", "show", sent.case_id).out
        assert more.reference in for_receiver
        assert sent.reference not in for_receiver
        assert office.done("police", "show", sent.case_id, "--json").json["case"]["id"] == sent.case_id

    def test_escapes_what_would_turn_text_around(self, office: Office) -> None:
        told = records.record(safety={"must_know": "Gate \u200fB\u2028 only.\nRing twice."})
        passed = office.accepted(record=told)
        shown = office.done("shelter", "show", passed.id).out
        assert "Gate \\u200fB\\u2028 only." in shown
        assert "\n    Ring twice." in shown

    def test_for_scripts_is_the_answer_itself(self, office: Office) -> None:
        sent = office.send()
        assert office.done("shelter", "show", sent.id, "--json").json["id"] == sent.id

    def test_is_logged_as_a_reading_by_the_officer(self, office: Office) -> None:
        sent = office.send()
        office.done("shelter", "show", sent.id)
        assert office.read("police", sent)["first_read_at"] is not None


def test_a_move_opens_no_record_where_the_list_suffices(office: Office) -> None:
    """Named by its reference, how it stands is read from the list of its case: nothing is disclosed, nothing logged as read."""
    sent = office.send()
    office.done("shelter", "acknowledge", sent.reference)
    assert office.read("police", sent)["first_read_at"] is None


def test_consents_of_a_case_are_shown(office: Office) -> None:
    sent = office.send("iom")
    given = {
        "giver": "person",
        "method": "written",
        "notice": records.NOTICE,
        "language": "id",
        "given_at": "2026-11-24T08:00:00Z",
        "sections": ["identity"],
        "agencies": ["shelter"],
        "purposes": ["shelter"],
    }
    path = f"/v1/cases/{sent.case_id}/consents"
    office.done("police", "api", "POST", path, "--as", "police-system", "-d", json.dumps(given))
    shown = office.done("police", "show", sent.case_id).out
    assert "Method: " in shown[shown.index("Consents") :]

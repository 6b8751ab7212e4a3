"""Persons' requests, incidents, legal holds and what is kept, at the keyboard."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.app.cli.officer.conftest import Office, Passed


def case_reference(office: Office, passed: Passed) -> str:
    found = office.done("police", "api", "GET", f"/v1/cases/{passed.case_id}", "--as", "police-system").json
    return str(found["reference"])


class TestAPersonsRequest:
    def test_is_written_down_answered_and_its_copy_made(self, office: Office, tmp_path: Path) -> None:
        sent = office.accepted("shelter")
        asking = (
            "--kind",
            "copy",
            "--by",
            "person",
            "--identity",
            "known_to_staff",
            "--at",
            "00:00",
            "--text",
            "All of it.",
        )
        made = office.done("shelter", "subject-request", sent.reference, *asking, "--json").json
        assert made["id"] in office.done("police", "subject-requests").out
        assert made["id"] in office.done("shelter", "subject-requests", "--written").out
        assert "All of it." in office.done("police", "subject-requests", made["id"]).out
        copy = tmp_path / "copy.ndjson"
        export = ("export-person", case_reference(office, sent), "--request", made["id"], "--output", str(copy))
        assert office.run("police", *export).code == 4, "nothing is granted yet"
        no_ground = office.run("police", "answer-subject-request", made["id"], "--answer", "refused")
        assert (no_ground.code, "has a ground and words" in no_ground.err) == (2, True)
        office.done("police", "answer-subject-request", made["id"], "--answer", "granted")
        office.done("police", *export)
        lines = [json.loads(line) for line in copy.read_text().splitlines()]
        assert (lines[0]["type"], lines[-1]["type"]) == ("export", "end")
        assert copy.stat().st_mode & 0o077 == 0
        assert office.run("police", *export).code == 2, "it overwrites nothing"
        assert office.run("stranger", *export[:-1], str(tmp_path / "other")).code == 4

    def test_for_a_restriction_is_granted_and_lifted_again(self, office: Office) -> None:
        sent = office.accepted("shelter")
        asking = ("--by", "person", "--identity", "known_to_staff", "--at", "00:00")
        what = ("--kind", "restrict", "--section", "needs")
        made = office.done("shelter", "subject-request", sent.reference, *what, *asking, "--json").json
        office.done("police", "answer-subject-request", made["id"], "--answer", "granted")
        lift = ("lift-restriction", made["id"], "--ground", "person_asked", "--text", "She wants it used.")
        for wrong in ((), ("--told", "00:00"), (*asking, "--court", "PN Ambon")):
            said = office.run("police", *lift, *wrong)
            assert (said.code, "does not fit the ground" in said.err) == (2, True), wrong
        assert office.run("stranger", *lift, *asking).code == 4
        office.done("police", *lift, *asking)
        shown = office.done("shelter", "subject-requests", made["id"]).out
        assert "She wants it used." in shown
        assert office.run("police", *lift, *asking).code == 4, "once"


class TestAnIncident:
    def test_is_reported_added_to_and_closed(self, office: Office) -> None:
        sent = office.accepted("shelter")
        what = (
            "--kind",
            "wrong_receiver",
            "--how",
            "Another name was chosen.",
            "--data",
            "general",
            "--noticed",
            "00:00",
        )
        made = office.done("shelter", "report-incident", *what, "--case", sent.reference, "--json").json
        assert made["reference"] in office.done("police", "incidents").out
        assert made["reference"] not in office.done("stranger", "incidents").out
        office.done("police", "add-to-incident", made["id"], "--text", "We called them.")
        assert "We called them." in office.done("shelter", "incidents", made["id"]).out
        half = office.run("shelter", "close-incident", made["id"], "--action", "Recalled.", "--paper", "7")
        assert (half.code, "--no-notice" in half.err) == (2, True)
        none = ("--action", "Recalled.", "--no-notice", "not_opened", "--text", "Nobody read it.")
        office.done("shelter", "close-incident", made["id"], *none)
        assert made["reference"] not in office.done("shelter", "incidents").out
        assert made["reference"] in office.done("shelter", "incidents", "--all").out


class TestAHold:
    def test_is_placed_reviewed_and_lifted(self, office: Office) -> None:
        sent = office.accepted("shelter")
        reference = case_reference(office, sent)
        order = ("--authority", "court", "--name", "PN Batam", "--number", "17/2026", "--dated", "2026-01-02")
        place = ("place-hold", reference, *order, "--section", "identity", "--review")
        review = (datetime.now(UTC) + timedelta(days=90)).date().isoformat()
        assert office.run("police", *place, review).code == 4
        made = office.done("ministry", *place, review, "--json").json
        assert made["id"] in office.done("police", "holds").out
        assert "17/2026" not in office.done("police", "holds", made["id"]).out
        assert "17/2026" in office.done("ministry", "holds", made["id"]).out
        kept = office.done("police", "kept", reference)
        assert "not closed" in kept.out
        assert "record general" in kept.out
        office.done("ministry", "review-hold", made["id"], "--again", review, "--text", "The appeal.")
        office.done("ministry", "lift-hold", made["id"], "--reason", "Acquitted.")
        assert made["id"] not in office.done("ministry", "holds", "--officer").out

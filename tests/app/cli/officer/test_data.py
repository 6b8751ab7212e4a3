"""`withdraw`, `requests`, `answer-request`, `escalations`, `take`."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.app.cli.officer.conftest import IMMEDIATE, Office, Passed
from tests.makers import records

CONSENT = {
    "giver": "person",
    "method": "written",
    "notice": records.NOTICE,
    "language": "id",
    "given_at": "2026-11-24T08:00:00Z",
    "sections": ["identity", "safety", "needs"],
    "agency_kinds": ["trauma_centre", "international_organisation"],
    "purposes": ["shelter"],
}
ACT = {name: CONSENT[name] for name in ("giver", "method", "language", "notice")} | {"given_at": "2026-11-24T09:00:00Z"}
ON_CONSENT = {"consent": CONSENT, "bases": [{"kind": "consent", "sections": ["identity", "safety", "needs"]}]}


@pytest.fixture
def read_by_iom(office: Office) -> Passed:
    """A referral that rests on a consent, accepted and read."""
    passed = office.accepted("iom", **ON_CONSENT)
    office.done("iom", "show", passed.reference)
    return passed


class TestWithdraw:
    def test_locks_what_rests_on_it(self, office: Office, read_by_iom: Passed) -> None:
        done = office.done("police", "withdraw", read_by_iom.reference, "--by", "person", "--at", "00:00")
        assert "withdrawn" in done.out
        shown = office.done("iom", "show", read_by_iom.reference).out
        assert "locked: Identity" in shown
        assert "Consent withdrawn" in shown
        assert "accepted" in shown.splitlines()[0]

    def test_can_be_of_some_sections(self, office: Office, read_by_iom: Passed) -> None:
        options = ("--by", "person", "--at", "00:00", "--section", "identity")
        office.done("iom", "withdraw", read_by_iom.reference, *options)
        read = office.read("iom", read_by_iom)
        assert "identity" in read["withheld"]
        assert "needs" in read["record"]

    def test_of_nothing_is_told(self, office: Office) -> None:
        sent = office.send("iom")
        ended = office.run("police", "withdraw", sent.reference, "--by", "person", "--at", "00:00")
        assert (ended.code, "nothing of it rests on a consent" in ended.err) == (2, True)


class TestConsent:
    def test_is_given_listed_widened_narrowed_and_withdrawn(self, office: Office, read_by_iom: Passed) -> None:
        case, reference = read_by_iom.case_id, read_by_iom.reference
        spoken = {**CONSENT, "method": "spoken"}
        given = office.done("police", "consent", "give", reference, "-", "--json", stdin=json.dumps(spoken)).json
        assert given["state"] == "given"
        listed = office.done("police", "consent", "list", reference).out
        assert next(line for line in listed.splitlines() if given["id"] in line).endswith("nothing can rest on it")
        wider = office.done("police", "consent", "widen", case, given["id"], "-", stdin=json.dumps(CONSENT)).out
        assert "Nothing opened by it" in wider
        (first,) = {each["consent_id"] for each in office.read("iom", read_by_iom)["disclosures"]}
        less = ("--by", "person", "--at", "00:00", "--not-to", "iom")
        assert "is locked" in office.done("police", "consent", "narrow", reference, first, *less).out
        assert set(office.read("iom", read_by_iom)["withheld"]) == {"identity", "safety", "needs"}
        again = office.run("police", "consent", "narrow", reference, first, *less)
        assert again.code == 4
        office.done("police", "consent", "withdraw", case, "--consent", given["id"], "--by", "person", "--at", "00:00")
        ended = office.run("police", "consent", "reconfirm", case, first, "-", stdin=json.dumps(ACT))
        assert (ended.code, "not in doubt" in ended.err) == (4, True)
        assert office.run("stranger", "consent", "list", case).code != 0


class TestRequests:
    def asked(self, office: Office, passed: Passed) -> str:
        """The id of the request that a withdrawal made."""
        office.done("police", "withdraw", passed.reference, "--by", "person", "--at", "00:00")
        listed = office.done("iom", "requests", "--json").json["items"]
        return str(next(each["id"] for each in listed if each["case_id"] == passed.case_id))

    def test_are_listed_read_and_answered(self, office: Office, read_by_iom: Passed) -> None:
        id = self.asked(office, read_by_iom)
        assert "erase" in next(line for line in office.done("iom", "requests").out.splitlines() if id in line)
        assert "Cause: consent_withdrawn" in office.done("iom", "requests", id).out
        assert "answered" in office.done("iom", "answer-request", id, "--answer", "erased").out
        assert id not in office.done("iom", "requests").out
        assert "erased" in office.done("iom", "requests", "--all").out
        again = office.run("iom", "answer-request", id, "--answer", "restricted")
        assert again.code == 4

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (("--answer", "kept"), "--text"),
            (("--answer", "kept", "--text", "The court asks."), "--legal-basis"),
            (("--answer", "re_based"), "--basis"),
            (("--answer", "gone"), "erased"),
        ],
    )
    def test_that_are_answered_incompletely_are_told(self, office: Office, options: tuple[str, ...], says: str) -> None:
        ended = office.run("iom", "answer-request", "019aba6d-ef2f-7dd4-9a82-4d2f3ea8f7d6", *options)
        assert (ended.code, says in ended.err) == (2, True), ended.err

    def test_of_others_are_not_there(self, office: Office, read_by_iom: Passed) -> None:
        id = self.asked(office, read_by_iom)
        assert office.run("stranger", "requests", id).code == 4
        assert id not in office.done("stranger", "requests", "--all").out

    def test_that_are_no_ids_are_told(self, office: Office) -> None:
        assert office.run("iom", "requests", "../agencies").code == 2


class TestEscalations:
    def test_are_listed_and_taken(self, office: Office) -> None:
        sent = office.send("sentra", urgency="immediate")
        for _ in range(50):
            time.sleep(IMMEDIATE / 4)
            listed = office.done("sentra", "escalations").out
            if sent.reference in listed:
                break
        row = next(line for line in listed.splitlines() if sent.reference in line)
        assert "OVERDUE" in row
        shown = office.done("sentra", "escalations", row.split()[0]).out
        assert re.search(r"The sentra, as receiver", shown)
        assert "it is yours to see to" in office.done("sentra", "take", sent.reference).out
        assert sent.reference not in office.done("sentra", "escalations").out
        assert "taken" in office.done("sentra", "escalations", "--all").out

    def test_of_others_cannot_be_taken(self, office: Office) -> None:
        sent = office.send("sentra")
        ended = office.run("stranger", "take", sent.reference)
        assert (ended.code, "nothing about" in ended.err) == (2, True)

"""`reviews`, `rebase`, `break-glass`."""

from __future__ import annotations

import json
import re

from tests.app.cli.officer.conftest import Office
from tests.makers import records

VITAL = {"kind": "vital_interest", "sections": ["identity", "safety", "needs"], "reason": "He was bleeding."}
ID = r"[0-9a-f-]{36}"


class TestReviews:
    def test_are_listed_read_and_judged_by_the_reviewing_agency(self, office: Office) -> None:
        sent = office.accepted("iom", bases=[VITAL])
        listed = office.done("ministry", "reviews", "list", "--json").json["items"]
        review = next(each for each in listed if each["subject_id"] == sent.id)
        table = office.done("ministry", "reviews", "list").out
        assert review["id"] in table
        assert VITAL["reason"] not in table
        shown = office.done("ministry", "reviews", "show", review["id"]).out
        assert VITAL["reason"] in shown
        assert "You may now: justify, unjustified." in shown
        assert office.run("stranger", "reviews", "show", review["id"]).code == 4
        assert "There is nothing for you to do" in office.done("police", "reviews", "show", review["id"]).out
        done = office.done("ministry", "reviews", "unjustified", review["id"], "--text", "He was awake.")
        assert "locked" in done.out
        again = office.run("ministry", "reviews", "justify", review["id"], "--text", "No.")
        assert again.code == 4
        assert "locked: Identity" in office.done("iom", "show", sent.reference).out

    def test_end_where_the_sender_gives_another_basis(self, office: Office) -> None:
        sent = office.accepted("iom", bases=[VITAL])
        done = office.done("police", "rebase", sent.reference, "--basis", "-", stdin=json.dumps(records.legal_basis()))
        assert "another basis" in done.out
        bases = [(each["basis"], each["access"]) for each in office.read("iom", sent)["disclosures"]]
        assert bases == [("vital_interest", "closed"), ("legal_obligation", "full")]
        ended = office.run("iom", "rebase", sent.reference, "--basis", "-", stdin=json.dumps(records.legal_basis()))
        assert ended.code == 4


class TestBreakGlass:
    def test_opens_reads_and_ends(self, office: Office) -> None:
        sent = office.accepted("shelter")
        options = ("--section", "identity", "--reason", "medical_emergency", "--text", "He does not wake up.")
        opened = office.done("stranger", "break-glass", "open", sent.reference, *options, "--hours", "2")
        assert records.NAME in opened.out
        found = re.search(ID, opened.out)
        assert found is not None
        assert records.NAME in office.done("stranger", "break-glass", "read", found[0]).out
        for who in ("police", "ministry"):
            listed = office.done(who, "break-glass", "list", "--case", sent.case_id)
            assert found[0] in listed.out, who
        assert "no emergency access" in office.done("iom", "break-glass", "list").err
        assert "ended" in office.done("police", "break-glass", "end", found[0]).out
        assert records.NAME not in office.done("stranger", "break-glass", "read", found[0]).out

    def test_is_refused_with_a_reason(self, office: Office) -> None:
        options = ("--section", "identity", "--reason", "danger_to_life", "--text", "They follow him.")
        ended = office.run("police", "break-glass", "open", "K-0000-0000-0", *options)
        assert (ended.code, "not open to your agency" in ended.err) == (4, True)
        ended = office.run("stranger", "break-glass", "open", "K-0000-0000-1", *options)
        assert (ended.code, "misheard or mistyped" in ended.err) == (2, True)

"""`policy explain`: what could go, and what is disclosed, by which rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.app.cli.officer.conftest import Office
from tests.makers import records


def row(shown: str, section: str) -> str:
    return next(line for line in shown.splitlines() if line.startswith(f"{section} "))


class TestExplain:
    def test_says_what_of_a_case_could_go_to_whom(self, office: Office) -> None:
        sent = office.send("shelter")
        shown = office.done(
            "police",
            "policy",
            "explain",
            "--case",
            sent.case_id,
            "--to",
            "iom",
            "--purpose",
            "shelter",
            "--on",
            "legal_obligation",
        ).out
        assert "yes" in row(shown, "health")
        assert "the purpose does not need it" in row(shown, "narrative")
        assert "These may go: identity, contact, location" in shown
        assert "Back to the sender: state, arrival and end" in shown
        found = office.done(
            "iom", "policy", "explain", "--to-kind", "police", "--on", "public_task", "--section", "health", "--json"
        ).json
        assert (found["receiver"], found["refused"]) == (None, [{"section": "health", "reason": "agency_kind"}])

    def test_rests_a_case_on_its_consents_unless_told_otherwise(self, office: Office) -> None:
        now = datetime.now(UTC) - timedelta(minutes=1)
        sent = office.send(
            "shelter",
            consent=records.consent(now),
            bases=[{"kind": "consent", "sections": ["identity", "safety", "needs"]}],
        )
        shown = office.done(
            "police", "policy", "explain", "--case", sent.case_id, "--to", "iom", "--purpose", "shelter"
        ).out
        assert "yes" in row(shown, "needs")
        assert "no basis is given for it" in row(shown, "health")
        narrow = office.done(
            "police", "policy", "explain", "--case", sent.case_id, "--to", "ministry", "--purpose", "shelter"
        ).out
        assert "the consent does not cover it" in row(narrow, "needs")

    def test_says_what_a_referral_and_a_transfer_disclose(self, office: Office) -> None:
        sent = office.accepted()
        shown = office.done("shelter", "policy", "explain", "--referral", sent.reference).out
        assert "You are its receiver." in shown
        assert "open" in row(shown, "identity")
        assert "no basis is given for it" in row(shown, "health")
        offered = office.send("ministry", kind="transfer")
        assert "opens when the receiver accepts" in row(
            office.done("ministry", "policy", "explain", "--transfer", offered.id).out, "needs"
        )

    def test_tells_a_stranger_nothing(self, office: Office) -> None:
        sent = office.send("shelter")
        for what in (("--referral", sent.id), ("--case", sent.case_id, "--to", "iom", "--on", "public_task")):
            assert office.run("stranger", "policy", "explain", *what).code == 4

    def test_of_nothing_or_two_things_says_what_to_give(self, office: Office) -> None:
        for given in ((), ("--case", "K"), ("--referral", "R", "--to", "iom"), ("--to", "iom", "--on", "consent")):
            ended = office.run("police", "policy", "explain", *given)
            assert (ended.code, "Give" in ended.err or "no id" in ended.err) == (2, True), ended.err

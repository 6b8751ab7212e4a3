"""A case by command: followed up, closed, opened again, linked, by its lead."""

from __future__ import annotations

import json

from tests.app.cli.officer.conftest import Office, Passed
from tests.makers import records


def finished(office: Office) -> tuple[Passed, str]:
    """A case whose only referral was recalled, and its reference."""
    sent = office.send()
    office.done("police", "recall", sent.reference, "--reason", "The family has come.")
    return sent, office.done("police", "show", sent.case_id, "--json").json["case"]["reference"]


class TestLifeOfACase:
    def test_is_followed_up_closed_and_opened_again(self, office: Office) -> None:
        _, case = finished(office)
        plan = ("--plan", "A visit a month by the village social worker.", "--until", "2027-06-30")
        followed = office.done("police", "follow-up", case, *plan)
        assert f"{case}, led by The police, is open (version 1): follow up." in followed.err
        assert f"{case} is follow up (version 2). You may now: close" in followed.out
        assert "Plan: A visit a month" in office.done("police", "show", case).out
        office.done("police", "close", case, "--reason", "reintegrated")
        shown = office.done("police", "show", case).out
        assert "Reason: Reintegrated" in shown
        assert "close → closed, The police" in shown
        basis = json.dumps(records.legal_basis())
        again = office.done("police", "reopen", case, "--reason", "He is back.", "--basis", "-", stdin=basis)
        assert "is open (version 4)" in again.out

    def test_is_not_closed_while_a_transfer_of_it_is_open(self, office: Office) -> None:
        offered = office.send("ministry", kind="transfer")
        ended = office.run("police", "close", offered.case_id, "--reason", "reintegrated")
        assert ended.code == 4
        assert offered.id in ended.err

    def test_is_its_leads_alone(self, office: Office) -> None:
        sent = office.send()
        ended = office.run("shelter", "close", sent.case_id, "--reason", "reintegrated")
        assert ended.code == 4

    def test_has_no_moves_of_a_referral(self, office: Office) -> None:
        _, case = finished(office)
        ended = office.run("police", "start", case)
        assert (ended.code, f"{case} is a case" in ended.err) == (2, True)


class TestLinks:
    def proposed(self, office: Office) -> tuple[str, str]:
        """Two linked cases of different leads: the reference of the first, and the link's id."""
        _, ours = finished(office)
        theirs = office.send("shelter", sender="iom")
        other = office.done("iom", "show", theirs.case_id, "--json").json["case"]["reference"]
        answer = office.done("police", "link", ours, "--to", other.lower(), "--kind", "family", "--json").json
        return ours, answer["id"]

    def test_are_proposed_listed_and_confirmed(self, office: Office) -> None:
        ours, id = self.proposed(office)
        row = next(line for line in office.done("iom", "links").out.splitlines() if id in line)
        assert "confirm-link, refuse-link" in row
        assert ours not in row, "the other learns who leads it, no more"
        assert "It is confirmed." in office.done("iom", "confirm-link", id).out
        assert "confirmed, led by The iom" in office.done("police", "show", ours).out

    def test_are_refused_or_ended_with_a_reason_of_ones_own(self, office: Office) -> None:
        _, id = self.proposed(office)
        assert "It is refused." in office.done("iom", "refuse-link", id, "--reason", "Another family.").out
        ended = office.run("police", "end-link", id, "--reason", "A mistake.")
        assert (ended.code, "not possible now: it is refused" in ended.err) == (4, True)

    def test_of_others_are_not_there(self, office: Office) -> None:
        _, id = self.proposed(office)
        assert office.run("stranger", "confirm-link", id).code == 4
        assert id not in office.done("stranger", "links", "--all").out

    def test_to_nothing_are_refused(self, office: Office) -> None:
        ours, _ = self.proposed(office)
        ended = office.run("police", "link", ours, "--to", "K-0000-0000-1", "--kind", "family")
        assert ended.code == 4


class TestLeadingACaseWhoseLeadIsGone:
    def asked(self, office: Office, to: str) -> tuple[str, str]:
        """A case for which the desk has found a new lead, and the id of the reassignment."""
        sent = office.send()
        case = office.done("police", "show", sent.case_id, "--json").json["case"]["reference"]
        paper = {"number": "7/SK", "date": "2026-11-20"}
        body = {"case": case, "to": to, "reason": "Dissolved in October.", "paper": paper}
        desk = ("--as", "ministry-system", "--actor")
        made = office.done("ministry", "api", "POST", "/v1/reassignments", "-d", json.dumps(body), *desk, "desk-1").json
        path = f"/v1/reassignments/{made['id']}/approve"
        office.done("ministry", "api", "POST", path, "--if-match", "1", *desk, "protection-2")
        return case, made["id"]

    def test_is_agreed_to(self, office: Office) -> None:
        case, id = self.asked(office, "sentra")
        done = office.done("sentra", "agree-to-lead", id)
        assert f"{case}, approved (version 2): agree." in done.err
        assert "Lead          The sentra" in office.done("sentra", "show", case).out

    def test_is_declined(self, office: Office) -> None:
        case, id = self.asked(office, "rptc")
        assert "It is declined." in office.done("rptc", "decline-to-lead", id, "--reason", "No staff.").out
        assert "Lead          The police" in office.done("police", "show", case).out

    def test_is_for_who_was_asked(self, office: Office) -> None:
        _, id = self.asked(office, "sentra")
        assert office.run("stranger", "agree-to-lead", id).code == 4

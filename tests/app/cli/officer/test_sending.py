"""`refer`, `transfer`, `amend`, `reroute`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.app.cli.officer.conftest import Office
from tests.makers import records


class TestRefer:
    def test_sends_a_file(self, office: Office, tmp_path: Path) -> None:
        (tmp_path / "referral.json").write_text(json.dumps(records.referral("shelter")))
        ended = office.done("police", "refer", str(tmp_path / "referral.json"))
        assert " is sent (version 1). You may now: recall" in ended.out

    def test_says_what_to_look_at_again(self, office: Office) -> None:
        record = records.record(identity={"sex": "male", "nationalities": ["TP"]})
        ended = office.done("police", "refer", "-", stdin=json.dumps(records.referral("shelter", record=record)))
        assert "It was taken as it is. Please look again at:" in ended.out
        assert "Country that no longer exists: /record/identity/nationalities/0" in ended.out
        assert "choose the country of today" in " ".join(ended.out.split())

    def test_happens_once_with_one_key(self, office: Office) -> None:
        text = json.dumps(records.referral("shelter"))
        first, again = (
            office.done("police", "refer", "-", "--key", "night-call-1", "--json", stdin=text) for _ in range(2)
        )
        assert first.json["id"] == again.json["id"]

    def test_of_what_may_not_go_names_what_may(self, office: Office) -> None:
        body = records.referral("shelter", record=records.full_record())
        ended = office.run("police", "refer", "-", stdin=json.dumps(body))
        assert ended.code == 4
        assert "some sections may not go to this receiver: contact (no basis)" in ended.err
        assert "May go as they are: identity, safety, needs." in ended.err

    def test_says_which_field_is_wrong_and_not_its_value(self, office: Office) -> None:
        body = records.referral("shelter", urgency="Siti")
        ended = office.run("police", "refer", "-", stdin=json.dumps(body))
        assert (ended.code, "/urgency" in ended.err, "Siti" in ended.err) == (4, True, False)

    def test_of_no_object_is_refused(self, office: Office) -> None:
        for text in ("[]", "{", ""):
            assert office.run("police", "refer", "-", stdin=text).code == 2

    def test_twice_the_same_names_the_first(self, office: Office) -> None:
        sent = office.send()
        body = records.referral("shelter", case=None, case_id=sent.case_id)
        ended = office.run("police", "refer", "-", stdin=json.dumps(body))
        assert (ended.code, sent.id in ended.err) == (4, True)


class TestAmend:
    def test_sends_a_new_version(self, office: Office) -> None:
        sent = office.send()
        new = {"record": records.record(needs=("medical",)), "bases": [records.legal_basis()]}
        ended = office.done("police", "amend", sent.id, "-", stdin=json.dumps(new))
        assert "is sent (version 2)" in ended.out
        assert "Health care" in office.done("shelter", "show", sent.id).out


class TestReroute:
    def test_lists_whom_the_receiver_suggested_with_what_they_accept(self, office: Office) -> None:
        sent = office.send()
        office.done("shelter", "decline", sent.id, "--reason", "no_place", "--suggest", "iom", "--suggest", "ministry")
        ended = office.done("police", "reroute", sent.id)
        assert "The iom" in ended.out
        assert "Ministry of Social Affairs [ministry_social]" in ended.out
        assert [agency["code"] for agency in office.done("police", "reroute", sent.id, "--json").json] == [
            "iom",
            "ministry",
        ]

    def test_sends_the_same_once_more(self, office: Office) -> None:
        sent = office.send()
        office.done("shelter", "decline", sent.id, "--reason", "no_place")
        answer = office.done("police", "reroute", sent.id, "--to", "iom", "--reason", "Still needed.", "--json").json
        assert (answer["state"], answer["case_id"]) == ("sent", sent.case_id)
        path = f"/v1/referrals/{answer['id']}"
        read = office.done("police", "api", "GET", path, "--as", "police-system").json
        before = office.read("police", sent)
        assert read["replaces"] == sent.id
        for name in ("purpose", "urgency", "record_version"):
            assert read[name] == before[name]
        assert [each["sections"] for each in read["disclosures"]] == [
            each["sections"] for each in before["disclosures"]
        ]

    def test_needs_the_reason_anew(self, office: Office) -> None:
        sent = office.send()
        office.done("police", "recall", sent.id, "--reason", "The wrong shelter.")
        ended = office.run("police", "reroute", sent.id, "--to", "iom")
        assert (ended.code, "--reason" in ended.err) == (2, True)

    def test_rests_on_the_consent_it_rested_on(self, office: Office) -> None:
        consent = {
            "giver": "person",
            "method": "written",
            "notice": records.NOTICE,
            "language": "id",
            "given_at": "2026-11-24T08:00:00Z",
            "sections": ["identity", "safety", "needs"],
            "agency_kinds": ["trauma_centre", "international_organisation"],
            "purposes": ["shelter"],
        }
        basis = {"kind": "consent", "sections": ["identity", "safety", "needs"]}
        sent = office.send(consent=consent, bases=[basis])
        office.done("shelter", "decline", sent.id, "--reason", "no_place")
        office.done("police", "reroute", sent.id, "--to", "iom")

    def test_takes_bases_from_a_file(self, office: Office) -> None:
        sent = office.send()
        office.done("police", "recall", sent.id, "--reason", "The wrong shelter.")
        basis = records.legal_basis(reason="Written anew.")
        office.done("police", "reroute", sent.id, "--to", "iom", "--basis", "-", stdin=json.dumps(basis))

    def test_of_what_has_not_ended_is_refused(self, office: Office) -> None:
        sent = office.send()
        ended = office.run("police", "reroute", sent.id, "--to", "iom", "--reason", "x")
        assert (ended.code, "has not ended" in ended.err) == (2, True)

    def test_to_nobody_is_refused(self, office: Office) -> None:
        sent = office.send()
        office.done("police", "recall", sent.id, "--reason", "The wrong shelter.")
        ended = office.run("police", "reroute", sent.id, "--to", "nobody-there", "--reason", "x")
        assert (ended.code, "unknown agency" in ended.err) == (4, True)

    def test_says_when_nobody_was_suggested(self, office: Office) -> None:
        sent = office.send()
        office.done("shelter", "decline", sent.id, "--reason", "no_place")
        assert "suggested nobody" in office.done("police", "reroute", sent.id).out

"""The decision, without any database: each table, each reason, and the matrix as a protection officer would print it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.exchange.lifecycle import Party
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from app.policy import consents, table
from app.policy.decide import Decision, decide, fields_back, flows_back, kinds_not_told, uncovered, unsaid
from schemas.codes.agencies import AgencyKind
from schemas.codes.disclosure import DisclosureBasis, Section
from schemas.codes.referral import Purpose
from schemas.exchange.consent import ConsentAct
from schemas.exchange.disclosure import FlowsBack
from tests.makers import records

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EVERY = [section.value for section in Section]
SAYS_NOTHING = {"acknowledge", "resume", "confirm_cancel", "confirm_error"}
"""Moves of a receiver that carry no words and no codes."""


@dataclass
class Basis:
    kind: str
    sections: Sequence[str]
    until: datetime | None = None


def decided(included: Sequence[str], *bases: Basis, **changes: Any) -> Decision:
    asked: dict[str, Any] = {
        "kind": AgencyKind.SENTRA,
        "abroad": False,
        "purpose": Purpose.CASE_RESPONSIBILITY,
        "at": NOW,
        "agreed": None,
        **changes,
    }
    return decide(included=included, bases=bases, **asked)


class TestTheTables:
    def test_have_a_row_for_every_purpose(self) -> None:
        assert set(table.PURPOSES) == set(Purpose)

    def test_have_a_row_for_every_kind_of_agency(self) -> None:
        assert set(table.KINDS) == set(AgencyKind)

    def test_know_every_basis_but_contract_and_legitimate_interest(self) -> None:
        assert set(DisclosureBasis) - set(table.BASES) == {
            DisclosureBasis.CONTRACT,
            DisclosureBasis.LEGITIMATE_INTEREST,
        }

    def test_speak_of_the_sections_a_record_has(self) -> None:
        assert set(EVERY) == table.EVERY
        for row in (*table.PURPOSES.values(), *table.KINDS.values(), *table.BASES.values()):
            assert row <= table.EVERY

    def test_always_tell_a_receiver_who_comes_and_what_keeps_everyone_safe(self) -> None:
        for purpose in Purpose:
            assert table.PURPOSES[purpose] >= {"identity", "needs", "safety"}
        for kind in set(AgencyKind) - {AgencyKind.FOREIGN_MISSION}:
            assert table.KINDS[kind] >= {"identity", "needs", "safety"}

    def test_refuse_a_section_that_does_not_exist(self) -> None:
        with pytest.raises(ValueError, match="unknown section"):
            table._sections("contact locaton")

    def test_keep_what_was_said_to_a_counsellor_from_whoever_may_prosecute(self) -> None:
        for kind in table._INVESTIGATORS | table._AUTHORITIES:
            assert not {"health", "psychosocial"} & table.KINDS[kind], kind

    def test_let_a_foreign_mission_have_no_more_than_papers_a_name_and_how_to_be_in_touch(self) -> None:
        assert table.KINDS[AgencyKind.FOREIGN_MISSION] == {"identity", "needs", "contact", "migration"}

    def test_send_services_and_reasons_back_to_helpers_only(self) -> None:
        told_less = {kind for kind in AgencyKind if flows_back(kind) != set(table.Back)}
        assert told_less == table._INVESTIGATORS | table._AUTHORITIES | {AgencyKind.FOREIGN_MISSION}
        assert not told_less & table._HELPERS

    def test_have_a_row_of_what_flows_back_for_every_kind_and_every_move_that_says_something(self) -> None:
        assert set(table.BACK) == set(AgencyKind)
        assert all(flowing >= table.BACK_STATE for flowing in table.BACK.values())
        by_receiver = {
            move.event
            for lifecycle in (REFERRAL, TRANSFER)
            for move in lifecycle.moves
            if move.by in (Party.RECEIVER, Party.EITHER) and move.event not in SAYS_NOTHING
        }
        assert by_receiver <= set(table.BACK_MOVES)
        assert set(table.BACK_MOVES) - by_receiver == {"decline_accepted", "dispute"}

    def test_let_nothing_back_that_has_no_row(self) -> None:
        everything = frozenset(table.Back)
        assert fields_back("note", everything) == {"text"}
        assert fields_back("amend", everything) == frozenset()
        assert fields_back("decline", table.BACK_STATE) == {"reason", "suggested_receivers"}
        assert fields_back("decline", table.BACK_STATE, accepted=True) == frozenset()
        assert fields_back("request_info", table.BACK_STATE) == {"text"}

    def test_tell_those_who_learn_the_state_not_even_that_a_service_was_recorded(self) -> None:
        assert unsaid("record_service", flows_back(AgencyKind.POLICE))
        assert unsaid("record_service", flows_back(AgencyKind.SENTRA, agreed=False))
        assert not unsaid("record_service", flows_back(AgencyKind.SENTRA))
        assert not unsaid("hold", flows_back(AgencyKind.POLICE))
        assert set(kinds_not_told("record_service")) == {
            kind for kind in AgencyKind if flows_back(kind) != set(table.Back)
        }
        assert kinds_not_told("hold") == []

    def test_are_said_on_the_wire_as_they_are(self) -> None:
        assert [each.value for each in FlowsBack] == [each.value for each in table.Back]

    def test_can_be_read_as_one_matrix(self) -> None:
        """Who may hold what, for what: a cell a purpose and kind. Nothing of it may be wider than its row and its column."""
        matrix = {
            (purpose, kind): set(decided(EVERY, Basis("consent", EVERY), purpose=purpose, kind=kind).sendable)
            for purpose in Purpose
            for kind in AgencyKind
        }
        for (purpose, kind), cell in matrix.items():
            assert cell == table.PURPOSES[purpose] & table.KINDS[kind]
        printed = [
            f"{purpose:22} {kind:28} " + "".join("x" if section in cell else "·" for section in EVERY)
            for (purpose, kind), cell in matrix.items()
        ]
        assert printed[0] == "emergency_protection   ministry_social              xxxxx·xx··xx···"
        assert len({line[:51] for line in printed}) == len(Purpose) * len(AgencyKind)


class TestDecide:
    def test_lets_go_what_rests_on_one_good_basis(self) -> None:
        made = decided(["identity", "health"], Basis("legal_obligation", ["identity", "health"]))
        assert (made.allowed, made.sendable, made.refused) == (True, ("identity", "health"), {})

    @pytest.mark.parametrize(
        ("reason", "bases", "changes"),
        [
            ("no_basis", [Basis("consent", ["identity"])], {}),
            ("two_bases", [Basis("consent", ["identity", "health"]), Basis("public_task", ["health"])], {}),
            ("purpose", [Basis("consent", ["identity", "health"])], {"purpose": Purpose.LIVELIHOOD}),
            ("agency_kind", [Basis("consent", ["identity", "health"])], {"kind": AgencyKind.POLICE}),
            ("basis_does_not_open", [Basis("consent", ["identity"]), Basis("contract", ["health"])], {}),
            ("basis_ended", [Basis("consent", ["identity"]), Basis("consent", ["health"], until=NOW)], {}),
            ("abroad", [Basis("consent", ["identity"]), Basis("vital_interest", ["health"])], {"abroad": True}),
        ],
    )
    def test_names_the_reason_for_each_section_and_what_may_go_nonetheless(
        self, reason: str, bases: list[Basis], changes: dict[str, Any]
    ) -> None:
        made = decided(["identity", "health"], *bases, **changes)
        assert (made.refused, made.sendable) == ({"health": reason}, ("identity",))
        assert not made.allowed

    def test_refuses_a_mission_everything_that_does_not_rest_on_consent(self) -> None:
        bases = [Basis("consent", ["identity"]), Basis("legal_obligation", ["migration"])]
        made = decided(["identity", "migration"], *bases, kind=AgencyKind.FOREIGN_MISSION)
        assert (made.refused, made.sendable) == ({"migration": "consent_only"}, ("identity",))

    def test_refuses_a_basis_for_what_is_not_included(self) -> None:
        made = decided(["identity"], Basis("consent", ["identity", "health"]))
        assert (made.refused, made.sendable) == ({"health": "not_included"}, ("identity",))

    def test_ends_a_basis_at_its_very_moment(self) -> None:
        a_moment = timedelta(microseconds=1)
        assert decided(["identity"], Basis("consent", ["identity"], until=NOW + a_moment)).allowed
        assert not decided(["identity"], Basis("consent", ["identity"], until=NOW)).allowed

    @pytest.mark.parametrize("section", EVERY)
    def test_lets_a_vital_interest_open_what_saves_a_life(self, section: str) -> None:
        made = decided([section], Basis("vital_interest", [section]))
        assert made.allowed == (section in ("identity", "location", "safety", "health", "needs"))

    def test_lets_nothing_go_without_bases(self) -> None:
        assert decided(EVERY).refused == dict.fromkeys(EVERY, "no_basis")

    def test_never_lets_go_more_than_was_included(self) -> None:
        for kind in AgencyKind:
            made = decided(["identity", "health"], Basis("consent", ["identity", "health"]), kind=kind)
            assert {*made.sendable, *made.refused} == {"identity", "health"}


class TestUncovered:
    consent: dict[str, Any] = {  # noqa: RUF012 -- never changed
        "until_at": NOW + timedelta(days=1),
        "sections": ["identity"],
        "agencies": ["iom"],
        "agency_kinds": ["sentra"],
        "purposes": ["shelter"],
        **consents.columns_of(ConsentAct(**records.consent_act(NOW))),
        "given_at": NOW - timedelta(days=1),
    }

    def asked(self, **changes: Any) -> str | None:
        asked: dict[str, Any] = {
            "section": "identity",
            "receiver": "iom",
            "kind": AgencyKind.CIVIL_SOCIETY,
            "purpose": Purpose.SHELTER,
            "at": NOW,
        }
        consent = {name: changes.pop(name, value) for name, value in self.consent.items()}
        return uncovered(consent, **{**asked, **changes})

    def test_what_was_agreed_to(self) -> None:
        assert self.asked() is None
        assert self.asked(receiver="other", kind=AgencyKind.SENTRA) is None
        assert self.asked(until_at=None) is None

    @pytest.mark.parametrize(
        "changes",
        [
            {"section": "health"},
            {"receiver": "other"},
            {"purpose": Purpose.RETURN},
            {"until_at": NOW},
            {"given_at": NOW + timedelta(seconds=1)},
            {"agencies": [], "agency_kinds": []},
        ],
    )
    def test_nothing_else(self, changes: dict[str, Any]) -> None:
        assert self.asked(**changes) == "consent"

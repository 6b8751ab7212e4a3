"""What agreements let one agency send another, without any database: each row of the tables is a rule somebody may read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest

from app.policy.agreements import Agreed, agreed, crosses_border
from auth.directory import AgencyEntry, Agreement, Snapshot
from schemas.codes.disclosure import Section
from schemas.codes.referral import Purpose
from tests.app.policy.test_decide import Basis, decided

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def agency(code: str, country: str = "ID") -> AgencyEntry:
    """An agency of the directory."""
    return AgencyEntry(uuid5(UUID(int=0), code), code, code.upper(), "sentra", None, country, None, "active")


BANGKOK, YANGON = agency("bangkok", "TH"), agency("yangon", "MM")
SENTRA, SHELTER = agency("sentra"), agency("shelter")


def shares(sender: AgencyEntry, receiver: AgencyEntry, **more: Any) -> Agreement:
    """That one may send the other a name and needs, to return somebody."""
    said: dict[str, Any] = {
        "kind": "data_sharing",
        "times": {},
        "from_at": NOW - DAY,
        "until_at": NOW + DAY,
        "purposes": frozenset({"return"}),
        "sections": frozenset({"identity", "needs"}),
        **more,
    }
    return Agreement(agency_id=sender.id, other_id=receiver.id, **said)


def bounds(sender: AgencyEntry, receiver: AgencyEntry, *made: Agreement, purpose: str = "return") -> Agreed | None:
    """What the agreements let `sender` send `receiver` now."""
    snapshot = Snapshot(0, 0, {}, {}, made, {}, {}, frozenset(), signing=None)  # type: ignore[arg-type]
    return agreed(snapshot, sender, receiver, Purpose(purpose), home="ID", at=NOW)


NOTHING: frozenset[str] = frozenset()
BOTH = frozenset({"identity", "needs"})


class TestTheBorder:
    @pytest.mark.parametrize(
        ("sender", "receiver", "crosses"),
        [
            (SENTRA, SHELTER, False),
            (BANGKOK, SENTRA, True),
            (SENTRA, BANGKOK, True),
            (BANGKOK, YANGON, True),
            (BANGKOK, agency("chiang-mai", "TH"), True),  # in another country both, and by way of this one
        ],
        ids=lambda each: each.code if isinstance(each, AgencyEntry) else None,
    )
    def test_is_crossed_unless_both_are_in_the_country(
        self, sender: AgencyEntry, receiver: AgencyEntry, crosses: bool
    ) -> None:
        assert crosses_border(sender, receiver, home="ID") is crosses


class TestAcrossTheBorder:
    @pytest.mark.parametrize(
        ("made", "purpose", "sections"),
        [
            ([], "return", NOTHING),
            ([shares(BANGKOK, SENTRA)], "return", BOTH),
            ([shares(BANGKOK, SENTRA)], "shelter", NOTHING),
            ([shares(SENTRA, BANGKOK)], "return", NOTHING),
            ([shares(SENTRA, BANGKOK, both_ways=True)], "return", BOTH),
            ([shares(BANGKOK, SHELTER)], "return", NOTHING),
            ([shares(YANGON, SENTRA)], "return", NOTHING),
            ([shares(BANGKOK, SENTRA, until_at=None)], "return", BOTH),
            ([shares(BANGKOK, SENTRA, until_at=NOW)], "return", NOTHING),
            ([shares(BANGKOK, SENTRA, until_at=NOW + timedelta(seconds=1))], "return", BOTH),
            ([shares(BANGKOK, SENTRA, from_at=NOW)], "return", BOTH),
            ([shares(BANGKOK, SENTRA, from_at=NOW + timedelta(seconds=1))], "return", NOTHING),
            ([shares(BANGKOK, SENTRA, kind="acts_for")], "return", NOTHING),
            (
                [shares(BANGKOK, SENTRA), shares(BANGKOK, SENTRA, purposes=frozenset({"shelter"}), sections=frozenset({"health"}))],
                "shelter",
                frozenset({"health"}),
            ),
        ],
        ids=[
            "none", "one", "another purpose", "the other way", "both ways", "another receiver", "another sender", "for good", "ended now",
            "ends in a second", "begins now", "begins in a second", "about something else", "one a purpose",
        ],
    )  # fmt: skip
    def test_goes_what_an_agreement_in_force_covers(
        self, made: list[Agreement], purpose: str, sections: frozenset[str]
    ) -> None:
        assert bounds(BANGKOK, SENTRA, *made, purpose=purpose) == Agreed(sections, crosses_border=True)


class TestInsideTheCountry:
    def test_none_is_needed(self) -> None:
        assert bounds(SENTRA, SHELTER) is None
        assert bounds(SENTRA, SHELTER, shares(SHELTER, SENTRA), shares(SENTRA, agency("iom"))) is None

    def test_one_that_has_ended_opens_nothing(self) -> None:
        assert bounds(SENTRA, SHELTER, shares(SENTRA, SHELTER, until_at=NOW)) == Agreed(NOTHING, crosses_border=False)
        assert bounds(SENTRA, SHELTER, shares(SENTRA, SHELTER, from_at=NOW, until_at=NOW)) is None, "it never began"

    def test_one_that_there_is_bounds_every_purpose(self) -> None:
        assert bounds(SENTRA, SHELTER, shares(SENTRA, SHELTER)) == Agreed(BOTH, crosses_border=False)
        assert bounds(SENTRA, SHELTER, shares(SENTRA, SHELTER), purpose="shelter") == Agreed(
            NOTHING, crosses_border=False
        )


class TestDecided:
    """What goes is what was included ∩ the basis ∩ the policy ∩ the agreement."""

    @pytest.mark.parametrize(
        ("basis", "abroad", "limits", "refused"),
        [
            ("consent", False, None, {}),
            ("consent", False, Agreed(BOTH, crosses_border=False), {"health": "agreement"}),
            ("legal_obligation", False, Agreed(NOTHING, crosses_border=False), dict.fromkeys(["identity", "health"], "agreement")),
            ("consent", True, Agreed(BOTH, crosses_border=True), {"health": "agreement"}),
            ("consent", True, Agreed(frozenset(Section), crosses_border=True), {}),
            ("vital_interest", False, None, {}),
            ("vital_interest", False, Agreed(NOTHING, crosses_border=False), {}),
            ("vital_interest", False, Agreed(NOTHING, crosses_border=True), dict.fromkeys(["identity", "health"], "agreement")),
            ("vital_interest", True, Agreed(frozenset(Section), crosses_border=True), dict.fromkeys(["identity", "health"], "abroad")),
        ],
        ids=[
            "nothing bounds", "one section too many", "another purpose", "abroad, one section too many", "abroad, covered",
            "vital", "vital, past an agreement", "vital, from abroad without one", "vital, to abroad with one",
        ],
    )  # fmt: skip
    def test_by_basis_and_border(
        self, basis: str, abroad: bool, limits: Agreed | None, refused: dict[str, str]
    ) -> None:
        included = ["identity", "health"]
        made = decided(included, Basis(basis, included), abroad=abroad, agreed=limits)
        assert made.refused == refused
        assert made.sendable == tuple(name for name in included if name not in refused)

    def test_an_agreement_opens_nothing_that_the_policy_keeps(self) -> None:
        everything = Agreed(frozenset(Section), crosses_border=False)
        made = decided(
            ["identity", "health"],
            Basis("consent", ["identity", "health"]),
            purpose=Purpose.LIVELIHOOD,
            agreed=everything,
        )
        assert made.refused == {"health": "purpose"}
        made = decided(["identity", "health"], Basis("consent", ["identity"]), agreed=everything)
        assert made.refused == {"health": "no_basis"}

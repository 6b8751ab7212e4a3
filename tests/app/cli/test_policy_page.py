"""`docs/policy.md` is what the tables say, and the command prints it."""

from __future__ import annotations

import re
from pathlib import Path

from app.cli.policy import WHY
from app.cli.policy_page import BACK, policy_page
from app.exchange.passing.problems import DisclosureRefused
from app.policy import decide, table
from schemas.codes.agencies import AgencyKind
from schemas.codes.disclosure import Section
from schemas.codes.referral import Purpose
from schemas.exchange.disclosure import Withheld
from tests.app.cli.conftest import Machine

PAGE = Path(__file__).parents[3] / "docs" / "policy.md"


class TestThePage:
    def test_is_current(self) -> None:
        assert PAGE.read_text() == policy_page(), "make it anew: rujukan policy table --markdown > docs/policy.md"

    def test_says_each_cell_as_the_tables_do(self) -> None:
        """Read back from the page, as a person reads it."""
        for heading, rows in (("## 1.", table.PURPOSES), ("## 2.", table.KINDS), ("## 3.", table.BASES)):
            chapter = policy_page().split(heading)[1].split("\n## ")[0]
            read = {
                code: {section for section, cell in zip(Section, cells.split("|"), strict=True) if "x" in cell}
                for code, cells in re.findall(r"^\| `(\w+)` [^|]*\|(.*)\|$", chapter, re.MULTILINE)
            }
            assert read == {str(code): set(sections) for code, sections in rows.items()}, heading  # type: ignore[attr-defined]

    def test_says_both_together(self) -> None:
        chapter = policy_page().split("## 5.")[1]
        heads = [re.findall(r"`(\w+)`", cell) for cell in chapter.split("\n| purpose | ")[1].split("\n")[0].split("|")]
        for purpose in Purpose:
            cells = chapter.split(f"\n| `{purpose}` ")[1].split("\n")[0].split("|")[1:]
            for kinds, cell in zip(heads, cells, strict=False):
                numbers = range(1, 16) if cell.strip() == "all" else [int(each) for each in cell.split()]
                for kind in kinds:
                    assert {list(Section)[place - 1] for place in numbers} == table.PURPOSES[purpose] & table.KINDS[
                        AgencyKind(kind)
                    ]

    def test_has_words_for_every_rule(self) -> None:
        assert set(BACK) == set(table.Back)
        reasons = set(
            re.findall(r"`(\w+)`", Path(decide.__file__).read_text().split('"""Section → ')[1].split('"""')[0])
        )
        known = reasons | {"consent"} | set(Withheld)
        assert known <= set(WHY)
        # what makes a basis or a consent fail is named by the problem
        assert set(WHY) - known <= set(re.findall(r"`(\w+)`", DisclosureRefused.page()))


class TestTheCommand:
    def test_prints_the_tables(self, machine: Machine) -> None:
        assert machine.run("policy", "table", "--markdown").out == policy_page()
        shown = machine.run("policy", "table", "--lang", "id").out
        assert re.search(r"shelter +Penampungan +identity, contact, location, family, identification, safety", shown)
        found = machine.run("policy", "table", "--json").json
        assert found["agency_kind"]["foreign_mission"] == ["identity", "contact", "migration", "needs"]
        assert found["back"]["police"] == ["state", "acceptance", "refusal", "question"]

"""There and back: what HTCDS holds comes back as it went; of a record every value is in the row, or among the losses."""

import re

from hypothesis import given
from hypothesis import settings as limits

from schemas.mappings.htcds import export, import_row
from schemas.mappings.htcds.fields import CARRIED, WRITTEN
from schemas.mappings.htcds.writing import REASONS_OF_LOSS, leaves
from schemas.record import Record
from tests.makers.effort import examples
from tests.schemas.htcds.rows import rows
from tests.schemas.record_strategies import records

ONLY_IF_SAFE = {"prs_Email", "prs_HomePhone", "prs_MobilePhone"}
CLAIMS = {"con_Consent"}
BACK = set(WRITTEN) - ONLY_IF_SAFE - CLAIMS


def as_sets(row):
    return {column: set(cell) if isinstance(cell, tuple) else cell for column, cell in row.items()}


def anywhere(pointer):
    """A pointer without the places in lists, where things may stand elsewhere."""
    return re.sub(r"/[0-9]+(?=/|$)", "/*", pointer)


class TestFromHtcds:
    @given(rows)
    @limits(max_examples=examples(60), deadline=None)
    def test_every_cell_is_taken_and_comes_back_as_it_went(self, row):
        outcome = import_row(row)
        assert outcome.problems == ()
        back = export(outcome.document.record, outcome.document.exchange)
        assert as_sets({c: v for c, v in back.row.items() if c in BACK}) == as_sets(
            {c: v for c, v in row.items() if c in BACK}
        )
        assert not set(back.row) - BACK, "a channel whose safety nobody asked, or a claim of consent, would be written"

    @given(rows)
    @limits(max_examples=15, deadline=None)
    def test_channels_come_back_once_they_are_found_safe(self, row):
        document = import_row(row).document
        plain = document.record.model_dump(mode="json", exclude_unset=True)
        for channel in plain.get("contact", {}).get("channels", ()):
            channel["safe"] = "yes"
        back = export(Record.model_validate(plain)).row
        assert {c: v for c, v in back.items() if c in ONLY_IF_SAFE} == {
            c: v for c, v in row.items() if c in ONLY_IF_SAFE
        }


class TestFromTheRecord:
    @given(records)
    @limits(max_examples=examples(100), deadline=None)
    def test_each_value_is_in_the_row_or_among_the_losses(self, plain):
        record = Record.model_validate(plain)
        made = export(record)
        lost = {loss.pointer for loss in made.losses}
        assert lost.isdisjoint(made.carried)
        assert {loss.reason for loss in made.losses} <= set(REASONS_OF_LOSS)
        outcome = import_row(made.row)
        assert {problem.code for problem in outcome.problems} <= {"only_second_language"}
        again = {"record": outcome.document.record.model_dump(mode="json", exclude_none=True)}
        back = {(anywhere(pointer), value) for pointer, value in leaves(again)}
        told = {"record": record.model_dump(mode="json", exclude_none=True, exclude={"schema_version"})}
        for pointer, value in leaves(told):
            if pointer not in lost:
                assert (anywhere(pointer), value) in back, pointer

    @given(records)
    @limits(max_examples=examples(30), deadline=None)
    def test_nothing_is_written_that_the_record_does_not_say(self, plain):
        made = export(Record.model_validate(plain))
        assert set(made.row) <= set(CARRIED)
        once = import_row(made.row).document.record
        safe = {"contact", "schema_version"}
        twice = export(once).row
        assert as_sets({c: v for c, v in twice.items() if c in BACK}) == as_sets(
            {c: v for c, v in made.row.items() if c in BACK}
        )
        assert once.model_fields_set - safe <= set(plain)

"""Whatever an entry says, it has a leaf, and the same one when it is read again from an export."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from app.log.leaf import MEMBERS, entry_of, leaf_of


@pytest.mark.parametrize(
    "written", ["1e400", "-1e400", "9" * 400, "1.0", "-0.0", "1e-7", "9007199254740993", '"𐏓 \\u2028é"']
)
def test_has_a_leaf_that_stays_the_same(written: str) -> None:
    """One without would keep every entry after it from being sealed."""
    row = dict.fromkeys(MEMBERS) | {"recorded_at": datetime(2026, 1, 1, tzinfo=UTC)}
    entry = entry_of(row | {"detail": f'{{"n": {written}, "of": [{written}]}}'})
    assert leaf_of(entry) == leaf_of(json.loads(json.dumps(entry)))

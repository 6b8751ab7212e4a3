"""docs/schema/checks.md names every warning by its labels, and every code of a refusal."""

import re
from pathlib import Path

from schemas.checks import words_of
from schemas.codes.warnings import WarningCode

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/schema/checks.md").read_text(encoding="utf-8")


def test_every_warning_is_in_the_table_in_the_order_of_the_list():
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| .+ \|$", PAGE, re.MULTILINE)
    assert rows == [(code.value, words_of(code, "en").label, words_of(code, "id").label) for code in WarningCode]


def test_every_code_of_a_record_s_refusal_is_explained():
    raised = set()
    for folder in ("record", "."):
        for file in (ROOT / "schemas" / folder).glob("*.py"):
            source = file.read_text(encoding="utf-8")
            raised |= set(re.findall(r"(?:PydanticCustomError|Refused)\(\s*\"(\w+)\"", source))
    assert raised - {"string_too_long"} <= set(re.findall(r"`(\w+)`", PAGE))
    assert "phone_impossible" in raised

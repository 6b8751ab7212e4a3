"""What agencies add for themselves passes untouched, within bounds."""

import json
import math

import pytest
from pydantic import ValidationError

from schemas import Record
from schemas.record.extensions import MAX_BYTES, MAX_DEPTH, MAX_INTEGER


def extended(value):
    return Record.model_validate({"extensions": value})


def why(value):
    with pytest.raises(ValidationError) as caught:
        extended(value)
    assert "hush" not in str(caught.value).replace("extensions.hush", "")
    return caught.value.errors()[0]["type"]


def nested(depth):
    value = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def test_passes_untouched():
    given = {
        "iom-indonesia": {"Ä e\u0301 ": [" x ", 1, 1.5, True, None, {"b": "two\nlines\t"}], "big": -MAX_INTEGER},
        "kp2mi": {},
    }
    assert json.loads(extended(given).model_dump_json(exclude_none=True))["extensions"] == given


@pytest.mark.parametrize("owner", ["", "ab", "IOM", "iom indonesia", "-iom"])
def test_belongs_to_an_agency(owner):
    with pytest.raises(ValidationError):
        extended({owner: {}})


@pytest.mark.parametrize("value", [[], "hush", 1, None, True])
def test_is_an_object_for_each_agency(value):
    assert why({"kemensos": value}) == "dict_type"


@pytest.mark.parametrize("bad", ["\x00", "\x1b", "\x85", "\u202e", "\u2066", "\ud800"])
def test_its_strings_and_keys_hold_nothing_that_misleads(bad):
    assert why({"kemensos": {"a": [f"hush{bad}"]}}) == "extensions_string"
    assert why({"kemensos": {f"hush{bad}": 1}}) == "extensions_string"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, MAX_INTEGER + 1, -MAX_INTEGER - 1, 10**400])
def test_its_numbers_are_numbers_that_every_reader_keeps(bad):
    assert why({"kemensos": {"a": bad}}) == "extensions_number"


def test_nothing_but_json():
    assert why({"kemensos": {"a": object()}}) == "extensions_value"
    assert why({"kemensos": {"a": {1: 2}}}) == "extensions_key"


def test_is_nested_so_deep_and_no_deeper():
    assert extended({"kemensos": nested(MAX_DEPTH)})
    assert why({"kemensos": nested(MAX_DEPTH + 1)}) == "extensions_depth"
    assert why({"kemensos": nested(50_000)}) == "extensions_depth"


def test_is_so_large_and_no_larger():
    room = MAX_BYTES - len('{"kemensos":{"a":""}}')
    assert extended({"kemensos": {"a": "x" * room}})
    assert why({"kemensos": {"a": "x" * (room + 1)}}) == "extensions_size"
    assert why({"kemensos": {"a": "မ" * (room // 2)}}) == "extensions_size"


def test_of_so_many_agencies_and_no_more():
    assert extended({f"agency-{i}": {} for i in range(10)})
    assert why({f"agency-{i}": {} for i in range(11)}) == "too_long"

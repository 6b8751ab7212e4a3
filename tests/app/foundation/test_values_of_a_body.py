"""What a body costs to read is bounded, whoever sends it: while one is read, nobody else is served."""

from __future__ import annotations

import time

import pytest

from app.foundation.http import MAX_VALUES, parse_json
from app.foundation.problems import MalformedBody

SIZE = 1_048_576


def filled(begin: bytes, again: bytes, end: bytes = b"") -> bytes:
    return begin + again * ((SIZE - len(begin) - len(end)) // len(again)) + end


def reason(body: bytes) -> object:
    with pytest.raises(MalformedBody) as refused:
        parse_json(body)
    return refused.value.members["reason"]


@pytest.mark.parametrize("again", [b"1,", b"{},", b'"",', b'"a":1,', b"null ,"])
def test_one_with_too_many_values_is_refused(again: bytes) -> None:
    assert reason(filled(b'{"bases":[', again, b"1]}")) == "too_many_values"


def test_the_commas_of_a_text_are_no_values() -> None:
    text = r"di sana, di laut, \", \\ " * 20_000
    assert len(parse_json(f'{{"text":"{text}","rest":[1,2]}}'.encode())["rest"]) == 2


def test_as_many_as_it_may_have_are_read() -> None:
    assert len(parse_json(b"[" + b",".join([b"1"] * MAX_VALUES) + b"]")) == MAX_VALUES


@pytest.mark.parametrize("again", [b'"\\', b'"', b"\\", b'\\"', b'"\\",', b"[,", b'{"a":'])
def test_none_takes_long(again: bytes) -> None:
    begun = time.process_time()
    assert reason(filled(b"", again) + b"," * MAX_VALUES) in ("too_many_values", "not_json", "too_deep")
    assert time.process_time() - begun < 2, "a second trying is quadratic: minutes"

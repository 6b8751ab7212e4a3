"""The JSON Schema of a type takes the documents its model takes, and no others."""

import re

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas import base, text
from schemas.record.contact import Channel
from schemas.record.identity import Document
from tests.makers.effort import examples

SURROGATES = re.compile("[\ud800-\udfff]")
KINDS = {
    name: getattr(text, name)
    for name in (
        "AgencyCode", "Code", "CountryCode", "CurrencyCode", "Email", "LanguageTag", "LegalBasisCode", "Line", "Name",
        "NameAsTyped", "Number", "PartialDate", "RegionCode", "ScriptCode", "Sha256", "Text",
    )
} | {"Day": base.Day, "Moment": base.Moment}  # fmt: skip


def validator(schema):
    # In ECMAScript, whose regular expressions JSON Schema has, $ is the very end; in Python also before a last newline.
    def pattern(_, patrn, instance, __):
        if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", patrn), instance):
            yield jsonschema.ValidationError("pattern")

    kind = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": pattern})
    return kind(schema)


def model_takes(adapter, value):
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


_spaces = st.sampled_from(["", " ", "\n", "\t", "\u00a0", "\u2003", "\ufeff", "\u200b", "\x85", "\x1c", "\u2028"])


@pytest.mark.parametrize("name", KINDS)
def test_a_type(name):
    adapter = TypeAdapter(KINDS[name])
    schema = adapter.json_schema()
    check = validator(schema)
    inside = st.one_of(
        st.from_regex(schema["pattern"].replace("$", r"\Z")).filter(lambda value: not SURROGATES.search(value)),
        st.text(st.characters(codec="utf-8"), max_size=12),
        st.text("0123456789X-?~% ", max_size=12),
    )

    @settings(max_examples=examples(40))
    @given(st.tuples(_spaces, inside, _spaces).map("".join))
    @example("")
    @example(" \u200b\u00a0")
    def agree(value):
        # Only the model sees what is too long once it is composed; what is drawn here is far shorter.
        assert model_takes(adapter, value) == check.is_valid(value)

    agree()


_phones = st.from_regex(r"\A[+\uff0b]?[ (]?(6[ -]?28|08|\u0660\u0668|[0-9])[1-9][0-9]{7,10}(\.0)?[ )]?\Z")
_numbers = st.one_of(
    st.from_regex(r"\A[ .]?990101[0-7][0-9][01][0-9][0-9]{2}[ .-]?000[0-9] ?\Z"),
    st.sampled_from(
        ["a@b.example", " a@b.example ", "a@b", "hush", "", "   ", "\u2003+62 811 0000 0012\u2003", "#N/A", None]
    ),
)


CHANNEL, DOCUMENT = TypeAdapter(Channel), TypeAdapter(Document)
CHANNEL_SCHEMA, DOCUMENT_SCHEMA = validator(CHANNEL.json_schema()), validator(DOCUMENT.json_schema())


@given(
    st.sampled_from(["mobile_phone", "home_phone", "whatsapp", "email", "other", "pigeon"]),
    st.one_of(_phones, _numbers),
)
def test_a_channel_by_its_kind(kind, value):
    channel = {"kind": kind, "value": value, "safe": "yes"}
    try:
        CHANNEL.validate_python(channel)
    except ValidationError as refused:
        if {fault["type"] for fault in refused.errors()} != {"phone_impossible"}:
            assert not CHANNEL_SCHEMA.is_valid(channel)
    else:
        assert CHANNEL_SCHEMA.is_valid(channel)


def test_only_arithmetic_on_phones_is_left_to_the_model():
    impossible = {"kind": "mobile_phone", "value": "+999 123 456 789", "safe": "yes"}
    assert CHANNEL_SCHEMA.is_valid(impossible)
    assert not model_takes(CHANNEL, impossible)


@given(st.sampled_from(["nik", "family_card", "passport"]), _numbers)
def test_a_document_by_its_kind(kind, number):
    document = {"kind": kind, "number": number}
    assert model_takes(DOCUMENT, document) == DOCUMENT_SCHEMA.is_valid(document)

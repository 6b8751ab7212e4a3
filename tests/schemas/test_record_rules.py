"""The record takes people as they are, and refuses only what nobody could read."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import ValidationError

from schemas import MAX_RECORD_BYTES, SECTION_MODELS, SECTIONS, Record, included
from schemas.record.common import SectionBase
from schemas.record.nik import nik_number
from schemas.shapes import every_model
from tests.makers.effort import examples
from tests.schemas.record_strategies import records

SMALLEST = {
    "identity": {},
    "contact": {},
    "location": {},
    "family": {},
    "identification": {},
    "exploitation": {},
    "safety": {},
    "health": {},
    "psychosocial": {},
    "legal": {},
    "migration": {},
    "needs": {"services": [{"need": "medical"}]},
    "narrative": {"entries": [{"text": "a", "language": "id", "author_role": "social_worker"}]},
    "attachments": {"papers": [{"kind": "bast"}]},
    "extensions": {},
}


def record(**sections):
    return Record.model_validate(sections)


def refusal(**sections):
    """Where and why, as a pair for each error."""
    with pytest.raises(ValidationError) as caught:
        record(**sections)
    return [("/".join(map(str, error["loc"])), error["type"]) for error in caught.value.errors()]


class TestSections:
    def test_are_all_optional(self):
        assert included(record()) == ()

    def test_are_listed_in_order(self):
        assert (
            included(record(**dict(reversed(SMALLEST.items())))) == SECTIONS == tuple(SECTION_MODELS) == tuple(SMALLEST)
        )

    def test_null_is_not_included(self):
        assert included(record(needs=SMALLEST["needs"], health=None)) == ("needs",)

    def test_their_models_are_the_record_s(self):
        assert list(Record.model_fields) == ["schema_version", *SECTIONS, "sealed", "sealed_preview"]
        assert all(str(SECTION_MODELS[name].__name__) in str(Record.model_fields[name].annotation) for name in SECTIONS)

    def test_all_but_extensions_say_who_told_it(self):
        assert [name for name, kind in SECTION_MODELS.items() if not issubclass(kind, SectionBase)] == ["extensions"]

    @pytest.mark.parametrize("name", [name for name in SECTIONS if name != "extensions"])
    def test_refuse_an_unknown_field_with_its_place(self, name):
        assert refusal(**{name: SMALLEST[name] | {"hush": 1}}) == [(f"{name}/hush", "extra_forbidden")]

    def test_an_unknown_section_is_refused(self):
        assert refusal(hush={}) == [("hush", "extra_forbidden")]

    def test_another_major_version_is_refused(self):
        assert refusal(schema_version="2.0") == [("schema_version", "literal_error")]


class TestTheSchemaAsAWhole:
    def test_every_model_is_closed_and_unchangeable(self):
        for kind in every_model(Record):
            assert kind.model_config["frozen"], kind
            assert kind.model_config.get("extra") == "forbid" or kind.__name__ == "ExtensionsSection"

    def test_every_list_and_every_string_is_bounded(self):
        unbounded = []

        def walk(node, where):
            if isinstance(node, dict):
                if node.get("type") == "array" and "maxItems" not in node:
                    unbounded.append(where)
                bounds = {"maxLength", "pattern", "enum", "const", "format"}
                if node.get("type") == "string" and not bounds & set(node):
                    unbounded.append(where)
                for key, value in node.items():
                    walk(value, f"{where}/{key}")
            elif isinstance(node, list):
                for i, value in enumerate(node):
                    walk(value, f"{where}/{i}")

        walk(Record.model_json_schema(), "")
        assert unbounded == []

    def test_nobody_is_assumed_to_have_a_first_and_a_last_name_or_a_sex(self):
        required = {name: spec.get("required", []) for name, spec in Record.model_json_schema()["$defs"].items()}
        assert required["PersonName"] == ["full"]
        assert required["IdentitySection"] == []

    def test_codes_are_open_in_what_we_send(self):
        sent = Record.model_json_schema(mode="serialization")
        assert not [name for name, spec in sent["$defs"].items() if "enum" in spec]


class TestMessyTruths:
    @pytest.mark.parametrize(
        "identity",
        [
            {"names": [{"full": "Tarmuji"}]},
            {
                "names": [
                    {"full": "Min Zaw"},
                    {"full": "မင်းဇော်", "script": "Mymr"},
                    {"full": "Somchit", "kind": "given_by_others"},
                ]
            },
            {"names_missing": "declined"},
            {"birth": {"date": "1994"}},
            {"birth": {"date": "1994-02"}},
            {"birth": {"estimated_age": 15, "as_of": "2026-07-06", "disputed": "yes"}},
            {"birth": {"missing": "not_asked"}},
            {"birth": {"age_band": "adult"}},
            {"birth": {"date": "1994-02-28", "estimated_age": 20, "as_of": "2026-01-01"}},
            {"nationalities": ["ID", "MY"], "statelessness": "at_risk"},
            {"nationalities": [], "statelessness": "stateless"},
            {"sex": "intersex", "gender": "non_conforming"},
            {"sex": "not_asked"},
            {"documents": [{"kind": "passport", "held_by": "captain", "in_own_name": "no"}]},
            {"documents": [{"kind": "birth_certificate", "held_by": "never_issued"}]},
            {"documents": [{"kind": "nik", "number": "99.01.01.010190.0001"}], "birth": {"date": "1991-02-01"}},
            {"documents_missing": "unknown"},
        ],
    )
    def test_of_identity(self, identity):
        assert record(identity=identity).identity is not None

    def test_a_home_may_be_a_vessel_or_a_compound(self):
        vessel = {"kind": "vessel", "vessel": {"name": "Samudra Contoh 8", "flag": "ID"}}
        compound = {"kind": "compound", "country": "MM"}
        assert record(location={"addresses": [{"kind": "home", "place": vessel}, {"kind": "found", "place": compound}]})

    def test_three_answers_that_are_not_no(self):
        for answer in ("unknown", "not_asked", "declined"):
            taken = record(health={"takes_medicines": answer}).health
            assert taken.takes_medicines == answer

    def test_dates_that_contradict_each_other_are_left_to_people(self):
        assert record(exploitation={"episodes": [{"started": "2026", "ended": "2024-01-01"}]})


class TestWhatNobodyCouldRead:
    def test_an_estimate_without_its_day(self):
        assert refusal(identity={"birth": {"estimated_age": 15}}) == [("identity/birth", "estimate_without_day")]

    def test_a_channel_without_whether_it_is_safe(self):
        channel = {"kind": "mobile_phone", "value": "0811 0000 0012"}
        assert refusal(contact={"channels": [channel]}) == [("contact/channels/0/safe", "missing")]

    def test_a_phone_that_is_none(self):
        channel = {"kind": "whatsapp", "value": "hush", "safe": "yes"}
        assert refusal(contact={"channels": [channel]}) == [("contact/channels/0/value", "phone_form")]

    def test_an_email_that_is_none(self):
        channel = {"kind": "email", "value": "hush", "safe": "yes"}
        assert refusal(contact={"channels": [channel]}) == [("contact/channels/0/value", "email_form")]

    def test_a_need_named_twice(self):
        assert refusal(needs={"services": [{"need": "medical"}, {"need": "medical"}]}) == [("needs", "need_repeated")]

    def test_needs_without_a_need(self):
        assert refusal(needs={"services": []}) == [("needs/services", "too_short")]

    def test_an_arrival_that_ends_before_it_begins(self):
        window = {"arrives_from": "2026-11-25T09:00:00+09:00", "arrives_until": "2026-11-25T00:00:00+07:00"}
        assert refusal(needs=SMALLEST["needs"] | window) == [("needs", "arrival_reversed")]


def test_a_channel_keeps_its_number_in_one_form():
    channel = {"kind": "mobile_phone", "value": "0811-0000-0012", "safe": "not_asked"}
    taken = record(contact={"channels": [channel]}).contact.channels[0]
    assert (taken.value, taken.typed) == ("+6281100000012", "0811-0000-0012")


@pytest.mark.parametrize("value", ["+6281100000012", " +6281100000012 "])
def test_a_number_that_was_not_rewritten_is_not_kept_twice(value):
    channel = {"kind": "whatsapp", "value": value, "safe": "yes"}
    assert record(contact={"channels": [channel]}).contact.channels[0].typed is None


def test_a_name_that_nfc_writes_anew_is_kept_as_it_was_typed_too():
    typed = "Jose\u0301 Sa\u0303o"
    name = record(identity={"names": [{"full": f" {typed} "}]}).identity.names[0]
    assert (name.full, name.typed) == ("José São", f" {typed} ")
    again = record(identity={"names": [name.model_dump()]}).identity.names[0]
    assert again == name
    assert name.model_dump(exclude_unset=True).keys() == {"full", "typed"}


@pytest.mark.parametrize("full", ["Siti", " José São ", "မင်းဇော်", "王小明"])
def test_a_name_that_nfc_leaves_alone_is_not_kept_twice(full):
    assert record(identity={"names": [{"full": full}]}).identity.names[0].typed is None


def test_what_a_client_says_was_typed_stays():
    names = [{"full": "José", "typed": "Jose\u0301"}, {"full": "Jose\u0301", "typed": "JOSE\u0301"}]
    assert [name.typed for name in record(identity={"names": names}).identity.names] == ["Jose\u0301", "JOSE\u0301"]


def test_a_name_that_is_refused_is_refused_once():
    assert refusal(identity={"names": [{"full": "Jose\u0301\u202e"}]}) == [
        ("identity/names/0/full", "string_pattern_mismatch")
    ]


def test_what_was_typed_stays_as_the_first_client_sent_it():
    channel = {"kind": "whatsapp", "value": "0811 0000 0012", "typed": "0811-OOOO-0012", "safe": "yes"}
    once = record(contact={"channels": [channel]})
    assert once.contact.channels[0].typed == "0811-OOOO-0012"
    assert Record.model_validate_json(once.model_dump_json()) == once


@pytest.mark.parametrize("kind", [["whatsapp"], {"whatsapp": 1}, 3, None, "pigeon"])
def test_a_channel_of_no_kind_is_refused_and_breaks_nothing(kind):
    assert refusal(contact={"channels": [{"kind": kind, "value": "0811 0000 0012", "safe": "yes"}]})


class TestNik:
    @pytest.mark.parametrize(
        "good",
        [
            "9901010101900001",
            "9901014101900001",
            "9901017112850002",
            "9901013112850002",
            "9901012902000001",
            "9901 0101 0190 0001",
            "99.01.01.010190.0001",
        ],
    )
    def test_is_taken_where_some_reading_is_possible(self, good):
        assert nik_number(good) == good.replace(" ", "").replace(".", "")

    @pytest.mark.parametrize(
        ("bad", "why"),
        [
            ("9901010101900000", "nik_serial"),
            ("9901013102900001", "nik_date"),
            ("9901017202900001", "nik_date"),
            ("9901013201900001", "nik_date"),
            ("9901010001900001", "nik_date"),
            ("9901014001900001", "nik_date"),
            ("9901012902010001", "nik_date"),
            ("9901010113900001", "nik_date"),
            ("990101010190001", "nik_form"),
            ("99010101019000011", "nik_form"),
            ("990101O101900001", "nik_form"),
            ("٩٩٠١٠١٠١٠١٩٠٠٠٠١", "nik_form"),
        ],
    )
    def test_is_refused_where_none_is(self, bad, why):
        document = {"kind": "nik", "number": bad}
        assert refusal(identity={"documents": [document]}) == [("identity/documents/0/number", why)]

    def test_is_no_rule_for_other_papers(self):
        assert record(identity={"documents": [{"kind": "passport", "number": "X0000001", "country": "MM"}]})

    def test_of_a_family_card_only_the_length_counts(self):
        assert record(identity={"documents": [{"kind": "family_card", "number": "9906 0101 0115 0000"}]})
        assert refusal(identity={"documents": [{"kind": "family_card", "number": "12"}]})


@settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
@given(records)
def test_a_record_survives_the_wire(drawn):
    taken = Record.model_validate(drawn)
    assert Record.model_validate_json(taken.model_dump_json()) == taken
    assert Record.model_validate(json.loads(taken.model_dump_json(exclude_none=True))) == taken
    assert included(taken) == tuple(name for name in SECTIONS if name in drawn)
    assert len(taken.model_dump_json(exclude_none=True).encode()) <= MAX_RECORD_BYTES

"""The JSON Schema of the record takes what the models take, and refuses what they refuse."""

import json
import re
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import playwright
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import BaseModel, ValidationError

from schemas import Record
from schemas.codes import ENUMS
from schemas.codes.services import Need
from schemas.documents.json_schema import DOCUMENTS, written
from schemas.documents.rules import OF_THE_EXCHANGE, RULES
from schemas.mappings.htcds.fields import FIELDS
from schemas.record.contact import Channel
from schemas.record.extensions import ExtensionsSection
from schemas.record.identity import PersonName
from schemas.record.needs import NeedsSection
from schemas.record.sealed import EphemeralKey, SealedSection, SealedSections
from tests.makers.effort import examples
from tests.makers.sealed_page import JWE, KID, PROTECTED, b64
from tests.schemas.instances import A_FEW, ODD, models, smallest, variants
from tests.schemas.record_strategies import records
from tests.schemas.test_sample_record import SAMPLE

SCHEMA = json.loads(written("record-1.0.json"))
FOLDER = Path(__file__).parents[2] / "openapi" / "schemas"
NODE = Path(playwright.__file__).parent / "driver" / "node"
IN_WORDS = {rule.code for rule in RULES}
MODELS = {name: kind for name, kind in models().items() if name != "Record"}


def part(definition: str | None) -> dict[str, Any]:
    return SCHEMA if definition is None else {"$ref": f"#/$defs/{definition}", "$defs": SCHEMA["$defs"]}


@lru_cache
def validator(definition: str | None = None) -> Draft202012Validator:
    return Draft202012Validator(part(definition), format_checker=FormatChecker())


@lru_cache
def in_rust(definition: str | None = None) -> jsonschema_rs.Draft202012Validator:
    """Another implementation, with other regular expressions."""
    return jsonschema_rs.Draft202012Validator(part(definition), validate_formats=True)


def refusals(kind: type[BaseModel], document) -> set[str]:
    try:
        kind.model_validate(document)
    except ValidationError as refused:
        return {error["type"] for error in refused.errors()}
    return set()


def disagreement(kind: type[BaseModel], document, definition: str | None = None) -> str | None:
    """How the two verdicts differ, where they may not."""
    by_schema = validator(definition).is_valid(document)
    if in_rust(definition).is_valid(document) != by_schema:
        return "two validators differ"
    codes = refusals(kind, document)
    if not by_schema and not codes:
        return "only the schema refuses"
    if by_schema and not codes <= IN_WORDS:
        return f"only the model refuses: {', '.join(sorted(codes - IN_WORDS))}"
    return None


class TestTheSchema:
    @pytest.mark.parametrize("name", DOCUMENTS)
    def test_is_json_schema_2020_12(self, name):
        Draft202012Validator.check_schema(json.loads(written(name)))

    @pytest.mark.parametrize("name", DOCUMENTS)
    def test_is_the_committed_one(self, name):
        assert (FOLDER / name).read_text(encoding="utf-8") == written(name), (
            "the schema has changed: run `rujukan schema json-schema --write`, and look at what changed before you commit it"
        )

    def test_is_made_the_same_each_time(self):
        assert [DOCUMENTS[name]() for name in DOCUMENTS] == [json.loads(written(name)) for name in DOCUMENTS]

    @pytest.mark.parametrize("name", DOCUMENTS)
    def test_refers_to_what_is_there_and_holds_what_is_used(self, name):
        document = json.loads(written(name))
        referred = set(re.findall(r'"\$ref": "#/\$defs/(\w+)"', json.dumps(document)))
        assert referred == document["$defs"].keys()

    def test_has_patterns_that_ecmascript_reads(self):
        """Of ECMA 262 with the flag `u`, as JSON Schema asks for, in the engine of the browsers."""
        patterns = sorted(set(re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', written("record-1.0.json"))))
        tried = (
            f"for (const each of [{','.join(patterns)}]) new RegExp(each, 'u');"
            f"const line = new RegExp({json.dumps(SCHEMA['$defs']['Line']['pattern'])}, 'u');"
            "console.log(['a', ' ', '\\u200b', 'a\\n', 'a\\u2028', '\\u{1d56c}', '\\u202ea'].map(x => line.test(x)).join())"
        )
        ran = subprocess.run([NODE, "-e", tried], capture_output=True, text=True, timeout=60)
        assert (ran.stderr, ran.stdout.strip()) == ("", "true,false,false,false,false,true,false")

    def test_names_the_code_list_of_each_enumeration(self):
        named = {
            definition["x-code-list"]: definition for definition in SCHEMA["$defs"].values() if "enum" in definition
        }
        assert all(definition["enum"] == [str(code) for code in ENUMS[name]] for name, definition in named.items())
        assert len(named) == sum("enum" in definition for definition in SCHEMA["$defs"].values())

    def test_explains_every_member(self):
        silent = [
            (name, member)
            for name, definition in SCHEMA["$defs"].items()
            for member, node in definition.get("properties", {}).items()
            if not node.get("description") or "HTCDS" in node["description"]
        ]
        assert silent == []

    def test_says_at_each_field_what_htcds_calls_it(self):
        named = {
            column
            for definition in SCHEMA["$defs"].values()
            for node in definition.get("properties", {}).values()
            for column in node.get("x-htcds", ())
        }
        assert named == {column for column, home in FIELDS.items() if home.places}
        assert SCHEMA["$defs"]["Place"]["properties"]["regency"]["x-htcds"] == ["prs_MailingCity", "hte_City"]

    def test_takes_the_sample(self):
        validator().validate(SAMPLE)


def _first_uses() -> set[tuple[str, str]]:
    """For each form of text, number or date a member can have, the first member that has it."""
    first: dict[str, tuple[str, str]] = {}
    for name in MODELS:
        for member, node in SCHEMA["$defs"][name].get("properties", {}).items():
            form = json.dumps({key: value for key, value in node.items() if key not in ("description", "x-htcds")})
            referred = [SCHEMA["$defs"][each] for each in re.findall(r"#/\$defs/(\w+)", form)]
            if not any("enum" in each or each["type"] == "object" for each in referred):
                first.setdefault(form, (name, member))
    return set(first.values())


FIRST_USES = _first_uses()


@pytest.mark.parametrize("name", [name for name in MODELS if name != "ExtensionsSection"])
def test_a_value_in_any_place_of_a_model_gets_one_verdict(name):
    kind, wrong = MODELS[name], []
    for variant in variants(kind):
        base = smallest(kind) | variant
        assert validator(name).is_valid(base), "is a valid document to begin with"
        assert refusals(kind, base) == set()
        for member in variant or kind.model_fields:
            values = ODD if member in variant or (name, member) in FIRST_USES else A_FEW
            verdicts = [(value, disagreement(kind, {**base, member: value}, name)) for value in values]
            wrong += [f"{member}: {value!r:.60} – {found}" for value, found in verdicts if found]
            without = {key: value for key, value in base.items() if key != member}
            if found := disagreement(kind, without, name):
                wrong.append(f"without {member} – {found}")
        if found := disagreement(kind, {**base, "hush": 1}, name):
            wrong.append(f"one more – {found}")
    assert wrong == []


class TestNeeds:
    @pytest.mark.parametrize(
        "names", [["medical"], ["medical", "food"], ["medical", "medical"], [*Need], [*Need, "food"]]
    )
    def test_are_named_once_each(self, names):
        needs = {"services": [{"need": str(name)} for name in names]}
        assert disagreement(NeedsSection, needs, "NeedsSection") is None
        assert validator("NeedsSection").is_valid(needs) == (len(set(names)) == len(names))


DEEP: list[Any] = [1]
for _ in range(6):
    DEEP = [DEEP]


class TestExtensions:
    @pytest.mark.parametrize(
        "extensions",
        [
            {},
            {"kp2mi": {}},
            {"kp2mi": {"a": [1, 1.5, None, True, "b", {"c": []}]}},
            {"kp2mi": []},
            {"kp2mi": None},
            {"kp2mi": "a"},
            {"KP2MI": {}},
            {" kp2mi": {}},
            {"kp2mi\n": {}},
            {"": {}},
            {"kp2mi": {"": ""}},
            {"kp2mi": {"a\x00": 1}},
            {"kp2mi": {"a": "\u202e"}},
            {"kp2mi": {"a": ["\x07"]}},
            {"kp2mi": {"a": {"b": {"\x9f": 1}}}},
            {"kp2mi": {"a": "line\nline\ttab"}},
            {"kp2mi": {"a": 2**53}},
            {"kp2mi": {"a": 1e300}},
            {"kp2mi": {"a": DEEP}},
            {"kp2mi": {"a": [DEEP]}},
            {"kp2mi": {"a": "b" * 70_000}},
            {f"agency-{i}": {} for i in range(10)},
            {f"agency-{i}": {} for i in range(11)},
            [],
            None,
        ],
        ids=lambda value: repr(value)[:30],
    )
    def test_get_one_verdict(self, extensions):
        assert disagreement(ExtensionsSection, extensions, "ExtensionsSection") is None


def places(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, from the top."""
    yield path
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in inner:
        yield from places(value, (*path, key))


def changed(document: Any, path: tuple[Any, ...], act: str, value: Any) -> Any:
    """A copy with something done at a place."""
    copied = json.loads(json.dumps(document))
    if not path:
        return value
    *way, last = path
    holder = copied
    for key in way:
        holder = holder[key]
    if act == "put":
        holder[last] = value
    elif act == "drop":
        del holder[last]
    elif act == "repeat" and isinstance(holder, list):
        holder.insert(last, holder[last])
    elif act == "rename" and isinstance(holder, dict):
        holder[value if isinstance(value, str) else "hush"] = holder.pop(last)
    elif act == "space" and isinstance(holder[last], str):
        holder[last] = f" {holder[last]}\n"
    return copied


@st.composite
def spoilt(draw: st.DrawFn, documents: st.SearchStrategy[Any]) -> Any:
    """A document with one or two things done to it."""
    document = draw(documents)
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(list(places(document))))
        act = draw(st.sampled_from(("put", "drop", "repeat", "rename", "space")))
        document = changed(document, path, act, draw(st.sampled_from(ODD) | st.text(max_size=3)))
    return document


UNHURRIED = settings(deadline=None, suppress_health_check=list(HealthCheck))


class TestWholeRecords:
    @settings(UNHURRIED, max_examples=examples(50))
    @given(records)
    def test_that_are_valid_are_taken_by_both(self, document):
        assert refusals(Record, document) == set()
        assert validator().is_valid(document)

    @settings(UNHURRIED, max_examples=examples(200))
    @given(spoilt(st.just(SAMPLE)))
    def test_that_were_spoilt_get_one_verdict(self, document):
        assert disagreement(Record, document) is None

    @settings(UNHURRIED, max_examples=examples(40))
    @given(spoilt(records))
    def test_of_chance_that_were_spoilt_get_one_verdict(self, document):
        assert disagreement(Record, document) is None

    @pytest.mark.parametrize("document", [None, [], "a", 1, True, {}], ids=repr)
    def test_are_objects(self, document):
        assert disagreement(Record, document) is None


def protected(header: str) -> str:
    return b64(header.encode())


class TestRulesInWords:
    def test_say_what_the_schema_cannot(self):
        assert SCHEMA["x-rules"] == [
            {"code": rule.code, "at": rule.at, "says": rule.says} for rule in (*OF_THE_EXCHANGE, *RULES)
        ]
        for rule in RULES:
            place = SCHEMA if rule.at == "Record" else SCHEMA["$defs"][rule.at]
            assert rule.says in place["$comment"]

    def test_are_each_needed(self):
        """A rule that no document breaks which the schema takes would only excuse mistakes."""
        one = JWE["recipients"][0]
        broken: dict[str, tuple[type[BaseModel], Any]] = {
            "arrival_reversed": (
                NeedsSection,
                smallest(NeedsSection)
                | {"arrives_from": "2026-11-25T09:00:00+09:00", "arrives_until": "2026-11-25T00:00:00+07:00"},
            ),
            "phone_impossible": (Channel, {"kind": "home_phone", "value": "+62 000 0000 000", "safe": "yes"}),
            "string_too_long": (PersonName, {"full": "\u0958" * 200}),
            "extensions_depth": (ExtensionsSection, {"kp2mi": {"a": [[DEEP]]}}),
            "extensions_size": (ExtensionsSection, {"kp2mi": {"a": "b" * 70_000}}),
            "extensions_number": (ExtensionsSection, {"kp2mi": {"a": 2**53}}),
            "epk_of_its_curve": (EphemeralKey, smallest(EphemeralKey) | {"crv": "P-256"}),
            "header_unreadable": (SealedSection, {**JWE, "protected": "a"}),
            "header_not_compact": (SealedSection, {**JWE, "protected": protected("{ }")}),
            "compressed": (SealedSection, {**JWE, "protected": protected(PROTECTED[:-1] + ',"zip":"DEF"}')}),
            "header_member": (SealedSection, {**JWE, "protected": protected(PROTECTED[:-1] + ',"crit":[]}')}),
            "algorithm": (SealedSection, {**JWE, "protected": protected(PROTECTED.replace("A256GCM", "A128GCM"))}),
            "type": (SealedSection, {**JWE, "protected": protected(PROTECTED.replace("rujukan-section", "JWT"))}),
            "header_once": (SealedSection, {**JWE, "recipients": [{**one, "header": {"kid": KID}}]}),
            "recipient_twice": (SealedSection, {**JWE, "recipients": [one, one]}),
            "another_section": (SealedSections, {"narrative": JWE}),
            "another_version": (
                SealedSections,
                {"health": {**JWE, "protected": protected(PROTECTED.replace('"1.0"', '"2.0"'))}},
            ),
            "sealed_and_plain": (Record, {"health": {}, "sealed": {"health": JWE}}),
        }
        assert broken.keys() == IN_WORDS
        for code, (kind, document) in broken.items():
            assert refusals(kind, document) == {code}
            assert validator(None if kind is Record else kind.__name__).is_valid(document), code

"""What was valid stays valid: every released schema and example is held against the models as they are now."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from schemas import SCHEMA_VERSION, Record
from schemas.documents.compatibility import breaks
from schemas.documents.json_schema import DOCUMENTS, preview_schema, record_schema

FOLDER = Path(__file__).parents[2] / "openapi" / "schemas"
EXAMPLES = sorted((FOLDER / "examples").rglob("*.json"))


def committed(name: str) -> list[Path]:
    return sorted(FOLDER.glob(f"{name}-1.*.json"))


class TestTheReleases:
    def test_have_a_file_for_each_schema(self):
        assert {path.name for path in FOLDER.glob("*.json")} >= DOCUMENTS.keys()
        assert {path.name for path in (FOLDER / "examples").iterdir()} >= {SCHEMA_VERSION}

    @pytest.mark.parametrize("path", committed("record"), ids=lambda path: path.name)
    def test_of_the_record_are_still_taken(self, path):
        assert breaks(json.loads(path.read_text(encoding="utf-8")), record_schema()) == []

    @pytest.mark.parametrize("path", committed("preview"), ids=lambda path: path.name)
    def test_of_the_preview_still_describe_what_is_answered(self, path):
        assert breaks(preview_schema(), json.loads(path.read_text(encoding="utf-8"))) == []

    @pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
    def test_have_examples_that_are_still_taken(self, path):
        read = Record.model_validate_json(path.read_bytes())
        assert read.schema_version == path.parent.name

    @pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
    def test_have_examples_that_fit_the_schema_of_their_version(self, path):
        schema = json.loads((FOLDER / f"record-{path.parent.name}.json").read_text(encoding="utf-8"))
        Draft202012Validator(schema).validate(json.loads(path.read_text(encoding="utf-8")))


def record(**changes):
    """A small schema of the forms that the record's has."""
    return {
        "type": "object",
        "properties": {
            "name": {"anyOf": [{"$ref": "#/$defs/Name"}, {"type": "null"}]},
            "sex": {"$ref": "#/$defs/Sex"},
            "age": {"type": "integer", "minimum": 0, "maximum": 130},
            "needs": {"type": "array", "items": {"$ref": "#/$defs/Need"}, "maxItems": 5, "allOf": [once("food")]},
            "score": {"type": "number"},
        },
        "required": ["name"],
        "additionalProperties": False,
        "if": {"required": ["age"]},
        "then": {"required": ["sex"]},
        "$defs": {
            "Name": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^a*$"},
            "Sex": {"type": "string", "enum": ["male", "female"]},
            "Need": {
                "type": "object",
                "properties": {"need": {"type": "string", "enum": ["food"]}, "inner": {"$ref": "#/$defs/Need"}},
                "additionalProperties": False,
            },
            **changes,
        },
    }


def once(code):
    named = {"type": "object", "properties": {"need": {"const": code}}, "required": ["need"]}
    return {"contains": named, "minContains": 0, "maxContains": 1}


def put(place, value):
    """The small schema with another value at a place; none removes it."""
    changed = record()
    *way, last = place.split("/")
    holder = changed
    for key in way:
        holder = holder[int(key) if isinstance(holder, list) else key]
    if value is None:
        del holder[last]
    else:
        holder[int(last) if isinstance(holder, list) else last] = value
    return changed


class TestTheComparison:
    @pytest.mark.parametrize(
        ("later", "why"),
        [
            (put("properties/age", None), "/age: removed"),
            (put("properties/age", {"type": "string"}), "/age: not of type integer any more"),
            (put("properties/age/maximum", 120), "/age: maximum is narrower"),
            (put("properties/age/minimum", 1), "/age: minimum is narrower"),
            (put("properties/age/exclusiveMinimum", 0), "/age: exclusiveMinimum is another"),
            (put("properties/age/enum", [1, 2]), "/age: only some values"),
            (put("properties/score/type", "integer"), "/score: not of type number any more"),
            (put("properties/needs/maxItems", 4), "/needs: maxItems is narrower"),
            (put("properties/needs/minItems", 1), "/needs: minItems is narrower"),
            (put("properties/needs/uniqueItems", True), "/needs: uniqueItems is another"),
            (put("properties/needs/items", {"type": "string"}), "/needs/items: not of type object any more"),
            (put("properties/name", {"$ref": "#/$defs/Name"}), "/name: not of type null any more"),
            (put("properties/name/anyOf", [{"type": "null"}]), "/name: not of type string any more"),
            (put("required", ["name", "sex"]), "/sex: required"),
            (put("then/required", ["sex", "name"]), ": then is another"),
            (put("$defs/Sex/enum", ["male", "intersex"]), "/sex: no female any more"),
            (put("$defs/Name/maxLength", 199), "/name: maxLength is narrower"),
            (put("$defs/Name/pattern", "^a+$"), "/name: pattern is another"),
            (put("$defs/Name/format", "email"), "/name: format is another"),
            (put("$defs/Need/required", ["need"]), "/needs/items/need: required"),
            (put("$defs/Need/properties/need/const", "food2"), "/needs/items/need: no food any more"),
            (put("properties/needs/allOf/0", once("food") | {"maxContains": 0}), "/needs: a new condition"),
            (put("not", {"required": ["age"]}), ": not is another"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_finds_what_would_refuse_an_earlier_document(self, later, why):
        assert why in breaks(record(), later)

    @pytest.mark.parametrize(
        "later",
        [
            record(),
            put("properties/weight", {"type": "number"}),
            put("properties/age/maximum", 150),
            put("properties/age/maximum", None),
            put("properties/age/type", "number"),
            put("properties/age/description", "Years."),
            put("properties/sex", {"anyOf": [{"$ref": "#/$defs/Sex"}, {"type": "null"}]}),
            put("properties/name/anyOf/1", {"type": ["null", "boolean"]}),
            put("required", []),
            put("additionalProperties", None),
            put("$defs/Sex/enum", ["intersex", "male", "female"]),
            put("$defs/Name/maxLength", 300),
            put("$defs/Name/pattern", None),
            put("$defs/Need/properties/need/enum", ["food", "shelter"]),
            put("properties/needs/allOf", [once("food"), once("shelter")]),
            put("properties/needs/allOf", None),
            put("deprecated", True),
            put("x-htcds", ["prs_FirstName"]),
        ],
        ids=lambda later: "",
    )
    def test_lets_pass_what_only_adds(self, later):
        assert breaks(record(), later) == []

    def test_sees_a_definition_by_its_content_and_not_by_its_name(self):
        renamed = put("properties/sex", {"$ref": "#/$defs/SexOrGender"})
        renamed["$defs"]["SexOrGender"] = deepcopy(renamed["$defs"]["Sex"])
        assert breaks(record(), renamed) == []
        renamed["$defs"]["SexOrGender"]["enum"].remove("male")
        assert breaks(record(), renamed) == ["/sex: no male any more"]

    def test_bites_on_the_record_itself(self):
        later = record_schema()
        later["$defs"]["Answer"]["enum"].remove("declined")
        del later["$defs"]["Place"]["properties"]["rt"]
        later["$defs"]["PersonName"]["required"].append("given")
        found = breaks(record_schema(), later)
        assert "/location/addresses/items/place/rt: removed" in found
        assert "/identity/names/items/given: required" in found
        assert "/contact/channels/items/safe: no declined any more" in found
        assert breaks(record_schema(), record_schema()) == []

"""JSON Schema 2020-12 made from the models: what may be sent as a record, and what is read as a preview."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import lru_cache
from inspect import cleandoc
from typing import Any, Final, Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from schemas.codes import LIST_OF
from schemas.documents.htcds_names import htcds_names
from schemas.documents.meanings import meaning_of, without_htcds
from schemas.documents.rules import CONDITIONS, EXTENSIONS, OF_THE_EXCHANGE, RULES
from schemas.documents.types import NAMED
from schemas.record import SCHEMA_VERSION, Preview, Record
from schemas.shapes import every_model

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ADDRESS: Final = "/v1/schemas"
"""Where a running exchange serves them. The `$id`s are relative to its address, as the types of its problems are."""

HTCDS: Final = (
    "Field and code names from the Human Trafficking Case Data Standard 2.0, © IOM, CC BY 4.0 "
    "(https://creativecommons.org/licenses/by/4.0/), https://github.com/UNMigration/HTCDS; they imply no endorsement by IOM."
)

_LISTS: Final = {enum.__name__: name for enum, name in LIST_OF.items()}
_SAID_ELSEWHERE: Final = {"title", "description", "default"}
_FIRST: Final = ("$schema", "$id", "$ref", "title", "description", "type", "properties", "required")
_LAST: Final = ("x-rules", "$defs")
_MULTILINE: Final = frozenset(("Text", "Narrative"))


def record_schema() -> Schema:
    """What may be sent as a record: closed, with every code there is."""
    made = _made(Record, "validation", f"record-{SCHEMA_VERSION}.json")
    definitions = made["$defs"]
    for model, condition in CONDITIONS.items():
        _add(definitions[model.__name__], condition)
    _explain(made)
    definitions.update(deepcopy(EXTENSIONS))
    for rule in (*OF_THE_EXCHANGE, *RULES):
        place = made if rule.at == "Record" else definitions[rule.at]
        place["$comment"] = f"{place['$comment']} {rule.says}" if "$comment" in place else f"Also: {rule.says}"
    made["x-rules"] = [{"code": rule.code, "at": rule.at, "says": rule.says} for rule in (*OF_THE_EXCHANGE, *RULES)]
    return _in_order(made)


def preview_schema() -> Schema:
    """What is read as a preview: open, since codes and members may be added."""
    return _in_order(_made(Preview, "serialization", f"preview-{SCHEMA_VERSION}.json"))


DOCUMENTS: Final[dict[str, Callable[[], Schema]]] = {
    f"record-{SCHEMA_VERSION}.json": record_schema,
    f"preview-{SCHEMA_VERSION}.json": preview_schema,
}
"""The schemas that are published, by file name."""


@lru_cache
def written(name: str) -> str:
    """A published schema as it stands in its file."""
    return json.dumps(DOCUMENTS[name](), indent=1, ensure_ascii=False) + "\n"


class _Generator(GenerateJsonSchema):
    """As Pydantic's, without a title for each field that only repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _made(model: type[BaseModel], mode: Literal["validation", "serialization"], name: str) -> Schema:
    made = model.model_json_schema(mode=mode, schema_generator=_Generator)
    definitions = made.pop("$defs")
    made = {"$schema": DIALECT, "$id": f"{ADDRESS}/{name}", **made, "$defs": definitions}
    named = _fragments(mode)
    used: dict[str, Schema] = {}
    made = {key: _named(value, named, used) for key, value in made.items()}
    made["$defs"] = dict(sorted({**made["$defs"], **used}.items()))
    for key, definition in made["$defs"].items():
        if key in _LISTS:
            definition["x-code-list"] = _LISTS[key]
    _tidy(made)
    made["x-attribution"] = HTCDS
    return made


@lru_cache
def _fragments(mode: Literal["validation", "serialization"]) -> dict[str, tuple[str, Schema]]:
    """The schema of each named type, by itself written out."""
    found: dict[str, tuple[str, Schema]] = {}
    for name, (kind, meaning) in NAMED.items():
        schema = TypeAdapter(kind).json_schema(mode=mode)
        found.setdefault(
            _key(schema), (name, {"title": name, **({"description": meaning} if meaning else {}), **schema})
        )
    return found


def _key(schema: Schema) -> str:
    return json.dumps({key: value for key, value in schema.items() if key not in _SAID_ELSEWHERE}, sort_keys=True)


def _named(part: Any, named: dict[str, tuple[str, Schema]], used: dict[str, Schema]) -> Any:
    """The same with each type that has a name referred to by it."""
    if isinstance(part, list):
        return [_named(each, named, used) for each in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") in ("string", "integer", "number") and (found := named.get(_key(part))):
        name, definition = found
        used[name] = dict(definition)
        return {"$ref": f"#/$defs/{name}"} | {key: part[key] for key in _SAID_ELSEWHERE if key in part}
    return {key: _named(value, named, used) for key, value in part.items()}


def _tidy(schema: Schema) -> None:
    """Say defaults that mean "not included" nowhere, and what `$` means everywhere."""
    for part in _objects(schema):
        if "default" in part and part["default"] in (None, []):
            del part["default"]
        if part.get("type") == "string" and "pattern" in part and part.get("title") not in _MULTILINE:
            # Where Python reads the pattern, `$` also stands before a newline at the very end.
            part["not"] = {"pattern": "\\n"}
        said = part.get("description")
        if isinstance(said, str):
            part["description"] = cleandoc(said).replace("\n\n", "\0").replace("\n", " ").replace("\0", "\n\n")


def _objects(part: Any) -> Iterator[Schema]:
    if isinstance(part, dict):
        yield part
        for value in part.values():
            yield from _objects(value)
    elif isinstance(part, list):
        for value in part:
            yield from _objects(value)


def _add(definition: Schema, condition: Schema) -> None:
    for key, value in condition.items():
        if key == "properties":
            for name, more in value.items():
                definition["properties"][name].update(more)
        else:
            definition[key] = value


def _explain(made: Schema) -> None:
    """Say of every member what it means and what HTCDS calls it."""
    for kind in every_model(Record):
        definition = made if kind is Record else made["$defs"][kind.__name__]
        for name, member in definition.get("properties", {}).items():
            said = without_htcds(member.get("description", ""))
            member["description"] = meaning_of(kind, name).en if "HTCDS" in said or not said else said
            if names := htcds_names(kind, name):
                member["x-htcds"] = list(names)
        if "description" in definition:
            definition["description"] = without_htcds(definition["description"])


def _in_order(schema: Schema) -> Schema:
    """What a reader looks for first comes first. Names of members and definitions keep their order."""

    def place(key: str) -> int:
        return _FIRST.index(key) if key in _FIRST else len(_FIRST) + (_LAST.index(key) + 1 if key in _LAST else 0)

    def ordered(part: Any, *, names: bool = False) -> Any:
        if isinstance(part, list):
            return [ordered(each) for each in part]
        if not isinstance(part, dict):
            return part
        keys = list(part) if names else sorted(part, key=place)
        return {key: ordered(part[key], names=not names and key in ("properties", "$defs")) for key in keys}

    result: Schema = ordered(schema)
    return result

"""Whether a schema still takes every document that an earlier one took, judged by its form.

What cannot be judged (another pattern, another condition, a keyword not known here) counts as a break: somebody has to
look. Annotations may change freely.
"""

import json
from typing import Any, Final

Schema = dict[str, Any]

_ANNOTATIONS: Final = {
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "title",
    "description",
    "examples",
    "default",
    "deprecated",
}
_LEAST: Final = ("minimum", "minLength", "minItems", "minProperties")
_MOST: Final = ("maximum", "maxLength", "maxItems", "maxProperties")
_JUDGED: Final = {
    *(
        "$ref",
        "type",
        "enum",
        "const",
        "required",
        "properties",
        "additionalProperties",
        "items",
        "propertyNames",
        "anyOf",
    ),
    *("allOf", *_LEAST, *_MOST),
}
_NOTHING: Final[Schema] = {"not": {}}


def breaks(earlier: Schema, later: Schema) -> list[str]:
    """Where `later` may refuse what `earlier` took, each with the reason."""
    return _Comparison(earlier, later).of(earlier, later, "")


class _Comparison:
    def __init__(self, earlier: Schema, later: Schema) -> None:
        self._roots = earlier, later
        self._begun: set[tuple[str, str]] = set()

    def of(self, old: Any, new: Any, at: str) -> list[str]:
        old, new = _as_schema(old), _as_schema(new)
        if "$ref" in old or "$ref" in new:
            pair = _key(old), _key(new)
            if pair in self._begun:
                return []
            self._begun.add(pair)
        old, new = self._resolved(old, 0), self._resolved(new, 1)
        if old == _NOTHING or not any(key not in _ANNOTATIONS and not key.startswith("x-") for key in new):
            return []
        return [
            *_values(old, new, at),
            *_bounds(old, new, at),
            *self._members(old, new, at),
            *self._inner(old, new, at),
            *self._alternatives(old, new, at),
            *self._conditions(old, new, at),
            *_unknown(old, new, at),
        ]

    def _resolved(self, schema: Schema, root: int) -> Schema:
        while "$ref" in schema:
            found = self._roots[root]["$defs"][schema["$ref"].removeprefix("#/$defs/")]
            schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
        return schema

    def _members(self, old: Schema, new: Schema, at: str) -> list[str]:
        found = [f"{at}/{name}: required" for name in new.get("required", []) if name not in old.get("required", [])]
        before, after = old.get("properties", {}), new.get("properties", {})
        rest = new.get("additionalProperties", True)
        for name, schema in before.items():
            if name in after:
                found += self.of(schema, after[name], f"{at}/{name}")
            elif rest is False:
                found.append(f"{at}/{name}: removed")
            else:
                found += self.of(schema, rest, f"{at}/{name}")
        return found

    def _inner(self, old: Schema, new: Schema, at: str) -> list[str]:
        found: list[str] = []
        for key in ("items", "additionalProperties", "propertyNames"):
            if key in new:
                found += self.of(old.get(key, True), new[key], f"{at}/{key}")
        return found

    def _alternatives(self, old: Schema, new: Schema, at: str) -> list[str]:
        if "anyOf" not in new:
            # Each alternative is a way to be valid; all of them have to be left.
            return [each for way in old.get("anyOf", ()) if new.keys() & _JUDGED for each in self.of(way, new, at)]
        ways = old.get("anyOf", [{key: value for key, value in old.items() if key not in _ANNOTATIONS}])
        return [each for way in ways for each in self._nearest(way, new["anyOf"], at)]

    def _nearest(self, way: Any, alternatives: list[Any], at: str) -> list[str]:
        """What stands between a way to be valid and the alternative that comes closest to it; nothing if one takes it."""
        nearest: list[str] | None = None
        begun, distance = set(self._begun), (True, 0)
        for each in alternatives:
            self._begun = set(begun)
            found = self.of(way, each, at)
            if not found:
                return []
            this = any(reason.startswith(f"{at}: not of type") for reason in found), len(found)
            if nearest is None or this < distance:
                nearest, distance = found, this
        return [f"{at}: no alternative is left"] if nearest is None else nearest

    def _conditions(self, old: Schema, new: Schema, at: str) -> list[str]:
        known = {_key(each) for each in old.get("allOf", ())}
        return [
            f"{at}: a new condition"
            for each in new.get("allOf", ())
            if _key(each) not in known and not self._of_a_new_code(each, old)
        ]

    def _of_a_new_code(self, condition: Schema, old: Schema) -> bool:
        """Whether it speaks of items with a code that no item could have before."""
        items = self._resolved(_as_schema(old.get("items", True)), 0)
        for name, schema in condition.get("contains", {}).get("properties", {}).items():
            before = self._resolved(_as_schema(items.get("properties", {}).get(name, True)), 0)
            if "const" in schema and "enum" in before:
                return schema["const"] not in before["enum"]
        return False


def _as_schema(schema: Any) -> Schema:
    if isinstance(schema, bool):
        return {} if schema else _NOTHING
    found: Schema = schema
    return found


def _values(old: Schema, new: Schema, at: str) -> list[str]:
    before, after = _codes(old), _codes(new)
    found: list[str] = []
    if after is not None:
        if before is None:
            found.append(f"{at}: only some values")
        else:
            found += [f"{at}: no {value} any more" for value in before if value not in after]
    if "type" in new:
        left = _types(new)
        gone = [kind for kind in _types(old) if kind not in left] if "type" in old else ["any"]
        if gone and "anyOf" not in old and before is None:
            found.append(f"{at}: not of type {', '.join(gone)} any more")
    return found


def _codes(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    codes: list[Any] | None = schema.get("enum")
    return codes


def _types(schema: Schema) -> set[str]:
    given = schema["type"]
    kinds = {given} if isinstance(given, str) else set(given)
    return kinds | {"integer"} if "number" in kinds else kinds


def _bounds(old: Schema, new: Schema, at: str) -> list[str]:
    less = [key for key in _MOST if key in new and (key not in old or new[key] < old[key])]
    more = [key for key in _LEAST if key in new and (key not in old or new[key] > old[key])]
    return [f"{at}: {key} is narrower" for key in less + more]


def _unknown(old: Schema, new: Schema, at: str) -> list[str]:
    bound = [key for key in new if key not in _ANNOTATIONS | _JUDGED and not key.startswith("x-")]
    return [f"{at}: {key} is another" for key in bound if _key(new[key]) != _key(old.get(key))]


def _key(part: Any) -> str:
    return json.dumps(part, sort_keys=True)

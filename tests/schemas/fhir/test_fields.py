"""docs/schema/fhir.md says of every field of the record whether it is carried, and says the truth."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints
from uuid import UUID

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from schemas.codes.answers import Missing
from schemas.codes.base import CodeEnum
from schemas.documents.record_fields import record_fields
from schemas.mappings.fhir import bundle
from schemas.mappings.fhir.systems import REQUEST_STATUS, TASK_STATUS
from schemas.record import SECTION_MODELS, Record, preview_of
from schemas.shapes import shapes
from tests.schemas.fhir.making import AT, URL, Json, inside, paths, referral

PAGE = (Path(__file__).parents[3] / "docs" / "schema" / "fhir.md").read_text(encoding="utf-8")
FIELDS = paths(Record)


def table(heading: str) -> list[list[str]]:
    """The first cells of a table on the page: the fields each row is about."""
    part = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in part.splitlines() if row.startswith("| `")]


CARRIED = [field for row in table("The record: what is carried") for field in row]
NOT_CARRIED = [field for row in table("The record: what is not carried") for field in row]


def left_out(field: str) -> bool:
    return any(field == each or field.startswith(f"{each}.") for each in NOT_CARRIED)


def test_every_field_of_the_record_is_in_one_of_the_tables():
    assert len(set(CARRIED)) == len(CARRIED)
    assert [field for field in FIELDS if (field in CARRIED) == left_out(field)] == []


def test_no_table_names_a_field_there_is_not():
    assert set(CARRIED) <= set(FIELDS)
    assert [each for each in NOT_CARRIED if not any(f"{field}.".startswith(f"{each}.") for field in FIELDS)] == []


def test_the_table_of_states_is_that_of_the_code():
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", PAGE.split("| State | Task |")[1], re.MULTILINE)
    said = {state: (task, request) for state, task, request in rows if state in REQUEST_STATUS}
    expected = {state: (TASK_STATUS.get(state), REQUEST_STATUS[state]) for state in REQUEST_STATUS}
    expected["cancel_requested"] = ("what it was: accepted or in-progress", "active")
    assert said == expected


# A record in which everything is said: of each field the first of these that it takes.
VALUES: tuple[Any, ...] = (
    "Kata", "Kata lain", "2001-02-03", "2001-05-06", "2026-01-02T03:04:05Z", "2026-02-03T04:05:06Z", "81.07.03.2001", "33.28.01.2001",
    "ID", "MM",
    "IDR", "USD", "jv", "su", "kemensos", "lpsk", "Latn", "Khmr", "A15.0", "B20", "001", "002", "97112", "97113", "9074729", "0311", "0312",
    "a" * 64, "b" * 64, str(UUID(int=1)), str(UUID(int=2)), 3, 4, 9.5, 8.5, {"kemensos": {"ours": "Kata"}}, {"kemensos": {"ours": "Kata lain"}},
)  # fmt: skip
FIRST: Json = {
    "contact.channels.value": "+628110000012",
    "contact.channels.belongs_to": None,
    "contact.channels.when": None,
    "contact.channels.speak_as": None,
    "family.guardian.suspected": "no",
    "family.guardian.channels.value": "+628110000013",
    "family.guardian.channels.belongs_to": None,
    "family.guardian.channels.when": None,
    "family.guardian.channels.speak_as": None,
    "identity.documents.number": "9901010101900001",
    "contact.do_not_contact.value": "+628110000019",
    "identity.documents.expires_on": "2011-02-03",
    "location.addresses.until": "2011-02-03",
    "needs.arrives_until": "2026-03-01T00:00:00Z",
    "migration.documents.number": "9901010101900001",
}
OTHERS: Json = {
    "contact.channels.kind": ["whatsapp", "home_phone"],
    "contact.channels.value": ["+628110000014"],
    "contact.do_not_contact.value": ["+628110000012"],
    "family.guardian.channels.kind": ["whatsapp", "home_phone"],
    "family.guardian.channels.value": ["+628110000014"],
    "identity.documents.kind": ["family_card"],
    "identity.documents.number": ["9901010101900002"],
    "identity.external_ids.system": ["https://fhir.kemkes.go.id/id/ihs-number"],
}
UNSAID = (
    "identity.names",
    "identity.nationalities",
    "identity.birth.date",
    "location.addresses",
    "family.accompanying.birth.date",
)
"""What has to be absent for the reason of its absence to be carried."""


@cache
def _takes(kind: Any) -> tuple[Any, ...]:
    """The values above that a field takes, alone or in a list; of codes, those that are answers first."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    codes = sorted(_codes(kind), key=lambda code: code in set(Missing))
    found = []
    for value in codes or VALUES:
        for each in (value, [value]):
            try:
                adapter.validate_python(each)
            except ValidationError:
                continue
            found.append(each)
    return tuple(found)


def _codes(kind: Any) -> list[str]:
    if isinstance(kind, type) and issubclass(kind, CodeEnum):
        return [member.value for member in kind]
    return [code for part in get_args(kind) for code in _codes(part)]


def everything(kind: type[BaseModel], above: str = "") -> Json:
    found: Json = {}
    hints = get_type_hints(kind, include_extras=True)
    for name, shape in shapes(kind).items():
        path = f"{above}{name}"
        inner = inside(shape)
        if path in FIRST:
            found[name] = FIRST[path]
        elif inner is not None and path in FIELDS:
            continue  # a place inside a place
        elif inner is not None:
            made = everything(inner, f"{path}.")
            found[name] = [made] if shape.many else made
        else:
            assert _takes(hints[name]), path
            found[name] = _takes(hints[name])[0]
    return {name: value for name, value in found.items() if value is not None}


def _holder(record: Json, path: str) -> tuple[Json, str]:
    *steps, last = path.split(".")
    node: Any = record
    for step in steps:
        node = node[step][0] if isinstance(node[step], list) else node[step]
    return node, last


def without(record: Json, *gone: str) -> Json:
    found = copy.deepcopy(record)
    for path in gone:
        holder, last = _holder(found, path)
        holder.pop(last, None)
    return found


def changed(record: Json, path: str) -> Iterator[Json]:
    """The record with one field removed, or said otherwise; only what is still a record."""
    kind: Any = Record
    for step in path.split("."):
        hint = get_type_hints(kind, include_extras=True)[step]
        kind = shapes(kind)[step].model
    for value in (None, *OTHERS.get(path, ()), *_takes(hint)[:4]):
        made = copy.deepcopy(record)
        holder, last = _holder(made, path)
        holder.pop(last, None)
        if value is not None:
            holder[last] = value
        if made == record:
            continue
        try:
            Record.model_validate(made)
        except ValidationError:
            continue
        yield made


SAID = {"schema_version": "1.0"} | {
    name: everything(kind, f"{name}.") if name != "extensions" else {"kemensos": {"ours": "Kata"}}
    for name, kind in SECTION_MODELS.items()
}
ELSEWHERE = [name for name in SECTION_MODELS if name in NOT_CARRIED]


def rendered(record: Json) -> Any:
    return bundle(referral(record=record), url=URL, at=AT)


@cache
def bases(section: str) -> tuple[tuple[Json, Any], ...]:
    """A section in which everything is said, and one in which it is said why things are not; each with its bundle."""
    full = {"schema_version": "1.0", section: SAID[section]}
    unsaid = without(full, *(path for path in UNSAID if path.startswith(f"{section}.")))
    return tuple((base, rendered(base)) for base in (full, unsaid))


def test_every_field_an_observation_is_about_is_published():
    published = {each.path for each in record_fields().fields}
    shown = preview_of(Record.model_validate(SAID), on=AT.date())
    for made, one in (
        (rendered(SAID), "health.infectious"),
        (bundle(referral(state="sent", accepted_at=None, preview=shown), url=URL, at=AT), "preview.age_band"),
    ):
        coded = set(
            re.findall(
                r'"system": ?"https://rujukan.example/v1/record-fields", ?"code": ?"([^"]+)"', made.model_dump_json()
            )
        )
        assert one in coded
        assert coded <= published


def test_a_section_that_is_not_carried_leaves_no_trace():
    assert len(ELSEWHERE) == 7
    assert rendered(SAID) == rendered(without(SAID, *ELSEWHERE))


@pytest.mark.parametrize("field", CARRIED)
def test_a_field_that_is_carried_changes_the_bundle(field):
    for base, before in bases(field.split(".")[0]):
        try:
            others = list(changed(base, field))
        except KeyError:
            continue
        if any(rendered(other) != before for other in others):
            return
    pytest.fail(f"{field} is said to be carried, and nothing in the bundle depends on it")


@pytest.mark.parametrize("field", [each for each in FIELDS if left_out(each) and each.split(".")[0] not in NOT_CARRIED])
def test_a_field_that_is_not_carried_changes_nothing(field):
    base, before = bases(field.split(".")[0])[0]
    other = next(changed(base, field))
    assert rendered(other) == before

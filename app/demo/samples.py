"""The sample cases and agencies, with their dates moved to the days on which the demonstration plays."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from importlib.resources import files
from typing import Any, Final

Document = dict[str, Any]

_DAY: Final = re.compile(r"(\d{4}-\d{2}-\d{2})([?~%]?)")
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})((?:-XX)?[?~%]?)")
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[+-]\d{2}:\d{2}")
_WOMEN: Final = {"shelter_men": "shelter_women"}
_DAYS_IN_A_MONTH: Final = 30.44


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a case is about; `instead` names the needs that differ from those of the acts."""

    record: Document = field(repr=False)
    instead: Mapping[str, str] = field(default_factory=dict)

    def needs(self, act: Mapping[str, Any]) -> list[str]:
        """Return the needs `act` asks for, as this person has them."""
        return [self.instead.get(need, need) for need in act["needs"]]

    def record_for(self, act: Mapping[str, Any]) -> Document:
        """Return what `act` sends of the record: the sections it names, with the needs it asks for."""
        needs = self.needs(act)
        chosen: Document = {"schema_version": self.record["schema_version"]}
        chosen |= {name: copy.deepcopy(self.record[name]) for name in self.record if name in act["sections"]}
        asked = [service for service in chosen["needs"]["services"] if service["need"] in needs]
        return chosen | {"needs": chosen["needs"] | {"services": asked}}


@dataclass(frozen=True, slots=True)
class Sample:
    """A case and what happens to it; several people where the same happens to each, every one in a case of their own."""

    id: str
    title: str
    day_zero: date
    acts: tuple[Document, ...]
    people: tuple[Person, ...]

    @property
    def number(self) -> str:
        """What the case is called on the terminal, as `03c`."""
        return self.id.split("-")[1] + ("+" if len(self.people) > 1 else "")

    def on(self, first_day: date) -> Sample:
        """Return the case as if its day 0 had been `first_day`."""
        by = first_day - self.day_zero
        moved = tuple(Person(_moved(person.record, by), person.instead) for person in self.people)
        return Sample(self.id, self.title, first_day, self.acts, moved)

    def place_of(self, name: str) -> int:
        """Return which of the acts is called so; events speak of it by its name."""
        return next(place for place, act in enumerate(self.acts) if act.get("name") == name)


def load_agencies() -> list[Document]:
    """Return the agencies of the directory; one's parent comes before it."""
    return list(_read("agencies.json")["agencies"])


def load_samples() -> list[Sample]:
    """Return the cases by number; the further people of a group or a family as one sample, each with a case of their own."""
    found: list[Sample] = []
    groups: list[Document] = []
    for name in sorted(each.name for each in files(__package__).joinpath("cases").iterdir()):
        if not re.fullmatch(r"case-\d\d[a-z]?-.+\.json", name):
            continue
        case = _read(name)
        if "template" in case:
            groups.append(case)
            continue
        found.append(
            Sample(
                id=case["id"],
                title=case["title"]["en"],
                day_zero=date.fromisoformat(case["day_zero"]),
                acts=tuple(case["acts"]),
                people=(Person(case["record"]),),
            )
        )
    for group in groups:
        template = next(sample for sample in found if sample.id == group["template"])
        acts = group.get("acts") or [
            act for act in template.acts if act["act"] != "event"
        ]  # what happened to one of a group need not have happened to all
        others = Sample(
            id=f"{template.id}-others",
            title=group["title"],
            day_zero=template.day_zero,
            acts=tuple(_numbered_apart(act) for act in acts),
            people=tuple(_member(template.people[0].record, member) for member in group["members"]),
        )
        found.insert(found.index(template) + 1, others)
    return found


def corrected(record: Document, corrections: Sequence[Mapping[str, Any]]) -> Document:
    """Return the record with the values at the given JSON Pointers replaced."""
    changed = copy.deepcopy(record)
    for each in corrections:
        *way, last = each["pointer"].split("/")[1:]
        node: Any = changed
        for step in way:
            node = node[int(step)] if isinstance(node, list) else node[step]
        node[int(last) if isinstance(node, list) else last] = each["value"]
    return changed


def _read(name: str) -> Document:
    read: Document = json.loads(files(__package__).joinpath("cases", name).read_text(encoding="utf-8"))
    return read


def _member(template: Document, member: Mapping[str, str]) -> Person:
    """Return the template's record with one member's facts in place of its own; the template's papers are not theirs."""
    record = copy.deepcopy(template)
    identity = record["identity"]
    identity["names"] = [{"full": member["name"], "kind": "registered"}]
    identity["birth"] = {"date": member["born"]}
    identity["sex"] = member["sex"]
    held_by = member.get("held_by", "person")
    identity["documents"] = [{"kind": member["paper"], "country": "ID", "held_by": held_by}]
    if member["sex"] != "female":
        return Person(record)
    for service in record["needs"]["services"]:
        service["need"] = _WOMEN.get(service["need"], service["need"])
    return Person(record, _WOMEN)


def _numbered_apart(act: Document) -> Document:
    """Leave room in a handover paper's number for the person's own."""
    if "number" not in act.get("handover", {}):
        return act
    return act | {"handover": act["handover"] | {"number": act["handover"]["number"] + "-{}"}}


def _moved(value: Any, by: timedelta, *, born: bool = False) -> Any:
    """Shift every date in a record but those of birth, which also stand in identity numbers."""
    if isinstance(value, dict):
        return {
            name: each if born and name == "date" else _moved(each, by, born=name == "birth")
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_moved(each, by) for each in value]
    if not isinstance(value, str):
        return value
    if day := _DAY.fullmatch(value):
        return (date.fromisoformat(day[1]) + by).isoformat() + day[2]
    if _MOMENT.fullmatch(value):
        return (datetime.fromisoformat(value) + by).isoformat()
    if month := _MONTH.fullmatch(value):
        months = int(month[1]) * 12 + int(month[2]) - 1 + round(by.days / _DAYS_IN_A_MONTH)
        return f"{months // 12:04}-{months % 12 + 1:02}{month[3]}"
    return value

"""`docs/schema/`: a page for each section of the record, and the first page, made from the models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo

from app.policy.table import KINDS, PURPOSES
from schemas import SCHEMA_VERSION, SECTION_MODELS, Record
from schemas.codes import LIST_OF, label
from schemas.codes.agencies import AgencyKind
from schemas.codes.base import CodeEnum
from schemas.codes.disclosure import DataClass
from schemas.codes.referral import Purpose
from schemas.documents.htcds_names import htcds_names
from schemas.documents.json_schema import HTCDS, record_schema
from schemas.documents.meanings import in_indonesian, meaning_of
from schemas.documents.rules import OF_THE_EXCHANGE, RULES
from schemas.documents.sensitivity import DATA_CLASSES
from schemas.documents.types import NAMED
from schemas.labels import field_label
from schemas.record.common import SectionBase
from schemas.shapes import every_model, is_model, shapes

_MADE: Final = "This page is made from the code: `rujukan schema docs --write`.\n"
_WIDTH: Final = 116
_SPELT: Final = {
    "sha256": "SHA-256",
    "imo number": "IMO number",
    "isic class": "ISIC class",
    "hours aday": "hours a day",
}
_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")

Model = type[BaseModel]


def pages(sample: dict[str, Any]) -> dict[str, str]:
    """Return every page by file name; `sample` is the record the examples come from."""
    return {"README.md": _first_page()} | {f"{name}.md": _section_page(name, sample[name]) for name in SECTION_MODELS}


def _first_page() -> str:
    every = _table(
        ("section", "what it holds", "isi", "data class"),
        (
            (
                f"[`{name}`]({name}.md)",
                meaning_of(Record, name).en,
                meaning_of(Record, name).id,
                ", ".join(label("data_class", code, "en").split(" (")[0] for code in DATA_CLASSES[name]) or "–",
            )
            for name in SECTION_MODELS
        ),
    )
    told = _table(("member", "form", "meaning", "arti"), _rows(SectionBase, "README"))
    types = _table(
        ("form", "meaning", "arti", "bounds"),
        (
            (f'<a id="{name.lower()}"></a>{_words(name)}', _cell(said), _cell(in_indonesian(name)), _bounds(name))
            for name, (_, said) in _used_types()
        ),
    )
    rules = _table(
        ("code of the error", "rule"), ((f"`{rule.code}`", _cell(rule.says)) for rule in (*OF_THE_EXCHANGE, *RULES))
    )
    return f"""\
# The record

A record is what travels with a referral or a transfer: one person, in sections. Each section has one sensitivity, and each can be left
out: a receiver gets what its purpose needs.

*{meaning_of(Record).id}*

| | |
|---|---|
| version | `{SCHEMA_VERSION}`: [what a later one may change](versions.md) |
| JSON Schema | [record-{SCHEMA_VERSION}.json](../../openapi/schemas/record-{SCHEMA_VERSION}.json), `GET /v1/schemas/record-{SCHEMA_VERSION}.json` |
| a whole example | [record.json](../../openapi/examples/record.json), an invented fisher; the pages of the sections show it in parts |
| code lists | [about them](codes.md), `GET /v1/code-lists` |
| other standards | [HTCDS 2.0, field by field](htcds.md), [FHIR](fhir.md) |
| what is checked | [errors and warnings](checks.md) |

{_MADE}
## Sections

{every}
The data class is that of UU 27/2022 art 4. Besides, every section tells that somebody is a victim of trafficking, which UU 21/2007 art 44 keeps
confidential: so all of them are specific data by another law (`specific_other_law`), and each is encrypted by itself. The classes are our
reading, for a protection officer to confirm.

Who may see a section follows from [the policy](../../app/policy/table.py): the *purpose* of a referral must need it, the receiver's *kind* must be
allowed to hold it, and a *basis* (consent, a legal obligation, …) must cover it. Nothing is trimmed: a request that includes more is refused, with
the sections named. Until the receiver has accepted it sees the [preview](../../openapi/schemas/preview-{SCHEMA_VERSION}.json) only.

## What is left out

* A member that is absent, or null, was not included. It says nothing about the person.
* *Unknown*, *not asked* and *declined* are three answers, and every list of answers has them. Beside a list or a number stands
  `…_missing`, which takes one of the three.
* Nothing is invented to fill a field: no first of January, no second name, no "no" for a question nobody asked.

## Who told it

Every section but `extensions` can say whose words its facts are, so that nobody is asked twice.

{told}
## Forms

What a value looks like, where it is no code. The JSON Schema has the exact patterns.

{types}
## Rules in words

A document that fits the JSON Schema can still be refused, for one of these reasons and for no other:

{rules}
{HTCDS}
"""


def _section_page(name: str, example: Any) -> str:
    kind = SECTION_MODELS[name]
    means = meaning_of(kind)
    extensions = issubclass(kind, RootModel)
    parts = [] if extensions else [_part(each, name) for each in _home()[name]]
    return (
        f"""\
# {label("section", name, "en")} · {label("section", name)}

{means.en} *{means.id}*

| | |
|---|---|
| member of the record | `{name}` |
| data class | {_codes([*DATA_CLASSES[name], DataClass.SPECIFIC_OTHER_LAW], "data_class")} |
| purposes that open it | {_some([each for each in Purpose if name in PURPOSES[each]], list(Purpose), "purpose")} |
| agencies that may hold it | {_some([each for each in AgencyKind if name in KINDS.get(each, ())], list(AgencyKind), "agency_kind")} |

[All sections](README.md) · [the policy in full](../../app/policy/table.py)

{_MADE}
{_EXTENSIONS if extensions else _IN_TABLES}
## Example

```json
{pretty({name: example})}
```

{"".join(parts)}""".rstrip("\n")
        + "\n"
    )


_IN_TABLES: Final = (
    "**Bold** members are required where the object is given. Members link to the lists and objects they are made of.\n"
)
_EXTENSIONS: Final = """\
What an agency needs and the record does not have stands here, under the agency's code in the directory: a JSON object of its own, passed
through untouched and never read by the exchange. At most ten agencies, 64 KB together, nested eight deep. A receiver that does not know an extension
ignores it; what others should understand belongs into the next version of the record.
"""


def _part(kind: Model, page: str) -> str:
    means = meaning_of(kind)
    section = kind is SECTION_MODELS[page]
    # A section's own meaning stands at the head of its page.
    said = "Besides [who told it](README.md#who-told-it):" if section else f"{means.en} *{means.id}*"
    title = "Members" if section else _title(kind)
    return f"## {title}\n\n{said}\n\n{_table(('member', 'form', 'meaning', 'arti'), _rows(kind, page))}\n"


def _rows(kind: Model, page: str) -> Iterator[tuple[str, str, str, str]]:
    hints = get_type_hints(kind, include_extras=True)
    shared = SectionBase.model_fields if kind is not SectionBase else {}
    for name, field in kind.model_fields.items():
        if issubclass(kind, SectionBase) and name in shared:
            continue
        means = meaning_of(kind, name)
        named = htcds_names(kind, name)
        standard = f"<br>HTCDS {', '.join(f'[`{each}`](htcds.md#{each})' for each in named)}" if named else ""
        path = f"{_path_of(kind)}.{name}"
        yield (
            f"**`{name}`**" if field.is_required() else f"`{name}`",
            _form(hints[name], page),
            _cell(_led_by(field_label(path, "en"), means.en)) + standard,
            _cell(_led_by(field_label(path, "id"), means.id)),
        )


def _led_by(name: str, meaning: str) -> str:
    """A meaning after the short name that forms use; where it begins with that name, the name is not said twice."""
    start = 4 if meaning.lower().startswith(f"the {name.lower()}") else 0
    end = start + len(name)
    if meaning[start:end].lower() == name.lower() and not meaning[end].isalnum():
        return f"**{meaning[:end]}**{meaning[end:]}"
    return f"**{name}.** {meaning}"


def _form(kind: Any, page: str) -> str:
    for name, (known, _) in NAMED.items():
        if kind == known:
            return f"[{_words(name)}]({'' if page == 'README' else 'README.md'}#{name.lower()})"
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return " or ".join(_form(part, page) for part in get_args(kind) if part is not NoneType)
    if origin is tuple:
        return f"list of {_form(get_args(kind)[0], page)}"
    if origin is Annotated:
        return _annotated(kind, page)
    if isinstance(kind, type) and issubclass(kind, CodeEnum):
        name = LIST_OF[kind]
        return f"code [{name}](../../schemas/codes/lists/{name}.csv)"
    if is_model(kind):
        return f"[{_title(kind)}]({_anchor(kind, page)})"
    return {int: "whole number", float: "number", str: "text", bool: "true or false", UUID: "id (a UUID)"}[kind]


def _annotated(kind: Any, page: str) -> str:
    inner, *metadata = get_args(kind)
    said = _form(inner, page)
    limits = [rule for item in metadata for rule in (item.metadata if isinstance(item, FieldInfo) else [item])]
    least = next((rule.min_length for rule in limits if isinstance(rule, MinLen)), 0)
    most = next((rule.max_length for rule in limits if isinstance(rule, MaxLen)), None)
    if get_origin(inner) is tuple and most is not None:
        # As many as there are codes says nothing: each once is enough.
        codes = get_args(inner)[0]
        whole = isinstance(codes, type) and issubclass(codes, Enum) and most == len(codes)
        return said if whole else f"{said}, {f'{least} to {most}' if least else f'at most {most}'}"
    low = next((rule.ge for rule in limits if isinstance(rule, Ge)), None)
    high = next((rule.le for rule in limits if isinstance(rule, Le)), None)
    return f"{said}, {low} to {high}" if low is not None else said


@lru_cache(maxsize=1)
def _home() -> dict[str, list[Model]]:
    """The models each section's page describes: those no earlier page has."""
    seen: set[Model] = set()
    homes: dict[str, list[Model]] = {}
    for name, kind in SECTION_MODELS.items():
        homes[name] = [each for each in every_model(kind) if each not in seen]
        seen.update(homes[name])
    return homes


@lru_cache(maxsize=1)
def _paths() -> dict[Model, str]:
    """Where in the record each model first stands, as its fields' labels are filed."""
    found: dict[Model, str] = {}

    def meet(kind: Model, path: str) -> None:
        if kind not in found:
            found[kind] = path
            for name, shape in shapes(kind).items():
                if shape.model is not None:
                    meet(shape.model, f"{path}.{name}")

    for name, kind in SECTION_MODELS.items():
        if not issubclass(kind, RootModel):
            meet(kind, name)
    return found


def _path_of(kind: Model) -> str:
    """What all sections share is filed under each of them: the first will do."""
    return _paths()[next(iter(SECTION_MODELS.values())) if kind is SectionBase else kind]


def _anchor(kind: Model, page: str) -> str:
    home = next(name for name, models in _home().items() if kind in models)
    anchor = _title(kind).lower().replace(" ", "-")
    return f"#{anchor}" if home == page else f"{home}.md#{anchor}"


def _title(kind: Model) -> str:
    return _words(kind.__name__).capitalize()


def _words(name: str) -> str:
    said = _WORDS.sub(" ", name).lower()
    return _SPELT.get(said, said)


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    return record_schema()


def _used_types() -> list[tuple[str, tuple[Any, str]]]:
    return [(name, entry) for name, entry in NAMED.items() if name in _schema()["$defs"]]


def _bounds(name: str) -> str:
    schema = _schema()["$defs"][name]
    if "maxLength" in schema:
        return f"at most {schema['maxLength']:,} characters"
    return f"{schema['minimum']:,} to {schema['maximum']:,}" if "maximum" in schema else ""


def _codes(codes: Iterable[str], list_name: str) -> str:
    return ", ".join(f"{label(list_name, code, 'en').split(' (')[0]} (`{code}`)" for code in codes)


def _some(chosen: list[Any], every: list[Any], list_name: str) -> str:
    """The chosen ones in words; what is missing, where that is shorter."""
    if len(chosen) == len(every):
        return "all"
    if len(chosen) > len(every) * 2 / 3:
        missing = [each for each in every if each not in chosen]
        return "all but: " + "; ".join(label(list_name, each, "en") for each in missing)
    return "; ".join(label(list_name, each, "en") for each in chosen)


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n\n", "<br>").replace("\n", " ")


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def pretty(value: Any, indent: str = "") -> str:
    """Return JSON that is broken into lines only where it would not fit on one."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(flat) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return flat
    deeper = indent + "  "
    if isinstance(value, dict):
        inner = [f"{deeper}{json.dumps(key)}: {pretty(each, deeper)}" for key, each in value.items()]
        return "{\n" + ",\n".join(inner) + f"\n{indent}}}"
    return "[\n" + ",\n".join(deeper + pretty(each, deeper) for each in value) + f"\n{indent}]"

"""Records as hypothesis makes them: every field of every section, with free text that can be recognised."""

from datetime import UTC, date, datetime, timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from annotated_types import Ge, Le, MaxLen, MinLen
from hypothesis import strategies as st
from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from schemas import base, text
from schemas.record import SECTION_MODELS
from schemas.record.contact import Channel
from schemas.record.extensions import MAX_INTEGER
from schemas.record.identity import Birth, Document
from schemas.record.location import Address
from schemas.record.needs import NeedsSection

MARK = "§"
"""Begins every free text made here, and stands nowhere else."""

SECRET_TAG = "my-x-hush"
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)

_letters = st.text(
    st.characters(
        codec="utf-8",
        exclude_categories=("Cc", "Cs", "Zl", "Zp"),
        exclude_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    ),
    max_size=8,
)
free_text = _letters.map(lambda value: MARK + value)
days = st.dates(date(1800, 1, 1), date(2199, 12, 31))
_FORMS = ("{0}", "{0:.7}", "{0:.4}", "{0:.7}-XX", "{0:.4}-XX", "{0:.4}-XX-XX", "199X", "19XX", "20XX")
partial_dates = st.tuples(days.map(date.isoformat), st.sampled_from(_FORMS), st.sampled_from(("", "?", "~", "%"))).map(
    lambda drawn: drawn[1].format(drawn[0]) + drawn[2]
)
"""EDTF, as much of it as is taken."""
moments = st.integers(0, 10**9).map(lambda seconds: (BEGINNING + timedelta(seconds=seconds)).isoformat())
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)

_KNOWN: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (text.Name, free_text),
    (text.NameAsTyped, free_text),
    (text.Line, free_text),
    (text.Text, free_text),
    (text.Narrative, free_text),
    (text.Number, free_text),
    (text.PartialDate, partial_dates),
    (text.RegionCode, st.sampled_from(("81", "81.07", "81.07.03", "81.07.03.2001"))),
    (text.CountryCode, st.sampled_from(("ID", "MM", "KH", "XK", "YU"))),
    (text.CurrencyCode, st.sampled_from(("IDR", "MMK"))),
    (text.ScriptCode, st.sampled_from(("Mymr", "Arab"))),
    (text.LanguageTag, st.sampled_from(("id", "jav", "zh-Hant-TW", SECRET_TAG))),
    (text.AgencyCode, st.sampled_from(("kemensos", "dinsos-33"))),
    (text.Sha256, digests),
    (UUID, st.uuids().map(str)),
    (base.Day, days.map(date.isoformat)),
    (base.Moment, moments),
    (base.Flag, st.booleans()),
    (base.Count, st.integers(0, 10_000)),
    (base.Age, st.integers(0, 130)),
]


def of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of an annotation, as JSON has them."""
    for known, strategy in _KNOWN:
        if kind == known:
            return strategy
    if get_origin(kind) in (Union, UnionType):
        return st.one_of(*(of(part) for part in get_args(kind) if part is not NoneType))
    if get_origin(kind) is Annotated:
        return _bounded(*get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from([member.value for member in kind])
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return model(kind)
    raise NotImplementedError(kind)


def _bounded(kind: Any, *metadata: Any) -> st.SearchStrategy[Any]:
    constraints: list[Any] = []
    for item in metadata:
        constraints.extend(item.metadata if isinstance(item, FieldInfo) else [item])
    low = next((c.ge for c in constraints if isinstance(c, Ge)), 0)
    high = next((c.le for c in constraints if isinstance(c, Le)), None)
    if kind is int:
        return st.integers(low, high)
    if kind is float:
        return st.floats(low, high, allow_nan=False)
    if kind is str:
        pattern = next(c.pattern for c in constraints if getattr(c, "pattern", None))
        most = next((c.max_length for c in constraints if isinstance(c, StringConstraints)), None)
        return (
            st.from_regex(pattern.replace("$", r"\Z"))
            .filter(lambda value: most is None or len(value) <= most)
            .map(str.strip)
        )
    least = next((c.min_length for c in constraints if isinstance(c, MinLen)), 0)
    most = next(c.max_length for c in constraints if isinstance(c, MaxLen))
    return st.lists(of(get_args(kind)[0]), min_size=least, max_size=min(most, 2))


def model(kind: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """JSON objects of a model, each optional field there or not."""
    hints = get_type_hints(kind, include_extras=True)
    required = {name: of(hints[name]) for name, field in kind.model_fields.items() if field.is_required()}
    optional = {name: of(hints[name]) for name, field in kind.model_fields.items() if not field.is_required()}
    drawn = st.fixed_dictionaries(required, optional=optional)
    return drawn.map(_REPAIRS[kind]) if kind in _REPAIRS else drawn


def _address(drawn: dict[str, Any]) -> dict[str, Any]:
    # Else hardly any record would say where the person is now, which is what a preview shows a part of.
    if "since" in drawn:
        return drawn | {"kind": "current", "place": drawn["place"] | {"region": "81.07.03.2001"}}
    return drawn


def _channel(drawn: dict[str, Any]) -> dict[str, Any]:
    if drawn["kind"] in ("mobile_phone", "home_phone", "whatsapp"):
        return drawn | {"value": "+628110000012"}
    return drawn | {"value": "hush@contoh.example"} if drawn["kind"] == "email" else drawn


def _document(drawn: dict[str, Any]) -> dict[str, Any]:
    if "number" in drawn and drawn["kind"] in ("nik", "family_card"):
        return drawn | {"number": "9901010101900001"}
    return drawn


def _birth(drawn: dict[str, Any]) -> dict[str, Any]:
    return drawn | {"as_of": "2026-01-02"} if "estimated_age" in drawn else drawn


def _needs(drawn: dict[str, Any]) -> dict[str, Any]:
    once = {service["need"]: service for service in drawn["services"]}
    if "arrives_from" in drawn and "arrives_until" in drawn:
        drawn["arrives_from"], drawn["arrives_until"] = sorted((drawn["arrives_from"], drawn["arrives_until"]))
    return drawn | {"services": list(once.values())}


_REPAIRS: dict[type[BaseModel], Any] = {
    Address: _address,
    Channel: _channel,
    Document: _document,
    Birth: _birth,
    NeedsSection: _needs,
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | free_text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(free_text, inner, max_size=2),
    max_leaves=5,
)
extensions = st.dictionaries(
    st.sampled_from(("iom-indonesia", "kp2mi")), st.dictionaries(free_text, json_values, max_size=2), max_size=2
)

_sections = {name: extensions if name == "extensions" else model(kind) for name, kind in SECTION_MODELS.items()}

records = st.fixed_dictionaries({}, optional=_sections)
"""Whole records as JSON objects, all of them valid."""

_TOLD = ("identity", "location", "family", "safety", "health", "psychosocial", "legal", "needs")

previewed_records = st.fixed_dictionaries(
    {name: _sections[name] for name in _TOLD},
    optional={name: strategy for name, strategy in _sections.items() if name not in _TOLD},
)
"""Records that include every section a preview draws on."""

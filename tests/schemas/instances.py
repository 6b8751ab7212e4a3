"""Small valid documents of every model, and values to put where they do not belong."""

from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, RootModel

from schemas import base, text
from schemas.record import Record
from schemas.shapes import every_model
from tests.makers.sealed_page import JWE, KID

_VALUES: list[tuple[Any, Any]] = [
    (text.LanguageTag, "id"),
    (text.CountryCode, "ID"),
    (text.CurrencyCode, "IDR"),
    (text.AgencyCode, "kemensos"),
    (base.Day, "2026-11-03"),
]


def value_of(kind: Any) -> Any:
    """A valid value of an annotation, the smallest there is."""
    for known, value in _VALUES:
        if kind == known:
            return value
    origin = get_origin(kind)
    if origin is Annotated:
        return value_of(get_args(kind)[0])
    if origin in (Union, UnionType):
        return value_of(next(part for part in get_args(kind) if part is not NoneType))
    if origin is tuple:
        return [value_of(get_args(kind)[0])]
    if issubclass(kind, RootModel):
        return {}
    if issubclass(kind, BaseModel):
        return smallest(kind)
    if issubclass(kind, Enum):
        return next(iter(kind)).value
    return {str: "a", int: 1, float: 1.5}[kind]


SEALED: dict[str, dict[str, Any]] = {
    "SealedSection": JWE,
    "SealedRecipient": JWE["recipients"][0],
    "RecipientHeader": {"kid": KID},
    "EphemeralKey": {"kty": "OKP", "crv": "X25519", "x": "a" * 43},
}
"""What no rule makes up: the example of docs/sealed.md."""


def smallest(kind: type[BaseModel]) -> dict[str, Any]:
    """A document of the model with what it requires and nothing else."""
    if kind.__name__ in SEALED:
        return SEALED[kind.__name__]
    hints = get_type_hints(kind, include_extras=True)
    made = {name: value_of(hints[name]) for name, field in kind.model_fields.items() if field.is_required()}
    return made | ({"kind": "via_agency"} if kind.__name__ == "Channel" else {})


def variants(kind: type[BaseModel]) -> list[dict[str, Any]]:
    """Members whose values decide how another is written; the first set is empty."""
    more: dict[str, list[dict[str, Any]]] = {
        "Channel": [
            {"kind": "mobile_phone", "value": "+628110000012"},
            {"kind": "email", "value": "hush@contoh.example"},
        ],
        "Document": [
            {"kind": "nik", "number": "9901010101900001"},
            {"kind": "family_card", "number": "9901010101150001"},
        ],
        "Birth": [{"estimated_age": 16, "as_of": "2026-11-03"}],
        "NeedsSection": [{"arrives_from": "2026-11-03T07:00:00Z", "arrives_until": "2026-11-03T16:00:00+09:00"}],
    }
    return [{}, *more.get(kind.__name__, ())]


def models() -> dict[str, type[BaseModel]]:
    """Every model a record can have in it, by name."""
    return {kind.__name__: kind for kind in every_model(Record)}


NUMBERS = (
    True,
    False,
    0,
    1,
    -1,
    1.0,
    -0.0,
    1.5,
    24,
    24.0,
    25,
    45,
    46,
    130,
    131,
    1e3,
    10_000,
    10_001,
    10**15,
    10**15 + 1,
)
HUGE = (2**53, 2**53 + 1, 2**63, 2**64, 10**40, -(10**40), 1e15, 1e16, 1e308, 1e-320)
DAYS = (
    *("2026-11-03", "2024-02-29", "2023-02-29", "2000-02-29", "1900-02-29", "2100-02-29", "2026-02-30", "2026-04-31"),
    *("1799-12-31", "1800-01-01", "1800-02-29", "2100-12-31", "2199-12-31", "2200-01-01", "0000-01-01", "9999-12-31"),
    *("2026-1-1", "20260101", "2026-W05-1", "2026-13", "2026-00", "2026-12", "2026", "1799", "2200", "26", "12026"),
    *("199X", "19XX", "1998-XX", "1998-04-XX", "1998-XX-01", "XXXX", "1998?", "1998-04~", "1998-04-12%", "1998??"),
    *("2026-11-03\n", " 2026-11-03", "2026-11-03 ", "２０２６-11-03", "2026-11-03T00:00:00", "1762128000", "46330"),
)
MOMENTS = (
    *(
        "2026-11-03T07:00:00Z",
        "2026-11-03t07:00:00z",
        "2026-11-03 07:00:00Z",
        "2026-11-03T07:00Z",
        "2026-11-03T07:00:00",
    ),
    *(
        "2026-11-03T24:00:00Z",
        "2026-11-03T23:59:60Z",
        "2026-11-03T23:59:59.123456789Z",
        "2026-11-03T23:59:59.1234567890Z",
    ),
    *(
        "2026-11-03T07:00:00+09:00",
        "2026-11-03T07:00:00-00:00",
        "2026-11-03T07:00:00+24:00",
        "2026-11-03T07:00:00+0900",
    ),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z"),
    *("2026-11-03T07:00:00Z\n", "2026-11-03T07:00:00.Z", "2026-11-03T07:00:00,5Z", "2026-11-03T07:60:00Z"),
)
SPACES = (
    *(
        "",
        " ",
        "\t",
        "\n",
        "\r\n",
        "\xa0",
        "\u200b",
        "\u2028",
        "\u3000",
        "\ufeff",
        " a ",
        "a\n",
        "\na",
        "a\n\nb",
        "a\tb",
    ),
    *(
        "a\x85",
        "a\xa0",
        "\u2028a",
        "a\u2029",
        "\x1fa",
        "a\x1c",
        "\u00a0a\u00a0",
        "\u2003a",
        "a\u200b",
        "\u200d",
        "\xad",
    ),
)
SCRIPTS = (
    *("é", "e\u0301", "မင်းဇော်", "ព្រះ", "محمد", "\u202ea", "a\u2066", "\x00", "a\x7f", "a\x9f", "𝕬", "👩‍👩‍👧", "ﬁ"),
    *("\u0958" * 250, "\U0001d15e" * 20, "\u0958" * 32, "\u0958" * 5000),
)
LENGTHS = (
    *("a" * n for n in (2, 3, 16, 17, 63, 64, 65, 200, 201, 254, 255, 500, 501, 10_000, 10_001, 50_000, 50_001)),
    *(" " * 10 + "a" * 60, "a" * 499 + " ", "a" * 500 + " "),
)
CODES = (
    *(
        "yes",
        "Yes",
        "yes ",
        "unknown",
        "other",
        "ID",
        "id",
        "ZZ",
        "SU",
        "XK",
        "IDR",
        "idr",
        "XXX",
        "Latn",
        "latn",
        "Zzzz",
    ),
    *(
        "kp2mi",
        "kp2mi\n",
        "kp2mi ",
        "-a-",
        "a-b",
        "a--b",
        "jv",
        "JV",
        "x-hush",
        "zh-Hant-TW",
        "my-x-hush",
        "id_ID",
        "i-klingon",
    ),
    *("33", "33.29", "33.29.01", "33.29.01.2001", "33.29.01.200", "3329", "03", "33.29\n", "001", "1", "0011", "１"),
    *(
        "01",
        "0311",
        "0400",
        "04",
        "031",
        "A00",
        "A00.1",
        "a00",
        "A00.12345",
        "A00\n",
        "40111",
        "AB 12",
        "-1",
        "a\u0130",
        "1234567",
    ),
    *("1234568", "f" * 64, "F" * 64, "g" * 64, "f" * 63, "f" * 64 + "\n", "１" * 7),
)
NUMBERS_TYPED = (
    *(
        "+628110000012",
        "0811-0000-0012",
        "628110000012",
        "08110000012.0",
        "8110000012",
        "+62 (811) 0000 012",
        "+620811000012",
    ),
    *(
        "+62811",
        "+999123456789",
        "(021) 5550000",
        "+8812345678901",
        "٠٨١١٠٠٠٠٠١٢",
        "+1" * 9,
        "+",
        "081100000120811000001208110000",
    ),
    *(
        "hush@contoh.example",
        "hush@contoh",
        "@contoh.example",
        "hush@contoh.example ",
        "a b@contoh.example",
        "a@b..c",
        "a@b.c\n",
    ),
    *(
        "9901010101900001",
        "9901010101900000",
        "9901013102900001",
        "99.01.01.010190.0001",
        "99 0101 010190 0001",
        "990101010190000",
    ),
    *(
        "9901012902000001",
        "9901012902010001",
        "9901017102000001",
        "9901016902000001",
        "9,90101010190000E+15",
        "9901010101900001.0",
    ),
)
SHAPES = ([], [[]], {}, {"a": 1}, [None], ["yes"], ["yes", "yes"], ["ID"] * 11, ["a"] * 41, [{}], [1], None)
ODD: tuple[Any, ...] = NUMBERS + HUGE + DAYS + MOMENTS + SPACES + SCRIPTS + LENGTHS + CODES + NUMBERS_TYPED + SHAPES
"""Values of every kind, most of them wrong in most places."""
A_FEW: tuple[Any, ...] = (*SHAPES, "", "a", "a\n", " a ", "yes", "2026", True, 1, 1.0, 1.5, -1)
"""One of most kinds."""

"""What the models ask for and JSON Schema cannot say, or can say only beside the fields.

`CONDITIONS` are said in JSON Schema, by model. `RULES` are said in words: a document that the JSON Schema takes may
still be refused by the models, and then for one of these reasons and no other. Tests hold both to the models.
"""

from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from schemas.codes.services import Need
from schemas.record.extensions import ExtensionsSection
from schemas.record.identity import Birth
from schemas.record.needs import NeedsSection


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in words, with the code of the error that it is broken by."""

    code: str
    at: str
    """The definition it belongs to, or `Record`."""
    says: str


RULES: Final[tuple[Rule, ...]] = (
    Rule("arrival_reversed", "NeedsSection", "`arrives_until` is not before `arrives_from`."),
    Rule("phone_impossible", "Channel", "There are phone numbers of that form and length in the country of the code."),
    Rule("string_too_long", "Text", "The most characters hold of the text in NFC, to which few characters grow."),
    Rule("extensions_depth", "ExtensionsSection", "An agency's object is nested at most 8 deep."),
    Rule("extensions_size", "ExtensionsSection", "All extensions together are at most 64 KB of JSON in UTF-8."),
    Rule("extensions_number", "ExtensionsSection", "A whole number is at most 2^53 - 1 (RFC 7493 §2.2), or below."),
    Rule("epk_of_its_curve", "EphemeralKey", "`EC` with `P-256`, `x` and `y`; or `OKP` with `X25519` and `x`."),
    Rule("header_unreadable", "SealedSection", "`protected` is base64url of JSON in ASCII."),
    Rule("header_not_compact", "SealedSection", "That is an object without white space, each member once."),
    Rule("compressed", "SealedSection", "It has no `zip`."),
    Rule(
        "header_member",
        "SealedSection",
        "It has `enc`, `typ`, `cty`, `section` and `schema_version`, perhaps `alg`, with one recipient perhaps `epk`, and nothing else.",
    ),
    Rule("algorithm", "SealedSection", "`enc` is `A256GCM` and `alg` `ECDH-ES+A256KW`."),
    Rule("type", "SealedSection", "`typ` is `rujukan-section` and `cty` `json`."),
    Rule("header_once", "SealedSection", "`alg` and `epk` stand in one header of each recipient, not in both."),
    Rule("recipient_twice", "SealedSection", "Each recipient's key is named once."),
    Rule("another_section", "SealedSections", "`section` in the protected header is the name it stands under."),
    Rule("another_version", "SealedSections", "`schema_version` in the protected header is that of the record."),
    Rule("sealed_and_plain", "Record", "A section is sealed or plain, never both."),
)

OF_THE_EXCHANGE: Final[tuple[Rule, ...]] = (
    Rule("record_too_large", "Record", "The sections are at most 256 KB of JSON in UTF-8, without what is null."),
)
"""Asked by the exchange when a record arrives, not by the models."""


def _once(need: Need) -> dict[str, Any]:
    named = {"type": "object", "properties": {"need": {"const": need.value}}, "required": ["need"]}
    return {"contains": named, "minContains": 0, "maxContains": 1}


_PLAIN: Final = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$"

CONDITIONS: Final[dict[type[BaseModel], dict[str, Any]]] = {
    Birth: {
        "if": {"properties": {"estimated_age": {"type": "integer"}}, "required": ["estimated_age"]},
        "then": {"properties": {"as_of": {"type": "string"}}, "required": ["as_of"]},
    },
    NeedsSection: {"properties": {"services": {"allOf": [_once(need) for need in Need]}}},
}
"""What is added to a model's definition; members of `properties` are added to those of the fields."""

_VALUE: Final = {"$ref": "#/$defs/ExtensionValue"}

EXTENSIONS: Final[dict[str, dict[str, Any]]] = {
    "ExtensionsSection": {
        "title": "ExtensionsSection",
        "description": ExtensionsSection.__doc__,
        "type": "object",
        "propertyNames": {"$ref": "#/$defs/AgencyCode"},
        "additionalProperties": {"type": "object", **_VALUE},
        "maxProperties": 10,
    },
    "ExtensionValue": {
        "title": "ExtensionValue",
        "description": "Any JSON, without control characters and bidirectional overrides in its strings.",
        "pattern": _PLAIN,
        "items": _VALUE,
        "propertyNames": {"pattern": _PLAIN},
        "additionalProperties": _VALUE,
    },
}
"""The definitions of what is JSON and nothing more, which Pydantic leaves open."""

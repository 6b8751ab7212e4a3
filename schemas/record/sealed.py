"""Sealed sections: encrypted by the sender to the receiving agency's own key, so that the exchange cannot read them.

A sealed section is a JWE in General JSON Serialization (RFC 7516 §7.2.1), narrower than the RFC on purpose: one content encryption, one
way to agree on keys, nothing compressed, and no header in which something could be said in clear.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Count, Wire
from schemas.codes.answers import Answer
from schemas.codes.health import InfectionPrecaution, SelfHarmWatch
from schemas.codes.person import AgeBand, Sex
from schemas.text import CountryCode

SEALED_TYPE: Final = "rujukan-section"
"""The protected header's `typ`: what tells a sealed section from every other JWE to the same key."""
SEALED_ALG: Final = "ECDH-ES+A256KW"
SEALED_ENC: Final = "A256GCM"
MAX_RECIPIENTS: Final = 20
"""A receiver has few keys at a time; a correction goes to every holder."""
MAX_CIPHERTEXT: Final = 350_000
"""Characters: what is as large as a record may be, and a little more."""
NEVER_SEALED: Final = frozenset({"needs", "safety"})
"""Whoever is asked must be able to say yes or no, and whoever takes the person in must know what keeps them safe."""

_Encoded = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]
_Coordinate = Annotated[_Encoded, Field(min_length=43, max_length=43)]
KeyThumbprint = Annotated[_Encoded, Field(min_length=43, max_length=43)]
"""The SHA-256 thumbprint of a public key (RFC 7638), by which encryption keys are always called here."""

PrimaryLanguage = Annotated[str, StringConstraints(max_length=3, pattern=r"^[a-z]{2,3}$")]
"""The first subtag only: private subtags may say anything."""

Regency = Annotated[str, StringConstraints(max_length=5, pattern=r"^[1-9][0-9](?:\.[0-9]{2})?$")]
"""A province, or a regency or city."""


class EphemeralKey(Wire):
    """The sender's half of the agreement, made for this one recipient (RFC 7518 §4.6.1.1)."""

    kty: Literal["EC", "OKP"]
    crv: Literal["P-256", "X25519"]
    x: _Coordinate
    y: _Coordinate | None = None

    @model_validator(mode="after")
    def _of_its_curve(self) -> Self:
        if (self.kty, self.y is not None) != (("EC", True) if self.crv == "P-256" else ("OKP", False)):
            raise PydanticCustomError("epk_of_its_curve", "EC with P-256, x and y; or OKP with X25519 and x")
        return self


class RecipientHeader(Wire):
    """What one recipient needs besides the protected header."""

    alg: Literal["ECDH-ES+A256KW"] | None = None
    kid: KeyThumbprint
    """Whose key: the thumbprint, as `GET /v1/agencies/{code}/encryption-keys` gives it."""
    epk: EphemeralKey | None = None


class SealedRecipient(Wire):
    """The content key, wrapped for one recipient."""

    header: RecipientHeader
    encrypted_key: Annotated[_Encoded, Field(min_length=54, max_length=54)]


class SealedSection(Wire):
    """A section as a JWE: A256GCM, its key wrapped by ECDH-ES+A256KW for each recipient.

    The protected header is compact JSON and has `enc`, `typ` (`rujukan-section`), `cty` (`json`), `section` and `schema_version`; it may have
    `alg`, and `epk` where there is one recipient; nothing else. There is no `unprotected`, no `aad`, no `zip`.
    """

    protected: Annotated[_Encoded, Field(max_length=1000)]
    recipients: Annotated[tuple[SealedRecipient, ...], Field(min_length=1, max_length=MAX_RECIPIENTS)]
    iv: Annotated[_Encoded, Field(min_length=16, max_length=16)]
    ciphertext: Annotated[_Encoded, Field(max_length=MAX_CIPHERTEXT)]
    tag: Annotated[_Encoded, Field(min_length=22, max_length=22)]

    def header(self) -> dict[str, Any]:
        """Return the protected header. Raises `PydanticCustomError` unless it is compact JSON, as every library would write it again."""
        try:
            padded = self.protected + "=" * (-len(self.protected) % 4)
            text = urlsafe_b64decode(padded).decode("ascii")
            found: Any = json.loads(text)
            again = json.dumps(found, separators=(",", ":"))
        except (ValueError, RecursionError):
            raise PydanticCustomError("header_unreadable", "The protected header is JSON, in base64url") from None
        if not isinstance(found, dict) or again != text:  # a member that is there twice is lost in reading
            raise PydanticCustomError("header_not_compact", "The protected header is a JSON object without white space")
        return found

    @model_validator(mode="after")
    def _narrow(self) -> Self:
        header = self.header()
        if "zip" in header:
            raise PydanticCustomError("compressed", "A sealed section is never compressed")
        alone = len(self.recipients) == 1
        if not set(header) <= {"alg", "enc", "typ", "cty", "section", "schema_version", *(("epk",) if alone else ())}:
            raise PydanticCustomError("header_member", "The protected header has a member that is not taken")
        if header.get("enc") != SEALED_ENC or header.get("alg", SEALED_ALG) != SEALED_ALG:
            raise PydanticCustomError("algorithm", "alg is ECDH-ES+A256KW and enc A256GCM")
        if (header.get("typ"), header.get("cty")) != (SEALED_TYPE, "json"):
            raise PydanticCustomError("type", "typ is rujukan-section and cty json")
        if "epk" in header:
            EphemeralKey.model_validate(header["epk"])
        for each in self.recipients:
            given = each.header
            if (given.alg is None) != ("alg" in header) or (given.epk is None) != ("epk" in header):
                raise PydanticCustomError(
                    "header_once", "alg and epk stand in one header of each recipient, not in both"
                )
        if len({each.header.kid for each in self.recipients}) != len(self.recipients):
            raise PydanticCustomError("recipient_twice", "Each recipient's key is named once")
        return self

    def ephemeral_keys(self) -> list[EphemeralKey]:
        """Return the ephemeral key of each recipient."""
        shared = self.header().get("epk")
        return [each.header.epk or EphemeralKey.model_validate(shared) for each in self.recipients]


def _as(section: str) -> Callable[[SealedSection], SealedSection]:
    """Let a sealed section stand only where its header says it belongs, so that none is passed off as another."""

    def check(sealed: SealedSection) -> SealedSection:
        header = sealed.header()
        if header.get("section") != section:
            raise PydanticCustomError("another_section", "The protected header names another section")
        if header.get("schema_version") != "1.0":
            raise PydanticCustomError("another_version", "The protected header names another schema_version")
        return sealed

    return check


class SealedSections(Wire):
    """The sections that are sealed, by name. `needs` and `safety` never are."""

    identity: Annotated[SealedSection, AfterValidator(_as("identity"))] | None = None
    contact: Annotated[SealedSection, AfterValidator(_as("contact"))] | None = None
    location: Annotated[SealedSection, AfterValidator(_as("location"))] | None = None
    family: Annotated[SealedSection, AfterValidator(_as("family"))] | None = None
    identification: Annotated[SealedSection, AfterValidator(_as("identification"))] | None = None
    exploitation: Annotated[SealedSection, AfterValidator(_as("exploitation"))] | None = None
    health: Annotated[SealedSection, AfterValidator(_as("health"))] | None = None
    psychosocial: Annotated[SealedSection, AfterValidator(_as("psychosocial"))] | None = None
    legal: Annotated[SealedSection, AfterValidator(_as("legal"))] | None = None
    migration: Annotated[SealedSection, AfterValidator(_as("migration"))] | None = None
    narrative: Annotated[SealedSection, AfterValidator(_as("narrative"))] | None = None
    attachments: Annotated[SealedSection, AfterValidator(_as("attachments"))] | None = None
    extensions: Annotated[SealedSection, AfterValidator(_as("extensions"))] | None = None

    def by_name(self) -> dict[str, SealedSection]:
        """Return those that are there."""
        return {name: each for name, each in self.__dict__.items() if each is not None}


class PreviewDependants(Wire):
    """Those who must stay together with the person."""

    count: Count
    age_bands: Annotated[tuple[AgeBand, ...], Field(max_length=20)] = ()
    """One for each of them."""


class SealedPreview(Wire):
    """What the preview says of sections that are sealed: the exchange cannot draw it from them.

    For each sealed section all its parts are given; null, or an empty list, says that it is not known. Nothing of a section that is not sealed.
    """

    age_band: AgeBand | None = None
    age_disputed: Answer | None = None
    sex: Sex | None = None
    languages: Annotated[tuple[PrimaryLanguage, ...], Field(max_length=20)] = ()
    foreign_national: Answer | None = None
    country: CountryCode | None = None
    """Of `location`: the country where the person is now."""
    region: Regency | None = None
    dependants: PreviewDependants | None = None
    guardian_suspected: Answer | None = None
    """Of `family`: with `yes` the guardian is barred, and whoever takes the person in is told."""
    custody_or_investigation: Answer | None = None
    """Of `legal`."""
    infectious: InfectionPrecaution | None = None
    medicines: Answer | None = None
    self_harm_watch: SelfHarmWatch | None = None


PREVIEW_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "identity": ("age_band", "age_disputed", "sex", "languages", "foreign_national"),
    "location": ("country", "region"),
    "family": ("dependants", "guardian_suspected"),
    "legal": ("custody_or_investigation",),
    "health": ("infectious", "medicines"),
    "psychosocial": ("self_harm_watch",),
}
"""What a sender supplies when it seals a section the preview draws on."""


def check_preview(sealed: SealedSections | None, preview: SealedPreview | None) -> None:
    """Raise `PydanticCustomError` unless the preview has all parts of the sealed sections, and no others."""
    names = sealed.by_name() if sealed else {}
    wanted = [part for section in names for part in PREVIEW_PARTS.get(section, ())]
    given = preview.model_fields_set if preview else set()
    if missing := [part for part in wanted if part not in given]:
        raise PydanticCustomError(
            "sealed_preview_incomplete",
            "sealed_preview lacks what the preview says of sealed sections: {missing}",
            {"missing": ", ".join(missing)},
        )
    if not given <= set(wanted):
        raise PydanticCustomError(
            "sealed_preview_unasked", "sealed_preview says something of a section that is not sealed"
        )

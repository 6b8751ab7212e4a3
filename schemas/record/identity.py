"""Who the person is, as far as they and their papers say."""

from typing import Annotated, Any, Self
from unicodedata import is_normalized

from pydantic import (
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.base import Age, Day, Wire
from schemas.codes.answers import Answer, Missing
from schemas.codes.person import (
    AgeBand,
    DocumentKind,
    Education,
    Gender,
    HeldBy,
    Literacy,
    NameKind,
    Sex,
    Statelessness,
)
from schemas.record.common import SectionBase
from schemas.record.nik import FAMILY_CARD_PATTERN, NIK_PATTERN, family_card_number, nik_number
from schemas.text import CountryCode, LanguageTag, Line, Name, NameAsTyped, Number, PartialDate, ScriptCode


class PersonName(Wire):
    """A name. Only the whole of it is ever needed: one word is a complete name."""

    full: Name
    """As the person says or writes it. Of a single name, HTCDS `prs_FirstName`."""
    typed: NameAsTyped | None = None
    """The full name in the characters that were typed, where NFC wrote it anew: the exchange adds it, a sender may."""
    kind: NameKind | None = None
    prefix: Name | None = None
    """HTCDS `prs_Salutation`."""
    given: Name | None = None
    """HTCDS `prs_FirstName`; only where the person divides the name so."""
    middle: Name | None = None
    """HTCDS `prs_MiddleName`."""
    family: Name | None = None
    """HTCDS `prs_SecondName`."""
    script: ScriptCode | None = None
    """The script it is written in here, where it is not Latin."""

    @model_validator(mode="wrap")
    @classmethod
    def _keep_what_was_typed(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        # Afterwards, so that a full name that is refused is refused once.
        name = handler(given)
        if name.typed is not None or name.full.isascii() or not isinstance(given, dict):
            return name
        full = given["full"]
        return name if is_normalized("NFC", full) else name.model_copy(update={"typed": full})


class Birth(Wire):
    """When the person was born: a date as exact as it is known, or an age somebody estimated. HTCDS `prs_Birthdate`."""

    date: PartialDate | None = None
    """As exact as it is known, by EDTF. No day or month is ever invented."""
    estimated_age: Age | None = None
    as_of: Day | None = None
    """The day the estimate was made."""
    age_band: AgeBand | None = None
    """Where no number is known."""
    disputed: Answer | None = None
    """Whether the age is in doubt; the person is treated as a child meanwhile."""
    place: Line | None = None
    """Place of birth, as told or printed."""
    missing: Missing | None = None
    """Why neither date nor age is given."""

    @model_validator(mode="after")
    def _an_estimate_has_a_day(self) -> Self:
        if self.estimated_age is not None and self.as_of is None:
            raise PydanticCustomError("estimate_without_day", "An estimated age needs as_of, the day of the estimate")
        return self


class Document(Wire):
    """A personal paper, also one the person has lost or somebody else keeps."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {
                    "if": {"properties": {"kind": {"const": kind.value}}, "required": ["kind"]},
                    "then": {"properties": {"number": {"pattern": pattern}}},
                }
                for kind, pattern in (
                    (DocumentKind.NIK, NIK_PATTERN),
                    (DocumentKind.FAMILY_CARD, FAMILY_CARD_PATTERN),
                )
            ]
        }
    )

    kind: DocumentKind
    number: Number | None = None
    """Of a NIK, HTCDS `prs_IdentityNumber`."""
    country: CountryCode | None = None
    """The country that issued it."""
    issuer: Line | None = None
    issued_on: PartialDate | None = None
    expires_on: PartialDate | None = None
    held_by: HeldBy | None = None
    """Who has it now."""
    in_own_name: Answer | None = None
    """Whether it carries the person's own name and date of birth."""
    note: Line | None = None

    @field_validator("number")
    @classmethod
    def _as_its_kind_is_written(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        match info.data.get("kind"):
            case DocumentKind.NIK:
                return nik_number(value)
            case DocumentKind.FAMILY_CARD:
                return family_card_number(value)
            case _:
                return value


class ExternalId(Wire):
    """The person's number in another system."""

    system: Line
    number: Number


class IdentitySection(SectionBase):
    """Names, birth, sex, nationality, languages and papers."""

    names: Annotated[tuple[PersonName, ...], Field(max_length=20)] = ()
    """The name the person goes by first, then any others."""
    names_missing: Missing | None = None
    """Why no name is given."""
    birth: Birth | None = None
    sex: Sex | None = None
    gender: Gender | None = None
    """HTCDS `prs_Gender`."""
    nationalities: Annotated[tuple[CountryCode, ...], Field(max_length=10)] = ()
    """HTCDS `prs_Citizenship`."""
    nationalities_missing: Missing | None = None
    """Why no nationality is given."""
    statelessness: Statelessness | None = None
    languages: Annotated[tuple[LanguageTag, ...], Field(max_length=20)] = ()
    """The best known first. HTCDS `prs_PrimaryLanguage`, `prs_SecondaryLanguage`."""
    languages_missing: Missing | None = None
    """Why no language is given."""
    literacy: Literacy | None = None
    education: Education | None = None
    """HTCDS `prs_HighestLevelOfEducation`."""
    occupations: Annotated[tuple[Line, ...], Field(max_length=10)] = ()
    """What the person has worked as before."""
    occupations_missing: Missing | None = None
    """Why no occupation is given."""
    documents: Annotated[tuple[Document, ...], Field(max_length=30)] = ()
    documents_missing: Missing | None = None
    """Why no document is named; a person without any is said by `never_issued` or `lost`."""
    deceased: Answer | None = None
    """HTCDS `prs_Deceased`."""
    external_ids: Annotated[tuple[ExternalId, ...], Field(max_length=20)] = ()

"""The victim-referral record: what travels with a referral or a transfer."""

from typing import Final, Literal, Self

from pydantic import BaseModel, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Wire
from schemas.codes.disclosure import Section
from schemas.record.attachments import AttachmentsSection
from schemas.record.contact import ContactSection
from schemas.record.exploitation import ExploitationSection
from schemas.record.extensions import ExtensionsSection
from schemas.record.family import FamilySection
from schemas.record.health import HealthSection
from schemas.record.identification import IdentificationSection
from schemas.record.identity import IdentitySection
from schemas.record.legal import LegalSection
from schemas.record.location import LocationSection
from schemas.record.migration import MigrationSection
from schemas.record.narrative import NarrativeSection
from schemas.record.needs import NeedsSection
from schemas.record.psychosocial import PsychosocialSection
from schemas.record.safety import SafetySection
from schemas.record.sealed import SealedPreview, SealedSections, check_preview

SCHEMA_VERSION: Final = "1.0"
MAX_RECORD_BYTES: Final = 256 * 1024
"""Of the sections as JSON. Whoever writes them to keep or to send them knows their size; measuring it here would double the work."""


class Record(Wire):
    """One person's record in sections, each of one sensitivity and each optional.

    What is absent or null was not included. That a fact is unknown, was not asked or was declined is said by these
    three words, which every list of answers has. `needs` is required when a referral or transfer is sent.
    """

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    """`1.x` only adds."""
    identity: IdentitySection | None = None
    contact: ContactSection | None = None
    location: LocationSection | None = None
    family: FamilySection | None = None
    identification: IdentificationSection | None = None
    exploitation: ExploitationSection | None = None
    safety: SafetySection | None = None
    health: HealthSection | None = None
    psychosocial: PsychosocialSection | None = None
    legal: LegalSection | None = None
    migration: MigrationSection | None = None
    needs: NeedsSection | None = None
    narrative: NarrativeSection | None = None
    attachments: AttachmentsSection | None = None
    extensions: ExtensionsSection | None = None
    sealed: SealedSections | None = None
    """Sections that only the receiving agency can read. A section stands here or beside this, never in both."""
    sealed_preview: SealedPreview | None = None
    """What the preview says of sealed sections, which the exchange cannot draw from them. In requests only."""

    @model_validator(mode="after")
    def _each_section_once(self) -> Self:
        if self.sealed is None and self.sealed_preview is None:
            return self
        sealed = self.sealed.by_name() if self.sealed else {}
        if any(getattr(self, name) is not None for name in sealed):
            raise PydanticCustomError("sealed_and_plain", "A section is sealed or plain, never both")
        return self


SECTIONS: Final[tuple[str, ...]] = tuple(section.value for section in Section)
"""The sections' names, in the order they are always given."""

SECTION_MODELS: Final[dict[str, type[BaseModel]]] = {
    "identity": IdentitySection,
    "contact": ContactSection,
    "location": LocationSection,
    "family": FamilySection,
    "identification": IdentificationSection,
    "exploitation": ExploitationSection,
    "safety": SafetySection,
    "health": HealthSection,
    "psychosocial": PsychosocialSection,
    "legal": LegalSection,
    "migration": MigrationSection,
    "needs": NeedsSection,
    "narrative": NarrativeSection,
    "attachments": AttachmentsSection,
    "extensions": ExtensionsSection,
}
"""The model of each section."""


def included(record: Record) -> tuple[str, ...]:
    """The sections a record includes, in order; without `needs` among them it cannot be sent."""
    sealed = sealed_in(record)
    return tuple(name for name in SECTIONS if name in sealed or getattr(record, name) is not None)


def sealed_in(record: Record) -> tuple[str, ...]:
    """Those of them that are sealed, in order."""
    if record.sealed is None:
        return ()
    sealed = record.sealed.by_name()
    return tuple(name for name in SECTIONS if name in sealed)


def check_sealed_preview(record: Record) -> None:
    """Raise `PydanticCustomError` unless what is sent says of its sealed sections what the preview would."""
    check_preview(record.sealed, record.sealed_preview)

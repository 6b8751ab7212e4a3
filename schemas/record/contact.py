"""How to reach the person without putting them in danger."""

import re
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Wire
from schemas.codes.answers import Answer, Missing
from schemas.codes.person import Relationship
from schemas.codes.places import ChannelKind
from schemas.phone import PHONE_SCHEMA_PATTERN, is_e164, looks_typed, phone_number
from schemas.record.common import SectionBase
from schemas.spaces import OUTER_SPACE
from schemas.text import EMAIL, Line, Name, Text

PHONES = frozenset({ChannelKind.MOBILE_PHONE, ChannelKind.HOME_PHONE, ChannelKind.WHATSAPP})
"""The kinds whose value is a phone number."""
_EMAIL = re.compile(EMAIL)


def as_kept(value: str) -> str:
    """A number as it would be kept, so that two ways of typing it are one; anything else without regard to case."""
    if looks_typed(value):
        try:
            return phone_number(value)
        except PydanticCustomError:
            pass
    return value.casefold()


def _when(kinds: list[ChannelKind], pattern: str) -> dict[str, Any]:
    """Of JSON Schema: how the value of a channel of these kinds is written."""
    return {
        "if": {"properties": {"kind": {"enum": [kind.value for kind in kinds]}}, "required": ["kind"]},
        "then": {"properties": {"value": {"pattern": pattern}}},
    }


class Channel(Wire):
    """A way to reach the person, always with whether it is safe."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                _when(sorted(PHONES), PHONE_SCHEMA_PATTERN),
                _when([ChannelKind.EMAIL], f"^[{OUTER_SPACE}]*{EMAIL}[{OUTER_SPACE}]*$"),
            ]
        }
    )

    kind: ChannelKind
    value: Line
    """A phone number (kept in E.164), an address, or whom to ask. HTCDS `prs_MobilePhone`, `prs_HomePhone`, `prs_Email`."""
    typed: Line | None = None
    """The number as it was typed, where it was written anew: the exchange adds it, a sender may."""
    safe: Answer
    """Whether using it puts nobody in danger; not asked is not yes."""
    belongs_to: Relationship | None = None
    """Whose it is, where it is not the person's own."""
    when: Line | None = None
    """At what times, in which time zone."""
    speak_as: Line | None = None
    """As whom to present oneself."""
    leave_message: Answer | None = None
    """Whether a message may be left."""

    @property
    def is_free_to_use(self) -> bool:
        """Whether anybody may use it at any time without a word of care: other systems keep a number and nothing beside it."""
        told = self.safe is Answer.YES and self.leave_message in (Answer.YES, None)
        return told and self.speak_as is None and self.when is None

    @model_validator(mode="before")
    @classmethod
    def _keep_what_was_typed(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("typed") is not None:
            return given
        kind, value = given.get("kind"), given.get("value")
        if not isinstance(value, str) or not isinstance(kind, str) or kind not in PHONES:
            return given
        return given if is_e164(value.strip()) or not looks_typed(value) else {**given, "typed": value}

    @field_validator("value")
    @classmethod
    def _as_its_kind_is_written(cls, value: str, info: ValidationInfo) -> str:
        kind = info.data.get("kind")
        if kind in PHONES:
            return phone_number(value)
        if kind == ChannelKind.EMAIL and not _EMAIL.fullmatch(value):
            raise PydanticCustomError("email_form", "An e-mail address is written name@domain")
        return value


class DoNotContact(Wire):
    """Somebody who must not be contacted, or learn anything."""

    who: Relationship
    name: Name | None = None
    value: Line | None = None
    """The number or address not to use."""
    reason: Line | None = None


class ContactSection(SectionBase):
    """Channels, and whom not to contact."""

    channels: Annotated[tuple[Channel, ...], Field(max_length=20)] = ()
    channels_missing: Missing | None = None
    """Why no way to reach the person is given; there may be none that is safe."""
    do_not_contact: Annotated[tuple[DoNotContact, ...], Field(max_length=20)] = ()
    note: Text | None = None

    @property
    def barred(self) -> frozenset[str]:
        """The numbers and addresses not to use, each as `as_kept` has it; a channel may name one of them by mistake."""
        return frozenset(as_kept(one.value) for one in self.do_not_contact if one.value is not None)

"""How to reach the person without putting them in danger."""

from typing import Annotated

from pydantic import Field, StringConstraints, TypeAdapter, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from schemas.base import Wire
from schemas.codes.answers import Answer
from schemas.codes.person import Relationship
from schemas.codes.places import ChannelKind
from schemas.record.common import SectionBase
from schemas.text import EMAIL_PATTERN, Line, Name, Text, phone_number

_PHONES = frozenset({ChannelKind.MOBILE_PHONE, ChannelKind.HOME_PHONE, ChannelKind.WHATSAPP})
_EMAIL = TypeAdapter(Annotated[str, StringConstraints(max_length=254, pattern=EMAIL_PATTERN)])


class Channel(Wire):
    """A way to reach the person, always with whether it is safe."""

    kind: ChannelKind
    value: Line
    """A phone number (kept in E.164), an address, or whom to ask. HTCDS `prs_MobilePhone`, `prs_HomePhone`, `prs_Email`."""
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

    @field_validator("value")
    @classmethod
    def _as_its_kind_is_written(cls, value: str, info: ValidationInfo) -> str:
        kind = info.data.get("kind")
        if kind in _PHONES:
            return phone_number(value)
        if kind == ChannelKind.EMAIL and not _is_email(value):
            raise PydanticCustomError("email_form", "An e-mail address is written name@domain")
        return value


def _is_email(value: str) -> bool:
    try:
        _EMAIL.validate_python(value)
    except ValueError:
        return False
    return True


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
    do_not_contact: Annotated[tuple[DoNotContact, ...], Field(max_length=20)] = ()
    note: Text | None = None

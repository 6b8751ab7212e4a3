"""Where the person is, comes from, and wants to go."""

from typing import Annotated

from pydantic import Field

from schemas.base import Wire
from schemas.codes.answers import Missing
from schemas.codes.places import AddressKind
from schemas.record.common import Place, SectionBase
from schemas.text import PartialDate


class Address(Wire):
    """A place and what it is to the person. HTCDS `prs_MailingStreet`, `prs_MailingCity` and so on."""

    kind: AddressKind
    place: Place
    since: PartialDate | None = None
    until: PartialDate | None = None


class LocationSection(SectionBase):
    """Places of the person."""

    addresses: Annotated[tuple[Address, ...], Field(max_length=20)] = ()
    addresses_missing: Missing | None = None
    """Why no place is given; that there is none is said by a place of kind `no_fixed_place`."""

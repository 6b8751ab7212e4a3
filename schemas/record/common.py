"""What several sections share: who told it, places, sums of money, findings."""

from typing import Annotated

from pydantic import Field, Strict, StringConstraints

from schemas.base import WHOLE, Count, Day, Wire
from schemas.codes.answers import ToldBy
from schemas.codes.places import PlaceKind
from schemas.codes.services import StaffRole
from schemas.text import CountryCode, CurrencyCode, Line, Name, Number, RegionCode, Text

ThreeDigits = Annotated[str, StringConstraints(max_length=3, pattern=r"^[0-9]{1,3}$")]
"""One to three digits, with the zeros before them."""

Postcode = Annotated[str, StringConstraints(min_length=1, max_length=16, pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]*$")]
"""A postal code of any country: letters, digits, spaces and hyphens."""

ImoNumber = Annotated[str, StringConstraints(max_length=7, pattern=r"^[0-9]{7}$")]
"""The seven digits of an IMO number."""


class SectionBase(Wire):
    """A section of the record, with whose words its facts are, so that nobody is asked twice."""

    told_by: ToldBy | None = None
    """Whose words these are."""
    told_to: StaffRole | None = None
    """The role of whoever heard or observed them."""
    told_on: Day | None = None
    """When they were told or observed."""


class Money(Wire):
    """A sum in whole units of its currency."""

    amount: Annotated[int, Strict(), Field(ge=0, le=10**15), WHOLE]
    currency: CurrencyCode


class Position(Wire):
    """A position at sea or on land. HTCDS `hte_Latitude`, `hte_Longitude`; never a person's own."""

    latitude: Annotated[float, Strict(), Field(ge=-90, le=90)]
    longitude: Annotated[float, Strict(), Field(ge=-180, le=180)]


class Vessel(Wire):
    """A vessel, by whatever is known of it."""

    name: Name | None = None
    earlier_names: Annotated[tuple[Name, ...], Field(max_length=5)] = ()
    flag: CountryCode | None = None
    """The flag it sails under."""
    registration: Number | None = None
    """The number painted on it or in its papers."""
    imo: ImoNumber | None = None
    """Its IMO number, which stays when name and flag change."""
    call_sign: Number | None = None
    gear: Line | None = None
    """What it fishes with, or what it carries."""
    home_port: Line | None = None
    last_port: Line | None = None
    """The port it last called at, as told."""
    owner: Line | None = None
    """Owner or operator."""
    crew: Count | None = None
    """How many people work on it."""


class Place(Wire):
    """A place as it was told: an address, or a vessel, a compound, a country. HTCDS `prs_Mailing…`, `hte_City` and so on."""

    kind: PlaceKind | None = None
    name: Line | None = None
    """Of a compound, plantation, port or institution."""
    street: Line | None = None
    rt: ThreeDigits | None = None
    """Neighbourhood unit, with its leading zeros."""
    rw: ThreeDigits | None = None
    """Community unit, with its leading zeros."""
    village: Name | None = None
    district: Name | None = None
    regency: Name | None = None
    """Regency or city; abroad, the town."""
    province: Name | None = None
    """Province; abroad, the state or region."""
    region: RegionCode | None = None
    """The code beside the names, which stay as they were told: codes are reissued."""
    region_edition: Line | None = None
    """The decree or edition the code is from."""
    postcode: Postcode | None = None
    country: CountryCode | None = None
    vessel: Vessel | None = None
    directions: Text | None = None
    """How to find it."""

"""Codes about places and ways to reach the person."""

from schemas.codes.base import CodeEnum


class ChannelKind(CodeEnum):
    """A way to reach the person. HTCDS `prs_MobilePhone`, `prs_HomePhone`, `prs_Email`."""

    MOBILE_PHONE = "mobile_phone"
    HOME_PHONE = "home_phone"
    WHATSAPP = "whatsapp"
    EMAIL = "email"
    SOCIAL_MEDIA = "social_media"
    POSTAL = "postal"
    VIA_PERSON = "via_person"
    VIA_AGENCY = "via_agency"
    OTHER = "other"


class AddressKind(CodeEnum):
    """What a place is to the person. HTCDS `prs_Mailing…` knows one."""

    HOME = "home"
    ORIGIN = "origin"
    CURRENT = "current"
    FOUND = "found"
    POSTAL = "postal"
    INTENDED = "intended"


class PlaceKind(CodeEnum):
    """What sort of place it is."""

    ADDRESS = "address"
    VESSEL = "vessel"
    PLATFORM = "platform"
    PORT = "port"
    COMPOUND = "compound"
    PLANTATION = "plantation"
    MINE = "mine"
    FACTORY = "factory"
    HOUSEHOLD = "household"
    INSTITUTION = "institution"
    DETENTION = "detention"
    NO_FIXED_PLACE = "no_fixed_place"
    OTHER = "other"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"

"""Codes for answers, and for answers that are missing."""

from schemas.codes.base import CodeEnum


class Missing(CodeEnum):
    """Why a fact is not given: three different answers, none of them no."""

    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class Answer(CodeEnum):
    """An answer to a yes-or-no question."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class ToldBy(CodeEnum):
    """Whose words the facts of a section are."""

    PERSON = "person"
    FAMILY = "family"
    COMPANION = "companion"
    STAFF = "staff"
    DOCUMENT = "document"
    OTHER = "other"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"

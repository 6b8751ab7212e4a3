"""The code lists as they are published."""

from schemas.base import Wire
from schemas.codes.labels import CodeList
from schemas.text import Line, Name, Sha256, Text


class CodeListRef(Wire):
    """A code list in the index."""

    name: Name
    title_id: Name
    title_en: Name
    codes: int
    """How many codes it has."""
    digest: Sha256
    """Of the list as JSON: another digest, another list."""
    href: Line
    """Where the list is."""


class CodeListIndex(Wire):
    """Every code list there is."""

    schema_version: Line
    """The version of the record's schema that the lists belong to."""
    attribution: Text
    """Whose work the lists are, and on what terms they may be used."""
    items: list[CodeListRef]


class PublishedCodeList(CodeList):
    """A code list, and where it is used."""

    schema_version: Line
    attribution: Text
    used_in: tuple[Line, ...]
    """Places in the record, as JSON Pointers in which `*` is any item, and members of requests and answers (`Schema.member`)."""

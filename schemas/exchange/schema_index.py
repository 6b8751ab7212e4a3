"""The published JSON Schemas, as the index gives them."""

from schemas.base import Wire
from schemas.text import Line, Sha256


class SchemaRef(Wire):
    """A JSON Schema and where it is."""

    name: Line
    """Its file's name, with the version it is of."""
    title: Line
    describes: Line
    """What documents it is for."""
    digest: Sha256
    """SHA-256 of the file, which is the same wherever the version is served."""
    href: Line


class SchemaIndex(Wire):
    """Every JSON Schema this exchange publishes."""

    schema_version: Line
    """The version records are written in here."""
    attribution: Line
    items: tuple[SchemaRef, ...]

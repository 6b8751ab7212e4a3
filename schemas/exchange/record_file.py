"""A file that goes with a record, as whoever may read it sees it."""

from uuid import UUID

from schemas.base import Wire
from schemas.codes.disclosure import Section


class RecordFile(Wire):
    """A file of the record, without its content: that is downloaded by its `id`, and each download is logged."""

    id: UUID
    section: Section
    """The section it belongs to: its disclosure the file follows, together with that of the papers."""
    media_type: str | None
    """By its content."""
    size: int
    """In bytes."""
    sha256: str | None
    """Of the content, in hexadecimal. The name the file had stays with the agency that uploaded it."""

"""A warning, as it crosses the wire."""

from typing import Final, Self

from schemas.base import Wire
from schemas.codes.warnings import WarningCode

MAX_WARNINGS: Final = 100
"""More help nobody."""


class RecordWarning(Wire):
    """Something in a record that was taken as it is, and that somebody should look at again. It never holds a value."""

    code: WarningCode
    """Of the list `warning`, which says what to do."""
    pointer: str
    """Where it stands, as a JSON Pointer (RFC 6901) into the document that was sent."""
    related: tuple[str, ...]
    """Pointers to what it does not fit, where there is such."""

    def under(self, parent: str) -> Self:
        """The same warning, where the record is a member of a larger document."""
        return type(self)(
            code=self.code, pointer=parent + self.pointer, related=tuple(parent + each for each in self.related)
        )

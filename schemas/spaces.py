"""Spaces, written out for regular expressions: what `\\s` means differs between Rust, Python and ECMAScript."""

from typing import Final

OUTER_SPACE: Final = r" \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
"""What is taken off a single line at its ends, as members of a character class."""

ALL_SPACE: Final = rf"{OUTER_SPACE}\t\n\r\u2028\u2029\xad\u180e\u200b-\u200f\u2060-\u2064\ufeff"
"""Spaces of every width, also of none, and ends of lines: alone they are no text."""

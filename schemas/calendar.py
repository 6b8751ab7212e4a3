"""The days there are, as regular expressions, so that JSON Schema and model refuse the same ones without arithmetic."""

from typing import Final

_LEAP_IN_CENTURY: Final = "(?:0[48]|[2468][048]|[13579][26])"
MONTH_AND_DAY: Final = "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
"""MM-DD of any year."""

_CENTURY: Final = "(?:18|19|20|21)"
_LEAP_DAY: Final = f"(?:{_CENTURY}{_LEAP_IN_CENTURY}|2000)-02-29"

DAY_PATTERN: Final = f"(?:{_CENTURY}[0-9]{{2}}-{MONTH_AND_DAY}|{_LEAP_DAY})"
"""YYYY-MM-DD of the years 1800 to 2199: a wrong year is shown to whoever typed it, not refused."""

MOMENT_PATTERN: Final = (
    rf"{DAY_PATTERN}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{{1,9}})?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
"""RFC 3339 §5.6, without leap seconds."""

PARTIAL_DATE_PATTERN: Final = (
    f"^(?:{_CENTURY}[0-9]{{2}}(?:-(?:XX(?:-XX)?|0[1-9](?:-XX)?|1[0-2](?:-XX)?|{MONTH_AND_DAY}))?"
    f"|{_LEAP_DAY}|{_CENTURY}(?:[0-9]X|XX))[?~%]?$"
)
"""EDTF (ISO 8601-2) level 0, and of level 1 unspecified digits and a qualifier of the whole, of the years 1800 to 2199."""

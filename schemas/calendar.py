"""The days there are, as regular expressions, so that JSON Schema and model refuse the same ones without arithmetic."""

from typing import Final

_LEAP_IN_CENTURY: Final = "(?:0[48]|[2468][048]|[13579][26])"
MONTH_AND_DAY: Final = "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
"""MM-DD of any year."""

DAY_PATTERN: Final = f"(?:(?:19|20|21)[0-9]{{2}}-{MONTH_AND_DAY}|(?:(?:19|20|21){_LEAP_IN_CENTURY}|2000)-02-29)"
"""YYYY-MM-DD of the years 1900 to 2199."""

MOMENT_PATTERN: Final = (
    rf"{DAY_PATTERN}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{{1,9}})?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
"""RFC 3339 §5.6, without leap seconds."""

_YEAR: Final = "(?:19[0-9]{2}|20[0-9]{2}|2100)"
PARTIAL_DATE_PATTERN: Final = (
    f"^(?:{_YEAR}(?:-(?:XX(?:-XX)?|0[1-9](?:-XX)?|1[0-2](?:-XX)?|{MONTH_AND_DAY}))?"
    f"|(?:(?:19|20){_LEAP_IN_CENTURY}|2000)-02-29|(?:19|20)(?:[0-9]X|XX))[?~%]?$"
)
"""EDTF (ISO 8601-2) level 0, and of level 1 unspecified digits and a qualifier of the whole, of the years 1900 to 2100."""

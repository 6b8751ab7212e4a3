"""Which representation a caller wants: `Accept`, with its q-values and parameters (RFC 9110 §12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request

from app.foundation.problems import Problem

MOST: Final = 4096
"""Characters of `Accept` that are looked at; no system has that many wishes."""

_QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True, slots=True)
class MediaType:
    """A representation the exchange can give."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "; ".join([self.name, *(f"{name}={value}" for name, value in self.parameters.items())])


class NotAcceptable(Problem):
    """There is no representation of this that `Accept` allows. `available` lists those there are.

    Leave `Accept` out, or send `*/*`, to get JSON. A list of more than 4096 characters is refused unread. Nothing was read or disclosed.
    """

    type, status, title, title_id = (
        "not-acceptable",
        406,
        "Not available in that form",
        "Tidak tersedia dalam bentuk itu",
    )

    def __init__(self, offers: Sequence[MediaType]) -> None:
        super().__init__(headers={"Vary": "Accept"}, available=[str(each) for each in offers])


@dataclass(frozen=True, slots=True)
class _Range:
    name: str
    parameters: Mapping[str, str]
    quality: float

    def fits(self, offer: MediaType) -> int | None:
        """Return how exactly this range names the offer, or nothing if it does not."""
        if self.name == "*/*":
            return 0 if not self.parameters else None
        if self.name == f"{offer.name.partition('/')[0]}/*":
            return 1 if not self.parameters else None
        has = {name.lower(): value for name, value in offer.parameters.items()}
        if self.name == offer.name and self.parameters.items() <= has.items():
            return 2 + len(self.parameters)
        return None


def preferred(accept: str, offers: Sequence[MediaType]) -> MediaType | None:
    """Return the offer a caller wants most, the first of equals; nothing if it wants none of them."""
    if not accept.strip():
        return offers[0]
    if len(accept) > MOST:
        return None
    ranges = [found for part in _split(accept, ",") if (found := _range(part))]
    best = max(offers, key=lambda offer: _quality(ranges, offer))
    return best if _quality(ranges, best) > 0 else None


def _quality(ranges: Sequence[_Range], offer: MediaType) -> float:
    """Return the quality of the most exact range that names the offer."""
    fitting = [(exact, each.quality) for each in ranges if (exact := each.fits(offer)) is not None]
    return max(fitting)[1] if fitting else 0.0


def _range(part: str) -> _Range | None:
    """Read one media range; one that is malformed asks for nothing."""
    name, *rest = (each.strip() for each in _split(part, ";"))
    kind, slash, sub = name.lower().partition("/")
    if not slash or not _TOKEN.fullmatch(kind) or not _TOKEN.fullmatch(sub):
        return None
    parameters: dict[str, str] = {}
    for each in filter(None, rest):
        key, equals, value = (piece.strip() for piece in each.partition("="))
        key = key.lower()
        if not equals:
            return None
        if key == "q":  # what follows it are extensions of Accept, which have been dropped from HTTP
            return _Range(f"{kind}/{sub}", parameters, float(value)) if _QUALITY.fullmatch(value) else None
        if key != "charset":  # JSON is UTF-8 whatever is asked for (RFC 8259 §8.1)
            parameters[key] = value.strip('"')
    return _Range(f"{kind}/{sub}", parameters, 1.0)


def _split(text: str, by: str) -> list[str]:
    """Split outside of quotes."""
    parts, quoted = [""], False
    for character in text:
        quoted ^= character == '"'
        if character == by and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def accepted(request: Request, offers: Sequence[MediaType]) -> MediaType:
    """Return the representation to give. Raises `NotAcceptable`."""
    found = preferred(", ".join(request.headers.getlist("accept")), offers)
    if found is None:
        raise NotAcceptable(offers)
    return found

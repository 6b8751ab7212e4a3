"""The caller's language: Indonesian or English, by `Accept-Language`."""

from __future__ import annotations

from typing import Literal

from starlette.requests import Request

Language = Literal["en", "id"]


def language_of(request: Request) -> Language:
    """Return `id` if the caller prefers Indonesian over English, else `en` (RFC 9110 §12.5.4)."""
    best: tuple[float, Language] = (0.0, "en")
    for part in request.headers.get("accept-language", "")[:200].split(","):
        tag, _, parameters = part.strip().partition(";")
        language: Language | None = {"id": "id", "in": "id", "en": "en"}.get(tag.split("-")[0].lower())  # type: ignore[assignment]
        if language is None:
            continue
        try:
            quality = float(parameters.strip().removeprefix("q=")) if parameters else 1.0
        except ValueError:
            continue
        if quality > best[0]:
            best = (quality, language)
    return best[1]

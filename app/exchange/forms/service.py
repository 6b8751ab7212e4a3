"""Forms, as they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol
from uuid import UUID

from fastapi import Response

from app.dependencies import Acting
from app.exchange.forms.blank import EMERGENCY, options, record_to_fill
from app.exchange.forms.rendering import MEDIA_TYPE, render
from app.exchange.forms.sheet import Sheet
from app.exchange.forms.words import Words
from app.exchange.lifecycle import Lifecycle
from app.exchange.passing.reading import read
from schemas.codes.labels import Lang

__all__ = ["MEDIA_TYPE", "Page", "access_page", "as_page", "blank", "page_of", "print_passed"]


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and what has to be said of it."""

    body: bytes
    headers: dict[str, str]


async def print_passed(db: Acting, lifecycle: Lifecycle, subject_id: UUID, lang: Lang) -> Page:
    """Read a referral or transfer as its caller may, which is logged, and print it."""
    document = await read(db, lifecycle, subject_id)
    is_transfer = lifecycle.name == "transfer"
    return page_of(Sheet(document, lang, is_transfer=is_transfer, reader=db.agency, directory=db.directory, at=db.at))


def page_of(sheet: Sheet) -> Page:
    """Return a sheet as a page."""
    return _page("passed.html", words=sheet.words, title=sheet.reference, name=sheet.reference, sheet=sheet)


class Printed(Protocol):
    """What is printed of a report in a language, whatever else it says."""

    reference: str
    words: Words

    @property
    def title(self) -> str:
        """What it is."""
        ...


def access_page(sheet: Printed) -> Page:
    """Return an access report as a page."""
    return _page("access.html", words=sheet.words, title=sheet.title, name=sheet.reference, sheet=sheet)


def as_page(page: Page) -> Response:
    """Answer with a page that no cache keeps."""
    return Response(page.body, media_type=MEDIA_TYPE, headers={**page.headers, "Cache-Control": "no-store"})


@lru_cache(maxsize=4)
def blank(profile: Literal["emergency", "full"], lang: Lang) -> Page:
    """Return a blank form."""
    words = Words(lang)
    if profile == "emergency":
        return _page(
            "emergency.html",
            words=words,
            title=words("blank.emergency"),
            name=f"rujukan-emergency-{lang}",
            form=EMERGENCY,
            options=options,
        )
    return _page(
        "full.html", words=words, title=words("blank.full"), name=f"rujukan-full-{lang}", form=record_to_fill(lang)
    )


def _page(template: str, *, words: Words, title: str, name: str, **context: object) -> Page:
    body, policy = render(template, title=title, words=words, running=title, **context)
    headers = {
        "Content-Security-Policy": policy,
        "Content-Disposition": f'inline; filename="{name}.html"',
        "Content-Language": words.lang,
        "X-Frame-Options": "DENY",
    }
    return Page(body, headers)

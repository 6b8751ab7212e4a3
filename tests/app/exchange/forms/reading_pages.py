"""What a page says, as a reader sees it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self._within) and data.strip():
            self.texts.append(data)


def text_of(page: str) -> str:
    """Everything a page shows."""
    parser = _Page()
    parser.feed(page)
    return "\n".join(parser.texts)


def tags_of(page: str) -> list[tuple[str, dict[str, str | None]]]:
    """Every element with its attributes."""
    parser = _Page()
    parser.feed(page)
    return parser.tags


def strings_in(document: Any) -> list[str]:
    """Every string in a document, without the names of members."""
    if isinstance(document, str):
        return [document]
    inner = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    return [string for each in inner for string in strings_in(each)]

"""Sheets as HTML to print: everything escaped, nothing fetched, and a policy that lets the page's own styles through and no more."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from app.exchange.forms.facts import Entries, Fact, Group, Node
from app.exchange.forms.words import Words

MEDIA_TYPE: Final = "text/html; charset=utf-8"
_TALL: Final = 24
"""From so many facts on, an entry may be parted between pages: it could fill one."""


def render(template: str, *, title: str, words: Words, running: str, **context: Any) -> tuple[bytes, str]:
    """Return a page with its security policy. `running` stands on top of every page."""
    styles = (_style(), _page_boxes(words, running))
    page = _environment().get_template(template)
    html = page.render(
        title=title,
        lang=words.lang,
        words=words,
        styles=[Markup(each) for each in styles],  # noqa: S704 -- our own CSS
        **context,
    )
    return html.encode(), _policy(styles)


def _policy(styles: Sequence[str]) -> str:
    """Return the policy: no script, no picture, no font, no frame, nothing sent; styles by their digests (CSP Level 3 §2.3.1)."""
    digests = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" for style in styles
    )
    return f"default-src 'none'; style-src {digests}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@lru_cache(maxsize=1)
def _style() -> str:
    return files(__package__).joinpath("templates", "form.css").read_text("utf-8")


def _page_boxes(words: Words, running: str) -> str:
    """Return what stands in the margins of every page (CSS Paged Media 3 §4.2; Chromium from 131 on)."""
    font = 'font: 8pt "Noto Sans", "Segoe UI", Arial, "Liberation Sans", sans-serif; color: #46515e'
    counted = f'"{_in_css(words("form.page"))} " counter(page) " {_in_css(words("form.of"))} " counter(pages)'
    law = f"{words('form.confidential')} · {words('form.law_short')}"
    return (
        f'@page {{ @top-left {{ content: "{_in_css(running)}"; {font}; font-weight: 700 }} '
        f'@top-right {{ content: "{_in_css(words("form.confidential"))}"; {font}; letter-spacing: .06em }} '
        f'@bottom-left {{ content: "{_in_css(law)}"; {font} }} @bottom-right {{ content: {counted}; {font} }} }}'
        " @page :first { @top-left { content: none } @top-right { content: none } }"
    )


def _in_css(text: str) -> str:
    """Return a text as it stands between quotes in a style sheet that stands in HTML: only letters, digits and spaces as they are."""
    return re.sub(r"[^A-Za-z0-9 ]", lambda found: f"\\{ord(found[0]):x} ", text)


class Run:
    """Facts that stand in one grid, or one group, or one list of entries."""

    def __init__(self, first: Node) -> None:
        self.facts: list[Fact] = []
        self.group = first if isinstance(first, Group) else None
        self.entries = first if isinstance(first, Entries) else None


def runs(nodes: Sequence[Node]) -> Iterator[Run]:
    """Yield the nodes so that neighbouring facts share a grid."""
    run: Run | None = None
    for node in nodes:
        if not isinstance(node, Fact):
            if run is not None:
                yield run
            yield Run(node)
            run = None
            continue
        run = run or Run(node)
        run.facts.append(node)
    if run is not None:
        yield run


def tall(nodes: Sequence[Node]) -> bool:
    """Whether an entry could be longer than a page is."""
    return sum(_height(node) for node in nodes) > _TALL


def _height(node: Node) -> int:
    if isinstance(node, Fact):
        return 1 + sum(len(value.text) for value in node.values) // 90
    inner = node.nodes if isinstance(node, Group) else [each for entry in node.entries for each in entry]
    return 1 + sum(_height(each) for each in inner)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"runs": runs, "tall": tall}
    return made

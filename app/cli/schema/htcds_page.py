"""`docs/schema/htcds.md`, made from the tables: each field and each code of HTCDS 2.0, and its home."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from schemas.codes import ENUMS
from schemas.codes.labels import entry_of
from schemas.mappings.htcds.cells import PROBLEMS
from schemas.mappings.htcds.crosswalk import Field, Pair, fields, not_carried, pairs, their_codes
from schemas.mappings.htcds.fields import FIELDS, QUESTIONS, Home
from schemas.mappings.htcds.writing import REASONS_OF_LOSS

INTRODUCTION: Final = """\
# HTCDS 2.0, field by field

Where each field and each code of the Human Trafficking Case Data Standard has its home in the record or in the exchange, or why it has none.
Sheets go in and out by [`rujukan schema import-htcds` and `export-htcds`](htcds-files.md).

Field and code names from the Human Trafficking Case Data Standard 2.0, © IOM, [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/),
https://github.com/UNMigration/HTCDS; what was changed stands in `schemas/mappings/htcds/data/README.md`.
Aligned means: every field and code is read, what is written says what it loses, and codes come back as they went. It means no approval by IOM.

This page is made from the code: `rujukan schema htcds --write`.

## Signs

| sign | meaning |
|---|---|
| = | the same both ways |
| > | the record says more: writing it loses something, which is reported by JSON Pointer |
| < | read, never written |
| x | not carried |

**Bold** names are Core in the standard. `*` is any place in a list. What stands under *exchange* belongs to a case, a referral or the
directory and not to the record; an import keeps it in `exchange` of the document, at the pointer in brackets.
"""


def htcds_page() -> str:
    """Return the page."""
    return "".join((INTRODUCTION, *_fields(), *_questions(), *_codes(), *_nowhere(), *_words()))


def _fields() -> Iterator[str]:
    section = ""
    for each in fields():
        if each.kind != "field":
            continue
        if each.section != section:
            section = each.section
            yield f"\n## {section}\n\n| field | meaning | | home | code list | how |\n|---|---|---|---|---|---|\n"
        home = FIELDS[each.column]
        name = f'<a id="{each.column}"></a>' + (f"**`{each.column}`**" if each.core else f"`{each.column}`")
        deprecated = " (deprecated)" if each.status == "deprecated" else ""
        yield (
            f"| {name} | {each.definition}{deprecated} | {home.relation} | {_home(home)} | {_list(each)} | {home.note} |\n"
        )


def _home(home: Home) -> str:
    places = [f"`{place}`" for place in home.places]
    if home.exchange or home.staged:
        known = ", ".join(f"`{place.replace('#', '')}`" for place in home.exchange)
        staged = f" [`/exchange{home.staged}`]" if home.staged else ""
        places.append(f"exchange: {known or 'nothing'}{staged}")
    return "<br>".join(places) or "–"


def _list(field: Field) -> str:
    if not field.code_list:
        return ""
    if field.code_list.startswith(("country", "ISO")):
        return field.code_list
    return f"[{field.code_list}](#{field.code_list})"


def _questions() -> Iterator[str]:
    yield "\n## Example questions\n\nThe assessment sections hold questions and no fields.\n\n| question | home | how |\n|---|---|---|\n"
    for each in fields():
        if each.kind == "example_question":
            home = QUESTIONS[each.label]
            yield f"| {each.label} | {_home(home)} | {home.note} |\n"


def _codes() -> Iterator[str]:
    yield (
        "\n## Codes\n\n*Relation* is that of theirs to ours: exact; close, which may stand for it; broader or narrower than ours; none.\n"
        "*Way*: read (in), written (out) or both.\n"
        "A code written to a broader one, or to none, is reported as a loss.\n"
    )
    by_list: dict[str, list[Pair]] = {}
    for pair in pairs():
        by_list.setdefault(pair.their_list, []).append(pair)
    for name in dict.fromkeys(code.list for code in their_codes()):
        if name not in by_list:
            continue
        yield f"\n### {name}\n\n| HTCDS | ours | meaning | relation | way | note |\n|---|---|---|---|---|---|\n"
        order = {code.code: at for at, code in enumerate(their_codes()) if code.list == name}
        for pair in sorted(by_list[name], key=lambda pair: order.get(pair.their_code, len(their_codes()) * 2)):
            entry = entry_of(pair.list, pair.code) if pair.list in ENUMS else None
            said = entry.en if entry else ""
            theirs = f"`{pair.their_code}`" if pair.their_code else "–"
            yield (f"| {theirs} | {pair.list} `{pair.code}` | {said} | {pair.relation} | {pair.way} | {pair.note} |\n")
    yield (
        "\n### country\n\nISO 3166-1: all 249 codes of the survey are countries of the record.\n"
        "Alpha-2, alpha-3 and names in English and Indonesian are read, alpha-2 is written.\n"
        "\n### language\n\nISO 639: codes of 639-1, -2 and -3 and names are read, 639-2 (terminological) is written.\n"
        "A language that only 639-3 has is written as its macrolanguage, or not at all.\n"
    )


def _nowhere() -> Iterator[str]:
    yield "\n## Codes without a code of ours\n\n| list | code | why |\n|---|---|---|\n"
    for (name, code), why in not_carried().items():
        yield f"| {name} | `{code}` | {why} |\n"


def _words() -> Iterator[str]:
    yield (
        "\n## What a report says of a cell\n\nWhat one of the record's own rules refuses has that rule's code, such as `email_form`.\n\n"
        "| code | meaning |\n|---|---|\n"
    )
    for code, meaning in PROBLEMS.items():
        yield f"| `{code}` | {meaning} |\n"
    yield "\n## Why a value is not in a row\n\n| reason | meaning |\n|---|---|\n"
    for code, meaning in REASONS_OF_LOSS.items():
        yield f"| `{code}` | {meaning} |\n"

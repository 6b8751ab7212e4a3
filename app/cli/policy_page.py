"""`docs/policy.md`, made from the tables of the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from app.policy import table
from app.policy.decide import flows_back, kinds_not_told
from schemas.codes.agencies import AgencyKind
from schemas.codes.disclosure import DisclosureBasis, Section
from schemas.codes.labels import label
from schemas.codes.referral import Purpose

Code = TypeVar("Code", bound=str)

INTRODUCTION: Final = """\
# Who may have what: the policy

For protection officers (*petugas pelindungan data*). What an agency may read is what the sender included, **and** what a basis covers, **and** what
these tables allow its kind for the purpose, **and** what agreements between the two allow; before it accepts, only the preview. A request that
includes more is refused as a whole, with the sections named: nothing is ever left out silently.

A section goes to a receiver where both the row of its purpose (table 1) and the row of its kind of agency (table 2) have an x, and a basis
that can open it (table 3) covers it. Table 4 says what flows back to the sender; table 5 is tables 1 and 2 in one.

`POST /v1/disclosures/preview` and `rujukan policy explain` say it for one case, before anything is sent; `GET /v1/referrals/{id}/disclosure` and
`GET /v1/transfers/{id}/disclosure` for what was sent.

This page is made from [the tables](../app/policy/table.py): `rujukan policy table --markdown > docs/policy.md`.
"""

BACK: Final[dict[table.Back, str]] = {
    table.Back.STATE: "state, arrival and end, each with when and by whom",
    table.Back.ACCEPTANCE: "where to bring the person, when, whom to ask for",
    table.Back.REFUSAL: "of a refusal before acceptance, the coded reason and who else might help",
    table.Back.QUESTION: "what the receiver asks before it answers",
    table.Back.SERVICES: "services planned, given or missed, and when",
    table.Back.OUTCOMES: "what became of each need; the coded reason why services ended",
    table.Back.NOTES: "notes and every other free text",
}
"""What flows back, in words."""


def policy_page() -> str:
    """Return `docs/policy.md`."""
    parts = [
        INTRODUCTION,
        _sections(),
        "\n## 1. By purpose (*tujuan*)\n\n" + _matrix("purpose", Purpose, lambda each: table.PURPOSES[each]),
        "\n## 2. By kind of agency (*jenis instansi*)\n\n"
        + _matrix("agency_kind", AgencyKind, lambda each: table.KINDS[each]),
        _only_consent(),
        "\n## 3. By basis (*dasar pengungkapan*)\n\n"
        + _matrix("disclosure_basis", table.BASES, lambda each: table.BASES[each]),
        _bases(),
        _back(),
        _both(),
    ]
    return "".join(parts)


def named(list_name: str, code: str) -> str:
    """Return a code's labels: Indonesian, then English."""
    return f"{label(list_name, code, 'id')} / {label(list_name, code, 'en')}"


def _sections() -> str:
    rows = (
        f"| {place} | `{each}` | {label('section', each, 'id')} | {label('section', each, 'en')} |\n"
        for place, each in enumerate(Section, 1)
    )
    return "\n## The sections (*bagian*)\n\n| no. | code | Indonesian | English |\n|---|---|---|---|\n" + "".join(rows)


def _matrix(list_name: str, rows: Iterable[Code], sections: Callable[[Code], frozenset[str]]) -> str:
    heads = [f"{place} {each}" for place, each in enumerate(Section, 1)]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for code in rows:
        cells = " | ".join("x" if each in sections(code) else " " for each in Section)
        lines.append(f"| `{code}` {named(list_name, code)} | {cells} |")
    return "\n".join(lines) + "\n"


def _only_consent() -> str:
    kinds = ", ".join(f"`{each}` ({named('agency_kind', each)})" for each in sorted(table.CONSENT_ONLY))
    return f"\nOn the person's own consent and on nothing else: {kinds}.\n"


def _bases() -> str:
    unused = ", ".join(f"`{each}`" for each in DisclosureBasis if each not in table.BASES)
    return f"""
A vital interest opens nothing outside the country; inside it, it needs no agreement. A consent opens what it names: the sections, to the agencies or
kinds, for the purposes, from when to when. Not offered: {unused}.
"""


def _back() -> str:
    return f"""
## 4. Back to the sender (*kembali kepada pengirim*)

| sender's kind | {" | ".join(table.Back)} |
{"|---" * (len(table.Back) + 1)}|
{"".join(_back_rows())}
{"".join(f"- `{each}`: {BACK[each]}.{chr(10)}" for each in table.Back)}
Across the border, of what the receiver recorded on a day when no agreement let it send `needs` back, every sender learns at most
{", ".join(f"`{each}`" for each in table.Back if each in table.BACK_WITHOUT_AGREEMENT)}.

A note tells of one section; one that names none counts as `needs`. It goes back only if the sender's kind may hold that section and the
purpose needs it, and not while what the section came on is locked or has ended. A note that brings a basis of its own goes as that basis,
the purpose and the sender's kind allow, like a section of a record.

By the receiver's move, what each field belongs to. That the move was made, when and by whom, is `state`, except where the row says that
nothing is told of it. What has no row does not flow back.

| move | fields |
|---|---|
{"".join(_move_rows())}"""


def _both() -> str:
    """Return purpose by kind, kinds that may hold the same in one column."""
    alike: dict[frozenset[str], list[AgencyKind]] = {}
    for kind in AgencyKind:
        alike.setdefault(table.KINDS[kind], []).append(kind)
    heads = " | ".join(", ".join(f"`{kind}`" for kind in kinds) for kinds in alike.values())
    rows = (
        f"| `{purpose}` {label('purpose', purpose, 'id')} | {' | '.join(_numbers(table.PURPOSES[purpose] & may) for may in alike)} |\n"
        for purpose in Purpose
    )
    return f"""
## 5. Purpose and kind of agency together

The sections by their numbers: what an agency of this kind may have for this purpose, if a basis covers it.

| purpose | {heads} |
{"|---" * (len(alike) + 1)}|
{"".join(rows)}"""


def _numbers(sections: frozenset[str]) -> str:
    if sections == table.EVERY:
        return "all"
    return " ".join(str(place) for place, each in enumerate(Section, 1) if each in sections)


def _back_rows() -> Iterator[str]:
    for kind in AgencyKind:
        flowing = flows_back(kind)
        cells = " | ".join("x" if each in flowing else " " for each in table.Back)
        yield f"| `{kind}` {named('agency_kind', kind)} | {cells} |\n"


def _move_rows() -> Iterator[str]:
    for event, fields in table.BACK_MOVES.items():
        told = ", ".join(f"{name}: `{what}`" for name, what in fields.items()) or "none"
        unsaid = "; nothing is told of it without" if kinds_not_told(event) else ""
        yield f"| `{event}` | {told}{f'{unsaid} `{table.UNSAID[event]}`' if unsaid else ''} |\n"

"""What a disclosure rests on, as options say it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.cli.common import read_json
from app.cli.failures import Failure
from schemas.codes.disclosure import DisclosureBasis, Section

RESTS: Final = "What it rests on"

BasisFile = Annotated[
    Path | None, typer.Option(help="JSON: the basis, or a list of bases; - for standard input.", rich_help_panel=RESTS)
]
ConsentId = Annotated[str | None, typer.Option(metavar="ID", help="A consent of the case.", rich_help_panel=RESTS)]
LegalBasis = Annotated[
    str | None,
    typer.Option(metavar="CODE", help="A law, by its code, such as uu-21-2007.", rich_help_panel=RESTS),
]
Article = Annotated[str | None, typer.Option(help="Its article.", rich_help_panel=RESTS)]
Grounds = Annotated[
    str | None, typer.Option("--reason", help="Why it is needed here; the reviewers read it.", rich_help_panel=RESTS)
]


def bases_in(file: Path) -> list[dict[str, Any]]:
    """Return the bases a file holds."""
    found = read_json(file, "a basis or a list of bases")
    bases = found if isinstance(found, list) else [found]
    if not bases or not all(isinstance(each, dict) for each in bases):
        raise Failure(f"{file} does not hold bases", 'Such as {"kind": "vital_interest", "reason": "…"}.')
    return bases


def basis_for(
    section: Section | None,
    *,
    file: Path | None,
    consent: str | None,
    legal_basis: str | None,
    article: str | None,
    reason: str | None,
) -> dict[str, Any] | None:
    """Return the basis of one section that the options describe, or None if they describe none."""
    given = [each for each in (file, consent, legal_basis or article or reason) if each is not None]
    if not given:
        return None
    if section is None:
        raise Failure("a basis is for a section", "Name it with --section.")
    if len(given) > 1:
        raise Failure("a text rests on one basis", "Give --basis, or --consent, or --legal-basis.")
    if file is not None:
        bases = bases_in(file)
        if len(bases) > 1:
            raise Failure("a text rests on one basis", f"{file} holds {len(bases)}.")
        return {"sections": [section.value], **bases[0]}
    if consent is not None:
        return {"kind": "consent", "consent_id": consent, "sections": [section.value]}
    if legal_basis is None or article is None or reason is None:
        raise Failure(
            "a legal basis has a code, an article and a reason", "Give --legal-basis, --article and --reason."
        )
    return {
        "kind": DisclosureBasis.LEGAL_OBLIGATION.value,
        "sections": [section.value],
        "legal_basis": legal_basis,
        "article": article,
        "reason": reason,
    }


def again(
    disclosures: list[dict[str, Any]], *, legal_basis: str | None, article: str | None, reason: str | None
) -> list[dict[str, Any]]:
    """Return the bases of something sent before, to send it once more: a legal one with its reason anew, which is kept sealed."""
    return [_again(each, legal_basis, article, reason) for each in disclosures]


def _again(each: dict[str, Any], legal_basis: str | None, article: str | None, reason: str | None) -> dict[str, Any]:
    kind = each["basis"]
    basis = {"kind": kind, "sections": each["sections"], "onward": each["onward"]}
    # a vital interest has three days of its own each time
    if each["until"] is not None and kind != DisclosureBasis.VITAL_INTEREST:
        basis["until"] = each["until"]
    if kind == DisclosureBasis.CONSENT:
        return {**basis, "consent_id": each["consent_id"]}
    if kind == DisclosureBasis.COURT_ORDER:
        raise Failure(
            "it rested on a court's order, whose number and date have to be given again", "Give --basis FILE."
        )
    if reason is None:
        raise Failure(
            "it rested on more than consent, and the reason has to be given anew", "Give --reason, or --basis FILE."
        )
    if kind == DisclosureBasis.VITAL_INTEREST:
        return {**basis, "reason": reason}
    return {
        **basis,
        "legal_basis": legal_basis or each["legal_basis"],
        "article": article or each["article"],
        "reason": reason,
    }

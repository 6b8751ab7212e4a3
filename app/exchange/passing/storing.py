"""What is said when a case is passed on, as it is stored: codes as rows, everything else encrypted."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import rfc8785

from app.dependencies import Acting
from app.exchange.passing.problems import ConsentVoid
from app.foundation import json
from app.foundation.ids import uuid7
from app.foundation.keyring import Place, SealedColumn
from app.foundation.problems import InvalidRequest, Problem
from app.policy.bases import ends
from app.policy.consents import columns_of, untold
from app.policy.decide import goes_despite_restriction
from schemas.codes.disclosure import DisclosureBasis
from schemas.exchange.basis import Basis, ConsentBasis, CourtOrderBasis, LegalBasis
from schemas.exchange.consent import ConsentAct, NewConsent
from schemas.exchange.referral import NewReferral, NewTransfer
from schemas.record.preview import guardian_suspected as says_so
from schemas.record.record import Record


def guardian_suspected(record: Record | None) -> bool:
    """Whether a record says that the guardian is suspected: from then on nobody hears the guardian in this case."""
    return record is not None and says_so(record)


def said_with_it(body: NewReferral | NewTransfer) -> dict[str, Any]:
    """Return what is said when sending besides the record: an agreement on the telephone, and of a case what comes with it."""
    said: dict[str, Any] = {}
    if body.prior_agreement is not None:
        said["prior_agreement"] = body.prior_agreement.model_dump(mode="json")
    if isinstance(body, NewTransfer) and (body.tasks or body.protective_measures or body.left_behind):
        said |= {
            "left_behind": [{"section": each.section, "text": each.text} for each in body.left_behind],
            "tasks": list(body.tasks),
            "protective_measures": list(body.protective_measures),
            "salt": secrets.token_hex(32),
        }
    return said


def in_manifest(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the manifest says of the words that come with a case: how many, and their salted digest (RFC 8785, SHA-256)."""
    if "salt" not in said:
        return {}
    words = {name: said[name] for name in ("left_behind", "protective_measures", "salt", "tasks")}
    return {
        "tasks": len(said["tasks"]),
        "protective_measures": len(said["protective_measures"]),
        "words": hashlib.sha256(rfc8785.dumps(words)).hexdigest(),
    }


def left_behind(body: NewTransfer) -> dict[str, Any]:
    """Return what the manifest says of sealed sections that do not come with the case."""
    return {
        "sealed": [
            {"section": each.section, "answer": "left_behind", "reason": each.reason} for each in body.left_behind
        ]
    }


def bases_for_storage(
    db: Acting, bases: Sequence[Basis], consent_id: UUID | None, *, case_id: UUID, child: bool = False
) -> tuple[list[dict[str, Any]], list[bytes | None]]:
    """Return the bases as rows, and their written reasons encrypted, in the same order. `child`: the record says that it is one."""
    rows: list[dict[str, Any]] = []
    reasons: list[bytes | None] = []
    for place, basis in enumerate(bases, start=1):
        basis_id = uuid7(db.at)
        rows.append(
            {
                "place": place,
                "id": basis_id,
                "basis": basis.kind,
                "consent_id": (basis.consent_id or consent_id) if isinstance(basis, ConsentBasis) else None,
                "legal_basis": basis.legal_basis if isinstance(basis, LegalBasis) else None,
                "article": basis.article if isinstance(basis, LegalBasis) else None,
                "sections": list(basis.sections),
                "until_at": ends(basis),
                "onward": basis.onward,
                "child": child,
                "despite_restriction": goes_despite_restriction(basis.kind),
                "review_by": review_by(db, basis.kind),
            }
        )
        if isinstance(basis, ConsentBasis):
            reasons.append(None)
            continue
        said: dict[str, Any] = {"reason": basis.reason}
        if isinstance(basis, CourtOrderBasis):
            said |= basis.model_dump(
                mode="json", include={"authority", "number", "date", "scope", "addressed_to", "valid_until"}
            )
        reasons.append(db.keyring.seal_one(Place("disclosure.reason", basis_id, case_id), json.dumps(said)))
    return rows, reasons


def review_by(db: Acting, kind: str) -> datetime | None:
    """Return when what rests on a basis of this kind must have been reviewed; a consent needs none."""
    if kind == DisclosureBasis.CONSENT:
        return None
    vital = kind == DisclosureBasis.VITAL_INTEREST
    return db.at + (db.settings.review_vital_interest_within if vital else db.settings.review_within)


def consent_for_storage(consent: NewConsent, consent_id: UUID) -> dict[str, Any]:
    """Return the coded part of a consent."""
    return {
        "id": consent_id,
        **columns_of(consent),
        "until_at": consent.until,
        "sections": list(consent.sections),
        "agencies": list(consent.agencies),
        "agency_kinds": list(consent.agency_kinds),
        "purposes": list(consent.purposes),
    }


def consent_detail(
    db: Acting, act: ConsentAct, own_id: UUID, *, case_id: UUID, column: SealedColumn = "consent.detail"
) -> bytes:
    """Return how somebody agreed, with all that was said of it, encrypted."""
    said = act.model_dump(
        mode="json", exclude={"until", "sections", "agencies", "agency_kinds", "purposes"}, exclude_none=True
    )
    return db.keyring.seal_one(Place(column, own_id, case_id), json.dumps(said))


def unfit(db: Acting, act: ConsentAct, at: str = "") -> Problem | None:
    """Return why a consent cannot be recorded: what the law demands was not told, or nobody knows who keeps its proof. `at`: its pointer."""
    if missing := untold(act.notice.items):
        return ConsentVoid(missing=missing)
    keeper = act.evidence and act.evidence.kept_by
    if keeper and db.directory.known_to(db.agency, keeper) is None:
        return InvalidRequest([{"pointer": f"{at}/evidence/kept_by", "code": "unknown_agency"}])
    return None

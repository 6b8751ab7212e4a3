"""Consents: recorded by a party of the case, read by their author and the lead."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.cases.queries import case_by_id
from app.exchange.consents import queries
from app.exchange.passing import refusals
from app.exchange.passing.reading import agency_ref
from app.exchange.passing.service import consent_detail, consent_for_storage, moved
from app.foundation.ids import uuid7
from app.foundation.problems import InvalidRequest, NotFound
from schemas.exchange.case import NewConsent
from schemas.exchange.common import Moved


async def give_consent(db: Acting, case_id: UUID, body: NewConsent, key: Key) -> Moved:
    """Record a consent of the case."""
    if body.given_at > db.at:
        raise InvalidRequest([{"pointer": "/given_at", "code": "in_the_future"}])
    consent_id = uuid7(db.at)
    try:
        row = await queries.give_consent(
            db, key, case_id, consent_for_storage(body, consent_id), consent_detail(db, body, consent_id)
        )
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error
    return moved(row, [])


async def list_consents(db: Acting, case_id: UUID) -> dict[str, Any]:
    """Return the consents the caller may see: its own, and as lead all of them."""
    async with db.transaction() as tx:
        if await case_by_id(tx, case_id) is None:
            raise NotFound
        rows = await queries.consents_of(tx, case_id)
        await tx.fetchval("SELECT log_by($1, 'consent:list', 'done', 'case', $2, $2, '{}')", db.parameter(), case_id)
    return {
        "items": [
            {
                "id": row["id"],
                "giver": row["giver"],
                "method": row["method"],
                "language": row["language"],
                "given_at": row["given_at"],
                "until": row["until_at"],
                "withdrawn_at": row["withdrawn_at"],
                "sections": row["sections"],
                "agencies": row["agencies"],
                "agency_kinds": row["agency_kinds"],
                "purposes": row["purposes"],
                "recorded_by": agency_ref(db, row["author_id"]),
            }
            for row in rows
        ]
    }

"""The forms a referral is read in: JSON, and a FHIR Bundle made of that very JSON."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Response

from app.dependencies import Acting
from app.exchange.passing import http
from app.foundation import json
from app.foundation.negotiation import MediaType, accepted
from schemas.exchange.referral import Referral
from schemas.mappings.fhir import bundle

JSON: Final = MediaType("application/json")
FHIR: Final = MediaType("application/fhir+json", {"fhirVersion": "4.0"})
_VARY: Final = {"Vary": "Accept"}

IN_FHIR: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The referral, as JSON or as a FHIR Bundle.",
        "headers": {
            "ETag": {
                "description": 'The version, for `If-Match` of a move: `"3"` of the JSON, `W/"3"` of the Bundle; either may be sent back.',
                "schema": {"type": "string"},
            },
            "Vary": {"description": "`Accept`", "schema": {"type": "string"}},
        },
        "content": {
            FHIR.name: {
                "schema": {
                    "type": "object",
                    "title": "FHIR R4 Bundle",
                    "description": "A FHIR R4 (4.0.1) Bundle of type `collection`; docs/schema/fhir.md says what it holds.",
                    "properties": {"resourceType": {"const": "Bundle"}, "type": {"const": "collection"}},
                    "required": ["resourceType", "type"],
                    "externalDocs": {"url": "https://hl7.org/fhir/R4/bundle.html"},
                }
            }
        },
    }
}
"""What OpenAPI says of the answer besides its JSON."""


async def _wanted(request: Request) -> MediaType:
    return accepted(request, (JSON, FHIR))


Wanted = Annotated[MediaType, Depends(_wanted)]
"""The form the caller wants; an `Accept` that allows none is refused before anything is read."""


async def represent(db: Acting, document: dict[str, Any], wanted: MediaType) -> Response:
    """Write a referral in the form that is wanted."""
    if wanted is JSON:
        found = http.json_response(document, version=document["version"])
        found.headers.update(_VARY)
        return found
    # some 30 ms of work for a full record, during which others are answered
    body = await asyncio.to_thread(_as_fhir, document, db.settings.public_url, db.at)
    # W/"3" is how FHIR writes a version (R4 §3.1.0.1.3), and another tag than the "3" of the JSON
    return Response(body, media_type=str(FHIR), headers={"ETag": f'W/"{document["version"]}"', **_VARY})


def _as_fhir(document: dict[str, Any], url: str, at: datetime) -> str:
    text: str = bundle(Referral.model_validate_json(json.dumps(document)), url=url, at=at).model_dump_json()
    return text

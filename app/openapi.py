"""The OpenAPI 3.1 document: what FastAPI makes of the routes, completed by what every answer has in common."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.foundation.problems import MEDIA_TYPE
from schemas.exchange.event import EVENT_TYPES, Event
from schemas.exchange.problem import Problem

_INTRODUCTION = """
The exchange through which agencies refer victims of trafficking in persons to each other and hand over their cases.

* **Access**: OAuth 2 `client_credentials` with `private_key_jwt`; access tokens are bound to the client's key by DPoP (RFC 9449).
* **Who acts**: every request that reads or changes a case carries `Rujukan-Actor`, your own opaque staff reference.
* **Once**: every `POST` carries `Idempotency-Key`; a repeated request gets the original answer.
* **On what was seen**: every move carries `If-Match: "<version>"`; a stale one is refused with 412 and loses nothing.
* **Errors**: `application/problem+json` (RFC 9457); each `type` leads to a page that explains it. Values are never repeated.
* **Codes** are closed in requests and open in answers (`x-known-values`): expect new ones.
* **Ids** are UUIDs; **times** RFC 3339 in UTC; **regions** Kemendagri codes; **phones** E.164.
"""

_COMMON = {
    "401": "No valid token, or no valid proof of possession. `WWW-Authenticate` says why.",
    "403": "The token lacks the scope, or a rule refuses.",
}


def document(app: FastAPI) -> dict[str, Any]:
    """Return the document, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    made = get_openapi(
        title="Rujukan",
        version=app.version,
        openapi_version="3.1.0",
        description=_INTRODUCTION.strip(),
        routes=app.routes,
        separate_input_output_schemas=True,
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
    )
    schemas = made["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema(mode="serialization")
    schemas["Event"] = Event.model_json_schema(mode="serialization")
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in made["paths"].values():
        for operation in path.values():
            answers = operation["responses"]
            if (invalid := answers.get("422")) and "HTTPValidationError" in str(invalid):
                answers["422"] = {"description": "`invalid-request`: The request is not valid.", "content": problem}
            if "security" in operation:
                for status, text in _COMMON.items():
                    answers.setdefault(status, {"description": text, "content": problem})
            operation["responses"] = dict(sorted(answers.items()))
    made["components"]["schemas"]["Event"]["properties"]["type"]["x-known-values"] = sorted(EVENT_TYPES)
    made["x-event-types"] = EVENT_TYPES
    app.openapi_schema = made
    return made

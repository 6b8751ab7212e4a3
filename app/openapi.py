"""The OpenAPI 3.1 document: what FastAPI makes of the routes, completed by what every answer has in common."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.foundation.problems import MEDIA_TYPE, BodyTooLarge, answers
from auth.problems import InsufficientScope, InvalidProof, InvalidToken, NonceRequired, ProofReplayed, Unauthenticated
from schemas.exchange.event import EVENT_TYPES, Event
from schemas.exchange.problem import Problem

_INTRODUCTION = """
The exchange through which agencies refer victims of trafficking in persons to each other and hand over their cases.

* **Access**: OAuth 2 `client_credentials` with `private_key_jwt`; access tokens are bound to the client's key by DPoP (RFC 9449).
  Or, where it is switched on, mutual TLS for both (RFC 8705). `docs/oauth.md` of the source explains both. `x-raw-exchange` of
  this document is one complete raw exchange with fixed keys, to check an implementation by, byte by byte.
* **Who acts**: every request that reads or changes a case carries `Rujukan-Actor`, your own opaque staff reference.
* **Once**: every `POST` carries `Idempotency-Key`; a repeated request gets the original answer.
* **On what was seen**: every move carries `If-Match: "<version>"`; a stale one is refused with 412 and loses nothing.
* **Errors**: `application/problem+json` (RFC 9457); each `type` leads to a page that explains it. Values are never repeated.
* **Codes** are closed in requests and open in answers (`x-known-values`): expect new ones.
* **Ids** are UUIDs; **times** RFC 3339 in UTC; **regions** Kemendagri codes; **phones** E.164.
"""

_MUTUAL_TLS = {
    "type": "mutualTLS",
    "description": "The easy way, where the exchange has it switched on (its metadata says so): a client certificate authenticates you at the"
    " token endpoint, and the token is bound to it (RFC 8705). Send it as `Authorization: Bearer <token>` over a connection that presents"
    " the same certificate; there is nothing to sign.",
}
_RAW_EXCHANGE = files("app.published").joinpath("raw_exchange.json")
_NOT_KNOWN = answers(Unauthenticated, InvalidToken, InvalidProof, NonceRequired, ProofReplayed)
_NOT_LET_IN = answers(InsufficientScope)
_NOT_READ = answers(BodyTooLarge)
_TWO_FORMS = re.compile(r"(#/components/schemas/)?(\w+)-(Input|Output)")
"""How FastAPI names a model whose form in requests is not that in answers."""


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
            operation["summary"] = re.split(r"[.:;](?:\s|$)", operation["description"], maxsplit=1)[0]
            found = operation["responses"]
            if (invalid := found.get("422")) and "HTTPValidationError" in str(invalid):
                found["422"] = {"description": "`invalid-request`: The request is not valid.", "content": problem}
            if "security" in operation:
                _add(found, _NOT_KNOWN)
            if scopes := [scope for way in operation.get("security", ()) for names in way.values() for scope in names]:
                operation["description"] += f"\n\nScope: {', '.join(f'`{scope}`' for scope in scopes)}."
                _add(found, _NOT_LET_IN)
            if "requestBody" in operation:
                _add(found, _NOT_READ)
            operation["responses"] = dict(sorted(found.items()))
            if (
                "security" in operation
            ):  # RFC 8705: the same scopes, the token bound to the certificate instead of a DPoP key
                operation["security"] += [{**way, "mutualTLS": []} for way in operation["security"]]
    made["components"]["securitySchemes"]["mutualTLS"] = _MUTUAL_TLS
    made["components"]["schemas"]["Event"]["properties"]["type"]["x-known-values"] = sorted(EVENT_TYPES)
    made["x-event-types"] = EVENT_TYPES
    app.openapi_schema = {**_renamed(made), "x-raw-exchange": json.loads(_RAW_EXCHANGE.read_text(encoding="ascii"))}
    return app.openapi_schema


def _add(found: dict[str, Any], more: dict[int | str, dict[str, Any]]) -> None:
    """Add answers to an operation's own."""
    for status, answer in more.items():
        own = found.get(str(status))
        lines = [answer["description"]] if own is None else [own["description"], answer["description"]]
        found[str(status)] = {**answer, "description": "\n\n".join(lines)}


def _renamed(part: Any) -> Any:
    """Return the document with the form in answers under the model's own name, and that in requests as `<name>Input`."""
    if isinstance(part, dict):
        return {_name(key): _renamed(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_renamed(each) for each in part]
    return _name(part) if isinstance(part, str) else part


def _name(text: str) -> str:
    match = _TWO_FORMS.fullmatch(text)
    return f"{match[1] or ''}{match[2]}{match[3].removesuffix('Output')}" if match else text

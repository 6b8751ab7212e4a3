"""The OpenAPI 3.1 document: what FastAPI makes of the routes, completed by what every answer has in common."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.foundation.problems import (
    MEDIA_TYPE,
    BodyTooLarge,
    MalformedBody,
    ServiceUnavailable,
    UnsupportedMediaType,
    answers,
)
from auth.people.problems import CrossSite, NotSignedIn, RoleRequired
from auth.problems import (
    InsufficientScope,
    InvalidProof,
    InvalidToken,
    NonceRequired,
    ProofReplayed,
    TooManyRequests,
    Unauthenticated,
)
from auth.scopes import Scope
from schemas.exchange.event import EVENT_TYPES, Event
from schemas.exchange.problem import Problem
from schemas.exchange.webhook import TEST, WebhookMessage

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
_HEADERS: Final = {
    "RetryAfter": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "RateLimitPolicy": {
        "description": 'What your client may ask for: `"client";q=500;w=10` is 500 requests, which all come back within 10 seconds'
        " (draft-ietf-httpapi-ratelimit-headers; structured fields, RFC 9651). Absent where the exchange sets no limit.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": 'What is left of it: `"client";r=480;t=1` is 480 requests now, and all of them again after 1 second.',
        "schema": {"type": "string"},
    },
}
_LIMIT_FIELDS: Final = {
    "RateLimit-Policy": {"$ref": "#/components/headers/RateLimitPolicy"},
    "RateLimit": {"$ref": "#/components/headers/RateLimit"},
}
_TOO_MANY = {
    status: {**answer, "headers": {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}, **_LIMIT_FIELDS}}
    for status, answer in answers(TooManyRequests).items()
}
_ADMINISTRATION = """
Administration of the exchange: who takes part, which systems call it, what agencies have agreed, who let whom in.

* **Access**: a signed-in person's session (a cookie; what changes anything also carries `Origin`), or the access token of a client with
  the scope `admin.read` or `admin.write`, as for the exchange itself. A client may read, ask and stop; its yes opens nothing.
* **Roles**: `operator`, `protection_officer`, `auditor`. Keys are changed within ten minutes of proving again who you are.
* **Two people**: what opens access answers 202 with an approval. It is done when two different signed-in people have said yes, at once
  where one is enough (development). What stops or narrows is done at once.
* **Once**: there is no `Idempotency-Key`. What is there already, or waits already, is refused with 409, and a stop that is repeated
  changes nothing more.
* **Errors**: `application/problem+json` (RFC 9457), as of the exchange; `says` tells what a person can put right.
"""


_GROUPS: Final = {
    "referrals": "Ask another agency to see to a need. The sender goes on leading the case.",
    "transfers": "Hand a case over: with it goes the lead, and what the receiver needs for it.",
    "inbox": "What waits for your agency, the most urgent first.",
    "events": "The feed: what has happened, in order, read by position or followed as it comes.",
    "cases": "What holds referrals and transfers about one person together, and who leads it.",
    "consents": "What a person has agreed to: given, narrowed, widened, withdrawn.",
    "disclosures": "What could go where, on which basis, asked before anything is sent.",
    "attachments": "Files that belong to a section and go where it goes.",
    "forms": "Referrals and transfers on paper, blank or filled in.",
    "directory": "Who takes part and where; your own client's keys; the keys that sections are sealed to.",
    "webhooks": "Have events sent to your system, signed.",
    "imports": "Many referrals at once, a line each.",
    "exports": "Your agency's own data, a line each.",
    "escalations": "What nobody answered in time, and who sees to it.",
    "reassignments": "A new lead where the old one has fallen silent.",
    "links": "Cases that belong together.",
    "corrections": "What another agency has wrong, and what came of saying so.",
    "requests": "What one agency asks another to do about data.",
    "subject requests": "What the person asks for: to read, correct, erase or restrict what is held.",
    "access report": "Who saw what of a case, on which basis.",
    "emergency access": "A named section for a named reason and a limited time, told at once.",
    "reviews": "Whether what was disclosed without consent had a ground.",
    "incidents": "Data that got where it must not be, and whom to tell.",
    "legal holds": "What must not be erased yet.",
    "retention": "What is kept how long, and what was erased.",
    "receipts": "Proof of what was sent and done, and the log it stands in.",
    "code lists": "Every code, in English and Indonesian.",
    "schemas": "The record's JSON Schema.",
    "health": "Whether the service answers, and can reach what it needs.",
}


@dataclass(frozen=True, slots=True)
class Contract:
    """What a document says besides its routes."""

    title: str
    introduction: str
    not_known: dict[int | str, dict[str, Any]]
    """How whoever is not known is answered."""
    not_let_in: dict[int | str, dict[str, Any]]
    """How a request is answered whose credentials do not suffice."""
    groups: dict[str, str] = field(default_factory=dict)
    """What each tag stands for, in the order in which to read them."""
    prefix: str = ""
    """Where the application is mounted."""
    tells_events: bool = True
    reads: Scope | None = None
    """The scope of what only reads, where routes do not name their scopes."""
    writes: Scope | None = None


_TOKEN = (InvalidToken, InvalidProof, NonceRequired, ProofReplayed)
EXCHANGE: Final = Contract(
    "Rujukan", _INTRODUCTION.strip(), answers(Unauthenticated, *_TOKEN), answers(InsufficientScope), groups=_GROUPS
)
ADMINISTRATION: Final = Contract(
    "Rujukan: administration",
    _ADMINISTRATION.strip(),
    answers(NotSignedIn, *_TOKEN, ServiceUnavailable),
    answers(RoleRequired, InsufficientScope),
    prefix="/admin",
    tells_events=False,
    reads=Scope.admin_read,
    writes=Scope.admin_write,
)
_FROM_ELSEWHERE = answers(CrossSite)
_NOT_READ = answers(BodyTooLarge, MalformedBody, UnsupportedMediaType)
_MESSAGE_HEADERS: Final = {
    "id": "The event's id, the same however often it is sent: by it you know what you have.",
    "timestamp": "When this was sent, in seconds since 1970. Refuse what is more than five minutes away from now.",
    "signature": "One or two signatures with a space between: `v1a,` and the base64 of an Ed25519 signature over"
    " `<webhook-id>.<webhook-timestamp>.<body>`. One that verifies is enough.",
}
_MESSAGE_ANSWERS: Final = {
    "2XX": ("MessageReceived", "You have it. Answer as soon as it is stored, before you act on it."),
    "410": ("MessageUnwanted", "Nothing of this is wanted any more: the webhook is gone until it is enabled."),
    "default": ("MessageNotReceived", "Tried again, for three days. `Retry-After` is respected."),
}
"""By status: the name of the answer, and what follows from it."""
_TEST: Final = (
    "A test message, asked for with `POST /v1/webhooks/{webhook_id}/test`. No feed has it. Answer as to any other."
)
_TWO_FORMS = re.compile(r"(#/components/schemas/)?(\w+)-(Input|Output)")
"""How FastAPI names a model whose form in requests is not that in answers."""
_TYPE: Final = re.compile(r"^`([a-z-]+)`:", re.MULTILINE)
"""A problem's type where an answer is described."""


def document(app: FastAPI, contract: Contract = EXCHANGE) -> dict[str, Any]:
    """Return the document, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    made = get_openapi(
        title=contract.title,
        version=app.version,
        openapi_version="3.1.0",
        description=contract.introduction,
        routes=app.routes,
        tags=[{"name": name, "description": says} for name, says in contract.groups.items()] or None,
        separate_input_output_schemas=True,
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
    )
    made["paths"] = {f"{contract.prefix}{path}": operations for path, operations in made["paths"].items()}
    schemas = made["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema(mode="serialization")
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in made["paths"].values():
        for method, operation in path.items():
            operation["summary"] = re.split(r"[.:;](?:\s|$)", operation["description"], maxsplit=1)[0]
            found = operation["responses"]
            if (invalid := found.get("422")) and "HTTPValidationError" in str(invalid):
                found["422"] = {"description": "`invalid-request`: The request is not valid.", "content": problem}
            if "security" in operation:
                _secure(operation, contract, method)
            if "requestBody" in operation:
                _add(found, _NOT_READ)
            operation["responses"] = dict(sorted(found.items()))
    made["components"]["headers"] = dict(_HEADERS)
    schemes = made["components"]["securitySchemes"]
    schemes["mutualTLS"] = _MUTUAL_TLS
    if contract.tells_events:
        schemas["Event"] = Event.model_json_schema(mode="serialization")
        schemas["Event"]["properties"]["type"]["x-known-values"] = sorted(EVENT_TYPES)
        made["x-event-types"] = EVENT_TYPES
        schemas["WebhookMessage"] = WebhookMessage.model_json_schema(
            mode="serialization", ref_template="#/components/schemas/{model}"
        )
        del schemas["WebhookMessage"]["$defs"]  # Event, which is there
        schemas["WebhookMessage"]["properties"]["type"]["x-known-values"] = sorted([*EVENT_TYPES, TEST])
        made["components"]["parameters"] = {
            f"Webhook{name.title()}": {
                "name": f"webhook-{name}",
                "in": "header",
                "required": True,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in _MESSAGE_HEADERS.items()
        }
        made["components"]["responses"] = {name: {"description": text} for name, text in _MESSAGE_ANSWERS.values()}
        made["webhooks"] = {name: _message(name, what) for name, what in {**EVENT_TYPES, TEST: _TEST}.items()}
    if contract.reads and contract.writes:
        flow = schemes["oauth2"]["flows"]["clientCredentials"]
        flow["scopes"] = {str(name): flow["scopes"][name] for name in (contract.reads, contract.writes)}
    _share(made)
    app.openapi_schema = _renamed(made)
    if contract.tells_events:
        app.openapi_schema["x-raw-exchange"] = json.loads(_RAW_EXCHANGE.read_text(encoding="ascii"))
    return app.openapi_schema


def _message(name: str, what: str) -> dict[str, Any]:
    """Return the message about one type of event, as a receiver is sent it."""
    only = {"type": "object", "properties": {"type": {"const": name}}}
    return {
        "post": {
            "summary": f"`{name}`",
            "description": f"{what} Headers, signature and order: `docs/webhooks.md` of the source.",
            "tags": ["messages"],
            "parameters": [{"$ref": f"#/components/parameters/Webhook{each.title()}"} for each in _MESSAGE_HEADERS],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": {"allOf": [{"$ref": "#/components/schemas/WebhookMessage"}, only]}}
                },
            },
            "responses": {
                status: {"$ref": f"#/components/responses/{name}"} for status, (name, _) in _MESSAGE_ANSWERS.items()
            },
        }
    }


def _secure(operation: dict[str, Any], contract: Contract, method: str) -> None:
    """Say who may call an operation, and how everybody else is answered."""
    found = operation["responses"]
    for status, answer in found.items():
        if status.startswith("2"):
            answer.setdefault("headers", {}).update(_LIMIT_FIELDS)
    _add(found, contract.not_known)
    _add(found, _TOO_MANY)
    for way in operation["security"]:
        if "oauth2" in way and (scope := contract.reads if method == "get" else contract.writes):
            way["oauth2"] = [str(scope)]
    if scopes := [scope for way in operation["security"] for names in way.values() for scope in names]:
        operation["description"] += f"\n\nScope: {', '.join(f'`{scope}`' for scope in scopes)}."
    if scopes or contract.reads:
        _add(found, contract.not_let_in)
    if contract.writes and method != "get":
        _add(found, _FROM_ELSEWHERE)
    # RFC 8705: the same scopes, the token bound to the certificate instead of a DPoP key
    operation["security"] += [{**way, "mutualTLS": []} for way in operation["security"] if "oauth2" in way]


def _add(found: dict[str, Any], more: dict[int | str, dict[str, Any]]) -> None:
    """Add answers to an operation's own."""
    for status, answer in more.items():
        own = found.get(str(status))
        lines = [] if own is None else own["description"].split("\n\n")
        lines += [line for line in answer["description"].split("\n\n") if line not in lines]
        found[str(status)] = {**answer, "description": "\n\n".join(lines)}


def _share(made: dict[str, Any]) -> None:
    """Write what several operations have in common once, in `components`: parameters, and answers that are problems."""
    operations = [operation for path in made["paths"].values() for operation in path.values()]
    parameters = [(each["parameters"], at) for each in operations for at in range(len(each.get("parameters", ())))]
    for held, at in parameters:
        # FastAPI writes the description in both, and makes a title of the name
        schema = held[at]["schema"]
        held[at]["schema"] = {key: value for key, value in schema.items() if key not in ("title", "description")}
    _share_each(made, "parameters", parameters, lambda found: _camel(found["name"]))
    answers = [(each["responses"], status) for each in operations for status in each["responses"]]
    problems = [(held, status) for held, status in answers if MEDIA_TYPE in held[status].get("content", ())]
    forms: dict[str, set[str]] = {}
    for held, status in problems:
        forms.setdefault(status, set()).add(held[status]["description"])
    phrases = {of.pop(): HTTPStatus(int(status)).phrase for status, of in forms.items() if len(of) == 1}
    _share_each(made, "responses", problems, lambda found: _named_by_problems(found["description"], phrases))


def _named_by_problems(description: str, phrases: dict[str, str]) -> str | None:
    """Return a name for an answer, by the problems it may be, or by its status if no other answer has that."""
    types = _TYPE.findall(description)
    if 1 <= len(types) <= 3:
        return "Or".join(_camel(name) for name in types)
    return _camel(phrases[description]) if description in phrases else None


def _share_each(
    made: dict[str, Any],
    kind: str,
    places: list[tuple[Any, Any]],
    name_of: Callable[[dict[str, Any]], str | None],
) -> None:
    """Move what is the same in several of `places`, a container and a key each, to `components`.

    Of what would have the same name that is moved which most of them are; the rest stays where it is.
    """
    shared = made["components"].setdefault(kind, {})
    written = [json.dumps(held[key], sort_keys=True) for held, key in places]
    names = [name_of(held[key]) for held, key in places]
    times, named = Counter(written), Counter(names)
    taken = set(shared)
    for (held, key), text, name in zip(places, written, names, strict=True):
        if name and name not in taken and times[text] > 1 and times[text] * 2 > named[name]:
            shared[name] = held[key]
            held[key] = {"$ref": f"#/components/{kind}/{name}"}
    made["components"][kind] = dict(sorted(shared.items()))


def _camel(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name))


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

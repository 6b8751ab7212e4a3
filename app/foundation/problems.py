"""RFC 9457 problems: one base, one handler, `application/problem+json`.

A class's docstring is the page its `type` points to (`/problems/<type>`); `type` is written out and never changes.
Members are ids, section names, codes and JSON Pointers, never values a caller sent.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.foundation import metrics
from app.foundation.i18n import language_of

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """Something a caller can understand and act on."""

    type: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    title_id: ClassVar[str]
    log_as: ClassVar[str | None] = None
    """Outcome written to the log when an authenticated caller is refused by rule; None: not a refusal by rule."""

    def __init__(self, *, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        self.members = members
        self.headers = dict(headers or {})
        super().__init__(self.type)

    @classmethod
    def page(cls) -> str:
        """The explanation, in English, that the problem's `type` leads to."""
        return inspect.cleandoc(cls.__doc__ or "")

    def body(self, request: Request) -> dict[str, Any]:
        """Return the problem document for this request, in its language."""
        title = self.title_id if language_of(request) == "id" else self.title
        return {
            "type": f"/problems/{self.type}",
            "title": title,
            "status": self.status,
            "request_id": request.scope.get("request_id", ""),
            **self.members,
        }

    def response(self, request: Request) -> Response:
        """Render the problem."""
        metrics.problem_answered(self.type)
        return Response(
            orjson.dumps(self.body(request), default=str),
            self.status,
            {"Cache-Control": "no-store", "Content-Language": language_of(request), **self.headers},
            MEDIA_TYPE,
        )


def all_problems() -> Iterator[type[Problem]]:
    """Yield every concrete problem class that is imported, by `type`."""

    def below(cls: type[Problem]) -> Iterator[type[Problem]]:
        for sub in cls.__subclasses__():
            if "type" in sub.__dict__:
                yield sub
            yield from below(sub)

    yield from sorted(set(below(Problem)), key=lambda cls: cls.type)


class InvalidRequest(Problem):
    """The request does not have the form the document describes.

    `errors` names each fault by a JSON Pointer (`pointer`) into the body, or by the `parameter` or `header` at fault, with a
    stable `code`. The values themselves are never repeated. Correct the request and send it again; nothing was stored.
    """

    type, status, title, title_id = "invalid-request", 422, "The request is not valid", "Permintaan tidak sah"

    def __init__(self, errors: Sequence[Mapping[str, str]]) -> None:
        super().__init__(errors=list(errors))


class MalformedBody(Problem):
    """The body is not strict JSON in UTF-8.

    Refused are: text that is no JSON, bytes that are not UTF-8, a member named twice in one object, `NaN` and `Infinity`,
    nesting so deep, or so many values, that no document needs it, and a missing body. Nothing was stored.
    """

    type, status, title, title_id = (
        "malformed-body",
        400,
        "The body is not strict JSON",
        "Isi permintaan bukan JSON yang sah",
    )

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class UnsupportedMediaType(Problem):
    """The body must be sent as `application/json`; at `/oauth2` as `application/x-www-form-urlencoded`, an import as `application/x-ndjson`.

    An import is sent as it is: `Content-Encoding` is not taken.
    """

    type, status, title, title_id = (
        "unsupported-media-type",
        415,
        "The media type is not supported",
        "Jenis media tidak didukung",
    )


class BodyTooLarge(Problem):
    """The body is larger than the exchange takes. Attach large documents separately; nothing was stored."""

    type, status, title, title_id = "body-too-large", 413, "The body is too large", "Isi permintaan terlalu besar"


class NotFound(Problem):
    """There is nothing at this address that you may see.

    What does not exist and what belongs to others get the same answer.
    """

    type, status, title, title_id = "not-found", 404, "Not found", "Tidak ditemukan"
    log_as = "not_found"


class MethodNotAllowed(Problem):
    """This address exists, but not for this HTTP method. `Allow` says which it takes."""

    type, status, title, title_id = (
        "method-not-allowed",
        405,
        "The method is not allowed here",
        "Metode tidak diizinkan",
    )


class ServiceUnavailable(Problem):
    """The exchange cannot reach its database at the moment.

    Wait as long as `Retry-After` says and send the same request again, with the same `Idempotency-Key`: if it took effect
    after all, you get the original answer.
    """

    type, status, title, title_id = "service-unavailable", 503, "Try again shortly", "Coba lagi sebentar"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "2"})


class InternalError(Problem):
    """A fault of the exchange, not of your request. It is recorded under `request_id`; tell the operators that id.

    Sending the same request again with the same `Idempotency-Key` is safe.
    """

    type, status, title, title_id = "internal-error", 500, "A fault of the exchange", "Kesalahan pada sistem"


def answers(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """Describe `problems` for OpenAPI, one entry a status."""
    described: dict[int | str, dict[str, Any]] = {}
    for problem in problems:
        line = f"`{problem.type}`: {problem.title}."
        if problem.status in described:
            described[problem.status]["description"] += f"\n\n{line}"
        else:
            described[problem.status] = {
                "description": line,
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
    return described

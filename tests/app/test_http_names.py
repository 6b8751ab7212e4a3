"""What an answer to a bad request needs to know of the documents, it knows without making them."""

from __future__ import annotations

import pytest
from starlette.datastructures import State

from app.admin.assembly import create_admin
from app.foundation import http
from app.foundation.settings import Settings
from app.main import create_app
from tests.contract.document import ADMIN, DOCUMENT


def schemas_of_bodies(document):
    """The schemas that bodies of requests are made of, at whatever depth."""
    found = {}

    def follow(part):
        if isinstance(part, dict):
            reference = part.get("$ref")
            if isinstance(reference, str) and (name := reference.rpartition("/")[2]) not in found:
                found[name] = document["components"]["schemas"][name]
                follow(found[name])
            for each in part.values():
                follow(each)
        elif isinstance(part, list):
            for each in part:
                follow(each)

    for operations in document["paths"].values():
        for operation in operations.values():
            follow(operation.get("requestBody", {}).get("content", {}))
    return found.values()


@pytest.fixture(scope="module", params=["exchange", "administration"])
def served(request):
    """An application, and its document."""
    return (create_app(Settings()), DOCUMENT) if request.param == "exchange" else (create_admin(State()), ADMIN)


def test_the_members_it_names_are_those_that_bodies_may_have(served):
    app, document = served
    names = http.member_names(app)
    assert app.openapi_schema is None, "no document was made for it"
    assert names == {name for schema in schemas_of_bodies(document) for name in schema.get("properties", ())}


def test_the_methods_it_allows_are_those_of_the_document(served):
    app, document = served
    for path, operations in document["paths"].items():
        inside = path.removeprefix("/admin")
        assert set(http.allowed_methods(app, inside)) >= {method.upper() for method in operations}, path
    assert http.allowed_methods(app, "/nowhere") == ["GET"]

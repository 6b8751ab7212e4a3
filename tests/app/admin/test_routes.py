"""Every route of `/admin/v1` is guarded, and by whom stands in the table of docs/administering.md."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.datastructures import State

from app.admin.assembly import create_admin
from app.foundation.http import StrictRoute
from auth.admin.acts import ACTS
from auth.people import guard
from auth.people.person import Role
from schemas.codes.base import RequestBody
from tests.app.admin.test_pages import PAGES
from tests.app.test_routes import named, tree

PUBLIC = {
    "/openapi.json",
    "/v1/sign-in/begin",
    "/v1/sign-in/finish",
    "/v1/enrolment/begin",
    "/v1/enrolment/finish",
    "/v1/command-line/look",
    "/oidc/start",
    "/oidc/callback",
    "/",
    *(f"/{page}" for page in PAGES),
    "/static",
    "/static/common",
}
"""What answers without anybody being signed in, and why it may: it says what there is, is a way in, or a page that holds nothing."""
THEIR_OWN = ("/v1/confirmation/", "/v1/passkeys/", "/v1/sign-out", "/v1/me/", "/v1/sessions/", "/v1/command-line/")
"""What anybody changes of their own: how they sign in, and where they have."""
PAGE = (Path(__file__).parents[3] / "docs" / "administering.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| `(?P<method>[A-Z]+) /admin(?P<path>/[^`]*)` \| (?P<roles>[^|]*)\| (?P<confirmed>[^|]*)\| (?P<act>[^|]*)\|$",
    re.M,
)
TABLE = {f"{row['method']} {row['path']}": row for row in ROW.finditer(PAGE)}
ROUTES = [route for route in iter_route_contexts(create_admin(State()).routes) if str(route.path) not in PUBLIC]
every_route = pytest.mark.parametrize("route", ROUTES, ids=named)


def guards(route: RouteContext) -> Iterator[dict[str, Any]]:
    """What each guard of a route needs: `allowed`, `person`, `confirmed`."""
    for each in tree(route.dependant):
        name = getattr(each.call, "__qualname__", "")
        if getattr(each.call, "__module__", "") == guard.__name__ and name.startswith("requires_role.<locals>"):
            yield dict(inspect.getclosurevars(each.call).nonlocals)


def roles(row: re.Match[str]) -> set[Role]:
    names = row["roles"].partition(";")[0].strip()
    return set(Role) if names == "any" else {Role(name.strip()) for name in names.split(",")}


def test_the_table_has_every_route_and_no_other():
    assert {named(route) for route in ROUTES} == TABLE.keys()


def test_every_route_but_the_public_ones_asks_who_it_is():
    found = {
        str(route.path): bool([*guards(route)])
        for route in iter_route_contexts(create_admin(State()).routes)
        if hasattr(route, "dependant")
    }
    assert {path for path, guarded in found.items() if not guarded} == PUBLIC - {"/static", "/static/common"}


@every_route
def test_has_the_guard_the_table_says(route: RouteContext):
    (needs,) = guards(route)
    row = TABLE[named(route)]
    assert needs["allowed"] == roles(row)
    assert needs["person"] == ("a person" in row["roles"])
    assert needs["confirmed"] == (row["confirmed"].strip() == "yes")


@every_route
def test_changes_nothing_by_reading(route: RouteContext):
    assert route.methods in ({"GET"}, {"POST"}, {"PATCH"})
    if Role.auditor in roles(TABLE[named(route)]) and not str(route.path).startswith(THEIR_OWN):
        assert route.methods == {"GET"}, "an auditor changes nothing"


@every_route
def test_reads_strict_json_and_refuses_retired_codes(route: RouteContext):
    assert isinstance(route.original_route, StrictRoute)
    body = getattr(route.original_route, "body_field", None)
    if body is not None:
        models = getattr(body.field_info.annotation, "__args__", (body.field_info.annotation,))
        assert all(issubclass(model, RequestBody) for model in models)


def test_names_only_acts_there_are_and_every_one():
    named_acts = {act for row in TABLE.values() for act in re.findall(r"`([a-z_:]+)`", row["act"])}
    assert named_acts == set(ACTS)
    listed = set(re.findall(r"^\| `([a-z_]+:[a-z_]+)` \|", PAGE, re.M))
    assert listed == set(ACTS)


def test_the_table_of_acts_says_whose_yes_counts():
    for act, names in re.findall(r"^\| `([a-z_]+:[a-z_]+)` \| [^|]*\| ([^|]*)\|$", PAGE, re.M):
        assert {Role(name.strip()) for name in names.split(",")} == ACTS[act].roles, act

"""Every route declares its guard, what it reads of the headers, and nothing that would block the loop."""

from __future__ import annotations

import inspect
import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.params import Header
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.middleware.base import BaseHTTPMiddleware

from app import dependencies
from app.client import ExchangeClient
from app.exchange.cases.lifecycle import CASE
from app.exchange.lifecycle import Lifecycle, Move
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from app.foundation.http import StrictRoute
from app.foundation.settings import Settings
from app.main import create_app
from auth import guard
from auth.scopes import Scope
from schemas.codes.base import RequestBody
from tests.makers import records

PUBLIC = {
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource",
    "/oauth2/token",
    "/oauth2/introspect",
    "/oauth2/revoke",
    "/oauth2/jwks",
    "/oauth2/register",
    "/oauth2/register/{client_id}",
    "/openapi.json",
    "/docs",
    "/problems",
    "/problems/{name}",
    "/static",
    "/static/swagger",
    "/v1/forms/referral",
    "/admin",
    "/healthz",
    "/readyz",
    "/v1/code-lists",
    "/v1/code-lists/{name}",
    "/v1/log/checkpoint",
    "/v1/log/keys",
    "/v1/log/proof/consistency",
    "/v1/record-fields",
    "/v1/schemas",
    "/v1/schemas/{name}",
}
"""Everything that answers without a token, and why it may: it says how to get one, what there is, what a code means, what a
record may say, or that the process lives. Of the log: its size, hashes and keys, which are worth the more the more people
keep them. A blank form says nothing of anybody, and is wanted where there is no system yet."""

NO_SCOPE = {"read_me", "list_own_keys", "read_receipt", "list_own_encryption_keys", "list_encryption_keys"}
"""What a token of any scope may ask."""
OF_CASES = (
    "/v1/attachments",
    "/v1/cases",
    "/v1/case-links",
    "/v1/corrections",
    "/v1/disclosures",
    "/v1/escalations",
    "/v1/exports",
    "/v1/emergency-access",
    "/v1/reviews",
    "/v1/holds",
    "/v1/imports",
    "/v1/inbox",
    "/v1/incidents",
    "/v1/protection",
    "/v1/reassignments",
    "/v1/references",
    "/v1/referrals",
    "/v1/requests",
    "/v1/subject-requests",
    "/v1/transfers",
)

OTHER_METHODS = {
    "read_webhook": {"GET"},
    "change_webhook": {"PATCH"},
    "remove_webhook": {"DELETE"},
    "replace_duty_contacts": {"PUT"},
    "mark_notes_of_referral_read": {"PUT"},
    "mark_notes_of_transfer_read": {"PUT"},
    "acknowledge_events": {"PUT"},
    "delete_attachment": {"DELETE"},
}
"""What is neither read nor posted: a list or a mark that is the same however often it is put; a webhook, which is a subscription of the client's
own and no act, so that nothing of it is kept for others; a file that goes with no record yet. HEAD says of a file what GET would."""
SCOPES_OF_THEIR_OWN = {
    "/v1/webhooks": {"webhooks.write", "events.read"},
    "/v1/attachments": {"attachments.write"},
    "/v1/events/position": {"events.read"},
}
"""Whoever has events sent may read them, and reads what was sent for whoever has it sent; whoever uploads files looks at them, and nobody else does
before they go with a record; whoever reads the feed says how far it has."""

APP = create_app(Settings())
CONTEXTS = list(iter_route_contexts(APP.routes))
GUARDED = [route for route in CONTEXTS if str(route.path).startswith("/v1/") and str(route.path) not in PUBLIC]


def named(route: RouteContext) -> str:
    return f"{'/'.join(sorted(route.methods or ()))} {route.path}"


def tree(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for each in dependant.dependencies:
        yield from tree(each)


def calls(route: RouteContext) -> set[Any]:
    return {each.call for each in tree(route.dependant)}


def headers(route: RouteContext) -> set[str]:
    """The headers the route cannot do without."""
    return {
        field.alias.lower()
        for each in tree(route.dependant)
        for field in each.header_params
        if isinstance(field.field_info, Header) and field.field_info.is_required()
    }


def scopes(route: RouteContext) -> set[str] | None:
    """The scopes of the route's guard, or None if it has none."""
    found = [
        each
        for each in tree(route.dependant)
        if getattr(each.call, "__module__", "") == guard.__name__
        and each.call.__qualname__ == "requires.<locals>.guard"
    ]
    assert len(found) <= 1, "one guard a route"
    return {str(scope) for scope in found[0].own_oauth_scopes or ()} if found else None


every_route = pytest.mark.parametrize("route", GUARDED, ids=named)


class TestWhatIsPublic:
    def test_is_only_what_stands_in_the_list(self):
        assert {str(route.path) for route in CONTEXTS if route not in GUARDED} == PUBLIC

    def test_has_no_guard_and_reaches_no_case(self):
        for route in CONTEXTS:
            if route not in GUARDED and hasattr(route, "dependant"):
                assert scopes(route) is None
                assert not calls(route) & {dependencies._caller_connection, dependencies._case_connection}


class TestEveryGuardedRoute:
    @every_route
    def test_declares_its_scopes(self, route):
        found = scopes(route)
        assert found is not None
        assert found <= {str(scope) for scope in Scope}
        assert (found == set()) == (route.name in NO_SCOPE)

    @every_route
    def test_uses_up_the_proof_through_one_connection(self, route):
        both = {dependencies._caller_connection, dependencies._case_connection}
        assert len(calls(route) & both) == 1

    @every_route
    def test_names_who_acts_if_it_is_about_a_case_or_changes_the_directory(self, route):
        somebody_acts = str(route.path).startswith(OF_CASES) or route.name == "replace_duty_contacts"
        assert (dependencies._case_connection in calls(route)) == somebody_acts
        assert ("rujukan-actor" in headers(route)) == somebody_acts

    @every_route
    def test_needs_a_key_to_be_repeated_by_if_it_changes_anything(self, route):
        assert ("idempotency-key" in headers(route)) == ("POST" in route.methods)

    @every_route
    def test_reads_and_posts_and_does_nothing_else_that_is_not_named_here(self, route):
        if "HEAD" in route.methods:
            beside = [each.methods for each in GUARDED if each.path == route.path and "GET" in each.methods]
            assert (route.methods, beside) == ({"HEAD"}, [{"GET"}])
        elif route.methods in ({"GET"}, {"POST"}):
            assert OTHER_METHODS.get(route.name, {"GET"}) == {"GET"}
        else:
            assert route.methods == OTHER_METHODS.get(route.name)

    @every_route
    def test_writes_by_another_scope_than_it_reads_by(self, route):
        own = [found for path, found in SCOPES_OF_THEIR_OWN.items() if str(route.path).startswith(path)]
        if own:
            assert scopes(route) == own[0]
            return
        ending = ".read" if route.methods & {"GET", "HEAD"} else ".write"
        assert all(scope.endswith(ending) for scope in scopes(route))

    @every_route
    def test_refuses_retired_codes_in_what_it_is_sent(self, route):
        body = getattr(route.original_route, "body_field", None)
        assert body is None or issubclass(body.field_info.annotation, RequestBody)

    @every_route
    def test_reads_strict_json(self, route):
        assert isinstance(route.original_route, StrictRoute)


MOVES = [(lifecycle, move) for lifecycle in (CASE, REFERRAL, TRANSFER) for move in lifecycle.moves]
CREATED = {"open_case", "send", "offer"}
BY_NOBODY = {"absorb", "expire", "reassign_lead"}
"""Made by another move or by the clock."""


class TestMoves:
    @pytest.mark.parametrize(
        ("lifecycle", "move"),
        [pair for pair in MOVES if pair[1].event not in CREATED | BY_NOBODY],
        ids=lambda value: value.name if isinstance(value, Lifecycle) else value.event,
    )
    def test_needs_the_version_it_was_decided_on_if_the_table_says_so(self, lifecycle: Lifecycle, move: Move):
        path = f"/v1/{lifecycle.name}s/{{{lifecycle.name}_id}}/{records.path_of(move.event)}"
        (route,) = [route for route in GUARDED if route.path == path and "POST" in route.methods]
        assert ("if-match" in headers(route)) == move.versioned

    def test_every_path_below_a_referral_or_transfer_is_a_move_of_its_table(self):
        served = {records.path_of(move.event) for _, move in MOVES}
        below = [
            str(route.path).split("/")
            for route in GUARDED
            if "POST" in route.methods and str(route.path).count("/") == 4
        ]
        moves = {parts[4] for parts in below if parts[2] in ("referrals", "transfers")}
        assert moves - {"rebase", "reseal-request"} <= served, "which change access, not state"
        assert moves >= {"accept", "confirm-handover"}


class TestNothingBlocks:
    @pytest.mark.parametrize("route", [route for route in CONTEXTS if hasattr(route, "dependant")], ids=named)
    def test_no_endpoint_and_no_dependency_is_synchronous(self, route):
        for call in calls(route):
            running = call if inspect.isfunction(call) else type(call).__call__
            assert inspect.iscoroutinefunction(running) or inspect.isasyncgenfunction(running), call

    def test_no_middleware_copies_the_body(self):
        assert APP.user_middleware
        assert not [each for each in APP.user_middleware if issubclass(each.cls, BaseHTTPMiddleware)]


def asked(route: RouteContext) -> tuple[str, str, dict[str, str]]:
    """A request to the route whose every header is in order."""
    (method,) = route.methods or ()
    path = str(route.path)
    path = path.replace("{code}", "police").replace("{reference}", "R-0000-0000-0")
    path = re.sub(r"{\w+_id}", lambda _: str(uuid.uuid4()), path)
    return method, path, {"Rujukan-Actor": "officer-7", "Idempotency-Key": str(uuid.uuid4()), "If-Match": '"1"'}


def type_of(reply: httpx.Response, method: str) -> str:
    """The type of a problem. A HEAD is answered by headers alone: they say what GET would send, and no word of it comes."""
    if method == "HEAD":
        assert (reply.content, reply.headers["Content-Type"]) == (b"", "application/problem+json")
        return "/problems/" + {401: "unauthenticated", 403: "insufficient-scope"}[reply.status_code]
    found: str = reply.json()["type"]
    return found


class TestWhoIsLetIn:
    @every_route
    async def test_without_a_token_nobody(self, world, route):
        method, path, sent = asked(route)
        reply = await world.exchange.http.request(method, path, headers=sent)
        assert (reply.status_code, type_of(reply, method)) == (401, "/problems/unauthenticated")
        assert reply.headers["WWW-Authenticate"].startswith("DPoP ")

    @pytest.mark.parametrize("route", [route for route in GUARDED if route.name not in NO_SCOPE], ids=named)
    async def test_with_every_scope_but_its_own_nobody(self, world, route):
        needed = scopes(route)
        others = " ".join(str(scope) for scope in Scope if str(scope) not in needed)
        officer = world.police.client
        client = ExchangeClient(officer.credentials, scope=others, clock=world.exchange.clock, http=world.exchange.http)
        method, path, sent = asked(route)
        reply = await client.request(method, path, json=None if method in ("GET", "HEAD") else {}, headers=sent)
        assert (reply.status_code, type_of(reply, method)) == (403, "/problems/insufficient-scope")
        assert method == "HEAD" or reply.json()["scopes"] == sorted(needed)
        challenge = reply.headers["WWW-Authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert f'scope="{" ".join(sorted(needed))}"' in challenge
        (refusal,) = await world.refusals()
        assert (refusal["outcome"], refusal["client_id"]) == ("insufficient_scope", "police-system")

    @pytest.mark.parametrize("route", [route for route in GUARDED if "GET" in route.methods], ids=named)
    async def test_no_proof_is_taken_twice(self, world, route):
        method, path, sent = asked(route)
        sent |= await world.police.client.authorization(method, path)
        first = await world.exchange.http.request(method, path, headers=sent)
        assert first.status_code in (200, 404)
        again = await world.exchange.http.request(method, path, headers=sent)
        assert (again.status_code, again.json()["type"]) == (401, "/problems/dpop-proof-replayed")


def test_an_operation_is_a_function_of_the_same_name():
    for route in CONTEXTS:
        if isinstance(route.original_route, APIRoute):
            assert route.name == route.endpoint.__name__

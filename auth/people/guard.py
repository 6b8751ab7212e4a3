"""The guard an administrative endpoint declares: a person's session, or the token of a client with an administrative scope.

A token proves a client, not a person: it may read, ask and stop, but its yes opens nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request, Security
from fastapi.security import APIKeyCookie

from app.foundation.http import refuse_bad_request
from auth import queries
from auth.guard import authenticate, oauth2
from auth.people import sessions
from auth.people.person import Person, Role
from auth.people.problems import ConfirmationRequired, CrossSite, NotSignedIn, PersonRequired, RoleRequired
from auth.problems import InsufficientScope, ProofReplayed
from auth.scopes import Scope

PATIENCE: Final = 5
"""Seconds a request waits for a free connection before it is told to try again."""
_SAFE: Final = frozenset({"GET", "HEAD"})


async def identify(
    request: Request,
    actor: Annotated[
        str | None,
        Header(
            alias="Rujukan-Actor",
            pattern=r"^[\x21-\x7e]{1,64}$",
            description="With a client's token: your own opaque staff reference for the person who acts; never a name.",
        ),
    ] = None,
) -> Person:
    """Return who sent the request. Raises the problems of `auth.people.problems` and, for a token, of `auth.problems`."""
    if "authorization" in request.headers:
        return await _client(request, actor)
    state = request.app.state
    token = request.cookies.get(sessions.COOKIE)
    if not token:
        raise NotSignedIn
    if request.method not in _SAFE and request.headers.get("origin") != state.settings.admin_origin:
        raise CrossSite
    async with state.database.admin.acquire(timeout=PATIENCE) as conn:
        person = await sessions.find(conn, token, now=state.clock.now(), request_id=request.scope.get("request_id"))
    if person is None:
        raise NotSignedIn
    refuse_bad_request(request)
    return person


async def _client(request: Request, actor: str | None) -> Person:
    state = request.app.state
    caller = await authenticate(request)
    needed = Scope.admin_read if request.method in _SAFE else Scope.admin_write
    if needed not in caller.scopes:
        raise InsufficientScope(scopes=[needed])
    if caller.proof_hash is not None and caller.proof_until is not None:
        async with state.database.app.acquire() as conn:
            if not await queries.use_proof(conn, proof_hash=caller.proof_hash, until=caller.proof_until):
                raise ProofReplayed
    roles = {Role.operator, Role.protection_officer, *([Role.auditor] if needed is Scope.admin_read else [])}
    return Person(
        actor or f"client:{caller.client_id}"[:64],
        frozenset(roles),
        confirmed_at=state.clock.now(),  # each request is signed
        client_id=caller.client_id,
        request_id=caller.request_id,
    )


CurrentPerson = Annotated[Person, Depends(identify)]
session = APIKeyCookie(
    name=sessions.COOKIE,
    scheme_name="session",
    description="A signed-in person's session. What changes anything also needs `Origin`, as the exchange's own pages send it.",
    auto_error=False,
)


def requires_role(*roles: Role, person: bool = False, confirmed: bool = False) -> Any:
    """Whoever asks has one of `roles` (none named: any).

    `person`: no client may, only somebody who has signed in. `confirmed`: they have proved who they are a short while ago.
    """
    allowed = frozenset(roles or Role)

    # the security schemes are there for OpenAPI only
    async def of_a_person(request: Request, who: CurrentPerson, _: Annotated[str | None, Security(session)]) -> Person:
        return _let_in(request, who, allowed, person=person, confirmed=confirmed)

    async def of_anybody(
        request: Request,
        who: CurrentPerson,
        _: Annotated[str | None, Security(session)],
        __: Annotated[str | None, Security(oauth2)],
    ) -> Person:
        return _let_in(request, who, allowed, person=person, confirmed=confirmed)

    return Security(of_a_person if person else of_anybody)


def _let_in(request: Request, who: Person, allowed: frozenset[Role], *, person: bool, confirmed: bool) -> Person:
    if person and who.session_id is None:
        raise PersonRequired
    if not allowed & who.roles:
        raise RoleRequired(roles=sorted(allowed))
    if confirmed and not who.confirmed(request.app.state.clock.now()):
        raise ConfirmationRequired
    return who

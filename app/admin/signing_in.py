"""`/admin/v1/sign-in`, `/enrolment`, `/confirmation`, `/passkeys`, `/sign-out`: the ways in and out.

Each way in has two halves: `begin` gives the browser what it hands to its authenticator, `finish` takes what came back.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field

from app.admin.dependencies import Admin
from app.admin.problems import NotRight
from app.admin.visits import Visit, over
from app.foundation.http import StrictRoute
from app.foundation.problems import InvalidRequest, answers
from auth.people import invitations, passkeys, sessions
from auth.people.guard import requires_role
from auth.people.passkeys import Proven
from auth.people.person import Person
from auth.people.problems import (
    CeremonyOver,
    CodeRequired,
    ConfirmationRequired,
    CrossSite,
    LinkOver,
    NotSignedIn,
    PasskeyCopied,
    PasskeyRefused,
    PersonRequired,
)
from schemas.base import Wire
from schemas.codes.base import RequestBody

router = APIRouter(prefix="/v1", tags=["signing in"], route_class=StrictRoute)
SignedIn = Annotated[Person, requires_role(person=True)]
Confirmed = Annotated[Person, requires_role(person=True, confirmed=True)]


class Options(Wire):
    """For `navigator.credentials.create` or `.get`; what is binary is base64url (WebAuthn §5.1.8, §5.1.9)."""

    publicKey: dict[str, Any]  # noqa: N815 -- WebAuthn's own name


class Answer(RequestBody):
    """What an authenticator answered."""

    credential: dict[str, Any]
    """The credential as JSON (`PublicKeyCredential.toJSON()`)."""


class NewPasskey(Answer):
    """A passkey that an authenticator has made."""

    name: str = "Passkey"
    """By which its person knows it again, such as the device it is on."""


class Link(RequestBody):
    """What the one-time link holds."""

    token: Annotated[str, Field(max_length=200)]
    code: Annotated[str | None, Field(max_length=80)] = None
    """What whoever said the last yes to the link was shown; none where one person opened it."""


class Who(Wire):
    """Who has signed in."""

    reference: str


@router.post("/sign-in/begin", response_model=Options, responses=answers(CrossSite))
async def begin_sign_in(visit: Visit, response: Response) -> Options:
    """Begin to sign in by a passkey."""
    async with visit.transaction() as conn:
        begun = await passkeys.begin_proof(conn, "sign-in", visit.site, now=visit.now)
    visit.begin(response, begun)
    return Options(publicKey=begun.options)


@router.post(
    "/sign-in/finish",
    response_model=Who,
    responses=answers(CrossSite, CeremonyOver, PasskeyRefused, PasskeyCopied, InvalidRequest),
)
async def finish_sign_in(visit: Visit, body: Answer, response: Response) -> Who:
    """Sign in by a passkey: a session begins, and its token comes as a cookie."""
    ceremony = await visit.take("sign-in")
    async with visit.proving("sign-in") as conn:
        proven = await passkeys.finish_proof(conn, ceremony, body.credential, visit.site, now=visit.now)
        await visit.sign_in(conn, response, proven, method="passkey")
    return Who(reference=proven.reference)


@router.post(
    "/enrolment/begin", response_model=Options, responses=answers(CrossSite, LinkOver, CodeRequired, InvalidRequest)
)
async def begin_enrolment(visit: Visit, body: Link, response: Response) -> Options:
    """Begin to make a passkey, by a one-time link; it counts on until the passkey is made."""
    async with visit.transaction() as conn:
        hash = sessions.token_hash(body.token)
        invited = await invitations.look(conn, hash, now=visit.now)
        if invited is None:
            raise LinkOver
        if not invited.takes(body.code):
            raise CodeRequired
        begun = await passkeys.begin_registration(
            conn,
            "enrol",
            visit.site,
            admin_id=invited.admin_id,
            reference=invited.reference,
            name=invited.name,
            now=visit.now,
            invitation=hash,
        )
    visit.begin(response, begun)
    return Options(publicKey=begun.options)


@router.post(
    "/enrolment/finish",
    response_model=Who,
    responses=answers(CrossSite, CeremonyOver, LinkOver, PasskeyRefused, NotRight, InvalidRequest),
)
async def finish_enrolment(visit: Visit, body: NewPasskey, response: Response) -> Who:
    """Keep the passkey, use up the link, and sign in."""
    ceremony = await visit.take("enrol")
    async with visit.proving("enrol") as conn:
        invited = await invitations.use(conn, bytes.fromhex(ceremony.data["invitation"]), now=visit.now)
        if invited is None:
            raise LinkOver
        await passkeys.finish_registration(
            conn,
            ceremony,
            body.credential,
            visit.site,
            name=body.name,
            reference=invited.reference,
            now=visit.now,
        )
        await visit.sign_in(conn, response, Proven(invited.admin_id, invited.reference), method="passkey")
    return Who(reference=invited.reference)


@router.post("/confirmation/begin", response_model=Options, responses=answers(CrossSite, NotSignedIn, PersonRequired))
async def begin_confirmation(who: SignedIn, visit: Visit, response: Response) -> Options:
    """Begin to prove again who you are."""
    async with visit.transaction() as conn:
        begun = await passkeys.begin_proof(conn, "confirm", visit.site, now=visit.now, admin_id=who.admin_id)
    visit.begin(response, begun)
    return Options(publicKey=begun.options)


@router.post(
    "/confirmation/finish",
    response_model=Who,
    responses=answers(
        CrossSite, NotSignedIn, PersonRequired, CeremonyOver, PasskeyRefused, PasskeyCopied, InvalidRequest
    ),
)
async def finish_confirmation(who: SignedIn, visit: Visit, body: Answer, response: Response) -> Who:
    """Prove again who you are: for ten minutes you may change keys and roles. The session gets another token."""
    ceremony = await visit.take("confirm")
    if ceremony.admin_id != who.admin_id:
        raise CeremonyOver
    async with visit.proving("confirm") as conn:
        proven = await passkeys.finish_proof(conn, ceremony, body.credential, visit.site, now=visit.now)
        assert who.session_id is not None, "the guard has asked for a person"
        token = await sessions.renew(conn, who.session_id, who.reference, method="passkey", now=visit.now)
        if token is None:
            raise NotSignedIn
    sessions.hand_over(response, token)
    over(response)
    return Who(reference=proven.reference)


@router.post(
    "/passkeys/begin",
    response_model=Options,
    responses=answers(CrossSite, NotSignedIn, PersonRequired, ConfirmationRequired),
)
async def begin_passkey(who: Confirmed, visit: Visit, response: Response) -> Options:
    """Begin to make another passkey of your own."""
    async with visit.transaction() as conn:
        assert who.admin_id is not None, "the guard has asked for a person"
        begun = await passkeys.begin_registration(
            conn,
            "add-passkey",
            visit.site,
            admin_id=who.admin_id,
            reference=who.reference,
            name=who.reference,
            now=visit.now,
        )
    visit.begin(response, begun)
    return Options(publicKey=begun.options)


@router.post(
    "/passkeys/finish",
    status_code=204,
    responses=answers(
        CrossSite,
        NotSignedIn,
        PersonRequired,
        ConfirmationRequired,
        CeremonyOver,
        PasskeyRefused,
        NotRight,
        InvalidRequest,
    ),
)
async def finish_passkey(who: Confirmed, visit: Visit, body: NewPasskey) -> Response:
    """Keep another passkey of your own."""
    ceremony = await visit.take("add-passkey")
    if ceremony.admin_id != who.admin_id:
        raise CeremonyOver
    async with visit.proving("add-passkey") as conn:
        await passkeys.finish_registration(
            conn,
            ceremony,
            body.credential,
            visit.site,
            name=body.name,
            reference=who.reference,
            now=visit.now,
        )
    response = Response(status_code=204)
    over(response)
    return response


@router.post("/sign-out", status_code=204, responses=answers(CrossSite, NotSignedIn, PersonRequired))
async def sign_out(who: SignedIn, admin: Admin) -> Response:
    """End this session."""
    async with admin.transaction() as conn:
        await sessions.sign_out(conn, by=who, now=admin.now)
    response = Response(status_code=204)
    sessions.take_back(response)
    return response

"""Administration of agencies and clients: plain functions over a connection of the role `rujukan_admin`.

Each is one transaction that moves the epoch, so that every process follows within a second, and writes a log entry naming
the `actor` (an opaque staff reference, as the log keeps them). What the person got wrong is a `LookupError` or a
`ValueError` with a message to show.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.foundation.database import Connection
from app.foundation.ids import uuid7
from auth import jose, queries
from auth.binding.certificate import UnreadableCertificateError, read
from auth.client_auth import mtls
from auth.client_auth.private_key_jwt import PrivateKeyJwt
from auth.jose import JoseRefusedError
from auth.scopes import Scope, UnknownScopeError
from schemas.codes.agencies import AgencyKind

_CODE: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}[a-z0-9]")
_CLIENT_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{2,63}")
_KEYS: Final = "keys are P-256 (ES256), Ed25519 (EdDSA) or RSA from 2048 bits (PS256), public only"
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


class UnknownAgencyError(LookupError):
    """There is no agency of that code."""


class UnknownClientError(LookupError):
    """There is no client of that id."""


class UnknownKeyError(LookupError):
    """The client has no such key that has not ended."""


class TakenError(ValueError):
    """The code, id or kid is in use already."""


class OpenDutiesError(ValueError):
    """The agency still answers for cases; how many, by what it is to them."""

    def __init__(self, code: str, duties: Mapping[str, int]) -> None:
        self.duties = {what: count for what, count in duties.items() if count}
        listed = ", ".join(f"{what}: {count}" for what, count in self.duties.items())
        super().__init__(f"{code} still answers for people and cannot be closed ({listed})")


class InvalidValueError(ValueError):
    """A value does not have the form it must have."""


class UnusableKeyError(ValueError):
    """A key a client may not have: private, too short, of another kind, or twice the same `kid`."""


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A client's key in a list."""

    kid: str
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class ListedClient:
    """A client in a list."""

    client_id: str
    name: str
    status: str
    scopes: tuple[str, ...]
    agencies: tuple[str, ...]
    auth_method: str
    certificate_bound: bool
    tls_name_kind: str | None
    tls_name: str | None
    keys: tuple[ListedKey, ...]
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class ListedAgency:
    """An agency in a list."""

    id: UUID
    code: str
    name: str
    kind: str
    region: str | None
    country: str
    parent: str | None
    status: str
    desk: bool
    created_at: datetime


async def add_agency(
    conn: Connection,
    *,
    code: str,
    name: str,
    kind: str,
    now: datetime,
    actor: str,
    region: str | None = None,
    country: str = "ID",
    parent: str | None = None,
    residential: str | None = None,
    accepts: Mapping[str, str] | None = None,
    capacity: int | None = None,
    note: str | None = None,
) -> UUID:
    """Add an agency and return its id. `parent` is a code. Raises `InvalidValueError`, `UnknownAgencyError`, `TakenError`."""
    if not _CODE.fullmatch(code):
        raise InvalidValueError(
            "an agency's code is 3 to 64 of a-z, 0-9 and -, beginning and ending with a letter or digit"
        )
    if not _COUNTRY.fullmatch(country):
        raise InvalidValueError("a country is two capital letters (ISO 3166-1)")
    if kind not in set(AgencyKind):
        raise InvalidValueError(f"a kind of agency is one of: {', '.join(AgencyKind)}")
    if capacity is not None and capacity < 0:
        raise InvalidValueError("a capacity is not negative")
    _check_name(name)
    async with conn.transaction():
        parent_id = None if parent is None else await _agency_id(conn, parent)
        id = uuid7(now)
        added = await queries.insert_agency(
            conn,
            id=id,
            code=code,
            name=name,
            kind=kind,
            region=region,
            country=country,
            parent_id=parent_id,
            residential=residential,
            accepts=accepts,
            capacity=capacity,
            note=note,
            created_at=now,
        )
        if not added:
            raise TakenError(f"there is an agency {code} already")
        await queries.log_act(
            conn, at=now, actor=actor, action="agency:add", subject="agency", subject_id=id, detail={"code": code}
        )
    return id


async def suspend_agency(conn: Connection, code: str, *, now: datetime, actor: str) -> None:
    """Shut an agency out within a second: no token for it counts or is issued."""
    await _set_agency_status(conn, code, "suspended", action="agency:suspend", now=now, actor=actor)


async def resume_agency(conn: Connection, code: str, *, now: datetime, actor: str) -> None:
    """Let a suspended agency in again."""
    await _set_agency_status(conn, code, "active", action="agency:resume", now=now, actor=actor)


async def close_agency(conn: Connection, code: str, *, now: datetime, actor: str) -> None:
    """Close an agency for good. Raises `OpenDutiesError` while it leads a case or holds an accepted referral or transfer."""
    async with conn.transaction():
        await _set_agency_status(conn, code, "closed", action="agency:close", now=now, actor=actor)
        # counted last: what it took on while its status was being changed counts too
        if any((duties := await queries.duties_of(conn, code)).values()):
            raise OpenDutiesError(code, duties)


async def set_desk(conn: Connection, code: str, *, now: datetime, actor: str) -> None:
    """Make an agency the ministry's desk; the one before it is so no more."""
    async with conn.transaction():
        id = await queries.set_desk(conn, code)
        if id is None:
            raise UnknownAgencyError(f"there is no active agency {code}")
        await queries.log_act(
            conn, at=now, actor=actor, action="agency:desk", subject="agency", subject_id=id, detail={"code": code}
        )


async def list_agencies(conn: Connection) -> list[ListedAgency]:
    """Return all agencies by code."""
    return [ListedAgency(**dict(row)) for row in await queries.agencies(conn)]


async def add_service_point(
    conn: Connection,
    *,
    agency: str,
    name: str,
    confidential: bool,
    now: datetime,
    actor: str,
    region: str | None = None,
    address: str | None = None,
    services: Sequence[str] = (),
) -> UUID:
    """Add a service point to an agency and return its id. A confidential one must come without an address."""
    _check_name(name)
    if confidential and address is not None:
        raise InvalidValueError(
            "the address of a confidential service point is not kept; give a meeting point with each handover"
        )
    async with conn.transaction():
        agency_id = await _agency_id(conn, agency)
        id = uuid7(now)
        await queries.insert_service_point(
            conn,
            id=id,
            agency_id=agency_id,
            name=name,
            confidential=confidential,
            region=region,
            address=address,
            services=list(services),
            created_at=now,
        )
        await queries.log_act(
            conn,
            at=now,
            actor=actor,
            action="service_point:add",
            subject="service_point",
            subject_id=id,
            detail={"agency": agency},
        )
    return id


async def add_client(
    conn: Connection,
    *,
    client_id: str,
    name: str,
    agencies: Sequence[str],
    scopes: Iterable[str],
    jwks: Mapping[str, Any] | None = None,
    auth_method: str = PrivateKeyJwt.CLIENT_AUTH_METHOD,
    tls_name: tuple[str, str] | None = None,
    certificate_bound: bool | None = None,
    now: datetime,
    actor: str,
) -> None:
    """Register a client for agencies (codes), scopes and one way of authenticating.

    That is by public keys (`jwks`, a JWK Set), by registered certificates (`self_signed_tls_client_auth`: each JWK with `x5c`), or by a
    name that an authority certifies (`tls_client_auth`: `tls_name`, its kind and value). `certificate_bound`: its tokens are bound to
    its certificate, not to a DPoP key; unset, as it authenticates.

    Raises `InvalidValueError`, `UnknownScopeError`, `UnknownAgencyError`, `UnusableKeyError`, `TakenError`.
    """
    if not _CLIENT_ID.fullmatch(client_id):
        raise InvalidValueError("a client_id is 3 to 64 of a-z, 0-9, dot, - and _, beginning with a letter or digit")
    _check_name(name)
    if not agencies:
        raise InvalidValueError("a client acts for at least one agency")
    wanted = sorted(_scopes(scopes))
    if auth_method == mtls.TLS_CLIENT_AUTH:
        if tls_name is None or jwks is not None:
            raise InvalidValueError("a client that an authority vouches for has one name, and no keys of its own here")
        public: dict[str, dict[str, Any]] = {}
        tls_name = (tls_name[0], mtls.normalise_name(*tls_name))
    elif tls_name is not None:
        raise InvalidValueError(f"a name in a certificate goes with {mtls.TLS_CLIENT_AUTH}")
    else:
        public = _registered(auth_method, None if jwks is None else jwks.get("keys"))
    if certificate_bound is None:
        certificate_bound = auth_method != PrivateKeyJwt.CLIENT_AUTH_METHOD
    async with conn.transaction():
        added = await queries.insert_client(
            conn,
            client_id=client_id,
            name=name,
            scopes=wanted,
            auth_method=auth_method,
            certificate_bound=certificate_bound,
            tls_name=tls_name,
            at=now,
        )
        if not added:
            raise TakenError(f"there is a client {client_id} already")
        for code in dict.fromkeys(agencies):
            await queries.insert_client_agency(conn, client_id=client_id, agency_id=await _agency_id(conn, code))
        for kid, jwk in public.items():
            await queries.insert_client_key(conn, client_id=client_id, kid=kid, jwk=jwk, starts_at=now)
        await _log_client(
            conn,
            client_id,
            "client:add",
            now,
            actor,
            agencies=list(dict.fromkeys(agencies)),
            scopes=wanted,
            auth_method=auth_method,
            kids=list(public),
        )


async def list_clients(conn: Connection) -> list[ListedClient]:
    """Return all clients by id."""

    def listed(row: Mapping[str, Any]) -> ListedClient:
        keys = tuple(
            ListedKey(
                key["kid"],
                datetime.fromisoformat(key["starts_at"]),
                key["ends_at"] and datetime.fromisoformat(key["ends_at"]),
            )
            for key in json.loads(row["keys"])
        )
        return ListedClient(
            **{**dict(row), "scopes": tuple(row["scopes"]), "agencies": tuple(row["agencies"]), "keys": keys}
        )

    return [listed(row) for row in await queries.clients(conn)]


async def suspend_client(conn: Connection, client_id: str, *, now: datetime, actor: str) -> None:
    """Shut a client out within a second: its tokens stop counting, and it gets no new ones."""
    await _set_client_status(conn, client_id, "suspended", action="client:suspend", now=now, actor=actor)


async def resume_client(conn: Connection, client_id: str, *, now: datetime, actor: str) -> None:
    """Let a suspended client in again."""
    await _set_client_status(conn, client_id, "active", action="client:resume", now=now, actor=actor)


async def rotate_client_key(
    conn: Connection, client_id: str, *, jwk: Mapping[str, Any], old_ends_at: datetime, now: datetime, actor: str
) -> str:
    """Register another key, let the present ones count until `old_ends_at`, and return the new key's `kid`."""
    async with conn.transaction():
        await _require_client(conn, client_id)
        method = await queries.auth_method_of(conn, client_id)
        if method == mtls.TLS_CLIENT_AUTH:
            raise UnusableKeyError(
                "an authority vouches for this client: a renewed certificate with the same name works by itself"
            )
        ((kid, public),) = _registered(method, [jwk]).items()
        if not await queries.insert_client_key(conn, client_id=client_id, kid=kid, jwk=public, starts_at=now):
            raise TakenError("the client has a key of that kid already")
        ended = await queries.end_client_keys(conn, client_id=client_id, kid=None, but=kid, ends_at=old_ends_at)
        await _log_client(
            conn,
            client_id,
            "client:rotate_key",
            now,
            actor,
            kid=kid,
            ended=ended,
            ends_at=old_ends_at.isoformat(timespec="seconds"),
        )
    return kid


async def end_client_key(conn: Connection, client_id: str, kid: str, *, now: datetime, actor: str) -> None:
    """End one key now, with every token that was asked for with it."""
    async with conn.transaction():
        await _require_client(conn, client_id)
        if not await queries.end_client_keys(conn, client_id=client_id, kid=kid, but=None, ends_at=now):
            raise UnknownKeyError(f"{client_id} has no such key that has not ended")
        await _log_client(conn, client_id, "client:end_key", now, actor, kid=kid)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > 200 or not name.isprintable():
        raise InvalidValueError("a name is 1 to 200 printable characters")


def _scopes(scopes: Iterable[str]) -> set[str]:
    wanted, known = {str(scope) for scope in scopes}, {str(scope) for scope in Scope}
    if not wanted:
        raise InvalidValueError("a client has at least one scope")
    if not wanted <= known:
        raise UnknownScopeError(f"scopes are: {' '.join(sorted(known))}")
    return wanted


def certificate_jwk(pem: bytes) -> dict[str, Any]:
    """Return a certificate as the JWK to register it by (`x5c`, RFC 7517 §4.7, RFC 8705 §2.2.2). Raises `UnusableKeyError`."""
    try:
        (found,) = x509.load_pem_x509_certificates(pem)
        if read(found.public_bytes(Encoding.DER)).misfit == "key":
            raise JoseRefusedError("key type, curve or size")
        key = found.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return {**jose.jwk_of(key), "x5c": [b64encode(found.public_bytes(Encoding.DER)).decode()]}
    except ValueError:
        raise UnusableKeyError("that is not one certificate in PEM") from None
    except (JoseRefusedError, UnsupportedAlgorithm, UnreadableCertificateError):
        raise UnusableKeyError(f"the certificate's key cannot be used; {_KEYS}") from None


def _registered(method: str, jwks: object) -> dict[str, dict[str, Any]]:
    """Return what is registered by `kid`: keys, or certificates by their `x5t#S256`."""
    if method == PrivateKeyJwt.CLIENT_AUTH_METHOD:
        return _public_keys(jwks)
    if method != mtls.SELF_SIGNED:
        raise InvalidValueError(
            f"a client authenticates by {PrivateKeyJwt.CLIENT_AUTH_METHOD}, {mtls.TLS_CLIENT_AUTH} or {mtls.SELF_SIGNED}"
        )
    if not isinstance(jwks, list) or not jwks:
        raise UnusableKeyError("at least one certificate is needed")
    found: dict[str, dict[str, Any]] = {}
    for jwk in jwks:
        try:
            der = b64decode(jwk["x5c"][0], validate=True)
            certificate = read(der)
            again = certificate_jwk(certificate.leaf.public_bytes(Encoding.PEM))
            if jose.import_public(jwk).thumbprint != jose.import_public(again).thumbprint:
                raise UnusableKeyError("a JWK is not the key of its certificate")
        except (JoseRefusedError, UnreadableCertificateError, ValueError, TypeError, LookupError) as error:
            if isinstance(error, UnusableKeyError):
                raise
            raise UnusableKeyError(f"each JWK needs its certificate in x5c; {_KEYS}") from None
        if certificate.misfit is not None:
            raise UnusableKeyError(mtls.FAULTS[certificate.misfit])
        if certificate.thumbprint in found:
            raise UnusableKeyError("two certificates are the same")
        found[certificate.thumbprint] = {**again, "use": "sig"}
    return found


def _public_keys(jwks: object) -> dict[str, dict[str, Any]]:
    """Return the registered form of each JWK by `kid` (its thumbprint if it has none)."""
    if not isinstance(jwks, list) or not jwks:
        raise UnusableKeyError("a JWK Set with at least one key is needed")
    found: dict[str, dict[str, Any]] = {}
    for jwk in jwks:
        try:
            key = jose.import_public(jwk)
        except JoseRefusedError as refused:
            raise UnusableKeyError(f"{refused}; {_KEYS}") from None
        kid = key.kid or key.thumbprint
        if kid in found:
            raise UnusableKeyError("two keys have the same kid")
        found[kid] = {**key.jwk, "kid": kid, "use": "sig", **({"alg": jwk["alg"]} if "alg" in jwk else {})}
    return found


async def _agency_id(conn: Connection, code: str) -> UUID:
    found = await queries.agency_id_of(conn, code)
    if found is None:
        raise UnknownAgencyError(f"there is no agency {code}")
    return found


async def _require_client(conn: Connection, client_id: str) -> None:
    if not await queries.client_exists(conn, client_id):
        raise UnknownClientError(f"there is no client {client_id}")


async def _set_agency_status(
    conn: Connection, code: str, status: str, *, action: str, now: datetime, actor: str
) -> None:
    async with conn.transaction():
        id = await queries.set_agency_status(conn, code, status)
        if id is None:
            raise UnknownAgencyError(f"there is no agency {code} that is not closed")
        await queries.log_act(
            conn, at=now, actor=actor, action=action, subject="agency", subject_id=id, detail={"code": code}
        )


async def _set_client_status(
    conn: Connection, client_id: str, status: str, *, action: str, now: datetime, actor: str
) -> None:
    async with conn.transaction():
        if not await queries.set_client_status(conn, client_id, status):
            raise UnknownClientError(f"there is no client {client_id}")
        await _log_client(conn, client_id, action, now, actor)


async def _log_client(conn: Connection, client_id: str, action: str, now: datetime, actor: str, **detail: Any) -> None:
    await queries.log_act(
        conn, at=now, actor=actor, action=action, subject="client", detail={"client_id": client_id, **detail}
    )

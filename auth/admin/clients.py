"""Clients: the systems that call the exchange."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final
from uuid import UUID

from app.foundation.database import Connection
from auth.admin import queries
from auth.admin.agencies import agency_id_of, check_name
from auth.admin.client_keys import check_method_of_keys, registered_keys
from auth.admin.client_lifecycle import CLIENT
from auth.admin.errors import ClientMoveError, InvalidValueError, TakenError
from auth.admin.found_client import find_client, log_client
from auth.client_auth import mtls
from auth.client_auth.private_key_jwt import PrivateKeyJwt
from auth.scopes import Scope, UnknownScopeError

_CLIENT_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{2,63}")


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A client's key in a list."""

    id: UUID
    kid: str
    starts_at: datetime
    ends_at: datetime | None
    added_at: datetime
    added_by: str


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
    last_used_from: str | None
    status_before: str | None
    jwks_uri: str | None
    emergency_until: datetime | None
    networks: tuple[str, ...]
    keys_fetched_at: datetime | None
    """When its `jwks_uri` last answered with a JWK Set."""
    keys_fault: str | None
    """What was wrong when it was last asked (`auth.jwks_uri.FAULTS`, `app.foundation.outbound.FAULTS`)."""


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
    jwks_uri: str | None = None,
    networks: Sequence[IPv4Network | IPv6Network] = (),
    status: str = "active",
    now: datetime,
    actor: str,
) -> None:
    """Register a client for agencies (codes), scopes and one way of authenticating.

    That is by public keys (`jwks`, a JWK Set, or `jwks_uri`, which `app.foundation.outbound.check_url` lets
    through), by registered certificates (`self_signed_tls_client_auth`: each JWK with `x5c`), or by a
    name that an authority certifies (`tls_client_auth`: `tls_name`, its kind and value). `certificate_bound`: its tokens are bound to
    its certificate, not to a DPoP key; unset, as it authenticates.

    Raises `InvalidValueError`, `UnknownScopeError`, `UnknownAgencyError`, `UnusableKeyError`, `TakenError`.
    """
    if not _CLIENT_ID.fullmatch(client_id):
        raise InvalidValueError("a client_id is 3 to 64 of a-z, 0-9, dot, - and _, beginning with a letter or digit")
    check_name(name)
    if not agencies:
        raise InvalidValueError("a client acts for at least one agency")
    wanted = sorted(known_scopes(scopes))
    if auth_method == mtls.TLS_CLIENT_AUTH:
        if tls_name is None or jwks is not None or jwks_uri is not None:
            raise InvalidValueError("a client that an authority vouches for has one name, and no keys of its own here")
        public: dict[str, dict[str, Any]] = {}
        tls_name = (tls_name[0], mtls.normalise_name(*tls_name))
    elif tls_name is not None:
        raise InvalidValueError(f"a name in a certificate goes with {mtls.TLS_CLIENT_AUTH}")
    elif jwks_uri is not None:
        if jwks is not None:
            raise InvalidValueError("a client has a jwks or a jwks_uri, not both")  # RFC 7591 §2
        if not jwks_uri.startswith("https://"):
            raise InvalidValueError("a jwks_uri is an https URL")
        check_method_of_keys(auth_method)
        public = {}
    else:
        public = registered_keys(auth_method, None if jwks is None else jwks.get("keys"))
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
            status=status,
            jwks_uri=jwks_uri,
            networks=networks,
            at=now,
        )
        if not added:
            raise TakenError(f"there is a client {client_id} already")
        for code in dict.fromkeys(agencies):
            await queries.insert_client_agency(conn, client_id=client_id, agency_id=await agency_id_of(conn, code))
        for kid, jwk in public.items():
            await queries.insert_client_key(conn, client_id=client_id, kid=kid, jwk=jwk, at=now)
        await log_client(
            conn,
            client_id,
            "client:add",
            now,
            actor,
            agencies=list(dict.fromkeys(agencies)),
            scopes=wanted,
            auth_method=auth_method,
            status=status,
            kids=list(public),
            **({} if jwks_uri is None else {"jwks_uri": jwks_uri}),
        )


async def list_clients(conn: Connection) -> list[ListedClient]:
    """Return all clients by id."""
    return [listed(row) for row in await queries.clients(conn)]


def listed(row: Mapping[str, Any]) -> ListedClient:
    """Return a client as it stands in a list, from its row."""
    keys = tuple(
        ListedKey(
            id=UUID(key["id"]),
            kid=key["kid"],
            starts_at=datetime.fromisoformat(key["starts_at"]),
            ends_at=key["ends_at"] and datetime.fromisoformat(key["ends_at"]),
            added_at=datetime.fromisoformat(key["added_at"]),
            added_by=key["added_by"],
        )
        for key in json.loads(row["keys"])
    )
    return ListedClient(
        **{
            **dict(row),
            "scopes": tuple(row["scopes"]),
            "agencies": tuple(row["agencies"]),
            "networks": tuple(row["networks"]),
            "keys": keys,
        }
    )


async def change_client(conn: Connection, client_id: str, move: str, *, now: datetime, actor: str) -> str:
    """Make a move of the client's life (`auth.admin.client_lifecycle`), tell its agencies, and return its new status.

    Raises `UnknownClientError`, `ClientMoveError`.
    """
    async with conn.transaction():
        found = await find_client(conn, client_id)
        row = CLIENT[move]
        if found["status"] not in row.from_states:
            raise ClientMoveError(f"{client_id} is {found['status']}: {row.refusal}")
        status: str = found["status_before"] if row.to_state is None else row.to_state
        before = found["status"] if status == "suspended" else None
        await queries.set_client_status(conn, client_id, status, before=before, at=now)
        await log_client(conn, client_id, f"client:{move}", now, actor, status=status)
        if row.tells is not None:
            await queries.tell_agencies_of(
                conn, client_id, row.tells, subject="client", subject_id=found["id"], state=status, at=now
            )
    return status


def known_scopes(scopes: Iterable[str]) -> set[str]:
    """Return scopes that there are, at least one. Raises `InvalidValueError`, `UnknownScopeError`."""
    wanted, known = {str(scope) for scope in scopes}, {str(scope) for scope in Scope}
    if not wanted:
        raise InvalidValueError("a client has at least one scope")
    if not wanted <= known:
        raise UnknownScopeError(f"scopes are: {' '.join(sorted(known))}")
    return wanted

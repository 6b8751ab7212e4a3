"""Clients: the systems that call the exchange."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.foundation.database import Connection
from auth.admin import queries
from auth.admin.agencies import agency_id_of, check_name
from auth.admin.client_keys import log_client, registered_keys
from auth.admin.errors import InvalidValueError, TakenError, UnknownClientError
from auth.client_auth import mtls
from auth.client_auth.private_key_jwt import PrivateKeyJwt
from auth.scopes import Scope, UnknownScopeError

_CLIENT_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{2,63}")


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
    check_name(name)
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
            at=now,
        )
        if not added:
            raise TakenError(f"there is a client {client_id} already")
        for code in dict.fromkeys(agencies):
            await queries.insert_client_agency(conn, client_id=client_id, agency_id=await agency_id_of(conn, code))
        for kid, jwk in public.items():
            await queries.insert_client_key(conn, client_id=client_id, kid=kid, jwk=jwk, starts_at=now)
        await log_client(
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


def _scopes(scopes: Iterable[str]) -> set[str]:
    wanted, known = {str(scope) for scope in scopes}, {str(scope) for scope in Scope}
    if not wanted:
        raise InvalidValueError("a client has at least one scope")
    if not wanted <= known:
        raise UnknownScopeError(f"scopes are: {' '.join(sorted(known))}")
    return wanted


async def _set_client_status(
    conn: Connection, client_id: str, status: str, *, action: str, now: datetime, actor: str
) -> None:
    async with conn.transaction():
        if not await queries.set_client_status(conn, client_id, status):
            raise UnknownClientError(f"there is no client {client_id}")
        await log_client(conn, client_id, action, now, actor)

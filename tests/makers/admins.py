"""People who administer, signed in, and what they send to `/admin/v1`."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from app.foundation.ids import uuid7
from auth import jose
from auth.people import sessions
from auth.people.person import Role


@dataclass
class Administrator:
    """Somebody signed in."""

    reference: str
    id: UUID
    token: str
    exchange: Any

    @property
    def headers(self) -> dict[str, str]:
        """What the browser sends with every request from the exchange's own pages."""
        return {"Cookie": f"{sessions.COOKIE}={self.token}", "Origin": self.exchange.app.state.settings.admin_origin}

    async def request(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Send a request to a path under `/admin/v1`."""
        headers = {**self.headers, **options.pop("headers", {})}
        if body is not None:
            options["json"] = body
        reply: httpx.Response = await self.exchange.http.request(method, f"/admin/v1{path}", headers=headers, **options)
        return reply

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return await self.request("POST", path, body, **options)

    async def patch(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return await self.request("PATCH", path, body, **options)

    async def approve(self, approval: dict[str, Any]) -> httpx.Response:
        """Say yes to what somebody asked for."""
        return await self.post(f"/approvals/{approval['id']}/approve")


async def signed_in(exchange: Any, reference: str, *roles: Role, confirmed: timedelta = timedelta()) -> Administrator:
    """Add an administrator who has signed in, and proved who they are `confirmed` ago."""
    now = exchange.clock.now()
    async with exchange.app.state.database.admin.acquire() as conn:
        id = uuid7(now)
        await conn.execute(
            "INSERT INTO administrator (id, reference, name, roles, created_at) VALUES ($1, $2, $3, $4, $5)",
            id,
            reference,
            f"Administrator {reference}",
            list(roles),
            now,
        )
        token = await sessions.begin(conn, id, method="passkey", address=None, user_agent="test", now=now)
        await conn.execute("UPDATE admin_session SET confirmed_at = $2 WHERE admin_id = $1", id, now - confirmed)
    return Administrator(reference, id, token, exchange)


def public_jwk() -> dict[str, Any]:
    """A new public key as a JWK."""
    return jose.generate().public_jwk()


def new_agency(**values: Any) -> dict[str, Any]:
    """The body that adds an agency."""
    return {"code": f"agency-{secrets.token_hex(4)}", "name": "Rumah Aman", "kind": "trauma_centre", **values}


def new_client(*agencies: str, **values: Any) -> dict[str, Any]:
    """The body that registers a client."""
    return {
        "client_id": f"client-{secrets.token_hex(4)}",
        "name": "A case-management system",
        "agencies": list(agencies),
        "scopes": ["cases.read", "referrals.read"],
        "jwks": {"keys": [public_jwk()]},
        **values,
    }

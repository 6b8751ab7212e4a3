"""`/admin/v1/initial-access-tokens` and `/admin/v1/registrations`: who invites, and what waits."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from auth import jose
from auth.people import sessions
from auth.people.person import Role

PATH = "/admin/v1/initial-access-tokens"
ORIGIN = {"Origin": "https://rujukan.test"}


@pytest.fixture
async def signed_in(exchange: Any) -> AsyncIterator[Callable[..., Awaitable[httpx.AsyncClient]]]:
    """Sign somebody in, who has proved who they are just now."""
    conn = await asyncpg.connect(exchange.addresses.admin)

    async def sign_in(role: Role = Role.operator) -> httpx.AsyncClient:
        id, now = uuid.uuid4(), exchange.clock.now()
        await conn.execute(
            "INSERT INTO administrator (id, reference, name, roles, created_at) VALUES ($1, $2, 'x', $3, $4)",
            id,
            f"staff-{id.hex[:8]}",
            [str(role)],
            now,
        )
        token = await sessions.begin(conn, id, method="passkey", address=None, user_agent=None, now=now)
        return httpx.AsyncClient(
            transport=exchange.http._transport,
            base_url="https://rujukan.test",
            headers={**ORIGIN, "Cookie": f"{sessions.COOKIE}={token}"},
        )

    yield sign_in
    await conn.close()


def body(world: Any, **members: Any) -> dict[str, Any]:
    return {"agency": "shelter", "scopes": ["cases.read"], **members}


class TestInviting:
    async def test_gives_a_token_that_registers_a_system(self, world, exchange, signed_in) -> None:
        operator = await signed_in()
        made = await operator.post(PATH, json=body(world))
        assert made.status_code == 201, made.text
        assert made.headers["cache-control"] == "no-store"
        invitation = made.json()
        assert (invitation["uses_left"], invitation["state"], invitation["clients"]) == (1, "open", [])
        registered = await exchange.http.post(
            "/oauth2/register",
            headers={"Authorization": f"Bearer {invitation.pop('token')}"},
            json={"client_name": "Shelter", "jwks": {"keys": [jose.generate().public_jwk()]}},
        )
        assert registered.status_code == 201, registered.text
        client_id = registered.json()["client_id"]
        listed = (await operator.get(PATH)).json()["items"]
        assert listed == [{**invitation, "uses_left": 0, "state": "used", "clients": [client_id]}]
        waiting = (await operator.get("/admin/v1/registrations")).json()["items"]
        (found,) = [each for each in waiting if each["client_id"] == client_id]
        assert (found["agencies"], found["registered_by"], found["yes"]) == (["shelter"], invitation["id"], [])
        approved = await operator.post(f"/admin/v1/approvals/{found['approval_id']}/approve")
        assert (approved.status_code, approved.json()["state"]) == (200, "approved")

    async def test_is_undone_at_once_by_one_person(self, world, exchange, signed_in) -> None:
        operator, officer = await signed_in(), await signed_in(Role.protection_officer)
        invitation = (await operator.post(PATH, json=body(world))).json()
        assert (await officer.post(f"{PATH}/{invitation['id']}/end")).status_code == 204
        refused = await exchange.http.post(
            "/oauth2/register", headers={"Authorization": f"Bearer {invitation['token']}"}, json={}
        )
        assert refused.status_code == 401
        again = await officer.post(f"{PATH}/{invitation['id']}/end")
        assert (again.status_code, again.json()["type"]) == (404, "/problems/admin-not-there")

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"agency": "nobody-here"}, 404),
            ({"scopes": ["admin.write"]}, 422),
            ({"scopes": []}, 422),
            ({"scopes": "cases.read"}, 422),
            ({"uses": 0}, 422),
            ({"uses": 1000}, 422),
            ({"days": 365}, 422),
            ({"token": "mine"}, 422),
            ({"agency": 5}, 422),
        ],
    )
    async def test_takes_what_is_within_bounds(self, world, signed_in, change, status) -> None:
        operator = await signed_in()
        refused = await operator.post(PATH, json=body(world, **change))
        assert refused.status_code == status, refused.text
        assert (await operator.get(PATH)).json()["items"] == []


class TestWhoMay:
    async def test_an_operator_who_has_just_proved_who_they_are(self, world, exchange, signed_in) -> None:
        operator = await signed_in()
        exchange.later(minutes=11)
        refused = await operator.post(PATH, json=body(world))
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/confirmation-required")

    @pytest.mark.parametrize("role", [Role.protection_officer, Role.auditor])
    async def test_no_other_role(self, world, signed_in, role) -> None:
        somebody = await signed_in(role)
        assert (await somebody.post(PATH, json=body(world))).json()["type"] == "/problems/role-required"
        assert (await somebody.get(PATH)).status_code == 200

    async def test_nobody_who_has_not_signed_in(self, world, exchange) -> None:
        for method, path in (("GET", PATH), ("POST", PATH), ("GET", "/admin/v1/registrations")):
            refused = await exchange.http.request(
                method, path, headers=ORIGIN, json=body(world) if method == "POST" else None
            )
            assert refused.status_code == 401


async def test_the_times_are_the_clocks(world, exchange, signed_in) -> None:
    made = (await (await signed_in()).post(PATH, json=body(world, days=2))).json()
    assert made["expires_at"].startswith((exchange.clock.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H"))

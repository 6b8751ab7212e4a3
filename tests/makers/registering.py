"""Agencies that were invited to register a system by themselves, and what they send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from auth import jose
from auth.admin import approvals, clients, registrations
from auth.jose import SigningKey
from auth.people.person import Person, Role
from tests.makers.auth import ABSENT, Credentials, Party, without_absent
from tests.makers.auth_server import World
from tests.makers.certificates import Authority

PATH = "/oauth2/register"
SCOPES = ("cases.read", "events.read", "referrals.read")
PERSON = Person("admin-1", frozenset({Role.operator}))


@dataclass
class Registered:
    """A system that has registered itself."""

    world: World
    agency: str
    key: SigningKey
    answer: dict[str, Any]

    @property
    def client_id(self) -> str:
        return str(self.answer["client_id"])

    @property
    def token(self) -> str:
        return str(self.answer["registration_access_token"])

    @property
    def party(self) -> Party:
        """The same, asking for tokens."""
        credentials = Credentials(self.client_id, self.world.settings.public_url, self.key.private_jwk(), None)
        return Party(credentials, [self.agency], self.world.http, self.world.clock)

    def headers(self, token: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {token or self.token}"}

    async def manage(
        self, method: str = "GET", *, token: str | None = None, path: str | None = None, **options: Any
    ) -> httpx.Response:
        """Send a request to the client's registration."""
        return await self.world.http.request(
            method, path or f"{PATH}/{self.client_id}", headers=self.headers(token), **options
        )

    def replacement(self, **members: Any) -> dict[str, Any]:
        """What it would PUT to leave everything as it is; named members replace those."""
        left_out = ("registration_access_token", "registration_client_uri", "client_id_issued_at", "status")
        return without_absent({**{name: self.answer[name] for name in self.answer if name not in left_out}, **members})

    async def replace(self, **members: Any) -> httpx.Response:
        """PUT, and go on with the token that comes back."""
        reply = await self.manage("PUT", json=self.replacement(**members))
        if reply.status_code == 200:
            self.answer = reply.json()
        await self.world.directory.refresh()
        return reply

    async def approval(self) -> approvals.Approval:
        """What waits for people's yes."""
        (found,) = [
            each
            for each in await approvals.list_approvals(self.world.admin, now=self.world.clock.now(), two_people=False)
            if each.subject == self.client_id
        ]
        return found

    async def approve(self) -> None:
        """Say yes."""
        waiting = await self.approval()
        await approvals.approve(self.world.admin, waiting.id, by=PERSON, now=self.world.clock.now(), two_people=False)
        await self.world.directory.refresh()

    async def activate(self) -> None:
        """Say yes, and let it work."""
        await self.approve()
        await self.change("activate")

    async def change(self, move: str) -> None:
        await self.world.act(clients.change_client, self.client_id, move)


@dataclass
class Invited:
    """An agency with an initial access token."""

    world: World
    agency: str
    token: str
    id: Any
    key: SigningKey = field(default_factory=jose.generate)

    def metadata(self, **members: Any) -> dict[str, Any]:
        """A right registration; named members replace the right ones."""
        right = {"client_name": "RPTC case system", "jwks": {"keys": [self.key.public_jwk()]}}
        return without_absent({**right, **members})

    async def send(self, *, token: Any = None, headers: Any = None, **options: Any) -> httpx.Response:
        """Send a registration."""
        sent = {"Authorization": f"Bearer {token or self.token}"} if token is not ABSENT else {}
        return await self.world.http.post(PATH, headers={**sent, **(headers or {})}, **options)

    async def register(self, **members: Any) -> Registered:
        """Register a system."""
        reply = await self.send(json=self.metadata(**members))
        assert reply.status_code == 201, reply.text
        await self.world.directory.refresh()
        return Registered(self.world, self.agency, self.key, reply.json())


@pytest.fixture
def invite(world: World) -> Callable[..., Any]:
    """Invite a new agency."""

    async def make(*, scopes: tuple[str, ...] = SCOPES, uses: int = 1, days: int = 7, **agency: Any) -> Invited:
        code = await world.agency(**agency)
        made = await world.act(registrations.invite, code, scopes=scopes, uses=uses, days=days)
        return Invited(world, code, made.token, made.invitation.id)

    return make


@pytest.fixture
async def invited(invite: Callable[..., Any]) -> Invited:
    """An agency that may register any number of systems a test could want."""
    made: Invited = await invite(uses=20)
    return made


@contextmanager
def settings(world: World, **values: Any) -> Iterator[None]:
    """Run the block under other settings."""
    before = world.app.state.settings
    world.app.state.settings = before.model_copy(update=values)
    try:
        yield
    finally:
        world.app.state.settings = before


@pytest.fixture
def mutual_tls(world: World, tmp_path: Path) -> Iterator[None]:
    """Client certificates are taken, from a proxy."""
    authorities = tmp_path / "ca.crt"
    authorities.write_bytes(Authority.make().issued.pem)
    with settings(world, trusted_proxies="127.0.0.2", tls_client_ca=authorities):
        yield

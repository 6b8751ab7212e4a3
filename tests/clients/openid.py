"""The exchange with a real OpenID provider beside it, and a browser that remembers cookies."""

from __future__ import annotations

import asyncio
import html
import json
import os
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit
from uuid import UUID

import asyncpg
import httpx

from app.foundation.database import Addresses
from app.foundation.ids import uuid7
from auth import jose
from auth.people.oidc import CALLBACK, RelyingParty
from auth.people.sessions import COOKIE, token_hash
from tests.app.cli.conftest import free_port
from tests.makers import tls
from tests.makers.tls import Site

HERE = Path(__file__).parent
REFRESH = re.compile(r'<meta http-equiv="refresh" content="0;url=([^"]+)">')


@dataclass
class Place:
    """The exchange and its provider."""

    site: Site
    issuer: str
    owner: asyncpg.Connection
    """Reads what the role of administration may not: the log."""

    @property
    def party(self) -> RelyingParty:
        return self.site.app.state.oidc  # type: ignore[no-any-return]

    @contextmanager
    def with_party(self, party: RelyingParty | None) -> Iterator[None]:
        """Let the exchange know itself as another relying party, or none, during the block."""
        before, self.site.app.state.oidc = self.party, party
        try:
            yield
        finally:
            self.site.app.state.oidc = before

    def browser(self) -> Browser:
        return Browser(self, self.site.http())

    async def administrator(self, *, account: str | None = None, status: str = "active") -> str:
        """Add one, linked to an account at the provider if one is given; returns their staff reference."""
        reference = f"staff-{secrets.token_hex(4)}"
        issuer = None if account is None else self.issuer
        await self.site.conn.execute(
            "INSERT INTO administrator (id, reference, name, roles, status, oidc_issuer, oidc_subject, created_at)"
            " VALUES ($1, $2, 'Warsih', '{operator}', $3, $4, $5, $6)",
            uuid7(self.site.clock.now()),
            reference,
            status,
            issuer,
            account,
            self.site.clock.now(),
        )
        return reference

    async def invitation(self, reference: str, *, hours: int = 1) -> str:
        """Return the token of a link that invites somebody."""
        token = secrets.token_urlsafe(32)
        await self.site.conn.execute(
            "INSERT INTO invitation (token_hash, admin_id, created_at, expires_at)"
            " SELECT $1, id, $3::timestamptz, $3::timestamptz + make_interval(hours => $4) FROM administrator WHERE reference = $2",
            token_hash(token),
            reference,
            self.site.clock.now(),
            hours,
        )
        return token

    async def session(self, token: str | None) -> Any:
        """Return the session of a token, with whose it is; None if there is none."""
        return await self.site.conn.fetchrow(
            "SELECT s.*, p.reference FROM admin_session s JOIN administrator p ON p.id = s.admin_id WHERE s.token_hash = $1",
            token_hash(token or ""),
        )

    async def sessions(self) -> list[UUID]:
        return [row["id"] for row in await self.site.conn.fetch("SELECT id FROM admin_session")]


@dataclass
class Browser:
    """Follows redirects and pages that go on by themselves; signs in at the provider when told."""

    place: Place
    http: httpx.AsyncClient

    @property
    def session(self) -> str | None:
        """The session's token."""
        return self.http.cookies.get(COOKIE)

    async def start(self, path: str = "/admin/oidc/start") -> str:
        """Begin a sign-in; returns where the exchange sends the browser."""
        return goes_on(await self.http.get(path))

    async def start_invited(self, invitation: str, **headers: str) -> httpx.Response:
        right = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}  # as a browser does from a page with `no-referrer`
        return await self.http.post("/admin/oidc/start", data={"invitation": invitation}, headers={**right, **headers})

    def signs_out_there(self) -> None:
        """Have the provider not know the browser any more."""
        for cookie in list(self.http.cookies.jar):
            if not cookie.name.startswith("__Host-"):
                self.http.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)

    async def at_provider(self, url: str, account: str | None) -> str:
        """Sign in there as `account`, or deny; returns where the provider sends the browser back."""
        while not url.startswith(self.place.site.url):
            reply = await self.http.get(url)
            if reply.status_code == 200:
                data = {"deny": "1"} if account is None else {"account": account}
                reply = await self.http.post(reply.url, data=data)
            assert reply.status_code in (302, 303), reply.text
            url = urljoin(url, reply.headers["Location"])
        return url

    async def sign_in(self, account: str, path: str = "/admin/oidc/start") -> httpx.Response:
        """Go the whole way; returns what the exchange says in the end."""
        return await self.http.get(await self.at_provider(await self.start(path), account))


def goes_on(reply: httpx.Response) -> str:
    """Where a page goes on to."""
    found = REFRESH.search(reply.text)
    assert found is not None, (reply.status_code, reply.text)
    return html.unescape(found[1])


def parameters(url: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


@asynccontextmanager
async def place(exchange: Any, addresses: Addresses, folder: Path, node: str) -> AsyncIterator[Place]:
    """Run both."""
    key = jose.generate("ES256")
    (folder / "oidc.json").write_text(json.dumps(key.private_jwk()))
    issuer = f"http://127.0.0.1:{free_port()}"
    asks = {"oidc_issuer": issuer, "oidc_client_id": "rujukan", "oidc_key_file": folder / "oidc.json"}
    async with tls.own_tls(exchange, addresses, folder, **asks) as site:
        told = {"issuer": issuer, "redirect_uri": site.url + CALLBACK, "jwks": {"keys": [key.public_jwk()]}}
        process = await asyncio.create_subprocess_exec(
            node,
            str(HERE / "provider.mjs"),
            json.dumps(told),
            env={"PATH": os.environ["PATH"]},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            assert process.stdout is not None
            assert await asyncio.wait_for(process.stdout.readline(), 30) == b"listens\n"
            yield Place(site, issuer, exchange.owner)
        finally:
            process.terminate()
            await process.wait()

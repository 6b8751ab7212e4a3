"""Makes people who administer: their authenticators, right ones and every kind of wrong one, and their browsers."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import encode_cbor

from auth.people import opening, sessions
from auth.people.opening import Rules
from auth.people.person import Role, at_the_machine
from tests.makers.auth import b64

PRESENT, VERIFIED, BACKUP_ELIGIBLE, ATTESTED = 0x01, 0x04, 0x08, 0x40


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """A device that holds one passkey; what it does wrong is said by its fields (WebAuthn §6.1, §6.5)."""

    origin: str
    rp_id: str | None = None
    flags: int = PRESENT | VERIFIED
    count: int = 0
    counts: bool = True
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    handle: bytes | None = None

    def create(self, options: dict[str, Any], **client_data: Any) -> dict[str, Any]:
        """Make the passkey that `navigator.credentials.create` was asked for."""
        numbers = self.key.public_key().public_numbers()
        cose = encode_cbor({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cose
        self.handle = unb64(options["user"]["id"])
        data = self._data(options["rp"]["id"], ATTESTED) + attested
        return self._credential(
            clientDataJSON=b64(self._client_data("webauthn.create", options, client_data)),
            attestationObject=b64(encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})),
        )

    def get(self, options: dict[str, Any], **client_data: Any) -> dict[str, Any]:
        """Prove who one is, as `navigator.credentials.get` was asked."""
        client = self._client_data("webauthn.get", options, client_data)
        data = self._data(options["rpId"])
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        handle = {} if self.handle is None else {"userHandle": b64(self.handle)}
        return self._credential(
            clientDataJSON=b64(client), authenticatorData=b64(data), signature=b64(signature), **handle
        )

    def _data(self, rp_id: str, more: int = 0) -> bytes:
        if self.counts:
            self.count += 1
        flags = (self.flags | more).to_bytes(1, "big")
        return hashlib.sha256((self.rp_id or rp_id).encode()).digest() + flags + self.count.to_bytes(4, "big")

    def _client_data(self, type: str, options: dict[str, Any], changed: dict[str, Any]) -> bytes:
        right = {"type": type, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps({**right, **changed}).encode()

    def _credential(self, **response: str) -> dict[str, Any]:
        id = b64(self.credential_id)
        return {"id": id, "rawId": id, "type": "public-key", "response": response}


@dataclass
class Browser:
    """A browser with an authenticator, on pages of the exchange."""

    http: httpx.AsyncClient
    device: Authenticator

    @property
    def origin(self) -> str:
        return self.device.origin

    @property
    def session(self) -> str | None:
        return self.http.cookies.get(sessions.COOKIE)

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Send something from one of the exchange's own pages."""
        sent = {"Origin": self.origin, **headers}
        return await self.http.post(f"/admin/v1/{path}", json={} if body is None else body, headers=sent)

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(f"/admin/v1/{path}")

    async def begin(self, path: str, body: Any = None) -> dict[str, Any]:
        """Begin a ceremony and return its options."""
        reply = await self.post(f"{path}/begin", body)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()["publicKey"]
        return found

    async def enrol(self, token: str, name: str = "A key", code: str | None = None) -> httpx.Response:
        """Make a passkey by a one-time link."""
        options = await self.begin("enrolment", {"token": token, "code": code})
        return await self.post("enrolment/finish", {"name": name, "credential": self.device.create(options)})

    async def sign_in(self) -> httpx.Response:
        options = await self.begin("sign-in")
        return await self.post("sign-in/finish", {"credential": self.device.get(options)})

    async def confirm(self) -> httpx.Response:
        options = await self.begin("confirmation")
        return await self.post("confirmation/finish", {"credential": self.device.get(options)})


def problem(reply: httpx.Response) -> tuple[int, str]:
    """The status and type of a problem."""
    return reply.status_code, reply.json()["type"].removeprefix("/problems/")


def new_browser(app: Any, origin: str) -> Browser:
    """A browser without cookies, with an authenticator of its own, that calls an application in this process."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return Browser(httpx.AsyncClient(transport=transport, base_url=origin), Authenticator(origin))


async def new_link(conn: Any, now: datetime, reference: str, *roles: Role) -> str:
    """The token of a one-time link for somebody new, as one person may make it in development."""
    opened = await opening.add(
        conn,
        reference=reference,
        name=f"Person {reference}",
        roles=roles or (Role.operator,),
        by=at_the_machine("root"),
        now=now,
        rules=Rules(two_people=False, at_machine=True),
    )
    assert opened.token is not None
    return opened.token


def strange_session() -> str:
    """A token of nobody's."""
    return secrets.token_urlsafe(32)

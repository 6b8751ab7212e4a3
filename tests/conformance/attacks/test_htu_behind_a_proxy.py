"""RFC 9449 §4.3 check 9 and §11.11, RFC 9112 §3.2, keycloak#39332: whose address a proof names is decided by the configured one alone.

Raw bytes are sent to a process that stands behind a proxy: it knows itself as https://rujukan.example and listens elsewhere.
"""

from __future__ import annotations

import json

import pytest

from tests.conformance.attacks.conftest import ISSUER, Pair, status_of
from tests.makers.auth import Party

HOST = "rujukan.example"


def request(target: str, token: str, proof: str, *lines: str, host: str = HOST) -> bytes:
    head = (
        f"GET {target} HTTP/1.1", f"Host: {host}", f"Authorization: DPoP {token}", f"DPoP: {proof}", "Connection: close", *lines
    )  # fmt: skip
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")


def body_of(answer: bytes) -> dict:
    found = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert isinstance(found, dict)
    return found


SAID = {
    "Host of the attacker's": ("evil.example", ()),
    "Host with a port": (f"{HOST}:8443", ()),
    "Host with a user": (f"user@{HOST}", ()),
    "Host empty": ("", ()),
    "X-Forwarded-Host": (HOST, ("X-Forwarded-Host: evil.example",)),
    "X-Forwarded-Proto and Port": (HOST, ("X-Forwarded-Proto: http", "X-Forwarded-Port: 80")),
    "Forwarded": (HOST, ("Forwarded: host=evil.example;proto=http",)),
    "X-Forwarded-Prefix": (HOST, ("X-Forwarded-Prefix: /evil", "X-Script-Name: /evil")),
    "X-Original-URL": (HOST, ("X-Original-URL: /v1/cases", "X-Rewrite-URL: /v1/cases")),
    "X-HTTP-Method-Override": (HOST, ("X-HTTP-Method-Override: POST",)),
}


@pytest.mark.parametrize("name", SAID)
async def test_what_headers_say_of_the_address_plays_no_part(two_processes: Pair, victim: Party, name: str):
    """A right proof is taken in spite of them, a proof for the address they tell is refused with them."""
    host, lines = SAID[name]
    token = await victim.token()
    for process in two_processes.processes:
        answer = await process.raw(request("/v1/me", token, victim.proof("GET", "/v1/me", token), *lines, host=host))
        assert status_of(answer) == 200
        for spoofed in ("https://evil.example/v1/me", "http://rujukan.example/v1/me", f"{ISSUER}/evil/v1/me"):
            proof = victim.proof("GET", "/v1/me", token, htu=spoofed)
            answer = await process.raw(request("/v1/me", token, proof, *lines, host=host))
            assert (status_of(answer), body_of(answer)["reason"]) == (401, "htu")


@pytest.mark.parametrize(
    "target",
    [
        "http://evil.example/v1/me",
        "https://evil.example:1/v1/me",
        "HTTP://RUJUKAN.EXAMPLE/v1/me",
        "http://a:b@evil.example/v1/me",
    ],
)
async def test_an_absolute_target_is_looked_at_for_its_path_alone(two_processes: Pair, victim: Party, target: str):
    """RFC 9112 §3.2.2: a server takes the absolute form; whose host it names is nobody's business."""
    token = await victim.token()
    (process, _) = two_processes.processes
    answer = await process.raw(request(target, token, victim.proof("GET", "/v1/me", token, htu=target)))
    assert status_of(answer) in (400, 401)
    answer = await process.raw(request(target, token, victim.proof("GET", "/v1/me", token)))
    assert status_of(answer) in (200, 400)


@pytest.mark.parametrize(
    "target",
    [
        "//v1/me",
        "/v1//me",
        "/v1/./me",
        "/v1/x/../me",
        "/v1/%2e%2e/v1/me",
        "/v1%2Fme",
        "/v1%2fme",
        "/v1/me/",
        "/v1/me%00",
        "/v1/me;x=y",
        "/v1/me%3Fx",
        "/V1/ME",
        "/v1\\me",
        "/v1/me%0d%0aX: y",
        "/v1/%6De%2F",
        "/admin/../v1/me",
    ],
)
async def test_another_way_to_write_a_path_is_another_path(two_processes: Pair, victim: Party, target: str):
    """Whatever it is answered, it is never the answer of /v1/me: what a proxy in front judged by the path it saw holds behind it too."""
    token = await victim.token()
    (process, _) = two_processes.processes
    for path in ("/v1/me", target):
        answer = await process.raw(request(target, token, victim.proof("GET", path, token)))
        assert 400 <= status_of(answer) < 500, answer
        assert b'"client_id"' not in answer


@pytest.mark.parametrize(
    "htu",
    [
        "https://rujukan.example./v1/me",
        "https://rujukan.example:8443/v1/me",
        "https://rujukan.example:80/v1/me",
        "https://user@rujukan.example/v1/me",
        "https://rujukan.example@evil.example/v1/me",
        "https://evil.example#@rujukan.example/v1/me",
        "https://evil.example\\@rujukan.example/v1/me",
        "https://rujukan.example.evil.example/v1/me",
        "https://www.rujukan.example/v1/me",
        "https://ｒｕｊｕｋａｎ.example/v1/me",
        "https://rujukаn.example/v1/me",
        "https://xn--rujukn-8fg.example/v1/me",
        "https://rujukan。example/v1/me",
        "https://RUJUKAN.EXAMPLE/V1/ME",
        "https://rujukan.example//v1/me",
        "https://rujukan.example/v1/me/",
        "https://rujukan.example/v1/me/.",
        "https://rujukan.example/v1%2Fme",
        "https://rujukan.example/v1/me%2F",
        "https://rujukan.example/v1/me;x",
        "https:/rujukan.example/v1/me",
        "https:rujukan.example/v1/me",
        "//rujukan.example/v1/me",
        "rujukan.example/v1/me",
        "/v1/me",
        "javascript:https://rujukan.example/v1/me",
        " https://rujukan.example/v1/me",
        "https://rujukan.example/v1/me\n",
        "https://rujukan.example/v1\t/me",
        "https://rujukan.example\x00/v1/me",
        "https://127.0.0.1/v1/me",
        "https://[::ffff:127.0.0.1]/v1/me",
        "h\u0442tps://rujukan.example/v1/me",
    ],
    ids=ascii,
)
async def test_an_htu_that_only_looks_like_ours_is_refused(world, party, htu: str):
    token = await party.token()
    reply = await party.call(token=token, proof=party.proof("GET", "/v1/probe", token, htu=htu.replace("me", "probe")))
    assert (reply.status_code, reply.json()["reason"]) == (401, "htu")
    proof = party.proof("POST", "/oauth2/token", htu=htu.replace("/v1/me", "/oauth2/token"))
    if not htu.startswith("https://rujukan.example/v1"):
        assert (await party.ask(proof=proof)).json()["error"] == "invalid_dpop_proof"

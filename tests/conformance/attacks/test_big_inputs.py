"""RFC 8725 §3.11, CVE-2025-61920 and its like, CWE-1333, CWE-400: nothing a caller sends costs more than its size.

Growth is compared, not seconds: what takes four times the work for twice the input would take for ever for a large one.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from pydantic import ValidationError

import app
import auth
import schemas
from auth import jose
from auth.binding import dpop
from auth.client_certificates import ClientCertificateNotTaken, read_fields
from auth.jose import JoseRefusedError
from auth.scopes import UnknownScopeError, parse_scope
from schemas.record.contact import Channel
from tests.conformance.mutations.sample import refusal_of, sample
from tests.conformance.mutations.table import KINDS
from tests.makers.auth import b64

PATIENCE = 5
"""Seconds within which an answer must come, on however busy a machine."""
NOT_READ = ("app.demo", "app.migrations")


def once(work: Callable[[str], Any], text: str) -> float:
    """The time of this process, in seconds."""
    before = time.process_time()
    work(text)
    return time.process_time() - before


def cost(work: Callable[[str], Any], text: str) -> float:
    """The least time of several, of this process alone, in seconds."""
    found = [once(work, text)]
    while len(found) < 5 and found[-1] < 0.2:
        found.append(once(work, text))
    return min(found)


def grows_too_fast(work: Callable[[str], Any], make: Callable[[int], str], size: int) -> bool:
    """Whether eight times the input takes more than twenty-four times the work, and enough of it to be told from noise."""
    if once(work, make(8 * size)) < 0.004:
        return False
    return cost(work, make(8 * size)) > 24 * max(cost(work, make(size)), 1e-5)


@cache
def patterns() -> dict[str, re.Pattern[Any]]:
    """Every regular expression a module of ours keeps."""
    found = {}
    for package in (app, auth, schemas):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.startswith(NOT_READ) or module.name.endswith("__main__"):
                continue
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, re.Pattern):
                    found[f"{module.name}.{name}"] = value
    return found


LETTERS = (
    "a",
    " ",
    "0",
    "-",
    ".",
    "/",
    "%",
    "\\",
    '"',
    ",",
    ":",
    "=",
    "a-",
    "a.",
    "a ",
    "a,",
    "%4",
    "%41",
    "0-",
    "+6",
    "a@",
    "=;",
    "\n",
    "é",
)
ENDS = ("", "!", "\n", "\0")


def test_there_are_patterns_to_try():
    assert len(patterns()) > 20


@pytest.mark.parametrize("part", range(4))
def test_no_pattern_backtracks_without_end(part: int):
    """Each pattern, on repetitions of what patterns are made of, with an end that does not fit."""
    tried = sorted(patterns().items())[part::4]
    slow = []
    for name, pattern in tried:
        for letters in LETTERS:
            for end in ENDS:

                def make(size: int, letters: str = letters, end: str = end) -> Any:
                    text = letters * (size // len(letters)) + end
                    return text.encode() if isinstance(pattern.pattern, bytes) else text  # noqa: B023

                if grows_too_fast(pattern.fullmatch, make, 500):
                    slow.append((name, letters, end))
    assert slow == []


def quietly(work: Callable[[str], Any], *refusals: type[Exception]) -> Callable[[str], Any]:
    def tried(text: str) -> None:
        with suppress(*refusals):
            work(text)

    return tried


HEAD = b64('{"alg":"ES256"}')
READERS: dict[str, tuple[Callable[[str], Any], Callable[[int], str]]] = {
    "an htu of dot segments": (dpop.normalise, lambda size: "https://a.example" + "/a/.." * size),
    "an htu of dots": (dpop.normalise, lambda size: "https://a.example" + "/." * size),
    "an htu of escapes": (dpop.normalise, lambda size: "https://a.example/" + "%2e%2E%7e" * size),
    "an htu of colons": (dpop.normalise, lambda size: "https://" + ":" * size),
    "an htu of users": (dpop.normalise, lambda size: "https://" + "a@" * size),
    "an htu of brackets": (dpop.normalise, lambda size: "https://" + "[" * size),
    "a scope of many": (quietly(parse_scope, UnknownScopeError, ValueError), lambda size: "cases.read " * size),
    "a scope of spaces": (quietly(parse_scope, UnknownScopeError, ValueError), lambda size: " " * size),
    "a phone number of dashes": (
        quietly(
            lambda text: Channel.model_validate({"kind": "mobile_phone", "value": text, "safe": "yes"}), ValidationError
        ),
        lambda size: "-" * (20 * size) + "!",
    ),
    "a certificate field": (
        quietly(lambda text: read_fields([text.encode()], []), ClientCertificateNotTaken),
        lambda size: ":" + "A" * size + ":",
    ),
    "a certificate field of colons": (
        quietly(lambda text: read_fields([text.encode()], []), ClientCertificateNotTaken),
        lambda size: ":" * size,
    ),
    "a chain of commas": (
        quietly(lambda text: read_fields([b":AA==:"], [text.encode()]), ClientCertificateNotTaken),
        lambda size: "," * size,
    ),
    "a JWS of dots": (quietly(lambda text: jose.parse(text, {None}), JoseRefusedError), lambda size: "." * size),
    "a JWS of lists": (
        quietly(lambda text: jose.parse(text, {None}), JoseRefusedError),
        lambda size: f"{HEAD}.{b64('[' * size)}.AA",
    ),
    "a JWS of members": (
        quietly(lambda text: jose.parse(text, {None}), JoseRefusedError),
        lambda size: f"{HEAD}.{b64(json.dumps({str(each): 1 for each in range(size)}))}.AA",
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_no_reader_grows_faster_than_what_it_reads(name: str):
    work, make = READERS[name]
    assert not grows_too_fast(work, make, 300)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [8193, 100_000, 10_000_000])
def test_a_token_over_8_kib_costs_the_same_however_large(kind: str, size: int):
    """It is measured before it is split: a hundred megabytes are refused in the time that a hundred thousand letters are."""
    good = sample().good[kind].text
    for text in (good + "A" * size, good.replace(".", "." * size, 1), "A" * size + good):
        assert refusal_of(sample(), kind, text) is not None
        assert cost(lambda text: refusal_of(sample(), kind, text), text) < 0.05


def forms(party: Any) -> Iterator[tuple[str, bytes]]:
    one = "&".join(f"{name}={value}" for name, value in party.form().items()).encode()
    yield "a million fields", one + b"&a=1" * 1_000_000
    yield "a million empty fields", b"&" * 1_000_000 + one
    yield "a thousand fields within the limit of bytes", one + b"&a=1" * 1000
    yield "a huge client_id", one + b"&client_id=" + b"a" * 60_000
    yield "a huge scope", one + b"&scope=" + b"cases.read+" * 5000
    yield "a huge scope of spaces", one + b"&scope=" + b"+" * 60_000
    yield "a huge resource", one + b"&resource=https://" + b"a@" * 25_000
    yield "a huge agency", one + b"&agency=" + b"%41" * 20_000
    yield "a huge assertion", b"grant_type=client_credentials&client_assertion=" + b"eyJ." * 15_000
    yield "nothing but escapes", b"%" * 60_000
    yield "nothing but equals signs", b"=" * 60_000


async def test_a_huge_form_is_answered_soon_and_in_oauths_form(world, party):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for path in ("/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"):
        for name, body in forms(party):
            async with asyncio.timeout(PATIENCE):
                reply = await world.http.post(path, content=body, headers=headers)
            assert reply.status_code in (400, 401), f"{name} at {path}: {reply.status_code}"
            assert set(reply.json()) == {"error", "error_description"}, name


async def test_a_huge_header_is_answered_soon(world, party):
    token = await party.token()
    for value in ("A" * 60_000, "." * 60_000, "eyJhbGciOiJFUzI1NiJ9." * 3000, " " * 60_000 + "x", f"{token} " * 50):
        for headers in ({"DPoP": value}, {"Authorization": f"DPoP {value}"}, {"Authorization": value}):
            async with asyncio.timeout(PATIENCE):
                sent = {"Authorization": f"DPoP {token}", "DPoP": "x", **headers}
                reply = await world.http.get("/v1/probe", headers=sent)
            assert reply.status_code == 401
            assert len(reply.content) < 500, "what was sent is not sent back"


@pytest.mark.parametrize("depth", [100, 100_000])
async def test_a_body_nested_deep_is_answered_soon(exchange, depth: int):
    """Nobody reads it before the caller is known; who is known gets a refusal, not a fault."""
    await exchange.http.post("/v1/referrals", content="{}")  # what is made at the first request is not what is measured
    for body in ("[" * depth, '{"a":' * depth, "[" * depth + "]" * depth):
        async with asyncio.timeout(PATIENCE):
            reply = await exchange.http.post(
                "/v1/referrals", content=body, headers={"Content-Type": "application/json"}
            )
        assert reply.status_code in (400, 401)

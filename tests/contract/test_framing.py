"""What reaches the service as bytes on a connection: sizes, lengths, chunks, heads that make no sense."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from tests.contract.conftest import Served

CANARY = "Kanari4711"
PATH = "/v1/referrals"
LARGE = 50 * 1024 * 1024
CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"


@pytest.fixture
def head(served: Served, loop: asyncio.AbstractEventLoop) -> bytes:
    """The head of a request that is let in, but for what its body is like."""
    signed = loop.run_until_complete(served.clients["police"].authorization("POST", PATH))
    headers = {
        "Host": served.url.removeprefix("http://"),
        "Content-Type": "application/json",
        "Rujukan-Actor": "officer-7",
        "Idempotency-Key": str(uuid.uuid4()),
        **signed,
    }
    lines = [f"POST {PATH} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n"


@contextmanager
def connected(served: Served) -> Iterator[socket.socket]:
    host, _, port = served.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        yield connection


def answer(connection: socket.socket) -> str:
    """The first answer, whole if its length is told, else until the end."""
    data = b""
    while True:
        ended, _, body = data.partition(b"\r\n\r\n")
        lengths = [line for line in ended.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if body is not None and lengths and len(body) >= int(lengths[0].split(b":")[1]) and b"\r\n\r\n" in data:
            return data.decode("latin-1")
        try:
            more = connection.recv(65_536)
        except ConnectionResetError:
            more = b""
        if not more:
            return data.decode("latin-1")
        data += more


def status(text: str) -> int:
    return int(text.split(" ", 2)[1])


class TestABodyOfFiftyMegabytes:
    def test_is_refused_before_it_is_sent_if_its_length_is_told(self, served: Served, head: bytes):
        with connected(served) as connection:
            connection.sendall(head + f"Content-Length: {LARGE}\r\n\r\n".encode())
            told = answer(connection)
        assert status(told) == 413
        assert '"type":"/problems/body-too-large"' in told

    def test_is_refused_early_if_it_comes_in_chunks(self, served: Served, head: bytes):
        sent = 0
        with connected(served) as connection:
            connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
            connection.settimeout(0.02)
            while sent < LARGE:
                try:
                    connection.sendall(CHUNK)
                    sent += len(CHUNK)
                    if connection.recv(1, socket.MSG_PEEK):
                        break
                except TimeoutError:
                    continue
            connection.settimeout(10)
            told = answer(connection)
        assert status(told) == 413
        assert '"type":"/problems/body-too-large"' in told
        assert sent < LARGE / 2

    def test_is_never_held_in_memory(self, served: Served, head: bytes):
        process = psutil.Process(os.getpid())  # the server runs in this one

        def push(_: int) -> None:
            with connected(served) as connection:
                try:
                    connection.sendall(head + f"Content-Length: {LARGE}\r\n\r\n".encode())
                    for _ in range(LARGE // len(CHUNK)):
                        connection.sendall(CHUNK)
                except (BrokenPipeError, ConnectionResetError, TimeoutError):
                    pass

        before = process.memory_info().rss
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(push, range(4)))
        assert process.memory_info().rss - before < 30 * 1024 * 1024

    def test_is_not_asked_for_by_100_continue(self, served: Served, head: bytes):
        with connected(served) as connection:
            connection.sendall(head + f"Expect: 100-continue\r\nContent-Length: {LARGE}\r\n\r\n".encode())
            assert status(answer(connection)) == 413

    def test_of_a_stranger_gets_401(self, served: Served):
        with connected(served) as connection:
            connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {LARGE}\r\n\r\n".encode())
            assert status(answer(connection)) == 401

    @pytest.mark.parametrize("length", [b"Content-Length: 52428800\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
    def test_is_no_form_either(self, served: Served, length: bytes):
        form = b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        with connected(served) as connection:
            connection.sendall(form + length + CHUNK * 2)
            told = answer(connection)
        assert status(told) == 400
        assert '"error":"invalid_request"' in told.replace(" ", "")


WRONG_HEADS = {
    "two lengths": b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length and chunks": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length below nothing": b"Content-Length: -1\r\n\r\n{}",
    "a length in words": b"Content-Length: two\r\n\r\n{}",
    "a length no machine has": b"Content-Length: " + b"9" * 40 + b"\r\n\r\n{}",
    "an unknown coding": b"Transfer-Encoding: gzip\r\n\r\n{}",
    "a chunk of no size": b"Transfer-Encoding: chunked\r\n\r\n" + f"{CANARY}\r\n".encode(),
    "a chunk of all sizes": b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 40 + b"\r\n{}",
    "a folded header": b"X-A: b\r\n c\r\n\r\n",
    "a header without a name": f": {CANARY}\r\n\r\n".encode(),
    "a space before the colon": f"X-A : {CANARY}\r\n\r\n".encode(),
    "a NUL in a header": f"X-A: {CANARY}\0\r\n\r\n".encode(),
    "a bare carriage return": f"X-A: {CANARY}\rX-B: c\r\n\r\n".encode(),
}


class TestAHead:
    @pytest.mark.parametrize("name", WRONG_HEADS)
    def test_that_makes_no_sense_ends_the_connection(
        self, served: Served, head: bytes, caplog: pytest.LogCaptureFixture, name: str
    ):
        caplog.set_level(logging.INFO)
        with connected(served) as connection:
            connection.sendall(head + WRONG_HEADS[name])
            told = answer(connection)
        assert 400 <= status(told) < 500, told
        assert CANARY not in told + caplog.text
        assert "Traceback" not in caplog.text

    @pytest.mark.parametrize(
        "line",
        [
            "GET /v1/me HTTP/9.9",
            f"{CANARY} /v1/me HTTP/1.1",
            "GET  HTTP/1.1",
            f"GET /{CANARY} {CANARY} HTTP/1.1",
            "OPTIONS * HTTP/1.1",
            f"CONNECT {CANARY}:443 HTTP/1.1",
            CANARY,
        ],
    )
    def test_with_another_first_line_is_refused(self, served: Served, caplog: pytest.LogCaptureFixture, line: str):
        caplog.set_level(logging.INFO)
        with connected(served) as connection:
            connection.sendall(f"{line}\r\nHost: x\r\n\r\n".encode())
            told = answer(connection)
        assert 400 <= status(told) < 500, told
        assert CANARY not in told + caplog.text

    @pytest.mark.parametrize("begin", [f"GET /{CANARY}", f"GET /v1/me HTTP/1.1\r\nX-{CANARY}: "])
    def test_without_an_end_is_not_kept(self, served: Served, begin: str):
        """One that a caller goes on sending without ever finishing it."""
        told, sent = "", 0
        with connected(served) as connection:
            connection.sendall(begin.encode())
            try:
                for _ in range(100):
                    connection.sendall(b"x" * 65_536)
                    sent += 65_536
            except (BrokenPipeError, ConnectionResetError):
                pass
            else:
                told = answer(connection)
        assert sent < 100 * 65_536 or status(told) == 431

    def test_with_a_hundred_thousand_headers_is_not_kept(self, served: Served):
        told = ""
        with connected(served) as connection:
            try:
                connection.sendall(b"GET /v1/me HTTP/1.1\r\n")
                for _ in range(1000):
                    connection.sendall(b"X-A: b\r\n" * 100)
                connection.sendall(b"\r\n")
                told = answer(connection)
            except (BrokenPipeError, ConnectionResetError):
                return
        assert told == "" or status(told) == 431

    @pytest.mark.parametrize("size", [1000, 20_000, 60_000])
    def test_with_a_long_path_leads_nowhere(self, served: Served, size: int):
        with connected(served) as connection:
            connection.sendall(f"GET /{CANARY}{'x' * size} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            told = answer(connection)
        assert status(told) == 404
        assert CANARY not in told


class TestAHost:
    def test_is_never_believed(self, served: Served, head: bytes):
        """Neither the proof's address nor any link is made from it."""
        other = b"\r\n".join(
            line if not line.startswith(b"Host:") else f"Host: {CANARY}.example".encode()
            for line in head.split(b"\r\n")
        )
        with connected(served) as connection:
            connection.sendall(other + b"X-Forwarded-Host: " + CANARY.encode() + b"\r\nContent-Length: 2\r\n\r\n{}")
            told = answer(connection)
        assert status(told) == 422, "let in, and told about its body"
        assert CANARY not in told


class TestTwoRequestsOnOneConnection:
    def test_are_answered_apart(self, served: Served):
        one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        with connected(served) as connection:
            connection.sendall(one + f"GET /{CANARY} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            told = b""
            while more := connection.recv(65_536):
                told += more
        first, second = told.split(b"HTTP/1.1 ")[1:]
        assert first.startswith(b"200 ")
        assert second.startswith(b"404 ")

    def test_the_second_is_read_after_a_body_that_was_too_large(self, served: Served, head: bytes):
        size = 1_200_000
        with connected(served) as connection:
            connection.sendall(head + f"Content-Length: {size}\r\n\r\n".encode() + b" " * size)
            assert status(answer(connection)) == 413
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert status(answer(connection)) == 200


def test_a_caller_who_goes_away_leaves_nothing_behind(served: Served, head: bytes, caplog: Any):
    caplog.set_level(logging.INFO)
    for ending in (b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"):
        with connected(served) as connection:
            connection.sendall(head + ending)
    time.sleep(0.2)
    assert "Traceback" not in caplog.text
    assert "internal error" not in caplog.text
    with connected(served) as connection:
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status(answer(connection)) == 200

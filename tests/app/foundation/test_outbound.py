"""Requests to addresses that others have named reach the public Internet, or what the settings open, and nothing else."""

from __future__ import annotations

import gzip
import socket
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from app.foundation import outbound
from app.foundation.outbound import OutboundError, check_url, fetch, may_connect
from app.foundation.settings import Settings
from app.main import create_app
from tests.makers.publisher import Publisher, publishing

NAME = "keys.dinsos.example"
PLAIN = Settings()


@pytest.fixture
async def publisher(tmp_path: Path) -> AsyncIterator[Publisher]:
    async with publishing(tmp_path, name=NAME) as made:
        yield made


@pytest.fixture
def settings(publisher: Publisher) -> Settings:
    """Settings by which the publisher may be asked, though it is on this machine."""
    return Settings(**publisher.settings)


@pytest.fixture
def resolves(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Say which addresses a name has: the first answer to the first who asks, the next to the next."""

    def prepare(*answers: list[str]) -> list[str]:
        asked: list[str] = []
        real = socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *rest: Any, **named: Any) -> list[Any]:
            name = host.decode() if isinstance(host, bytes) else host
            if name != NAME:
                return real(host, port, *rest, **named)
            asked.append(name)
            found = answers[min(len(asked), len(answers)) - 1]
            if not found:
                raise socket.gaierror(socket.EAI_NONAME, "no such name")
            family = {4: socket.AF_INET, 6: socket.AF_INET6}
            return [(family[ip_address(each).version], socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return prepare


def url(publisher: Publisher) -> str:
    return f"https://{NAME}:{publisher.port}/jwks.json?v=1"


async def fault(address: str, settings: Settings, **options: Any) -> str:
    with pytest.raises(OutboundError) as refused:
        await fetch(address, settings=settings, **options)
    return refused.value.fault


class TestUrls:
    @pytest.mark.parametrize(
        ("given", "host", "port", "path"),
        [
            ("https://keys.example.go.id/jwks.json", "keys.example.go.id", 443, "/jwks.json"),
            ("HTTPS://Keys.Example.go.id", "keys.example.go.id", 443, "/"),
            ("https://keys.example.go.id:8443/a?b=c", "keys.example.go.id", 8443, "/a?b=c"),
            ("https://keys.example.go.id.:443/", "keys.example.go.id", 443, "/"),
            ("https://xn--bcher-kva.example/k", "xn--bcher-kva.example", 443, "/k"),
        ],
    )
    def test_that_may_be_registered(self, given: str, host: str, port: int, path: str) -> None:
        found = check_url(given, PLAIN)
        assert (found.host, found.port, found.path) == (host, port, path)

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            (None, "url"),
            (5, "url"),
            (["https://keys.example"], "url"),
            ("", "url"),
            ("keys.example/jwks", "url"),
            ("//keys.example/jwks", "url"),
            ("http://keys.example/jwks", "url"),
            ("ftp://keys.example/jwks", "url"),
            ("file:///etc/passwd", "url"),
            ("gopher://keys.example/", "url"),
            ("https:keys.example", "url"),
            ("https:/keys.example", "url"),
            ("https://user@keys.example/", "url"),
            ("https://user:pass@keys.example/", "url"),
            ("https://keys.example@169.254.169.254/", "url"),
            ("https://@keys.example/", "url"),
            ("https://keys.example\\@10.0.0.1/", "url"),
            ("https://keys.example/#keys", "url"),
            ("https://keys.example/ a", "url"),
            ("https://keys.example/\r\nHost: x", "url"),
            ("https://keys.example/\x00", "url"),
            ("https://keys.exämple/", "url"),
            ("https://keys.example/" + "a" * 2000, "url"),
            ("https://keys.example:99999/", "url"),
            ("https://keys.example:x/", "url"),
            ("https://[::1/", "url"),
            ("https:///jwks", "host"),
            ("https://127.0.0.1/", "host"),
            ("https://127.1/", "host"),
            ("https://2130706433/", "host"),
            ("https://0x7f000001/", "host"),
            ("https://0x7f.0.0.1/", "host"),
            ("https://0177.0.0.1/", "host"),
            ("https://017700000001/", "host"),
            ("https://127.0.0.1./", "host"),
            ("https://0/", "host"),
            ("https://8.8.8.8/", "host"),
            ("https://[::1]/", "host"),
            ("https://[::ffff:127.0.0.1]/", "host"),
            ("https://[2606:4700::1111]/", "host"),
            ("https://[fe80::1%25eth0]/", "host"),
            ("https://localhost/", "host"),
            ("https://LOCALHOST./", "host"),
            ("https://keys.localhost/", "host"),
            ("https://database/", "host"),
            ("https://keys..example/", "host"),
            ("https://-keys.example/", "host"),
            ("https://keys%2eexample/", "host"),
            ("https://" + "a." * 130 + "example/", "host"),
            ("https://keys.example:22/", "port"),
            ("https://keys.example:80/", "port"),
            ("https://keys.example:0/", "port"),
        ],
    )
    def test_that_may_not_be_and_why(self, given: object, says: str) -> None:
        with pytest.raises(OutboundError) as refused:
            check_url(given, PLAIN)
        assert refused.value.fault == says
        assert str(given) not in str(refused.value) or given == ""

    def test_names_of_an_inner_network_where_one_is_open(self) -> None:
        intranet = Settings(outbound_networks="10.20.0.0/16")
        assert check_url("https://keys/", intranet).host == "keys"
        with pytest.raises(OutboundError):
            check_url("https://localhost/", intranet)


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            *(
                "0.0.0.0",
                "10.1.2.3",
                "100.64.0.1",
                "100.127.255.255",
                "127.0.0.1",
                "127.255.255.254",
                "169.254.169.254",
            ),
            *("172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.168.1.1", "192.88.99.1", "198.18.0.1"),
            *(
                "192.0.2.1",
                "198.51.100.1",
                "203.0.113.1",
                "224.0.0.1",
                "239.255.255.250",
                "240.0.0.1",
                "255.255.255.255",
            ),
            *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a00:1", "64:ff9b:1::a00:1"),
            *(
                "fc00::1",
                "fd00:ec2::254",
                "fe80::1",
                "fec0::1",
                "ff02::1",
                "2001::1",
                "2001:0:4136:e378::1",
                "2001:db8::1",
            ),
            *("2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1", "100::1"),
        ],
    )
    def test_that_are_not_public(self, address: str) -> None:
        assert not may_connect(ip_address(address), ())

    @pytest.mark.parametrize(
        "address", ["8.8.8.8", "103.10.10.10", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "2404:8000::1"]
    )
    def test_that_are(self, address: str) -> None:
        assert may_connect(ip_address(address), ())

    def test_of_an_inner_network_that_is_open(self) -> None:
        allowed = (ip_network("10.20.0.0/16"), ip_network("fd12::/16"))
        assert may_connect(ip_address("10.20.1.1"), allowed)
        assert may_connect(ip_address("fd12::1"), allowed)
        assert not may_connect(ip_address("10.21.1.1"), allowed)

    @pytest.mark.parametrize(
        "address", ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "::ffff:10.0.0.1", "ff02::1"]
    )
    def test_that_no_setting_opens(self, address: str) -> None:
        assert not may_connect(ip_address(address), (ip_network("0.0.0.0/0"), ip_network("::/0")))


class TestSettings:
    @pytest.mark.parametrize(
        "networks", ["127.0.0.0/8", "::1", "169.254.0.0/16", "0.0.0.0/0", "10.0.0.0/8, ::/0", "fe80::/64"]
    )
    def test_production_opens_neither_this_machine_nor_everything(self, networks: str) -> None:
        reasons = Settings(env="production", outbound_networks=networks).unsafe()
        assert [reason for reason in reasons if "RUJUKAN_OUTBOUND_NETWORKS" in reason]

    def test_production_may_open_an_intranet(self) -> None:
        reasons = Settings(env="production", outbound_networks="10.20.0.0/16, fd12::/16").unsafe()
        assert not [reason for reason in reasons if "OUTBOUND" in reason]

    @pytest.mark.parametrize("networks", ["unix", "10.0.0.1/8", "intranet", "10.0.0.0/33"])
    def test_what_is_no_network_is_refused(self, networks: str) -> None:
        with pytest.raises(ValueError, match="CIDR"):
            Settings(outbound_networks=networks)


class TestFetching:
    async def test_returns_what_is_answered(self, publisher, settings, resolves) -> None:
        resolves(["127.0.0.1"])
        publisher.says(b'{"keys": []}', kind="Application/JSON; charset=utf-8")
        found = await fetch(url(publisher), settings=settings)
        assert (found.content_type, found.body) == ("application/json", b'{"keys": []}')

    async def test_connects_to_the_address_for_the_name(self, publisher, settings, resolves) -> None:
        resolves(["127.0.0.1"])
        await fetch(url(publisher), settings=settings)
        (head,) = publisher.asked
        assert head.startswith(b"GET /jwks.json?v=1 HTTP/1.1\r\n")
        assert f"host: {NAME}:{publisher.port}\r\n".encode() in head.lower()
        assert b"accept-encoding: identity\r\n" in head.lower()
        assert b"cookie" not in head.lower()
        assert publisher.names == [NAME]

    async def test_asks_for_the_name_once_so_that_another_answer_comes_too_late(
        self, publisher, settings, resolves
    ) -> None:
        """DNS rebinding: a public address for the check, an inner one for the connection."""
        asked = resolves(["127.0.0.1"], ["169.254.169.254"])
        await fetch(url(publisher), settings=settings)
        assert asked == [NAME]
        assert len(publisher.asked) == 1

    async def test_tries_the_next_address_where_nobody_answers(self, publisher, settings, resolves) -> None:
        resolves(["127.0.0.9", "127.0.0.1"])
        await fetch(url(publisher), settings=settings)
        assert len(publisher.asked) == 1

    async def test_plays_no_part_in_proxies_of_the_environment(
        self, publisher, settings, resolves, monkeypatch
    ) -> None:
        resolves(["127.0.0.1"])
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        await fetch(url(publisher), settings=settings)
        assert len(publisher.asked) == 1


class TestNothingInside:
    @pytest.mark.parametrize(
        "address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1", "100.64.0.1"]
    )
    async def test_is_asked_however_it_is_named(self, publisher, resolves, address) -> None:
        resolves([address])
        assert await fault(url(publisher), Settings(outbound_ca=publisher.ca)) == "address"
        assert publisher.asked == []

    async def test_is_asked_if_a_public_address_comes_first(self, publisher, resolves) -> None:
        resolves(["8.8.8.8", "127.0.0.1"])
        assert await fault(url(publisher), Settings(outbound_ca=publisher.ca)) == "address"

    async def test_is_asked_after_a_redirect(self, publisher, settings, resolves) -> None:
        resolves(["127.0.0.1"])
        publisher.says("", status="302 Found", Location=f"https://{NAME}:{publisher.port}/other")
        assert await fault(url(publisher), settings) == "redirect"
        assert len(publisher.asked) == 1


class TestWhatGoesWrong:
    async def test_a_name_without_an_address(self, publisher, settings, resolves) -> None:
        resolves([])
        assert await fault(url(publisher), settings) == "unresolved"

    async def test_nobody_there(self, publisher, settings, resolves) -> None:
        resolves(["127.0.0.9"])
        assert await fault(url(publisher), settings) == "unreachable"

    async def test_a_certificate_of_another_name(self, publisher, settings) -> None:
        assert await fault(f"https://localhost:{publisher.port}/", settings) == "tls"
        assert publisher.asked == []

    async def test_a_certificate_nobody_vouches_for(self, publisher, resolves) -> None:
        resolves(["127.0.0.1"])
        assert await fault(url(publisher), Settings(outbound_networks="127.0.0.0/8")) == "tls"

    @pytest.mark.parametrize(
        "status", ["204 No Content", "206 Partial", "304 Not Modified", "404 Not Found", "500 Oops"]
    )
    async def test_another_status(self, publisher, settings, resolves, status) -> None:
        resolves(["127.0.0.1"])
        publisher.says("", status=status)
        assert await fault(url(publisher), settings) == ("redirect" if status.startswith("3") else "status")

    async def test_too_much(self, publisher, settings, resolves) -> None:
        resolves(["127.0.0.1"])
        publisher.says(b"x" * 65_537)
        assert await fault(url(publisher), settings) == "too_large"
        publisher.says(b"x" * 65_536)
        assert len((await fetch(url(publisher), settings=settings)).body) == 65_536

    async def test_more_than_it_says(self, publisher, settings, resolves) -> None:
        resolves(["127.0.0.1"])
        publisher.reply = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 200_000
        assert await fault(url(publisher), settings) == "too_large"

    async def test_a_gzip_bomb(self, publisher, settings, resolves) -> None:
        resolves(["127.0.0.1"])
        publisher.says(gzip.compress(b"0" * 10_000_000), Content_Encoding="gzip")
        assert await fault(url(publisher), settings) == "encoding"

    async def test_a_drip_that_never_lets_a_read_time_out(self, publisher, settings, resolves) -> None:
        resolves(["127.0.0.1"])
        publisher.pause = 0.05
        assert await fault(url(publisher), settings, timeout=0.4) == "timeout"

    async def test_silence(self, publisher, settings, resolves) -> None:
        resolves(["127.0.0.1"])
        publisher.delay = 5
        assert await fault(url(publisher), settings, timeout=0.3) == "timeout"

    @pytest.mark.parametrize(
        "reply", [b"", b"\x00\x01\x02\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"]
    )
    async def test_what_is_no_http(self, publisher, settings, resolves, reply) -> None:
        resolves(["127.0.0.1"])
        publisher.reply = reply
        assert await fault(url(publisher), settings) == "protocol"

    async def test_a_head_without_end(self, publisher, settings, resolves) -> None:
        resolves(["127.0.0.1"])
        publisher.reply = b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000
        assert await fault(url(publisher), settings) == "protocol"


def test_every_fault_has_its_words() -> None:
    assert all(text.isascii() and '"' not in text for text in outbound.FAULTS.values())


def test_authorities_that_cannot_be_read_end_the_start(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        create_app(Settings(outbound_ca=tmp_path / "nowhere.crt"))

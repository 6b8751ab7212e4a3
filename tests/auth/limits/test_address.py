"""Where a request comes from: the peer, or what a named proxy says, and nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.foundation.settings import Settings
from auth.address import Addresses, read

PROXY = "10.0.0.1"


def seen(peer: str | None, *forwarded: str, **settings: Any) -> str | None:
    """What the address is taken to be."""
    headers = [(b"x-forwarded-for", each.encode("latin-1")) for each in forwarded]
    scope = {"client": None if peer is None else (peer, 1), "headers": [(b"host", b"x"), *headers]}
    address = Addresses(Settings(**settings)).of(scope)
    return None if address is None else str(address.ip)


class TestThePeer:
    def test_is_the_caller_where_no_proxy_is_named(self) -> None:
        assert seen("203.0.113.7") == "203.0.113.7"

    def test_that_is_no_named_proxy_says_nothing_of_others(self) -> None:
        assert seen("203.0.113.7", "198.51.100.1") == "203.0.113.7"
        assert seen("203.0.113.7", "198.51.100.1", address_proxies=PROXY) == "203.0.113.7"

    def test_is_itself_when_mapped_into_ipv6(self) -> None:
        assert seen("::ffff:203.0.113.7") == "203.0.113.7"
        assert seen("::ffff:10.0.0.1", "198.51.100.1", address_proxies=PROXY) == "198.51.100.1"

    @pytest.mark.parametrize("peer", [None, "", "testclient", "/run/socket"])
    def test_without_an_address_is_not_known(self, peer: str | None) -> None:
        assert seen(peer) is None


class TestBehindAProxy:
    @pytest.mark.parametrize("setting", ["address_proxies", "trusted_proxies"])
    def test_it_is_who_the_proxy_saw(self, setting: str) -> None:
        assert seen(PROXY, "198.51.100.1", **{setting: PROXY}) == "198.51.100.1"

    def test_what_stands_before_it_was_written_by_whoever_it_is(self) -> None:
        assert seen(PROXY, "192.0.2.1, 10.0.0.1, 198.51.100.1", address_proxies=PROXY) == "198.51.100.1"
        assert seen(PROXY, "192.0.2.1", "198.51.100.1", address_proxies=PROXY) == "198.51.100.1"

    def test_several_named_proxies_stand_in_a_row(self) -> None:
        assert seen(PROXY, "198.51.100.1, 10.0.9.9, 10.0.0.2", address_proxies="10.0.0.0/16") == "198.51.100.1"

    @pytest.mark.parametrize(
        ("entry", "address"),
        [
            ("198.51.100.1:4711", "198.51.100.1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
            (" \t198.51.100.1 ", "198.51.100.1"),
        ],
    )
    def test_as_proxies_write_it(self, entry: str, address: str) -> None:
        assert seen(PROXY, entry, address_proxies=PROXY) == address

    @pytest.mark.parametrize(
        "field", ["", "unknown", "198.51.100.1,", "198.51.100.1, _hidden", "198.51.100.1;10.0.0.1", "1.2.3.4.5", "é"]
    )
    def test_a_proxy_that_does_not_say_makes_it_unknown_not_the_proxys_own(self, field: str) -> None:
        assert seen(PROXY, field, address_proxies=PROXY) is None

    def test_a_proxy_that_sets_nothing_makes_it_unknown(self) -> None:
        assert seen(PROXY, address_proxies=PROXY) is None
        assert seen(PROXY, "10.0.0.1, 10.0.0.1", address_proxies=PROXY) is None

    def test_a_field_without_end_is_read_from_its_end_only(self) -> None:
        assert seen(PROXY, "9" * 60_000 + ", 198.51.100.1", address_proxies=PROXY) == "198.51.100.1"
        assert seen(PROXY, "198.51.100.1" + ", 10.0.0.1" * 5000, address_proxies=PROXY) is None


class TestOnASocket:
    SOCKET = Path("/run/rujukan.sock")

    def test_who_may_connect_says_it_where_that_is_trusted(self) -> None:
        for setting in ("address_proxies", "trusted_proxies"):
            assert seen("", "198.51.100.1", socket=self.SOCKET, **{setting: "unix"}) == "198.51.100.1"

    def test_else_nobody_knows(self) -> None:
        assert seen("", "198.51.100.1", socket=self.SOCKET) is None

    def test_there_must_be_one(self) -> None:
        with pytest.raises(ValidationError):
            Settings(address_proxies="unix")


class TestCounting:
    @pytest.mark.parametrize(
        ("text", "counted_as"),
        [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::/64"),
        ],
    )
    def test_an_ipv6_address_is_its_64(self, text: str, counted_as: str) -> None:
        address = read(text)
        assert address is not None
        assert address.counted_as == counted_as

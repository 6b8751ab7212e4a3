"""Where a request comes from: the peer, or what a proxy that is named says of its own peer in `X-Forwarded-For`.

Of that field only what named proxies have added counts: read from its end, it is the first address that is none of theirs (whatever
stands before it was written by whoever is there). `Forwarded` (RFC 7239) is not read: no proxy sets it unless it is told to,
and two sources could contradict each other. From anyone but a named proxy both are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

from app.foundation.settings import Settings

FORWARDED_FOR: Final = b"x-forwarded-for"
FROM: Final = "rujukan.address"
"""Where the scope of a request holds the `Address` it comes from, or None where that cannot be known."""
_READ_AT_MOST: Final = 512
"""Bytes of the field that are looked at, from its end: named proxies stand there, before them whoever calls may write without end."""
_WITH_PORT = re.compile(r"(?:\[([^\]]+)\]|([0-9.]+))(?::[0-9]{1,5})?")
_Networks = tuple[IPv4Network | IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class Address:
    """An address of a caller."""

    ip: IPv4Address | IPv6Address
    counted_as: str
    """What limits count it as: an IPv6 address as its /64, of which one caller has all."""

    def is_within(self, networks: _Networks) -> bool:
        """Whether it is in one of them."""
        return any(self.ip.version == network.version and self.ip in network for network in networks)


class Addresses:
    """Tells where requests come from, by the settings."""

    def __init__(self, settings: Settings) -> None:
        proxies = settings.address_networks
        self._proxies = proxies
        self._on_socket, self._trusts_socket = settings.socket is not None, settings.trusts_socket_address

        @lru_cache(maxsize=4096)
        def is_proxy(text: str) -> bool:
            address = read(text)
            return address is not None and address.is_within(proxies)

        @lru_cache(maxsize=4096)
        def stranger(field: bytes) -> Address | None:
            return last_stranger(field, proxies)

        self._is_proxy, self._stranger = is_proxy, stranger

    def of(self, scope: Mapping[str, Any]) -> Address | None:
        """Return where the request comes from; None where that cannot be known: a proxy that does not say, a socket."""
        if self._on_socket:  # then nobody comes another way, and the peer has no address
            return self._forwarded(scope) if self._trusts_socket else None
        client = scope.get("client")
        if client is None:
            return None
        if self._proxies and self._is_proxy(client[0]):
            return self._forwarded(scope)
        return read(client[0])

    def _forwarded(self, scope: Mapping[str, Any]) -> Address | None:
        field = b",".join(value for name, value in scope["headers"] if name == FORWARDED_FOR)
        return self._stranger(field[-_READ_AT_MOST:])


def address_of(scope: Mapping[str, Any]) -> Address | None:
    """Return where the request comes from, as `auth.limits.layer` left it; None where that cannot be known."""
    found: Address | None = scope[FROM]
    return found


@lru_cache(maxsize=4096)
def read(text: str) -> Address | None:
    """Return the address a text says, an IPv4 address mapped into IPv6 as itself; None if it says none."""
    try:
        ip = ip_address(text)
    except ValueError:
        return None
    if isinstance(ip, IPv4Address):
        return Address(ip, str(ip))
    if ip.ipv4_mapped is not None:
        return Address(ip.ipv4_mapped, str(ip.ipv4_mapped))
    if ip.scope_id is not None:
        ip = IPv6Address(int(ip))
    return Address(ip, str(ip_network((ip, 64), strict=False)))


def last_stranger(field: bytes, proxies: _Networks) -> Address | None:
    """Return the last address of the field that is no named proxy's; None if there is none, or something else stands in its place."""
    for entry in reversed(field.decode("latin-1").split(",")):
        text = entry.strip(" \t")
        with_port = _WITH_PORT.fullmatch(text)
        address = read(text if with_port is None else with_port[1] or with_port[2])
        if address is None:
            return None
        if not address.is_within(proxies):
            return address
    return None

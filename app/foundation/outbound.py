"""Requests to addresses that others have named (a client's `jwks_uri`): to the public Internet, and never into the inner network.

What is checked is what is connected to: the name is resolved once, every address it has is looked at, and the connection goes to one
of those, with TLS for the name (OWASP, Server-Side Request Forgery Prevention). No redirect is followed, no proxy of the environment
is used, and size and time are bounded. Whatever goes wrong ends in `OutboundError`, whose `fault` names the rule, never a value.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from app.foundation.settings import Settings

MAX_URL: Final = 2000
MAX_BYTES: Final = 65_536
PATIENCE: Final = 5.0
"""Seconds for everything: resolving, connecting, reading to the end."""
ADDRESSES_TRIED: Final = 3
_RESOLVERS: Final = ThreadPoolExecutor(256, thread_name_prefix="resolve")
"""Threads of its own, made as they are needed and more than a process asks at once: a lookup whose name servers hang cannot be ended, and
must keep nobody else waiting."""
_looked_up: Final[dict[tuple[str, int], Future[list[Any]]]] = {}
"""The lookups under way. Whoever asks for the same name meanwhile waits for the same answer, and takes no other thread."""
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_VISIBLE = re.compile(r"[\x21-\x7e]+")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PUBLIC_6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC: Final[tuple[Network, ...]] = tuple(
    ip_network(each)
    for each in (
        # RFC 6890 and IANA's IPv4 special-purpose registry; not `is_global`, whose list changes with the version of Python
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata services of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        # of IPv6 only 2000::/3 is public at all: this leaves out loopback, link-local, unique local, multicast, IPv4-mapped and NAT64.
        # Within it:
        "2001::/23",  # Teredo, ORCHID and others
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",
    )
)
NEVER: Final[tuple[Network, ...]] = tuple(
    ip_network(each)
    for each in (
        "0.0.0.0/8",
        "169.254.0.0/16",
        "192.0.0.192/32",  # with the next two: metadata services outside 169.254.0.0/16
        "100.100.100.200/32",
        "fd00:ec2::254/128",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "fe80::/10",
        "ff00::/8",
    )
)
"""What no setting opens. Loopback is not among them: `production` refuses to have it opened, tests need it."""

FAULTS: Final = {
    "url": "It must be an https URL of at most 2000 visible ASCII characters, without user, password and fragment.",
    "host": "Its host must be a full DNS name, not an address and not a name of this machine.",
    "port": "Its port must be 443, or 1024 or above.",
    "unresolved": "Its host has no address.",
    "address": "Its host has an address that is not on the public Internet.",
    "unreachable": "Nothing answers there.",
    "tls": "Its certificate cannot be verified, or TLS does not come about.",
    "protocol": "What answers there does not speak HTTP.",
    "timeout": "It took too long.",
    "redirect": "It redirects.",
    "status": "It answered with another status than 200.",
    "encoding": "Its answer is compressed, which was not asked for.",
    "too_large": "Its answer is too large.",
}


class OutboundError(Exception):
    """The request was not made, or came to nothing."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        super().__init__(FAULTS[fault])


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be asked, if its host's addresses are public."""

    host: str
    port: int
    path: str = field(repr=False)

    @property
    def authority(self) -> str:
        """The value of `Host`."""
        return self.host if self.port == 443 else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was answered."""

    content_type: str
    """The media type in small letters, without parameters."""
    body: bytes = field(repr=False)


def check_url(url: object, settings: Settings) -> Target:
    """Return what a URL names, without asking anybody: for the moment it is registered. Raises `OutboundError`."""
    if not isinstance(url, str) or len(url) > MAX_URL or not _VISIBLE.fullmatch(url) or "\\" in url or "#" in url:
        raise OutboundError("url")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        raise OutboundError("url") from None
    if parts.scheme != "https" or not url[:8].lower() == "https://" or "@" in parts.netloc:
        raise OutboundError("url")
    if not _NAME.fullmatch(host) or len(host) > 253 or _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise OutboundError("host")  # a name that ends in a number is an address, in one of its many notations
    if not _may_be_named(host, settings.outbound_allowed):
        raise OutboundError("host")
    if port is not None and port != 443 and port < 1024:
        raise OutboundError("port")
    return Target(host, port or 443, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def _may_be_named(host: str, allowed: Sequence[Network]) -> bool:
    """Names without a dot are of the inner network, `localhost` of this machine: they need a network that is open."""
    if host == "localhost" or host.endswith(".localhost"):
        return any(network.overlaps(loopback) for network in allowed for loopback in _LOOPBACK[network.version])
    return "." in host or bool(allowed)


_LOOPBACK: Final[dict[int, tuple[Network, ...]]] = {
    4: (IPv4Network("127.0.0.0/8"),),
    6: (IPv6Network("::1/128"),),
}


def may_connect(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether an address may be connected to: a public one, or one of the networks the settings open."""
    if any(address in network for network in NEVER if network.version == address.version):
        return False
    if any(address in network for network in allowed if network.version == address.version):
        return True
    if address.version == 6 and address not in _PUBLIC_6:
        return False
    return not any(address in network for network in _NOT_PUBLIC if network.version == address.version)


async def resolve(target: Target, settings: Settings) -> list[Address]:
    """Return the addresses of a target's host. One that is not public refuses them all: whoever mixes them is up to something."""
    try:
        found = await _look_up(target.host, target.port)
    except (OSError, UnicodeError):
        raise OutboundError("unresolved") from None
    addresses = list(dict.fromkeys(ip_address(str(each[4][0]).partition("%")[0]) for each in found))
    if not addresses:
        raise OutboundError("unresolved")
    if not all(may_connect(each, settings.outbound_allowed) for each in addresses):
        raise OutboundError("address")
    return addresses


async def _look_up(host: str, port: int) -> list[Any]:
    """Look a name up; once at a time, however many ask. Who stops waiting stops nobody else's lookup."""
    under_way = _looked_up.get((host, port))
    if under_way is None:
        under_way = _RESOLVERS.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        _looked_up[host, port] = under_way
        under_way.add_done_callback(lambda done: _forget((host, port), done))
    return await asyncio.shield(asyncio.wrap_future(under_way))


def _forget(name: tuple[str, int], done: Future[list[Any]]) -> None:
    if _looked_up.get(name) is done:
        del _looked_up[name]


async def fetch(
    url: str,
    *,
    settings: Settings,
    accept: str = "*/*",
    max_bytes: int = MAX_BYTES,
    timeout: float = PATIENCE,  # noqa: ASYNC109 -- of everything, also of what asyncio.timeout is put around here
) -> Fetched:
    """GET `url` and return what it answers with 200, at most `max_bytes` long, within `timeout` seconds. Raises `OutboundError`."""
    target = check_url(url, settings)
    try:
        async with asyncio.timeout(timeout):
            addresses = await resolve(target, settings)
            transport = httpx.AsyncHTTPTransport(verify=trust(settings.outbound_ca), trust_env=False)
            async with httpx.AsyncClient(
                transport=transport, timeout=timeout, trust_env=False, follow_redirects=False
            ) as http:
                return await _first_answer(http, addresses[:ADDRESSES_TRIED], target, accept, max_bytes)
    except (TimeoutError, httpx.TimeoutException):
        raise OutboundError("timeout") from None
    except httpx.InvalidURL:
        raise OutboundError("url") from None


async def _first_answer(
    http: httpx.AsyncClient, addresses: Sequence[Address], target: Target, accept: str, max_bytes: int
) -> Fetched:
    for last, address in zip([*[False] * (len(addresses) - 1), True], addresses, strict=True):
        try:
            return await _ask(http, address, target, accept, max_bytes)
        except httpx.ConnectError as error:
            if isinstance(root_of(error), ssl.SSLError):
                raise OutboundError("tls") from None
            if last:
                raise OutboundError("unreachable") from None
        except httpx.TimeoutException:
            raise
        except httpx.HTTPError:
            raise OutboundError("protocol") from None
    raise OutboundError("unresolved")


def root_of(error: BaseException) -> BaseException:
    """Return what an error came of in the first place."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


async def _ask(http: httpx.AsyncClient, address: Address, target: Target, accept: str, max_bytes: int) -> Fetched:
    """Ask this very address: the URL holds it, so that nothing resolves the name again; TLS and `Host` are for the name."""
    host = f"[{address}]" if address.version == 6 else str(address)
    headers = {
        "Host": target.authority,
        "Accept": accept,
        "Accept-Encoding": "identity",
        "User-Agent": "rujukan",
    }
    request = http.build_request(
        "GET",
        httpx.URL(f"https://{host}:{target.port}", raw_path=target.path.encode("ascii")),
        headers=headers,
        extensions={"sni_hostname": target.host},
    )
    response = await http.send(request, stream=True)
    try:
        return await _read(response, max_bytes)
    finally:
        await response.aclose()


async def _read(response: httpx.Response, max_bytes: int) -> Fetched:
    if response.is_redirect or 300 <= response.status_code < 400:
        raise OutboundError("redirect")
    if response.status_code != 200:
        raise OutboundError("status")
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise OutboundError("encoding")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_bytes:
            raise OutboundError("too_large")
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Fetched(kind, bytes(body))


@lru_cache(maxsize=4)
def trust(ca: Path | None) -> ssl.SSLContext:
    """Trust the public authorities, and those of the file. Made once: it takes longer than a handshake. Raises `OSError`."""
    context = httpx.create_ssl_context(trust_env=False)
    if ca is not None:
        context.load_verify_locations(cafile=ca)
    return context

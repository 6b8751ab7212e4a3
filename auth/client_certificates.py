"""How a client's certificate reaches the service: on its own TLS, or from a proxy in `Client-Cert` (RFC 9440).

There is one source, never two: with trusted proxies configured the header alone counts, else the connection alone. RFC 9440
§4 says that the header is taken from a trusted proxy only. From anyone else it is refused, not just ignored: nobody has a good
reason to send it, and a proxy that has forgotten its place in the list should not fail in silence.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from authlib.oauth2.rfc6749.errors import InvalidRequestError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.foundation.problems import Problem
from app.foundation.settings import Settings
from auth.binding import certificate
from auth.binding.certificate import PRESENTED, Certificate, UnreadableCertificateError
from auth.server import render

CLIENT_CERT: Final = b"client-cert"
CLIENT_CERT_CHAIN: Final = b"client-cert-chain"
_BYTE_SEQUENCE = re.compile(rb":([A-Za-z0-9+/]+={0,2}):")
"""A non-empty sf-binary (RFC 8941 §3.3.5); parameters are not part of RFC 9440's grammar."""


class ClientCertificateNotTaken(Problem):
    """The request says which client certificate it came with, in a way that is not taken (RFC 9440).

    `reason`: `untrusted`, `Client-Cert` comes from somebody who is not a proxy of the exchange: leave the header out, and present the
    certificate in the TLS handshake. `malformed`: what a proxy passes is not one certificate, or its chain is none.
    """

    type, status, title, title_id = (
        "client-certificate-not-taken",
        400,
        "The client certificate is not taken this way",
        "Sertifikat klien tidak diterima dengan cara ini",
    )

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason=reason)


class ClientCertificates:
    """ASGI layer that leaves the caller's certificate in the scope, and the header fields nowhere. Only there if mutual TLS is on."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.networks = settings.proxy_networks
        self.behind_proxy, self.trusts_socket = settings.behind_proxy, settings.trusts_socket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            try:
                scope[PRESENTED] = self._presented(scope)
            except ClientCertificateNotTaken as refused:
                await _answer(refused, scope)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _presented(self, scope: Scope) -> Certificate | None:
        headers = scope["headers"]
        passed = [value for name, value in headers if name == CLIENT_CERT]
        chain = [value for name, value in headers if name == CLIENT_CERT_CHAIN]
        if passed or chain:
            if not self._trusts(scope.get("client")):
                raise ClientCertificateNotTaken("untrusted")
            scope["headers"] = [each for each in headers if each[0] not in (CLIENT_CERT, CLIENT_CERT_CHAIN)]
            return read_fields(passed, chain)
        if self.behind_proxy:
            return None
        return _of_connection(scope)

    def _trusts(self, client: tuple[str, int] | None) -> bool:
        if self.settings.socket is not None:  # then nobody comes another way
            return self.trusts_socket
        return client is not None and _is_within(client[0], self.networks)


@lru_cache(maxsize=1024)
def _is_within(host: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address.version == network.version and address in network for network in networks)


def read_fields(passed: Sequence[bytes], chain: Sequence[bytes]) -> Certificate:
    """Return the certificate of `Client-Cert` with that of `Client-Cert-Chain` (RFC 9440 §2.2, §2.3). Raises `ClientCertificateNotTaken`."""
    if len(passed) != 1:  # §2.2: a single value; §2.3: no chain without it
        raise ClientCertificateNotTaken("malformed")
    return _read(passed[0], b",".join(chain))


@lru_cache(maxsize=1024)
def _read(passed: bytes, chain: bytes) -> Certificate:
    try:
        others = tuple(_bytes_of(each.strip(b" \t")) for each in chain.split(b",")) if chain else ()
        return certificate.read(_bytes_of(passed.strip(b" \t")), others)
    except (ValueError, UnreadableCertificateError):
        raise ClientCertificateNotTaken("malformed") from None


def _bytes_of(item: bytes) -> bytes:
    match = _BYTE_SEQUENCE.fullmatch(item)
    if match is None:
        raise ValueError
    return b64decode(match[1], validate=True)


def _of_connection(scope: Scope) -> Certificate | None:
    """Return the certificate of the handshake, from ASGI's TLS extension."""
    tls: dict[str, Any] = scope.get("extensions", {}).get("tls") or {}
    if not (chain := tls.get("client_cert_chain")):
        return None
    try:
        return certificate.read_pem(tuple(chain))
    except UnreadableCertificateError:
        raise ClientCertificateNotTaken("malformed") from None


def _answer(refused: ClientCertificateNotTaken, scope: Scope) -> Response:
    if scope["path"].startswith("/oauth2/"):
        error = InvalidRequestError(description=f"{refused.title} ({refused.reason}).")
        return render(*error())
    return refused.response(Request(scope))

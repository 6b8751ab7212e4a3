"""`doctor --as`: the way of a client from its own files to the feed of events, step by step, each looked at from the client's side.

Nothing of the exchange's machine is needed, neither its database nor its settings; nothing is changed there but that one
assertion and a few proofs are used up, and one request is refused: the one that is sent twice to see that it is.
"""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from app.cli import client_checks as checks
from app.cli.checks import Finding
from app.client import CertificateFiles, Credentials, ExchangeClient, TokenRefusedError
from app.foundation.clock import Clock
from auth.binding import certificate as binding
from auth.binding.certificate import Certificate, UnreadableCertificateError
from auth.client_auth import mtls
from auth.client_auth.private_key_jwt import PrivateKeyJwt

_PATIENCE: Final = 10
"""Seconds to wait for a connection or an answer."""
_ME, _EVENTS, _DOCUMENT, _JWKS = "/v1/me", "/v1/events?after=0&limit=1", "/openapi.json", "/oauth2/jwks"


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """Whose set-up is looked at, and what was said about it on the command line."""

    path: Path
    """Where the credentials file is looked for."""
    client_id: str
    """The client's id where there is no such file, since a certificate takes its place."""
    issuer: str | None = None
    agency: str | None = None
    scopes: tuple[str, ...] = ()
    certificate: CertificateFiles | None = None
    authority: Path | None = None
    """Who vouches for the exchange; None: those httpx trusts."""
    address: str | None = None
    """Where client certificates are asked for (RFC 8705 §5), if that is not at the issuer."""
    default_issuer: str = ""
    """The issuer for a client without a credentials file."""


async def examine(asked: Asked, clock: Clock) -> AsyncIterator[Finding]:
    """Yield every finding, in the order of the way; it ends where it cannot go on."""
    credentials: Credentials | None = None
    for finding, found in _own_side(asked, clock.now()):
        yield finding
        credentials = found or credentials
    if credentials is None:
        return
    issuer = checks.of_issuer(credentials.issuer)
    yield issuer
    if issuer.state == "fail":
        return
    try:
        trusted = _trusted(asked)
    except OSError as error:
        why = getattr(error, "reason", None) or error.strerror or type(error).__name__
        yield Finding(
            "authority", "fail", f"{asked.authority} cannot be used: {why}", "It should hold PEM certificates."
        )
        return
    for address in dict.fromkeys([credentials.issuer, credentials.address or credentials.issuer]):
        async for finding in _connection(address, trusted, clock):
            yield finding
            if finding.state == "fail":
                return
    async with httpx.AsyncClient(timeout=_PATIENCE, verify=trusted, follow_redirects=False) as http:
        async for finding in _exchange(http, credentials, asked.scopes, clock):
            yield finding


def _own_side(asked: Asked, now: datetime) -> list[tuple[Finding, Credentials | None]]:
    """Look at the client's files; the last finding comes with what the client has, if it can go on."""
    stored: dict[str, Any] | None = None
    found: list[tuple[Finding, Credentials | None]] = []
    try:
        text, mode = asked.path.read_text(encoding="utf-8"), asked.path.stat().st_mode
    except FileNotFoundError:
        if asked.certificate is None:
            do = "Name the file, or set RUJUKAN_DATA_DIR; a client with a certificate needs --certificate instead."
            return [(Finding("credentials", "fail", f"there is no file {asked.path}", do), None)]
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "no text"
        do = "Run as the user it belongs to."
        return [(Finding("credentials", "fail", f"{asked.path} cannot be read: {why}", do), None)]
    else:
        findings, stored = checks.of_credentials(text, mode, str(asked.path))
        found += [(finding, None) for finding in findings]
        if stored is None:
            return found
    key: dict[str, Any] | None = None
    if stored is not None:
        finding, usable = checks.of_key(stored["private_jwk"])
        found.append((finding, None))
        if usable is None:
            return found
        key = stored["private_jwk"]
    stored = stored or {"client_id": asked.client_id, "issuer": asked.default_issuer}
    credentials = Credentials(
        stored["client_id"],
        asked.issuer or stored["issuer"],
        key,
        asked.agency or stored.get("agency"),
        asked.certificate,
        asked.address if asked.certificate else None,
    )
    if asked.certificate is None:
        return [*found[:-1], (found[-1][0], credentials)]
    finding = _of_certificate(asked.certificate, now)
    return [*found, (finding, credentials if finding.state != "fail" else None)]


def _of_certificate(files: CertificateFiles, now: datetime) -> Finding:
    try:
        files.context()
        found = _first_of(files.certificate)
    except (OSError, ValueError, UnreadableCertificateError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or "not one in PEM"
        do = "Do --certificate and --certificate-key belong together?"
        return Finding("certificate", "fail", f"it cannot be used: {why}", do)
    if fault := found.misfit or found.fault(now):
        do = "It must be for client authentication, valid now, with a key of a kind docs/oauth.md lists."
        return Finding("certificate", "fail", f"the exchange would not take it: {mtls.FAULTS.get(fault, fault)}", do)
    ends = found.leaf.not_valid_after_utc
    state: Any = "warn" if ends <= now + checks.ENDS_SOON else "ok"
    return Finding("certificate", state, f"ends on {ends:%Y-%m-%d}", "Renew it in time.")


def _first_of(path: Path) -> Certificate:
    return binding.read(x509.load_pem_x509_certificates(path.read_bytes())[0].public_bytes(Encoding.DER))


async def _connection(address: str, trusted: ssl.SSLContext, clock: Clock) -> AsyncIterator[Finding]:
    """Look at name, port and handshake; through a proxy of the environment's only the way itself can tell."""
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if parts.scheme in getproxies() and not proxy_bypass(host):
        yield Finding("network", "ok", f"{host} is called through the environment's proxy")
        return
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_PATIENCE):
            addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # a time-out is an OSError
        do = "Is it spelt right? Does this machine's DNS know it (`getent hosts NAME`)?"
        yield Finding("name", "fail", f"nobody knows a machine called {host}", do)
        return
    yield Finding("name", "ok", f"{host} is {', '.join(dict.fromkeys(str(each[4][0]) for each in addresses))}")
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        yield checks.of_unreachable(host, port, error)
        return
    writer.close()
    yield Finding("network", "ok", f"port {port} answers")
    if parts.scheme == "https":
        yield await _handshake(host, port, trusted, clock)


async def _handshake(host: str, port: int, trusted: ssl.SSLContext, clock: Clock) -> Finding:
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(host, port, ssl=trusted)
    except OSError as error:
        return checks.of_tls_refusal(error, host)
    handshake = writer.get_extra_info("ssl_object")
    finding = checks.of_tls(handshake.version(), handshake.getpeercert(), clock.now())
    writer.transport.abort()
    return finding


def _trusted(asked: Asked) -> ssl.SSLContext:
    """Return what connections are made by. Raises `OSError` if a file cannot be used."""
    if asked.certificate is not None:
        return asked.certificate.context()
    return httpx.create_ssl_context() if asked.authority is None else ssl.create_default_context(cafile=asked.authority)


async def _exchange(
    http: httpx.AsyncClient, credentials: Credentials, scopes: tuple[str, ...], clock: Clock
) -> AsyncIterator[Finding]:
    """Go from discovery to the feed."""
    issuer, bound = credentials.issuer, credentials.certificate is not None
    try:
        sent = clock.now()
        reply = await http.get(issuer + checks.METADATA)
        by_date = checks.skew_by_date(reply.headers.get("Date"), sent, clock.now())
        ways = (mtls.TLS_CLIENT_AUTH, mtls.SELF_SIGNED) if credentials.private_jwk is None else (_SIGNING,)
        algorithm = None if credentials.private_jwk is None else credentials.signing_key().algorithm
        if by_date is not None and reply.status_code == 200:
            yield checks.of_clock(by_date, by="by the exchange's Date header")
        for finding in checks.of_metadata(reply, issuer=issuer, method=ways, algorithm=algorithm, scopes=scopes):
            yield finding
            if finding.state == "fail":
                return
        yield checks.of_jwks(await http.get(issuer + _JWKS))
        if algorithm is not None:
            yield checks.of_audience(issuer)
        client = ExchangeClient(credentials, scope=" ".join(scopes) or None, clock=clock, http=http)
        got: list[httpx.Response] = []
        http.event_hooks = {"response": [partial(_keep, got)]}
        async for finding in _token_and_calls(http, client, scopes, clock, got, bound=bound):
            yield finding
    except httpx.TimeoutException:
        yield Finding("network", "fail", f"no answer within {_PATIENCE} s", "Try again; then ask the operators.")
    except (httpx.HTTPError, ssl.SSLError) as error:
        do = "The exchange, or something in between, broke off. Try again; then ask the operators."
        yield Finding("network", "fail", f"the exchange could not be spoken to ({type(error).__name__})", do)


async def _keep(got: list[httpx.Response], reply: httpx.Response) -> None:
    await reply.aread()
    got.append(reply)


async def _token_and_calls(
    http: httpx.AsyncClient,
    client: ExchangeClient,
    scopes: tuple[str, ...],
    clock: Clock,
    got: list[httpx.Response],
    *,
    bound: bool,
) -> AsyncIterator[Finding]:
    """`got`: every answer so far, the newest at the end."""
    credentials = client.credentials
    kid = None if credentials.private_jwk is None else credentials.signing_key().public.kid
    try:
        token, _ = await client.token()
    except TokenRefusedError:
        yield checks.of_refused_token(
            got[-1], client_id=credentials.client_id, kid=kid, agency=credentials.agency, scopes=scopes
        )
        return
    except (ValueError, KeyError, TypeError, AttributeError):
        yield Finding("token", "fail", "the answer holds no token", "Something in between may have answered.")
        return
    answer = got[-1].json()
    nonces = ", with a nonce" if "DPoP-Nonce" in got[-1].headers else ""
    yield Finding("token", "ok", f"given for {answer.get('expires_in')} s{nonces}")
    granted = str(answer.get("scope", "")).split()
    document = await http.get(credentials.issuer + _DOCUMENT)
    yield checks.of_scopes(scopes, granted, checks.operations_of(_json(document)))
    x5t = None
    if credentials.certificate is not None:
        x5t = _first_of(credentials.certificate.certificate).thumbprint
    finding = checks.of_binding(token, token_type=str(answer.get("token_type")), jkt=client.proof_thumbprint, x5t=x5t)
    yield finding
    if finding.state == "fail":
        return
    sent = clock.now()
    reply = await client.get(_ME)
    spent = clock.now()
    finding = checks.of_call(reply, bound_to_certificate=bound)
    yield finding
    me = _json(reply)
    if finding.state == "fail" or not isinstance(me, dict):
        return
    if (theirs := _moment(me.get("server_time"))) is not None:
        yield checks.of_clock(checks.skew(theirs, sent, spent), by="by server_time")
    if not bound:
        headers = await client.authorization("GET", _ME)
        for _ in range(2):
            reply = await http.get(credentials.issuer + _ME, headers=headers)
        yield checks.of_replay(reply)
    for finding in checks.of_me(me, client_id=credentials.client_id, now=theirs or clock.now()):
        yield finding
    yield checks.of_feed(await client.get(_EVENTS) if "events.read" in granted else None)


def _json(reply: httpx.Response) -> Any:
    try:
        return reply.json()
    except ValueError:
        return None


def _moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None


_SIGNING: Final = PrivateKeyJwt.CLIENT_AUTH_METHOD

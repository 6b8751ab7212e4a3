"""What `doctor --as` makes of what a client has and of what the exchange answered. Pure: nothing here reads a file or calls anybody."""

from __future__ import annotations

import json
import ssl
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from app.cli.checks import Finding
from auth import jose
from auth.binding import dpop
from auth.example_keys import EXAMPLE_KEYS
from auth.jose import JoseRefusedError, SigningKey

CLOCK_WARNS: Final = timedelta(seconds=5)
CLOCK_FAILS: Final = timedelta(seconds=10)
ENDS_SOON: Final = timedelta(days=30)
METADATA: Final = "/.well-known/oauth-authorization-server"
_OPERATORS: Final = "Ask the operators of the exchange: they see which it is (`rujukan clients show`)."
_CERTIFICATE_FAULTS: Final = {
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed, and vouched for by nobody this machine trusts",
    19: "is signed by an authority this machine does not trust",
    20: "is signed by an authority this machine does not trust, or came without its intermediate certificates",
    21: "came without its intermediate certificates, or is signed by an authority this machine does not trust",
    62: "is for another name",
    64: "is for another address",
}
"""By OpenSSL's X509_V_ERR_*."""
_SAID_BY_THE_ASSERTION: Final = (
    ("aud must be", "The assertion's `aud` must be the issuer, as one string: give the right one with --issuer."),
    (
        "exp is required",
        "Set this machine's clock by NTP: it is too far ahead, or so late that what it signs has ended.",
    ),
    ("not valid yet", "Set this machine's clock by NTP: it is ahead."),
    ("issued more than", "Set this machine's clock by NTP: it is late."),
    ("used before", "Something between here and the exchange sends requests twice."),
    ("must authenticate by", "The client is registered for another way of authenticating: ask the operators which."),
)
_SAID_BY_THE_PROOF: Final = (
    ("iat must", "Set this machine's clock by NTP."),
    ("htu is not", "The address that is called is not the one the exchange is known by: use its issuer, see above."),
    ("htm is not", "Something between here and the exchange changes the method of requests."),
    ("required", "Something between here and the exchange takes the DPoP header away."),
    ("exactly one", "Something between here and the exchange doubles the DPoP header."),
    ("used before", "Something between here and the exchange sends requests twice."),
)


def of_credentials(text: str, mode: int, where: str) -> tuple[list[Finding], dict[str, Any] | None]:
    """Say whether a credentials file is one, and return what it holds if it can be worked with. `mode`: of the file."""
    check = "credentials"
    again = "`rujukan clients add … --generate` makes such a file; or restore it from where you keep it."
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError):
        return [Finding(check, "fail", f"{where} is not JSON", again)], None
    wanted = {"client_id": str, "issuer": str, "private_jwk": dict}
    if not isinstance(stored, dict):
        return [Finding(check, "fail", f"{where} is not a JSON object", again)], None
    if wrong := [name for name, kind in wanted.items() if not isinstance(stored.get(name), kind) or not stored[name]]:
        return [Finding(check, "fail", f"{where} lacks {', '.join(wrong)}", again)], None
    if stored.get("agency") is not None and not isinstance(stored["agency"], str):
        return [Finding(check, "fail", f"the agency in {where} is not a text", again)], None
    if stat.S_IMODE(mode) & 0o077:
        says = f"{where} can be read by others (mode {stat.S_IMODE(mode):04o})"
        return [Finding(check, "fail", says, f"chmod 600 {where} -- and change the key if others were there.")], stored
    return [Finding(check, "ok", f"{where} can be read, by its owner alone")], stored


def of_key(jwk: Mapping[str, Any]) -> tuple[Finding, SigningKey | None]:
    """Say whether a private key is one the exchange takes, and which."""
    try:
        key = jose.import_private(jwk)
    except JoseRefusedError as refused:
        do = "Keys are P-256 (ES256), Ed25519 (EdDSA) or RSA of 2048 to 4096 bits (PS256), with the private members."
        return Finding("key", "fail", f"the key cannot be used: {refused}", do), None
    if key.public.thumbprint in EXAMPLE_KEYS:
        do = "Make one of your own: `rujukan clients add … --generate`, or `rujukan clients rotate`."
        return Finding("key", "fail", "the key is a published example, which everybody has", do), None
    kid = str(key.public.kid)
    named = "its thumbprint" if kid == key.public.thumbprint else f"thumbprint {key.public.thumbprint}"
    return Finding("key", "ok", f"{key.algorithm}, kid {kid} ({named})"), key


def of_issuer(issuer: str) -> Finding:
    """Say whether an issuer is one (RFC 8414 §2): an https origin; plain http on this machine only."""
    try:
        parts = urlsplit(issuer)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        return Finding("issuer", "fail", "the issuer is no https address", "Such as https://rujukan.example.go.id")
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        do = f"Write {parts.scheme}://{host}{f':{port}' if port else ''}, exactly as the exchange's metadata does."
        return Finding("issuer", "fail", "the issuer has more than a scheme and a host", do)
    if parts.scheme == "http" and not _is_here(host):
        return Finding("issuer", "fail", f"{issuer} is not https: tokens would be read on the way", "Use https.")
    return Finding("issuer", "ok", issuer)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def of_unreachable(host: str, port: int, error: BaseException) -> Finding:
    """Say why no connection came about."""
    where = f"{host}:{port}"
    if isinstance(error, TimeoutError):
        do = "A firewall is the usual cause: is outgoing traffic to it allowed from here?"
        return Finding("network", "fail", f"{where} does not answer", do)
    if isinstance(error, ConnectionRefusedError):
        do = "Is the port right, and the exchange running? A firewall may refuse too."
        return Finding("network", "fail", f"{where} refuses connections", do)
    return Finding("network", "fail", f"{where} cannot be reached ({type(error).__name__})", "Is this machine online?")


def of_tls_refusal(error: OSError, host: str) -> Finding:
    """Say why the handshake failed. `ssl.SSLError` is an `OSError`."""
    if isinstance(error, ssl.SSLCertVerificationError):
        fault = _CERTIFICATE_FAULTS.get(error.verify_code, error.verify_message)
        do = f"Is {host} right, and nobody in between? Where the exchange has an authority of its own, give --authority FILE."
        if error.verify_code in (9, 10):
            do = "Look at this machine's date first; else the operators must renew it."
        return Finding("TLS", "fail", f"the certificate of {host} {fault}", do)
    if isinstance(error, ssl.SSLError):
        do = "Is there TLS 1.2 or later on that port? A client certificate may be demanded: give --certificate."
        return Finding("TLS", "fail", f"no TLS comes about ({error.reason or type(error).__name__})", do)
    return Finding("TLS", "fail", f"the handshake was broken off ({type(error).__name__})", "Is that port https?")


def of_tls(protocol: str | None, certificate: Mapping[str, Any], now: datetime) -> Finding:
    """Say what a handshake came to. `certificate`: as `SSLSocket.getpeercert` gives it."""
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    says = f"{protocol}, certificate until {ends:%Y-%m-%d}"
    if ends <= now + ENDS_SOON:
        return Finding("TLS", "warn", says, "Tell the operators of the exchange: it ends soon.")
    return Finding("TLS", "ok", says)


def of_clock(differs: timedelta, *, by: str) -> Finding:
    """Say by how much this machine's clock is ahead (positive) or late, and what will be refused for it."""
    seconds = differs.total_seconds()
    way = "ahead" if seconds > 0 else "late"
    says = f"this machine's clock is {abs(seconds):.1f} s {way} ({by})"
    if abs(differs) <= CLOCK_WARNS:
        return Finding("clock", "ok", says)
    do = "Set it by NTP (chrony, systemd-timesyncd, w32time)."
    if abs(differs) <= CLOCK_FAILS:
        return Finding("clock", "warn", says, do)
    back = int(dpop.BACK.total_seconds())
    if seconds > 0:
        says += ": assertions and proofs are refused, as made in the future"
    elif -seconds > back:
        says += f": every proof is refused, as older than {back} s, and assertions have ended when they arrive"
    else:
        says += f": proofs are refused once it is {back} s late"
    return Finding("clock", "fail", says, do)


def skew_by_date(header: str | None, sent: datetime, got: datetime) -> timedelta | None:
    """Return how far this clock is ahead of the `Date` header (RFC 9110 §6.6.1, whole seconds) of an answer; None if it has none."""
    try:
        date = parsedate_to_datetime(header or "")
    except ValueError:
        return None
    if date.tzinfo is None:
        return None
    return skew(date + timedelta(seconds=0.5), sent, got)


def skew(theirs: datetime, sent: datetime, got: datetime) -> timedelta:
    """Return how far this clock, which said `sent` and `got` around it, is ahead of theirs."""
    return sent + (got - sent) / 2 - theirs


def of_redirect(reply: httpx.Response, issuer: str) -> Finding:
    """Say what to do about an answer that leads elsewhere; no client of OAuth follows it."""
    to = urlsplit(reply.headers.get("Location", ""))
    if issuer.startswith("http://") and to.scheme == "https":
        do = f"Write the issuer with https: https://{to.netloc}"
        return Finding(
            "discovery", "fail", f"{issuer} leads to https, and proofs are signed for the address called", do
        )
    where = f"{to.scheme}://{to.netloc}" if to.scheme in ("http", "https") else "elsewhere"
    do = "Use the exchange's own address. A page to log in at, of a hotel's or a firewall's, does this too."
    return Finding("discovery", "fail", f"{issuer} leads to {where}", do)


def of_metadata(
    reply: httpx.Response, *, issuer: str, method: Collection[str], algorithm: str | None, scopes: Collection[str]
) -> Iterator[Finding]:
    """Say whether the metadata (RFC 8414 §3.3) is that of this issuer, and this client can use what it lists.

    `method`: the ways to authenticate one of which the client has; `algorithm`: of its key, None without one; `scopes`: asked for.
    """
    if reply.is_redirect:
        yield of_redirect(reply, issuer)
        return
    try:
        found = reply.json() if reply.status_code == 200 else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("issuer"), str):
        says = f"{issuer} is no exchange: HTTP {reply.status_code}, and no metadata at {METADATA}"
        if reply.status_code in (429, 500, 502, 503, 504):
            says, do = f"the exchange does not answer now: HTTP {reply.status_code}", "Try again in a minute."
        else:
            do = "Is the issuer right? A proxy or a firewall in between may answer in its place."
        yield Finding("discovery", "fail", says, do)
        return
    if found["issuer"] != issuer:
        yield Finding("discovery", "fail", *_other_issuer(issuer, found["issuer"]))
        return
    lacks = list(_lacking(found, method, algorithm, scopes))
    for says, do in lacks:
        yield Finding("discovery", "fail", says, do)
    if not lacks:
        yield Finding("discovery", "ok", "the exchange names itself as configured, and lists what this client uses")


def _other_issuer(ours: str, theirs: str) -> tuple[str, str]:
    one, other = urlsplit(ours), urlsplit(theirs)
    how = "under another name"
    if ours.rstrip("/") == theirs.rstrip("/"):
        how = "without the slash at the end" if ours.endswith("/") else "with a slash at the end"
    elif ours.lower() == theirs.lower():
        how = "in other letters"
    elif one.netloc == other.netloc:
        how = f"by {other.scheme}"
    elif one.hostname == other.hostname:
        how = "on another port"
    do = f"Take over {theirs}, letter by letter, if that is the exchange you mean. It is `aud` of assertions, and begins every `htu`."
    return f"the exchange knows itself {how}", do


def _lacking(
    found: Mapping[str, Any], method: Collection[str], algorithm: str | None, scopes: Collection[str]
) -> Iterator[tuple[str, str]]:
    def listed(name: str) -> list[Any]:
        value = found.get(name)
        return value if isinstance(value, list) else []

    for name in ("token_endpoint", "jwks_uri"):
        if not str(found.get(name, "")).startswith(found["issuer"] + "/"):
            yield f"its {name} is not below its issuer", "Is that the exchange?"
    if "client_credentials" not in listed("grant_types_supported"):
        yield "it does not list client_credentials", "Is that the exchange?"
    if not set(method) & set(listed("token_endpoint_auth_methods_supported")):
        do = "It has no mutual TLS: sign assertions by a key." if algorithm is None else "Is that the exchange?"
        yield f"it does not list {' or '.join(method)}", do
    if algorithm is not None and algorithm not in listed("token_endpoint_auth_signing_alg_values_supported"):
        yield f"it does not take {algorithm}, the algorithm of the client's key", "Register a key of a listed one."
    if algorithm is not None and "ES256" not in listed("dpop_signing_alg_values_supported"):
        yield "it takes no DPoP proofs by ES256", "Is that the exchange?"
    if unknown := sorted(set(scopes) - set(listed("scopes_supported"))):
        yield f"it knows no scope {', '.join(unknown)}", f"It knows {', '.join(map(str, listed('scopes_supported')))}."


def of_jwks(reply: httpx.Response) -> Finding:
    """Say whether the keys that access tokens are signed by are published."""
    try:
        keys = reply.json()["keys"] if reply.status_code == 200 else []
        kids = [key["kid"] for key in keys]
    except (ValueError, KeyError, TypeError):
        kids = []
    if kids:
        return Finding("signing keys", "ok", f"{len(kids)} published")
    return Finding("signing keys", "fail", f"no keys are published (HTTP {reply.status_code})", "Tell the operators.")


def of_audience(issuer: str) -> Finding:
    """Say whom assertions are for. Nothing is sent wrongly to show it: failures are counted against the client."""
    says = f"assertions are for {issuer}, as one string; for the token endpoint's address, or in an array, they would be invalid_client"
    return Finding("audience", "ok", says)


def of_refused_token(
    reply: httpx.Response, *, client_id: str, kid: str | None, agency: str | None, scopes: Collection[str]
) -> Finding:
    """Say why there is no token, and what to do, from the answer of the token endpoint (RFC 6749 §5.2).

    `kid`: of the key that signed, None where a certificate was presented.
    """
    error, description = _oauth_error(reply)
    if reply.status_code in (429, 503) or error in ("temporarily_unavailable", "slow_down"):
        after = reply.headers.get("Retry-After", "")
        wait = f" in {after} seconds" if after.isdecimal() else " in a minute"
        why = "too many requests came from here" if reply.status_code == 429 else "the exchange cannot answer now"
        return Finding("token", "fail", why, f"Try again{wait}.")
    says = f"refused: {error or f'HTTP {reply.status_code} without an error of OAuth'}{f': {description}' if description else ''}"
    return Finding("token", "fail", says, _remedy(error, description, client_id, kid, agency, scopes))


def _remedy(
    error: str | None, description: str, client_id: str, kid: str | None, agency: str | None, scopes: Collection[str]
) -> str:
    if error == "invalid_client":
        for said, do in _SAID_BY_THE_ASSERTION:
            if said in description:
                return do
        what = "certificate" if kid is None else f"key {kid}"
        return (
            "The exchange does not say which of these it is, in the order of how often it is so: "
            f"(1) this {what} is not registered for {client_id}, or another in its place; "
            f"(2) {client_id} is not how the client is written there; "
            f"(3) the {what} does not count yet (one a client adds itself works after an hour), or has ended; "
            "(4) the client is not approved yet, or suspended; "
            f"(5) this machine's address is not in the client's list of networks. {_OPERATORS}"
        )
    if error == "invalid_target":
        if agency is None:
            return f"The agency of this client is suspended or closed. {_OPERATORS}"
        return f"The client does not act for {agency}, or it is misspelt, suspended or closed. {_OPERATORS}"
    if error == "invalid_scope":
        asked = f" ({' '.join(sorted(scopes))})" if scopes else ""
        return f"Ask for fewer scopes{asked}: each must be registered for this client. Without --scope you get all that are."
    if error == "use_dpop_nonce":
        return "The nonce of the exchange does not come back to it: something in between takes DPoP-Nonce headers away, or keeps answers."
    if error == "invalid_dpop_proof":
        return next((do for said, do in _SAID_BY_THE_PROOF if said in description), "See docs/oauth.md.")
    if error == "invalid_request":
        if "agency" in description:
            return "The client acts for several agencies: name one with --agency."
        if "ertificate" in description:
            return "Its tokens are bound to a certificate: give --certificate and --certificate-key, at the address for them."
        return "Something in between may have changed the request."
    if error == "unauthorized_client":
        return _OPERATORS
    return "A proxy or a firewall in between may have answered in its place. See docs/oauth.md."


def _oauth_error(reply: httpx.Response) -> tuple[str | None, str]:
    try:
        answer = reply.json()
        error, description = answer["error"], answer.get("error_description", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, ""
    return (str(error), str(description)) if isinstance(error, str) else (None, "")


def of_scopes(asked: Collection[str], granted: Collection[str], operations: Iterable[frozenset[str]]) -> Finding:
    """Compare the scopes asked for (none: all registered ones), those granted, and those the API's operations need.

    `operations`: the scopes each needs.
    """
    needs = list(operations)
    can = sum(needed <= set(granted) for needed in needs)
    missing = sorted({scope for needed in needs for scope in needed} - set(granted))
    says = f"{' '.join(sorted(granted))}: {can} of {len(needs)} operations" if needs else " ".join(sorted(granted))
    if asked and set(asked) != set(granted):
        return Finding("scopes", "fail", f"{says}; other ones were asked for", "Compare what you ask for with these.")
    if missing:
        says += f"; the others need {', '.join(missing)}"
    return Finding("scopes", "ok", says)


def operations_of(document: Any) -> list[frozenset[str]]:
    """Return the scopes each operation of an OpenAPI document needs; nothing if it is none."""
    try:
        return [
            frozenset(scope for names in operation["security"][0].values() for scope in names)
            for path in document["paths"].values()
            for operation in path.values()
            if operation.get("security")
        ]
    except (KeyError, TypeError, AttributeError):
        return []


def of_binding(token: str, *, token_type: str, jkt: str | None, x5t: str | None) -> Finding:
    """Say whether a token is bound to the key of our proofs (RFC 9449 §6.1) or to our certificate (RFC 8705 §3.1).

    Clients take tokens as opaque; this looks into one because somebody asks what is wrong. `x5t`: the certificate's hash, None without one.
    """
    wanted = ("DPoP", {"jkt": jkt}) if x5t is None else ("Bearer", {"x5t#S256": x5t})
    try:
        bound = jose.parse(token, {"at+jwt"}).claims.get("cnf")
    except JoseRefusedError:
        return Finding("binding", "fail", "the token is none of an exchange", "Something in between has answered.")
    if (token_type, bound) == wanted:
        to = "the key of this client's proofs" if x5t is None else "this client's certificate"
        return Finding("binding", "ok", f"the token counts only with {to}")
    if x5t is None and isinstance(bound, dict) and "x5t#S256" in bound:
        do = "Give --certificate and --certificate-key."
        return Finding("binding", "fail", "the client's tokens are bound to a certificate", do)
    do = "Something in between may send requests of its own, or an old token was kept. Tell the operators."
    return Finding("binding", "fail", "the token is bound to something else than what this client has", do)


def of_call(reply: httpx.Response, *, bound_to_certificate: bool) -> Finding:
    """Say how a protected call went."""
    if reply.status_code == 200:
        return Finding("call", "ok", "GET /v1/me was answered")
    kind, reason = _problem(reply)
    says = f"GET /v1/me: HTTP {reply.status_code}{f' {kind}' if kind else ''}{f' ({reason})' if reason else ''}"
    do = {
        "/problems/unauthenticated": "Something in between takes the Authorization header away.",
        "/problems/dpop-proof-replayed": "Something in between sends requests twice.",
        "/problems/use-dpop-nonce": "Something in between takes DPoP-Nonce headers away, or keeps answers.",
        "/problems/client-certificate-not-taken": "Something in between sends Client-Cert, and is no proxy of the exchange's.",
        "/problems/invalid-dpop-proof": {
            "iat": "Set this machine's clock by NTP.",
            "htu": "Something in between changes the path, or the issuer is not the exchange's own address.",
            "missing": "Something in between takes the DPoP header away.",
            "several": "Something in between doubles the DPoP header.",
        }.get(reason, "See docs/oauth.md."),
        "/problems/invalid-token": {
            "client": f"The client was suspended a moment ago. {_OPERATORS}",
            "client_key": f"The client's key was ended a moment ago. {_OPERATORS}",
            "agency": f"The agency was suspended a moment ago. {_OPERATORS}",
            "certificate": "Token request and call must present the same certificate: something in between ends TLS.",
            "not_yet": "The exchange's own clocks differ: tell the operators.",
        }.get(reason, _OPERATORS),
    }.get(kind, "Try again in a minute." if reply.status_code >= 500 else "Something in between may have answered.")
    if bound_to_certificate and kind == "/problems/unauthenticated":
        do = "Something in between ends TLS, or takes the Authorization header away."
    return Finding("call", "fail", says, do)


def of_replay(reply: httpx.Response) -> Finding:
    """Say whether a proof that was used is refused."""
    kind, _ = _problem(reply)
    if reply.status_code == 401 and kind == "/problems/dpop-proof-replayed":
        return Finding("replay", "ok", "the same request sent again was refused: who copies one cannot use it")
    if reply.status_code == 200:
        do = "Something in between keeps answers that must not be kept; or the exchange has no memory. Tell the operators."
        return Finding("replay", "fail", "the same request sent again was answered", do)
    return Finding("replay", "warn", f"the same request sent again got HTTP {reply.status_code}", "Run this once more.")


def _problem(reply: httpx.Response) -> tuple[str, str]:
    try:
        found = reply.json()
        return str(found.get("type", "")), str(found.get("reason", ""))
    except (ValueError, AttributeError):
        return "", ""


def of_me(me: Mapping[str, Any], *, client_id: str, now: datetime) -> Iterator[Finding]:
    """Say what the exchange takes the caller for: whose client, for which agency, with a key until when. `me`: from `/v1/me`."""
    try:
        who, agency = str(me["client_id"]), me["agency"]
        code, name, status = str(agency["code"]), str(agency["name"]), str(agency["status"])
        ends = None if me.get("key_ends_at") is None else datetime.fromisoformat(me["key_ends_at"])
        left = None if ends is None else ends - now
    except (KeyError, TypeError, ValueError):
        yield Finding("identity", "fail", "the answer of /v1/me is not as documented", "Is this program too old?")
        return
    if who != client_id:
        yield Finding("identity", "fail", f"the exchange takes this client for {who}", "Tell the operators at once.")
    else:
        yield Finding("identity", "ok", f"{who}, for {name} ({code})")
    if status == "active":
        yield Finding("agency", "ok", f"{code} is active")
    else:
        yield Finding("agency", "fail", f"{code} is {status}", _OPERATORS)
    if ends is None or left is None:
        yield Finding("key's end", "ok", "none is set")
    elif left <= timedelta(0):
        yield Finding("key's end", "fail", f"it ended on {ends:%Y-%m-%d}", "Register another key.")
    else:
        do = "Register another key now, beside this one: `rujukan clients rotate`, or by the API with keys.write."
        state: Any = "warn" if left <= ENDS_SOON else "ok"
        yield Finding("key's end", state, f"the last key ends on {ends:%Y-%m-%d}, in {left.days} days", do)


def of_feed(reply: httpx.Response | None) -> Finding:
    """Say whether events can be read; None: without the scope it was not tried."""
    if reply is None:
        do = "Ask the operators for events.read: without it this system learns of referrals only by looking."
        return Finding("events", "warn", "not tried: the token has no events.read", do)
    if reply.status_code == 200:
        return Finding("events", "ok", "the feed can be read")
    kind, _ = _problem(reply)
    if reply.status_code == 410:  # nothing is wrong with who begins late
        do = "A system that begins now reads the lists first: docs/events.md."
        return Finding("events", "ok", "the feed can be read; its oldest events are not kept any more", do)
    return Finding("events", "fail", f"GET /v1/events: HTTP {reply.status_code} {kind}".rstrip(), _OPERATORS)

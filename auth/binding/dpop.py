"""DPoP proofs (RFC 9449 §4.3): a pure check of one header against method, public URL, time, token and key.

That a proof is used once is the database's to say (`use_proof`); here it gets the hash it is remembered by.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from auth import jose
from auth.binding.nonces import Nonces
from auth.jose import JoseRefusedError, VerificationKey

BACK: Final = timedelta(seconds=60)
AHEAD: Final = timedelta(seconds=10)
LEEWAY: Final = timedelta(seconds=10)
"""By how much the clocks of two processes may differ: a proof is remembered that much longer than it is taken."""
LONGEST_MEMORY: Final = AHEAD + BACK + LEEWAY
_TYPES = frozenset({"dpop+jwt"})
_MAX_JTI = 256


class InvalidProofError(Exception):
    """The proof does not hold; `reason` is a stable code that names the rule."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds, unless it was used before."""

    thumbprint: str
    hash: bytes = field(repr=False)
    until: datetime


def header_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the one `DPoP` header (RFC 9449 §4.3 check 1). Raises `InvalidProofError` for none or several."""
    found = [value for name, value in headers if name == b"dpop"]
    if not found:
        raise InvalidProofError("missing")
    if len(found) > 1:
        raise InvalidProofError("several")
    return found[0].decode("latin-1")


def token_hash(access_token: str) -> str:
    """Return what `ath` must be (RFC 9449 §4.2)."""
    return urlsafe_b64encode(hashlib.sha256(access_token.encode("ascii")).digest()).rstrip(b"=").decode()


def check(
    proof: str,
    *,
    method: str,
    url: str,
    now: datetime,
    ath: str | None = None,
    thumbprint: str | None = None,
    nonces: Nonces | None = None,
) -> Proof:
    """Return the proof if it holds for this request. `url`: the public one, normalised; `ath` and `thumbprint`: of the token.

    `nonces`: those one of which it must carry, where they are asked for. Raises `InvalidProofError`.
    """
    try:
        head, payload, signature = jose.split(proof)
        header, key = _read_header(head)
        token = jose.assemble(header, head, payload, signature)
    except JoseRefusedError as refused:
        raise InvalidProofError("malformed") from refused
    if thumbprint is not None and key.thumbprint != thumbprint:
        raise InvalidProofError("wrong_key")
    until = _check_claims(token.claims, method=method, url=url, now=now, ath=ath)
    if not token.is_signed_by(key):
        raise InvalidProofError("signature")
    if nonces is not None and not nonces.accept(token.claims.get("nonce"), now):
        raise InvalidProofError("nonce")
    return Proof(key.thumbprint, _hash_of(key.thumbprint, token.claims["jti"]), until)


@lru_cache(maxsize=1024)
def _read_header(head: str) -> tuple[dict[str, Any], VerificationKey]:
    """Read a proof's header; a client's next proof has the same one, so the key is imported once."""
    header = jose.read_header(head, _TYPES)
    return header, jose.import_public(header.get("jwk"))


def _check_claims(claims: dict[str, Any], *, method: str, url: str, now: datetime, ath: str | None) -> datetime:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= _MAX_JTI:
        raise InvalidProofError("jti")
    if claims.get("htm") != method:
        raise InvalidProofError("htm")
    htu = claims.get("htu")
    if not isinstance(htu, str) or (htu != url and normalise(htu) != url):
        raise InvalidProofError("htu")
    try:
        issued, not_before, expires = (jose.numeric_date(claims, name) for name in ("iat", "nbf", "exp"))
    except JoseRefusedError as refused:
        raise InvalidProofError("time") from refused
    present = now.timestamp()
    if issued is None or not present - BACK.total_seconds() <= issued <= present + AHEAD.total_seconds():
        raise InvalidProofError("iat")
    if not_before is not None and not_before > present + AHEAD.total_seconds():
        raise InvalidProofError("nbf")
    if expires is not None and expires <= present:
        raise InvalidProofError("exp")
    if ath is not None and claims.get("ath") != ath:
        raise InvalidProofError("ath")
    return datetime.fromtimestamp(issued, UTC) + BACK + LEEWAY


def _hash_of(thumbprint: str, jti: str) -> bytes:
    """Keyed by the key as well: nobody can use up another client's jti."""
    return hashlib.sha256(f"{thumbprint}\0{jti}".encode("utf-8", "surrogatepass")).digest()


_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def _unescape(match: re.Match[str]) -> str:
    char = chr(int(match[1], 16))
    return char if char in _UNRESERVED else match[0].upper()


def normalise_path(path: str) -> str:
    """Return a path after RFC 3986 §6.2.2: escapes of unreserved characters undone, others in upper case, no dot segments."""
    if "%" in path:
        path = _ESCAPE.sub(_unescape, path)
    if "/." in path:
        kept: list[str] = []
        segments = path.split("/")[1:]
        for segment in segments:
            if segment == "..":
                if kept:
                    kept.pop()
            elif segment != ".":
                kept.append(segment)
        if segments[-1] in (".", ".."):
            kept.append("")
        path = "/" + "/".join(kept)
    return path or "/"


def normalise(url: str) -> str | None:
    """Return `url` after RFC 3986 §6.2.2 and §6.2.3 without query and fragment (RFC 9449 §4.3 check 9); None if it is none."""
    if not url.isascii() or any(char <= " " for char in url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc:
        return None
    if "%" in host:
        host = _ESCAPE.sub(_unescape, host).lower()
    if ":" in host:
        host = f"[{host}]"
    where = host if port in (None, _DEFAULT_PORTS[scheme]) else f"{host}:{port}"
    return f"{scheme}://{where}{normalise_path(parts.path)}"

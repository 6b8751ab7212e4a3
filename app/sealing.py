"""Sealing and opening sections, on the side of an agency: the exchange never does either. `docs/sealed.md` has every step with fixed keys.

The command line and the tests seal and open by this; so may integrators who write Python.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey
from joserfc.registry import HeaderParameter
from pydantic import ValidationError

from schemas.record.record import SCHEMA_VERSION
from schemas.record.sealed import (
    MAX_CIPHERTEXT,
    MAX_RECIPIENTS,
    SEALED_ALG,
    SEALED_ENC,
    SEALED_TYPE,
    SealedSection,
    SealedSections,
)

PAD_TO: Final = 1024
"""Bytes: JSON takes white space at its end, and what is short does not tell by its length how little there is."""
_ALGORITHMS: Final = [SEALED_ALG, SEALED_ENC]
_REGISTRY: Final = jwe.JWERegistry(
    header_registry={
        name: HeaderParameter(f"of a sealed section: {name}", "str") for name in ("section", "schema_version")
    },
    algorithms=_ALGORITHMS,
    verify_all_recipients=False,
    max_recipients=MAX_RECIPIENTS,
)
_REGISTRY.max_ciphertext_length = MAX_CIPHERTEXT  # the library takes 64 KB unless it is told
_ESCAPES: Final = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


class CannotOpenError(Exception):
    """A section that this key does not open, or that is not what it says; the message names the reason, never content."""


def generate_key(curve: str = "P-256") -> dict[str, Any]:
    """Make a private encryption key of P-256 or X25519; its `kid` is its thumbprint."""
    key: ECKey | OKPKey = ECKey.generate_key("P-256") if curve == "P-256" else OKPKey.generate_key("X25519")
    return {**key.as_dict(private=True), "kid": key.thumbprint(), "use": "enc", "alg": SEALED_ALG}


def public_part(private_jwk: Mapping[str, Any]) -> dict[str, Any]:
    """Return the public half, as it is published."""
    return {name: value for name, value in private_jwk.items() if name != "d"}


def seal_section(name: str, section: Mapping[str, Any], keys: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Encrypt a section to public keys: the receiver's, and the sender's own if it shall read it again."""
    plain = json.dumps(section, ensure_ascii=False, separators=(",", ":")).encode()
    plain += b" " * (-len(plain) % PAD_TO)
    protected = {
        "enc": SEALED_ENC,
        "typ": SEALED_TYPE,
        "cty": "json",
        "section": name,
        "schema_version": SCHEMA_VERSION,
    }
    sealed = jwe.GeneralJSONEncryption(protected, plain)
    for key in keys:
        sealed.add_recipient({"alg": SEALED_ALG, "kid": key["kid"]}, _imported(key))
    made = jwe.encrypt_json(sealed, None, registry=_REGISTRY)
    return {name: made[name] for name in ("protected", "recipients", "iv", "ciphertext", "tag")}


def open_section(name: str, sealed: Mapping[str, Any], private_jwk: Mapping[str, Any]) -> dict[str, Any]:
    """Decrypt a section that stands under this name. Raises `CannotOpenError`."""
    try:
        found = SealedSections.model_validate({name: sealed}).by_name()[name]
    except (ValidationError, KeyError) as error:
        what = error.errors()[0]["type"] if isinstance(error, ValidationError) else "nothing is there"
        raise CannotOpenError(f"{name}: {what}") from None
    try:
        kid = private_jwk.get("kid") or _imported(private_jwk).thumbprint()
    except _ESCAPES:
        raise CannotOpenError(f"{name}: the key is no private encryption key of P-256 or X25519") from None
    place = next((n for n, each in enumerate(found.recipients) if each.header.kid == kid), None)
    if place is None:
        raise CannotOpenError(f"{name}: it is not sealed to the key {kid}")
    only = {**found.model_dump(exclude_none=True), "recipients": [_recipient(found, place)]}
    try:
        opened = jwe.decrypt_json(only, _imported(private_jwk), registry=_REGISTRY)  # type: ignore[arg-type]
        section = json.loads(opened.plaintext or b"")
    except _ESCAPES:
        raise CannotOpenError(f"{name}: it does not decrypt: altered on its way, or sealed to another key") from None
    if not isinstance(section, dict):
        raise CannotOpenError(f"{name}: what is in it is no section")
    return section


def _recipient(sealed: SealedSection, place: int) -> dict[str, Any]:
    return sealed.recipients[place].model_dump(exclude_none=True)


def _imported(jwk: Mapping[str, Any]) -> ECKey | OKPKey:
    plain = {name: jwk[name] for name in ("kty", "crv", "x", "y", "d") if name in jwk}
    return ECKey.import_key(plain) if plain.get("kty") == "EC" else OKPKey.import_key(plain)

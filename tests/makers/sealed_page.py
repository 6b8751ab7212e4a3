"""The example of `docs/sealed.md`, with everything fixed. `python -m tests.makers.sealed_page` writes it into the page; a test replays it.

It is made here step by step from primitives, without the library that seals otherwise. The keys are those of RFC 7518 appendix C, which
everybody has.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

PAGE = Path(__file__).parents[2] / "docs" / "sealed.md"
BEGIN, END = "<!-- example: made by tests/makers/sealed_page.py -->\n", "<!-- end of the example -->\n"
RECEIVER = {
    "kty": "EC",
    "crv": "P-256",
    "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
    "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
    "d": "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
}
EPHEMERAL = {
    "kty": "EC",
    "crv": "P-256",
    "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
    "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
    "d": "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo",
}
SECTION: dict[str, Any] = {"infectious": "contact", "medicines": [{"name": "Rifampicin 450"}]}
CONTENT_KEY = bytes(range(32))
IV = bytes(range(12))
ALG = "ECDH-ES+A256KW"


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def un64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def private(jwk: dict[str, str]) -> ec.EllipticCurvePrivateKey:
    x, y, d = (int.from_bytes(un64(jwk[name])) for name in ("x", "y", "d"))
    return ec.EllipticCurvePrivateNumbers(d, ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1())).private_key()


def public(jwk: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in jwk.items() if name != "d"}


KID = b64(hashlib.sha256(compact({name: RECEIVER[name] for name in ("crv", "kty", "x", "y")}).encode()).digest())
PUBLISHED = {**public(RECEIVER), "kid": KID, "use": "enc", "alg": ALG}
PROTECTED = compact(
    {"enc": "A256GCM", "typ": "rujukan-section", "cty": "json", "section": "health", "schema_version": "1.0"}
)
AGREED = private(EPHEMERAL).exchange(ec.ECDH(), private(RECEIVER).public_key())
OTHER_INFO = len(ALG).to_bytes(4) + ALG.encode() + bytes(4) + bytes(4) + (256).to_bytes(4)
WRAPPING_KEY = hashlib.sha256((1).to_bytes(4) + AGREED + OTHER_INFO).digest()
WRAPPED = aes_key_wrap(WRAPPING_KEY, CONTENT_KEY)
PLAIN = compact(SECTION).encode()
ENCRYPTED = AESGCM(CONTENT_KEY).encrypt(IV, PLAIN, b64(PROTECTED.encode()).encode())
JWE: dict[str, Any] = {
    "protected": b64(PROTECTED.encode()),
    "recipients": [{"header": {"alg": ALG, "kid": KID, "epk": public(EPHEMERAL)}, "encrypted_key": b64(WRAPPED)}],
    "iv": b64(IV),
    "ciphertext": b64(ENCRYPTED[:-16]),
    "tag": b64(ENCRYPTED[-16:]),
}
RECORD: dict[str, Any] = {
    "schema_version": "1.0",
    "needs": {"services": [{"need": "shelter_men"}]},
    "sealed": {"health": JWE},
    "sealed_preview": {"infectious": "contact", "medicines": "yes"},
}


def fenced(value: Any, kind: str = "json") -> str:
    return f"```{kind}\n{value if isinstance(value, str) else json.dumps(value, indent=2)}\n```\n"


def example() -> str:
    """The example as the page has it."""
    return "\n".join(
        [
            BEGIN
            + "The receiver's key pair, and what it publishes of it (its `kid` is the SHA-256 thumbprint, RFC 7638):\n",
            fenced(RECEIVER) + "\n" + fenced(PUBLISHED),
            "The section, as it is encrypted (here without padding), and the protected header:\n",
            fenced(PLAIN.decode()) + "\n" + fenced(PROTECTED),
            "The sender makes a content key of 32 bytes, an IV of 12, and an ephemeral key pair of the receiver's curve, all afresh"
            " for each section. These are fixed so that you can compare:\n",
            fenced(EPHEMERAL),
            f"| step | value, base64url |\n|---|---|\n| content key | `{b64(CONTENT_KEY)}` |\n| IV | `{b64(IV)}` |\n"
            f"| agreed secret Z (ECDH; RFC 7518 §4.6) | `{b64(AGREED)}` |\n"
            f"| `OtherInfo` of the Concat KDF: `alg` with its length, no `apu`, no `apv`, 256 | `{b64(OTHER_INFO)}` |\n"
            f"| wrapping key: SHA-256 of 00000001, Z, `OtherInfo` | `{b64(WRAPPING_KEY)}` |\n"
            f"| the content key wrapped (AES key wrap, RFC 3394) | `{b64(WRAPPED)}` |\n",
            "The content is encrypted by AES-256-GCM; its additional data are the ASCII of `protected`. This is the record to send:\n",
            fenced(RECORD) + END,
        ]
    )


if __name__ == "__main__":
    text = PAGE.read_text()
    before, rest = text.split(BEGIN, 1)
    PAGE.write_text(before + example() + rest.split(END, 1)[1])

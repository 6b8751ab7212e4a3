"""Checkpoints of the log as signed notes (C2SP: signed-note, tlog-checkpoint): text to read, signed with Ed25519.

rujukan.example/log
4711
r7p4…=                          the root of the tree of this size

— rujukan.example/log x5f2…=    four bytes of the key's id, then the signature over the text above the empty line
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.log.tree import HASH_BYTES

ED25519: Final = b"\x01"
"""The kind of key, of signed-note's registry."""
MOST: Final = 64 * 1024
"""Characters of a note that are looked at."""
_DASH: Final = "\u2014 "
_NAME: Final = re.compile(r"[^\s+]+")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")


class NoteRefused(ValueError):
    """A note, a key or a checkpoint that is not taken; the message says why."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key of a log, with the name it signs under."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes a signature names its key by (signed-note: key id)."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key as it is handed on, in one line (signed-note: verifier key)."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    @property
    def jwk(self) -> dict[str, str]:
        """The key as a JWK (RFC 8037 §2), named by its thumbprint (RFC 7638)."""
        x = base64.urlsafe_b64encode(self.public).rstrip(b"=").decode()
        canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()
        kid = base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
        return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": "Ed25519", "use": "sig"}

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the key has made this signature."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


def read_vkey(text: str) -> Verifier:
    """Return the key a verifier-key line describes. Raises `NoteRefused`."""
    name, _, rest = text.strip().partition("+")
    id, _, key = rest.partition("+")
    try:
        raw = _base64(key)
    except ValueError:
        raise NoteRefused("not a verifier key") from None
    if not _NAME.fullmatch(name) or raw[:1] != ED25519 or len(raw) != 33:
        raise NoteRefused("not a verifier key of Ed25519")
    found = Verifier(name, raw[1:])
    if found.id.hex() != id:
        raise NoteRefused("the key's id is not that of its name and key")
    return found


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: how many entries it has, and the root over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed (tlog-checkpoint)."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def sign(checkpoint: Checkpoint, verifier: Verifier, private: Ed25519PrivateKey) -> str:
    """Return the checkpoint as a note signed by one key."""
    signature = base64.b64encode(verifier.id + private.sign(checkpoint.text.encode())).decode()
    return f"{checkpoint.text}\n{_DASH}{verifier.name} {signature}\n"


def verify(note: str, keys: Iterable[Verifier]) -> tuple[Checkpoint, Verifier]:
    """Return what a signed note says, and the first of `keys` that signed it. Signatures by others (witnesses) are passed over.

    Raises `NoteRefused` for what is no checkpoint, for a wrong signature of a known key, and if none of the keys has signed it.
    """
    text, signatures = _split(note)
    known: Mapping[tuple[str, bytes], Verifier] = {(key.name, key.id): key for key in keys}
    by: Verifier | None = None
    for name, raw in signatures:
        key = known.get((name, raw[:4]))
        if key is None:
            continue
        if not key.verifies(raw[4:], text.encode()):
            raise NoteRefused(f"the signature by {name} is wrong")
        by = by or key
    if by is None:
        raise NoteRefused("it is not signed by a key you trust")
    checkpoint = read(text)
    if checkpoint.origin != by.name:
        raise NoteRefused("it is of another log than the key")
    return checkpoint, by


def read(text: str) -> Checkpoint:
    """Return what the text of a checkpoint says, without looking at who signed it. Raises `NoteRefused`."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] != "" or not lines[0] or not _SIZE.fullmatch(lines[1]):
        raise NoteRefused("not a checkpoint")
    try:
        root = _base64(lines[2])
    except ValueError:
        raise NoteRefused("not a checkpoint: the root cannot be read") from None
    if len(root) != HASH_BYTES:
        raise NoteRefused("not a checkpoint: the root cannot be read")
    return Checkpoint(lines[0], int(lines[1]), root)


def read_hash(text: Any) -> bytes:
    """Return a hash that a proof lists. Raises `NoteRefused`."""
    try:
        found = _base64(text)
    except (TypeError, ValueError):
        found = b""
    if len(found) != HASH_BYTES:
        raise NoteRefused("a hash cannot be read")
    return found


def _base64(text: str) -> bytes:
    """Return what base64 stands for, in the one way it is written. Raises `ValueError`."""
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("not the base64 of anything")
    return raw


def _split(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Return the text of a note and its signatures (signed-note: format)."""
    if len(note) > MOST or not note.endswith("\n"):
        raise NoteRefused("not a signed note")
    text, gap, tail = note.rpartition("\n\n")
    if not gap or any(ord(letter) < 0x20 and letter != "\n" for letter in note):
        raise NoteRefused("not a signed note")
    signatures = []
    for line in tail.removesuffix("\n").split("\n"):
        name, space, encoded = line.removeprefix(_DASH).partition(" ")
        try:
            raw = _base64(encoded)
        except ValueError:
            raw = b""
        if not line.startswith(_DASH) or not space or not _NAME.fullmatch(name) or len(raw) < 5:
            raise NoteRefused("not a signed note: a signature line cannot be read")
        signatures.append((name, raw))
    return text + "\n", signatures


def keys_in(document: Any) -> list[Verifier]:
    """Return the keys that a published document (`/v1/log/keys`) lists. Raises `NoteRefused`."""
    try:
        return [read_vkey(each["vkey"]) for each in document["keys"]]
    except (TypeError, KeyError, AttributeError):
        raise NoteRefused("not a list of the log's keys") from None

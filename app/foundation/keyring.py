"""Keys at rest: a key-encryption keyset (Tink) that wraps one fresh key for each document, and a keyed hash for look-ups.

The keyset is unwrapped once, at start, from a file. A document is a handful of named parts (the sections of a record, its
preview), each encrypted under the document's own key with associated data that binds it to its place, so that a
ciphertext moved to another row does not decrypt.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import tink
from tink import aead, json_proto_keyset_format, prf, proto_keyset_format, secret_key_access

aead.register()
prf.register()
_DOCUMENT_KEY = aead.aead_key_templates.AES256_GCM


class KeyringUnusable(Exception):
    """The keyring file is missing, unreadable or damaged; nothing can be decrypted."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A document at rest: its wrapped key and its parts by name."""

    key: bytes
    parts: Mapping[str, bytes]


class Keyring:
    """The unwrapped keysets of one process."""

    def __init__(self, key_encryption: Any, lookup: Any) -> None:
        self._kek: aead.Aead = key_encryption.primitive(aead.Aead)
        self._prf: prf.PrfSet = lookup.primitive(prf.PrfSet)

    @classmethod
    def open(cls, path: Path, *, create: bool) -> Keyring:
        """Read the keyring at `path`; with `create`, make one that only its owner can read if there is none."""
        if create and not path.exists():
            _create(path)
        try:
            stored = json.loads(path.read_text())
            handles = [
                json_proto_keyset_format.parse(json.dumps(stored[name]), secret_key_access.TOKEN)
                for name in ("key_encryption", "lookup")
            ]
        except (OSError, ValueError, TypeError, KeyError, tink.TinkError) as error:
            raise KeyringUnusable(f"the keyring at {path} cannot be used: {type(error).__name__}") from error
        return cls(*handles)

    def seal(self, document_id: UUID, parts: Mapping[str, bytes]) -> Sealed:
        """Encrypt `parts` under a fresh key of their own, bound to `document_id` and to their names."""
        handle = tink.new_keyset_handle(_DOCUMENT_KEY)
        primitive = handle.primitive(aead.Aead)
        return Sealed(
            key=proto_keyset_format.serialize_encrypted(handle, self._kek, document_id.bytes),
            parts={name: primitive.encrypt(part, _bound_to(document_id, name)) for name, part in parts.items()},
        )

    def open_parts(self, document_id: UUID, sealed: Sealed) -> dict[str, bytes]:
        """Decrypt what `seal` made. Raises `tink.TinkError` if a part was altered or moved."""
        primitive = proto_keyset_format.parse_encrypted(sealed.key, self._kek, document_id.bytes).primitive(aead.Aead)
        return {name: primitive.decrypt(part, _bound_to(document_id, name)) for name, part in sealed.parts.items()}

    def seal_one(self, document_id: UUID, content: bytes) -> bytes:
        """Encrypt one small document together with its wrapped key (Tink's envelope encryption)."""
        return bytes(aead.KmsEnvelopeAead(_DOCUMENT_KEY, self._kek).encrypt(content, document_id.bytes))

    def open_one(self, document_id: UUID, sealed: bytes) -> bytes:
        """Decrypt what `seal_one` made."""
        return bytes(aead.KmsEnvelopeAead(_DOCUMENT_KEY, self._kek).decrypt(sealed, document_id.bytes))

    def keyed_hash(self, purpose: str, *values: bytes) -> bytes:
        """Return 32 bytes that stand for `values` in an index; nobody without the keyring can guess back from them."""
        message = purpose.encode() + b"".join(len(value).to_bytes(4, "big") + value for value in values)
        return bytes(self._prf.primary().compute(message, 32))


def _bound_to(document_id: UUID, name: str) -> bytes:
    return document_id.bytes + name.encode()


def _create(path: Path) -> None:
    keysets = {
        "key_encryption": tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM),
        "lookup": tink.new_keyset_handle(prf.prf_key_templates.HMAC_SHA256),
    }
    text = json.dumps(
        {
            name: json.loads(json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
            for name, handle in keysets.items()
        },
        indent=1,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return  # another process was first
    with os.fdopen(descriptor, "w") as file:
        file.write(text)

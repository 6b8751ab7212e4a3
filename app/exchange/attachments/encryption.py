"""Encryption of files: a key a file, chunks that stand alone, so that any part can be read without the rest.

The form is STREAM (Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance",
CRYPTO 2015), as in Tink's streaming AEAD: AES-256-GCM, a nonce made of the chunk's number and of whether it is the last. Tink's own is not
used: its Python has streams without `seek`, so that a range would mean reading all that stands before it. What is added to STREAM is the
associated data: the file's id and the chunk's number, and of the last chunk the number of chunks and the size of the whole. So a chunk that is
missing, moved, repeated, or of another file does not open, and neither does one that was made the last, or no longer is.

The key is random and used for one file, each of whose numbers is sealed once; that is what lets the nonce be a plain count. It is wrapped by
the keyring as a record's is (`Place("attachment.wrapped_key", id)`), and moves with the months like every other.
"""

from __future__ import annotations

import secrets
from typing import Final, Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.foundation.keyring import Keyring, Place

CHUNK: Final = 262_144
"""Bytes of a file in each chunk but the last, which holds 1 to as many."""
TAG: Final = 16
SEALED: Final = CHUNK + TAG
_FORM: Final = b"rujukan attachment 1\0"


class ChunkSpoilt(Exception):
    """A chunk was altered, moved, or belongs to another file."""


def chunks_of(size: int) -> int:
    """Return how many chunks a file of `size` bytes, at least one, has."""
    return -(-size // CHUNK)


class FileKey:
    """The key of one file."""

    def __init__(self, attachment_id: UUID, key: bytes) -> None:
        self._id = attachment_id
        self._aead = AESGCM(key)

    @classmethod
    def new(cls, attachment_id: UUID, keyring: Keyring) -> tuple[Self, bytes]:
        """Make the key of a new file; return it, and as it is kept."""
        key = secrets.token_bytes(32)
        return cls(attachment_id, key), keyring.wrap_key(_place(attachment_id), key)

    @classmethod
    def kept(cls, attachment_id: UUID, wrapped: bytes, keyring: Keyring) -> Self:
        """Unwrap a file's key. Raises `tink.TinkError` if it was altered or is another file's."""
        return cls(attachment_id, keyring.unwrap_key(_place(attachment_id), wrapped))

    def seal(self, number: int, chunk: bytes, *, size: int | None = None) -> bytes:
        """Encrypt a chunk. `size`, of the whole file, makes it the last."""
        return self._aead.encrypt(_nonce(number, size), chunk, self._bound(number, size))

    def open(self, number: int, sealed: bytes, *, size: int) -> bytes:
        """Decrypt a chunk of a file of `size` bytes. Raises `ChunkSpoilt`."""
        last = size if number == chunks_of(size) - 1 else None
        try:
            return self._aead.decrypt(_nonce(number, last), sealed, self._bound(number, last))
        except InvalidTag:
            raise ChunkSpoilt(f"chunk {number}") from None

    def _bound(self, number: int, size: int | None) -> bytes:
        whole = b"" if size is None else (number + 1).to_bytes(4, "big") + size.to_bytes(8, "big")
        return _FORM + self._id.bytes + number.to_bytes(4, "big") + whole


def _nonce(number: int, size: int | None) -> bytes:
    return number.to_bytes(11, "big") + (b"\0" if size is None else b"\1")


def _place(attachment_id: UUID) -> Place:
    return Place("attachment.wrapped_key", attachment_id)

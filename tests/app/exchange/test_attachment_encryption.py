"""The chunks of a file open in their place and nowhere else."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
import tink

from app.exchange.attachments.encryption import CHUNK, TAG, ChunkSpoilt, FileKey, chunks_of
from app.foundation.keyring import Keyring, Place

ID, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.open(tmp_path / "keyring.json", create=True)


def sealed(key: FileKey, content: bytes) -> list[bytes]:
    count = chunks_of(len(content))
    return [
        key.seal(n, content[n * CHUNK : (n + 1) * CHUNK], size=len(content) if n == count - 1 else None)
        for n in range(count)
    ]


def opens(key: FileKey, number: int, part: bytes, *, size: int) -> bool:
    try:
        key.open(number, part, size=size)
    except ChunkSpoilt:
        return False
    return True


class TestAFile:
    def test_opens_chunk_by_chunk_whatever_its_size(self, keyring: Keyring) -> None:
        key, wrapped = FileKey.new(ID, keyring)
        kept = FileKey.kept(ID, wrapped, keyring)
        for size in (1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK):
            content = bytes(range(256)) * (size // 256 + 1)
            content = content[:size]
            parts = sealed(key, content)
            assert [len(part) - TAG for part in parts] == [
                len(content[n * CHUNK : (n + 1) * CHUNK]) for n in range(len(parts))
            ]
            assert b"".join(kept.open(n, part, size=size) for n, part in enumerate(parts)) == content

    def test_does_not_open_altered_moved_cut_off_or_lengthened(self, keyring: Keyring) -> None:
        key, wrapped = FileKey.new(ID, keyring)
        size = 2 * CHUNK + 5
        parts = sealed(key, bytes(size))
        for what, number, part, of in (
            ("a bit", 0, bytes([parts[0][0] ^ 1]) + parts[0][1:], size),
            ("another's place", 0, parts[1], size),
            ("cut off before the last", 1, parts[1], 2 * CHUNK),
            ("another size", 2, parts[2], size + 1),
            ("one more behind it", 2, parts[2], size + CHUNK),
            ("the end left out", 2, parts[2][:-1], size),
            ("nothing", 0, b"", size),
        ):
            assert not opens(key, number, part, size=of), what
        another, _ = FileKey.new(ID, keyring)
        with pytest.raises(ChunkSpoilt):
            another.open(0, parts[0], size=size)
        same_key = FileKey(OTHER, keyring.unwrap_key(Place("attachment.wrapped_key", ID), wrapped))
        with pytest.raises(ChunkSpoilt):
            same_key.open(0, parts[0], size=size)

    def test_has_a_key_that_is_its_own_and_can_be_wrapped_anew(self, keyring: Keyring) -> None:
        key, wrapped = FileKey.new(ID, keyring)
        (part,) = sealed(key, b"words")
        with pytest.raises(tink.TinkError):
            FileKey.kept(OTHER, wrapped, keyring)
        again = keyring.rewrapped(Place("attachment.wrapped_key", ID), wrapped)
        assert again != wrapped
        assert FileKey.kept(ID, again, keyring).open(0, part, size=5) == b"words"

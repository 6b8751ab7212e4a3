"""Keys at rest: what was sealed opens in its own place and nowhere else."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from uuid import UUID

import pytest
import tink

from app.foundation.keyring import Keyring, KeyringUnusable, Place, Sealed

HERE, ELSEWHERE = UUID(int=1), UUID(int=2)
CASE, ANOTHER = UUID(int=3), UUID(int=4)
PARTS = {"identity": b'{"name": "Siti"}', "needs": b"{}"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module's keyring lies."""
    return tmp_path_factory.mktemp("keys") / "deeper" / "keyring.json"


@pytest.fixture(scope="module")
def keyring(path: Path) -> Keyring:
    """A new keyring."""
    return Keyring.open(path, create=True)


class TestFile:
    def test_is_its_owners_alone(self, keyring: Keyring, path: Path) -> None:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_is_never_made_anew(self, keyring: Keyring, path: Path) -> None:
        before = path.read_bytes()
        again = Keyring.open(path, create=True)
        assert path.read_bytes() == before
        assert again.keyed_hash("x", b"y") == keyring.keyed_hash("x", b"y")

    def test_is_not_made_unless_asked(self, tmp_path: Path) -> None:
        with pytest.raises(KeyringUnusable, match="FileNotFoundError"):
            Keyring.open(tmp_path / "keyring.json", create=False)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("text", ["", "{}", "[]", "no", '{"key_encryption": {}, "lookup": {}}', "\udcff"])
    def test_that_is_damaged_is_not_used(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "keyring.json").write_bytes(text.encode(errors="surrogateescape"))
        with pytest.raises(KeyringUnusable):
            Keyring.open(tmp_path / "keyring.json", create=True)

    def test_with_a_key_missing_is_not_used(self, keyring: Keyring, path: Path, tmp_path: Path) -> None:
        stored = json.loads(path.read_text())
        del stored["lookup"]
        (tmp_path / "keyring.json").write_text(json.dumps(stored))
        with pytest.raises(KeyringUnusable, match="KeyError"):
            Keyring.open(tmp_path / "keyring.json", create=False)


class TestDocuments:
    def test_open_as_they_were(self, keyring: Keyring) -> None:
        assert keyring.open_parts(HERE, keyring.seal(HERE, PARTS, case_id=CASE), case_id=CASE) == PARTS

    def test_open_part_by_part(self, keyring: Keyring) -> None:
        sealed = keyring.seal(HERE, PARTS, case_id=CASE)
        assert keyring.open_parts(HERE, Sealed(sealed.key, {"needs": sealed.parts["needs"]}), case_id=CASE) == {
            "needs": b"{}"
        }

    def test_hide_what_they_say_and_that_they_say_the_same(self, keyring: Keyring) -> None:
        first, second = keyring.seal(HERE, PARTS, case_id=CASE), keyring.seal(HERE, PARTS, case_id=CASE)
        assert b"Siti" not in b"".join([first.key, *first.parts.values()])
        assert first.parts["needs"] != second.parts["needs"]
        assert first.key != second.key

    def test_moved_to_another_row_do_not_open(self, keyring: Keyring) -> None:
        with pytest.raises(tink.TinkError):
            keyring.open_parts(ELSEWHERE, keyring.seal(HERE, PARTS, case_id=CASE), case_id=CASE)

    def test_moved_to_another_case_do_not_open(self, keyring: Keyring) -> None:
        with pytest.raises(tink.TinkError):
            keyring.open_parts(HERE, keyring.seal(HERE, PARTS, case_id=CASE), case_id=ANOTHER)

    def test_with_parts_exchanged_do_not_open(self, keyring: Keyring) -> None:
        sealed = keyring.seal(HERE, PARTS, case_id=CASE)
        with pytest.raises(tink.TinkError):
            keyring.open_parts(HERE, Sealed(sealed.key, {"identity": sealed.parts["needs"]}), case_id=CASE)

    def test_with_another_documents_key_do_not_open(self, keyring: Keyring) -> None:
        sealed = keyring.seal(HERE, PARTS, case_id=CASE)
        with pytest.raises(tink.TinkError):
            keyring.open_parts(HERE, Sealed(keyring.seal(HERE, PARTS, case_id=CASE).key, sealed.parts), case_id=CASE)

    def test_altered_do_not_open(self, keyring: Keyring) -> None:
        sealed = keyring.seal(HERE, PARTS, case_id=CASE)
        altered = bytes([*sealed.parts["needs"][:-1], sealed.parts["needs"][-1] ^ 1])
        with pytest.raises(tink.TinkError):
            keyring.open_parts(HERE, Sealed(sealed.key, {"needs": altered}), case_id=CASE)

    def test_of_another_keyring_do_not_open(self, keyring: Keyring, tmp_path: Path) -> None:
        other = Keyring.open(tmp_path / "keyring.json", create=True)
        with pytest.raises(tink.TinkError):
            other.open_parts(HERE, keyring.seal(HERE, PARTS, case_id=CASE), case_id=CASE)


class TestSmallDocuments:
    def test_open_as_they_were_and_only_in_place(self, keyring: Keyring) -> None:
        place = Place("move.detail", HERE, CASE)
        sealed = keyring.seal_one(place, b"Siti")
        assert b"Siti" not in sealed
        assert keyring.open_one(place, sealed) == b"Siti"
        for elsewhere in (
            Place("move.detail", ELSEWHERE, CASE),
            Place("move.detail", HERE, ANOTHER),
            Place("move.detail", HERE),
            Place("consent.detail", HERE, CASE),
        ):
            with pytest.raises(tink.TinkError):
                keyring.open_one(elsewhere, sealed)


class TestKeyedHash:
    def test_is_the_same_for_the_same(self, keyring: Keyring) -> None:
        assert keyring.keyed_hash("twin", b"a", b"b") == keyring.keyed_hash("twin", b"a", b"b")
        assert len(keyring.keyed_hash("twin", b"a")) == 32

    def test_differs_by_purpose_and_by_where_values_end(self, keyring: Keyring) -> None:
        made = [
            keyring.keyed_hash("twin", b"a", b"b"),
            keyring.keyed_hash("other", b"a", b"b"),
            keyring.keyed_hash("twin", b"ab"),
            keyring.keyed_hash("twin", b"", b"ab"),
            keyring.keyed_hash("twin", b"b", b"a"),
        ]
        assert len(set(made)) == len(made)

    def test_cannot_be_made_without_the_keyring(self, keyring: Keyring, tmp_path: Path) -> None:
        other = Keyring.open(tmp_path / "keyring.json", create=True)
        assert other.keyed_hash("twin", b"a") != keyring.keyed_hash("twin", b"a")

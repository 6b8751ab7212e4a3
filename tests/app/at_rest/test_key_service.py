"""The keyring encrypted by a key of AWS KMS: against moto's server, which speaks AWS's own protocol, through boto3 and Tink's integration."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from app.foundation import keyring as keyrings
from app.foundation.keyring import Keyring, KeyringUnusable, Place
from app.foundation.settings import Settings
from tests.trouble.conftest import free_port

NOW = datetime(2026, 11, 10, tzinfo=UTC)
KMS = "aws-kms://arn:aws:kms:ap-southeast-3:123456789012:key/11111111-2222-3333-4444-555555555555"
PLACE = Place("signing_key.private_sealed", UUID(int=7))


@pytest.fixture(scope="module")
def service() -> Iterator[list[str]]:
    """Two keys of a key service."""
    boto3 = pytest.importorskip("boto3")
    server = pytest.importorskip("moto.server")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    running.start()
    address = f"http://127.0.0.1:{running._port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_KMS", address)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        client = boto3.client("kms", region_name="ap-southeast-3")
        yield [f"aws-kms://{client.create_key()['KeyMetadata']['Arn']}" for _ in range(2)]
    running.stop()


class TestAKeyringOfAKeyService:
    def test_is_unwrapped_once_and_can_be_renewed(self, service: list[str], tmp_path: Path) -> None:
        path, kms = tmp_path / "keyring.json", service[0]
        settings = Settings(keyring_file=path, keyring_kms=kms)
        made = Keyring.of(settings, create=True)
        assert set(json.loads(path.read_text())) == {"kms", "keyring"}, "nothing lies there in clear"
        sealed = made.seal_one(PLACE, b"words")
        for month in range(1, 13):  # more than the 4096 bytes that AWS KMS encrypts by itself
            keyrings.add_key(path, NOW, month=NOW.date().replace(year=2027, month=month, day=1), kms=kms)
        again = Keyring.of(settings)
        # made with a key for this month; from the 25th on also for the next
        assert len(again.keys) == len(made.keys) + 12
        assert again.open_one(PLACE, sealed) == b"words"

    def test_opens_by_its_own_key_alone(self, service: list[str], tmp_path: Path) -> None:
        path = tmp_path / "keyring.json"
        keyrings.make(path, NOW, kms=service[0])
        with pytest.raises(KeyringUnusable, match="but by aws-kms"):
            Keyring.open(path, create=False, kms=service[1])
        stored = json.loads(path.read_text())
        path.write_text(json.dumps({**stored, "kms": service[1]}))  # somebody says it was the other
        with pytest.raises(KeyringUnusable, match="key service does not open"):
            Keyring.open(path, create=False, kms=service[1])

    def test_is_moved_to_it_and_between_keys_with_what_it_holds(self, service: list[str], tmp_path: Path) -> None:
        path = tmp_path / "keyring.json"
        keyrings.make(path, NOW)
        first = Keyring.open(path, create=False)
        sealed, earlier = first.seal_one(PLACE, b"words"), None
        for kms in (*service, None):
            keyrings.replace(path, keyrings.stored(path, kms=earlier), kms=kms)
            found = Keyring.open(path, create=False, kms=kms)
            assert (found.fingerprint, found.open_one(PLACE, sealed)) == (first.fingerprint, b"words")
            earlier = kms

    def test_is_said_to_be_out_of_reach(
        self, service: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "keyring.json"
        keyrings.make(path, NOW, kms=service[0])
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{free_port()}")
        with pytest.raises(
            KeyringUnusable, match=r"key service does not open the keyring at .*: EndpointConnectionError"
        ):
            Keyring.open(path, create=False, kms=service[0])


class TestAFileOfAnotherKind:
    def test_is_refused_in_clear_where_a_key_service_is_named(self, tmp_path: Path) -> None:
        """Else whoever may write the file could lay down a keyring of their own."""
        path = tmp_path / "keyring.json"
        keyrings.make(path, NOW)
        with pytest.raises(KeyringUnusable, match="lies there in clear"):
            Keyring.open(path, create=False, kms=KMS)

    def test_is_refused_encrypted_where_none_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "keyring.json"
        path.write_text(json.dumps({"kms": KMS, "keyring": "AAAA"}))
        with pytest.raises(KeyringUnusable, match="RUJUKAN_KEYRING_KMS does not say so"):
            Keyring.open(path, create=False)

    def test_needs_the_extra(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "boto3", None)
        with pytest.raises(KeyringUnusable, match=r"rujukan\[awskms\]"):
            keyrings.make(tmp_path / "keyring.json", NOW, kms=KMS)
        assert not (tmp_path / "keyring.json").exists()

    @pytest.mark.parametrize("damage", ["", "[]", "{}", '{"kms": 7}', "\u00e9", '{"key_encryption": {"key": []}}'])
    def test_is_refused_damaged(self, tmp_path: Path, damage: str) -> None:
        path = tmp_path / "keyring.json"
        path.write_text(damage)
        with pytest.raises(KeyringUnusable):
            Keyring.open(path, create=False)

    def test_that_cannot_be_read_again_is_never_put_down(self, tmp_path: Path) -> None:
        path = tmp_path / "keyring.json"
        keyrings.make(path, NOW)
        before = path.read_bytes()
        with pytest.raises(KeyringUnusable):
            keyrings.replace(path, {"key_encryption": {"key": []}})
        with pytest.raises(keyrings.KeyringHere):
            keyrings.make(path, NOW)
        assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])

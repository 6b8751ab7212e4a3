"""Keys at rest: key-encryption keys, one a month, that wrap one fresh key for each document, and a keyed hash for look-ups.

The keyring is a file, whole or itself encrypted by a key of AWS KMS, and is unwrapped once, at start. A record is a handful of
named parts (its sections), each encrypted under the version's own key; every other text is one small document with a key of its
own. What is encrypted is bound to its `Place` (column, row, and the case it belongs to), so that a ciphertext copied to another
row, case, section or column does not decrypt.

Each wrapped key begins with the number of the key that wrapped it (Tink's output prefix), so what a key still holds can be
counted in the database, and moved to a newer key, without opening anything. Which key is in use is the database's to say
(app/at_rest): until it has been asked, the one the file names.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

import tink
from tink import aead, json_proto_keyset_format, prf, proto_keyset_format, secret_key_access

from app.foundation.settings import Settings

log = logging.getLogger("rujukan.keyring")
aead.register()
prf.register()
_DOCUMENT_KEY = aead.aead_key_templates.AES256_GCM
_FOR_THE_KEYRING: Final = b"rujukan keyring"
KMS_SECONDS: Final = 10
AHEAD: Final = 25
"""The day of the month from which the next month's key is made."""

SealedColumn = Literal[
    "attachment.detail",
    "attachment.wrapped_key",
    "case_link.detail",
    "case_link.end_detail",
    "consent.detail",
    "consent_reconfirmation.detail",
    "consent_withdrawal.detail",
    "correction.detail",
    "delivery_attempt.answer",
    "disclosure.reason",
    "emergency_access.detail",
    "import_line.content",
    "incident.close_detail",
    "incident.detail",
    "incident_entry.detail",
    "legal_hold.detail",
    "legal_hold.end_detail",
    "legal_hold_review.detail",
    "log_key.private_sealed",
    "move.detail",
    "reassignment.detail",
    "reassignment.end_detail",
    "record_content.wrapped_key",
    "record_version.preview",
    "request.answer_detail",
    "request.detail",
    "review.ground",
    "signing_key.private_sealed",
    "subject_request.answer_detail",
    "subject_request.detail",
    "subject_request.lift_detail",
    "victim_status.detail",
    "webhook_key.private_sealed",
]
"""Every column that holds something wrapped by a key-encryption key; the same list as `sealed_columns()` in the database."""


class KeyringUnusable(Exception):
    """The keyring is missing, unreadable, damaged, or not the one this database was made with; nothing can be decrypted."""


class KeyringHere(Exception):
    """There is a keyring at that place already; it is never replaced by a new one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document lies: its column, its row, and the case (or the referral, transfer of a case) that the row belongs to."""

    column: SealedColumn
    id: UUID
    of: UUID | None = None

    def bound(self, part: str = "") -> bytes:
        """Return the associated data of what lies here."""
        return self.column.encode() + b"\0" + self.id.bytes + (self.of.bytes if self.of else b"-") + part.encode()


@dataclass(frozen=True, slots=True)
class Sealed:
    """A document at rest: its wrapped key and its parts by name."""

    key: bytes
    parts: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class MonthKey:
    """A key-encryption key as the keyring holds it; `month` is the first day of the month it is for."""

    id: int
    month: date
    made_at: datetime


class _Unwrapped:
    """The keysets of one reading of the file, with one of the keys chosen to wrap what is new."""

    def __init__(self, stored: Mapping[str, Any], primary: int | None = None) -> None:
        self.keyset: dict[str, Any] = stored["key_encryption"]
        self.primary: int = self.keyset["primaryKeyId"] if primary is None else primary
        self.keys = tuple(
            MonthKey(
                id=each["keyId"],
                month=date.fromisoformat(stored["months"][str(each["keyId"])]["month"] + "-01"),
                made_at=datetime.fromisoformat(stored["months"][str(each["keyId"])]["made_at"]),
            )
            for each in self.keyset["key"]
        )
        self.stored = stored
        self.aead = _primitive(self.keyset, self.primary)
        self.envelope = aead.KmsEnvelopeAead(_DOCUMENT_KEY, self.aead)
        self.prf: prf.PrfSet = _parsed(stored["lookup"]).primitive(prf.PrfSet)


class Keyring:
    """The unwrapped keysets of one process. Shared by all that seal and open in it; changed as a whole when the file does."""

    def __init__(self, path: Path, kms: str | None, unwrapped: _Unwrapped, stamp: tuple[int, ...]) -> None:
        self._path, self._kms = path, kms
        self._now = unwrapped
        self._stamp = stamp

    @classmethod
    def of(cls, settings: Settings, *, create: bool = False) -> Keyring:
        """Open the keyring the settings name, asking the key service if they name one. Raises `KeyringUnusable`."""
        return cls.open(settings.keyring_path, create=create, kms=settings.keyring_kms)

    @classmethod
    def open(cls, path: Path, *, create: bool, kms: str | None = None) -> Keyring:
        """Read the keyring at `path`; with `create`, make one that only its owner can read if there is none.

        `kms` is the address of the key that encrypts the file. A file that is encrypted otherwise than is said, or not at all, is
        refused: else whoever may write the file could lay down one of their own. Raises `KeyringUnusable`.
        """
        if create and not path.exists():
            with suppress(KeyringHere):  # another process was first
                make(path, datetime.now(UTC), kms=kms)
        stamp = _stamp(path)
        return cls(path, kms, read(path, kms=kms), stamp)

    @property
    def path(self) -> Path:
        """Where its file lies."""
        return self._path

    @property
    def keys(self) -> tuple[MonthKey, ...]:
        """The key-encryption keys it holds."""
        return self._now.keys

    @property
    def primary(self) -> int:
        """The number of the key that wraps what is new."""
        return self._now.primary

    @property
    def fingerprint(self) -> bytes:
        """What tells this keyring from every other: 32 bytes that come from its look-up key, which never changes, and give nothing of it away."""
        return self.keyed_hash("keyring")

    def changed(self) -> bool:
        """Whether the file is another one than was read."""
        return _stamp(self._path) != self._stamp

    def reload(self) -> None:
        """Read the file again, asking the key service again; keep what there is if it is unusable or another keyring's.

        Blocks on the disk and the network: never in a transaction, and in a thread of its own. Raises `KeyringUnusable`.
        """
        stamp = _stamp(self._path)
        fresh = read(self._path, kms=self._kms)
        if _hash(fresh.prf, "keyring") != self.fingerprint:
            raise KeyringUnusable(f"the keyring at {self._path} is now another one")
        held = {key.id for key in fresh.keys}
        if self.primary in held:
            fresh = _Unwrapped(fresh.stored, self.primary)
        self._now, self._stamp = fresh, stamp

    def use(self, key: int) -> None:
        """Wrap what is new under `key` from now on. Raises `KeyringUnusable` if it is not there."""
        if key == self._now.primary:
            return
        if key not in {each.id for each in self.keys}:
            raise KeyringUnusable(f"the keyring at {self._path} lacks the key {key}")
        self._now = _Unwrapped(self._now.stored, key)

    def seal(self, version_id: UUID, parts: Mapping[str, bytes], *, case_id: UUID) -> Sealed:
        """Encrypt `parts` under a fresh key of their own, bound to version, case and their names."""
        place = Place("record_content.wrapped_key", version_id, case_id)
        handle = tink.new_keyset_handle(_DOCUMENT_KEY)
        primitive = handle.primitive(aead.Aead)
        key = proto_keyset_format.serialize(handle, secret_key_access.TOKEN)
        return Sealed(
            key=bytes(self._now.aead.encrypt(key, place.bound())),
            parts={name: primitive.encrypt(part, place.bound(name)) for name, part in parts.items()},
        )

    def open_parts(self, version_id: UUID, sealed: Sealed, *, case_id: UUID) -> dict[str, bytes]:
        """Decrypt what `seal` made. Raises `tink.TinkError` if a part was altered or moved."""
        place = Place("record_content.wrapped_key", version_id, case_id)
        key = self._now.aead.decrypt(sealed.key, place.bound())
        primitive = proto_keyset_format.parse(key, secret_key_access.TOKEN).primitive(aead.Aead)
        return {name: primitive.decrypt(part, place.bound(name)) for name, part in sealed.parts.items()}

    def seal_one(self, place: Place, content: bytes) -> bytes:
        """Encrypt one small document together with its wrapped key (Tink's envelope encryption)."""
        return bytes(self._now.envelope.encrypt(content, place.bound()))

    def open_one(self, place: Place, sealed: bytes) -> bytes:
        """Decrypt what `seal_one` made. Raises `tink.TinkError` if it was altered or moved."""
        return bytes(self._now.envelope.decrypt(sealed, place.bound()))

    def wrap_key(self, place: Place, key: bytes) -> bytes:
        """Wrap a key that encrypts what is too large to be one document, such as a file in chunks."""
        return bytes(self._now.aead.encrypt(key, place.bound()))

    def unwrap_key(self, place: Place, wrapped: bytes) -> bytes:
        """Unwrap what `wrap_key` made. Raises `tink.TinkError` if it was altered or moved."""
        return bytes(self._now.aead.decrypt(wrapped, place.bound()))

    def rewrapped(self, place: Place, wrapped: bytes) -> bytes:
        """Return a wrapped key under the key in use: of a record's version, or what `seal_one` put before its ciphertext.

        The document is not touched: its own key stays the same, and only that is wrapped anew.
        """
        now = self._now.aead
        if wrapped[:1] == b"\x01":  # Tink's prefix: the wrapped key alone
            return bytes(now.encrypt(now.decrypt(wrapped, place.bound()), place.bound()))
        again = now.encrypt(now.decrypt(wrapped[4:], b""), b"")  # Tink's envelope: its length, then the key
        return len(again).to_bytes(4, "big") + bytes(again)

    def proof_of(self, key: int) -> bytes:
        """Return a ciphertext of nothing by which another process sees that it holds the same key by that number."""
        return bytes(_primitive(self._now.keyset, key).encrypt(b"", key.to_bytes(4, "big")))

    def proves(self, key: int, proof: bytes) -> bool:
        """Whether `proof` was made with the key that this keyring holds by that number."""
        try:
            return bool(self._now.aead.decrypt(proof, key.to_bytes(4, "big")) == b"")
        except tink.TinkError:
            return False

    def keyed_hash(self, purpose: str, *values: bytes) -> bytes:
        """Return 32 bytes that stand for `values` in an index; nobody without the keyring can guess back from them."""
        return _hash(self._now.prf, purpose, *values)


def read(path: Path, *, kms: str | None = None) -> _Unwrapped:
    """Read and unwrap a keyring's file. Raises `KeyringUnusable`."""
    return _Unwrapped_of(path, stored(path, kms=kms))


def _Unwrapped_of(path: Path, found: Mapping[str, Any]) -> _Unwrapped:  # noqa: N802
    try:
        return _Unwrapped(found)
    except (ValueError, TypeError, KeyError, tink.TinkError) as error:
        raise _unusable(path, error) from error


def stored(path: Path, *, kms: str | None = None) -> dict[str, Any]:
    """Return what a keyring's file says, decrypted by the key service if that encrypted it. Raises `KeyringUnusable`."""
    try:
        found = json.loads(path.read_text())
        by = found.get("kms")
    except (OSError, ValueError, AttributeError) as error:
        raise _unusable(path, error) from error
    if by != kms:
        raise KeyringUnusable(
            f"the keyring at {path} is not encrypted by {kms}, as RUJUKAN_KEYRING_KMS says, but "
            + (f"by {by}" if by else "lies there in clear")
            if kms
            else f"the keyring at {path} is encrypted by {by}, and RUJUKAN_KEYRING_KMS does not say so"
        )
    if kms is None:
        return dict(found)
    try:
        wrapped = base64.b64decode(found["keyring"], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise _unusable(path, error) from error
    return dict(json.loads(_asked(path, kms, lambda by: by.decrypt(wrapped, _FOR_THE_KEYRING))))


def make(path: Path, now: datetime, *, kms: str | None = None) -> None:
    """Make a new keyring with a key for this month, and the next if that is near. Raises `KeyringHere`, `OSError`."""
    keys = {month: _new_key() for month in wanted_months(now)}
    content = {
        "key_encryption": {"primaryKeyId": keys[month_of(now)]["keyId"], "key": list(keys.values())},
        "lookup": _plain(tink.new_keyset_handle(prf.prf_key_templates.HMAC_SHA256)),
        "months": {str(key["keyId"]): _month_of(now, month) for month, key in keys.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = _written(path, content, kms)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyringHere(str(path)) from None
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def month_of(now: datetime, *, later: int = 0) -> date:
    """Return the first day of the month (UTC), or of the one `later` months on."""
    first = now.astimezone(UTC).date().replace(day=1)
    for _ in range(later):
        first = (first + timedelta(days=32)).replace(day=1)
    return first


def wanted_months(now: datetime) -> list[date]:
    """Return the months there should be a key for: this one, and from the 25th on the next, so that the file can be given to every machine."""
    return [month_of(now)] + ([month_of(now, later=1)] if now.astimezone(UTC).day >= AHEAD else [])


def add_key(path: Path, now: datetime, *, month: date, kms: str | None = None) -> int:
    """Add a key for `month` to the file and return its number; nothing is wrapped under it until the database says so."""
    content = stored(path, kms=kms)
    taken = {each["keyId"] for each in content["key_encryption"]["key"]}
    key = _new_key()
    while key["keyId"] in taken:
        key = _new_key()
    content["key_encryption"]["key"].append(key)
    content["months"][str(key["keyId"])] = _month_of(now, month)
    replace(path, content, kms=kms)
    return int(key["keyId"])


def remove_key(path: Path, key: int, *, use: int, kms: str | None = None) -> bool:
    """Take a key out of the file, which then names `use` as the one to begin with. False if it was not there."""
    content = stored(path, kms=kms)
    kept = [each for each in content["key_encryption"]["key"] if each["keyId"] != key]
    if len(kept) == len(content["key_encryption"]["key"]):
        return False
    content["key_encryption"] |= {"key": kept, "primaryKeyId": use}
    content["months"].pop(str(key), None)
    replace(path, content, kms=kms)
    return True


def replace(path: Path, content: Mapping[str, Any], *, kms: str | None = None) -> None:
    """Put a keyring in the place of another, whole or not at all. Raises `OSError`, `KeyringUnusable`."""
    text = _written(path, content, kms)
    _Unwrapped_of(path, content)  # never put down what could not be read again
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(PermissionError):  # a keyring that root renews stays its user's
            os.chown(beside, path.stat().st_uid, path.stat().st_gid)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def can_be_written(path: Path) -> bool:
    """Whether this process may renew the file: it writes another beside it and moves that over it."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK) and not os.path.ismount(path)


def _unusable(path: Path, error: Exception) -> KeyringUnusable:
    return KeyringUnusable(f"the keyring at {path} cannot be used: {type(error).__name__}")


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _hash(by: prf.PrfSet, purpose: str, *values: bytes) -> bytes:
    message = purpose.encode() + b"".join(len(value).to_bytes(4, "big") + value for value in values)
    return bytes(by.primary().compute(message, 32))


def _new_key() -> dict[str, Any]:
    found = _plain(tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM))
    key: dict[str, Any] = found["key"][0]
    return key


def _month_of(now: datetime, month: date) -> dict[str, str]:
    return {"month": f"{month:%Y-%m}", "made_at": now.astimezone(UTC).isoformat()}


def _plain(handle: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
    return found


def _parsed(keyset: Mapping[str, Any]) -> Any:
    return json_proto_keyset_format.parse(json.dumps(keyset), secret_key_access.TOKEN)


def _primitive(keyset: Mapping[str, Any], primary: int) -> aead.Aead:
    return _parsed({**keyset, "primaryKeyId": primary}).primitive(aead.Aead)


def _written(path: Path, content: Mapping[str, Any], kms: str | None) -> str:
    if kms is None:
        return json.dumps(content, indent=1)
    plain = json.dumps(content).encode()
    wrapped = _asked(path, kms, lambda by: by.encrypt(plain, _FOR_THE_KEYRING))
    return json.dumps({"kms": kms, "keyring": base64.b64encode(wrapped).decode()}, indent=1)


def _asked(path: Path, kms: str, do: Any) -> bytes:
    """Have the key service do it. The file is encrypted under a key of its own that the service wraps: a keyring is larger than what
    AWS KMS takes (4096 bytes)."""
    try:
        return bytes(do(aead.KmsEnvelopeAead(_DOCUMENT_KEY, _of_aws(kms))))
    except KeyringUnusable:
        raise
    except Exception as error:  # botocore's errors have no common root with Tink's
        raise KeyringUnusable(f"the key service does not open the keyring at {path}: {_why(error)}") from error


def _of_aws(kms: str) -> aead.Aead:
    try:
        import boto3  # an extra, for those who use it
        from botocore.config import Config
        from tink.integration import awskms
    except ImportError:
        raise KeyringUnusable(
            'RUJUKAN_KEYRING_KMS needs what this installation lacks: pip install "rujukan[awskms]"'
        ) from None
    region = kms.split(":")[4]
    client = boto3.client(
        "kms",
        region_name=region,
        config=Config(connect_timeout=KMS_SECONDS, read_timeout=KMS_SECONDS, retries={"total_max_attempts": 3}),
    )
    return awskms.new_client(boto3_client=client, key_uri=kms).get_aead(kms)


def _why(error: Exception) -> str:
    cause = error.args[0] if error.args else None
    response = getattr(cause, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return f"{type(error).__name__}" + (f" ({code})" if code else "")

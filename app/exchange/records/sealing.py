"""A record on its way into and out of the database."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import orjson
import rfc8785

from app.exchange.records.sealed import MARK, SealedPart, recipients_of
from app.foundation import json
from app.foundation.database import Connection
from app.foundation.keyring import Keyring, Place, Sealed
from app.foundation.problems import InvalidRequest
from schemas.record.preview import preview_of
from schemas.record.record import MAX_RECORD_BYTES, SECTIONS, Record, included

PREVIEW_DRAWN_FROM: Final[dict[str, str]] = {
    "needs": "needs",
    "preferences": "needs",
    "age_band": "identity",
    "age_disputed": "identity",
    "sex": "identity",
    "languages": "identity",
    "interpreter": "needs",
    "dependants": "family",
    "country": "location",
    "region": "location",
    "arrives_from": "needs",
    "arrives_until": "needs",
    "escort": "needs",
    "foreign_national": "identity",
    "custody_or_investigation": "legal",
    "care_tonight.infectious": "health",
    "care_tonight.medicines": "health",
    "care_tonight.self_harm_watch": "psychosocial",
}
"""Each part of the preview, and the section it says something of. A version may be sent again with fewer sections than it has.

The flags that bind a shelter come from two sections, `safety` and `family`, and are kept apart beside the preview."""

PREVIEWED: Final = frozenset(PREVIEW_DRAWN_FROM.values()) | {"safety", "family"}
"""The sections that a preview says something of."""


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """A record version at rest: its sections' names, and everything else encrypted."""

    version_id: UUID
    schema_version: str
    sections: tuple[str, ...]
    needs_hash: bytes
    wrapped_key: bytes
    parts: list[bytes]
    """One for each section, and last the salt of the commitment."""
    preview: bytes
    commitment: str
    recipients: list[dict[str, Any]] | None
    """To whose keys its sealed sections are encrypted (`recipients_of`)."""


class SealedSections(NamedTuple):
    """The sections of a record at rest, and the salted commitment to it."""

    wrapped_key: bytes
    parts: list[bytes]
    commitment: str


def seal(keyring: Keyring, record: Record, *, version_id: UUID, case_id: UUID, at: datetime) -> SealedRecord:
    """Encrypt each section under the version's own key, and the preview apart."""
    sealed = seal_sections(keyring, record, version_id=version_id, case_id=case_id)
    assert record.needs is not None
    return SealedRecord(
        version_id=version_id,
        schema_version=record.schema_version,
        sections=included(record),
        needs_hash=keyring.keyed_hash(
            "needs", case_id.bytes, *sorted(service.need.encode() for service in record.needs.services)
        ),
        wrapped_key=sealed.wrapped_key,
        parts=sealed.parts,
        commitment=sealed.commitment,
        preview=keyring.seal_one(
            Place("record_version.preview", version_id, case_id), json.dumps(preview_in_parts(record, on=at.date()))
        ),
        recipients=recipients_of(record),
    )


def preview_in_parts(record: Record, *, on: date) -> dict[str, Any]:
    """Return the preview, and of its flags which section each comes from, so that a part of it can be shown."""
    preview = preview_of(record, on=on)
    flags = {"safety": list(preview.safety_flags), "family": []}
    if "family" in included(record):
        flags["family"] = list(preview_of(record.model_copy(update={"safety": None}), on=on).safety_flags)
        without = record.model_copy(update={"family": None, "sealed_preview": None})
        flags["safety"] = list(preview_of(without, on=on).safety_flags)
    return {"preview": preview.model_dump(mode="json"), "flags": flags}


def preview_told(parts: dict[str, Any], sections: Iterable[str]) -> dict[str, Any]:
    """Return what the preview says of `sections`: the same as the preview of a record that has no others."""
    preview: dict[str, Any] = parts["preview"]
    told = set(sections)
    for part, section in PREVIEW_DRAWN_FROM.items():
        if section not in told:
            name, _, inner = part.partition(".")
            if inner and preview[name]:
                preview[name][inner] = None
            elif not inner:
                preview[name] = [] if isinstance(preview[name], list) else None
    if not {"health", "psychosocial"} & told:
        preview["care_tonight"] = None
    kept = {flag for section, flags in parts["flags"].items() if section in told for flag in flags}
    preview["safety_flags"] = [flag for flag in preview["safety_flags"] if flag in kept]
    return preview


def seal_sections(keyring: Keyring, record: Record, *, version_id: UUID, case_id: UUID) -> SealedSections:
    """Encrypt each section under the version's own key, a sealed one once more, and with them the salt of the commitment to the whole.

    Raises `InvalidRequest` if it is larger than a record may be.
    """
    sections = included(record)
    jwes = {
        name: jwe.model_dump(mode="json", exclude_none=True)
        for name, jwe in (record.sealed.by_name() if record.sealed else {}).items()
    }
    document = {
        name: getattr(record, name).model_dump(mode="json", exclude_none=True) for name in sections if name not in jwes
    }
    written = {
        name: MARK + orjson.dumps(jwes[name]) if name in jwes else orjson.dumps(document[name]) for name in sections
    }
    if jwes:
        document["sealed"] = jwes
    if sum(map(len, written.values())) > MAX_RECORD_BYTES:
        raise InvalidRequest([{"pointer": "/record", "code": "record_too_large"}])
    salt = secrets.token_bytes(32)
    sealed = keyring.seal(version_id, {**written, SALT: salt}, case_id=case_id)
    parts = [sealed.parts[name] for name in (*sections, SALT)]
    return SealedSections(sealed.key, parts, commitment_to({"schema_version": record.schema_version, **document}, salt))


SALT: Final = "(salt)"
"""The name of the part that holds the salt; no section has brackets."""


def commitment_to(document: Mapping[str, Any], salt: bytes) -> str:
    """Return what commits to a record without saying anything of it: SHA-256 over the salt and the record as RFC 8785 writes it.

    The salt is erased with the record: then nobody can tell any more what was committed to, not even by guessing.
    """
    members = (orjson.dumps(name) + b":" + _canonical(name, document[name]) for name in sorted(document))
    canonical = b"{" + b",".join(members) + b"}"
    return urlsafe_b64encode(hashlib.sha256(salt + canonical).digest()).rstrip(b"=").decode()


FRACTIONAL: Final = frozenset({"exploitation", "psychosocial"})
"""The sections with numbers that may have a fraction, besides extensions, which may have anything."""


def _canonical(name: str, section: Any) -> bytes:
    """Write a section as RFC 8785 does, which in Python takes a hundred times as long as orjson with sorted members.

    They differ in whole numbers that are kept as fractions (1.0), in very large and very small ones, and in the order of names that are
    not ASCII, which only extensions have.
    """
    if name == "extensions":
        return rfc8785.dumps(section)
    if name in FRACTIONAL:
        try:
            section = _without_fractions(section)
        except OverflowError:
            return rfc8785.dumps(section)
    return orjson.dumps(section, option=orjson.OPT_SORT_KEYS)


def _without_fractions(value: Any) -> Any:
    """Return whole numbers as such. Raises `OverflowError` for a number that orjson may write otherwise than RFC 8785."""
    if isinstance(value, dict):
        return {name: each if isinstance(each, str) else _without_fractions(each) for name, each in value.items()}
    if isinstance(value, list):
        return [each if isinstance(each, str) else _without_fractions(each) for each in value]
    if not isinstance(value, float):
        return value
    if value.is_integer() and abs(value) < 1e15:
        return int(value)
    if not 1e-4 <= abs(value) < 1e15:
        raise OverflowError
    return value


async def read_version(tx: Connection, version_id: UUID) -> asyncpg.Record | None:
    """Return a version's row, if the agency may see that it exists; and which of its sections are sealed, by it or to it."""
    return await tx.fetchrow(
        """SELECT v.*, ARRAY(SELECT DISTINCT s.section FROM sealed_recipient s
                             WHERE s.case_id = v.case_id AND s.version_id = v.id) AS sealed
           FROM record_version v WHERE v.id = $1""",
        version_id,
    )


async def open_sections(
    tx: Connection, keyring: Keyring, version: asyncpg.Record, names: Iterable[str]
) -> dict[str, Any]:
    """Return the named sections, decrypted. Row-level security gives the content to its author and to whom it was opened, nobody else."""
    wanted = set(names) - set(version["erased_sections"])
    row = (
        await tx.fetchrow("SELECT wrapped_key, parts FROM record_content WHERE version_id = $1", version["id"])
        if wanted
        else None
    )
    if row is None:
        return {}
    parts = dict(zip((*version["sections"], SALT), row["parts"], strict=True))
    opened = keyring.open_parts(
        version["id"],
        Sealed(row["wrapped_key"], {name: part for name, part in parts.items() if name in wanted}),
        case_id=version["case_id"],
    )
    return {name: read_part(part) for name, part in opened.items()}


def read_part(part: bytes) -> Any:
    """Return a section as it was given: the JSON of a plain one, or the JWE of a sealed one as a `SealedPart`."""
    return SealedPart(orjson.loads(part[len(MARK) :])) if part.startswith(MARK) else orjson.loads(part)


def as_record(schema_version: str, sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return sections as a record: plain ones by their names, sealed ones under `sealed`."""
    names = in_order(sections, SECTIONS)
    sealed = {name: sections[name] for name in names if isinstance(sections[name], SealedPart)}
    plain = {name: sections[name] for name in names if name not in sealed}
    return {"schema_version": schema_version, **plain, **({"sealed": sealed} if sealed else {})}


async def open_salt(tx: Connection, keyring: Keyring, version: asyncpg.Record) -> bytes | None:
    """Return the salt of a version's commitment, or None once its content was erased or where row-level security does not give it."""
    row = await tx.fetchrow(
        "SELECT wrapped_key, parts[cardinality(parts)] AS salt FROM record_content WHERE version_id = $1", version["id"]
    )
    if row is None or not row["salt"]:
        return None
    return keyring.open_parts(
        version["id"], Sealed(row["wrapped_key"], {SALT: row["salt"]}), case_id=version["case_id"]
    )[SALT]


def open_preview(keyring: Keyring, version: asyncpg.Record, sections: Iterable[str]) -> dict[str, Any] | None:
    """Return what the preview says of the named sections, or None once it was erased."""
    if version["preview"] is None:
        return None
    return preview_told(
        orjson.loads(
            keyring.open_one(Place("record_version.preview", version["id"], version["case_id"]), version["preview"])
        ),
        sections,
    )


def in_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """Return `names` in the order in which sections are always given."""
    chosen = set(names)
    return [name for name in order if name in chosen]

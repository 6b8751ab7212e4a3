"""Files as a part of something: which ones a record's papers name, and how a file is told to whoever may read it.

The rules are the database's (`bind_files`, `bind_evidence` in app/migrations/sql/attachment_binding.sql): whose a file is, whether it is ready,
whether its section is in the record. They hold in the transaction that writes the record, and refuse all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

import orjson

from app.foundation.keyring import Keyring, Place
from schemas.exchange.consent import ConsentAct
from schemas.record.record import Record, included, sealed_in

LIST: Final = "attachments"
"""The section whose papers name files."""


def files_of(record: Record | None) -> dict[str, Any] | None:
    """Return the files that a record's papers name, for `bind_files`; None where there are none, or where the papers are sealed.

    In a sealed list nobody but its receiver sees a file's id: such a file goes with no record and is never served.
    """
    if record is None or record.attachments is None:
        return None
    papers = [{"id": paper.file, "place": place} for place, paper in enumerate(record.attachments.papers) if paper.file]
    if not papers:
        return None
    sealed = sealed_in(record)
    return {"plain": [name for name in included(record) if name not in sealed], "papers": papers}


def evidence_of(act: ConsentAct, *, under: str = "") -> dict[str, Any] | None:
    """Return the file that proves an act of consent, for `bind_evidence`. `under`: the pointer of the consent in the request."""
    if act.evidence is None or act.evidence.attachment is None:
        return None
    return {"id": act.evidence.attachment, "under": under}


def sections_of(section: str) -> set[str]:
    """Return the sections that must both be open to read a file of this one."""
    return {section, LIST}


def held_with_files(held: Iterable[str], with_files: Iterable[str]) -> set[str]:
    """Return what a hold on sections keeps, where files lie in `with_files`: a file lies in two sections, and a hold on either keeps both.

    `held_of_version` in the database says the same of one version.
    """
    named, theirs = set(held), set(with_files)
    return named | ({LIST} if named & theirs else set()) | (theirs if LIST in named else set())


def as_read(keyring: Keyring, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file as whoever may read it sees it. `row`: `id`, `section`, `media_type`, `size` and the sealed `detail`."""
    attachment_id: UUID = row["id"]
    said = (
        orjson.loads(keyring.open_one(Place("attachment.detail", attachment_id), row["detail"]))
        if row["detail"]
        else {}
    )
    return {
        "id": attachment_id,
        "section": row["section"],
        "media_type": row["media_type"],
        "size": row["size"],
        "sha256": said.get("sha256"),
    }

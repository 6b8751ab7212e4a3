"""The erasure list: what was erased, outside the database, so that a restored backup can be brought to forget it again.

One JSON document a line (NDJSON), appended and synchronised to the disk before the database's commit. Each process writes a file of its own in the
folder, so that several workers and machines may share it. Lines hold ids, section names, times and causes; nothing about a person.

- `{"id", "case", "kind", "row", "sections", "cause", "cause_id", "before", "at"}`: about to be erased;
- `{"done": id}`: the erasure's transaction has been committed.

A line without its `done` was written by a process that ended in between: if the erasure is still due it is done again, under the same id.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from app.foundation import json

SUFFIX = ".ndjson"
_NEWEST_FILES = 20
_NEWEST_BYTES = 64 * 1024


class ErasureListUnusable(Exception):
    """The folder or a file of the erasure list cannot be read or written; nothing is erased, nothing is served after a restore."""


class ErasuresToReplay(Exception):
    """The database is an older copy: it holds what was erased since. Nothing may be served until the erasure list is replayed."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(f"the database holds {count} thing(s) that were erased after it was backed up")


@dataclass(frozen=True, slots=True)
class Entry:
    """One erasure."""

    id: UUID
    case: UUID
    kind: str
    """`record`, `access`, `words` or `proof`."""
    row: UUID
    """Of a record its version, else the case."""
    sections: tuple[str, ...] | None
    cause: str
    cause_id: UUID | None
    before: datetime
    at: datetime

    @property
    def what(self) -> tuple[str, UUID, tuple[str, ...] | None, str]:
        """What is erased, whenever it was tried."""
        return self.kind, self.row, self.sections, self.cause


class ErasureList:
    """The folder, and this process's own file in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._descriptor: int | None = None

    def append(self, line: dict[str, Any]) -> None:
        """Write one line and wait until the disk has it. Raises `ErasureListUnusable`."""
        try:
            if self._descriptor is None:
                self._descriptor = self._open()
            written = json.dumps(line) + b"\n"
            if os.write(self._descriptor, written) != len(written):
                raise OSError("short write")
            os.fsync(self._descriptor)
        except OSError as error:
            self.close()  # the next try begins on a line of its own
            raise ErasureListUnusable(
                f"the erasure list in {self.folder} cannot be written: {type(error).__name__}"
            ) from error

    def _open(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{socket.gethostname()}-{os.getpid()}{SUFFIX}"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if os.fstat(descriptor).st_size:
            os.write(descriptor, b"\n")  # whatever half a line an earlier process of this number left
        above = os.open(self.folder, os.O_RDONLY)
        os.fsync(above)  # the file's name, too
        os.close(above)
        return descriptor

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def begin(self, entry: Entry) -> None:
        """Say what is about to be erased."""
        self.append(asdict(entry))

    def done(self, entry: Entry) -> None:
        """Say that it has been."""
        self.append({"done": entry.id})


def read_lists(path: Path, *, newest: bool = False) -> tuple[list[Entry], set[UUID]]:
    """Return every entry of a list or of a folder of lists, oldest first, and the ids of those whose commit is certain.

    Half a line at the end of a file is what a crash leaves, before any commit: it is passed over. With `newest`, no more than the ends of the files
    that were written last: an older copy of the database lacks what was erased last before all else. Raises `ErasureListUnusable`.
    """
    entries: dict[UUID, Entry] = {}
    done: set[UUID] = set()
    try:
        files = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
        if newest:
            files = sorted(files, key=lambda each: each.stat().st_mtime_ns)[-_NEWEST_FILES:]
        for file in files:
            for line in _lines(file, _NEWEST_BYTES if newest else None):
                if not line.strip():
                    continue
                try:
                    said = orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue
                if "done" in said:
                    done.add(UUID(said["done"]))
                else:
                    entry = _entry(said)
                    entries[entry.id] = entry
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ErasureListUnusable(f"the erasure list {path} cannot be read: {type(error).__name__}") from error
    return sorted(entries.values(), key=lambda each: (each.at, each.id)), done


def _lines(file: Path, last: int | None) -> list[bytes]:
    """Return the lines of a file, or the whole ones among its `last` bytes."""
    if last is None:
        return file.read_bytes().split(b"\n")
    with file.open("rb") as opened:
        begins = max(0, opened.seek(0, os.SEEK_END) - last)
        opened.seek(begins)
        lines = opened.read().split(b"\n")
    return lines[1:] if begins else lines


def read_if_there(path: Path, *, newest: bool = False) -> tuple[list[Entry], set[UUID]]:
    """Return what `read_lists` does, or nothing where nothing has been erased yet."""
    return read_lists(path, newest=newest) if path.exists() else ([], set())


def _entry(said: dict[str, Any]) -> Entry:
    return Entry(
        id=UUID(said["id"]),
        case=UUID(said["case"]),
        kind=said["kind"],
        row=UUID(said["row"]),
        sections=tuple(said["sections"]) if said["sections"] is not None else None,
        cause=said["cause"],
        cause_id=UUID(said["cause_id"]) if said["cause_id"] else None,
        before=datetime.fromisoformat(said["before"]),
        at=datetime.fromisoformat(said["at"]),
    )


def in_memory(entries: Iterable[Entry]) -> dict[tuple[str, UUID, tuple[str, ...] | None, str], Entry]:
    """Return entries by what they erase."""
    return {entry.what: entry for entry in entries}

"""What can be wrong with an import or an export as a whole. What is wrong with a line is a result of that line."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from app.foundation.problems import Problem


class ImportIncomplete(Problem):
    """An import with this `Idempotency-Key` is there, and its upload was broken off, or goes on at this moment.

    `import_id` and `lines` say which and how far: send what comes after so many lines to `/v1/imports/{id}/lines?after=`, then
    `POST /v1/imports/{id}/start`. Or cancel it.
    """

    type, status, title, title_id = (
        "import-incomplete",
        409,
        "The import was begun and not completed",
        "Impor sudah dimulai dan belum lengkap",
    )

    def __init__(self, *, import_id: UUID, lines: int) -> None:
        super().__init__(import_id=str(import_id), lines=lines)


class LinesElsewhere(Problem):
    """The import does not hold as many lines as `after` says: some arrived that you do not know of, or another upload goes on.

    `lines` is what it holds. Go on after them.
    """

    type, status, title, title_id = (
        "lines-elsewhere",
        409,
        "The import holds another number of lines",
        "Jumlah baris yang tersimpan berbeda",
    )

    def __init__(self, *, lines: int) -> None:
        super().__init__(lines=lines)


class ImportTooLarge(Problem):
    """The import has more lines, or more bytes, than one may have: `limit` says which, `most` how many.

    Nothing of it was started. `import_id` names what was received up to there, if any was: cancel it, and send the file in parts, each under a
    key of its own.
    """

    type, status, title, title_id = (
        "import-too-large",
        413,
        "The import is too large",
        "Impor terlalu besar",
    )

    def __init__(self, *, limit: str, most: int, import_id: UUID | None) -> None:
        named: dict[str, Any] = {"import_id": str(import_id)} if import_id else {}
        super().__init__(limit=limit, most=most, **named)


class TooManyImports(Problem):
    """Your client has as many imports open (received or running) as it may have at once: 10.

    Wait for one to end, or cancel one.
    """

    type, status, title, title_id = (
        "too-many-imports",
        409,
        "Too many imports are open",
        "Terlalu banyak impor yang terbuka",
    )


class ImportNotOpen(Problem):
    """The import takes no more lines, or cannot be started or cancelled any more. `state` says how it stands."""

    type, status, title, title_id = (
        "import-not-open",
        409,
        "The import is past that",
        "Impor sudah melewati tahap itu",
    )

    def __init__(self, *, state: str) -> None:
        super().__init__(state=state)


class ExportRunning(Problem):
    """Your client takes an export of this agency at this moment, or did until a minute ago without having taken all of it. One at a time.

    Wait as long as `Retry-After` says.
    """

    type, status, title, title_id = (
        "export-running",
        409,
        "An export is running already",
        "Ekspor lain sedang berjalan",
    )

    def __init__(self, *, seconds: int, **members: Any) -> None:
        super().__init__(headers={"Retry-After": str(max(1, seconds))}, **members)

"""What can go wrong with files."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from app.foundation.problems import Problem


class AttachmentTooLarge(Problem):
    """The file is larger than the exchange takes (`limit`, in bytes). Nothing was stored.

    Scan documents at 200 dpi, in grey; send recordings as several files.
    """

    type, status, title, title_id = "attachment-too-large", 413, "The file is too large", "Berkas terlalu besar"

    def __init__(self, limit: int) -> None:
        super().__init__(limit=limit)


class AttachmentEmpty(Problem):
    """The body is empty: there is no file. Send its bytes as the body, as they are (no form, no JSON, no Base64)."""

    type, status, title, title_id = "attachment-empty", 400, "There is no file", "Tidak ada berkas"


class AttachmentTypeRefused(Problem):
    """The exchange does not carry files of this kind. Its content decides, not its name and not what `Content-Type` says. Nothing was stored.

    `reason` says why: `html`, `script`, `executable`, `archive`, `macros` (an Office document that holds programs), `two_in_one` (a file that is also
    something else, such as a PDF that is also an archive), `damaged` (cut off, or not what its beginning says), `not_allowed` (a kind this exchange
    does not take), `unknown`, `encoded` (`Content-Encoding` was sent: send the file as it is). `allowed` lists what it takes. Print or export the
    document as a PDF, and send that.
    """

    type, status, title, title_id = (
        "attachment-type-refused",
        415,
        "Files of this kind are not taken",
        "Berkas jenis ini tidak diterima",
    )
    log_as = "type_refused"

    def __init__(self, reason: str, allowed: Sequence[str]) -> None:
        super().__init__(reason=reason, allowed=list(allowed))


class AttachmentTypeContradicted(Problem):
    """`Content-Type` names another kind of file than the content is (`found`). Nothing was stored.

    Look whether it is the file you meant. Send the right type, or `application/octet-stream` to leave it to the exchange.
    """

    type, status, title, title_id = (
        "attachment-type-contradicted",
        422,
        "The file is not what Content-Type says",
        "Berkas tidak sesuai dengan Content-Type",
    )
    log_as = "type_contradicted"

    def __init__(self, found: str) -> None:
        super().__init__(found=found)


class DigestMismatch(Problem):
    """The file that arrived does not have the digest that `Content-Digest` (RFC 9530) names: it was damaged on the way. Nothing was stored.

    Send it again, under the same `Idempotency-Key`.
    """

    type, status, title, title_id = (
        "digest-mismatch",
        422,
        "The file was damaged on the way",
        "Berkas rusak dalam pengiriman",
    )


class UploadTooSlow(Problem):
    """Nothing came for half a minute, or the whole upload took longer than the exchange waits. Nothing was stored.

    Send it again, under the same `Idempotency-Key`; on a bad line, send a smaller file.
    """

    type, status, title, title_id = "upload-too-slow", 408, "The upload took too long", "Pengunggahan terlalu lama"

    def __init__(self) -> None:
        super().__init__(headers={"Connection": "close"})


class UploadCutOff(Problem):
    """The connection ended before the file did. Nothing was stored. Send it again, under the same `Idempotency-Key`."""

    type, status, title, title_id = "upload-cut-off", 400, "The upload was cut off", "Pengunggahan terputus"


class QuotaReached(Problem):
    """Your agency has uploaded as much as it may that goes with no record yet (`limit`, in bytes; uploads that go on count as what they may become).

    Send the records that your files belong to, or delete files that you do not need: `GET /v1/attachments` lists them. They also go by themselves
    when they expire.
    """

    type, status, title, title_id = (
        "attachment-quota-reached",
        409,
        "Too much is uploaded that goes with no record",
        "Terlalu banyak berkas yang belum terkait dokumen",
    )
    log_as = "quota_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(limit=limit)


class AttachmentNotReady(Problem):
    """The file waits for the malware scan (`state`: `scanning`), or the scan found something in it (`rejected`), or it is still on its way.

    Wait for the event `attachment.ready` or `attachment.rejected`, or ask for the file again later. A rejected file is gone: get a clean one.
    """

    type, status, title, title_id = (
        "attachment-not-ready",
        409,
        "The file cannot be used",
        "Berkas belum atau tidak dapat dipakai",
    )

    def __init__(self, state: str) -> None:
        super().__init__(state=state)


class AttachmentBound(Problem):
    """A record holds the file, so it cannot be deleted by itself: it lives and ends with the record."""

    type, status, title, title_id = (
        "attachment-bound",
        409,
        "A record holds the file",
        "Berkas terkait dengan dokumen rujukan",
    )
    log_as = "bound"

    def __init__(self, attachment_id: UUID) -> None:
        super().__init__(attachment_id=str(attachment_id))


class RangeNotSatisfiable(Problem):
    """The range that was asked for lies outside of the file; `Content-Range` says how long it is."""

    type, status, title, title_id = (
        "range-not-satisfiable",
        416,
        "The file has no such range",
        "Berkas tidak memiliki rentang itu",
    )

    def __init__(self, size: int) -> None:
        super().__init__(headers={"Content-Range": f"bytes */{size}"})


class FileStoreUnavailable(Problem):
    """The exchange cannot reach the store of its files at the moment. Nothing was stored.

    Wait as long as `Retry-After` says and send the same request again, with the same `Idempotency-Key`.
    """

    type, status, title, title_id = (
        "file-store-unavailable",
        503,
        "The store of files does not answer",
        "Penyimpanan berkas tidak menjawab",
    )

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "10"})

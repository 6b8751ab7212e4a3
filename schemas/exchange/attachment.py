"""Files, as their uploader knows them."""

from typing import Literal
from uuid import UUID

from schemas.base import Moment, Wire
from schemas.codes.disclosure import Section

AttachmentState = Literal["scanning", "ready", "rejected"]


class AttachmentEnvelope(Wire):
    """A file without what is sealed of it."""

    id: UUID
    section: Section
    """The section it belongs to: it is disclosed where that section of its record is, and nowhere else."""
    state: str
    """`scanning`: it waits for the malware scan. `ready`: it may go with a record. `rejected`: the scan found something; its content is destroyed."""
    reason: str | None
    """Why it was rejected: `malware`."""
    media_type: str
    """By its content."""
    size: int
    """In bytes."""
    bound: bool
    """Whether a record holds it."""
    uploaded_at: Moment
    expires_at: Moment | None
    """When it is destroyed, unless a record holds it by then."""


class Attachment(AttachmentEnvelope):
    """A file, with what is sealed of it; never its content."""

    digest: str | None
    """Of the whole file, as in `Content-Digest` (RFC 9530): `sha-256=:…:`. None once it is rejected."""
    file_name: str | None
    """The name it was given at the upload. Only its uploader ever sees it."""


class AttachmentPage(Wire):
    """Files the agency uploaded, newest first."""

    items: list[AttachmentEnvelope]
    next: str | None


class UploadedAttachment(Attachment):
    """The answer to an upload; a repeated request gets the file as it stands now."""

    log_entry: UUID
    """The entry of the exchange's log that describes the upload."""
    receipt: str
    """Where the signed receipt for it is."""

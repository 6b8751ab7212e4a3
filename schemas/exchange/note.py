"""Notes: what the two sides of a referral or transfer write to each other."""

from typing import Literal
from uuid import UUID

from schemas.base import Moment, Wire
from schemas.codes.base import RequestBody
from schemas.codes.disclosure import Section
from schemas.exchange.common import AgencyRef

NoteKind = Literal["question", "answer", "information"]
"""`question` waits for an answer; `answer` may say which question it answers; `information` waits for nothing."""


class NoteInList(Wire):
    """One note, as the caller may read it."""

    id: UUID
    number: int
    """Its place among the notes of the referral or transfer, from 1, without gaps."""
    kind: NoteKind
    author: AgencyRef
    recorded_by: AgencyRef | None
    """Another agency, where it recorded the note for `author`."""
    occurred_at: Moment
    recorded_at: Moment
    section: Section | None
    """The section it tells of; a note of the receiver that names none is of the section of the question that it answers, else of `needs`."""
    in_reply_to: UUID | None
    """The question it answers."""
    answers: list[UUID]
    """Of a question: the notes that answer it."""
    text: str | None
    """What it says, as far as the caller may read it."""
    withheld: Literal["not_open", "not_for_sender", "not_a_party", "erased"] | None
    """Why there is no text: what it rests on is locked, ended or not open yet; it does not flow back to this kind of sender; the caller is neither
    side; it is erased."""
    open_to_other: bool | None
    """Of a note of the caller's own: whether the other side can read it now. None of any other."""
    read_by_other: bool | None
    """Of a note of the caller's own: whether the other side has said that it has read it. None of any other."""


class NotesRead(Wire):
    """How far one side has read."""

    agency: AgencyRef
    through: UUID | None
    """The last note it has read; None: it has not said."""
    at: Moment | None
    """When it said so."""


class Notes(Wire):
    """A page of the notes, oldest first."""

    items: list[NoteInList]
    next: str | None
    """The address of the next page; None: there is none."""
    unread: int
    """How many notes of the other side, on whatever page, come after the last one the caller's agency has read; without those that were never for
    it."""
    read: list[NotesRead]
    """How far each side has read; to the lead who is neither, nothing."""


class MarkRead(RequestBody):
    """We have read the notes up to this one."""

    through: UUID

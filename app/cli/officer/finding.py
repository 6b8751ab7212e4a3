"""Finding what a person means: by the reference that is read out, or by its id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from app.cli.failures import Failure
from app.cli.officer.refusals import Refused
from app.cli.officer.session import Session
from app.cli.officer.words import plain
from app.foundation.ids import read_reference

KINDS: Final = ("referral", "transfer", "case")
PASSED: Final = ("referral", "transfer")
"""What is answered and moved."""
_PAGE: Final = 200


@dataclass(frozen=True)
class Found:
    """A referral, transfer or case, by its address; `case_id` is known where it was named by its reference."""

    kind: str
    id: str
    case_id: str | None

    @property
    def path(self) -> str:
        """Its address."""
        return f"/v1/{self.kind}s/{self.id}"


def find(session: Session, text: str, kinds: tuple[str, ...] = KINDS) -> tuple[Found, dict[str, Any] | None]:
    """Return what `text` names, with the whole document if finding it took reading it. Raises `Failure`, `Refused`."""
    reference = read_reference(text)
    if reference is None:
        return _by_id(session, id_if_no_reference(text), kinds)
    named = session.get(f"/v1/references/{quote(reference, safe='')}")
    if named["subject"] not in kinds:
        wanted = " or a ".join(kinds)
        raise Failure(f"{reference} is a {named['subject']}", f"This is for a {wanted}.")
    return Found(named["subject"], named["id"], named["case_id"]), None


def id_in(text: str) -> str:
    """Return an id as it is put into an address. Raises `Failure`."""
    try:
        return str(UUID(text.strip()))
    except ValueError:
        raise Failure("this is no id", "An id is a UUID, as the lists show it.") from None


def id_if_no_reference(text: str) -> str:
    """Return the id that stands where a reference could, or say what is wrong with the reference. Raises `Failure`."""
    try:
        return str(UUID(text.strip()))
    except ValueError:
        pass
    if re.fullmatch(r"[KRT][0-9A-Z]{8}[0-9A-Z*~$=]", re.sub("[- ]", "", text.upper())):
        raise Failure(
            "this reference was misheard or mistyped: its last character, a check of the others, does not fit",
            "Have it read out again.",
        )
    raise Failure(
        "this is neither a reference nor an id",
        "A reference is written R-7XQ2-M4PF-0: R for a referral, T for a transfer, K for a case. In a shell, put it in"
        " quotes if it ends in * ~ $ or =.",
    )


def _by_id(session: Session, id: str, kinds: tuple[str, ...]) -> tuple[Found, dict[str, Any]]:
    for kind in kinds:
        found = Found(kind, id, None)
        try:
            return found, session.get(found.path)
        except Refused as refused:
            if refused.status != 404 or kind == kinds[-1]:
                raise
    raise AssertionError("kinds is empty")


def envelope_of(session: Session, found: Found) -> dict[str, Any]:
    """Return how it stands: by the lists, which open no record, where its case is known; else by reading it."""
    if found.case_id is not None and found.kind != "case":
        for role in ("receiver", "sender"):
            page = session.get(f"/v1/{found.kind}s", role=role, case_id=found.case_id, limit=_PAGE)
            for envelope in page["items"]:
                if envelope["id"] == found.id:
                    return dict(envelope)
    return dict(session.get(found.path))


def standing(document: dict[str, Any]) -> str:
    """Say in a line what it is and how it stands."""
    who = (
        f"from {document['sender']['name']} to {document['receiver']['name']}, {document['urgency']}"
        if "sender" in document
        else f"led by {document['lead']['name']}"
    )
    return f"{document['reference']}, {who}, is {plain(document['state'])} (version {document['version']})"

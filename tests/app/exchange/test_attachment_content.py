"""What a file is, by its content, whatever it is called, and in whatever pieces it comes."""

from __future__ import annotations

import pytest

from app.exchange.attachments.content import KINDS, Inspector, claimed
from app.exchange.attachments.problems import AttachmentTypeContradicted, AttachmentTypeRefused
from app.foundation.settings import Settings
from tests.makers.files import OFFICE, PDF, REFUSED, TAKEN, mp4

ALLOWED = Settings(_env_file=None).attachment_kinds


def told(content: bytes, *, claim: str | None = None, at_once: int = 65_536, allowed: tuple[str, ...] = ALLOWED) -> str:
    seen = Inspector(claim, allowed)
    for start in range(0, len(content), at_once):
        seen.feed(content[start : start + at_once])
    return seen.end()


class TestAFile:
    def test_is_what_its_content_says(self) -> None:
        for name, (kind, content) in TAKEN.items():
            for at_once in (65_536, 1000, 7):
                assert told(content, at_once=at_once) == kind, name
            assert told(content, claim=kind) == kind, name
        assert {kind for kind, _ in TAKEN.values()} == set(ALLOWED), "an example of each"

    def test_is_refused_for_what_it_is(self) -> None:
        for name, (reason, content) in REFUSED.items():
            for at_once in (65_536, 1000, 7):
                with pytest.raises(AttachmentTypeRefused) as refused:
                    told(content, at_once=at_once)
                assert refused.value.members["reason"] == reason, (name, refused.value.members["reason"])

    def test_is_refused_when_it_is_called_something_else(self) -> None:
        for claim, (kind, content) in (
            ("image/png", TAKEN["a PDF"]),
            ("text/plain", TAKEN["a PDF"]),
            (f"{OFFICE}.spreadsheetml.sheet", TAKEN["a DOCX"]),
            ("audio/ogg", TAKEN["an M4A"]),
        ):
            with pytest.raises(AttachmentTypeContradicted) as refused:
                told(content, claim=claim)
            assert refused.value.members == {"found": kind}

    def test_of_a_kind_this_exchange_does_not_take_is_refused_at_its_beginning(self) -> None:
        seen = Inspector(None, ("image/png",))
        with pytest.raises(AttachmentTypeRefused):
            seen.feed(PDF * 100)

    def test_may_be_a_video_where_the_setting_says_so(self) -> None:
        video = mp4(b"isom", b"soun", b"vide")
        assert told(video, allowed=(*ALLOWED, "video/mp4")) == "video/mp4"


def test_other_names_of_the_same_kind_are_known() -> None:
    assert claimed("IMAGE/JPG; a=b") == "image/jpeg"
    assert claimed("application/octet-stream") is claimed(None) is claimed("") is None
    assert set(ALLOWED) | {"video/mp4"} == set(KINDS)


def test_only_kinds_that_can_be_told_may_be_allowed() -> None:
    with pytest.raises(ValueError, match="text/html"):
        Settings(_env_file=None, attachment_types="application/pdf,text/html")

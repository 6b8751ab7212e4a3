"""Whole records on paper: nothing is lost on the way, nothing is made up, and no shape of a record breaks a form."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.exchange.forms.service import page_of
from app.exchange.forms.sheet import Sheet
from app.exchange.forms.values import Reading
from app.exchange.forms.words import Words
from app.foundation.zones import WIT
from schemas.record.record import SCHEMA_VERSION
from schemas.text import PartialDate, RegionCode
from tests.app.exchange.forms.reading_pages import strings_in, text_of
from tests.makers.world import World
from tests.schemas.record_strategies import MARK
from tests.schemas.record_strategies import records as record_documents


def marked(document: Any) -> list[str]:
    """The free texts of a record, as HTML has their spaces."""
    return [re.sub(r"\s+", " ", text) for text in strings_in(document) if text.startswith(MARK)]


@pytest.fixture
async def render(world: World) -> Any:
    """Prints a record as its sender would print an accepted referral."""
    sent = await world.accepted()
    document = (await sent.sender.get(sent.path)).json()
    directory = await world.exchange.directory.current()
    at = world.exchange.clock.now()
    moments = ("respond_by", "sent_at", "accepted_at")

    def rendered(record: dict[str, Any], lang: Any = "en") -> str:
        whole = {
            **document,
            **dict.fromkeys(moments, at),
            "preview": None,
            "record": {"schema_version": SCHEMA_VERSION, **record},
        }
        reader = directory.by_code["police"]
        sheet = Sheet(whole, lang, is_transfer=False, reader=reader, directory=directory, at=at)
        return page_of(sheet).body.decode()

    return rendered


class TestAnyRecord:
    @given(record=record_documents, lang=st.sampled_from(("id", "en")))
    @settings(max_examples=25, deadline=timedelta(seconds=5), suppress_health_check=list(HealthCheck))
    def test_is_printed_whole_but_for_what_is_kept_off_paper(self, render: Any, record: Any, lang: str) -> None:
        page = re.sub(r"\s+", " ", text_of(render(record, lang)))
        # what the strategy cannot keep apart is held back by rules that have tests of their own
        kept = [record.get("contact"), record.get("location"), record.get("migration"), record.get("family")]
        held_back = {text for part in kept for text in marked(part)}
        lost = [text for text in marked(record) if text.strip() not in page and text not in held_back]
        assert lost == []

    def test_with_scripts_that_run_the_other_way_keeps_to_its_columns(self, render: Any) -> None:
        names = [{"full": name} for name in ("محمد عبد الرحمن", "ကိုကို", "សុខ ចាន់ធា", "W" * 200)]
        page = render({"identity": {"names": names}})
        for name in names:
            assert f'dir="auto">{html.escape(name["full"])}<' in page


class TestReading:
    """Values as the forms write them; what they are called is tested where the names are."""

    reading = Reading(Words("id"), WIT, {})

    def test_a_language_has_its_tag_beside_its_name(self) -> None:
        assert (self.reading.language("jv"), self.reading.language("zz")) == ("Jawa (jv)", "zz")

    def test_a_region_has_its_code_beside_its_name(self) -> None:
        assert self.reading.value(RegionCode, "81.71").text == "Kota Ambon, Maluku (81.71)"
        assert self.reading.region("99.99") == "99.99"

    @pytest.mark.parametrize(("given", "said"), [(9.0, "9"), (9.5, "9,5"), (12_000_000, "12.000.000")])
    def test_a_number_is_parted_as_the_language_does(self, given: float, said: str) -> None:
        assert self.reading.number(given) == said

    def test_a_date_is_said_as_exactly_as_it_is_known(self) -> None:
        assert self.reading.value(PartialDate, "1998-03-XX~").text == "sekitar Maret 1998"

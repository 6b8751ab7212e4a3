"""The forms in a real browser: no complaint, no request, and A4 pages that are whole."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.app.pages.conftest import Visit
from tests.makers import records
from tests.makers.world import World

A4 = (595, 842)
"""In points, as a PDF counts."""


async def pages_of(visit: Visit) -> list[tuple[int, int]]:
    """The size of each page the browser prints."""
    pdf = await visit.page.pdf(prefer_css_page_size=True, print_background=True)
    boxes = re.findall(rb"/MediaBox\s*\[\s*0\s+0\s+([\d.]+)\s+([\d.]+)\s*\]", pdf)
    assert len(boxes) == len(re.findall(rb"/Type\s*/Page\b", pdf))
    return [(round(float(width)), round(float(height))) for width, height in boxes]


async def show(visit: Visit, reply: Any) -> None:
    """Load an answer that a browser could not ask for itself, with its headers."""
    address = f"{visit.origin}/printed"
    await visit.page.route(
        address, lambda route: route.fulfill(status=200, headers=dict(reply.headers), body=reply.content)
    )
    await visit.page.goto(address, wait_until="load")


class TestAReferral:
    async def test_loads_quietly_and_prints_on_a4(self, visit: Visit, world: World) -> None:
        papers = [
            {"kind": "other", "number": f"No. {number}", "note": "Held by the harbour office."} for number in range(40)
        ]
        record = records.full_record(attachments={"papers": papers})
        bases = [records.legal_basis(*records.FULL_SECTIONS, "attachments")]
        sent = await world.accepted(record=record, purpose="social_rehabilitation", bases=bases)
        await show(visit, await sent.receiver.get(f"{sent.path}/form"))
        visit.went_well()
        assert visit.asked == [f"{visit.origin}/printed"]
        assert await visit.page.title() == sent.reply.json()["reference"]
        assert set(await pages_of(visit)) == {A4}
        weight = await visit.page.evaluate("getComputedStyle(document.querySelector('h1')).fontSize")
        assert float(weight.removesuffix("px")) > 20, "its styles passed its own policy"

    async def test_lets_no_script_run_that_gets_into_it(self, visit: Visit, world: World) -> None:
        sent = await world.accepted()
        await show(visit, await sent.receiver.get(f"{sent.path}/form"))
        await visit.page.evaluate(
            """() => { const script = document.createElement("script"); script.textContent = "window.ran = true"; document.body.append(script); }"""
        )
        assert await visit.page.evaluate("window.ran") is None
        assert [text for text in visit.wrong if "script" in text]

    @pytest.mark.parametrize("width", [320, 640])
    async def test_is_readable_on_a_telephone_and_at_twice_the_size(
        self, visit: Visit, world: World, width: int
    ) -> None:
        sent = await world.accepted(
            record=records.full_record(),
            purpose="social_rehabilitation",
            bases=[records.legal_basis(*records.FULL_SECTIONS)],
        )
        await visit.page.set_viewport_size({"width": width, "height": 800})
        await show(visit, await sent.receiver.get(f"{sent.path}/form"))
        assert await visit.page.evaluate("document.documentElement.scrollWidth") <= width


class TestABlankForm:
    @pytest.mark.parametrize("lang", ["id", "en"])
    async def test_for_an_emergency_is_one_page(self, visit: Visit, lang: str) -> None:
        await visit.go(f"/v1/forms/referral?profile=emergency&lang={lang}")
        assert await pages_of(visit) == [A4]
        visit.went_well()

    async def test_in_full_is_several(self, visit: Visit) -> None:
        await visit.go("/v1/forms/referral?profile=full")
        pages = await pages_of(visit)
        assert set(pages) == {A4}
        assert len(pages) > 5
        visit.went_well()

"""The pages for people, in a real browser: they render, and nothing comes from anywhere else."""

from __future__ import annotations

from playwright.async_api import Browser

from app.foundation.problems import all_problems
from tests.app.pages.conftest import Visit


class TestDocs:
    async def test_shows_every_operation_and_every_message(self, visit: Visit, exchange):
        document = exchange.app.openapi()
        await visit.go("/docs")
        await visit.page.wait_for_selector(".opblock")
        shown = await visit.page.locator(".opblock").count()
        described = (*document["paths"].values(), *document["webhooks"].values())
        assert shown == sum(len(operations) for operations in described)
        summaries = await visit.page.locator(".opblock-summary-description").all_inner_texts()
        assert "Refer a person to another agency" in summaries
        assert await visit.page.title() == "Rujukan: documentation of the API"
        visit.went_well()

    async def test_shows_one_in_full_and_offers_to_send_nothing(self, visit: Visit):
        await visit.go("/docs")
        await visit.page.locator("#operations-referrals-send_referral .opblock-summary-control").click()
        opened = visit.page.locator("#operations-referrals-send_referral .opblock-body")
        await opened.get_by_text("Idempotency-Key").first.wait_for()
        assert await opened.get_by_text("disclosure-refused").count()
        assert await visit.page.get_by_text("Try it out").count() == 0
        assert not await visit.page.get_by_text("Authorize").is_visible()
        visit.went_well()

    async def test_shows_what_a_record_is_made_of(self, visit: Visit):
        await visit.go("/docs")
        await visit.page.locator("#operations-referrals-read_referral .opblock-summary-control").click()
        await visit.page.get_by_text("withheld").first.wait_for()
        visit.went_well()

    async def test_says_where_the_document_is_without_scripts(self, browser: Browser, origin: str):
        page = await browser.new_page(java_script_enabled=False)
        await page.goto(f"{origin}/docs")
        assert await page.get_by_role("link", name="/openapi.json").count() == 1
        await page.close()


class TestProblems:
    async def test_lists_them_and_leads_to_each(self, visit: Visit):
        await visit.go("/problems")
        assert await visit.page.locator("tbody tr").count() == len(list(all_problems()))
        await visit.page.get_by_role("link", name="stale-version").click()
        await visit.page.get_by_role("heading", name="It has changed since you read it").wait_for()
        await visit.page.get_by_text("Nothing was done. Read it again").wait_for()
        await visit.page.get_by_text("Data telah berubah sejak dibaca").wait_for()
        await visit.page.get_by_role("link", name="All problems").click()
        await visit.page.get_by_role("heading", name="Problems").wait_for()
        visit.went_well()

    async def test_is_readable_on_a_telephone(self, visit: Visit):
        await visit.page.set_viewport_size({"width": 360, "height": 740})
        for path in ("/problems", "/problems/disclosure-refused"):
            await visit.go(path)
            wide = await visit.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 360, path
        visit.went_well()


class TestThePolicy:
    async def test_stops_what_comes_from_elsewhere_or_is_written_into_the_page(self, visit: Visit):
        await visit.go("/problems")
        await visit.page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "window.ran = true";
                document.body.append(script);
                const image = document.createElement("img");
                image.src = "https://elsewhere.example/pixel.png";
                document.body.append(image);
            }"""
        )
        await visit.page.wait_for_timeout(200)
        assert await visit.page.evaluate("window.ran") is None
        assert [text for text in visit.wrong if "script-src" in text]
        assert [text for text in visit.wrong if "img-src" in text]

"""The pages for people, in a real browser: they render, and nothing comes from anywhere else."""

from __future__ import annotations

import json

from playwright.async_api import Browser, Locator, expect

from app.foundation.problems import all_problems
from tests.app.pages.conftest import PATIENCE, Visit, visiting
from tests.contract.document import DOCUMENT


async def look_for(docs: Visit, words: str, *, shown: int | None = None) -> Locator:
    """Looks for operations, and returns them all."""
    await docs.page.get_by_placeholder("Find an operation").fill(words)
    operations = docs.page.locator(".opblock-tag-section .opblock")
    if shown is None:
        await operations.first.wait_for()
    else:
        await expect(operations).to_have_count(shown, timeout=PATIENCE)
    return operations


class TestDocs:
    async def test_has_every_operation_and_every_message(self, docs: Visit):
        operations = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
        groups = docs.page.locator(".opblock-tag")
        await expect(groups).to_have_count(len({operation["tags"][0] for operation in operations}), timeout=PATIENCE)
        shown = await look_for(docs, "/", shown=len(operations))
        summaries = await shown.locator(".opblock-summary-description").all_inner_texts()
        assert sorted(summaries) == sorted(operation["summary"] for operation in operations)
        await look_for(docs, "", shown=0)
        await docs.page.get_by_text("Messages that webhooks are sent").click()
        messages = docs.page.locator(".messages .opblock")
        await expect(messages).to_have_count(len(DOCUMENT["webhooks"]), timeout=PATIENCE)
        message = messages.filter(has_text="referral.declined").first
        await message.locator(".opblock-summary-control").click()
        sample = json.loads(await message.locator(".opblock-section-request-body code").first.inner_text())
        assert sample["type"] == "referral.declined"
        assert sample.keys() == DOCUMENT["components"]["schemas"]["WebhookMessage"]["properties"].keys()
        await docs.page.get_by_text("Messages that webhooks are sent").click()
        await expect(messages).to_have_count(0, timeout=PATIENCE)
        assert await docs.page.title() == "Rujukan: documentation of the API"
        docs.went_well()

    async def test_finds_operations_by_any_of_their_words(self, docs: Visit):
        shown = await look_for(docs, "person POST agency refer", shown=1)
        assert await shown.get_attribute("id") == "operations-referrals-send_referral"
        await look_for(docs, "canary", shown=0)
        docs.went_well()

    async def test_shows_one_in_full_and_offers_to_send_nothing(self, docs: Visit):
        await look_for(docs, "refer a person to another agency", shown=1)
        await docs.page.locator("#operations-referrals-send_referral .opblock-summary-control").click()
        opened = docs.page.locator("#operations-referrals-send_referral .opblock-body")
        await opened.get_by_text("Idempotency-Key").first.wait_for()
        assert await opened.get_by_text("disclosure-refused").count()
        assert await opened.get_by_text("stale-version").count() == 0
        sample = json.loads(await opened.locator(".opblock-section-request-body code").first.inner_text())
        assert sample["record"]["identity"]["birth"].keys() >= {"date", "age_band"}
        await opened.get_by_role("tab", name="Schema").first.click()
        await opened.get_by_text("responsibility for the case stays where it is").first.wait_for()
        assert await docs.page.get_by_text("Try it out").count() == 0
        assert not await docs.page.get_by_text("Authorize").is_visible()
        docs.went_well()

    async def test_leads_to_one_and_shows_what_a_record_is_made_of(self, browser: Browser, bare_origin: str):
        async with visiting(browser, bare_origin) as visit:
            await visit.go("/docs#/referrals/read_referral")
            opened = visit.page.locator("#operations-referrals-read_referral .responses-table")
            await opened.get_by_text("withheld").first.wait_for()
            visit.wrong = [
                text for text in visit.wrong if "escaping deep link" not in text
            ]  # of any name with `_` in it
            visit.went_well()

    async def test_says_where_the_document_is_without_scripts(self, browser: Browser, bare_origin: str):
        page = await browser.new_page(java_script_enabled=False)
        await page.goto(f"{bare_origin}/docs")
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

"""The access report: who saw what of a case, for its lead, the reviewing agency and, in plain words, the person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from tests.makers import records
from tests.makers.world import Agency, Passed, World


async def report(who: Agency, case_id: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    path: str | None = f"/v1/cases/{case_id}/access-report?" + "&".join(
        f"{name}={value}" for name, value in query.items()
    )
    while path:
        reply = await who.get(path)
        assert reply.status_code == 200, reply.text
        assert reply.headers["cache-control"] == "no-store"
        found += reply.json()["items"]
        path = reply.json()["next"]
    return found


def told(entries: list[dict[str, Any]]) -> list[tuple[str, str, list[str]]]:
    return [(each["agency"]["code"], each["kind"], each["sections"]) for each in entries]


async def printed(who: Agency, case_id: str, asked_by: str = "person", **options: Any) -> str:
    lang = f"&lang={options.pop('lang')}" if "lang" in options else ""
    reply = await who.get(f"/v1/cases/{case_id}/access-report/form?asked_by={asked_by}{lang}", **options)
    assert reply.status_code == 200, reply.text
    assert "script" not in reply.text
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    return reply.text


@pytest.fixture
async def read(world: World) -> Passed:
    """A referral on a consent: its receiver saw the preview, accepted, read twice, and recorded services."""
    sent = await world.consented(accepted=False)
    await world.iom.get(sent.path)
    await world.moved(sent, "accept")
    await world.iom.get(sent.path)
    await world.iom.get(f"{sent.path}/form")
    await world.moved(sent, "start", "record_service")
    return sent


class TestTheReport:
    async def test_says_who_saw_and_passed_on_what_on_which_basis(self, world: World, read: Passed) -> None:
        entries = await report(world.police, read.case_id)
        sections = ["identity", "safety", "needs"]
        assert told(entries) == [
            ("police", "sent", sections),
            ("iom", "preview", sections),
            ("iom", "read", sections),
            ("iom", "read", sections),
        ]
        consent = await world.consent_of(read)
        for entry in entries:
            assert entry["purpose"] == "shelter" or entry["purpose"]
            (basis,) = entry["bases"]
            assert (basis["basis"], basis["sections"]) == ("consent", sections)
            if entry["kind"] != "sent":
                assert basis["consent"] == consent
        assert entries[0]["to"]["code"] == "iom"
        assert entries[0]["actor"] == "officer-7", "of one's own staff"
        assert {each["actor"] for each in entries[1:]} == {None}, "of others' staff nothing"
        assert (await report(world.police, read.case_id))[-1]["kind"] == "report", "it was looked at itself"

    async def test_says_on_what_a_correction_and_an_emergency_were_read(self, world: World, read: Passed) -> None:
        """Neither is the reader's own record, and the person is not told that it was."""
        right = {"record": {"safety": {"must_know": "Two men."}}, "reason": "There were two."}
        made = await world.police.post(f"/v1/cases/{read.case_id}/corrections", right)
        assert (await world.iom.get(f"/v1/corrections/{made.json()['id']}")).status_code == 200
        need = {"sections": ["identity"], "reason": "medical_emergency", "text": "He does not wake up."}
        opened = await world.iom.post("/v1/emergency-access", {"case_id": read.case_id, **need})
        await world.iom.get(opened.headers["Location"])
        *_, corrected, emergency = [each for each in await report(world.police, read.case_id) if each["kind"] == "read"]
        assert [(each["basis"], each["sections"]) for each in corrected["bases"]] == [("consent", ["safety"])]
        assert corrected["bases"][0]["consent"] == await world.consent_of(read)
        assert [(each["basis"], each["sections"]) for each in emergency["bases"]] == [("vital_interest", ["identity"])]
        page = await printed(world.police, read.case_id, lang="en")
        assert page.count("the agency&#39;s own record") == 1, "that of the police, who corrected it"

    async def test_comes_in_pages(self, world: World, read: Passed) -> None:
        whole = await report(world.police, read.case_id)
        paged = await report(world.police, read.case_id, limit=2)
        assert paged[: len(whole)] == whole
        reply = await world.police.get(f"/v1/cases/{read.case_id}/access-report?limit=2")
        other = await world.send(sender="iom", receiver="lpsk")
        moved = reply.json()["next"].replace(read.case_id, other.case_id)
        assert (await world.iom.get(moved)).status_code == 400, "a cursor is good for its own case and reader"

    async def test_says_when_a_safety_rule_let_somebody_read_on(self, world: World, read: Passed) -> None:
        await world.withdraw(read)
        await world.iom.get(read.path)
        last = [each for each in await report(world.police, read.case_id) if each["agency"]["code"] == "iom"][-1]
        assert (last["kind"], last["sections"], last["after_withdrawal"]) == ("read", [], ["safety"])

    async def test_is_for_the_lead_alone(self, world: World, read: Passed) -> None:
        for agency in (world.iom, world.stranger, world.ministry):
            for path in ("access-report", "access-report/form?asked_by=person"):
                assert (await agency.get(f"/v1/cases/{read.case_id}/{path}")).status_code == 404
            assert (await agency.get(f"/v1/protection/cases/{read.case_id}/access-report")).status_code == 404

    async def test_goes_on_with_the_case_to_the_next_lead(self, world: World) -> None:
        moved = await world.handed_over()
        await world.iom.get(moved.path)
        assert ("police", "sent") in [(code, kind) for code, kind, _ in told(await report(world.iom, moved.case_id))]
        assert (await world.police.get(f"/v1/cases/{moved.case_id}/access-report")).status_code == 404

    async def test_never_says_when_services_were_given_or_what_was_tried(self, world: World, read: Passed) -> None:
        entries = await world.log(case_id=UUID(read.case_id))
        assert "referral:record_service" in [entry["action"] for entry in entries]
        ids = {each["log_entry"] for each in await report(world.police, read.case_id)}
        shown = {entry["action"] for entry in entries if str(entry["id"]) in ids}
        assert shown == {"referral:send", "referral:read"}


class TestTheReviewer:
    @pytest.fixture
    async def reviewing(self, world: World) -> AsyncIterator[None]:
        await world.owner.execute("UPDATE agency SET reviewer = true WHERE code = 'lpsk'")
        await world.exchange.directory.refresh()
        yield
        await world.owner.execute("UPDATE agency SET reviewer = false WHERE reviewer")
        await world.exchange.directory.refresh()

    @pytest.mark.usefixtures("reviewing")
    async def test_sees_who_acted_in_any_case_and_nothing_of_the_person(self, world: World, read: Passed) -> None:
        path = f"/v1/protection/cases/{read.case_id}/access-report"
        reply = await world.lpsk.get(path)
        assert reply.status_code == 200, reply.text
        assert {each["actor"] for each in reply.json()["items"]} == {"officer-7"}
        assert records.NAME not in reply.text
        assert (await world.iom.get(path)).status_code == 404
        assert (await world.lpsk.get(path.replace(read.case_id, read.id))).status_code == 404
        last = (await report(world.police, read.case_id))[-1]
        assert (last["agency"]["code"], last["kind"]) == ("lpsk", "report"), "the lead sees that it was reviewed"


class TestThePrint:
    async def test_is_in_plain_words_of_either_language(self, world: World, read: Passed) -> None:
        page = await printed(world.police, read.case_id, lang="id")
        for said in (
            "Siapa yang melihat data Anda",
            "The iom",
            "Membaca data Anda",
            "(2 kali)",
            "Melihat ringkasan tanpa nama",
            "Anda, atau yang mewakili Anda, menyetujuinya",
            "Identitas, Keamanan, Kebutuhan",
            "WIB",
        ):
            assert said in page, said
        english = await printed(world.police, read.case_id, headers={"Accept-Language": "en"})
        for said in ("Who saw your data", "Read your data", "(2 times)", "agreed to it", "Identity, Safety, Needs"):
            assert said in english, said
        for never in ("officer-7", "iom-system", "log_entry", records.NAME, "Shelter house"):
            assert never not in page + english, never

    async def test_is_not_for_a_guardian_under_suspicion(self, world: World, read: Passed) -> None:
        page = await printed(world.police, read.case_id, "guardian", lang="en")
        assert "Who saw the data of the person you speak for" in page
        reply = await world.police.post(
            f"/v1/cases/{read.case_id}/guardian", {"suspect": True, "reason": "Took the wages."}
        )
        assert reply.status_code == 200, reply.text
        refused = await world.police.get(f"/v1/cases/{read.case_id}/access-report/form?asked_by=guardian")
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/guardian-barred")
        assert (await world.refusals())[-1]["outcome"] == "guardian_barred"
        assert await printed(world.police, read.case_id, "person")
        odd = await world.police.get(f"/v1/cases/{read.case_id}/access-report/form?asked_by=trafficker")
        assert odd.status_code == 422

    async def test_of_a_case_nobody_read_says_so(self, world: World) -> None:
        opened = (await world.police.post("/v1/cases", {"entry_channel": "police_report"})).json()
        assert "No agency has read your data yet." in await printed(world.police, opened["id"], lang="en")

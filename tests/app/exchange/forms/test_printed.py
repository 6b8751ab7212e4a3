"""A referral or transfer on paper: no more than its reader may read, and less where paper is not safe."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.app.exchange.forms.reading_pages import strings_in, tags_of, text_of
from tests.makers import records
from tests.makers.world import Agency, Passed, World

FULL = {
    "record": records.full_record(),
    "purpose": "social_rehabilitation",
    "bases": [records.legal_basis(*records.FULL_SECTIONS)],
}
WORDS = (records.NAME, records.SECRET_PLACE, records.SECRET_STORY, "Rifampicin", "Melati", "6281234567890", "harbour")
"""Words of the full record that no preview may hold."""
PLACE = {
    "kind": "household",
    "name": "Rumah Ibu Kenanga",
    "street": "Jalan Kenanga Buntu 9",
    "rt": "004",
    "village": "Desa Bayangan",
    "regency": "Kabupaten Samaran",
    "country": "ID",
    "directions": "Behind the blue mosque",
}
SECRET = ("Kenanga", "004", "Bayangan", "Samaran", "blue mosque")


async def form(passed: Passed, who: Agency | None = None, lang: str | None = None) -> httpx.Response:
    query = f"?lang={lang}" if lang else ""
    return await (who or passed.receiver).get(f"{passed.path}/form{query}")


async def printed(passed: Passed, who: Agency | None = None, lang: str = "en") -> str:
    reply = await form(passed, who, lang)
    assert reply.status_code == 200, reply.text
    return text_of(reply.text)


def sent_with(*sections: str, **record: Any) -> dict[str, Any]:
    return {
        "record": records.record(**record),
        "purpose": "social_rehabilitation",
        "bases": [records.legal_basis("identity", "safety", "needs", *sections)],
    }


class TestWhoMayPrint:
    async def test_not_a_stranger_and_the_attempt_is_logged(self, world: World) -> None:
        sent = await world.accepted(**FULL)
        reply = await form(sent, world.stranger)
        assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")
        (entry,) = await world.refusals()
        assert (str(entry["subject_id"]), entry["outcome"]) == (sent.id, "not_found")

    async def test_a_printing_is_logged_as_a_reading(self, world: World) -> None:
        sent = await world.accepted(**FULL)
        await form(sent)
        await sent.receiver.get(sent.path)
        printing, reading = await world.log(action="referral:read", subject_id=UUID(sent.id))
        assert printing["detail"] == reading["detail"]
        assert json.loads(printing["detail"])["sections"] == list(records.FULL_SECTIONS)

    async def test_in_a_language_there_is(self, world: World) -> None:
        sent = await world.send()
        assert tags_of((await form(sent)).text)[0] == ("html", {"lang": "id"})
        assert tags_of((await form(sent, lang="en")).text)[0] == ("html", {"lang": "en"})
        for wrong in ("fr", "ID", "id&lang=en"):
            reply = await form(sent, lang=wrong)
            assert (reply.status_code, reply.json()["errors"][0]["parameter"]) == (422, "lang")


class TestBeforeAcceptance:
    @pytest.mark.parametrize("kind", ["referral", "transfer"])
    async def test_is_a_preview_and_says_so_to_either_side(self, world: World, kind: str) -> None:
        sent = await world.send(kind=kind, **{**FULL, "purpose": "case_responsibility"})
        for who in (sent.receiver, sent.sender):
            page = await printed(sent, who)
            assert "Preview, not yet accepted" in page
            assert "Shelter for men" in page
            assert [word for word in WORDS if word in page] == [], "a sheet may be handed over, the sender's too"
            assert "Signature" not in page

    async def test_to_the_receiver_opens_with_the_acceptance(self, world: World) -> None:
        sent = await world.accepted(**FULL)
        page = await printed(sent)
        assert "Preview" not in page
        assert [word for word in WORDS if word not in page] == ["6281234567890"], "that number is not safe"
        assert "Signature and stamp" in page

    async def test_closes_again_when_it_is_declined(self, world: World) -> None:
        sent = await world.accepted(**FULL)
        await world.moved(sent, "decline")
        page = await printed(sent)
        assert [word for word in WORDS if word in page] == []
        assert "Closed; not printed" in page


class TestSectionsThatAreNotOpen:
    async def test_are_named_after_a_withdrawal_without_their_content(self, world: World) -> None:
        sent = await world.consented(
            "health",
            "psychosocial",
            **FULL
            | {
                "receiver": "shelter",
                "bases": [
                    {"kind": "consent", "sections": ["health", "psychosocial"]},
                    records.legal_basis("identity", "contact", "location", "safety", "needs", "narrative"),
                ],
            },
        )
        assert "Rifampicin" in await printed(sent)
        await world.withdraw(sent)
        page = await printed(sent)
        assert "Rifampicin" not in page
        assert "Melati" not in page
        assert "This section was sent. Locked; not printed." in page
        assert "Locked; not printed" in page
        assert records.NAME in page

    async def test_keep_the_person_safe_who_is_there(self, world: World) -> None:
        """For a day what protects the person stays readable to whoever has them, and the sheet says why."""
        sent = await world.consented(
            "safety",
            "health",
            receiver="shelter",
            record=records.full_record(),
            purpose="social_rehabilitation",
            bases=[
                {"kind": "consent", "sections": ["safety", "health"]},
                records.legal_basis("identity", "contact", "location", "psychosocial", "needs", "narrative"),
            ],
        )
        await world.moved(sent, "start")
        await world.withdraw(sent)
        page = await printed(sent)
        assert "The consent was withdrawn. Of the sections that rested on it, only" in page, "others stand there too"
        assert "He was followed from the harbour." in page
        assert "Rifampicin" in page
        world.exchange.later(hours=25)
        page = await printed(sent)
        assert "Rifampicin" not in page
        assert "harbour" not in page
        assert records.SECRET_PLACE not in page, "with safety closed nobody knows whether the place is to stay secret"

    async def test_are_in_no_form_of_a_reader_whose_answer_does_not_have_them(self, world: World) -> None:
        made = await world.busy()
        read = {
            (name, who.code): await who.get(passed.path)
            for name, passed in made.items()
            for who in (passed.sender, passed.receiver, world.stranger)
        }
        texts = {text for answer in read.values() for text in strings_in(answer.json()) if " " in text} | set(WORDS)
        # what names an agency, or a law, may stand on any sheet
        secrets = {text for text in texts if not text.startswith("The ") or text == records.SECRET_STORY}
        for (name, who), answer in read.items():
            page = await form(made[name], world.agencies[who])
            assert page.status_code == answer.status_code
            told = strings_in(answer.json())
            assert [
                text for text in secrets if text in text_of(page.text) and not any(text in each for each in told)
            ] == []


class TestPlaces:
    def address(self, kind: str = "current", **place: Any) -> dict[str, Any]:
        return {"addresses": [{"kind": kind, "place": PLACE | place}]}

    async def test_are_printed_where_nothing_speaks_against_it(self, world: World) -> None:
        page = await printed(await world.accepted(**sent_with("location", location=self.address())))
        assert "Rumah Ibu Kenanga, Jalan Kenanga Buntu 9, RT 004, Desa Bayangan, Kabupaten Samaran, Indonesia" in page

    @pytest.mark.parametrize("lang", ["id", "en"])
    @pytest.mark.parametrize("kind", ["current", "intended", "postal"])
    async def test_of_the_person_are_not_printed_if_they_are_to_stay_secret(
        self, world: World, lang: str, kind: str
    ) -> None:
        told = {
            "safety": {"flags": ["confidential_place"], "must_know": "Never name JALAN  kenanga buntu 9 on the phone."},
            "location": self.address(kind),
        }
        sent = await world.accepted(**sent_with("location", **told))
        for who in (sent.receiver, sent.sender):
            page = await printed(sent, who, lang)
            assert [word for word in (*SECRET, "kenanga buntu") if word in page] == []
            assert ("tempat dirahasiakan" if lang == "id" else "the place is to stay secret") in page

    async def test_where_the_person_came_from_are_printed_all_the_same(self, world: World) -> None:
        told = {"safety": {"flags": ["confidential_place"]}, "location": self.address("origin")}
        assert "Kabupaten Samaran" in await printed(await world.accepted(**sent_with("location", **told)))

    async def test_where_the_person_will_be_are_not_printed_either(self, world: World) -> None:
        told = {
            "safety": {"flags": ["confidential_place"]},
            "migration": {
                "return_home": {"wish": "return_home", "destination": PLACE},
                "reintegration": {"place": PLACE, "plan": "She opens a stall at Rumah Ibu Kenanga."},
            },
        }
        sent = await world.accepted(**sent_with("migration", **told))
        page = await printed(sent)
        assert [word for word in SECRET if word in page] == []
        assert "She opens a stall at [not printed: the place is to stay secret]." in page

    async def test_of_a_confidential_service_point_are_never_named(self, world: World) -> None:
        for name, shown in (("office", True), ("house", False)):
            sent = await world.send(receiver="shelter")
            point = {"service_point": world.service_points[name], "meeting_point": "Main gate"}
            assert (await world.move(sent, "accept", world.acceptance(**point))).status_code == 200
            for who in (sent.sender, sent.receiver):
                page = await printed(sent, who)
                assert (f"Shelter {name}" in page) is shown
                assert "Main gate" in page


class TestWaysOfContact:
    def channel(self, safe: str, **more: Any) -> dict[str, Any]:
        return {"kind": "mobile_phone", "value": "+628110004321", "safe": safe, **more}

    async def test_are_printed_where_they_are_safe(self, world: World) -> None:
        told = {"contact": {"channels": [self.channel("yes")]}}
        assert "+628110004321" in await printed(await world.accepted(**sent_with("contact", **told)))

    @pytest.mark.parametrize("safe", ["no", "unknown", "not_asked", "declined"])
    async def test_are_left_out_where_they_are_not_known_to_be(self, world: World, safe: str) -> None:
        told = {"contact": {"channels": [self.channel(safe)]}}
        sent = await world.accepted(**sent_with("contact", **told))
        for lang, warning in (("id", "JANGAN DIHUBUNGI"), ("en", "DO NOT USE")):
            page = await printed(sent, lang=lang)
            assert "8110004321" not in page
            assert warning in page
            assert "321." in page, "enough to know it by when it rings"

    async def test_of_who_must_not_be_contacted_are_left_out(self, world: World) -> None:
        contact = {"do_not_contact": [{"who": "employer", "name": "Pak Samar", "value": "+628110009876"}]}
        page = await printed(await world.accepted(**sent_with("contact", contact=contact)))
        assert "8110009876" not in page
        assert "Pak Samar" in page

    async def test_are_left_out_as_they_were_typed_too(self, world: World) -> None:
        told = {"contact": {"channels": [self.channel("no") | {"value": "0811-000-4321"}]}}
        sent = await world.accepted(**sent_with("contact", **told))
        (kept,) = (await sent.receiver.get(sent.path)).json()["record"]["contact"]["channels"]
        assert kept["typed"] == "0811-000-4321"
        assert "4321" not in (await form(sent)).text

    async def test_that_are_called_safe_and_named_among_those_not_to_use_are_left_out(self, world: World) -> None:
        barred = [{"who": "employer", "value": "0811 000 4321"}]
        told = {"contact": {"channels": [self.channel("yes")], "do_not_contact": barred}}
        page = await printed(await world.accepted(**sent_with("contact", **told)))
        assert "4321" not in page
        assert "DO NOT USE. Not printed, for safety. Ends in 321." in page

    @pytest.mark.parametrize(
        "typed", ["+628110004321", "628110004321", "0811-000-4321", "(0811) 000 4321", "0811\u20110004321"]
    )
    async def test_that_are_not_safe_are_left_out_of_other_texts(self, world: World, typed: str) -> None:
        told = {
            "contact": {
                "channels": [self.channel("no"), {"kind": "social_media", "value": "Melati.Hidden", "safe": "unknown"}],
                "note": f"Never call {typed}, call +628110004322; she is also melati.hidden there.",
            },
        }
        page = await printed(await world.accepted(**sent_with("contact", **told)))
        said = "Never call [not printed: not known to be safe], call +628110004322;"
        assert f"{said} she is also [not printed: not known to be safe] there." in page

    async def test_of_a_suspected_guardian_are_left_out(self, world: World) -> None:
        guardian = {"standing": "parent", "suspected": "yes", "channels": [self.channel("yes")]}
        page = await printed(await world.accepted(**sent_with("family", family={"guardian": guardian})))
        assert "8110004321" not in page
        assert "A guardian is under suspicion" in page


class TestWhatItSays:
    async def test_dates_and_ages_in_words(self, world: World) -> None:
        birth = {"estimated_age": 31, "as_of": "2026-11-02"}
        record = records.record(
            identity={"names": [{"full": "Sari"}], "birth": birth, "sex": "declined", "gender": "not_asked"},
            legal={"police_reports": [{"made_on": "2025"}, {"made_on": "2025-08"}, {"made_on": "2025-08-17"}]},
        )
        bases = [records.legal_basis("identity", "safety", "needs", "legal")]
        sent = await world.accepted(record=record, bases=bases, purpose="legal_assistance", receiver="lpsk")
        indonesian, english = await printed(sent, lang="id"), await printed(sent)
        for said in ("umur diperkirakan 31 tahun per 02-11-2026", "tahun 2025", "Agustus 2025", "17-08-2025"):
            assert said in indonesian
        for said in ("age estimated at 31 years as of 02-11-2026", "August 2025", "17-08-2025"):
            assert said in english
        assert "Menolak menjawab" in indonesian
        assert "Tidak ditanyakan" in indonesian

    async def test_until_when_an_answer_is_owed_by_whose_clock(self, world: World) -> None:
        regions = {"police": "81", "iom": "31"}
        try:
            for code, region in regions.items():
                await world.owner.execute("UPDATE agency SET region = $2 WHERE code = $1", code, region)
            await world.owner.execute("UPDATE epoch SET value = value + 1")
            await world.exchange.directory.refresh()
            page = await printed(await world.send(urgency="immediate"), lang="id")
        finally:
            await world.owner.execute("UPDATE agency SET region = NULL")
            await world.owner.execute("UPDATE epoch SET value = value + 1")
            await world.exchange.directory.refresh()
        owed = page[page.index("Dijawab paling lambat") :].splitlines()[1:3]
        assert [line.split()[-1] for line in owed] == ["WIB", "WIT"]

    async def test_who_printed_it_and_no_name_of_staff(self, world: World) -> None:
        reply = await form(await world.accepted(), lang="en")
        assert "Printed by The iom on " in text_of(reply.text)
        assert "officer-7" not in reply.text

    async def test_that_no_warning_is_no_promise(self, world: World) -> None:
        record = records.record(safety={"told_by": "person"})
        page = await printed(await world.accepted(record=record))
        assert "No warning is recorded. That does not mean it is safe" in page

    async def test_that_it_was_sent_in_error(self, world: World) -> None:
        sent = await world.accepted()
        await world.moved(sent, "report_error")
        assert "The sender reports that this was sent in error." in await printed(sent)

    async def test_what_comes_with_a_case_once_it_is_accepted(self, world: World) -> None:
        more = {"tasks": ["Call Tual on Monday."], "protective_measures": ["Never alone at the gate."]}
        sent = await world.send(kind="transfer", receiver="ministry", **more)
        page = await printed(sent)
        assert "Tasks still to be done" in page
        assert "Call Tual" not in page
        await world.moved(sent, "accept")
        page = await printed(sent)
        assert "Call Tual on Monday." in page
        assert "Never alone at the gate." in page
        assert "Case Transfer Form" in page

    async def test_what_an_agency_adds_for_itself_however_deep(self, world: World) -> None:
        own = {"trips": [["Tual", "Kai \U000101fe"], {"left": True}]}
        record = records.record(extensions={"police": {"own": own}})
        bases = [records.legal_basis("identity", "safety", "needs", "extensions")]
        sent = await world.accepted(record=record, bases=bases, purpose="social_rehabilitation", receiver="shelter")
        page = await printed(sent)
        assert "Tual; Kai \U000101fe" in page
        assert "[" not in page, "as people write, not as a program does"


class TestTheAnswer:
    async def test_is_a_page_that_fetches_nothing_and_is_kept_by_nobody(self, world: World) -> None:
        sent = await world.accepted(**FULL)
        reply = await form(sent)
        reference = sent.reply.json()["reference"]
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["content-disposition"] == f'inline; filename="{reference}.html"'
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
        policy = reply.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        tags = tags_of(reply.text)
        assert not {"script", "link", "img", "iframe", "form", "object", "base"} & {tag for tag, _ in tags}
        assert not {"src", "href", "style"} & {name for _, attributes in tags for name in attributes}
        assert f"<title>{reference}</title>" in reply.text, "a window, a history and a file name show no person"

    async def test_escapes_whatever_is_written_into_a_record(self, world: World) -> None:
        evil = "</style><script>alert(1)</script>\"onload='x' &lt; {{ 7 * 7 }}"
        record = records.record(
            identity={
                "names": [{"full": evil, "given": evil}],
                "occupations": [evil],
                "external_ids": [{"system": evil, "number": "1"}],
            },
            safety={"must_know": evil, "threats": [{"kind": "death", "note": evil}]},
            narrative={"entries": [{"text": evil, "language": "id", "author_role": "doctor"}]},
            extensions={"police": {evil: {evil: [evil]}}},
        )
        bases = [records.legal_basis("identity", "safety", "needs", "narrative", "extensions")]
        sent = await world.accepted(record=record, bases=bases, purpose="social_rehabilitation", receiver="shelter")
        reply = await form(sent)
        assert evil in strings_in((await sent.receiver.get(sent.path)).json())
        assert text_of(reply.text).count(evil) >= 6
        assert "script" not in {tag for tag, _ in tags_of(reply.text)}
        assert "onload" not in {name for _, attributes in tags_of(reply.text) for name in attributes}

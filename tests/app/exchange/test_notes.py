"""Notes both ways: what they are, who may read them while, whether they were answered, and how far each side has read."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from schemas.text import TEXT_MAX
from tests.makers import records
from tests.makers.world import Agency, Passed, World

WORDS = "He takes Rifampicin, his brother told us on the quay."


async def notes(passed: Passed, who: Agency) -> dict[str, Any]:
    reply = await who.get(f"{passed.path}/notes")
    assert reply.status_code == 200, reply.text
    assert reply.headers["cache-control"] == "no-store"
    found: dict[str, Any] = reply.json()
    return found


async def write(passed: Passed, who: Agency, text: str = WORDS, **more: Any) -> httpx.Response:
    return await who.post(f"{passed.path}/notes", {"text": text, **more})


async def wrote(passed: Passed, who: Agency, text: str = WORDS, **more: Any) -> str:
    """The id of a note that was taken."""
    reply = await write(passed, who, text, **more)
    assert reply.status_code == 200, reply.text
    return str((await notes(passed, who))["items"][-1]["id"])


async def mark(passed: Passed, who: Agency, through: str) -> httpx.Response:
    return await who.client.request("PUT", f"{passed.path}/notes/read", json={"through": through}, actor=who.actor)


async def texts(passed: Passed, who: Agency) -> list[str | None]:
    return [each["text"] for each in (await notes(passed, who))["items"]]


def why(reply: httpx.Response) -> tuple[int, Any]:
    body = reply.json()
    return reply.status_code, body.get("refused") or [(each["pointer"], each["code"]) for each in body["errors"]]


@pytest.mark.parametrize("kind", ["referral", "transfer"])
class TestAConversation:
    async def test_is_read_by_both_sides_and_by_nobody_else(self, world: World, kind: str) -> None:
        accepted = await world.moved(await world.send(kind=kind, sender="iom", receiver="ministry"), "accept")
        asked = await wrote(accepted, world.ministry, "Which ship?", kind="question")
        again = await wrote(accepted, world.ministry, "When?", kind="question")
        said = await wrote(accepted, world.iom, "The Mina.", section="safety", kind="answer", in_reply_to=asked)
        await wrote(accepted, world.iom, "Good morning.", section="needs")
        for who in (world.iom, world.ministry):
            items = (await notes(accepted, who))["items"]
            assert [(n["number"], n["kind"], n["author"]["code"], n["section"], n["text"]) for n in items] == [
                (1, "question", "ministry", None, "Which ship?"),
                (2, "question", "ministry", None, "When?"),
                (3, "answer", "iom", "safety", "The Mina."),
                (4, "information", "iom", "needs", "Good morning."),
            ]
            assert [(n["id"], n["answers"]) for n in items[:2]] == [(asked, [said]), (again, [])]
            assert items[2]["in_reply_to"] == asked
            assert {n["withheld"] for n in items} == {None}
        stranger = await world.stranger.get(f"{accepted.path}/notes")
        assert (stranger.status_code, (await write(accepted, world.stranger)).status_code) == (404, 404)
        assert (await mark(accepted, world.stranger, asked)).status_code == 404

    async def test_is_read_by_pages_and_counted_in_what_it_is_about(self, world: World, kind: str) -> None:
        accepted = await world.moved(await world.send(kind=kind, sender="iom", receiver="ministry"), "accept")
        asked = await wrote(accepted, world.ministry, "Which ship?", kind="question")
        for number in range(2, 5):
            await wrote(accepted, world.iom, f"Note {number}", section="needs")
        said = await wrote(accepted, world.iom, "The Mina.", section="safety", kind="answer", in_reply_to=asked)

        pages, path = [], f"{accepted.path}/notes?limit=2"
        while path:
            page = (await world.ministry.get(path)).json()
            pages.append(page)
            path = page["next"]
        assert [[n["number"] for n in page["items"]] for page in pages] == [[1, 2], [3, 4], [5]]
        assert [page["unread"] for page in pages] == [4, 4, 4], "of all pages"
        assert pages[0]["items"][0]["answers"] == [said], "on whatever page that is"
        entries = await world.owner.fetch(
            "SELECT (detail->>'notes')::integer AS notes FROM log_entry WHERE action = 'note:read' AND agency_id = $1"
            " ORDER BY recorded_at DESC, id DESC LIMIT 3",
            world.id_of("ministry"),
        )
        assert sorted(row["notes"] for row in entries) == [1, 2, 2], "each page is a reading"

        await mark(accepted, world.ministry, pages[1]["items"][-1]["id"])
        for who, unread in ((world.ministry, 1), (world.iom, 1)):
            assert (await who.get(accepted.path)).json()["notes_unread"] == unread
        last = (await world.ministry.get(pages[1]["next"])).json()
        assert [each["through"] for each in last["read"] if each["agency"]["code"] == "ministry"] == [
            pages[1]["items"][-1]["id"]
        ]
        # a place in one list is none in another's, nor another agency's
        for who, at in ((world.iom, pages[0]["next"]), (world.ministry, f"{accepted.path}/notes?cursor=x")):
            reply = await who.get(at)
            assert (reply.status_code, reply.json()["type"]) == (400, "/problems/invalid-cursor")
        assert (await world.stranger.get(pages[0]["next"])).status_code in (400, 404)

    async def test_shows_each_side_how_far_the_other_has_read(self, world: World, kind: str) -> None:
        accepted = await world.moved(await world.send(kind=kind, sender="iom", receiver="ministry"), "accept")
        first, second, third = [await wrote(accepted, world.ministry, text) for text in ("One.", "Two.", "Three.")]
        before = await world.row(accepted)
        assert (await notes(accepted, world.iom))["unread"] == 3
        assert (await mark(accepted, world.iom, second)).status_code == 204
        assert (await mark(accepted, world.iom, first)).status_code == 204, "and it does not go back"
        found = await notes(accepted, world.ministry)
        assert [n["read_by_other"] for n in found["items"]] == [True, True, False]
        assert [(each["agency"]["code"], each["through"]) for each in found["read"]] == [
            ("iom", second),
            ("ministry", None),
        ]
        assert (found["unread"], (await notes(accepted, world.iom))["unread"]) == (0, 1)
        assert await world.row(accepted) == before, "reading changes nothing else"
        assert (await mark(accepted, world.iom, third)).status_code == 204
        assert (await notes(accepted, world.iom))["unread"] == 0
        marked = [orjson.loads(entry["detail"]) for entry in await world.log(action=f"{kind}:mark_notes")]
        assert marked == [{"through": second}, {"through": third}]

    async def test_that_waits_stands_in_the_inbox_until_it_is_read(self, world: World, kind: str) -> None:
        accepted = await world.moved(await world.send(kind=kind, sender="iom", receiver="ministry"), "accept")
        last = [await wrote(accepted, world.ministry, text) for text in ("One.", "Two.")][-1]
        for code, waiting in (("iom", 1), ("ministry", 0), ("stranger", 0)):
            agency = world.agencies[code]
            items = (await agency.get("/v1/inbox?kind=read_notes")).json()["items"]
            assert [(each["subject"], each["id"], each["deadline"]) for each in items] == [
                (kind, accepted.id, None)
            ] * waiting
            counts = (await agency.get("/v1/inbox/counts")).json()["counts"]
            assert counts["read_notes"] == {"waiting": waiting, "overdue": 0}
        await mark(accepted, world.iom, last)
        assert (await world.iom.get("/v1/inbox?kind=read_notes")).json()["items"] == []
        assert WORDS not in (await world.iom.get("/v1/inbox")).text

    async def test_ends_with_what_it_was_about_and_can_still_be_read(self, world: World, kind: str) -> None:
        events = ("accept", "start", "complete") if kind == "referral" else ("accept", "confirm_handover")
        accepted = await world.moved(await world.send(kind=kind, sender="iom", receiver="ministry"), events[0])
        note = await wrote(accepted, world.ministry)
        await world.moved(accepted, *events[1:])
        assert (await write(accepted, world.ministry)).status_code == 409
        assert await texts(accepted, world.iom) == [WORDS]
        assert (await mark(accepted, world.iom, note)).status_code == 204

    async def test_is_logged_when_it_is_read_by_the_sections_it_told_of(self, world: World, kind: str) -> None:
        accepted = await world.moved(await world.send(kind=kind, sender="iom", receiver="ministry"), "accept")
        await wrote(accepted, world.ministry, section="health")
        await wrote(accepted, world.ministry)
        await wrote(accepted, world.iom, section="safety")
        await notes(accepted, world.iom)
        await world.iom.get(accepted.path)
        *_, read = await world.log(action="note:read")
        (shown,) = await world.log(action=f"{kind}:read")
        for entry in (read, shown):
            assert orjson.loads(entry["detail"])["words"] == ["health", "needs"]
        assert (read["subject"], read["subject_id"], read["case_id"]) == (
            kind,
            UUID(accepted.id),
            UUID(accepted.case_id),
        )
        assert "Rifampicin" not in str([dict(each) for each in await world.log()])


class TestAnAnswer:
    async def test_names_a_question_of_the_other_side_of_the_same_referral(self, world: World) -> None:
        here, elsewhere = [await world.accepted(sender="iom", receiver="shelter") for _ in range(2)]
        other = await wrote(elsewhere, world.iom, "Who?", kind="question", section="needs")
        own = await wrote(here, world.shelter, "Which?", kind="question")
        told = await wrote(here, world.iom, "Three.", section="needs")
        unknown = (422, [("/in_reply_to", "unknown_question")])
        for question in (other, own, told, str(uuid4()), here.id):
            assert why(await write(here, world.shelter, kind="answer", in_reply_to=question)) == unknown
        for kind in ("question", "information"):
            assert why(await write(here, world.iom, section="needs", kind=kind, in_reply_to=own)) == (
                422,
                [("", "reply_is_answer")],
            )
        assert len((await notes(here, world.iom))["items"]) == 2
        assert (await write(here, world.shelter, kind="answer")).status_code == 200, (
            "to what was asked on the telephone"
        )

    async def test_that_names_no_section_is_of_the_one_that_was_asked_of(self, world: World) -> None:
        """Else what was asked of health would be told under `needs`, and stay open when the consent for health is withdrawn."""
        sent = await world.consented("identity", "needs", "safety", "health", sender="iom", receiver="shelter",
                                     record=records.record(health={"medicines": [{"name": "Paracetamol"}]}))  # fmt: skip
        asked = await wrote(sent, world.iom, "Which medicines?", section="health", kind="question")
        answer = {"kind": "answer", "in_reply_to": asked}
        await wrote(sent, world.shelter, **answer)
        assert [n["section"] for n in (await notes(sent, world.iom))["items"]] == ["health", "health"]
        assert (await texts(sent, world.iom))[1] == WORDS
        await world.withdraw(sent, "health", by=world.iom)
        assert (await texts(sent, world.iom))[1] is None
        assert why(await write(sent, world.shelter, **answer)) == (422, [("/basis", "section_not_open")])
        back = await wrote(sent, world.shelter, "When?", section="needs", kind="question")
        assert why(await write(sent, world.iom, kind="answer", in_reply_to=back)) == (422, [("/section", "missing")])

    async def test_is_one_of_many(self, world: World) -> None:
        sent = await world.accepted(sender="iom", receiver="shelter")
        asked = await wrote(sent, world.shelter, "Which ship?", kind="question")
        both = [await wrote(sent, world.iom, each, section="needs", kind="answer", in_reply_to=asked) for each in "AB"]
        assert (await notes(sent, world.iom))["items"][0]["answers"] == both


class TestWhatTheReceiverWrites:
    async def test_is_refused_where_the_sender_s_kind_may_not_hold_its_section(self, world: World) -> None:
        """A health facility's people read of the law suit in no note either; the way back is no way round the tables."""
        await world.newcomer("clinic", "health_facility")
        sent = await world.accepted(sender="clinic", receiver="iom", purpose="social_rehabilitation")
        for section in ("legal", "narrative"):
            refused = (403, [{"section": section, "reason": "agency_kind"}])
            assert why(await write(sent, world.iom, section=section)) == refused
        assert (await write(sent, world.iom, "She eats.", section="health")).status_code == 200
        livelihood = await world.accepted(sender="iom", receiver="shelter", purpose="livelihood")
        assert why(await write(livelihood, world.shelter, section="health")) == (
            403,
            [{"section": "health", "reason": "purpose"}],
        )
        assert await texts(livelihood, world.iom) == []

    async def test_reaches_no_police_and_its_author_is_told_so(self, world: World) -> None:
        sent = await world.accepted()
        await wrote(sent, world.iom)
        await wrote(sent, world.iom, section="location")
        await wrote(sent, world.iom, section="location", basis=records.legal_basis("location"))
        assert [(n["text"], n["open_to_other"]) for n in (await notes(sent, world.iom))["items"]] == [
            (WORDS, False), (WORDS, False), (WORDS, True),
        ]  # fmt: skip
        assert [(n["text"], n["withheld"]) for n in (await notes(sent, world.police))["items"]] == [
            (None, "not_for_sender"), (None, "not_for_sender"), (WORDS, None),
        ]  # fmt: skip

    async def test_that_reaches_nobody_waits_for_nobody(self, world: World) -> None:
        sent = await world.accepted()
        first = await wrote(sent, world.iom)
        assert (await notes(sent, world.police))["unread"] == 0
        assert (await world.police.get("/v1/inbox?kind=read_notes")).json()["items"] == []
        await wrote(sent, world.iom, section="location", basis=records.legal_basis("location"))
        assert (await notes(sent, world.police))["unread"] == 1
        assert (await mark(sent, world.police, first)).status_code == 204
        assert len((await world.police.get("/v1/inbox?kind=read_notes")).json()["items"]) == 1

    async def test_locks_with_the_consent_its_section_came_on(self, world: World) -> None:
        sent = await world.consented(
            "identity",
            "needs",
            "safety",
            "health",
            sender="iom",
            receiver="shelter",
            record=records.record(health={"medicines": [{"name": "Paracetamol"}]}),
        )
        for section in ("health", "psychosocial", "needs"):
            await wrote(sent, world.shelter, section, section=section)
        await wrote(sent, world.iom, "Yours.", section="health")
        await world.withdraw(sent, "health", by=world.iom)
        assert await texts(sent, world.iom) == [None, "psychosocial", "needs", "Yours."]
        assert await texts(sent, world.shelter) == ["health", "psychosocial", "needs", None]
        assert [n["withheld"] for n in (await notes(sent, world.iom))["items"]] == ["not_open", None, None, None]
        assert why(await write(sent, world.shelter, section="health")) == (422, [("/basis", "section_not_open")])
        assert (
            await write(sent, world.shelter, "Ill.", section="health", basis=records.legal_basis("health"))
        ).status_code == 200
        assert (await texts(sent, world.iom))[-1] == "Ill."
        history = (await world.iom.get(sent.path)).json()["history"]
        assert [each["text"] for each in history if each["event"] == "note"] == await texts(sent, world.iom)

    async def test_is_gone_once_it_is_erased(self, world: World) -> None:
        sent = await world.accepted(sender="iom", receiver="shelter")
        await wrote(sent, world.shelter, section="health")
        await world.owner.execute("UPDATE move SET detail = NULL WHERE event = 'note'")
        for who in (world.iom, world.shelter):
            assert [(n["text"], n["withheld"]) for n in (await notes(sent, who))["items"]] == [(None, "erased")]


class TestTheLead:
    async def test_who_is_no_party_learns_that_something_was_written_and_not_what(self, world: World) -> None:
        held = await world.accepted(sender="police", receiver="iom", bases=[records.legal_basis(onward=True)])
        onward = await world.accepted(sender="iom", receiver="lpsk", case_id=held.case_id)
        note = await wrote(onward, world.lpsk, kind="question")
        await mark(onward, world.iom, note)
        found = await notes(onward, world.police)
        assert [(n["kind"], n["text"], n["withheld"], n["open_to_other"]) for n in found["items"]] == [
            ("question", None, "not_a_party", None)
        ]
        assert (found["read"], found["unread"]) == ([], 0)
        assert (await mark(onward, world.police, note)).status_code == 404

    async def test_that_takes_over_has_all_of_it_to_read_and_the_earlier_one_nothing(self, world: World) -> None:
        held = await world.accepted(sender="iom", receiver="shelter")
        await wrote(held, world.shelter)
        moved = await world.send(kind="transfer", sender="iom", receiver="ministry", case_id=held.case_id)
        await world.moved(moved, "accept", "confirm_handover")
        for code, waiting in (("iom", []), ("ministry", [held.id])):
            items = (await world.agencies[code].get("/v1/inbox?kind=read_notes")).json()["items"]
            assert [each["id"] for each in items] == waiting, code
        assert ((await notes(held, world.ministry))["unread"], await texts(held, world.ministry)) == (1, [WORDS])

    async def test_that_takes_over_is_told_of_what_it_can_read_and_the_same_everywhere(self, world: World) -> None:
        """The list, the inbox and what is left after marking count the receiver's notes, and not the earlier lead's."""

        async def counted(who: Agency, passed: Passed) -> tuple[int, int]:
            items = (await who.get("/v1/inbox?kind=read_notes")).json()["items"]
            seen = await world.owner.fetchval(
                "SELECT unread FROM note_seen WHERE agency_id = $1 AND subject_id = $2",
                world.id_of(who.code),
                UUID(passed.id),
            )
            assert (len(items) > 0) == (seen > 0)
            return (await notes(passed, who))["unread"], seen

        async def takes_over(case_id: str, giver: str, taker: str) -> None:
            moved = await world.send(kind="transfer", sender=giver, receiver=taker, case_id=case_id)
            await world.moved(moved, "accept", "confirm_handover")

        held = await world.accepted(sender="police", receiver="shelter")
        first = await wrote(held, world.shelter, "No police reads this.")
        of_police = await wrote(held, world.police, "Of the police.", section="needs")
        assert (await notes(held, world.police))["unread"] == 0
        await takes_over(held.case_id, "police", "ministry")
        assert await counted(world.shelter, held) == (1, 1), "what the earlier lead wrote to it waits for it still"
        assert (await mark(held, world.shelter, first)).status_code == 204
        assert await counted(world.shelter, held) == (1, 1)
        assert (await mark(held, world.shelter, of_police)).status_code == 204
        assert await counted(world.shelter, held) == (0, 0)
        assert await texts(held, world.ministry) == ["No police reads this.", None]
        assert await counted(world.ministry, held) == (1, 1)
        last = await wrote(held, world.shelter, "And now?")
        assert (await mark(held, world.ministry, first)).status_code == 204
        assert await counted(world.ministry, held) == (1, 1)
        assert (await mark(held, world.ministry, last)).status_code == 204
        assert await counted(world.ministry, held) == (0, 0)
        await takes_over(held.case_id, "ministry", "iom")
        await wrote(held, world.shelter, "To IOM.")
        await takes_over(held.case_id, "iom", "ministry")
        assert await counted(world.ministry, held) == (1, 1), "it goes on where it was"


class TestWhatIsNoNote:
    async def test_is_refused_and_repeats_nothing(self, world: World) -> None:
        sent = await world.accepted(sender="iom", receiver="shelter")
        for body in (
            {}, {"text": ""}, {"text": " \t"}, {"text": None}, {"text": 7}, {"text": ["x"]}, {"text": f"{WORDS}\x07"},
            {"text": f"{WORDS}\u202e"}, {"text": f"{WORDS}\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace") + "\x00"},
            {"text": WORDS * (TEXT_MAX // len(WORDS) + 1)}, {"text": WORDS, "kind": "rumour"}, {"text": WORDS, "kind": None},
            {"text": WORDS, "in_reply_to": "7", "kind": "answer"}, {"text": WORDS, "through": str(uuid4())},
        ):  # fmt: skip
            reply = await world.shelter.post(f"{sent.path}/notes", body)
            assert (reply.status_code, "Rifampicin" in reply.text) == (422, False), (str(body)[:80], reply.text)
        assert (await notes(sent, world.shelter))["items"] == []
        for text in ("Он спит.", "彼は眠っている。", "هو نائم", "x" * TEXT_MAX, "One\nline\tand another"):
            await wrote(sent, world.shelter, text)
            assert (await texts(sent, world.iom))[-1] == text

    async def test_marks_nothing(self, world: World) -> None:
        sent, other = [await world.accepted(sender="iom", receiver="shelter") for _ in range(2)]
        elsewhere = await wrote(other, world.shelter)
        for through in (elsewhere, str(uuid4()), sent.id):
            assert why(await mark(sent, world.iom, through)) == (422, [("/through", "unknown_note")])
        reply = await world.iom.client.request("PUT", f"{sent.path}/notes/read", json={"through": "x"}, actor="a")
        assert reply.status_code == 422
        assert (await notes(sent, world.iom))["read"][0]["through"] is None


class TestWhatComesAtOnce:
    async def test_is_numbered_without_a_gap_and_counted_right(self, world: World) -> None:
        sent = await world.accepted(sender="iom", receiver="shelter")
        first = await wrote(sent, world.shelter, "First.")
        replies = await asyncio.gather(
            *(write(sent, world.shelter, f"{n}") for n in range(6)),
            *(write(sent, world.iom, f"{n}", section="needs") for n in range(3)),
            *(mark(sent, world.iom, first) for _ in range(3)),
        )
        assert {reply.status_code for reply in replies} <= {200, 204}
        found = await notes(sent, world.iom)
        assert [n["number"] for n in found["items"]] == list(range(1, 11))
        assert found["unread"] == 6
        seen = await world.owner.fetch("SELECT unread FROM note_seen WHERE agency_id = $1", world.id_of("iom"))
        assert [row["unread"] for row in seen] == [6]

    async def test_is_one_note_when_it_is_one_request(self, world: World) -> None:
        sent = await world.accepted(sender="iom", receiver="shelter")
        body = {"text": WORDS, "kind": "question"}
        for _ in range(2):
            assert (await world.shelter.post(f"{sent.path}/notes", body, idempotency_key="once")).status_code == 200
        other = await world.shelter.post(f"{sent.path}/notes", {**body, "kind": "answer"}, idempotency_key="once")
        assert other.status_code == 422
        assert len((await notes(sent, world.iom))["items"]) == 1
        kept = await world.owner.fetchval("SELECT detail FROM move WHERE event = 'note'")
        assert b"Rifampicin" not in orjson.dumps(str(kept))

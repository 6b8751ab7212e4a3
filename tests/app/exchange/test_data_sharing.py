"""What crosses the border needs a data-sharing agreement that day, either way; inside the country one bounds what may go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from app.foundation.database import Connection
from auth.admin import agreements
from auth.admin.agreeing import ask_for_agreement
from auth.admin.approvals import approve, list_approvals
from auth.admin.errors import InvalidValueError, MayNotApproveError, TakenError, UnknownAgencyError
from auth.people.person import Person, Role
from tests.makers import cases, records
from tests.makers.world import Agency, Passed, World

BASIC = ("identity", "safety", "needs")
DAY = timedelta(days=1)


@pytest.fixture
async def conn(world: World) -> AsyncIterator[Connection]:
    """The administrator's connection; what was agreed is forgotten afterwards."""
    conn = await asyncpg.connect(world.exchange.addresses.admin)
    yield conn
    await conn.close()
    await world.owner.execute("DELETE FROM agreement")
    await world.exchange.directory.refresh()


@pytest.fixture
async def bangkok(world: World) -> Agency:
    return await world.mission()


async def agree(world: World, conn: Connection, **more: Any) -> UUID:
    """Bangkok may send IOM a basic record for shelter, unless said otherwise."""
    said: dict[str, Any] = {
        "agency": "bangkok",
        "other": "iom",
        "purposes": ["shelter"],
        "sections": BASIC,
        "basis": "UU 27/2022, Pasal 56",
        "reference": "MoU-12",
        "now": world.exchange.clock.now(),
        "actor": "admin-1",
        **more,
    }
    made = await agreements.add_data_sharing(conn, **said)
    await world.exchange.directory.refresh()
    return made


async def end(world: World, conn: Connection, id: UUID) -> None:
    await agreements.end_agreement(conn, id, now=world.exchange.clock.now(), actor="admin-1")
    await world.exchange.directory.refresh()


def missing(reply: httpx.Response) -> tuple[dict[str, str], list[str]]:
    """The agreement that a refusal says is missing, and for which sections."""
    problem = reply.json()
    assert (reply.status_code, problem["type"]) == (403, "/problems/agreement-required"), reply.text
    return problem["agreement"], problem["sections"]


async def refer(sender: Agency, receiver: str, **more: Any) -> httpx.Response:
    return await sender.post("/v1/referrals", records.referral(receiver, **more))


class TestAcrossTheBorder:
    async def test_nothing_goes_without_an_agreement_in_either_direction(self, world: World, bangkok: Agency) -> None:
        for sender, receiver in ((bangkok, "iom"), (world.iom, "bangkok")):
            agreement, sections = missing(await refer(sender, receiver))
            assert agreement == {"kind": "data_sharing", "from": sender.code, "to": receiver, "purpose": "shelter"}
            assert set(sections) == set(BASIC)
        offered = await world.iom.post("/v1/transfers", records.transfer("bangkok"))
        assert missing(offered)[0]["purpose"] == "case_responsibility"
        assert await world.owner.fetchval("SELECT count(*) FROM case_file") == 0
        assert {entry["outcome"] for entry in await world.refusals()} == {"agreement"}

    async def test_what_one_covers_goes_that_way_and_not_the_other(
        self, world: World, conn: Connection, bangkok: Agency
    ) -> None:
        await agree(world, conn)
        assert (await refer(bangkok, "iom")).status_code == 201
        missing(await refer(world.iom, "bangkok"))
        missing(await refer(bangkok, "lpsk"))

    async def test_one_may_hold_both_ways(self, world: World, conn: Connection, bangkok: Agency) -> None:
        await agree(world, conn, both_ways=True)
        assert (await refer(bangkok, "iom")).status_code == 201
        assert (await refer(world.iom, "bangkok")).status_code == 201

    async def test_one_section_too_many_and_another_purpose_are_refused_by_name(
        self, world: World, conn: Connection, bangkok: Agency
    ) -> None:
        await agree(world, conn)
        more = records.record(health={"infectious": "contact"})
        reply = await refer(bangkok, "iom", record=more, bases=[records.legal_basis(*BASIC, "health")])
        assert missing(reply)[1] == ["health"]
        assert reply.json()["sendable_sections"] == list(BASIC)
        assert records.NAME not in reply.text
        assert set(missing(await refer(bangkok, "iom", purpose="legal_assistance"))[1]) == set(BASIC)

    async def test_a_refusal_names_what_is_wrong_for_other_reasons_too(
        self, world: World, conn: Connection, bangkok: Agency
    ) -> None:
        reply = await refer(bangkok, "iom", bases=[records.legal_basis("needs", "safety")])
        assert missing(reply)[1] == ["safety", "needs"]
        assert {each["section"]: each["reason"] for each in reply.json()["refused"]} == {
            "identity": "no_basis", "safety": "agreement", "needs": "agreement",
        }  # fmt: skip

    async def test_it_holds_from_its_first_second_to_its_last(
        self, world: World, conn: Connection, bangkok: Agency
    ) -> None:
        now = world.exchange.clock.now()
        await agree(world, conn, from_at=now + DAY, until_at=now + 2 * DAY)
        seen = []
        for hours in (23.9, 0.2, 23.7, 0.3):  # a little before it begins, after, before it ends, after
            world.exchange.later(hours=hours)
            bangkok.client.forget_token()
            seen.append((await refer(bangkok, "iom")).status_code)
        assert seen == [403, 201, 201, 403]

    async def test_a_vital_interest_needs_one_to_come_in_and_never_goes_out(
        self, world: World, conn: Connection, bangkok: Agency
    ) -> None:
        vital = {"kind": "vital_interest", "sections": list(BASIC), "reason": "His life is at stake."}
        missing(await refer(bangkok, "iom", bases=[vital]))
        await agree(world, conn, both_ways=True)
        assert (await refer(bangkok, "iom", bases=[vital])).status_code == 201
        reply = await refer(world.iom, "bangkok", bases=[vital])
        assert {each["reason"] for each in reply.json()["refused"]} == {"abroad"}

    async def test_a_mission_of_another_state_in_the_country_is_inside_it(self, world: World) -> None:
        given = records.consent(world.exchange.clock.now(), sections=("identity", "needs"), agencies=["embassy"])
        bases = [{"kind": "consent", "sections": ["identity", "needs"]}]
        papers = {name: value for name, value in records.record().items() if name != "safety"}
        reply = await refer(world.iom, "embassy", purpose="shelter", record=papers, bases=bases, consent=given)
        assert reply.status_code == 201, reply.text

    async def test_a_repeated_request_gets_its_answer_also_after_the_end(
        self, world: World, conn: Connection, bangkok: Agency
    ) -> None:
        made, key, body = await agree(world, conn), str(uuid4()), records.referral("iom")
        first = await bangkok.post("/v1/referrals", body, idempotency_key=key)
        await end(world, conn, made)
        again = await bangkok.post("/v1/referrals", body, idempotency_key=key)
        assert (again.status_code, again.json()["id"]) == (first.status_code, first.json()["id"])


class TestAfterAnAgreementHasEnded:
    @pytest.fixture
    async def sent(self, world: World, conn: Connection, bangkok: Agency) -> Passed:
        """A referral from Bangkok whose person has arrived, under an agreement that held both ways and has ended since."""
        made = await agree(world, conn, both_ways=True)
        sent = await world.in_progress(sender="bangkok", receiver="iom")
        await world.moved(sent, "record_service")
        await end(world, conn, made)
        return sent

    async def test_what_was_opened_is_still_read(self, world: World, sent: Passed) -> None:
        read = (await world.iom.get(sent.path)).json()
        assert set(read["record"]) == {*BASIC, "schema_version"}
        assert len((await sent.sender.get(sent.path)).json()["services"]) == 1

    async def test_nothing_new_is_disclosed(self, world: World, sent: Passed) -> None:
        missing(await world.move(sent, "amend"))
        for words in ({"section": "needs"}, {"section": "needs", "basis": records.legal_basis("needs")}):
            missing(await sent.sender.post(f"{sent.path}/notes", {"text": "Please call.", **words}))
        missing(await sent.receiver.post(f"{sent.path}/notes", {"text": "He sleeps well."}))

    async def test_a_person_is_helped_on_and_the_sender_abroad_learns_the_state(
        self, world: World, sent: Passed
    ) -> None:
        await world.moved(sent, "record_service", "complete")
        read = (await sent.sender.get(sent.path)).json()
        assert read["state"] == "completed"
        assert len(read["services"]) == 1, "the one that was recorded under the agreement"
        assert read["ending"]["outcomes"] == []
        assert len((await sent.receiver.get(sent.path)).json()["services"]) == 2

    async def test_an_answer_with_a_record_is_refused_and_one_to_a_question_needs_one(
        self, world: World, conn: Connection, bangkok: Agency
    ) -> None:
        made = await agree(world, conn)
        asked = await world.moved(await world.send(sender="bangkok", receiver="iom"), "request_info")
        assert "interpreter" in (await bangkok.get(asked.path)).text, "who is asked must read the question"
        await end(world, conn, made)
        missing(await world.move(asked, "provide_info"))


class TestInsideTheCountry:
    async def test_one_that_there_is_bounds_what_goes(self, world: World, conn: Connection) -> None:
        assert (await refer(world.police, "iom")).status_code == 201
        made = await agree(world, conn, agency="police", sections=("identity", "needs"))
        assert missing(await refer(world.police, "iom"))[1] == ["safety"]
        assert (await refer(world.iom, "police", purpose="investigation")).status_code == 201, "not the other way round"
        vital = {"kind": "vital_interest", "sections": list(BASIC), "reason": "His life is at stake."}
        assert (await refer(world.police, "iom", bases=[vital])).status_code == 201
        await end(world, conn, made)
        reply = await refer(world.police, "iom")
        assert missing(reply)[1] == list(BASIC), "who ends an agreement opens nothing by it"
        assert (await refer(world.police, "iom", bases=[vital])).status_code == 201
        await agree(world, conn, agency="police")
        assert (await refer(world.police, "iom")).status_code == 201, "another agreement does"

    async def test_one_that_never_began_bounds_nothing(self, world: World, conn: Connection) -> None:
        made = await agree(
            world, conn, agency="police", sections=("needs",), from_at=world.exchange.clock.now() + timedelta(days=1)
        )
        await end(world, conn, made)
        world.exchange.later(days=2)
        assert (await refer(world.police, "iom")).status_code == 201

    async def test_a_holder_takes_no_new_basis_past_it(self, world: World, conn: Connection) -> None:
        sent = await world.consented()
        assert (await world.withdraw(sent)).status_code == 200
        (request,) = await world.requests(sent.receiver)
        await agree(world, conn, agency="police", sections=("identity", "needs"))
        answer = {"answer": "re_based", "bases": [records.legal_basis()]}
        reply = await sent.receiver.post(f"/v1/requests/{request['id']}/answer", answer)
        assert missing(reply) == (
            {"kind": "data_sharing", "from": "police", "to": "iom", "purpose": "shelter"},
            ["safety"],
        )

    async def test_who_passes_it_on_needs_one_of_its_own(self, world: World, conn: Connection, bangkok: Agency) -> None:
        held = await world.accepted(bases=[records.legal_basis(onward=True)])
        version = str((await world.row(held))["version_id"])
        onward = {"case": None, "case_id": held.case_id, "record": None, "record_version": version}
        await agree(world, conn, agency="police", other="bangkok")
        missing(await refer(world.iom, "bangkok", **onward))
        await agree(world, conn, agency="iom", other="bangkok")
        assert (await refer(world.iom, "bangkok", **onward)).status_code == 201


class TestALeadThatIsGone:
    async def test_is_followed_by_one_abroad_only_if_the_whole_record_may_go_there(
        self, world: World, conn: Connection, bangkok: Agency
    ) -> None:
        case = await cases.opened(world)
        paper = {"number": "B-7/RS/2026", "date": "2026-01-05"}
        async with cases.desk_at(world) as desk:
            proposal = {"case": case.reference, "to": "bangkok", "reason": "Dissolved.", "paper": paper}
            made = await desk.post("/v1/reassignments", proposal)
            path = f"/v1/reassignments/{made.json()['id']}/approve"
            agreement, _ = missing(await desk.post(path, if_match=1, actor="officer-8"))
            assert (agreement["from"], agreement["to"]) == ("police", "bangkok")
            every = [section.value for section in agreements.Section]
            await agree(world, conn, agency="police", other="bangkok", purposes=["case_responsibility"], sections=every)
            assert (await desk.post(path, if_match=1, actor="officer-8")).status_code == 200


class TestWhatMayBeAgreed:
    @pytest.mark.parametrize(
        ("more", "error", "says"),
        [
            ({"other": "nobody-there"}, UnknownAgencyError, "nobody-there"),
            ({"other": "bangkok"}, InvalidValueError, "with itself"),
            ({"purposes": []}, InvalidValueError, "names its purposes"),
            ({"sections": []}, InvalidValueError, "names its sections"),
            ({"purposes": ["shelter", "shelter"]}, InvalidValueError, "each once"),
            ({"purposes": ["tourism"]}, InvalidValueError, "purposes, each once, are of"),
            ({"sections": ["everything"]}, InvalidValueError, "sections, each once, are of"),
            ({"basis": " "}, InvalidValueError, "a basis"),
            ({"basis": "x" * 201}, InvalidValueError, "a basis"),
            ({"reference": "MoU\n12"}, InvalidValueError, "a reference"),
            ({"from": 2, "until": 1}, InvalidValueError, "ends after it begins"),
            ({"until": -1}, InvalidValueError, "ends after it begins"),
        ],
    )
    async def test_is_refused_with_the_reason(
        self, world: World, conn: Connection, bangkok: Agency, more: dict[str, Any], error: type[Exception], says: str
    ) -> None:
        now = world.exchange.clock.now()
        times = {f"{name}_at": now + more.pop(name) * DAY for name in ("from", "until") if name in more}
        with pytest.raises(error, match=says):
            await agree(world, conn, **more, **times)
        assert await world.owner.fetchval("SELECT count(*) FROM agreement") == 0

    async def test_is_one_agreement_for_a_pair_a_direction_a_purpose_and_a_time(
        self, world: World, conn: Connection, bangkok: Agency
    ) -> None:
        now = world.exchange.clock.now()
        await agree(world, conn, until_at=now + 10 * DAY)
        for more in (
            {},
            {"purposes": ["return", "shelter"]},
            {"from_at": now + 9 * DAY},
            {"agency": "iom", "other": "bangkok", "both_ways": True},
        ):
            with pytest.raises(TakenError):
                await agree(world, conn, **more)
        for more in (
            {"purposes": ["return"]},
            {"from_at": now + 10 * DAY},
            {"agency": "iom", "other": "bangkok"},
            {"other": "lpsk"},
        ):
            await agree(world, conn, **more)
        assert len(await agreements.list_agreements(conn)) == 5


class TestAskedFor:
    """Outside development two people who have signed in say yes to an agreement."""

    def wanted(self) -> agreements.NewAgreement:
        return agreements.data_sharing(
            agency="bangkok", other="iom", purposes=["shelter"], sections=BASIC, basis="UU 27/2022", reference="MoU-12"
        )

    async def person(self, world: World, reference: str, *roles: Role) -> Person:
        """Somebody who has signed in."""
        id, now = uuid4(), world.exchange.clock.now()
        await world.owner.execute(
            "INSERT INTO administrator (id, reference, name, roles, created_at) VALUES ($1, $2, 'Somebody', $3, $4)",
            id,
            reference,
            [str(role) for role in roles],
            now,
        )
        return Person(reference, frozenset(roles), admin_id=id, confirmed_at=now)

    async def test_it_holds_from_the_second_yes(self, world: World, conn: Connection, bangkok: Agency) -> None:
        first = await self.person(world, "adm-1", Role.operator)
        second = await self.person(world, "adm-2", Role.protection_officer)
        auditor = await self.person(world, "adm-3", Role.auditor)
        now = world.exchange.clock.now()
        id, asked = await ask_for_agreement(conn, self.wanted(), by=first, now=now, two_people=True)
        assert (asked.state, asked.yes, asked.detail["sections"]) == ("waiting", ("adm-1",), list(BASIC))
        with pytest.raises(TakenError, match="waits for approval already"):
            await ask_for_agreement(conn, self.wanted(), by=second, now=now, two_people=True)
        await world.exchange.directory.refresh()
        missing(await refer(bangkok, "iom"))
        for somebody in (first, auditor):
            with pytest.raises(MayNotApproveError):
                await approve(conn, asked.id, by=somebody, now=now, two_people=True)
        assert (await approve(conn, asked.id, by=second, now=now, two_people=True)).done
        await world.exchange.directory.refresh()
        assert (await refer(bangkok, "iom")).status_code == 201
        (listed,) = await agreements.list_agreements(conn)
        assert (listed.id, listed.from_at, listed.purposes) == (id, now, ["shelter"])

    async def test_what_cannot_be_is_refused_before_anybody_is_asked(
        self, world: World, conn: Connection, bangkok: Agency
    ) -> None:
        await agree(world, conn)
        first, now = Person("adm-1", frozenset({Role.operator})), world.exchange.clock.now()
        with pytest.raises(TakenError):
            await ask_for_agreement(conn, self.wanted(), by=first, now=now, two_people=True)
        assert await list_approvals(conn, now=now, two_people=True) == []

    def test_what_waits_is_what_was_asked_for(self) -> None:
        until = self.wanted()
        assert agreements.read_agreement(until.detail()) == until
        times = agreements.own_times(agency="iom", times={"hold_at_most": DAY}, reference="PKS-1")
        assert agreements.read_agreement(times.detail()) == times

"""Every cell of the case's table: each state, each move, each kind of caller; made from the table itself."""

from __future__ import annotations

from itertools import product
from uuid import UUID

import pytest

from app.exchange.cases.lifecycle import CASE
from app.exchange.lifecycle import Need, Party
from tests.contract.document import DOCUMENT
from tests.makers import cases, records
from tests.makers.cases import Case
from tests.makers.world import Agency, World

MOVES = [move.event for move in CASE.moves if move.from_states and move.to]
CALLERS = ("lead", "earlier_lead", "receiver", "stranger")


def may(state: str, event: str, caller: str) -> bool:
    return state in CASE[event].from_states and caller == CASE[event].by


def moves_open(state: str, caller: str) -> list[str]:
    """Read from the rows again, by another way than the code under test."""
    return [
        move.event
        for move in CASE.moves
        if state in move.from_states and move.by == caller and Need.DEATH_RECORDED not in move.needs
    ]


@pytest.fixture
async def case(world: World, state: str) -> Case:
    """A case the police led and IOM leads, of which LPSK holds an open referral; set to a state by the owner's hand."""
    handed = await world.handed_over(sender="police", receiver="iom")
    await world.accepted(sender="iom", receiver="lpsk", case_id=handed.case_id)
    await world.owner.execute("UPDATE case_file SET state = $2 WHERE id = $1", UUID(handed.case_id), state)
    return await cases.case_of(world, handed.case_id)


def agency(world: World, caller: str) -> Agency:
    return {"lead": world.iom, "earlier_lead": world.police, "receiver": world.lpsk, "stranger": world.stranger}[caller]


@pytest.mark.parametrize(("state", "event", "caller"), list(product(CASE.states, MOVES, CALLERS)))
async def test_only_what_the_table_says(world: World, case: Case, state: str, event: str, caller: str) -> None:
    before = await cases.row_of(world, case)
    who = agency(world, caller)
    reply = await cases.move(world, case, event, by=who)
    after = await cases.row_of(world, case)

    if may(state, event, caller):
        target = CASE[event].to
        assert (reply.status_code, reply.json()["state"]) == (200, target), reply.text
        assert (after["state"], after["version"]) == (target, before["version"] + 1)
        assert reply.json()["moves"] == moves_open(str(target), caller)
        assert await world.refusals() == []
        return

    assert after == before, "a refusal changes nothing"
    (entry,) = await world.refusals()
    assert (entry["agency_id"], str(entry["subject_id"])) == (world.ids[who.code], case.id)
    if caller == "stranger":
        assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found")
    else:
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/move-not-allowed"), reply.text
        assert (reply.json()["state"], reply.json()["version"]) == (state, before["version"])
        assert reply.json()["moves"] == (moves_open(state, "lead") if caller == "lead" else [])


@pytest.mark.parametrize("state", CASE.states)
async def test_reading_offers_the_lead_the_moves_of_the_table_and_nobody_else_any(
    world: World, case: Case, state: str
) -> None:
    for caller in CALLERS[:3]:
        read = await case.read(agency(world, caller))
        assert (read["state"], read["moves"]) == (state, moves_open(state, "lead") if caller == "lead" else [])
    assert (await world.stranger.get(case.path)).status_code == 404


class TestTheTable:
    def test_has_a_deadline_row_for_every_open_state(self) -> None:
        assert {row.state for row in CASE.deadlines} == set(CASE.open_states)

    def test_leads_back_from_its_end_by_the_last_lead_alone(self) -> None:
        (back,) = [move for move in CASE.moves if "closed" in move.from_states]
        assert (back.event, back.to, back.by) == ("reopen", "open", Party.LEAD)

    def test_is_served_as_a_whole(self) -> None:
        paths = DOCUMENT["paths"]
        for event in [*MOVES, "link"]:
            assert f"/v1/cases/{{case_id}}/{records.path_of(event)}" in paths
        assert "/v1/reassignments" in paths

    async def test_has_the_states_the_database_knows(self, world: World) -> None:
        check = await world.owner.fetchval(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'case_file_state_check'"
        )
        assert set(check.split("'")[1::2]) == set(CASE.states)

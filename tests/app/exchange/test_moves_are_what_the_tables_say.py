"""Every cell of the two tables: each state, each served event, each party; made from the tables themselves.

A row is set to a state by the owner's hand, the move is tried over HTTP, and the answer must be what the table says.
"""

from __future__ import annotations

from itertools import product

import pytest

from app.exchange.lifecycle import PREVIOUS, Lifecycle, Party
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from tests.contract.document import DOCUMENT
from tests.makers import records
from tests.makers.world import Passed, World

LIFECYCLES = (REFERRAL, TRANSFER)
PARTIES = ("sender", "receiver", "stranger")

BESIDE_THE_TABLE = {"rebase", "reseal-request"}
"""What is done to a referral or transfer, open or ended, and leaves its state alone: each is tested where it is told of."""


def posted(lifecycle: Lifecycle) -> list[str]:
    """The events of a table that somebody can cause on an existing row by a request."""
    return [move.event for move in lifecycle.moves if move.from_states and move.by not in (Party.CLOCK, Party.SYSTEM)]


CELLS = [
    pytest.param(lifecycle, *cell, id="-".join((lifecycle.name, *cell)))
    for lifecycle in LIFECYCLES
    for cell in product(lifecycle.states, posted(lifecycle), PARTIES)
]


def may(lifecycle: Lifecycle, state: str, event: str, party: str) -> bool:
    move = lifecycle[event]
    return state in move.from_states and move.by in (party, Party.EITHER)


def moves_open(lifecycle: Lifecycle, state: str, party: str) -> list[str]:
    """Read from the rows again, by another way than the code under test."""
    return [move.event for move in lifecycle.moves if state in move.from_states and move.by in (party, "either")]


@pytest.fixture
async def passed(world: World, lifecycle: Lifecycle, state: str) -> Passed:
    made = await world.send(kind=lifecycle.name, receiver="iom")
    await world.put(made, state)
    return made


@pytest.mark.parametrize(("lifecycle", "state", "event", "party"), CELLS)
async def test_only_what_the_table_says(
    world: World, passed: Passed, lifecycle: Lifecycle, state: str, event: str, party: str
) -> None:
    who = {"sender": passed.sender, "receiver": passed.receiver, "stranger": world.stranger}[party]
    before = await world.row(passed)
    paper = records.move("confirm_handover", world.exchange.clock.now(), paper="pending")
    reply = await world.move(passed, event, paper if event == "confirm_handover" else None, by=who)
    after = await world.row(passed)

    if party != "stranger" and may(lifecycle, state, event, party):
        target = lifecycle[event].to or state
        if target == PREVIOUS:
            target = "accepted"
        assert (reply.status_code, reply.json()["state"]) == (200, target), reply.text
        assert after["state"] == target
        assert after["version"] == before["version"] + lifecycle[event].versioned
        still = [each for each in moves_open(lifecycle, target, party) if (event, each) != ("handover_paper",) * 2]
        assert reply.json()["moves"] == still
        assert await world.refusals() == []
        return

    assert after == before, "a refusal changes nothing"
    (entry,) = await world.refusals()
    assert (entry["agency_id"], entry["client_id"]) == (world.ids[who.code], who.client.credentials.client_id)
    assert str(entry["subject_id"]) == passed.id
    if party == "stranger":
        assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found")
        assert entry["outcome"] == "not_found"
    else:
        assert reply.status_code == 409, reply.text
        problem = reply.json()
        assert problem["type"] == "/problems/move-not-allowed"
        assert problem["state"] == state
        assert problem["version"] == before["version"]
        assert problem["moves"] == moves_open(lifecycle, state, party)
        assert entry["outcome"] == "not_allowed"


@pytest.mark.parametrize(
    ("lifecycle", "state"),
    [
        pytest.param(lifecycle, state, id=f"{lifecycle.name}-{state}")
        for lifecycle in LIFECYCLES
        for state in lifecycle.states
    ],
)
class TestReadingInAnyState:
    async def test_offers_each_party_the_moves_of_the_table(
        self, world: World, passed: Passed, lifecycle: Lifecycle, state: str
    ) -> None:
        for party, who in (("sender", passed.sender), ("receiver", passed.receiver)):
            read = (await who.get(passed.path)).json()
            assert (read["state"], read["moves"]) == (state, moves_open(lifecycle, state, party))
            (listed,) = (await who.get(f"/v1/{lifecycle.name}s?role={party}")).json()["items"]
            assert (listed["state"], listed["moves"]) == (state, read["moves"])

    async def test_changes_neither_state_nor_version(
        self, world: World, passed: Passed, lifecycle: Lifecycle, state: str
    ) -> None:
        before = await world.row(passed)
        await passed.receiver.get(passed.path)
        after = await world.row(passed)
        changed = {name for name in before.keys() if before[name] != after[name]}  # noqa: SIM118 -- a record's names
        assert changed == {"first_read_at"}

    async def test_shows_a_stranger_nothing(
        self, world: World, passed: Passed, lifecycle: Lifecycle, state: str
    ) -> None:
        assert (await world.stranger.get(passed.path)).status_code == 404
        for role in ("sender", "receiver"):
            assert (await world.stranger.get(f"/v1/{lifecycle.name}s?role={role}")).json()["items"] == []


@pytest.mark.parametrize("lifecycle", LIFECYCLES, ids=lambda lifecycle: lifecycle.name)
class TestTheTable:
    def test_has_a_deadline_for_every_open_state(self, lifecycle: Lifecycle) -> None:
        assert [state for state in lifecycle.open_states if lifecycle.deadline(state) is None] == []

    def test_has_no_deadline_for_a_state_it_does_not_know(self, lifecycle: Lifecycle) -> None:
        paper = {"completed"} if lifecycle is TRANSFER else set()  # a handover's paper may follow
        assert {row.state for row in lifecycle.deadlines} <= set(lifecycle.open_states) | paper

    def test_leads_out_of_every_open_state_and_out_of_no_final_one(self, lifecycle: Lifecycle) -> None:
        for state in lifecycle.open_states:
            assert any(state in move.from_states and move.to not in (None, state) for move in lifecycle.moves), state
        ends = {
            move.event for move in lifecycle.moves if move.to and set(move.from_states) & set(lifecycle.final_states)
        }
        assert ends == set()

    def test_reaches_every_state_from_the_first(self, lifecycle: Lifecycle) -> None:
        reached = {lifecycle.initial}
        for _ in lifecycle.states:
            reached |= {str(move.to) for move in lifecycle.moves if move.to and reached & set(move.from_states)}
        assert reached - {PREVIOUS} == set(lifecycle.states)

    def test_names_each_event_once(self, lifecycle: Lifecycle) -> None:
        events = [move.event for move in lifecycle.moves]
        assert len(events) == len(set(events))

    def test_lets_the_person_be_declined_wherever_they_can_be_accepted(self, lifecycle: Lifecycle) -> None:
        accepting, declining = set(lifecycle["accept"].from_states), set(lifecycle["decline"].from_states)
        assert accepting <= declining
        assert accepting == set(lifecycle["recall"].from_states) == set(lifecycle["expire"].from_states)


@pytest.mark.parametrize("lifecycle", LIFECYCLES, ids=lambda lifecycle: lifecycle.name)
async def test_every_event_of_the_table_has_an_address_and_no_other_has(world: World, lifecycle: Lifecycle) -> None:
    paths = DOCUMENT["paths"]
    served = {
        path.rsplit("/", 1)[1]
        for path, operations in paths.items()
        if path.startswith(f"/v1/{lifecycle.name}s/{{") and path.count("/") == 4 and "post" in operations
    }
    assert served - BESIDE_THE_TABLE == {records.path_of(event) for event in posted(lifecycle)}
    assert served >= BESIDE_THE_TABLE


@pytest.mark.parametrize("lifecycle", LIFECYCLES, ids=lambda lifecycle: lifecycle.name)
async def test_the_database_knows_the_states_of_the_table_and_no_other(world: World, lifecycle: Lifecycle) -> None:
    check = await world.owner.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = $1::regclass AND conname = $2",
        lifecycle.name,
        f"{lifecycle.name}_state_check",
    )
    assert set(check.split("'")[1::2]) == set(lifecycle.states)


@pytest.mark.parametrize("lifecycle", LIFECYCLES, ids=lambda lifecycle: lifecycle.name)
async def test_the_partial_indexes_hold_the_open_states_of_the_table(world: World, lifecycle: Lifecycle) -> None:
    definitions = await world.owner.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = $1 AND indexdef LIKE '%WHERE%state%'",
        lifecycle.name,
    )
    assert len(definitions) == 3
    for row in definitions:
        where = row["indexdef"].split("WHERE", 1)[1]
        assert set(where.split("'")[1::2]) == set(lifecycle.open_states), row["indexname"]

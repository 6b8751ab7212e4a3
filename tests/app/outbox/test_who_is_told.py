"""Every move tells those whom the table names, and nobody else; what it tells holds nothing about the person."""

from __future__ import annotations

from typing import Any

import pytest

from app.exchange.lifecycle import Lifecycle, Party
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from schemas.exchange.event import EVENT_TYPES
from tests.makers import records
from tests.makers.world import Passed, World

# A case led by the police. IOM holds an accepted referral of it and has referred onward to LPSK: of that referral IOM is the sender,
# the police are the lead, and the two are told apart. The police offer the case to the ministry.
REFERRAL_TELLS: dict[str, list[tuple[str, str]]] = {
    "send": [("lpsk", "referral.sent")],
    "acknowledge": [("iom", "referral.received")],
    "accept": [("iom", "referral.accepted"), ("police", "referral.accepted")],
    "decline": [("iom", "referral.declined"), ("police", "referral.declined")],
    "recall": [("lpsk", "referral.recalled")],
    "start": [("iom", "referral.in_progress")],
    "record_service": [("iom", "referral.record_service")],
    "complete": [("iom", "referral.completed"), ("police", "referral.completed")],
    "fail": [("iom", "referral.not_completed"), ("police", "referral.not_completed")],
    "amend": [("lpsk", "referral.amend")],
    "request_info": [("iom", "referral.info_requested")],
    "provide_info": [("lpsk", "referral.info_provided")],
    "hold": [("iom", "referral.on_hold")],
    "resume": [("iom", "referral.resumed")],
    "request_cancel": [("lpsk", "referral.cancel_requested")],
    "confirm_cancel": [("iom", "referral.cancelled")],
    "refuse_cancel": [("iom", "referral.cancel_refused")],
    "enter_in_error": [("lpsk", "referral.entered_in_error")],
    "report_error": [("lpsk", "referral.error_reported")],
    "confirm_error": [("iom", "referral.entered_in_error"), ("police", "referral.entered_in_error")],
    "note": [("iom", "referral.note")],
}
TRANSFER_TELLS: dict[str, list[tuple[str, str]]] = {
    "offer": [("ministry", "transfer.offered")],
    "acknowledge": [("police", "transfer.received")],
    "accept": [("iom", "case.lead_changing"), ("lpsk", "case.lead_changing"), ("police", "transfer.accepted")],
    "decline": [("police", "transfer.declined")],
    "recall": [("ministry", "transfer.recalled")],
    "amend": [("ministry", "transfer.amend")],
    "confirm_handover": [("iom", "case.lead_changed"), ("lpsk", "case.lead_changed"), ("police", "transfer.completed")],
    "request_info": [("police", "transfer.info_requested")],
    "provide_info": [("ministry", "transfer.info_provided")],
    "abort": [("iom", "case.lead_unchanged"), ("lpsk", "case.lead_unchanged"), ("ministry", "request.opened"), ("police", "transfer.aborted")],
    "handover_paper": [("police", "transfer.handover_paper")],
    "enter_in_error": [("ministry", "transfer.entered_in_error")],
    "report_error": [("ministry", "transfer.error_reported")],
    "confirm_error": [
        ("iom", "case.lead_unchanged"), ("lpsk", "case.lead_unchanged"), ("police", "transfer.entered_in_error"),
    ],
    "note": [("police", "transfer.note")],
}  # fmt: skip
BY_OTHERS = {
    f"{kind}.{what}"
    for kind in ("referral", "transfer")
    for what in ("reminder", "overdue", "expired", "disputed", "confirmed", "restriction_lifted")
} | {"referral.absorbed", "referral.rerouted", "referral.rebased", "transfer.rebased"}
"""What is told by the clock, by a handover, of what another agency recorded, of another basis, and of what the person asked for."""


async def held(world: World) -> Passed:
    return await world.accepted(receiver="iom", bases=[records.legal_basis(onward=True)])


async def onward(world: World) -> Passed:
    return await world.send(sender="iom", receiver="lpsk", case_id=(await held(world)).case_id)


async def what_is_told(world: World, passed: Passed, event: str) -> list[tuple[str, str]]:
    await world.ready_for(passed, event)
    await world.owner.execute("TRUNCATE outbox")
    await world.moved(passed, event)
    return await world.told()


ABOUT_DATA = {
    "case.corrected", "case.guardian_barred", "consent.withdrawn", "record.retracted", "request.answered", "request.opened", "request.overdue",
    "request.reminder",
}  # fmt: skip
"""Told by no move of a table: `test_consent_withdrawn.py`, `test_requests.py` and `test_corrections.py` say to whom."""


class TestAReferral:
    async def test_tells_its_receiver_that_it_has_come(self, world: World) -> None:
        held_by_iom = await held(world)
        await world.owner.execute("TRUNCATE outbox")
        await world.send(sender="iom", receiver="lpsk", case_id=held_by_iom.case_id)
        assert await world.told() == REFERRAL_TELLS["send"]

    @pytest.mark.parametrize("event", [event for event in REFERRAL_TELLS if event != "send"])
    async def test_tells_whom_the_table_names(self, world: World, event: str) -> None:
        assert await what_is_told(world, await onward(world), event) == REFERRAL_TELLS[event]

    async def test_does_not_tell_the_police_of_services(self, world: World) -> None:
        started = await world.in_progress(sender="police", receiver="shelter")
        await world.owner.execute("TRUNCATE outbox")
        await world.moved(started, "record_service")
        assert await world.told() == []

    async def test_tells_a_sender_who_leads_the_case_once(self, world: World) -> None:
        sent = await world.send()
        assert await what_is_told(world, sent, "accept") == [("police", "referral.accepted")]


class TestATransfer:
    async def test_tells_its_receiver_that_a_case_is_offered(self, world: World) -> None:
        case = (await onward(world)).case_id
        await world.owner.execute("TRUNCATE outbox")
        await world.send(kind="transfer", receiver="ministry", case_id=case)
        assert await world.told() == TRANSFER_TELLS["offer"]

    @pytest.mark.parametrize("event", [event for event in TRANSFER_TELLS if event != "offer"])
    async def test_tells_whom_the_table_names(self, world: World, event: str) -> None:
        case = (await onward(world)).case_id
        offered = await world.send(kind="transfer", receiver="ministry", case_id=case)
        assert await what_is_told(world, offered, event) == TRANSFER_TELLS[event]


class TestAnEvent:
    @pytest.mark.parametrize(
        ("lifecycle", "tells"), [(REFERRAL, REFERRAL_TELLS), (TRANSFER, TRANSFER_TELLS)], ids=["referral", "transfer"]
    )
    def test_is_expected_above_of_every_move(self, lifecycle: Lifecycle, tells: dict[str, Any]) -> None:
        assert set(tells) == {move.event for move in lifecycle.moves if move.by not in (Party.CLOCK, Party.SYSTEM)}

    def test_has_a_type_that_is_documented(self) -> None:
        told = {type_ for tells in (REFERRAL_TELLS, TRANSFER_TELLS) for each in tells.values() for _, type_ in each}
        documented = {type_ for type_ in EVENT_TYPES if type_.startswith(("referral.", "transfer.", "case.lead_"))}
        assert (told | BY_OTHERS) - ABOUT_DATA == documented

    async def test_says_what_changed_and_nothing_about_the_person(self, world: World) -> None:
        made = await world.busy()
        words = (
            records.NAME,
            "Surya",
            "Jalan",
            "shelter_men",
            "social_rehabilitation",
            "no_place",
            "left",
            "Shelter",
            "No bed",
        )
        members = {"id", "position", "type", "subject", "subject_id", "case_id", "state", "time"}
        seen = 0
        for code in world.ids:
            reply = await world.agencies[code].get("/v1/events?limit=500")
            for event in reply.json()["items"]:
                assert set(event) == members
                seen += 1
            assert [word for word in words if word in reply.text] == [], code
        assert seen > len(made)
        assert (await world.stranger.get("/v1/events")).json()["items"] == []

    async def test_about_a_case_says_the_cases_state(self, world: World) -> None:
        referred = await world.send(receiver="lpsk")
        offered = await world.send(kind="transfer", receiver="ministry", case_id=referred.case_id)
        await world.moved(offered, "accept", "confirm_handover")
        await world.exchange.settle()
        events = (await world.lpsk.get("/v1/events")).json()["items"]
        assert [(each["type"], each["subject"], each["state"]) for each in events] == [
            ("referral.sent", "referral", "sent"),
            ("case.lead_changing", "case", "open"),
            ("case.lead_changed", "case", "open"),
        ]
        assert events[1]["subject_id"] == events[1]["case_id"] == referred.case_id

    async def test_is_written_with_its_cause_or_not_at_all(self, world: World) -> None:
        sent = await world.send()
        await world.owner.execute("TRUNCATE outbox")
        assert (await world.move(sent, "accept", seen=9)).status_code == 412
        assert (await world.move(sent, "start")).status_code == 409
        assert await world.told() == []

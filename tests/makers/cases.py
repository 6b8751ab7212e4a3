"""Makes cases and moves them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from tests.makers import files, ndjson, records, webhooks
from tests.makers.world import Agency, World


@dataclass
class Case:
    """A case, as a test knows it."""

    id: str
    reference: str
    lead: Agency
    version: int = 1

    @property
    def path(self) -> str:
        return f"/v1/cases/{self.id}"

    async def read(self, who: Agency | None = None) -> dict[str, Any]:
        """The case as its lead, or another, reads it."""
        reply = await (who or self.lead).get(self.path)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found


async def opened(world: World, lead: str = "police") -> Case:
    """A case opened on its own."""
    reply = await world.who(lead).post("/v1/cases", {"entry_channel": "police_report"})
    assert reply.status_code == 201, reply.text
    return Case(reply.json()["id"], reply.json()["reference"], world.who(lead))


async def case_of(world: World, case_id: str) -> Case:
    """The case of a referral or transfer, with its present lead."""
    row = await world.owner.fetchrow(
        "SELECT c.*, code FROM case_file c JOIN agency a ON a.id = c.lead_id WHERE c.id = $1", UUID(case_id)
    )
    assert row is not None
    return Case(case_id, row["reference"], world.who(row["code"]), row["version"])


async def row_of(world: World, case: Case) -> asyncpg.Record:
    """The case as it is stored."""
    row = await world.owner.fetchrow("SELECT * FROM case_file WHERE id = $1", UUID(case.id))
    assert row is not None
    return row


def body(event: str, at: Any, **more: Any) -> dict[str, Any]:
    """The body of a move of a case that its table allows."""
    bodies: dict[str, dict[str, Any]] = {
        "follow_up": {"plan": "A call each month by the village worker.", "until": str(at.date())},
        "close": {"reason": "reintegrated"},
        "correct_death": {"reason": "Another person of that name."},
        "reopen": {"reason": "She has come back.", "bases": [records.legal_basis()]},
    }
    return {**bodies[event], **more}


async def move(
    world: World, case: Case, event: str, *, by: Agency | None = None, seen: int | None = None, **more: Any
) -> httpx.Response:
    """Move a case, by its lead unless another is named; its version is kept up when it succeeds."""
    options = {"idempotency_key": more.pop("key")} if "key" in more else {}
    reply = await (by or case.lead).post(
        f"{case.path}/{records.path_of(event)}",
        body(event, world.exchange.clock.now(), **more),
        if_match=seen or case.version,
        **options,
    )
    if reply.status_code == 200:
        case.version = reply.json()["version"]
    return reply


async def moved(world: World, case: Case, *events: str, **more: Any) -> Case:
    """Make moves that succeed, one after the other."""
    for event in events:
        reply = await move(world, case, event, **more)
        assert reply.status_code == 200, reply.text
    return case


async def closed(world: World, lead: str = "police") -> Case:
    """A closed case."""
    return await moved(world, await opened(world, lead), "close")


@asynccontextmanager
async def desk_at(world: World, code: str = "ministry") -> AsyncIterator[Agency]:
    """For the block, the agency is the ministry's desk."""
    await world.owner.execute("UPDATE agency SET desk = (code = $1)", code)
    await world.exchange.app.state.directory.refresh()
    try:
        yield world.agencies[code]
    finally:
        await world.owner.execute("UPDATE agency SET desk = false")
        await world.exchange.app.state.directory.refresh()


async def said_everywhere(world: World) -> None:
    """Something said in each way of speaking of a case that `World.busy` leaves out."""
    at = world.exchange.clock.now()

    async def said(who: Agency, path: str, body: dict[str, Any], **options: Any) -> dict[str, Any]:
        reply = await who.post(path, body, **options)
        assert reply.is_success, reply.text
        found: dict[str, Any] = reply.json()
        return found

    sent = await world.consented("identity", "safety", "needs", receiver="iom")
    mine, theirs = await case_of(world, sent.case_id), await opened(world, "lpsk")
    lead = mine.lead
    await said(
        lead,
        f"{mine.path}/victim-status",
        {
            "status": "identified",
            "ground": "Three indicators; decided with Pak Surya.",
            "own_statement": "They kept my passport.",
            "decided_on": str(at.date()),
        },
    )
    proposal = {"pointers": ["/identity/names/0/full"], "text": "He spells it otherwise."}
    asked = await said(world.iom, f"{mine.path}/correction-proposals", proposal)
    correction = {
        "record": {"schema_version": "1.0", "identity": {"names": [{"full": records.NAME}]}},
        "reason": "Spelt otherwise.",
    }
    await said(lead, f"{mine.path}/corrections", correction | {"proposal": asked["id"]})
    await world.withdraw(sent, reason="Told at the gate that she would rather not.")
    for request in await world.requests(world.iom):
        await said(world.iom, f"/v1/requests/{request['id']}/answer", {"answer": "erased", "text": "Done at noon."})
    link = await said(
        lead, f"{mine.path}/links", {"kind": "family", "other": theirs.reference, "text": "They are sisters."}
    )
    await said(
        theirs.lead, f"/v1/case-links/{link['id']}/refuse", {"reason": "Other parents."}, if_match=link["version"]
    )
    async with desk_at(world, "ministry") as desk:
        paper = {"number": "B-7/RS/2026", "date": "2026-01-05"}
        moved = await said(
            desk,
            "/v1/reassignments",
            {"case": mine.reference, "to": "iom", "reason": "The unit was closed.", "paper": paper},
        )
        path = f"/v1/reassignments/{moved['id']}/withdraw"
        await said(desk, path, {"reason": "It answers again."}, if_match=moved["version"])
    await files.uploaded(lead)
    await said_of_protection(world, said)
    await webhooks.subscribed(world, "iom")


async def said_of_protection(world: World, said: Callable[..., Awaitable[dict[str, Any]]]) -> None:
    """What is said where a consent is reconfirmed, a disclosure reviewed, and data asked about, lost, kept, or read in an emergency."""
    at = world.exchange.clock.now()
    sent = await world.consented("identity", "safety", "needs", receiver="shelter")
    case, consent = await case_of(world, sent.case_id), await world.consent_of(sent)
    # as if another's stolen system had recorded it
    await world.owner.execute(
        "UPDATE consent SET doubted_at = $1, client_id = 'another' WHERE id = $2", at, UUID(consent)
    )
    again = records.consent_act(at, witness="a social worker")
    await said(case.lead, f"{case.path}/consents/{consent}/reconfirm", again)
    asked = {
        "case_id": case.id, "kind": "access", "requester": "person", "identity_check": "known_to_staff",
        "identity_checked_by": "recording_agency", "received_at": at.isoformat(), "text": "What did they write about me?",
    }  # fmt: skip
    request = await said(world.shelter, "/v1/subject-requests", asked)
    refused = {"answer": "refused", "refusal_ground": "not_held", "text": "Nothing was written."}
    await said(case.lead, f"/v1/subject-requests/{request['id']}/answer", refused)
    limit = await said(world.shelter, "/v1/subject-requests", asked | {"kind": "restrict", "sections": ["needs"]})
    await said(case.lead, f"/v1/subject-requests/{limit['id']}/answer", {"answer": "granted"})
    over = {"ground": "reason_ended", "text": "It was looked into.", "person_told_at": at.isoformat()}
    await said(case.lead, f"/v1/subject-requests/{limit['id']}/lift", over)
    lost = {
        "kind": "wrong_receiver", "noticed_at": at.isoformat(), "data_classes": ["specific_health"], "cases": [case.id],
        "how": "The wrong name was chosen.",
    }  # fmt: skip
    incident = await said(world.shelter, "/v1/incidents", lost)
    await said(world.shelter, f"/v1/incidents/{incident['id']}/entries", {"text": "They were called."})
    closing = {"no_notice_reason": "not_opened", "action": "Recalled.", "text": "The log shows no reading."}
    await said(world.shelter, f"/v1/incidents/{incident['id']}/close", closing)
    need = {"sections": ["identity"], "reason": "medical_emergency", "text": "He does not wake up."}
    await said(world.sentra, "/v1/emergency-access", {"reference": case.reference} | need)
    async with desk_at(world, "ministry") as desk:
        hold = await said(desk, "/v1/holds", records.hold(at, case.reference))
        review = {"review_on": (at + timedelta(days=200)).date().isoformat(), "text": "The appeal."}
        await said(desk, f"/v1/holds/{hold['id']}/review", review)
        await said(desk, f"/v1/holds/{hold['id']}/lift", {"reason": "Acquitted."})
        for each in (await desk.get("/v1/reviews")).json()["items"][:1]:
            await said(desk, f"/v1/reviews/{each['id']}/justify", {"text": "He could not be asked."}, actor="officer-9")
    assert (await ndjson.send(world.police, ndjson.line("said-everywhere"))).status_code == 201
    await world.exchange.worker.seal_log()

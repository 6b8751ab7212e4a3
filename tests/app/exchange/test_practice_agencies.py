"""Practice agencies and real ones do not know each other: no call of the one shows or reaches anything of the other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from app.foundation.database import Connection
from auth.admin import agreements
from auth.admin.agencies import add_agency, set_desk
from auth.admin.errors import InvalidValueError
from tests.makers import cases, ndjson, records, webhooks
from tests.makers.world import Agency, Passed, World


@dataclass
class Side:
    """One of the two worlds: an agency of it, another that it has passed cases to, and all they may be known by."""

    name: str
    sender: Agency
    receiver: Agency
    referral: Passed
    transfer: Passed
    ids: dict[str, str]
    """What fills a path, by its parameter."""
    known_by: frozenset[str]
    """Ids, references and names that only this side may see."""


async def _side(world: World, name: str, sender: str, receiver: str) -> Side:
    """Make, on one side, one of everything that has an address."""
    consented = await world.consented(sender=sender, receiver=receiver)
    consent = await world.consent_of(consented)
    await world.withdraw(consented)
    (request,) = await world.requests(consented.receiver)
    late = await world.send(sender=sender, receiver=receiver, urgency="immediate")
    escalation = await world.escalated(late)
    transfer = await world.send(sender=sender, receiver=receiver, kind="transfer")
    case, other = await cases.opened(world, sender), await cases.opened(world, receiver)
    linked = await case.lead.post(f"{case.path}/links", {"kind": "family", "other": other.reference})
    assert linked.status_code == 201, linked.text
    row = await world.row(consented)
    moves = await world.owner.fetchval("SELECT id FROM move WHERE subject_id = $1 LIMIT 1", UUID(consented.id))
    ids = {
        "code": receiver,
        "case_id": consented.case_id,
        "referral_id": consented.id,
        "transfer_id": transfer.id,
        "consent_id": consent,
        "request_id": str(request["id"]),
        "escalation_id": escalation,
        "link_id": linked.json()["id"],
        "version_id": str(row["version_id"]),
        "record_version": str(row["version_id"]),
        "move_id": str(moves),
        "reference": case.reference,
        "webhook_id": str(await webhooks.subscribed(world, sender)),
    }
    everything = await world.owner.fetch(
        "SELECT reference FROM case_file JOIN agency a ON a.id = lead_id WHERE a.code = ANY ($1)"
        " UNION SELECT r.reference FROM referral r JOIN agency a ON a.id = r.sender_id WHERE a.code = ANY ($1)",
        [sender, receiver],
    )
    known_by = {*ids.values(), case.id, other.id, late.id, late.case_id, transfer.case_id} - {receiver}
    known_by |= {f'"The {sender}"', f'"The {receiver}"'}
    return Side(
        name,
        world.who(sender),
        world.who(receiver),
        consented,
        transfer,
        ids,
        frozenset(known_by | {row["reference"] for row in everything}),
    )


async def _both(world: World) -> tuple[Side, Side]:
    practice = await world.practice()
    return (
        await _side(world, "real", "police", "iom"),
        await _side(world, "practice", practice[0].code, practice[1].code),
    )


PUBLIC = {"/v1/schemas", "/v1/code-lists"}


def _guarded(world: World) -> list[tuple[str, APIRoute]]:
    """Every call that there is for agencies, as method and path."""
    routes = [
        route for route in iter_route_contexts(world.exchange.app.routes)
        if str(route.path).startswith("/v1/") and not str(route.path).startswith((*PUBLIC, "/v1/log/"))
    ]  # fmt: skip
    return sorted((method, str(route.path)) for route in routes for method in route.methods - {"HEAD"})


def _filled(path: str, ids: dict[str, str]) -> str:
    """The path with the ids of one side; what has no id of its own gets one that is nobody's."""
    parts = []
    for part in path.split("/"):
        name = part[1:-1] if part.startswith("{") else None
        parts.append(part if name is None else ids.get(name, str(UUID(int=7))))
    return "/".join(parts)


def _body(path: str, other: Side, now: datetime) -> dict[str, Any]:
    """A right body, that names the other side wherever it names an agency or a case: nothing but the other side is wrong with the call."""
    receiver, why = other.receiver.code, {"reason": "Another person's."}
    consent = {"requested_by": "person", "requested_at": now.isoformat()}
    bodies: dict[str, dict[str, Any]] = {
        "/v1/cases": {"entry_channel": "police_report"},
        "/v1/referrals": records.referral(receiver),
        "/v1/transfers": records.transfer(receiver),
        "/v1/imports": records.referral(receiver),
        "/v1/reassignments": {
            "case": other.ids["reference"], "to": receiver, **why, "paper": {"number": "B-7", "date": "2026-01-05"},
        },
        "/v1/reassignments/{reassignment_id}/decline": why,
        "/v1/emergency-access": {
            "reference": other.ids["reference"], "sections": ["identity"], "reason": "danger_to_life", "text": "He is followed.",
        },
        "/v1/emergency-access/{emergency_id}/end": {},
        "/v1/cases/{case_id}/consents/{consent_id}/withdraw": consent,
        "/v1/transfers/{transfer_id}/accept": {**records.move("accept", now), "manifest_digest": "0" * 64},
        "answer": {"answer": "erased"},
        "consents": records.consent(now),
        "narrow": {**consent, "sections": ["needs"]},
        "widen": records.consent(now),
        "reconfirm": records.consent_act(now),
        "correction-proposals": {"pointers": ["/identity/names/0"], "text": "It is spelt otherwise."},
        "corrections": {"record": records.record(), **why},
        "guardian": {"suspect": True, **why},
        "entries": {"text": "It was recalled."},
        "lift": why,
        "reseal-request": {"sections": ["identity"], "cause": "key_lost"},
        "/v1/me/encryption-keys/{key_id}/end": {"reason": "lost"},
        "/v1/webhooks/{webhook_id}/replay": {"failed": True},
        "review": {"review_on": str(now.date() + timedelta(days=90)), "text": "The appeal."},
        "/v1/incidents/{incident_id}/close": {"no_notice_reason": "not_opened", "action": "Recalled.", "text": "Unread."},
        "/v1/subject-requests/{request_id}/answer": {"answer": "granted"},
        "/v1/subject-requests/{request_id}/lift": {"ground": "reason_ended", "text": "Over.", "person_told_at": now.isoformat()},
        "/v1/holds": records.hold(now, other.ids["reference"]),
        "links": {"kind": "family", "other": other.ids["reference"]},
        "rebase": {"bases": [records.legal_basis()]},
        "justify": {"text": "He could not be asked."},
        "find-unjustified": {"text": "He was awake."},
        "reroute": {"receiver": receiver, "reason": "Nobody answers."},
        "victim-status": {"status": "presumed", "ground": "Found on a vessel.", "decided_on": str(now.date())},
        **dict.fromkeys(("dispute", "end", "refuse", "retract", "withdraw"), why),
    }  # fmt: skip
    last = path.rsplit("/", 1)[-1]
    event = last.replace("-", "_")
    if path in bodies or last in bodies:
        return bodies[path] if path in bodies else bodies[last]
    if path.startswith("/v1/cases/") and event in ("follow_up", "close", "correct_death", "reopen"):
        return cases.body(event, now)
    return (
        records.move({"services": "record_service", "notes": "note"}.get(event, event), now) if event in MOVES else {}
    )


MOVES = {event for lifecycle in (REFERRAL, TRANSFER) for event in (move.event for move in lifecycle.moves)} | {
    "services",
    "notes",
}


class TestNothingCrosses:
    """Walks all calls with the ids of the other side, from both sides."""

    async def test_no_call_shows_or_reaches_anything_of_the_other_side(self, world: World) -> None:
        real, practice = await _both(world)
        async with cases.desk_at(world) as desk:
            for mine, other, callers in (
                (practice, real, (practice.sender,)),
                (real, practice, (real.receiver, desk)),
            ):
                for caller in callers:
                    caller.client.forget_token()
                    await self._walk(world, caller, mine, other)

    async def _walk(self, world: World, caller: Agency, mine: Side, other: Side) -> None:
        before = await self._of(world, other)
        called = 0
        for method, path in _guarded(world):
            filled = _filled(path, other.ids)
            addressed = filled != path
            reply = await self._call(caller, method, filled, _body(path, other, world.exchange.clock.now()))
            called += 1
            where = f"{mine.name} {method} {path}: {reply.status_code}"
            assert not [each for each in other.known_by if each in reply.text], where
            if addressed:
                assert reply.status_code == 404 or reply.json()["type"] in (
                    "/problems/desk-only",
                    "/problems/officer-only",
                ), (where, reply.text)
            else:
                assert reply.status_code in (200, 201, 403, 422) or path == "/v1/emergency-access", (where, reply.text)
                assert path != "/v1/emergency-access" or reply.status_code in (403, 404) or method == "GET", where
        assert called > 60
        assert await self._of(world, other) == before

    async def _call(self, caller: Agency, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
        if method == "GET":
            return await caller.get(path)
        if path.startswith("/v1/imports") and method == "POST" and not path.endswith(("/start", "/cancel")):
            after = "?after=0" if path.endswith("/lines") else ""
            content = ndjson.line("case-1", str(body["receiver"])) if body else b"{}"
            return await ndjson.send(caller, content, str(uuid4()), path + after)
        if method == "POST":
            return await caller.post(path, body, if_match=1)
        put = {"through": str(uuid4())} if path.endswith("/notes/read") else {"items": []}
        json = put if method == "PUT" else {} if method == "PATCH" else None
        return await caller.client.request(method, path, json=json, actor=caller.actor)

    async def _of(self, world: World, side: Side) -> list[Any]:
        """Everything that changes when something of a side is reached."""
        owner = world.owner
        ids = [world.id_of(each.code) for each in (side.sender, side.receiver)]
        counted = [
            await owner.fetchval(f"SELECT count(*) FROM {table} WHERE {column} = ANY ($1)", ids)
            for table, column in (
                ("case_file", "lead_id"), ("referral", "receiver_id"), ("transfer", "receiver_id"), ("disclosure", "receiver_id"),
                ("outbox", "agency_id"), ("case_link", "other_lead_id"), ("request", "to_id"), ("escalation", "taken_by_id"),
            )
        ]  # fmt: skip
        states = await owner.fetch("SELECT state, version FROM referral WHERE receiver_id = ANY ($1) ORDER BY id", ids)
        return [*counted, *map(tuple, states)]


class TestTheDirectory:
    async def test_shows_each_its_own(self, world: World) -> None:
        practice, _ = await world.practice()
        for caller, sandbox in ((practice, True), (world.police, False)):
            codes, path = set(), "/v1/agencies?limit=5"
            while path:
                page = (await caller.get(path)).json()
                codes |= {each["code"] for each in page["items"]}
                path = page["next"]
            assert ("police" in codes, "practice-iom" in codes) == (not sandbox, sandbox)
            assert (await caller.get("/v1/me")).json()["sandbox"] is sandbox

    async def test_is_not_taken_for_unchanged_by_who_has_seen_the_other(self, world: World) -> None:
        practice, _ = await world.practice()
        seen = (await world.police.get("/v1/agencies")).headers["etag"]
        assert (await practice.get("/v1/agencies", headers={"If-None-Match": seen})).status_code == 200

    async def test_page_of_one_does_not_go_on_in_the_other(self, world: World) -> None:
        practice, _ = await world.practice()
        path = (await world.police.get("/v1/agencies?limit=1")).json()["next"]
        assert (await practice.get(path)).status_code == 400


class TestAPracticeCase:
    async def test_lives_like_any_other(self, world: World) -> None:
        sender, receiver = await world.practice()
        sent = await world.in_progress(sender=sender.code, receiver=receiver.code)
        await world.moved(sent, "record_service", "complete")
        handed = await world.handed_over(sender=sender.code, receiver=receiver.code)
        assert await world.lead_of(handed.case_id) == receiver.code
        await world.exchange.settle()
        assert (await receiver.get("/v1/events")).json()["items"]

    async def test_that_nobody_answers_stops_at_its_lead(self, world: World) -> None:
        sender, receiver = await world.practice()
        async with cases.desk_at(world) as desk:
            late = await world.send(sender=sender.code, receiver=receiver.code, urgency="immediate")
            escalation = await world.escalated(late, 0.51, 0.5, 0.5, 0.5, 1, 1, 1)
            asked = await world.owner.fetch(
                "SELECT code, role FROM escalation_asked k JOIN agency a ON a.id = k.agency_id WHERE escalation_id = $1"
                " ORDER BY asked_at",
                UUID(escalation),
            )
            assert [(row["code"], row["role"]) for row in asked] == [
                (receiver.code, "receiver"),
                (sender.code, "sender"),
            ]
            desk.client.forget_token()
            assert (await desk.get("/v1/escalations")).json()["items"] == []
            assert (await desk.get(f"/v1/escalations/{escalation}")).status_code == 404
            assert (await desk.get("/v1/events")).json()["items"] == []

    async def test_that_was_declined_by_the_last_one_asked_does_not_trouble_the_desk(self, world: World) -> None:
        sender, receiver = await world.practice()
        async with cases.desk_at(world):
            await world.moved(
                await world.send(sender=sender.code, receiver=receiver.code, urgency="immediate"), "decline"
            )
            assert {code for code, _ in await world.told()} == {sender.code, receiver.code}
            await world.moved(await world.send(urgency="immediate"), "decline")
            assert ("ministry", "case.unattended") in await world.told(), "a real one does"

    async def test_cannot_be_retracted_by_the_real_desk(self, world: World) -> None:
        sender, receiver = await world.practice()
        sent = await world.send(sender=sender.code, receiver=receiver.code)
        version = (await world.row(sent))["version_id"]
        async with cases.desk_at(world) as desk:
            path = f"/v1/cases/{sent.case_id}/record-versions/{version}/retract"
            assert (await desk.post(path, {"reason": "Another person's."})).status_code == 404


class TestUnknownAgencies:
    """The other side is refused just as nobody is."""

    async def test_are_no_receivers(self, world: World) -> None:
        practice, _ = await world.practice()
        for caller, other in ((practice, "iom"), (world.police, "practice-iom")):
            for code in (other, "nobody-there"):
                for path, maker in (("/v1/referrals", records.referral), ("/v1/transfers", records.transfer)):
                    reply = await caller.post(path, maker(code))
                    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/unknown-receiver")

    async def test_are_suggested_by_nobody(self, world: World) -> None:
        sent = await world.send()
        await world.practice()
        reply = await world.move(sent, "decline", {"reason": "no_place", "suggested_receivers": ["practice-iom"]})
        assert reply.json()["errors"] == [{"pointer": "/suggested_receivers/0", "code": "unknown_agency"}]

    async def test_lead_no_linked_case(self, world: World) -> None:
        practice, _ = await world.practice()
        mine, theirs = await cases.opened(world), await cases.opened(world, practice.code)
        for case, other in ((mine, theirs.reference), (theirs, mine.reference)):
            reply = await case.lead.post(f"{case.path}/links", {"kind": "family", "other": other})
            assert (reply.status_code, reply.json()["type"]) == (422, "/problems/unknown-case")

    async def test_are_not_reassigned_to_nor_from(self, world: World) -> None:
        practice, _ = await world.practice()
        real, theirs = await cases.opened(world), await cases.opened(world, practice.code)
        paper = {"number": "B-7", "date": "2026-01-05"}
        async with cases.desk_at(world) as desk:
            for case, to, problem in ((real, practice.code, "unknown-receiver"), (theirs, "iom", "unknown-case")):
                body = {"case": case.reference, "to": to, "reason": "Dissolved.", "paper": paper}
                assert (await desk.post("/v1/reassignments", body)).json()["type"] == f"/problems/{problem}"

    async def test_record_for_nobody(self, world: World) -> None:
        practice, _ = await world.practice()
        assert (await practice.get("/v1/cases", headers={"Rujukan-Acts-For": "iom"})).status_code == 403


class TestTheDatabase:
    """Also whoever gets past the service finds the two apart."""

    @pytest.fixture
    async def admin(self, world: World) -> Any:
        conn: Connection = await asyncpg.connect(world.exchange.addresses.admin)
        yield conn
        await conn.close()

    @pytest.mark.parametrize(
        ("table", "column"), [("referral", "receiver_id"), ("referral", "sender_id"), ("transfer", "receiver_id")]
    )
    async def test_passes_nothing_on_between_them(self, world: World, table: str, column: str) -> None:
        await world.practice()
        sent = await world.send(kind=table)
        with pytest.raises(asyncpg.PostgresError, match="no such agency"):
            await world.owner.execute(
                f"UPDATE {table} SET {column} = $2 WHERE id = $1", UUID(sent.id), world.id_of("practice-iom")
            )

    @pytest.mark.parametrize(
        ("table", "changes"),
        [
            ("referral", "receiver_id"),
            ("transfer", "receiver_id"),
            ("disclosure", "receiver_id"),
            ("request", "to_id"),
            ("case_link", "other_lead_id"),
            ("agreement", "other_id"),
            ("escalation_asked", "agency_id"),
        ],
    )
    async def test_takes_no_new_row_of_both(self, world: World, table: str, changes: str) -> None:
        await world.practice()
        await _side(world, "real", "police", "iom")
        await world.owner.execute(
            "INSERT INTO agreement (id, kind, agency_id, other_id, reference, from_at) VALUES ($1, 'acts_for', $2, $3, 'PKS', now())",
            uuid4(), world.id_of("iom"), world.id_of("police"),
        )  # fmt: skip
        columns = [
            row["column_name"]
            for row in await world.owner.fetch(
                "SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND is_generated = 'NEVER'",
                table,
            )
        ]
        changed = ", ".join(
            "$1::uuid" if name == changes else "uuidv7()" if name == "id" else f'"{name}"' for name in columns
        )
        names = ", ".join(f'"{name}"' for name in columns)
        try:
            with pytest.raises(asyncpg.PostgresError, match="no such agency"):
                await world.owner.execute(
                    f"INSERT INTO {table} ({names}) SELECT {changed} FROM {table} LIMIT 1", world.id_of("practice-iom")
                )
        finally:
            await world.owner.execute("DELETE FROM agreement")

    async def test_moves_no_agency_to_the_other_side(self, world: World, admin: Connection) -> None:
        await world.practice()
        for code, sandbox in (("practice-iom", False), ("iom", True)):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await admin.execute("UPDATE agency SET sandbox = $2 WHERE code = $1", code, sandbox)

    async def test_administrators_join_nothing_of_both(self, world: World, admin: Connection) -> None:
        await world.practice()
        now = world.exchange.clock.now()
        acting = {"now": now, "actor": "admin-1"}
        with pytest.raises(InvalidValueError, match="agree on nothing"):
            await agreements.add_acts_for(admin, agency="practice-iom", by="iom", reference="PKS-1", **acting)
        with pytest.raises(InvalidValueError, match="belongs to the other"):
            await add_agency(
                admin, code="practice-unit", name="A unit", kind="sentra", parent="iom", sandbox=True, **acting
            )
        with pytest.raises(InvalidValueError, match="a practice agency is not it"):
            await set_desk(admin, "practice-iom", **acting)

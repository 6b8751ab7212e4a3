"""Much has happened among seven agencies. Now each looks at every table by itself, past the service, as the role it runs as."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.makers import cases, ndjson, record_files, records, sealed, webhooks
from tests.makers.world import Passed, World

Rows = dict[str, list[asyncpg.Record]]
GUARDED = (
    "case_file", "case_lead", "consent", "record_version", "record_content", "referral", "transfer", "disclosure", "move",
    "event", "feed_end", "idempotency", "consent_withdrawal", "correction", "request", "victim_status", "reassignment", "escalation",
    "escalation_asked", "consent_reconfirmation", "review", "emergency_access", "emergency_knock", "subject_request", "incident",
    "incident_case", "incident_entry", "legal_hold", "legal_hold_review", "erasure", "sealed_recipient", "feed_position",
    "attachment", "attachment_chunk", "record_attachment", "consent_attachment",
    "webhook", "delivery", "delivery_attempt",
    "bulk_import", "import_line", "bulk_export",
    "note", "note_seen",
)  # fmt: skip


def party(row: asyncpg.Record, me: UUID) -> bool:
    return me in (row["sender_id"], row["receiver_id"])


def expected(rows: Rows, me: UUID) -> dict[str, list[asyncpg.Record]]:
    """What an agency may see, said again in plain Python."""
    mine = [*filter(lambda row: party(row, me), rows["referral"] + rows["transfer"])]
    cases = {row["case_id"] for row in mine if not row["ended_at"]} | {
        row["case_id"] for row in rows["case_lead"] if row["agency_id"] == me
    }
    led = {row["id"] for row in rows["case_file"] if row["lead_id"] == me}
    shown = {d["version_id"] for d in rows["disclosure"] if party(d, me) and not d["closed_at"]}
    held = [d for d in rows["disclosure"] if d["receiver_id"] == me and not d["closed_at"] and not d["locked_at"]]
    own = [d for d in held if d["opened_at"] and not d["origin_id"]]
    opened = {d["version_id"] for d in own} | {
        d["version_id"]
        for d in held
        if any(o["subject_id"] == d["origin_id"] and set(o["sections"]) & set(d["sections"]) for o in own)
    }
    given = {c["id"] for c in rows["consent"] if c["author_id"] == me}
    told = {d["subject_id"] for d in rows["disclosure"] if d["receiver_id"] == me}
    desk = {a["id"] for a in rows["agency"] if a["desk"]}
    asked = {k["escalation_id"] for k in rows["escalation_asked"] if k["agency_id"] == me}
    referrals = {row["id"] for row in rows["referral"] if party(row, me) or row["case_id"] in led}
    # who reviews: the agency made so, else the desk; of practice cases nobody
    practice = {a["id"] for a in rows["agency"] if a["sandbox"]}
    reviews = me in ({a["id"] for a in rows["agency"] if a["reviewer"]} or desk)
    incidents = {row["incident_id"] for row in rows["incident_case"] if row["case_id"] in led}
    answered = {
        row["id"]
        for row in rows["incident"]
        if me in (row["author_id"], row["responsible_id"]) or (reviews and row["author_id"] not in practice)
    }
    moved = {row["id"] for row in rows["move"] if party(row, me)}
    holds = {row["id"] for row in rows["legal_hold"] if reviews and row["placed_by_id"] not in practice}
    read = {
        row["version_id"]
        for row in rows["record_content"]
        if not row["retracted_at"] and (row["author_id"] == me or row["version_id"] in opened)
    }
    written = {row["version_id"] for row in rows["record_content"] if row["author_id"] == me}

    def both_open(row: asyncpg.Record) -> bool:
        """Whether a file's own section and that of the papers are both open in its version."""
        return row["version_id"] in written or all(
            any(
                d["version_id"] == row["version_id"]
                and section in d["sections"]
                and (d in own or any(o["subject_id"] == d["origin_id"] and section in o["sections"] for o in own))
                for d in held
            )
            for section in (row["section"], "attachments")
        )

    bound = [row for row in rows["record_attachment"] if row["version_id"] in read and both_open(row)]
    heard = {
        row["attachment_id"]
        for row in rows["consent_attachment"]
        if row["consent_id"] in given or row["case_id"] in led
    }
    taken_back = {row["id"] for row in rows["record_version"] if row["retracted_at"]}
    versions: dict[UUID, set[UUID]] = {}
    for row in rows["record_attachment"]:
        versions.setdefault(row["attachment_id"], set()).add(row["version_id"])
    open_files = (
        {row["attachment_id"] for row in bound}
        | heard
        | {row["id"] for row in rows["attachment"] if row["agency_id"] == me}
    ) - {file for file, of in versions.items() if of <= taken_back}
    sees: dict[str, Callable[[asyncpg.Record], bool]] = {
        "case_file": lambda row: row["id"] in cases,
        "case_lead": lambda row: row["agency_id"] == me or row["case_id"] in led,
        "consent": lambda row: row["author_id"] == me or row["case_id"] in led,
        "consent_withdrawal": lambda row: row["agency_id"] == me or row["case_id"] in led or row["consent_id"] in given,
        "consent_reconfirmation": lambda row: row["case_id"] in led or row["consent_id"] in given,
        "correction": lambda row: row["author_id"] == me or row["case_id"] in led or row["id"] in told,
        "request": lambda row: me in (row["to_id"], row["from_id"]) or row["case_id"] in led,
        "record_version": lambda row: not row["retracted_at"] and (row["author_id"] == me or row["id"] in shown),
        "record_content": lambda row: (
            not row["retracted_at"] and (row["author_id"] == me or row["version_id"] in opened)
        ),
        "referral": lambda row: row["id"] in referrals,
        "transfer": lambda row: party(row, me),
        "disclosure": lambda row: party(row, me),
        "move": lambda row: (
            party(row, me) or row["subject_id"] in referrals or (row["subject"] == "case" and row["case_id"] in led)
        ),
        # its kind as its move; the two sides see of each other how far they have read, who was one of them keeps what it said itself
        "note": lambda row: row["subject_id"] in referrals or row["move_id"] in moved,
        "note_seen": lambda row: row["agency_id"] == me or row["subject_id"] in {each["id"] for each in mine},
        "victim_status": lambda row: row["case_id"] in led,
        "reassignment": lambda row: (
            me in desk or row["case_id"] in led or (row["to_id"] == me and row["approved_at"] is not None)
        ),
        "escalation": lambda row: row["id"] in asked,
        "escalation_asked": lambda row: row["escalation_id"] in asked,
        "review": lambda row: party(row, me) or row["case_id"] in led or (reviews and not row["practice"]),
        "emergency_access": lambda row: (
            row["agency_id"] == me or row["case_id"] in led or (reviews and not row["practice"])
        ),
        "emergency_knock": lambda row: row["agency_id"] == me,
        "subject_request": lambda row: (
            row["author_id"] == me or row["case_id"] in led or (reviews and row["author_id"] not in practice)
        ),
        "incident": lambda row: row["id"] in answered | incidents,
        "incident_case": lambda row: row["case_id"] in led or row["incident_id"] in answered,
        "incident_entry": lambda row: row["incident_id"] in answered | incidents,
        "legal_hold": lambda row: row["case_id"] in led or row["id"] in holds,
        "legal_hold_review": lambda row: row["hold_id"] in holds,
        "erasure": lambda row: row["case_id"] in led,
        "sealed_recipient": lambda row: me in (row["author_id"], row["agency_id"]),
        "attachment": lambda row: row["id"] in open_files,
        "attachment_chunk": lambda row: row["attachment_id"] in open_files,
        "record_attachment": lambda row: row in bound,
        "consent_attachment": lambda row: row["case_id"] in led or row["consent_id"] in given,
        **dict.fromkeys(("webhook", "delivery", "delivery_attempt"), lambda row: row["agency_id"] == me),
        "event": lambda row: row["agency_id"] == me,
        "feed_end": lambda row: row["agency_id"] == me,
        "feed_position": lambda row: row["agency_id"] == me,
        "idempotency": lambda row: row["agency_id"] == me,
        **dict.fromkeys(("bulk_import", "import_line", "bulk_export"), lambda row: row["agency_id"] == me),
    }
    return {table: [row for row in rows[table] if sees[table](row)] for table in GUARDED}


async def put_right(world: World, made: dict[str, Passed]) -> None:
    """A consent withdrawn, and given up in part; a correction that reaches holders, one of them onward; a record retracted; a proposal; a note."""
    partly = await world.consented(sender="iom", receiver="shelter")
    assert (await world.shelter.post(f"{partly.path}/notes", {"text": "Which ship?"})).status_code == 200
    for passed, sections, who in ((made["consented"], (), "ministry"), (partly, ("safety",), "shelter")):
        assert (await world.withdraw(passed, *sections, by=world.agencies[who])).status_code == 200
    await world.owner.execute(
        """INSERT INTO consent_reconfirmation (id, case_id, consent_id, agency_id, recorded_by_id, client_id, recorded_at, detail)
           SELECT gen_random_uuid(), case_id, id, author_id, author_id, 'x', now(), '' FROM consent"""
    )
    case = f"/v1/cases/{made['served'].case_id}"
    right = {"record": {"identity": {"names": [{"full": records.NAME}]}}, "reason": "Spelt otherwise."}
    for path, who, body in (
        (f"{case}/corrections", "police", right),
        (f"{case}/correction-proposals", "lpsk", {"pointers": ["/identity"], "text": "It is spelt otherwise."}),
    ):
        assert (await world.agencies[who].post(path, body)).status_code == 201
    wrong = (await world.row(made["failed"]))["version_id"]
    path = f"/v1/cases/{made['failed'].case_id}/record-versions/{wrong}/retract"
    assert (await world.lpsk.post(path, {"reason": "Another person's."})).status_code == 200
    for who in ("police", "iom"):
        reply = await world.agencies[who].client.request("PUT", "/v1/events/position", json={"position": 1})
        assert reply.status_code == 200


async def watched_over(world: World, made: dict[str, Passed]) -> None:
    """A victim's status recorded; a lead that is gone, replaced in one case and proposed to be in another, by the ministry as the desk."""
    status = {
        "status": "presumed",
        "ground": "Found on a fishing vessel.",
        "decided_on": str(world.exchange.clock.now().date()),
    }
    reply = await world.police.post(f"/v1/cases/{made['served'].case_id}/victim-status", status)
    assert reply.status_code == 200, reply.text
    async with cases.desk_at(world):
        for passed, to, approve in ((made["served"], "iom", True), (made["amended"], "lpsk", False)):
            case = await cases.case_of(world, passed.case_id)
            paper = {"number": "B-7/RS/2026", "date": "2026-01-05"}
            body = {"case": case.reference, "to": to, "reason": "The unit was dissolved.", "paper": paper}
            reply = await world.ministry.post("/v1/reassignments", body)
            assert reply.status_code == 201, reply.text
            if approve:
                path = f"/v1/reassignments/{reply.json()['id']}/approve"
                assert (await world.ministry.post(path, {}, if_match=1, actor="officer-8")).status_code == 200
    await protected(world, made)


async def protected(world: World, made: dict[str, Passed]) -> None:
    """An emergency access by a reference, what a person asks, an incident in two cases, a hold reviewed, something erased, something sealed."""
    now = world.exchange.clock.now()
    case = await cases.case_of(world, made["amended"].case_id)

    async def said(who: str, path: str, body: dict[str, Any]) -> str:
        reply = await world.agencies[who].post(path, body)
        assert reply.is_success, reply.text
        return reply.headers.get("location", path)

    need = {"sections": ["identity", "safety"], "reason": "medical_emergency", "text": "He does not wake up."}
    await said("sentra", "/v1/emergency-access", {"reference": case.reference} | need)
    for who, passed in (("lpsk", made["served"]), ("police", made["accepted"])):
        asked = {
            "case_id": passed.case_id, "kind": "access", "requester": "person", "identity_check": "known_to_staff",
            "identity_checked_by": "recording_agency", "received_at": now.isoformat(), "text": "What did they write?",
        }  # fmt: skip
        await said(who, "/v1/subject-requests", asked)
    incident = {
        "kind": "wrong_receiver", "noticed_at": now.isoformat(), "data_classes": ["specific_health"],
        "cases": [made["served"].case_id, made["accepted"].case_id], "how": "The wrong name was chosen.",
    }  # fmt: skip
    path = await said("lpsk", "/v1/incidents", incident)
    await said("lpsk", f"{path}/entries", {"text": "The receiver was called."})
    async with cases.desk_at(world) as desk:
        path = await said(desk.code, "/v1/holds", records.hold(now, case.reference, "safety"))
        later = (now + timedelta(days=300)).date().isoformat()
        await said(desk.code, f"{path}/review", {"review_on": later, "text": "The appeal."})
    for code in ("police", "iom"):
        assert (await ndjson.send(world.who(code), ndjson.lines(2, receiver="lpsk"))).status_code == 201
        await world.owner.execute(
            "INSERT INTO bulk_export (agency_id, client_id, id, lease_until) VALUES ($1, $2, gen_random_uuid(), $3)",
            world.ids[code], f"{code}-system", now,
        )  # fmt: skip
    police, shelter = await sealed.publish(world, world.police, world.shelter)
    await world.accepted(receiver="shelter", **sealed.request(shelter, police))
    await record_files.uploaded(world)
    # of one both sections are open, of one only that of the papers, and one was taken back
    for opened in (["health", "attachments"], ["attachments"], None):
        file = await record_files.uploaded(world)
        record, rest = record_files.record(file), [each for each in record_files.SECTIONS if each not in (opened or ())]
        bases = [records.legal_basis(*opened), records.legal_basis(*rest)] if opened else None
        passed = await world.accepted(
            receiver="lpsk",
            purpose="social_rehabilitation",
            record=record,
            bases=bases or [records.legal_basis(*record_files.SECTIONS)],
        )
        if opened == ["attachments"]:
            await world.owner.execute(
                "UPDATE disclosure SET locked_at = now(), lock_reason = 'not_justified' WHERE subject_id = $1 AND 'health' = ANY (sections)",
                UUID(passed.id),
            )
        elif opened is None:
            version = (await world.row(passed))["version_id"]
            await said("police", f"/v1/cases/{passed.case_id}/record-versions/{version}/retract", {"reason": "Hers."})
    proof = {"method": "audio_recording", "evidence": {"attachment": await record_files.uploaded(world, "lpsk")}}
    await said("lpsk", f"/v1/cases/{made['accepted'].case_id}/consents", records.consent(now, **proof))
    for code in ("police", "iom"):
        await webhooks.subscribed(world, code)
    await world.owner.execute(
        """INSERT INTO erasure (id, case_id, kind, row_id, cause, before_at, recorded_at)
           SELECT gen_random_uuid(), id, 'words', id, 'retention', now(), now() FROM case_file WHERE id = ANY ($1)""",
        [UUID(made[name].case_id) for name in ("failed", "amended")],
    )


def ordered(rows: list[Any]) -> list[str]:
    return sorted(str(tuple(row)) for row in rows)


@pytest.fixture
async def service(world: World) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the service's own role."""
    conn = await asyncpg.connect(world.exchange.addresses.app)
    yield conn
    await conn.close()


async def look(conn: asyncpg.Connection, agency: UUID | None) -> Rows:
    async with conn.transaction():
        if agency is not None:
            await conn.execute("SELECT set_config('rujukan.agency', $1, true)", str(agency))
        return {table: await conn.fetch(f"SELECT * FROM {table}") for table in GUARDED}


class TestEveryTable:
    async def test_shows_each_agency_what_it_is_party_to_and_nothing_else(
        self, world: World, service: asyncpg.Connection
    ) -> None:
        made = await world.busy()
        await put_right(world, made)
        await watched_over(world, made)
        everything = {table: await world.owner.fetch(f"SELECT * FROM {table}") for table in (*GUARDED, "agency")}
        assert all(everything.values()), "the scenario fills every table"
        for code, agency_id in world.ids.items():
            found, right = await look(service, agency_id), expected(everything, agency_id)
            for table in GUARDED:
                assert ordered(found[table]) == ordered(right[table]), (code, table)
            assert sum(map(len, found.values())) < sum(map(len, everything.values()))

    async def test_shows_the_desk_what_was_proposed_and_no_case_for_that(
        self, world: World, service: asyncpg.Connection
    ) -> None:
        made = await world.busy()
        await put_right(world, made)
        await watched_over(world, made)
        reviewed = {
            "review", "emergency_access", "subject_request", "incident", "incident_case", "incident_entry", "legal_hold", "legal_hold_review",
        }  # fmt: skip
        # the desk reviews unless another agency is made to; whoever does sees no case for that either
        for desk, reviewer, shown in (
            ("embassy", "lpsk", {"reassignment"}),
            ("embassy", None, {"reassignment"} | reviewed),
            ("iom", "embassy", reviewed),
        ):
            async with cases.desk_at(world, desk):
                await world.owner.execute("UPDATE agency SET reviewer = (code = $1)", reviewer or "")
                everything = {t: await world.owner.fetch(f"SELECT * FROM {t}") for t in (*GUARDED, "agency")}
                found, right = await look(service, world.ids["embassy"]), expected(everything, world.ids["embassy"])
                other = await look(service, world.ids["lpsk"]), expected(everything, world.ids["lpsk"])
                await world.owner.execute("UPDATE agency SET reviewer = false")
            assert {table for table, rows in found.items() if rows} == shown
            for table in GUARDED:
                assert ordered(found[table]) == ordered(right[table]), (desk, table)
                assert ordered(other[0][table]) == ordered(other[1][table]), (desk, table)
            for table in shown:
                assert ordered(found[table]) == ordered(everything[table]), (desk, table)

    async def test_shows_links_to_nobody_but_through_their_functions(
        self, world: World, service: asyncpg.Connection
    ) -> None:
        here, there = await cases.opened(world, "police"), await cases.opened(world, "iom")
        reply = await world.police.post(f"{here.path}/links", {"kind": "family", "other": there.reference})
        assert reply.status_code == 201, reply.text
        shown = "SELECT id FROM own_links(NULL, NULL, NULL, NULL, 10)"
        for code, agency_id in world.ids.items():
            async with service.transaction():
                await service.execute("SELECT set_config('rujukan.agency', $1, true)", str(agency_id))
                assert len(await service.fetch(shown)) == (code in ("police", "iom"))
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await service.fetch("SELECT * FROM case_link")

    async def test_shows_duty_contacts_to_all_and_lets_each_change_its_own(
        self, world: World, service: asyncpg.Connection
    ) -> None:
        entry = "INSERT INTO duty_contact (agency_id, place, role, phone) VALUES ($1, 1, 'duty officer', '+6221555123')"
        await world.owner.execute(entry, world.ids["iom"])
        try:
            for agency_id in world.ids.values():
                async with service.transaction():
                    await service.execute("SELECT set_config('rujukan.agency', $1, true)", str(agency_id))
                    assert len(await service.fetch("SELECT * FROM duty_contact")) == 1
                    taken = await service.execute("DELETE FROM duty_contact WHERE agency_id <> $1", agency_id)
                    assert taken == "DELETE 0"
                other = next(each for each in world.ids.values() if each != agency_id)
                await service.execute("SELECT set_config('rujukan.agency', $1, false)", str(agency_id))
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await service.execute(entry, other)
                await service.execute("RESET rujukan.agency")
        finally:
            await world.owner.execute("DELETE FROM duty_contact")

    async def test_shows_a_stranger_only_the_keys_it_used_itself(
        self, world: World, service: asyncpg.Connection
    ) -> None:
        await put_right(world, await world.busy())
        found = await look(service, world.ids["stranger"])
        assert {table: len(rows) for table, rows in found.items()} == dict.fromkeys(GUARDED, 0)

    @pytest.mark.parametrize("nobody", [None, "", "00000000-0000-0000-0000-000000000000"])
    async def test_shows_nothing_to_nobody(self, world: World, service: asyncpg.Connection, nobody: str | None) -> None:
        await world.accepted()
        await world.exchange.settle()
        if nobody is not None:
            await service.execute("SELECT set_config('rujukan.agency', $1, false)", nobody)
        for table in GUARDED:
            assert await service.fetch(f"SELECT * FROM {table}") == [], table

    async def test_does_not_remember_the_agency_of_the_transaction_before(
        self, world: World, service: asyncpg.Connection
    ) -> None:
        sent = await world.accepted()
        assert len((await look(service, world.ids["police"]))["referral"]) == 1
        assert await service.fetch("SELECT * FROM referral WHERE id = $1", UUID(sent.id)) == []

    @pytest.mark.parametrize("table", ["outbox", "log_entry"])
    async def test_that_is_not_for_agencies_is_not_readable_at_all(
        self, world: World, service: asyncpg.Connection, table: str
    ) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.fetch(f"SELECT * FROM {table}")


class TestAnotherAgencysRows:
    """What a forgotten WHERE could do, at worst: nothing."""

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE referral SET state = 'accepted'",
            "UPDATE disclosure SET opened_at = now()",
            "UPDATE request SET state = 'answered', answer = 'erased'",
            "UPDATE case_file SET updated_at = now()",
        ],
    )
    async def test_are_not_changed(self, world: World, service: asyncpg.Connection, statement: str) -> None:
        sent = await world.consented()
        await world.withdraw(sent)
        async with service.transaction():
            await service.execute("SELECT set_config('rujukan.agency', $1, true)", str(world.ids["stranger"]))
            assert await service.execute(statement) == "UPDATE 0"

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE case_file SET lead_id = $1",
            "UPDATE case_lead SET agency_id = $1",
            "DELETE FROM referral WHERE sender_id = $1",
            "DELETE FROM move WHERE sender_id = $1",
            "UPDATE record_content SET author_id = $1",
            "UPDATE consent SET author_id = $1",
            "UPDATE consent SET withdrawn_at = NULL WHERE author_id = $1",
            "UPDATE consent SET doubted_at = NULL WHERE author_id = $1",
            "INSERT INTO consent_reconfirmation (agency_id) VALUES ($1)",
            "UPDATE record_content SET retracted_at = NULL WHERE author_id = $1",
            "UPDATE request SET to_id = $1",
            "INSERT INTO request (to_id) VALUES ($1)",
            "INSERT INTO consent_withdrawal (agency_id) VALUES ($1)",
            "INSERT INTO event (agency_id) VALUES ($1)",
        ],
    )
    async def test_are_not_taken(self, world: World, service: asyncpg.Connection, statement: str) -> None:
        await world.send()
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute(statement, world.ids["stranger"])

    async def test_are_not_written_in_their_name(self, world: World, service: asyncpg.Connection) -> None:
        sent = await world.send()
        async with service.transaction():
            await service.execute("SELECT set_config('rujukan.agency', $1, true)", str(world.ids["stranger"]))
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await service.execute(
                    """INSERT INTO disclosure (id, case_id, subject, subject_id, version_id, sender_id, receiver_id, basis, sections,
                                               onward, recorded_at)
                       SELECT gen_random_uuid(), $1, 'referral', $2, gen_random_uuid(), $3, $3, 'consent', '{identity}', false, now()""",
                    UUID(sent.case_id),
                    UUID(sent.id),
                    world.ids["iom"],
                )

    @pytest.mark.parametrize("function", ["apply_handover", "publish_to_partners", "publish"])
    async def test_are_not_reached_through_the_functions_that_may_do_more(
        self, world: World, service: asyncpg.Connection, function: str
    ) -> None:
        accepted = await world.accepted(kind="transfer")
        call = {
            "apply_handover": "SELECT apply_handover($1, now())",
            "publish_to_partners": "SELECT publish_to_partners($1, 'x', now())",
            "publish": "SELECT publish('transfer', $1, 'x', '{sender,receiver}', now(), NULL)",
        }[function]
        for who in ("stranger", "police") if function == "apply_handover" else ("stranger",):
            async with service.transaction():
                await service.execute("SELECT set_config('rujukan.agency', $1, true)", str(world.ids[who]))
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await service.execute(call, UUID(accepted.id))

    async def test_are_not_taken_over_before_the_handover_is_confirmed(
        self, world: World, service: asyncpg.Connection
    ) -> None:
        accepted = await world.accepted(kind="transfer", receiver="ministry")
        async with service.transaction():
            await service.execute("SELECT set_config('rujukan.agency', $1, true)", str(world.ids["ministry"]))
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await service.execute("SELECT apply_handover($1, now())", UUID(accepted.id))
        assert await world.lead_of(accepted.case_id) == "police"


class TestTheFunctionsOfRequests:
    """Each checks again who calls: a stranger, or a party that has no right to this, gets nothing done."""

    @pytest.mark.parametrize(
        ("who", "statement"),
        [
            ("stranger", "SELECT apply_withdrawal($1, $2, '{}', NULL, now(), '1 day')"),
            ("stranger", "SELECT apply_reconfirmation($1, $2, '{}', '', now())"),
            ("iom", "SELECT apply_reconfirmation($1, $2, '{}', '', now())"),
            ("iom", "SELECT tell_of_consent($1, $2, 'given', now())"),
            ("police", "SELECT lock_resting(NULL, 'x', now())"),
            ("police", "SELECT doubt_consents('x', now(), now())"),
            ("stranger", "SELECT apply_retraction($1, $3, $3, 'I', NULL, true, now(), '1 day')"),
            ("iom", "SELECT apply_retraction($1, $3, $3, 'I', NULL, true, now(), '1 day')"),
            ("stranger", "SELECT apply_subject_request($1, '{}', 'me', NULL, now(), '1 day')"),
            ("stranger", "SELECT apply_subject_answer($5, '{}', NULL, now(), '1 day')"),
            ("stranger", "SELECT apply_restriction_lift($5, '{}', NULL, now(), '1 day')"),
            ("police", "SELECT restrictions_of($1, now())"),
            ("police", "SELECT open_restricted(NULL, '{}', $1, now(), '1 day')"),
            ("stranger", "SELECT apply_incident(jsonb_build_object('cases', ARRAY[$1]), 'me', '', now(), '1 day')"),
            ("stranger", "SELECT apply_incident_entry($5, '{}', 'me', '', now())"),
            ("police", "SELECT apply_hold_change($5, '{}', 'me', '', now())"),
            ("police", "SELECT lock_sections($1, '{safety}', 'x', now())"),
            ("police", "SELECT tell_of_incident($1, 'x', now())"),
            (
                "police",
                "SELECT erase_sections($1, $1, $3, '{}', NULL, NULL, NULL, NULL, 'retention', NULL, now(), NULL)",
            ),
            ("police", "SELECT erase_words($1, $1, 'words', NULL, now(), 'retention', NULL, now(), NULL)"),
            ("police", "SELECT staying_content($1, $3, '{}')"),
            ("stranger", "SELECT apply_proposal($1, $3, '{}', NULL, now(), '1 day')"),
            ("iom", "SELECT apply_correction($4, now())"),
            ("stranger", "SELECT carry_corrections($1, now())"),
            ("police", "SELECT disclose_correction(NULL, $1, NULL, now())"),
            ("police", "SELECT tell_of_answer($5, now())"),
            ("iom", "SELECT tell_of_answer($5, now())"),
            ("stranger", "SELECT tell_of_barred_guardian($1, now())"),
            ("police", "SELECT tell_of_barred_guardian($1, now())"),
            ("police", "SELECT ask_holders('{}', $1, 'x', $1, 'x', $1, NULL, now(), now(), '1 day')"),
        ],
    )
    async def test_refuse(self, world: World, service: asyncpg.Connection, who: str, statement: str) -> None:
        sent = await world.consented()
        reply = await world.police.post(
            f"/v1/cases/{sent.case_id}/corrections", {"record": records.record(), "reason": "Spelt otherwise."}
        )
        await world.withdraw(sent, "safety")
        (request,) = await world.requests(world.iom)
        given = [
            UUID(sent.case_id),
            UUID(await world.consent_of(sent)),
            (await world.row(sent))["version_id"],
            UUID(reply.json()["id"]),
            UUID(request["id"]),
        ]
        used = [value for place, value in enumerate(given, start=1) if f"${place}" in statement]
        for place, value in enumerate(used, start=1):
            statement = statement.replace(f"${given.index(value) + 1}", f"${place}::uuid")
        async with service.transaction():
            await service.execute("SELECT set_config('rujukan.agency', $1, true)", str(world.ids[who]))
            with pytest.raises(asyncpg.PostgresError) as refused:
                await service.execute(statement, *used)
        assert refused.value.sqlstate in ("RJ404", "42501"), refused.value

    @pytest.mark.parametrize("who", ["stranger", "ministry", "police"])
    async def test_give_no_content_to_who_does_not_have_the_person(
        self, world: World, service: asyncpg.Connection, who: str
    ) -> None:
        sent = await world.moved(await world.consented(), "start")
        await world.withdraw(sent)
        row = await world.row(sent)
        for agency, count in ((who, 0), ("iom", 1)):
            async with service.transaction():
                await service.execute("SELECT set_config('rujukan.agency', $1, true)", str(world.ids[agency]))
                found = await service.fetch(
                    "SELECT * FROM content_in_hand($1, $2, $3, '-infinity')",
                    row["case_id"],
                    row["id"],
                    row["version_id"],
                )
                assert [each["section"] for each in found] == ["safety"] * count
                assert await service.fetch("SELECT * FROM record_content") == [] or agency == "police"

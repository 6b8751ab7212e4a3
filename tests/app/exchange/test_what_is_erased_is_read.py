"""What has been erased is gone from every answer, and no answer breaks because it is gone: in part, then all of it, every endpoint is asked."""

from __future__ import annotations

import re
from collections import Counter

from app.exchange.retention import erasing
from app.exchange.retention.erasure_list import Entry
from app.foundation.ids import uuid7
from tests.contract.document import DOCUMENT
from tests.makers import cases, ndjson, record_files, records
from tests.makers.world import World

IDS = {
    "case_id": "SELECT id::text FROM case_file ORDER BY id LIMIT 6",
    "consent_id": "SELECT id::text FROM consent",
    "correction_id": "SELECT id::text FROM correction",
    "request_id": "SELECT id::text FROM request UNION SELECT id::text FROM subject_request LIMIT 6",
    "incident_id": "SELECT id::text FROM incident",
    "hold_id": "SELECT id::text FROM legal_hold",
    "link_id": "SELECT id::text FROM case_link",
    "reassignment_id": "SELECT id::text FROM reassignment",
    "referral_id": "SELECT id::text FROM referral ORDER BY started_at NULLS LAST LIMIT 6",
    "transfer_id": "SELECT id::text FROM transfer",
    "escalation_id": "SELECT id::text FROM escalation",
    "review_id": "SELECT id::text FROM review LIMIT 6",
    "emergency_id": "SELECT id::text FROM emergency_access",
    "receipt_id": """SELECT id::text FROM log_entry WHERE outcome = 'done' AND subject IN ('referral', 'transfer', 'case')
                     AND (detail ? 'record_version' OR action LIKE 'erasure:%') LIMIT 4""",
    "reference": "SELECT reference FROM case_file LIMIT 1",
    "attachment_id": "SELECT id::text FROM attachment",
    "import_id": "SELECT id::text FROM bulk_import",
}
"""What stands in a path, and which there are."""
TOGETHER = {
    "SELECT case_id, id AS consent_id FROM consent",
    "SELECT c.case_id, c.id AS consent_id, a.id AS attachment_id FROM consent c, attachment a",
    "SELECT r.id AS referral_id, a.id AS attachment_id FROM (SELECT id FROM referral ORDER BY id DESC LIMIT 4) r, attachment a",
    "SELECT t.id AS transfer_id, a.id AS attachment_id FROM transfer t, attachment a",
    "SELECT c.id AS correction_id, a.id AS attachment_id FROM correction c, attachment a",
}
"""The same for paths in which several stand."""
KEPT = {
    "incident.detail": "of several cases, and of how the exchange was used",
    "incident.close_detail": "the same",
    "incident_entry.detail": "the same",
    "log_key.private_sealed": "no person's",
    "signing_key.private_sealed": "no person's",
    "webhook_key.private_sealed": "no person's",
}
"""What is sealed and not erased with a case."""
WHO = ("police", "ministry")
"""Who led most of the cases, and the desk."""
QUERIES = {"/v1/referrals": "?role=sender", "/v1/transfers": "?role=sender", "/v1/requests": "?role=to"}


async def paths(world: World) -> list[str]:
    """Every address of a case's own that can be asked."""
    known = {name: [row[0] for row in await world.owner.fetch(query)] for name, query in IDS.items()}
    together = {tuple(sorted(rows[0].keys())): rows for rows in [await world.owner.fetch(query) for query in TOGETHER]}
    found = []
    for path, item in DOCUMENT["paths"].items():
        names = re.findall(r"\{(\w+)\}", path)
        if "get" not in item or not path.startswith("/v1/") or not set(names) <= set(IDS):
            continue
        if len(names) > 1:
            found += [path.format(**row) for row in together[tuple(sorted(names))]]
        elif names:
            (name,) = names
            found += [path.format(**{name: each}) for each in known[name]]
        else:
            found.append(path + QUERIES.get(path, ""))
    return found


async def asked(world: World, *, files: bool = False) -> Counter[int]:
    """Ask everything as who may read most of it; return how often each status was answered. `files`: whether any is still given out."""
    statuses: Counter[int] = Counter()
    given = 0
    broken = set()
    for path in await paths(world):
        fhir = {"headers": {"Accept": "application/fhir+json"}} if re.fullmatch("/v1/referrals/[^/?]+", path) else None
        for who, more in [(name, {}) for name in WHO] + ([("shelter", fhir)] if fhir else []):
            reply = await world.who(who).get(path, **more)
            statuses[reply.status_code] += 1
            given += b"%PDF" in reply.content
            if reply.status_code >= 500:
                broken.add((who, re.sub(r"[0-9a-f-]{36}", "…", path)))
    assert broken == set()
    assert bool(given) == files
    return statuses


async def erase(world: World, kind: str, sections: tuple[str, ...] | None) -> None:
    """Erase of every case what a restored backup would be made to forget: all that the erasure list says, due or not."""
    now = world.exchange.clock.now()
    of = "record_version" if kind == "record" else "case_file"
    case = "case_id" if kind == "record" else "id"
    for row in await world.owner.fetch(f"SELECT id, {case} AS case_id FROM {of}"):
        entry = Entry(uuid7(now), row["case_id"], kind, row["id"], sections, "retention", None, now, now)
        async with world.owner.transaction():
            assert await erasing.apply(world.owner, world.exchange.keyring, entry, now, actor="operator")


async def with_files(world: World) -> None:
    """A referral with a file in its record, on a consent that another proves."""
    file, proof = await record_files.uploaded(world), await record_files.uploaded(world)
    consent = records.consent(
        world.exchange.clock.now(),
        evidence={"attachment": proof},
        method="audio_recording",
        sections=record_files.SECTIONS,
    )
    basis = {"kind": "consent", "sections": list(record_files.SECTIONS)}
    reply = await world.police.post("/v1/referrals", record_files.referral(file, consent=consent, bases=[basis]))
    assert reply.status_code == 201, reply.text


async def left_of_files(world: World) -> list[str]:
    """With what the files go that can still be opened."""
    rows = await world.owner.fetch(
        """SELECT CASE WHEN r.version_id IS NOT NULL THEN 'record' WHEN e.act_id IS NOT NULL THEN 'consent' ELSE 'nothing' END AS goes_with
           FROM attachment a LEFT JOIN record_attachment r ON r.attachment_id = a.id LEFT JOIN consent_attachment e ON e.attachment_id = a.id
           WHERE a.wrapped_key IS NOT NULL ORDER BY 1"""
    )
    return [row["goes_with"] for row in rows]


async def test_everything_is_answered_before_and_after_a_part_and_all_is_erased(world: World) -> None:
    await world.busy()
    await cases.said_everywhere(world)
    await ndjson.handle(world)
    await with_files(world)
    await world.set_desk("ministry")
    await world.exchange.worker.seal_log()
    every = await world.owner.fetchval("SELECT array_agg(DISTINCT s) FROM record_version, unnest(sections) AS s")
    some = ("identity", "needs", "health")
    await erase(world, "record", some)
    row = await world.owner.fetchrow(
        """SELECT v.sections, k.parts FROM record_version v JOIN record_content k ON k.version_id = v.id
           WHERE 'contact' = ANY (v.sections) AND v.sections && '{health}' LIMIT 1"""
    )
    parts = dict(zip([*row["sections"], "salt"], row["parts"], strict=True))
    assert not any(parts[name] for name in (*some, "salt")), "with the salt left, what went could be guessed"
    assert parts["contact"]
    assert await left_of_files(world) == ["consent", "nothing"], "the record's went with its section"
    assert (await asked(world, files=True))[200] > 50
    for kind in ("access", "words", "proof"):
        await erase(world, kind, None)
    assert await left_of_files(world) == ["nothing"]
    await asked(
        world, files=True
    )  # what goes with no case is its uploader's, until its own time is over, as is what a receiver answered
    world.exchange.later(days=world.exchange.settings.delivery_days + 1)
    await world.exchange.worker.look_after_files()
    await world.exchange.worker.remove_old_deliveries()
    await erase(world, "record", tuple(every))
    for place in await world.owner.fetch("SELECT place, relation, col FROM sealed_columns()"):
        if place["place"] not in KEPT:
            left = await world.owner.fetchval(f"SELECT count({place['col']}) FROM {place['relation']}")
            assert left == 0, place["place"]
    await asked(world)

"""What has been erased is gone from every answer, and no answer breaks because it is gone: in part, then all of it, every endpoint is asked."""

from __future__ import annotations

import re
from collections import Counter

from app.exchange.retention import erasing
from app.exchange.retention.erasure_list import Entry
from app.foundation.ids import uuid7
from tests.makers import cases
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
}
"""What stands in a path, and which there are."""
KEPT = {
    "incident.detail": "of several cases, and of how the exchange was used",
    "incident.close_detail": "the same",
    "incident_entry.detail": "the same",
    "log_key.private_sealed": "no person's",
    "signing_key.private_sealed": "no person's",
}
"""What is sealed and not erased with a case."""
WHO = ("police", "ministry")
"""Who led most of the cases, and the desk."""
QUERIES = {"/v1/referrals": "?role=sender", "/v1/transfers": "?role=sender", "/v1/requests": "?role=to"}


async def paths(world: World) -> list[str]:
    """Every address of a case's own that can be asked."""
    known = {name: [row[0] for row in await world.owner.fetch(query)] for name, query in IDS.items()}
    found = []
    for path, item in world.exchange.app.openapi()["paths"].items():
        names = re.findall(r"\{(\w+)\}", path)
        if "get" not in item or not path.startswith("/v1/") or not set(names) <= set(IDS):
            continue
        if names == ["case_id", "consent_id"]:
            rows = await world.owner.fetch("SELECT case_id, id FROM consent")
            found += [path.format(case_id=row["case_id"], consent_id=row["id"]) for row in rows]
        elif names:
            (name,) = names
            found += [path.format(**{name: each}) for each in known[name]]
        else:
            found.append(path + QUERIES.get(path, ""))
    return found


async def asked(world: World) -> Counter[int]:
    """Ask everything as who may read most of it; return how often each status was answered."""
    statuses: Counter[int] = Counter()
    broken = set()
    for path in await paths(world):
        fhir = {"headers": {"Accept": "application/fhir+json"}} if re.fullmatch("/v1/referrals/[^/?]+", path) else None
        for who, more in [(name, {}) for name in WHO] + ([("shelter", fhir)] if fhir else []):
            reply = await world.who(who).get(path, **more)
            statuses[reply.status_code] += 1
            if reply.status_code >= 500:
                broken.add((who, re.sub(r"[0-9a-f-]{36}", "…", path)))
    assert broken == set()
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


async def test_everything_is_answered_before_and_after_a_part_and_all_is_erased(world: World) -> None:
    await world.busy()
    await cases.said_everywhere(world)
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
    assert (await asked(world))[200] > 50
    for kind in ("access", "words", "proof"):
        await erase(world, kind, None)
    await asked(world)
    await erase(world, "record", tuple(every))
    for place in await world.owner.fetch("SELECT place, relation, col FROM sealed_columns()"):
        if place["place"] not in KEPT:
            left = await world.owner.fetchval(f"SELECT count({place['col']}) FROM {place['relation']}")
            assert left == 0, place["place"]
    await asked(world)

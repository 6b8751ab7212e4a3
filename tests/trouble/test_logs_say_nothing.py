"""What a real process and its database write down while the sample people are sent about, and everything that can goes wrong."""

from __future__ import annotations

import asyncio
import copy
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from app.client import ExchangeClient
from app.demo.samples import load_samples
from tests.makers import leaks, records
from tests.trouble.conftest import Service, keys


def with_faults(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The record with each of its sections broken in a way of its own, the words still in it."""
    found = []
    for name in record:
        if name == "schema_version":
            continue
        said = json.dumps(record[name], ensure_ascii=False)
        found.append(record | {name: said})  # of the wrong type
        found.append(
            record | {name: {**record[name], said[:60]: said}}
        )  # a member nobody knows, named by what was told
        found.append({**copy.deepcopy(record), f"{name} {said[:40]}": record[name]})
    return found


async def provoke(client: ExchangeClient, record: dict[str, Any]) -> set[int]:
    """Send what is refused, in bodies, addresses and headers; return how it was answered."""
    seen = set()
    whole = sent(record)
    name = next(text for _, text in leaks.leaves(record["identity"]["names"]))
    bodies = [whole | {"record": broken} for broken in with_faults(record)]
    bodies += [
        whole | {"receiver": "nobody"},
        whole | {"bases": [records.legal_basis("needs")]},  # sections that no basis covers
        whole | {"bases": [whole["bases"][0] | {"reason": name * 2000}]},
        {"record": record},
    ]
    for body in bodies:
        seen.add((await post(client, body)).status_code)
    for path in (f"/v1/{name}", f"/v1/cases/{name}", f"/v1/referrals?state={name}", f"/v1/referrals?cursor={name}"):
        seen.add((await client.get(quote(path, safe="/?="), actor="officer-7")).status_code)
    return seen


def sent(record: dict[str, Any]) -> dict[str, Any]:
    sections = [name for name in record if name != "schema_version"]
    return records.referral(record=record, purpose="social_rehabilitation", bases=[records.legal_basis(*sections)])


async def post(client: ExchangeClient, body: dict[str, Any]) -> httpx.Response:
    return await client.post("/v1/referrals", json=body, actor="officer-7", idempotency_key=keys(1)[0])


async def test_nothing_a_sample_person_told_is_logged(service: Service, tmp_path: Path) -> None:
    service.told_to_end()
    service.ended(30)
    service.start(RUJUKAN_LOG_LEVEL="DEBUG")
    people = [sample.people[0].record for sample in load_samples()]
    seen: set[int] = set()
    async with service.client("police") as client:
        for record in people:
            made = await post(client, sent(record))
            seen.add(made.status_code)
        last = sent(people[-1])
        seen |= await provoke(client, people[0])
        # the database refuses a statement that holds what was told, finds it damaged, is shot while it is asked, and is away
        async with service.connection() as conn:
            await conn.execute("ALTER TABLE move ADD CONSTRAINT no_more CHECK (false) NOT VALID")
            seen.add((await post(client, last)).status_code)
            await conn.execute("ALTER TABLE move DROP CONSTRAINT no_more")
            await conn.execute("UPDATE record_version SET preview = set_byte(preview, 90, 0)")
            seen.add((await client.get(f"/v1/referrals/{made.json()['id']}", actor="officer-7")).status_code)
        waiting = asyncio.create_task(post(client, last))
        await asyncio.to_thread(service.stop_database, "immediate")
        seen.add((await waiting).status_code)
        seen.add((await post(client, last)).status_code)
        await asyncio.to_thread(service.start_database)
    assert seen >= {201, 403, 404, 422, 500, 503}
    told = {text for record in people for text in leaks.told_in(record)}
    told.add("Found on a fishing vessel; help within seven days.")
    written = tmp_path / "logs"
    written.write_text(service.log())
    assert "DEBUG" in service.log()
    assert leaks.found_in([written], leaks.looked_for(told), tmp_path) == []

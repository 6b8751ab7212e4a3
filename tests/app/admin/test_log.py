"""The log of administrative acts: for auditors, and never a line about a case."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest

from auth.people import sessions
from tests.makers.admins import Administrator, new_agency
from tests.makers.world import World


async def test_shows_what_administrators_did_and_nothing_of_any_case(auditor, operator, world: World):
    sent = await world.accepted()
    made = (await operator.post("/agencies", new_agency())).json()
    reply = await auditor.get("/log?limit=200")
    assert reply.status_code == 200, reply.text
    entries = reply.json()["items"]
    assert made["id"] in {entry["subject_id"] for entry in entries}
    assert {entry["subject"] for entry in entries} <= {"agency", "client", "service_point", "signing_key"}
    for id in (sent.id, sent.case_id):
        assert id not in reply.text
        assert (await auditor.get(f"/log?subject_id={id}")).json()["items"] == []
    assert (await auditor.get("/log?subject=referral")).json()["items"] == []


async def test_the_database_itself_shows_this_role_no_more(exchange, operator, world: World):
    await world.accepted()
    await operator.post("/agencies", new_agency())
    admin = await asyncpg.connect(exchange.addresses.admin)
    try:
        shown = {row["id"] for row in await admin.fetch("SELECT id FROM log_entry")}
        for columns in ("*", "agency_id", "case_id"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await admin.fetch(f"SELECT {columns} FROM log_entry")
    finally:
        await admin.close()
    rows = await exchange.owner.fetch("SELECT id, agency_id, case_id, actor FROM log_entry")
    assert shown == {row["id"] for row in rows if (row["agency_id"], row["case_id"]) == (None, None) and row["actor"]}
    assert 0 < len(shown) < len(rows)


async def test_is_for_auditors(operator, officer):
    for who in (operator, officer):
        reply = await who.get("/log")
        assert (reply.status_code, reply.json()["roles"]) == (403, ["auditor"])


async def test_is_found_by_action_person_thing_and_time(auditor, operator, second, exchange):
    first = (await operator.post("/agencies", new_agency())).json()
    exchange.later(hours=1)
    half = (exchange.clock.now().replace(microsecond=0)).isoformat().replace("+00:00", "Z")
    await (await _again(exchange, second)).post(f"/agencies/{first['code']}/suspend")

    async def found(**filters: str) -> list[str]:
        return [entry["action"] for entry in (await auditor_again.get("/log", params=filters)).json()["items"]]

    auditor_again = await _again(exchange, auditor)
    assert await found(action="agency", subject_id=first["id"]) == ["agency:suspend", "agency:add"]
    assert await found(action="agency:add", subject_id=first["id"]) == ["agency:add"]
    assert await found(actor="op-budi") == ["agency:suspend"]
    assert await found(subject_id=first["id"], since=half) == ["agency:suspend"]
    assert await found(subject_id=first["id"], until=half) == ["agency:add"]


async def _again(exchange, who: Administrator) -> Administrator:
    """The same person, signed in anew: an hour later the session was idle for too long."""
    async with exchange.app.state.database.admin.acquire() as conn:
        token = await sessions.begin(
            conn, who.id, method="passkey", address=None, user_agent="test", now=exchange.clock.now()
        )
    return replace(who, token=token)


async def test_goes_by_pages_the_newest_first(auditor, operator):
    codes = [(await operator.post("/agencies", new_agency())).json()["code"] for _ in range(3)]
    path, found = "/log?action=agency:add&limit=2", []
    while path:
        page = (await auditor.get(path)).json()
        found += [entry["detail"]["code"] for entry in page["items"]]
        path = page["next"] and page["next"].removeprefix("/admin/v1")
    assert found == codes[::-1]

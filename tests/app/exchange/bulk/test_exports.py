"""Everything an agency may read: what its single readings give, no more, no less, and logged alike."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from app.exchange.bulk import exports
from tests.makers import cases
from tests.makers.ndjson import exported
from tests.makers.world import Agency, World

PATHS = {"case": "/v1/cases/{}", "referral": "/v1/referrals/{}", "transfer": "/v1/transfers/{}"}


async def everything(who: Agency, world: World) -> dict[tuple[str, str], Any]:
    """What the single readings give, over all ids there are."""
    found: dict[tuple[str, str], Any] = {}
    for kind, path in PATHS.items():
        table = {"case": "case_file"}.get(kind, kind)
        for row in await world.owner.fetch(f"SELECT id::text FROM {table}"):
            reply = await who.get(path.format(row["id"]))
            if reply.status_code == 200:
                found[kind, row["id"]] = _again(reply.json())
    for row in await world.owner.fetch("SELECT id::text, case_id::text FROM consent"):
        reply = await who.get(f"/v1/cases/{row['case_id']}/consents/{row['id']}")
        if reply.status_code == 200:
            found["consent", row["id"]] = reply.json()
    return found


def data(lines: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    return {(each["kind"], each["id"]): _again(each["data"]) for each in lines[1:-1]}


def _again(document: dict[str, Any]) -> dict[str, Any]:
    """A document as if it had been read before: the first reading is noted, and shown by the next."""
    return document | ({"first_read_at": None} if "first_read_at" in document else {})


async def test_is_what_the_single_readings_give_each_agency_and_each_is_logged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE", 3)
    monkeypatch.setattr(exports, "IDS_AT_ONCE", 7)
    await world.busy()
    await cases.said_everywhere(world)
    sizes = {}
    for code in ("police", "iom", "ministry", "shelter", "stranger"):
        who = world.who(code)
        single = await everything(who, world)
        before = await world.owner.fetchval("SELECT count(*) FROM log_entry WHERE action ~ ':read$'")
        lines = await exported(who)
        assert data(lines) == single, code
        head, end = lines[0], lines[-1]
        assert (head["kind"], head["export_version"], head["agency"]["code"], head["resumed"]) == (
            "export",
            "1.0",
            code,
            False,
        )
        assert end | {"at": None} == {
            "kind": "end", "complete": True, "reason": None, "at": None,
            "counts": dict.fromkeys(exports.KINDS, 0) | Counter(kind for kind, _ in single),
        }  # fmt: skip
        assert [each["kind"] for each in lines[1:-1]] == sorted(
            (kind for kind, _ in single), key=list(exports.KINDS).index
        )
        assert len(data(lines)) == len(lines) - 2, "nothing twice"
        assert await world.owner.fetchval("SELECT count(*) FROM log_entry WHERE action ~ ':read$'") == before + len(
            single
        )
        sizes[code] = len(single)
    assert min(sizes["police"], sizes["iom"], sizes["shelter"], sizes["ministry"]) > 5
    assert sizes["stranger"] == 0, "a second agency sees nothing"
    assert await world.owner.fetchval("SELECT count(*) FROM bulk_export") == 0, "each gave its place back"


async def test_goes_on_after_any_line_and_takes_kinds_and_times(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE", 2)
    police = world.police
    old = [await world.send() for _ in range(3)]
    await world.consented()
    world.exchange.later(hours=2)
    since = world.exchange.clock.now().isoformat()[:19] + "Z"
    world.exchange.later(hours=1)
    await world.moved(old[1], "accept")
    await world.send()
    whole = (await exported(police))[1:-1]
    assert Counter(each["kind"] for each in whole) == {"case": 5, "referral": 5, "consent": 1}
    for place in range(len(whole)):
        rest = await exported(police, f"?after={whole[place]['after']}")
        assert rest[0]["resumed"] is True
        assert rest[1:-1] == whole[place + 1 :], place
    assert len(await exported(police, "?kinds=consent&kinds=referral")) == 2 + 6
    assert {each["id"] for each in (await exported(police, f"?kinds=referral&since={since}"))[1:-1]} == {
        old[1].id,
        next(each["id"] for each in reversed(whole) if each["kind"] == "referral"),
    }
    for query in (f"?kinds=case&after={whole[0]['after']}", f"?since={since}&after={whole[0]['after']}", "?after=x"):
        assert (await police.get(f"/v1/exports{query}")).json()["type"] == "/problems/invalid-cursor"
    assert (await world.iom.get(f"/v1/exports?after={whole[0]['after']}")).json()["type"] == "/problems/invalid-cursor"
    for query in ("?kinds=note", "?since=yesterday", "?kind=case"):
        assert (await police.get(f"/v1/exports{query}")).status_code == 422


async def test_ends_when_its_caller_may_not_go_on_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the token; when a scope is gone; when the client's place is another's; a document that cannot be read ends nothing."""
    monkeypatch.setattr(exports, "PAGE", 1)
    sent = [await world.send() for _ in range(3)]
    page = exports.Export._page
    scopes = await world.owner.fetchval("SELECT scopes FROM client WHERE client_id = 'police-system'")

    async def change(statement: str, *values: Any) -> None:
        await world.owner.execute(statement, *values)
        await world.owner.execute("UPDATE epoch SET value = value + 1")
        await world.exchange.directory.refresh()  # type: ignore[attr-defined]

    async def narrowed() -> None:
        await change(
            "UPDATE client SET scopes = $1 WHERE client_id = 'police-system'",
            [each for each in scopes if each != "cases.read"],
        )

    async def ended() -> None:
        world.exchange.later(minutes=20)

    async def elsewhere() -> None:
        await world.owner.execute("UPDATE bulk_export SET id = gen_random_uuid()")

    for reason, happens in (("scope", narrowed), ("token", ended), ("another_export", elsewhere)):
        happened = []

        async def then(
            self: exports.Export, *arguments: Any, happens: Any = happens, happened: list[int] = happened
        ) -> bytes:
            found = await page(self, *arguments)
            if not happened:
                happened.append(1)
                await happens()
            return found

        monkeypatch.setattr(exports.Export, "_page", then)
        world.police.client.forget_token()
        lines = await exported(world.police)
        assert (lines[-1]["kind"], lines[-1]["complete"], lines[-1]["reason"]) == ("end", False, reason)
        assert len(lines) == 3, reason
        monkeypatch.setattr(exports.Export, "_page", page)
        await change("UPDATE client SET scopes = $1 WHERE client_id = 'police-system'", scopes)
        world.police.client.forget_token()
        if reason == "another_export":
            busy = await world.police.get("/v1/exports")
            assert (busy.status_code, busy.json()["type"]) == (409, "/problems/export-running")
            assert 1 <= int(busy.headers["Retry-After"]) <= 60
            assert len(await exported(world.iom)) == 2 + 6, "another client has a place of its own"
            world.exchange.later(minutes=2)
    await world.owner.execute(
        "UPDATE record_content SET wrapped_key = '\\x00' WHERE case_id = $1::text::uuid", sent[1].case_id
    )
    lines = await exported(world.police, "?kinds=referral")
    assert [each["data"] is None for each in lines[1:-1]] == [False, True, False]
    assert (lines[-1]["complete"], lines[-1]["counts"]) == (True, {"referral": 3})
    assert json.dumps(lines).count("internal") == 0


async def test_ends_though_its_reader_takes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing is taken nobody looks at the token: the connection would stand for ever, and the place be taken by the next one."""
    monkeypatch.setattr(exports, "AFTER_TOKEN", 0.3 - world.exchange.settings.access_token_seconds)
    app = world.exchange.app
    headers = {"Rujukan-Actor": "officer-7", **await world.police.client.authorization("GET", "/v1/exports")}
    scope = {
        "type": "http", "method": "GET", "path": "/v1/exports", "raw_path": b"/v1/exports", "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()], "client": ("127.0.0.1", 1), "app": app,
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async with asyncio.timeout(20):
        with pytest.raises((TimeoutError, RuntimeError)):  # the connection ends in the middle
            await app(scope, receive, send)
        while await world.owner.fetchval("SELECT count(*) FROM bulk_export"):  # noqa: ASYNC110 -- given back by a task of its own
            await asyncio.sleep(0.01)


async def test_holds_no_connection_and_no_more_than_a_page_while_its_reader_is_slow(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE", 2)
    for _ in range(5):
        await world.send()
    app, sent = world.exchange.app, []
    headers = {"Rujukan-Actor": "officer-7", **await world.police.client.authorization("GET", "/v1/exports")}
    scope = {
        "type": "http", "method": "GET", "path": "/v1/exports", "raw_path": b"/v1/exports", "query_string": b"kinds=referral",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()], "client": ("127.0.0.1", 1), "app": app,
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(message: dict[str, Any]) -> None:
        pool = app.state.database.app
        assert pool.get_size() == pool.get_idle_size(), "every connection is free"
        sent.append(message.get("body", b"").count(b"\n"))

    await app(scope, receive, send)
    assert [each for each in sent if each] == [1, 2, 2, 1, 1]

"""A client's own webhooks: what it may do with them, what others see of them, and what its agency is told."""

from __future__ import annotations

import asyncio
import base64
import secrets
import socket
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.delivery import signing
from app.delivery.subscriptions import shown
from app.foundation.keyring import Place
from auth.scopes import Scope
from schemas.exchange.webhook import WebhookMessage
from tests.app.delivery.conftest import URL, Hooks, a_client
from tests.makers import webhooks
from tests.makers.world import World


async def put(hooks: Hooks, webhook: dict[str, Any], state: str, **more: Any) -> UUID:
    return await webhooks.put(hooks.world, hooks.agency, UUID(webhook["id"]), state, **more)


async def tried(hooks: Hooks, webhook: dict[str, Any], message: UUID, answer: bytes | None, **values: Any) -> None:
    await webhooks.tried(hooks.world, hooks.agency, UUID(webhook["id"]), message, answer, **values)


async def row(hooks: Hooks, message: UUID) -> asyncpg.Record:
    found = await hooks.world.owner.fetchrow("SELECT * FROM delivery WHERE message_id = $1", message)
    assert found is not None
    return found


class TestAWebhook:
    async def test_is_added_for_what_comes_from_now_on_and_its_agency_is_told(self, world: World, hooks: Hooks) -> None:
        await world.send(receiver="iom")
        await world.exchange.settle()
        made = await hooks.add(types=["referral.*", "case.closed", "referral.*"], description="Our case system")
        assert made["types"] == ["referral.*", "case.closed"]
        assert (made["state"], made["position"], made["behind"], made["waiting"]) == ("active", 1, 0, 0)
        assert (made["failing_since"], made["last_success_at"], made["oldest_waiting_at"]) == (None, None, None)
        (key,) = made["keys"]
        assert len(base64.b64decode(key["public_key"].removeprefix("whpk_"), validate=True)) == 32
        sealed = await world.owner.fetchrow("SELECT * FROM webhook_key")
        private = world.exchange.keyring.open_one(
            Place("webhook_key.private_sealed", sealed["id"], UUID(made["id"])), sealed["private_sealed"]
        )
        assert signing.public_key(private) == key["public_key"]
        assert await world.told() == [("iom", "webhook.added")]
        (logged,) = await world.log(action="webhook:add")
        assert (logged["client_id"], logged["outcome"]) == (hooks.client_id, "done")
        assert "s3cret" not in str(logged["detail"]), "an address may hold the receiver's secret: of it the host alone"
        assert await hooks.read(made["id"]) == made
        assert (await hooks.ask("GET")).json()["items"] == [made]

    async def test_begins_where_its_client_stopped_reading_the_feed(self, world: World, hooks: Hooks) -> None:
        for _ in range(3):
            await world.send(receiver="iom")
        await world.exchange.settle()
        made = await hooks.add(after_position=1)
        assert (made["position"], made["behind"]) == (1, 2)
        for wrong, code in ((4, "after_the_end"), (-1, "greater_than_equal"), (1.5, "int_type"), ("1", "int_type")):
            reply = await hooks.ask("POST", "", {"url": URL, "after_position": wrong})
            assert reply.status_code == 422, reply.text
            assert reply.json()["errors"] == [{"pointer": "/after_position", "code": code}]

    async def test_begins_and_replays_nowhere_before_what_the_feed_keeps(self, world: World, hooks: Hooks) -> None:
        """A gap is never silent: it is refused, with where to go on."""
        clock = world.exchange.clock
        for days_ago in (400, 400, 1):
            await world.owner.execute(
                """INSERT INTO outbox (agency_id, type, subject, subject_id, state, recorded_at)
                   VALUES ($1, 'agency.reviewer_named', 'agency', $1, 'x', $2)""",
                world.ids["iom"],
                clock.now() - timedelta(days=days_ago),
            )
            await world.exchange.settle()
        await world.exchange.worker.drop_old_events()
        made = await hooks.add()
        path = f"/{made['id']}/replay"
        for where, body in (
            ("", {"url": URL, "after_position": 1}),
            (path, {"after_position": 0}),
            (path, {"since": (clock.now() - timedelta(days=400, seconds=1)).isoformat()}),
        ):
            reply = await hooks.ask("POST", where, body)
            assert (reply.status_code, reply.json()["type"]) == (410, "/problems/cursor-too-old"), where
            assert (reply.json()["oldest"], reply.json()["next"]) == (3, "/v1/events?after=2")
        assert await world.owner.fetchval("SELECT count(*) FROM delivery") == 0
        for body in ({"after_position": 2}, {"since": (clock.now() - timedelta(days=390)).isoformat()}):
            assert (await hooks.ask("POST", path, body)).json()["replayed"] == 1, body
        assert (await hooks.add(after_position=2))["behind"] >= 1
        # another agency's feed, of which nothing was dropped, is asked as ever
        police = await a_client(world, "police")
        assert (await police.add(after_position=0))["state"] == "active"

    async def test_asked_for_twice_is_one_also_when_its_name_is_gone_since(self, world: World, hooks: Hooks) -> None:
        again = secrets.token_hex(8)
        first = await hooks.ask("POST", "", {"url": URL}, idempotency_key=again)
        state = world.exchange.app.state
        state.settings = state.settings.model_copy(update={"outbound_networks": ""})
        second = await hooks.ask("POST", "", {"url": URL}, idempotency_key=again)
        assert (second.status_code, second.json()) == (201, first.json())
        assert len((await hooks.ask("GET")).json()["items"]) == 1
        fresh = await hooks.ask("POST", "", {"url": URL})
        assert fresh.json()["type"] == "/problems/webhook-url-unusable"

    async def test_is_one_of_a_few(self, hooks: Hooks) -> None:
        replies = await asyncio.gather(*(hooks.ask("POST", "", {"url": URL}) for _ in range(5)))
        assert sorted(reply.status_code for reply in replies) == [201, 201, 201, 409, 409]
        refused = next(reply for reply in replies if reply.status_code == 409)
        assert refused.json()["type"] == "/problems/too-many-webhooks"

    async def test_leads_to_no_address_that_breaks_a_rule(self, hooks: Hooks) -> None:
        made = await hooks.add()
        for url, fault in (
            ("http://localhost:9443/", "url"),
            ("https://user:word@localhost:9443/", "url"),
            ("https://localhost:9443/#part", "url"),
            ("https://127.0.0.1:9443/", "host"),
            ("https://[::1]:9443/", "host"),
            ("https://2130706433/", "host"),
            ("https://localhost:22/", "port"),
            ("https://no-such-name.invalid/", "unresolved"),
        ):
            for method, path in (("POST", ""), ("PATCH", f"/{made['id']}")):
                reply = await hooks.ask(method, path, {"url": url})
                assert reply.status_code == 422, reply.text
                assert (reply.json()["type"], reply.json()["fault"]) == ("/problems/webhook-url-unusable", fault), url
                assert url not in reply.text
        assert (await hooks.read(made["id"]))["url"] == URL

    async def test_leads_to_nothing_inside_by_whatever_name(
        self, world: World, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A name that one machine outside and one inside answer to, as a resolver of the attacker's own would say."""
        real = socket.getaddrinfo
        for inside in ("10.1.2.3", "169.254.169.254", "fd00:ec2::254", "::ffff:10.0.0.1", "192.168.1.1"):

            def found(host: Any, port: Any, *rest: Any, inside: str = inside, **named: Any) -> list[Any]:
                if host != "two-faced.example":
                    return real(host, port, *rest, **named)
                return [(0, 0, 0, "", ("93.184.216.34", port)), (0, 0, 0, "", (inside, port))]

            monkeypatch.setattr(socket, "getaddrinfo", found)
            reply = await hooks.ask("POST", "", {"url": "https://two-faced.example/"})
            assert (reply.status_code, reply.json()["fault"]) == (422, "address"), inside
        assert [each["outcome"] for each in await world.refusals()] == ["url_unusable"] * 5

    async def test_is_refused_in_another_form(self, hooks: Hooks) -> None:
        for body, pointer in (
            ({}, "/url"),
            ({"url": ""}, "/url"),
            ({"url": "https://é.example/"}, "/url"),
            ({"url": "https://a.example/" + "a" * 2000}, "/url"),
            ({"url": URL, "types": ["referral.vanished"]}, "/types/0"),
            ({"url": URL, "types": ["referral.sent", "*"]}, "/types/1"),
            ({"url": URL, "types": ["ref*"]}, "/types/0"),
            ({"url": URL, "types": ["nothing.*"]}, "/types/0"),
            ({"url": URL, "types": ["referral.sent"] * 201}, "/types"),
            ({"url": URL, "types": "referral.sent"}, "/types"),
            ({"url": URL, "description": "x" * 201}, "/description"),
            ({"url": URL, "description": "two\nlines"}, "/description"),
            ({"url": URL, "description": None}, "/description"),
            ({"url": URL, "state": "active"}, "/…"),
        ):
            reply = await hooks.ask("POST", "", body)
            assert reply.status_code == 422, (body, reply.text)
            assert [each["pointer"] for each in reply.json()["errors"]] == [pointer], body

    async def test_is_changed_where_something_is_named_and_told_of_where_it_matters(
        self, world: World, hooks: Hooks
    ) -> None:
        made = await hooks.add()
        world.exchange.later(minutes=1)
        for body, told in (
            ({"description": "Ours"}, 0),
            ({}, 0),
            ({"types": ["case.*"]}, 1),
            ({"types": ["case.*"]}, 1),
        ):
            reply = await hooks.ask("PATCH", f"/{made['id']}", body)
            assert reply.status_code == 200, reply.text
            assert (await world.told()).count(("iom", "webhook.changed")) == told
            assert (reply.json()["changed_at"] == made["changed_at"]) == (told == 0)
        other = "https://localhost:9444/elsewhere"
        changed = (await hooks.ask("PATCH", f"/{made['id']}", {"url": other, "types": []})).json()
        assert (changed["url"], changed["types"], changed["description"]) == (other, [], "Ours")
        assert len(await world.log(action="webhook:change")) == 3
        for wrong in ({"url": None}, {"position": 7}, {"types": ["x"]}):
            assert (await hooks.ask("PATCH", f"/{made['id']}", wrong)).status_code == 422

    async def test_that_is_removed_is_gone_with_all_that_was_its_own_but_not_from_the_log(
        self, world: World, hooks: Hooks
    ) -> None:
        made = await hooks.add()
        await tried(hooks, made, await put(hooks, made, "failed"), b"no", status=500)
        reply = await hooks.ask("DELETE", f"/{made['id']}")
        assert (reply.status_code, reply.content) == (204, b"")
        assert (await hooks.ask("DELETE", f"/{made['id']}")).status_code == 404
        for table in ("webhook", "webhook_key", "delivery", "delivery_attempt"):
            assert await world.owner.fetchval(f"SELECT count(*) FROM {table}") == 0
        assert len(await world.log(action="webhook:remove")) == 1
        assert await world.told() == [("iom", "webhook.added"), ("iom", "webhook.removed")]


class TestOthers:
    async def test_see_and_move_nothing_of_it(self, world: World, hooks: Hooks) -> None:
        """Another agency, another client of the same agency, and the agency's own client in another's name."""
        made = await hooks.add()
        message = await put(hooks, made, "failed")
        before = await world.owner.fetchrow("SELECT * FROM webhook")
        path = f"/{made['id']}"
        for other in (await a_client(world, "lpsk"), await a_client(world, "iom")):
            assert (await other.ask("GET")).json() == {"items": []}
            for method, below, body in (
                ("GET", path, None), ("GET", f"{path}/deliveries", None), ("PATCH", path, {"url": URL}), ("DELETE", path, None),
                ("POST", f"{path}/enable", None), ("POST", f"{path}/disable", None), ("POST", f"{path}/keys", {}),
                ("POST", f"{path}/test", None), ("POST", f"{path}/replay", {"failed": True}),
                ("POST", f"{path}/deliveries/{message}/replay", None),
            ):  # fmt: skip
                reply = await other.ask(method, below, body)
                assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found"), (method, below)
        assert await world.owner.fetchrow("SELECT * FROM webhook") == before
        assert (await row(hooks, message))["state"] == "failed"
        reply = await hooks.ask("GET", headers={"Rujukan-Acts-For": "shelter"})
        assert reply.json()["type"] == "/problems/may-not-act-for"

    async def test_that_may_not_read_events_have_none_sent(self, world: World, near: None) -> None:
        for scopes in ([Scope.webhooks_write], [Scope.events_read]):
            other = await a_client(world, "iom", scopes=[str(each) for each in scopes])
            assert (await other.ask("POST", "", {"url": URL})).json()["type"] == "/problems/insufficient-scope"

    async def test_no_database_role_of_theirs_reads_a_private_key(self, world: World, hooks: Hooks) -> None:
        await hooks.add()
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            async with conn.transaction():
                await conn.execute("SELECT set_config('rujukan.agency', $1, true)", str(world.id_of("lpsk")))
                assert await conn.fetch("SELECT id FROM webhook UNION ALL SELECT id FROM webhook_key") == []
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await conn.fetch("SELECT private_sealed FROM webhook_key")
        finally:
            await conn.close()


class TestKeys:
    async def test_overlap_for_a_day_and_are_never_three(self, world: World, hooks: Hooks) -> None:
        made = await hooks.add()
        path = f"/{made['id']}/keys"
        replies = await asyncio.gather(*(hooks.ask("POST", path, {}) for _ in range(3)))
        assert sorted(reply.status_code for reply in replies) == [201, 409, 409]
        refused = next(reply for reply in replies if reply.status_code == 409)
        assert refused.json()["type"] in ("/problems/key-rotation-running",)
        newest, earlier = (await hooks.read(made["id"]))["keys"]
        assert newest["ends_at"] is None
        assert earlier["public_key"] == made["keys"][0]["public_key"]
        until = datetime.fromisoformat(earlier["ends_at"]) - world.exchange.clock.now()
        assert timedelta(hours=23, minutes=59) < until <= timedelta(hours=24)
        assert (await world.told()).count(("iom", "webhook.key_added")) == 1
        world.exchange.later(hours=24, seconds=1)
        hooks.client.forget_token()
        assert [each["id"] for each in (await hooks.read(made["id"]))["keys"]] == [newest["id"]]
        at_once = (await hooks.ask("POST", path, {"overlap_seconds": 0})).json()
        assert len(at_once["keys"]) == 1
        assert at_once["keys"][0]["id"] != newest["id"]
        for wrong in (-1, 7 * 86400 + 1, "1", None, 1.5):
            assert (await hooks.ask("POST", path, {"overlap_seconds": wrong})).status_code == 422


class TestSwitching:
    async def test_off_keeps_the_place_and_on_again_sends_what_waited_and_what_failed(
        self, world: World, hooks: Hooks
    ) -> None:
        made = await hooks.add()
        for _ in range(2):
            assert (await hooks.ask("POST", f"/{made['id']}/disable")).json()["state"] == "disabled"
        now = world.exchange.clock.now()
        since = now - timedelta(days=4)
        waiting, given_up = await put(hooks, made, "waiting"), await put(hooks, made, "failed")
        earlier = await put(hooks, made, "failed", ended_at=since - timedelta(days=1))
        await world.owner.execute("UPDATE webhook SET state = 'paused', failing_since = $1", since)
        refused = await hooks.ask("POST", f"/{made['id']}/test")
        assert refused.json()["type"] == "/problems/webhook-out-of-service"
        on = (await hooks.ask("POST", f"/{made['id']}/enable")).json()
        assert (on["state"], on["failing_since"], on["waiting"], on["failed"]) == ("active", None, 2, 1)
        for message in (waiting, given_up):
            found = await row(hooks, message)
            assert (found["state"], found["attempts"], found["first_at"]) == ("waiting", 0, None)
            assert found["due_at"] <= world.exchange.clock.now()
        assert (await row(hooks, earlier))["state"] == "failed", "given up long before; replayed where it is asked for"
        assert [each for each in await world.told() if each[1] != "webhook.added"] == [
            ("iom", "webhook.disabled"), ("iom", "webhook.enabled"),
        ]  # fmt: skip
        await world.owner.execute("UPDATE webhook SET state = 'gone'")
        assert (await hooks.ask("POST", f"/{made['id']}/enable")).json()["state"] == "active"


class TestDeliveries:
    async def test_are_listed_with_their_attempts_and_the_first_bytes_of_each_answer(self, hooks: Hooks) -> None:
        made = await hooks.add()
        messages = [await put(hooks, made, "delivered", position=place) for place in range(1, 6)]
        test = (await hooks.ask("POST", f"/{made['id']}/test")).json()
        await tried(hooks, made, messages[4], b"<b>no\x1b[31m\xff\xe2\x80\xae</b>", status=500)
        await tried(hooks, made, messages[4], None, fault="timeout", number=2)
        path, found = f"/{made['id']}/deliveries?limit=2", []
        while path:
            page = (await hooks.client.get(f"/v1/webhooks{path}")).json()
            found += page["items"]
            path = (page["next"] or "").removeprefix("/v1/webhooks")
        assert [each["message_id"] for each in found] == [test["message_id"], *map(str, reversed(messages))]
        assert (found[0]["type"], found[0]["position"], found[0]["state"]) == ("webhook.test", None, "waiting")
        newest, first = found[1]["tries"]
        assert (newest["status"], newest["fault"], newest["says"], newest["answer"]) == (
            None, "timeout", "It took too long.", None,
        )  # fmt: skip
        assert (first["status"], first["milliseconds"], first["answer"]) == (500, 120, "<b>no�[31m��</b>")
        (waiting,) = (await hooks.ask("GET", f"/{made['id']}/deliveries?state=waiting")).json()["items"]
        assert waiting["message_id"] == test["message_id"]
        for wrong, status in (("state=sent", 422), ("limit=0", 422), ("cursor=x", 400), ("after=1", 422)):
            assert (await hooks.ask("GET", f"/{made['id']}/deliveries?{wrong}")).status_code == status, wrong

    async def test_of_a_test_is_a_message_about_the_webhook_itself(self, world: World, hooks: Hooks) -> None:
        made, again = await hooks.add(), secrets.token_hex(8)
        first, second = [await hooks.ask("POST", f"/{made['id']}/test", idempotency_key=again) for _ in range(2)]
        assert (first.status_code, second.json()) == (201, first.json())
        (stored,) = await world.owner.fetch("SELECT * FROM delivery")
        assert (stored["subject"], stored["subject_id"], stored["case_id"], stored["event_state"], stored["position"]) == (
            "webhook", UUID(made["id"]), None, "test", None,
        )  # fmt: skip
        assert stored["due_at"] <= world.exchange.clock.now()

    def test_show_no_answer_that_changes_a_screen(self) -> None:
        assert shown(b"a\tb\r\n\x07\xc3\x28") == "a�b����("
        assert shown("é \u2066x".encode()) == "é �x"


class TestAReplay:
    async def test_of_one_is_the_same_message_again(self, world: World, hooks: Hooks) -> None:
        made = await hooks.add()
        message = await put(hooks, made, "delivered")
        reply = await hooks.ask("POST", f"/{made['id']}/deliveries/{message}/replay")
        assert (reply.status_code, reply.json()["state"], reply.json()["message_id"]) == (200, "waiting", str(message))
        found = await row(hooks, message)
        assert (found["attempts"], found["first_at"], found["ended_at"]) == (0, None, None)
        assert found["replayed_at"] == found["due_at"]
        unknown = await hooks.ask("POST", f"/{made['id']}/deliveries/{made['id']}/replay")
        assert unknown.status_code == 404

    async def test_of_what_failed_is_of_all_that_was_given_up_and_nothing_else(self, hooks: Hooks) -> None:
        made, other = await hooks.add(), await hooks.add()
        failed = [await put(hooks, made, "failed", position=place) for place in (1, 2)]
        rest = [await put(hooks, made, "delivered", position=3), await put(hooks, other, "failed")]
        path, again = f"/{made['id']}/replay", secrets.token_hex(8)
        for _ in range(2):
            reply = await hooks.ask("POST", path, {"failed": True}, idempotency_key=again)
            assert reply.json() == {"replayed": 2, "last_position": None, "more": False}
        assert {(await row(hooks, each))["state"] for each in failed} == {"waiting"}
        assert [(await row(hooks, each))["state"] for each in rest] == ["delivered", "failed"]
        assert (await hooks.ask("POST", path, {"failed": True})).json()["replayed"] == 0

    async def test_reaches_back_to_before_the_webhook_was_there(
        self, world: World, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = await world.send(receiver="iom")
        await world.exchange.settle()
        world.exchange.later(hours=1)
        middle = world.exchange.clock.now()
        for _ in range(2):
            await world.send(receiver="iom")
        await world.exchange.settle()
        world.iom.client.forget_token()
        made = await hooks.add(types=["referral.*"])
        path = f"/{made['id']}/replay"
        since = await hooks.ask("POST", path, {"since": middle.isoformat()})
        assert since.json() == {"replayed": 2, "last_position": 3, "more": False}, since.text
        feed = (await hooks.client.get("/v1/events")).json()["items"]
        sent = await world.owner.fetch("SELECT message_id::text, position FROM delivery ORDER BY position")
        assert [tuple(each) for each in sent] == [(each["id"], each["position"]) for each in feed[1:3]]
        await world.owner.execute("UPDATE delivery SET state = 'delivered', attempts = 1")
        monkeypatch.setattr("app.delivery.subscriptions.REPLAYED_AT_ONCE", 2)
        first = (await hooks.ask("POST", path, {"after_position": 0})).json()
        assert first == {"replayed": 2, "last_position": 2, "more": True}
        rest = (await hooks.ask("POST", path, {"after_position": 2})).json()
        assert rest == {"replayed": 1, "last_position": 3, "more": False}
        rows = await world.owner.fetch("SELECT subject_id::text, state, attempts FROM delivery ORDER BY position")
        assert [tuple(each)[1:] for each in rows] == [("waiting", 0)] * 3
        assert rows[0]["subject_id"] == old.id
        none = await hooks.add(types=["case.closed"])
        assert (await hooks.ask("POST", f"/{none['id']}/replay", {"after_position": 0})).json()["replayed"] == 0
        for wrong in (
            {},
            {"failed": False},
            {"failed": True, "after_position": 0},
            {"since": "yesterday"},
            {"after_position": -1},
        ):
            assert (await hooks.ask("POST", path, wrong)).status_code == 422, wrong


def test_a_message_is_what_receivers_are_told_it_is(world: World) -> None:
    assert list(WebhookMessage.model_fields) == ["type", "timestamp", "data"]

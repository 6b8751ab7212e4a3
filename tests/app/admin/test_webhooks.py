"""Administrators see whose webhooks there are and to which host they lead, stop one, and stop a stolen client's."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from auth.people.person import Role
from tests.app.delivery.conftest import Hooks, a_client, near
from tests.conftest import Exchange
from tests.makers import webhooks
from tests.makers.admins import Administrator, signed_in
from tests.makers.world import World

__all__ = ["near"]


@pytest.fixture
async def operator(exchange: Exchange) -> Administrator:
    return await signed_in(exchange, "op-hooks", Role.operator)


@pytest.fixture
async def hooks(world: World, near: None) -> Hooks:
    return await a_client(world, "iom")


class TestAWebhook:
    async def test_is_seen_by_its_host_alone_and_page_by_page(self, world: World, operator: Administrator) -> None:
        ids = [str(await webhooks.subscribed(world, code)) for code in ("iom", "lpsk", "iom")]
        path, found = "/webhooks?limit=2", []
        while path:
            reply = await operator.get(path)
            assert reply.status_code == 200, reply.text
            assert "s3cret" not in reply.text
            assert "news" not in reply.text
            found += reply.json()["items"]
            path = (reply.json()["next"] or "").removeprefix("/admin/v1")
        assert [each["id"] for each in found] == ids
        first = found[0]
        assert (first["client_id"], first["agency"], first["host"], first["state"]) == (
            "iom-system", "iom", "localhost:9443", "active",
        )  # fmt: skip
        for query, which in (
            ("client=lpsk-system", ids[1:2]), ("agency=iom", [ids[0], ids[2]]), ("state=paused", []), ("agency=nobody-here", []),
        ):  # fmt: skip
            assert [each["id"] for each in (await operator.get(f"/webhooks?{query}")).json()["items"]] == which, query
        for wrong, status in (("state=x", 422), ("limit=0", 422), ("cursor=x", 400), ("client=X", 422)):
            assert (await operator.get(f"/webhooks?{wrong}")).status_code == status, wrong

    async def test_is_stopped_by_one_person_and_its_agency_is_told(self, world: World, operator: Administrator) -> None:
        id = await webhooks.subscribed(world, "iom")
        for _ in range(2):
            reply = await operator.post(f"/webhooks/{id}/disable")
            assert (reply.status_code, reply.json()["state"]) == (200, "disabled")
        assert await world.told() == [("iom", "webhook.disabled")]
        assert len(await world.log(action="webhook:stop")) == 2
        assert (await operator.post(f"/webhooks/{uuid4()}/disable")).status_code == 404


class TestAStolenClient:
    async def test_has_its_webhooks_of_that_time_stopped_and_listed_and_the_earlier_ones_kept(
        self, world: World, hooks: Hooks
    ) -> None:
        earlier = await hooks.add()
        world.exchange.later(hours=2)
        officer = await signed_in(world.exchange, "po-hooks", Role.protection_officer)
        hooks.client.forget_token()
        since = world.exchange.clock.now() - timedelta(minutes=5)
        thief = await hooks.add(url="https://localhost:9555/thief")
        gone = await hooks.add(url="https://localhost:9666/thief")
        await hooks.ask("DELETE", f"/{gone['id']}")
        report = f"/clients/{hooks.client_id}/breach?since={since.isoformat().replace('+00:00', 'Z')}"
        before = (await officer.get(report)).json()
        assert [(each["id"], each["hosts"], each["acts"], each["state"]) for each in before["webhooks"]] == [
            (thief["id"], ["localhost:9555"], ["add"], "active"), (gone["id"], ["localhost:9666"], ["add", "remove"], "removed"),
        ]  # fmt: skip
        assert next(each["count"] for each in before["undone"] if each["what"] == "stop_webhooks") == 1
        reply = await officer.post(
            f"/clients/{hooks.client_id}/suspend",
            {"reason": "A laptop is gone.", "compromised_since": since.isoformat()},
        )
        assert reply.status_code == 200, reply.text
        assert [(each["id"], each["host"], each["state"]) for each in reply.json()["webhooks"]] == [
            (thief["id"], "localhost:9555", "disabled")
        ]
        states = dict(await world.owner.fetch("SELECT id::text, state FROM webhook"))
        assert states == {earlier["id"]: "active", thief["id"]: "disabled"}
        after = (await officer.get(report)).json()
        assert [each for each in after["undone"] if each["what"] == "stop_webhooks"] == []
        assert ("iom", "webhook.disabled") in await world.told()

    async def test_and_one_that_is_retired_has_none_left(
        self, world: World, hooks: Hooks, operator: Administrator
    ) -> None:
        made = await hooks.add()
        steps = (await operator.get("/agencies/iom/offboarding")).json()["steps"]
        assert [made["id"]] in [each["which"] for each in steps]
        assert (await operator.post(f"/clients/{hooks.client_id}/retire")).status_code == 200
        row = await world.owner.fetchrow("SELECT state FROM webhook WHERE id = $1", UUID(made["id"]))
        assert row["state"] == "disabled"

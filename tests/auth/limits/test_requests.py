"""What callers meet: 429, the fields that say what is left, networks, and counts of refusals."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import httpx
import pytest

from auth.limits import limits as module
from auth.limits import places
from tests.auth.limits.conftest import ELSEWHERE, HERE, Site, from_elsewhere
from tests.conftest import Exchange
from tests.makers import auth as make
from tests.makers.auth import Party
from tests.makers.feeds import begun_to_wait

Make = Callable[..., Awaitable[Site]]
NEVER_FILLS = 0.001


def stranger(party: Party) -> Party:
    """Somebody who knows the client's id and not its key."""
    credentials = make.Credentials.generate(party.client_id, party.issuer)
    return Party(credentials, party.agencies, party.http, party.clock)


def members(field: str) -> tuple[str, dict[str, int]]:
    """Read one item of a structured-field list with integer parameters (RFC 9651 §3.1, §3.1.2)."""
    item = re.fullmatch(r'"([ -~]*)"((?:;[a-z*][a-z0-9_.*-]*=-?[0-9]{1,15})*)', field)
    assert item is not None, field
    return item[1], {name: int(value) for name, value in re.findall(r";([^=]+)=(-?[0-9]+)", item[2])}


async def statuses(count: int, request: Callable[[], Awaitable[httpx.Response]]) -> list[int]:
    return [(await request()).status_code for _ in range(count)]


class TestAClient:
    async def test_is_told_what_is_left(self, site: Make) -> None:
        it = await site(client_rate=NEVER_FILLS, client_burst=20)
        party = await it.party()
        token = await party.token()
        one, two = [await party.call("/v1/me", token=token) for _ in range(2)]
        assert members(one.headers["RateLimit-Policy"]) == ("client", {"q": 20, "w": 20_000})
        assert members(one.headers["RateLimit"]) == ("client", {"r": 18, "t": 2000})
        assert members(two.headers["RateLimit"])[1]["r"] == 17

    async def test_over_its_limit_is_told_when_to_come_again(self, site: Make) -> None:
        it = await site(client_rate=0.1, client_burst=10)
        party = await it.party()
        token = await party.token()
        assert await statuses(9, lambda: party.call("/v1/me", token=token)) == [200] * 9
        refused = await party.call("/v1/me", token=token)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 10
        assert refused.json()["type"] == "/problems/too-many-requests"
        assert refused.json()["limit"] == "client"
        assert members(refused.headers["RateLimit"])[1]["r"] == 0
        assert "WWW-Authenticate" not in refused.headers

    async def test_may_go_on_after_the_wait(self, site: Make) -> None:
        it = await site(client_rate=20, client_burst=2)
        party = await it.party()
        token = await party.token()
        while (reply := await party.call("/v1/me", token=token)).status_code == 200:
            pass
        await asyncio.sleep(0.2)
        assert reply.status_code == 429
        assert (await party.call("/v1/me", token=token)).status_code == 200

    async def test_is_limited_at_the_token_endpoint_and_its_neighbours_too(self, site: Make) -> None:
        it = await site(client_rate=NEVER_FILLS, client_burst=3)
        party = await it.party()
        token = await party.token()
        assert (await party.introspect(token)).status_code == 200
        assert (await party.revoke(token)).status_code == 200
        refused = await party.ask()
        assert refused.status_code == 429
        assert refused.json()["error"] == "temporarily_unavailable"
        assert int(refused.headers["Retry-After"]) > 1
        assert refused.headers["Cache-Control"] == "no-store"

    async def test_leaves_the_others_alone(self, site: Make) -> None:
        it = await site(client_rate=NEVER_FILLS, client_burst=3)
        one, other = await it.party(), await it.party()
        token = await one.token()
        assert 429 in await statuses(4, lambda: one.call("/v1/me", token=token))
        assert (await other.call("/v1/me")).status_code == 200

    async def test_nobody_else_uses_up_what_it_may(self, site: Make) -> None:
        """Somebody has its token, and not its key."""
        it = await site(client_rate=NEVER_FILLS, client_burst=10, failures_burst=5, failures_per_minute=0.001)
        party = await it.party()
        thief = from_elsewhere(it, party)
        thief.proof_key = make.jose.generate()
        token = await party.token()
        told = await statuses(20, lambda: thief.call("/v1/me", token=token))
        assert told[:5] == [401] * 5
        assert told[-5:] == [429] * 5, "and is stopped"
        assert members((await party.call("/v1/me", token=token)).headers["RateLimit"])[1]["r"] == 8

    async def test_without_a_limit_is_told_nothing(self, site: Make) -> None:
        it = await site(client_rate=0)
        reply = await (await it.party()).call("/v1/me")
        assert reply.status_code == 200
        assert not [name for name in reply.headers if name.startswith("ratelimit")]

    async def test_who_is_not_known_is_told_nothing(self, site: Make) -> None:
        reply = await (await site()).http().get("/v1/me")
        assert not [name for name in reply.headers if name.startswith("ratelimit")]


class TestAtOnce:
    async def test_a_client_has_so_many_requests_worked_on_and_another_is_served(
        self, site: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(places, "PATIENCE", 0.3)
        it = await site(client_concurrency=2)
        flooding, other = await it.party(), await it.party()
        token = await flooding.token()
        async with it.owner.transaction():
            await it.owner.execute(
                "LOCK TABLE agency, agreement, case_file IN ACCESS EXCLUSIVE MODE"
            )  # nothing gets on
            flood = [
                asyncio.create_task(flooding.call("/v1/referrals", token=token, headers={"Rujukan-Actor": "x"}))
                for _ in range(40)
            ]
            await asyncio.sleep(0.1)
            assert it.app.state.database.app.get_idle_size() + 3 - it.app.state.database.app.get_size() >= 1
            served = await other.token()
            assert served
            refused = [reply for reply in await asyncio.gather(*flood[2:]) if reply.status_code == 429]
            assert len(refused) == 38
            assert {reply.json()["limit"] for reply in refused} == {"concurrency"}
            assert refused[0].headers["Retry-After"] == "1"
        assert {reply.status_code for reply in await asyncio.gather(*flood)} == {200, 429}

    async def test_a_short_crowd_waits_and_is_served(self, site: Make) -> None:
        it = await site(client_concurrency=1)
        party = await it.party()
        token = await party.token()
        crowd = await asyncio.gather(*(party.call("/v1/me", token=token) for _ in range(12)))
        assert {reply.status_code for reply in crowd} == {200}

    async def test_every_place_is_given_back_however_a_request_ends(self, site: Make) -> None:
        it = await site(client_concurrency=1)
        party = await it.party()
        token = await party.token()
        proof = party.proof("GET", "/v1/me", token)
        for path, options in (
            ("/v1/me", {"proof": proof}),
            ("/v1/me", {"proof": proof}),  # used twice
            ("/v1/me?unknown=1", {}),
            ("/v1/nothing", {}),
            ("/v1/cases/00000000-0000-0000-0000-000000000000", {"headers": {"Rujukan-Actor": "x"}}),
        ):
            await party.call(path, token=token, **options)
        cut = asyncio.create_task(party.call("/v1/events?wait=5", token=token))
        await begun_to_wait(it.app)
        cut.cancel()
        assert (await asyncio.wait_for(party.call("/v1/me", token=token), 2)).status_code == 200

    async def test_who_waits_for_events_takes_no_place(self, site: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "FEEDS", 3)
        it = await site(client_concurrency=1)
        party = await it.party()
        token = await party.token()
        waiting = [
            asyncio.create_task(party.call(f"/v1/events?limit={99 + number}&wait=2", token=token))
            for number in range(3)
        ]
        await begun_to_wait(it.app, 3)
        assert (await party.call("/v1/me", token=token)).status_code == 200
        refused = await party.call("/v1/events?wait=1", token=token)
        assert (refused.status_code, refused.json()["limit"]) == (429, "concurrency"), "but not any number may wait"
        assert {reply.status_code for reply in await asyncio.gather(*waiting)} == {200}
        assert (await party.call("/v1/events?wait=0.01", token=token)).status_code == 200


class TestPlaces:
    async def test_who_waited_longest_comes_first(self) -> None:
        line = places.Places(1)
        assert line.enter("a")
        order: list[int] = []

        async def come(number: int) -> None:
            if await line.wait("a"):
                order.append(number)
                line.leave("a")

        coming = [asyncio.create_task(come(number)) for number in range(5)]
        await asyncio.sleep(0)
        assert not line.enter("a")
        line.leave("a")
        await asyncio.gather(*coming)
        assert order == [0, 1, 2, 3, 4]
        assert line.enter("a")

    async def test_who_goes_away_leaves_no_place_taken(self) -> None:
        line = places.Places(1)
        assert line.enter("a")
        gone = asyncio.create_task(line.wait("a"))
        await asyncio.sleep(0)
        line.leave("a")  # the place is handed over, and then nobody is there
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        assert line.enter("a")

    async def test_the_line_is_bounded(self) -> None:
        line = places.Places(1)
        assert line.enter("a")
        waiting = [asyncio.create_task(line.wait("a")) for _ in range(places.LINE)]
        await asyncio.sleep(0)
        assert not await line.wait("a")
        for _ in range(places.LINE + 1):
            line.leave("a")
        assert all(await asyncio.gather(*waiting))


class TestAnAddress:
    FEW: ClassVar[dict[str, Any]] = {"address_rate": NEVER_FILLS, "address_burst": 50, "failures_per_minute": 0}

    async def test_that_fails_often_is_stopped_before_a_signature_is_looked_at(
        self, site: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        it = await site(**self.FEW)
        bad = stranger(await it.party())
        told = await statuses(9, bad.ask)
        assert told[:4] == [401] * 4
        assert told[-3:] == [429] * 3
        monkeypatch.setattr(make.jose.Unverified, "is_signed_by", None)  # whoever calls it now fails
        assert await statuses(3, bad.ask) == [429] * 3

    async def test_that_succeeds_pays_nothing(self, site: Make) -> None:
        it = await site(**self.FEW)
        party = await it.party()
        assert await statuses(60, party.ask) == [200] * 60

    async def test_elsewhere_is_another(self, site: Make) -> None:
        it = await site(**self.FEW)
        party = await it.party()
        bad = stranger(from_elsewhere(it, party))
        assert 429 in await statuses(9, bad.ask)
        assert (await party.ask()).status_code == 200

    async def test_an_ipv6_caller_has_one_count_for_all_its_addresses(self, site: Make) -> None:
        it = await site(**self.FEW)
        party = await it.party()
        told = []
        for number in range(9):
            told += await statuses(1, stranger(from_elsewhere(it, party, f"2001:db8:1:2::{number:x}")).ask)
        assert told[-1] == 429
        assert (await stranger(from_elsewhere(it, party, "2001:db8:1:3::1")).ask()).status_code == 401

    async def test_sends_forged_tokens_only_so_long(self, site: Make) -> None:
        it = await site(**self.FEW)
        party = await it.party()
        token = await party.token()
        forged = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
        told = await statuses(9, lambda: party.call("/v1/me", token=forged))
        assert told[0] == 401
        refused = await party.call("/v1/me", token=forged)
        assert (refused.status_code, refused.json()["limit"]) == (429, "address")

    async def test_with_tokens_that_are_known_goes_on_although_others_there_fail(self, site: Make) -> None:
        it = await site(**self.FEW)
        party = await it.party()
        token = await party.token()
        assert (await party.call("/v1/me", token=token)).status_code == 200
        assert 429 in await statuses(9, stranger(party).ask)
        assert (await party.call("/v1/me", token=token)).status_code == 200

    async def test_is_what_a_named_proxy_says_and_nobody_else(self, site: Make) -> None:
        it = await site(**self.FEW, address_proxies="10.0.0.1")
        party = await it.party()

        async def ask(peer: str, forwarded: str) -> int:
            bad = stranger(from_elsewhere(it, party, peer))
            return (await bad.ask(headers={"X-Forwarded-For": forwarded})).status_code

        assert 429 in [await ask("10.0.0.1", "192.0.2.1, 198.51.100.1") for _ in range(9)]
        assert await ask("10.0.0.1", "192.0.2.1, 198.51.100.2") == 401
        assert 429 in [await ask("203.0.113.50", f"192.0.2.{number}") for number in range(9)], (
            "a made-up field helps nobody"
        )

    async def test_many_of_them_cost_bounded_memory(self, site: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        it = await site(**{**self.FEW, "failures_per_minute": 1, "failures_burst": 5}, address_proxies="10.0.0.1")
        it.limits.buckets._size = 20
        party = from_elsewhere(it, await it.party(), "10.0.0.1")
        for number in range(60):
            claimed = {"client_id": secrets.token_hex(400)} if number % 2 else {}
            bad = stranger(party)
            await bad.ask(headers={"X-Forwarded-For": f"198.51.100.{number}"}, **claimed)
        assert len(it.limits.buckets) <= 2 * 20 + 1


class TestWhoClaimsToBeAClient:
    FEW: ClassVar[dict[str, Any]] = {"failures_per_minute": NEVER_FILLS, "failures_burst": 5, "address_rate": 0}

    async def test_and_fails_often_is_slowed(self, site: Make) -> None:
        it = await site(**self.FEW)
        told = await statuses(9, stranger(await it.party()).ask)
        assert told[:5] == [401] * 5
        assert told[-1] == 429

    @pytest.mark.parametrize("with_client_id", [True, False])
    async def test_never_keeps_the_client_itself_out(self, site: Make, with_client_id: bool) -> None:
        """Statement 12: never a lock-out that an outsider can cause."""
        it = await site(**self.FEW)
        party = await it.party()
        outsider = stranger(from_elsewhere(it, party))
        claim = {} if with_client_id else {"client_id": make.ABSENT}
        assert (await statuses(15, lambda: outsider.ask(**claim)))[-1] == 429
        assert await statuses(10, party.ask) == [200] * 10

    async def test_is_told_the_same_whether_there_is_one(self, site: Make) -> None:
        it = await site(**self.FEW)
        party = await it.party()
        nobody = stranger(party)
        nobody.credentials = make.Credentials.generate("nobody-at-all", party.issuer)
        assert await statuses(9, nobody.ask) == await statuses(9, stranger(party).ask)

    async def test_is_slowed_by_every_process(self, site: Make) -> None:
        one, other = await site(**self.FEW), await site(**self.FEW)
        party = await one.party()
        await other.refresh()
        assert 429 in await statuses(9, stranger(party).ask)
        await one.limits.buckets.stop()
        there = stranger(from_elsewhere(other, party, HERE))
        assert (await there.ask()).status_code == 401, (
            "a process that knows nothing yet learns it from the first failure"
        )
        await other.limits.buckets.stop()
        assert (await there.ask()).status_code == 429


class TestNetworks:
    """`ClientEntry.networks`: the only ones the client may call from."""

    async def test_elsewhere_the_client_is_as_good_as_unknown(self, site: Make) -> None:
        it = await site()
        party = await it.party()
        away = from_elsewhere(it, party)
        await it.may_call_from(party, "203.0.113.0/24", "2001:db8::/32")
        token = await party.token()
        assert (await from_elsewhere(it, party, "2001:db8:7::1").ask()).status_code == 200
        unknown = stranger(away)
        for reply in (await away.ask(), await away.introspect(token), await away.revoke(token)):
            assert reply.status_code == 401
            assert reply.json() == (await unknown.ask()).json()
        assert (await party.introspect(token)).json()["active"], "nothing was revoked from there"

    async def test_its_tokens_count_only_there(self, site: Make) -> None:
        it = await site()
        party = await it.party()
        token = await party.token()
        assert (await from_elsewhere(it, party).call("/v1/me", token=token)).status_code == 200
        await it.may_call_from(party, "203.0.113.0/24")
        reply = await from_elsewhere(it, party).call("/v1/me", token=token)
        assert (reply.status_code, reply.json()["reason"]) == (401, "network")
        assert (await party.call("/v1/me", token=token)).status_code == 200

    async def test_a_change_counts_within_a_second_also_for_who_waits(self, site: Make) -> None:
        it = await site()
        party = await it.party()
        token = await party.token()
        waiting = asyncio.create_task(party.call("/v1/events?wait=20", token=token))
        await begun_to_wait(it.app)
        await it.owner.execute("UPDATE client SET networks = '{192.0.2.0/24}' WHERE client_id = $1", party.client_id)
        assert (await asyncio.wait_for(waiting, 2)).json()["items"] == []
        assert (await party.call("/v1/me", token=token)).json()["reason"] == "network"

    async def test_a_made_up_field_opens_nothing(self, site: Make) -> None:
        it = await site(address_proxies="10.0.0.1")
        party = await it.party()
        await it.may_call_from(party, "203.0.113.0/24")
        inside = {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7", "X-Real-IP": "203.0.113.7"}
        away, proxy = from_elsewhere(it, party), from_elsewhere(it, party, "10.0.0.1")
        assert (await away.ask(headers=inside)).status_code == 401
        assert (await proxy.ask(headers=inside)).status_code == 200
        beyond = {"X-Forwarded-For": f"203.0.113.7, {ELSEWHERE}"}
        assert (await proxy.ask(headers=beyond)).status_code == 401
        assert (await proxy.ask()).status_code == 401, "a proxy that does not say who calls opens nothing either"


class TestRefusals:
    async def counts(self, it: Site, party: Party) -> dict[str, int]:
        await it.limits.refusals.flush()
        found = await it.owner.fetch("SELECT reason, count FROM client_refusal WHERE client_id = $1", party.client_id)
        return {each["reason"]: each["count"] for each in found}

    async def test_are_counted_by_reason(self, site: Make) -> None:
        it = await site()
        party = await it.party()
        token = await party.token()
        await statuses(3, stranger(party).ask)
        assertion = party.assertion()
        await statuses(2, lambda: party.ask(client_assertion=assertion))
        await party.ask(scope="nothing")
        proof = party.proof("GET", "/v1/me", token)
        await statuses(2, lambda: party.call("/v1/me", token=token, proof=proof))
        await party.call("/v1/me", token=token, proof=party.proof("POST", "/v1/me", token))
        await it.may_call_from(party, "192.0.2.0/24")
        await party.call("/v1/me", token=token)
        await party.ask()
        assert await self.counts(it, party) == {
            "invalid_client": 3,
            "invalid_client/assertion_used": 1,
            "invalid_scope": 1,
            "dpop-proof-replayed": 1,
            "invalid-dpop-proof/htm": 1,
            "invalid-token/network": 1,
            "invalid_client/network": 1,
        }

    async def test_of_nobody_are_not(self, site: Make) -> None:
        it = await site()
        party = stranger(await it.party())
        party.credentials = make.Credentials.generate(f"nobody-{secrets.token_hex(8)}", party.issuer)
        await statuses(5, party.ask)
        assert not it.limits.refusals._counts

    async def test_tell_the_clients_agencies_once_an_hour(self, site: Make, exchange: Exchange) -> None:
        it = await site(refused_often=5)
        party = await it.party()

        async def told() -> int:
            await it.limits.refusals.flush()
            rows = await it.owner.fetch(
                "SELECT code, subject, state FROM outbox JOIN agency ON agency.id = agency_id"
                " WHERE type = 'client.refused_often'"
            )
            assert all(tuple(row) == (party.agencies[0], "client", "active") for row in rows)
            return len(rows)

        bad = stranger(party)
        await statuses(4, bad.ask)
        assert await told() == 0
        await statuses(1, bad.ask)
        assert await told() == 1
        await statuses(12, bad.ask)
        assert await told() == 1
        exchange.later(hours=1)
        await statuses(5, bad.ask)
        assert await told() == 2

    async def test_that_a_good_client_meets_too_tell_nobody(self, site: Make, exchange: Exchange) -> None:
        it = await site(refused_often=2, client_rate=NEVER_FILLS, client_burst=2)
        party = await it.party()
        token = await party.token()
        assert 429 in await statuses(9, lambda: party.call("/v1/me", token=token))
        assert list(await self.counts(it, party)) == ["too-many-requests"]
        assert await it.owner.fetchval("SELECT count(*) FROM outbox") == 0

    async def test_are_forgotten_after_three_months(self, site: Make, exchange: Exchange) -> None:
        it = await site()
        party = await it.party()
        await stranger(party).ask()
        await self.counts(it, party)
        exchange.later(days=89)
        await exchange.worker.forget_used_ids()
        assert await it.owner.fetchval("SELECT count(*) FROM client_refusal") == 1
        exchange.later(days=2)
        await exchange.worker.forget_used_ids()
        assert await it.owner.fetchval("SELECT count(*) FROM client_refusal") == 0


async def test_where_a_client_was_used_last_is_kept(site: Make) -> None:
    it = await site()
    party = await it.party()

    async def used_from() -> str:
        return str(await it.owner.fetchval("SELECT last_used_from FROM client WHERE client_id = $1", party.client_id))

    await party.ask()
    assert await used_from() == HERE
    await from_elsewhere(it, party).ask()
    assert await used_from() == ELSEWHERE, "at once, not after the hour that is enough for when"
    await from_elsewhere(it, party, "testclient").ask()
    assert await used_from() == ELSEWHERE, "what is not known replaces nothing"

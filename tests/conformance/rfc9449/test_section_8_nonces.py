"""RFC 9449 §8 and §9: nonces, where they are switched on, at the assembled service with its own client and by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.client import ExchangeClient
from app.foundation.keyring import Keyring
from app.main import create_app
from auth.binding import dpop
from auth.binding.nonces import STEP, Nonces
from tests.makers.auth import Party
from tests.makers.auth_server import ISSUER, World

CHALLENGE = (
    'DPoP error="use_dpop_nonce", error_description="The DPoP proof needs a fresh nonce", algs="ES256 PS256 EdDSA Ed25519", '
    'resource_metadata="https://rujukan.example/.well-known/oauth-protected-resource"'
)


@dataclass
class Nonced:
    """The service with nonces on, and a client of it."""

    app: Any
    world: World
    party: Party

    @property
    def current(self) -> str:
        return self.app.state.nonces.current(self.world.clock.now())

    async def ask(self, **claims: Any) -> httpx.Response:
        return await self.party.ask(proof=self.party.proof("POST", "/oauth2/token", **claims))

    async def token(self) -> str:
        reply = await self.ask(nonce=self.current)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["access_token"])

    async def call(self, token: str, path: str = "/v1/me", **claims: Any) -> httpx.Response:
        return await self.party.call(path, token=token, proof=self.party.proof("GET", path, token, **claims))


@pytest.fixture(scope="module")
async def service(server: World, exchange: Any) -> AsyncIterator[Any]:
    settings = exchange.settings.model_copy(update={"dpop_nonces": "on", "public_url": ISSUER, "database_pool_size": 2})
    app = create_app(settings, clock=exchange.clock, where=exchange.addresses)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def nonced(service: Any, world: World, party: Party) -> AsyncIterator[Nonced]:
    await service.state.directory.refresh()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=service), base_url=ISSUER) as http:
        yield Nonced(service, world, Party(party.credentials, party.agencies, http, party.clock))


class TestAtTheTokenEndpoint:
    async def test_section_8_a_proof_without_one_is_told_which_to_use(self, nonced):
        reply = await nonced.ask()
        assert (reply.status_code, reply.json()) == (
            400,
            {
                "error": "use_dpop_nonce",
                "error_description": "The DPoP proof must carry the nonce of the DPoP-Nonce header of this answer.",
            },
        )
        assert (await nonced.ask(nonce=reply.headers["DPoP-Nonce"])).status_code == 200

    @pytest.mark.parametrize("nonce", ["", "x", "\u00e9", 5, None, True, ["x"], "\ud800", "a" * 4000], ids=ascii)
    async def test_section_8_a_wrong_one_is_told_which_to_use(self, nonced, nonce):
        reply = await nonced.ask(nonce=nonce)
        assert (reply.status_code, reply.json()["error"]) == (400, "use_dpop_nonce")

    async def test_the_challenge_uses_up_neither_the_assertion_nor_the_proofs_id(self, nonced):
        assertion = nonced.party.assertion()
        proof = nonced.party.proof("POST", "/oauth2/token", jti="same")
        assert (await nonced.party.ask(client_assertion=assertion, proof=proof)).status_code == 400
        proof = nonced.party.proof("POST", "/oauth2/token", jti="same", nonce=nonced.current)
        assert (await nonced.party.ask(client_assertion=assertion, proof=proof)).status_code == 200

    async def test_a_proof_that_does_not_hold_is_told_so_first(self, nonced):
        reply = await nonced.ask(htm="GET")
        assert reply.json()["error"] == "invalid_dpop_proof"
        assert "DPoP-Nonce" in reply.headers

    async def test_a_proof_with_a_nonce_is_used_once_too(self, nonced):
        proof = nonced.party.proof("POST", "/oauth2/token", nonce=nonced.current)
        assert (await nonced.party.ask(proof=proof)).status_code == 200
        assert (await nonced.party.ask(proof=proof)).json()["error"] == "invalid_dpop_proof"


class TestAtTheResource:
    async def test_section_9_a_proof_without_one_is_challenged(self, nonced):
        reply = await nonced.call(await nonced.token())
        assert reply.status_code == 401
        assert reply.headers["WWW-Authenticate"] == CHALLENGE
        assert reply.json()["type"] == "/problems/use-dpop-nonce"

    async def test_section_9_the_one_of_the_challenge_is_taken(self, nonced):
        token = await nonced.token()
        nonce = (await nonced.call(token)).headers["DPoP-Nonce"]
        assert (await nonced.call(token, nonce=nonce)).status_code == 200

    async def test_section_9_that_of_the_token_endpoint_is_taken_here(self, nonced):
        reply = await nonced.ask(nonce=nonced.current)
        assert (await nonced.call(reply.json()["access_token"], nonce=reply.headers["DPoP-Nonce"])).status_code == 200

    @pytest.mark.parametrize("nonce", ["x", ["x"], None], ids=ascii)
    async def test_section_9_a_wrong_one_is_challenged(self, nonced, nonce):
        reply = await nonced.call(await nonced.token(), nonce=nonce)
        assert 'error="use_dpop_nonce"' in reply.headers["WWW-Authenticate"]


class TestTheHeader:
    async def test_section_8_2_every_answer_brings_the_one_to_use_next(self, nonced):
        token = await nonced.token()
        replies = [
            await nonced.ask(nonce=nonced.current),
            await nonced.ask(),
            await nonced.call(token, nonce=nonced.current),
            await nonced.call(token),
            await nonced.call(token, "/v1/nowhere", nonce=nonced.current),
            await nonced.party.http.get("/v1/me"),
            await nonced.party.introspect(token),
            await nonced.party.revoke("x"),
            await nonced.party.http.get("/oauth2/token"),
        ]
        assert [reply.status_code for reply in replies] == [200, 400, 200, 401, 404, 401, 200, 200, 405]
        for reply in replies:
            assert reply.headers.get_list("DPoP-Nonce") == [nonced.current]

    @pytest.mark.parametrize("path", ["/.well-known/oauth-authorization-server", "/oauth2/jwks"])
    async def test_section_8_2_no_answer_that_caches_may_keep(self, nonced, path):
        assert "DPoP-Nonce" not in (await nonced.party.http.get(path)).headers

    async def test_section_8_2_it_is_renewed_only_when_it_grows_old(self, nonced):
        token, nonce = await nonced.token(), nonced.current
        start = int(nonced.world.clock.now().timestamp())
        nonced.world.clock.shift(timedelta(seconds=STEP - start % STEP))
        reply = await nonced.call(token, nonce=nonce)
        renewed = reply.headers["DPoP-Nonce"]
        assert (reply.status_code, renewed != nonce) == (200, True)
        assert (await nonced.call(token, nonce=renewed)).headers["DPoP-Nonce"] == renewed
        nonced.world.clock.shift(timedelta(seconds=STEP))
        assert (await nonced.call(token, nonce=nonce)).status_code == 401
        assert (await nonced.call(token, nonce=renewed)).status_code == 200

    async def test_where_they_are_off_none_is_sent_and_none_asked_for(self, party):
        reply = await party.ask()
        assert reply.status_code == 200
        assert "DPoP-Nonce" not in reply.headers


class TestOurClient:
    async def test_it_answers_the_challenge_and_keeps_the_nonce(self, nonced):
        sent: list[httpx.Request] = []

        async def note(request: httpx.Request) -> None:
            sent.append(request)

        nonced.party.http.event_hooks["request"].append(note)
        client = ExchangeClient(nonced.party.credentials, http=nonced.party.http, clock=nonced.world.clock)
        for _ in range(2):
            assert (await client.get("/v1/me")).status_code == 200
        assert [request.url.path for request in sent] == ["/oauth2/token", "/oauth2/token", "/v1/me", "/v1/me"]
        nonced.world.clock.shift(timedelta(seconds=3 * STEP))
        assert (await client.get("/v1/me")).status_code == 200
        assert [request.url.path for request in sent][4:] == ["/v1/me", "/v1/me"]

    async def test_it_does_not_go_on_for_ever(self, party):
        def insisting(request: httpx.Request) -> httpx.Response:
            calls.append(request)
            return httpx.Response(400, json={"error": "use_dpop_nonce"}, headers={"DPoP-Nonce": "x"})

        calls: list[httpx.Request] = []
        async with ExchangeClient(party.credentials, transport=httpx.MockTransport(insisting)) as client:
            with pytest.raises(Exception, match="use_dpop_nonce"):
                await client.token()
        assert len(calls) == 2


class TestNonces:
    NOW = datetime(2026, 11, 27, 10, 0, 30, tzinfo=UTC)

    @pytest.fixture
    def keyring(self, tmp_path):
        return Keyring.open(tmp_path / "keyring.json", create=True)

    def test_every_process_makes_the_same(self, keyring, tmp_path):
        again = Keyring.open(tmp_path / "keyring.json", create=False)
        assert Nonces(keyring).current(self.NOW) == Nonces(again).current(self.NOW)

    def test_another_exchange_makes_others(self, keyring, tmp_path):
        other = Nonces(Keyring.open(tmp_path / "other.json", create=True))
        assert not other.accept(Nonces(keyring).current(self.NOW), self.NOW)

    @pytest.mark.parametrize(
        ("later", "counts"), [(0, True), (29, True), (60, True), (89, True), (90, False), (-31, True), (-91, False)]
    )
    def test_each_counts_for_its_minute_and_the_ones_beside_it(self, keyring, later, counts):
        nonces = Nonces(keyring)
        assert nonces.accept(nonces.current(self.NOW), self.NOW + timedelta(seconds=later)) is counts

    def test_they_are_long_and_never_the_same(self, keyring):
        nonces = Nonces(keyring)
        made = {nonces.current(self.NOW + timedelta(minutes=minute)) for minute in range(100)}
        assert len(made) == 100
        assert {len(nonce) for nonce in made} == {24}

    def test_a_proof_made_ahead_cannot_know_its_nonce(self, keyring, party):
        """A borrowed key signs proofs for tomorrow, one for each minute: without the nonces of tomorrow they are of no use."""
        nonces, tomorrow = Nonces(keyring), self.NOW + timedelta(days=1)
        stolen = party.proof("GET", "/x", iat=tomorrow.timestamp(), nonce=nonces.current(self.NOW))
        with pytest.raises(dpop.InvalidProofError, match="nonce"):
            dpop.check(stolen, method="GET", url=f"{party.issuer}/x", now=tomorrow, nonces=nonces)
        assert dpop.check(stolen, method="GET", url=f"{party.issuer}/x", now=tomorrow)

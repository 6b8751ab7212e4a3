"""The client the command line, the demonstration and the tests use."""

from __future__ import annotations

import stat
from datetime import timedelta

import httpx
import pytest

from app.client import Credentials, ExchangeClient, TokenRefusedError
from tests.makers.standing import suspend_client


@pytest.fixture
async def client(world, party):
    async with ExchangeClient(party.credentials, http=world.http, clock=world.clock) as client:
        yield client


@pytest.fixture
def sent(world):
    """Every request the client sends."""
    requests: list[httpx.Request] = []

    async def note(request):
        requests.append(request)

    world.http.event_hooks["request"].append(note)
    yield requests
    world.http.event_hooks["request"].remove(note)


class TestCredentials:
    def test_they_are_kept_in_a_file_only_their_owner_can_read(self, party, tmp_path):
        path = tmp_path / "clients" / "one.json"
        party.credentials.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        again = Credentials.load(path)
        assert again == party.credentials
        assert again.public_jwks() == party.credentials.public_jwks()

    def test_a_file_is_never_replaced(self, party, tmp_path):
        party.credentials.save(tmp_path / "one.json")
        with pytest.raises(FileExistsError):
            party.credentials.save(tmp_path / "one.json")

    @pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"client_id": "x"}'])
    def test_another_file_is_refused(self, tmp_path, text):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(ValueError):
            Credentials.load(tmp_path / "x.json")


async def test_a_request_is_authorized(client, party):
    reply = await client.get("/v1/probe?q=x")
    assert (reply.status_code, reply.json()["client_id"]) == (200, party.client_id)


async def test_the_token_is_kept_and_every_proof_is_new(client, sent):
    for _ in range(3):
        assert (await client.get("/v1/probe")).status_code == 200
    assert [request.url.path for request in sent] == ["/oauth2/token", "/v1/probe", "/v1/probe", "/v1/probe"]
    assert len({request.headers["DPoP"] for request in sent}) == 4


async def test_the_token_is_renewed_half_a_minute_before_its_end(client, sent, world):
    await client.get("/v1/probe")
    world.clock.shift(timedelta(seconds=269))
    await client.get("/v1/probe")
    assert sum(request.url.path == "/oauth2/token" for request in sent) == 1
    world.clock.shift(timedelta(seconds=2))
    assert (await client.get("/v1/probe")).status_code == 200
    assert sum(request.url.path == "/oauth2/token" for request in sent) == 2


async def test_a_token_that_is_not_taken_any_more_is_replaced_once(client, sent, world):
    await client.get("/v1/probe")
    await world.rotate(at_once=True)
    assert (await client.get("/v1/probe")).status_code == 200
    assert [request.url.path for request in sent][2:] == ["/v1/probe", "/oauth2/token", "/v1/probe"]


async def test_headers(client, sent):
    await client.post("/v1/probe", json={}, actor="staff-7", if_match=3)
    request = sent[-1]
    assert (request.headers["Rujukan-Actor"], request.headers["If-Match"]) == ("staff-7", '"3"')
    assert len(request.headers["Idempotency-Key"]) == 36
    await client.post("/v1/probe", json={}, idempotency_key="mine", if_match='W/"3"')
    assert (sent[-1].headers["Idempotency-Key"], sent[-1].headers["If-Match"]) == ("mine", 'W/"3"')
    await client.get("/v1/probe")
    assert "Idempotency-Key" not in sent[-1].headers


async def test_scope_and_agency_are_asked_for(world):
    party = await world.party(agencies=2)
    chosen = Credentials(party.client_id, party.issuer, party.credentials.private_jwk, party.agencies[1])
    client = ExchangeClient(chosen, http=world.http, scope="cases.read")
    reply = await client.get("/v1/probe")
    assert (reply.json()["agency"], reply.json()["scopes"]) == (party.agencies[1], ["cases.read"])


async def test_a_refusal_of_the_token_is_told(client, world, party):
    await world.act(suspend_client, party.client_id)
    with pytest.raises(TokenRefusedError, match="invalid_client: Client authentication failed") as caught:
        await client.get("/v1/probe")
    assert (caught.value.status, caught.value.error) == (401, "invalid_client")


async def test_an_unreadable_answer_is_told(party):
    transport = httpx.MockTransport(lambda _: httpx.Response(502, text="<html>"))
    async with ExchangeClient(party.credentials, transport=transport) as client:
        with pytest.raises(TokenRefusedError, match="HTTP 502"):
            await client.token()


@pytest.mark.parametrize("algorithm", ["PS256", "Ed25519"])
async def test_other_keys_than_es256(world, algorithm):
    party = await world.party(algorithm=algorithm)
    assert (await ExchangeClient(party.credentials, http=world.http).get("/v1/probe")).status_code == 200

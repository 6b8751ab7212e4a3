"""FAPI 2.0 Security Profile §5.3.2: the rows of its conformance plan for client_credentials, with a client nobody here wrote."""

from __future__ import annotations

import dataclasses
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from authlib.integrations.base_client import OAuthError
from authlib.oauth2.rfc7523 import PrivateKeyJWT

from app.foundation.database import open_pool
from auth import jose
from auth.binding import dpop
from auth.directory import Directory
from auth.jose import ALGORITHMS
from tests.makers.auth import ABSENT, Party
from tests.makers.auth_server import World

with warnings.catch_warnings(action="ignore"):  # it would rather have httpx2
    from authlib.integrations.httpx_client import AsyncOAuth2Client


class AuthlibClient(AsyncOAuth2Client):
    """Authlib's client over the test's transport; it knows no DPoP, so the proof is put in from outside."""

    def __init__(self, party: Party, **claims: Any) -> None:
        signer = party.credentials.signing_key()
        self.party = party
        super().__init__(
            client_id=party.client_id,
            client_secret=signer.key,
            token_endpoint_auth_method="private_key_jwt",
            transport=party.http._transport,
        )
        # its usual life of an hour is too long for FAPI
        method = PrivateKeyJWT(
            f"{party.issuer}/oauth2/token",
            alg=signer.algorithm,
            headers={"kid": signer.public.kid},
            claims={"exp": party.now + 60, **claims},
        )
        self.register_client_auth_method(method)

    async def ask(self) -> Any:
        url = f"{self.party.issuer}/oauth2/token"
        return await self.fetch_token(
            url, grant_type="client_credentials", headers={"DPoP": self.party.proof("POST", "/oauth2/token")}
        )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_authlibs_client_gets_a_token(world, algorithm):
    party = await world.party(algorithm=algorithm)
    with warnings.catch_warnings(action="ignore"):  # that EdDSA has another name now
        async with AuthlibClient(party, aud=party.issuer) as client:
            token = await client.ask()
    assert token["token_type"] == "DPoP"
    assert (await party.call(token=token["access_token"])).status_code == 200


async def test_authlibs_client_with_its_usual_audience_is_refused(party):
    """The token endpoint's URL as audience is the audience injection of 2025."""
    async with AuthlibClient(party) as client:
        with pytest.raises(OAuthError, match="invalid_client: aud must be the issuer"):
            await client.ask()


async def test_authlibs_client_with_its_usual_life_of_an_hour_is_refused(party):
    async with AuthlibClient(party, aud=party.issuer, exp=party.now + 3600) as client:
        with pytest.raises(OAuthError, match="invalid_client: exp is required"):
            await client.ask()


async def test_two_clients_in_a_happy_flow(world):
    first, second = await world.party(), await world.party()
    for party in (first, second):
        assert (await party.call()).json()["client_id"] == party.client_id


async def test_a_token_is_of_no_use_to_another_holder(world, party):
    other = await world.party()
    token = await party.token()
    reply = await other.call(token=token)
    assert (reply.status_code, reply.json()["reason"]) == (401, "wrong_key")


async def test_no_token_without_sender_constraint(party):
    assert (await party.ask(proof=ABSENT)).json()["error"] == "invalid_dpop_proof"


async def test_only_listed_algorithms_are_known():
    assert set(ALGORITHMS) == {"ES256", "PS256", "EdDSA", "Ed25519"}


async def test_an_assertion_is_used_once_across_processes_and_restarts(world, party):
    """Two processes share nothing but the database, and what a restarted one has forgotten it still knows."""
    assertion = party.assertion()
    assert (await party.ask(client_assertion=assertion)).status_code == 200
    pool = await open_pool(world.addresses.app, size=1)
    another = Directory(pool, world.keyring, world.clock)
    await another.refresh()
    with directory_of(world, another):
        reply = await party.ask(client_assertion=assertion)
    await pool.close()
    assert (reply.status_code, reply.json()["error_description"]) == (401, "The assertion was used before.")


class TestNothingLeaks:
    async def test_no_token_assertion_proof_or_key_is_ever_logged(self, party, caplog):
        """Also not by the libraries, also not at the most talkative level, also not in refusals."""
        caplog.set_level(logging.DEBUG)
        assertion, proof = party.assertion(), party.proof("POST", "/oauth2/token")
        token = (await party.ask(client_assertion=assertion, proof=proof)).json()["access_token"]
        used = party.proof("GET", "/v1/probe", token)
        await party.call(token=token, proof=used)
        await party.call(token=token, proof=used)
        await party.call(token=token[:-4] + "AAAA")
        await party.ask(client_assertion=assertion)
        await party.ask(client_assertion=assertion[:-4] + "AAAA")
        said = caplog.text
        for secret in (token, assertion, proof, used):
            for part in secret.split(".")[1:]:
                assert part not in said
        assert party.credentials.private_jwk["d"] not in said

    def test_representations_hide_keys(self, party):
        key = party.credentials.signing_key()
        assert party.credentials.private_jwk["d"] not in repr(party.credentials) + repr(key) + repr(key.public)

    def test_a_proof_does_not_show_its_hash(self, party):
        proof = dpop.check(
            party.proof("GET", "/x"),
            method="GET",
            url=f"{party.issuer}/x",
            now=party.clock.now(),
            thumbprint=party.proof_key.public.thumbprint,
        )
        assert repr(proof.hash) not in repr(proof)


class Away:
    """A directory whose database is not there."""

    async def current(self) -> Any:
        raise ConnectionRefusedError


@contextmanager
def directory_of(world: World, directory: Any) -> Iterator[None]:
    mine = world.app.state.directory
    world.app.state.directory = directory
    try:
        yield
    finally:
        world.app.state.directory = mine


async def test_the_database_being_away_is_503_in_oauths_form(world, party):
    token = await party.token()
    with directory_of(world, Away()):
        reply = await party.ask()
        resource = await party.call(token=token)
    assert (reply.status_code, reply.json()) == (
        503,
        {"error": "temporarily_unavailable", "error_description": "Try again shortly."},
    )
    assert reply.headers["Retry-After"] == "2"
    assert (resource.status_code, resource.json()["type"]) == (503, "/problems/service-unavailable")


async def test_without_a_signing_key_no_token_is_issued_and_nothing_breaks(world, party, monkeypatch):
    snapshot = await world.directory.current()
    unsigned = dataclasses.replace(snapshot, signing=dataclasses.replace(snapshot.signing, active=None))
    monkeypatch.setattr(world.directory, "_snapshot", unsigned)
    assert (await party.ask()).status_code == 503


async def test_transport_is_the_public_url_whatever_the_request_says(world, party):
    """§5.2.1 is the proxy's part; that plain http is never mistaken for it is ours."""
    async with httpx.AsyncClient(transport=party.http._transport, base_url="http://internal:8000") as inside:
        reply = await inside.post(
            "/oauth2/token", data=party.form(), headers={"DPoP": party.proof("POST", "/oauth2/token")}
        )
        assert reply.status_code == 200
        wrong = party.proof("POST", "/oauth2/token", htu="http://internal:8000/oauth2/token")
        assert (await inside.post("/oauth2/token", data=party.form(), headers={"DPoP": wrong})).status_code == 400


def test_keys_are_generated_with_enough_bits():
    assert jose.generate("PS256").key.as_dict(private=False)["n"].__len__() >= 342

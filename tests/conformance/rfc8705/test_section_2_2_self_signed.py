"""RFC 8705 §2.2: `self_signed_tls_client_auth`: the certificate is one of those registered for the client."""

from __future__ import annotations

import ssl
from datetime import timedelta

import httpx
import pytest

from auth import jose
from auth.admin.client_changes import add_client_key
from auth.admin.client_keys import certificate_jwk
from auth.client_auth.mtls import SELF_SIGNED
from tests.makers import auth as make
from tests.makers.certificates import Issued, self_signed
from tests.makers.publisher import publishing
from tests.makers.tls import Site, ask, me, token_of

FAILED = {"error": "invalid_client", "error_description": "Client authentication failed."}


async def registered(site: Site, *certificates: Issued) -> str:
    keys = [certificate_jwk(each.pem) for each in certificates]
    return await site.register(auth_method=SELF_SIGNED, jwks={"keys": keys})


@pytest.mark.parametrize("key", [None, "RSA"])
async def test_the_registered_certificate_lets_in(behind_proxy, key):
    certificate = self_signed(key=key and make.rsa_key(2048).raw_value)
    client_id = await registered(behind_proxy, certificate)
    async with behind_proxy.http(certificate) as http:
        reply = await ask(http, client_id)
        assert (reply.status_code, reply.json()["token_type"]) == (200, "Bearer")
        assert (await me(http, reply.json()["access_token"])).json()["client_id"] == client_id


async def test_another_certificate_with_the_same_name_does_not(behind_proxy):
    client_id = await registered(behind_proxy, self_signed("CN=one"))
    async with behind_proxy.http(self_signed("CN=one")) as http:
        assert (await ask(http, client_id)).json() == FAILED


async def test_nor_another_certificate_of_the_same_key(behind_proxy):
    first = self_signed("CN=one")
    client_id = await registered(behind_proxy, first)
    async with behind_proxy.http(self_signed("CN=one", key=first.key)) as http:
        assert (await ask(http, client_id)).json() == FAILED


async def test_nor_one_an_authority_vouches_for(behind_proxy):
    client_id = await registered(behind_proxy, self_signed("CN=one"))
    async with behind_proxy.http(behind_proxy.ca.issue("CN=one")) as http:
        assert (await ask(http, client_id)).json() == FAILED


async def test_nor_another_clients(behind_proxy):
    theirs = self_signed()
    await registered(behind_proxy, theirs)
    client_id = await registered(behind_proxy, self_signed())
    async with behind_proxy.http(theirs) as http:
        assert (await ask(http, client_id)).json() == FAILED


async def test_its_key_signs_no_assertions(behind_proxy):
    certificate = self_signed(key=make.ec_key().raw_value)
    client_id = await registered(behind_proxy, certificate)
    async with behind_proxy.http() as http:
        signer = await behind_proxy.party(http)
        key = make.ECKey.import_key(certificate.key_pem)
        signing = jose.import_private({**key.as_dict(private=True), "alg": "ES256"})
        claims = {"iss": client_id, "sub": client_id}
        reply = await signer.ask(
            client_id=client_id, client_assertion=signer.assertion(key=signing, header={"kid": make.ABSENT}, **claims)
        )
        assert (reply.status_code, reply.json()) == (401, FAILED)


async def test_an_expired_one_does_not(behind_proxy, exchange):
    certificate = self_signed(days=(-1, 2))
    client_id = await registered(behind_proxy, certificate)
    async with behind_proxy.http(certificate) as http:
        assert (await ask(http, client_id)).status_code == 200
        exchange.clock.shift(timedelta(days=3))
        assert (await ask(http, client_id)).json()["error_description"] == "The client certificate has expired."


async def test_a_rotation_lets_both_in_for_a_while_and_ends_the_tokens_of_the_old_one(behind_proxy, exchange):
    old, new = self_signed(), self_signed()
    client_id = await registered(behind_proxy, old)
    now = behind_proxy.clock.now()
    kid = await add_client_key(
        behind_proxy.conn,
        client_id,
        jwk=certificate_jwk(new.pem),
        overlap=timedelta(hours=1),
        now=now,
        actor="test",
    )
    await behind_proxy.refresh()
    async with behind_proxy.http(old) as before, behind_proxy.http(new) as after:
        exchange.clock.shift(timedelta(minutes=59))
        token, latest = await token_of(before, client_id), await token_of(after, client_id)
        assert jose.parse(latest, {"at+jwt"}).claims["client_kid"] == kid
        exchange.clock.shift(timedelta(minutes=2))
        assert (await me(before, token)).json()["reason"] == "client_key"
        assert (await ask(before, client_id)).json() == FAILED
        assert (await me(after, latest)).status_code == 200


async def test_our_own_tls_lets_none_through_the_handshake(own_tls):
    async with own_tls.http(self_signed()) as http:
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            await ask(http, "client-of-nobody")


async def test_our_own_tls_does_not_offer_it(own_tls):
    certificate = own_tls.ca.issue("CN=one")  # registered as it is, though an authority vouches for it
    client_id = await registered(own_tls, certificate)
    async with own_tls.http(certificate) as http:
        assert (await ask(http, client_id)).json() == FAILED


async def test_certificates_may_be_published_at_a_jwks_uri(behind_proxy, tmp_path):
    """So a renewed one works without anybody being told (RFC 8705 §2.2.2)."""
    first, renewed = self_signed("CN=one"), self_signed("CN=one")
    state = behind_proxy.app.state
    before = state.settings
    async with publishing(tmp_path) as publisher:
        state.settings = before.model_copy(update=publisher.settings)
        client_id = await behind_proxy.register(auth_method=SELF_SIGNED, jwks_uri=publisher.url)
        for certificate in (first, renewed):
            publisher.publishes(certificate_jwk(certificate.pem))
            async with behind_proxy.http(certificate) as http:
                assert (await ask(http, client_id)).status_code == 200
            behind_proxy.clock.shift(timedelta(minutes=2))
        async with behind_proxy.http(first) as http:
            assert (await ask(http, client_id)).json() == FAILED
    state.settings = before

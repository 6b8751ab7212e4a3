"""RFC 8705 §3.2: what introspection says of a token bound to a certificate; and RFC 7009 by a client that is known by one."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import httpx
import pytest

from auth import jose
from auth.admin.client_changes import add_client_key
from auth.admin.client_keys import certificate_jwk
from auth.binding.certificate import thumbprint_of
from auth.client_auth.mtls import SELF_SIGNED
from auth.scopes import AGENCY_SCOPES
from tests.makers.auth import ABSENT
from tests.makers.certificates import self_signed
from tests.makers.standing import suspend_client
from tests.makers.tls import Site, me, token_of

SUBJECT = "CN=rs-bhayangkara,O=Polri,C=ID"
PATHS = ("/oauth2/introspect", "/oauth2/revoke")
INACTIVE = (200, {"active": False})
DONE = (200, {})


@pytest.fixture(params=["own_tls", "behind_proxy"])
def site(request) -> Site:
    """Both ways a certificate takes."""
    return request.getfixturevalue(request.param)


@pytest.fixture
async def client_id(site) -> str:
    return await site.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))


async def about(http, path, token, client_id, **extra) -> httpx.Response:
    """Send a token to one of the two endpoints, as a client that authenticates by its certificate."""
    form = {"token": token, **({"client_id": client_id} if client_id else {}), **extra}
    return await http.post(path, data=form)


async def introspected(http, token, client_id):
    reply = await about(http, "/oauth2/introspect", token, client_id)
    return reply.status_code, reply.json()


async def revoked(http, token, client_id):
    reply = await about(http, "/oauth2/revoke", token, client_id)
    return reply.status_code, reply.json()


async def reason(http, token) -> str | None:
    return (await me(http, token)).json().get("reason")


async def test_it_says_the_certificate_the_token_is_bound_to(site, client_id):
    certificate = site.ca.issue(SUBJECT)
    async with site.http(certificate) as http:
        token = await token_of(http, client_id, scope="cases.read")
        claims = jose.parse(token, {"at+jwt"}).claims
        told = await introspected(http, token, client_id)
    assert told == (
        200,
        {
            "active": True,
            "scope": "cases.read",
            "client_id": client_id,
            "sub": client_id,
            "token_type": "Bearer",
            "iss": site.url,
            "aud": site.url,
            "exp": claims["exp"],
            "iat": claims["iat"],
            "jti": claims["jti"],
            "cnf": {"x5t#S256": thumbprint_of(certificate.der)},
            "agency": claims["agency"],
        },
    )


async def test_a_client_known_by_its_certificate_is_told_of_a_token_bound_to_a_dpop_key(site):
    client_id = await site.register(
        auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT), certificate_bound=False
    )
    async with site.http(site.ca.issue(SUBJECT)) as http:
        signer = await site.party(http)
        token = await token_of(http, client_id, headers={"DPoP": signer.proof("POST", "/oauth2/token")})
        status, told = await introspected(http, token, client_id)
    assert (status, told["token_type"]) == (200, "DPoP")
    assert told["cnf"] == {"jkt": signer.proof_key.public.thumbprint}


async def test_a_client_that_signs_is_told_of_a_token_bound_to_its_certificate(site):
    async with site.http(site.ca.issue(SUBJECT)) as http:
        signer = await site.party(http, certificate_bound=True)
        token = await signer.token(proof=ABSENT)
    async with site.http() as http:  # the certificate is asked for where the token is used, not where it is asked about
        signer.http = http
        told = (await signer.introspect(token)).json()
        assert (told["active"], told["token_type"], list(told["cnf"])) == (True, "Bearer", ["x5t#S256"])
        assert (await signer.revoke(token)).status_code == 200
        await site.refresh()
        assert (await signer.introspect(token)).json() == {"active": False}


async def test_a_client_may_ask_and_revoke_with_a_renewed_certificate(site, client_id):
    async with site.http(site.ca.issue(SUBJECT)) as http:
        token = await token_of(http, client_id)
    async with site.http(site.ca.issue(SUBJECT)) as renewed:
        assert await reason(renewed, token) == "certificate"
        assert (await introspected(renewed, token, client_id))[1]["active"]
        assert await revoked(renewed, token, client_id) == DONE
        await site.refresh()
        assert await introspected(renewed, token, client_id) == INACTIVE


async def test_a_revoked_token_is_refused_within_a_second(site, client_id):
    async with site.http(site.ca.issue(SUBJECT)) as http:
        token = await token_of(http, client_id)
        assert (await me(http, token)).status_code == 200
        assert await revoked(http, token, client_id) == DONE
        began = time.monotonic()
        while await reason(http, token) != "revoked":
            assert time.monotonic() - began < 1
            await asyncio.sleep(0.02)
        assert (await me(http, await token_of(http, client_id))).status_code == 200, "a new one counts"


async def test_another_clients_token_is_not_active_and_left_alone(site, client_id):
    other = await site.register(auth_method="tls_client_auth", tls_name=("subject_dn", "CN=other"))
    await site.conn.execute(
        "UPDATE client SET scopes = $2 WHERE client_id = $1", client_id, sorted(AGENCY_SCOPES)
    )  # an administrator's client may ask about anybody's
    await site.refresh()
    async with site.http(site.ca.issue(SUBJECT)) as http, site.http(site.ca.issue("CN=other")) as theirs:
        token = await token_of(theirs, other)
        assert await introspected(http, token, client_id) == INACTIVE
        assert await revoked(http, token, client_id) == DONE
        await site.refresh()
        assert (await introspected(theirs, token, other))[1]["active"]


class TestBothEndpoints:
    """They authenticate as the token endpoint does, by the same code."""

    @pytest.mark.parametrize("path", PATHS)
    async def test_no_certificate_another_one_and_no_client_id_say_nothing(self, site, client_id, path):
        async with site.http(site.ca.issue(SUBJECT)) as http:
            token = await token_of(http, client_id)
            refused = [await about(http, path, token, None), await about(http, path, token, "client-of-nobody")]
        async with site.http() as http:
            refused.append(await about(http, path, token, client_id))
        async with site.http(site.ca.issue("CN=other")) as http:
            refused.append(await about(http, path, token, client_id))
        assert [(each.status_code, each.json()["error"]) for each in refused] == [(401, "invalid_client")] * 4
        async with site.http(site.ca.issue(SUBJECT)) as http:
            await site.refresh()
            assert (await introspected(http, token, client_id))[1]["active"]

    @pytest.mark.parametrize("path", PATHS)
    async def test_not_by_another_method_than_registered(self, site, client_id, path):
        async with site.http(site.ca.issue(SUBJECT)) as http:
            signer, token = await site.party(http), await token_of(http, client_id)
            assertion = signer.assertion(iss=client_id, sub=client_id)
            replies = [
                await about(http, path, token, signer.client_id),
                await signer.about(path, token, client_id=client_id, client_assertion=assertion),
            ]
        assert [(each.status_code, each.json()["error"]) for each in replies] == [(401, "invalid_client")] * 2

    @pytest.mark.parametrize("path", PATHS)
    async def test_no_proof_is_needed_and_nothing_is_used_up(self, site, client_id, path):
        async with site.http(site.ca.issue(SUBJECT)) as http:
            token = await token_of(http, client_id)
            replies = await asyncio.gather(*(about(http, path, token, client_id) for _ in range(3)))
        assert {each.status_code for each in replies} == {200}

    @pytest.mark.parametrize("path", PATHS)
    async def test_a_secret_beside_the_certificate_is_a_second_way(self, site, client_id, path):
        async with site.http(site.ca.issue(SUBJECT)) as http:
            reply = await about(http, path, "x", client_id, client_secret="s3cret")
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")


async def test_a_registered_certificate_that_has_ended_takes_its_tokens_with_it(behind_proxy, exchange):
    first, second = self_signed("CN=one"), self_signed("CN=two")
    keys = [certificate_jwk(first.pem)]
    client_id = await behind_proxy.register(auth_method=SELF_SIGNED, jwks={"keys": keys})
    async with behind_proxy.http(first) as http:
        token = await token_of(http, client_id)
        assert (await introspected(http, token, client_id))[1]["active"]
    await add_client_key(
        behind_proxy.conn,
        client_id,
        jwk=certificate_jwk(second.pem),
        overlap=timedelta(),
        now=behind_proxy.clock.now(),
        actor="test",
    )
    await behind_proxy.refresh()
    async with behind_proxy.http(second) as http:
        assert await introspected(http, token, client_id) == INACTIVE


class TestAFeedThatWaits:
    """It ends with its token here too, and with the certificate itself."""

    async def waiting(self, http, client_id, act):
        token = await token_of(http, client_id)
        headers = {"Authorization": f"Bearer {token}"}
        waits = asyncio.create_task(http.get("/v1/events?after=0&wait=30", headers=headers, timeout=40))
        await asyncio.sleep(0.3)
        assert not waits.done()
        await act(token)
        began = time.monotonic()
        reply = await waits
        assert time.monotonic() - began < 2
        return reply.status_code, reply.json()["items"]

    async def test_when_it_is_revoked(self, site, client_id):
        async with site.http(site.ca.issue(SUBJECT)) as http:

            async def act(token):
                assert await revoked(http, token, client_id) == DONE

            assert await self.waiting(http, client_id, act) == (200, [])

    async def test_when_the_client_is_suspended(self, site, client_id):
        async with site.http(site.ca.issue(SUBJECT)) as http:

            async def act(_):
                await suspend_client(site.conn, client_id, now=site.clock.now(), actor="test")

            assert await self.waiting(http, client_id, act) == (200, [])

    async def test_when_the_certificate_expires(self, own_tls, exchange):
        """The token would last some minutes more."""
        client_id = await own_tls.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        certificate = own_tls.ca.issue(SUBJECT, days=(-1, 2))
        ends = certificate.certificate.not_valid_after_utc
        async with own_tls.http(certificate) as http:
            exchange.clock.shift(ends - exchange.clock.now() - timedelta(seconds=60))

            async def act(_):
                exchange.clock.shift(timedelta(seconds=61))

            assert await self.waiting(http, client_id, act) == (200, [])

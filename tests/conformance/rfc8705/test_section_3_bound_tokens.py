"""RFC 8705 §3: a token bound to a certificate counts on a connection that presents that certificate, and nowhere else."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
from base64 import urlsafe_b64encode

import pytest

from auth import jose
from auth.binding.nonces import Nonces
from tests.makers.auth import ABSENT
from tests.makers.certificates import self_signed
from tests.makers.tls import Site, ask, me, token_of

SUBJECT = "CN=rs-bhayangkara,O=Polri,C=ID"


@pytest.fixture(params=["own_tls", "behind_proxy"])
def site(request) -> Site:
    """Both ways a certificate takes."""
    return request.getfixturevalue(request.param)


@pytest.fixture
async def client_id(site) -> str:
    return await site.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))


def reason(reply) -> tuple[int, str, str]:
    return reply.status_code, reply.json()["type"], reply.json().get("reason")


REFUSED = (401, "/problems/invalid-token", "certificate")


async def test_the_thumbprint_is_that_of_the_der_as_openssl_tells_it(site, client_id):
    certificate = site.ca.issue(SUBJECT)
    async with site.http(certificate) as http:
        claims = jose.parse(await token_of(http, client_id), {"at+jwt"}).claims
    process = await asyncio.create_subprocess_exec(
        *("openssl", "x509", "-outform", "DER"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    der, _ = await process.communicate(certificate.pem)
    expected = urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    assert claims["cnf"] == {"x5t#S256": expected}


async def test_without_a_certificate_it_is_refused(site, client_id):
    async with site.http(site.ca.issue(SUBJECT)) as http:
        token = await token_of(http, client_id)
    async with site.http() as http:
        reply = await me(http, token)
    assert reason(reply) == REFUSED
    metadata = f'resource_metadata="{site.url}/.well-known/oauth-protected-resource"'
    assert reply.headers["WWW-Authenticate"] == (
        f'Bearer error="invalid_token", error_description="The access token is not valid", {metadata}'
    )


async def test_with_another_certificate_of_the_same_client_it_is_refused(site, client_id):
    async with site.http(site.ca.issue(SUBJECT)) as before, site.http(site.ca.issue(SUBJECT)) as after:
        token = await token_of(before, client_id)
        assert reason(await me(after, token)) == REFUSED
        assert (await me(after, await token_of(after, client_id))).status_code == 200
        assert (await me(before, token)).status_code == 200


async def test_a_connection_that_is_reused_keeps_its_certificate(own_tls):
    """Two tokens of one client over one connection each: no connection passes for the other, in any order."""
    client_id = await own_tls.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
    async with own_tls.http(own_tls.ca.issue(SUBJECT)) as one, own_tls.http(own_tls.ca.issue(SUBJECT)) as two:
        tokens = [await token_of(http, client_id) for http in (one, two)]
        for _ in range(2):
            replies = await asyncio.gather(*(me(http, token) for token in tokens for http in (one, two)))
            assert [reply.status_code for reply in replies] == [200, 401, 401, 200]


async def test_tls_1_2_is_not_renegotiated(own_tls):
    """Who could renegotiate might change the certificate under requests that were let in by the first."""
    host = own_tls.url.removeprefix("https://")
    process = await asyncio.create_subprocess_exec(
        *("openssl", "s_client", "-connect", host, "-tls1_2", "-servername", "localhost"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    while b"Verify return code" not in (line := await process.stdout.readline()):
        assert line, "the handshake has ended"
    process.stdin.write(b"R\n")
    await process.stdin.drain()
    _, told = await asyncio.wait_for(process.communicate(), 10)
    assert b"no renegotiation" in told


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
async def test_old_versions_of_tls_are_refused(own_tls, version):
    host = own_tls.url.removeprefix("https://")
    process = await asyncio.create_subprocess_exec(
        *("openssl", "s_client", "-connect", host, version, "-cipher", "ALL:@SECLEVEL=0"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode != 0
    assert b"Cipher is (NONE)" in out


async def test_it_is_used_as_often_as_one_likes(site, client_id):
    """There is no proof to use up: the handshake is one, for all of a connection."""
    async with site.http(site.ca.issue(SUBJECT)) as http:
        token = await token_of(http, client_id)
        replies = await asyncio.gather(*(me(http, token) for _ in range(5)))
    assert {reply.status_code for reply in replies} == {200}


async def test_no_nonce_is_asked_of_who_sends_no_proof(site, client_id, exchange):
    """RFC 9449 §8: nonces are for proofs, and there they are asked for as ever."""
    state = site.app.state
    state.nonces = Nonces(exchange.keyring)
    try:
        async with site.http(site.ca.issue(SUBJECT)) as http:
            assert (await me(http, await token_of(http, client_id))).status_code == 200
            signer = await site.party(http)
            assert (await signer.ask()).json()["error"] == "use_dpop_nonce"
    finally:
        state.nonces = None


class TestTheScheme:
    async def test_a_token_bound_to_a_certificate_is_none_for_dpop(self, site, client_id):
        async with site.http(site.ca.issue(SUBJECT)) as http:
            signer = await site.party(http)
            token = await token_of(http, client_id)
            reply = await me(http, token, "DPoP", DPoP=signer.proof("GET", "/v1/me", token))
        assert reason(reply) == (401, "/problems/invalid-token", "wrong_scheme")

    async def test_a_token_bound_to_a_dpop_key_is_none_for_bearer(self, site):
        async with site.http(site.ca.issue(SUBJECT)) as http:
            signer = await site.party(http)
            token = await signer.token()
            proof = signer.proof("GET", "/v1/me", token)
            for headers in ({}, {"DPoP": proof}):
                reply = await me(http, token, **headers)
                assert reason(reply) == (401, "/problems/invalid-token", "wrong_scheme")
            assert (await me(http, token, "DPoP", DPoP=proof)).status_code == 200

    async def test_dpop_proofs_are_still_used_once(self, site):
        async with site.http(site.ca.issue(SUBJECT)) as http:
            signer = await site.party(http)
            token = await signer.token()
            proof = signer.proof("GET", "/v1/me", token)
            replies = [await me(http, token, "DPoP", DPoP=proof) for _ in range(2)]
        assert [reply.status_code for reply in replies] == [200, 401]
        assert replies[1].json()["type"] == "/problems/dpop-proof-replayed"

    @pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
    async def test_its_name_is_not_case_sensitive(self, own_tls, scheme):
        client_id = await own_tls.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        async with own_tls.http(own_tls.ca.issue(SUBJECT)) as http:
            assert (await me(http, await token_of(http, client_id), scheme)).status_code == 200

    async def test_who_sends_none_is_told_of_both(self, site):
        async with site.http() as http:
            challenge = (await http.get("/v1/me")).headers["WWW-Authenticate"]
        metadata = f'resource_metadata="{site.url}/.well-known/oauth-protected-resource"'
        assert challenge == f'DPoP algs="ES256 PS256 EdDSA Ed25519", {metadata}, Bearer {metadata}'

    async def test_where_mutual_tls_is_off_bearer_is_refused_before_the_token_is_read(self, exchange):
        reply = await exchange.http.get("/v1/me", headers={"Authorization": "Bearer x"})
        assert reason(reply) == (401, "/problems/invalid-token", "wrong_scheme")
        assert reply.headers["WWW-Authenticate"].startswith("DPoP error=")


class TestAClientThatSigns:
    """§3.4: `tls_client_certificate_bound_access_tokens`: what is registered decides, not what is presented."""

    async def test_gets_a_bound_token_for_any_certificate_if_it_is_registered_so(self, behind_proxy):
        async with behind_proxy.http(self_signed()) as http:  # §6.3: a binding needs no authority
            signer = await behind_proxy.party(http, certificate_bound=True)
            reply = await signer.ask(proof=ABSENT)
            assert (reply.status_code, reply.json()["token_type"]) == (200, "Bearer")
            token = reply.json()["access_token"]
            assert (await me(http, token)).status_code == 200
        async with behind_proxy.http(self_signed()) as http:
            assert reason(await me(http, token)) == REFUSED

    async def test_needs_a_certificate_then(self, site):
        async with site.http() as http:
            signer = await site.party(http, certificate_bound=True)
            reply = await signer.ask(proof=ABSENT)
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")
        assert "client certificate is required" in reply.json()["error_description"]

    async def test_is_told_that_its_proof_would_be_for_nothing(self, site):
        async with site.http(site.ca.issue(SUBJECT)) as http:
            signer = await site.party(http, certificate_bound=True)
            reply = await signer.ask()
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")

    async def test_still_uses_its_assertion_once(self, site):
        async with site.http(site.ca.issue(SUBJECT)) as http:
            signer = await site.party(http, certificate_bound=True)
            assertion = signer.assertion()
            replies = [await signer.ask(proof=ABSENT, client_assertion=assertion) for _ in range(2)]
        assert [reply.status_code for reply in replies] == [200, 401]
        assert replies[1].json()["error_description"] == "The assertion was used before."


async def test_a_client_known_by_its_certificate_may_bind_by_dpop(site):
    """As registered; FAPI 2.0 §5.3.2.1 lets both be combined."""
    client_id = await site.register(
        auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT), certificate_bound=False
    )
    async with site.http(site.ca.issue(SUBJECT)) as http:
        signer = await site.party(http)
        reply = await ask(http, client_id)
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_dpop_proof")
        reply = await ask(http, client_id, headers={"DPoP": signer.proof("POST", "/oauth2/token")})
        assert (reply.status_code, reply.json()["token_type"]) == (200, "DPoP")
        token = reply.json()["access_token"]
        assert (await me(http, token, "DPoP", DPoP=signer.proof("GET", "/v1/me", token))).status_code == 200
        assert reason(await me(http, token)) == (401, "/problems/invalid-token", "wrong_scheme")

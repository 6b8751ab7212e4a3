"""RFC 8705 §2.1: `tls_client_auth`: an authority of ours vouches for the certificate, and it has the one registered name."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from auth import jose
from tests.makers.auth import ABSENT
from tests.makers.certificates import CLIENT, SERVER, Authority, Issued, san, self_signed, weak_key
from tests.makers.standing import suspend_client
from tests.makers.tls import Site, ask, me, token_of

SUBJECT = "CN=rs-bhayangkara,O=Polri,C=ID"
FAILED = {"error": "invalid_client", "error_description": "Client authentication failed."}


async def passed(site: Site, certificate: Issued, client_id: str) -> httpx.Response:
    """Ask as the proxy would for a caller with this certificate."""
    headers = {"Client-Cert": certificate.field}
    if certificate.chain:
        headers["Client-Cert-Chain"] = certificate.chain_field
    async with site.as_proxy() as http:
        return await ask(http, client_id, headers=headers)


@pytest.fixture(params=["own_tls", "behind_proxy"])
def site(request) -> Site:
    """Both ways a certificate takes."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize(
    ("kind", "value", "subject", "names"),
    [
        ("subject_dn", SUBJECT, SUBJECT, {}),
        ("subject_dn", "2.5.4.3=rs-bhayangkara,O=Polri,C=ID", SUBJECT, {"dns": "rs.example"}),
        ("subject_dn", "CN=a+UID=7,O=Polri\\, Ambon", "UID=7+CN=a,O=Polri\\, Ambon", {}),
        ("san_dns", "RS.example.go.id", SUBJECT, {"dns": "rs.example.go.id"}),
        ("san_uri", "urn:rujukan:rs", SUBJECT, {"uri": "urn:rujukan:rs", "dns": "other.example"}),
        ("san_ip", "2001:DB8::1", SUBJECT, {"ip": "2001:db8::1"}),
        ("san_ip", "10.1.2.3", SUBJECT, {"ip": "10.1.2.3"}),
        ("san_email", "System@RS.example", SUBJECT, {"email": "System@rs.example"}),
    ],
)
async def test_the_registered_name_lets_in(own_tls, kind, value, subject, names):
    client_id = await own_tls.register(auth_method="tls_client_auth", tls_name=(kind, value))
    async with own_tls.http(own_tls.ca.issue(subject, names=san(**names))) as http:
        reply = await ask(http, client_id)
        assert (reply.status_code, reply.json()["token_type"]) == (200, "Bearer")
        assert (await me(http, reply.json()["access_token"])).json()["client_id"] == client_id


@pytest.mark.parametrize(
    ("kind", "value", "subject", "names"),
    [
        ("subject_dn", SUBJECT, "CN=rs-bhayangkara,O=Polri", {}),
        ("subject_dn", SUBJECT, "CN=RS-Bhayangkara,O=Polri,C=ID", {}),
        ("subject_dn", SUBJECT, "C=ID,O=Polri,CN=rs-bhayangkara", {}),
        ("subject_dn", SUBJECT, "CN=rs-bhayangkara+O=Polri,C=ID", {}),
        ("subject_dn", "CN=rs.example", "", {"dns": "rs.example"}),
        ("san_dns", "rs.example", "CN=rs.example", {}),
        ("san_dns", "rs.example", "CN=x", {"dns": "*.example"}),
        ("san_dns", "rs.example", "CN=x", {"dns": "rs.example.evil.example"}),
        ("san_dns", "rs.example", "CN=x", {"uri": "rs.example:x"}),
        ("san_uri", "urn:rujukan:rs", "CN=x", {"uri": "urn:rujukan:RS"}),
        ("san_ip", "10.1.2.3", "CN=x", {"ip": "10.1.2.4"}),
        ("san_ip", "10.1.2.3", "CN=x", {"dns": "10.1.2.3"}),
        ("san_email", "system@rs.example", "CN=x", {"email": "System@rs.example"}),
    ],
)
async def test_another_name_does_not(own_tls, kind, value, subject, names):
    client_id = await own_tls.register(auth_method="tls_client_auth", tls_name=(kind, value))
    async with own_tls.http(own_tls.ca.issue(subject, names=san(**names))) as http:
        reply = await ask(http, client_id)
    assert (reply.status_code, reply.json()) == (401, FAILED)


class TestTheAuthority:
    async def test_the_right_subject_from_another_is_refused_by_the_handshake(self, own_tls):
        client_id = await own_tls.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        other = Authority.make(own_tls.ca.issued.certificate.subject.rfc4514_string())  # by the same name
        async with own_tls.http(other.issue(SUBJECT)) as http:
            with pytest.raises((httpx.TransportError, ssl.SSLError)):
                await ask(http, client_id)

    async def test_the_right_subject_from_another_is_refused_behind_a_proxy(self, behind_proxy):
        client_id = await behind_proxy.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        other = Authority.make(behind_proxy.ca.issued.certificate.subject.rfc4514_string())
        for certificate in (other.issue(SUBJECT), self_signed(SUBJECT)):
            async with behind_proxy.http(certificate) as http:
                assert (await ask(http, client_id)).json() == FAILED

    async def test_one_below_it_counts_if_the_chain_comes_with_it(self, site):
        client_id = await site.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        below = site.ca.below("CN=Below,C=ID")
        async with site.http(below.issue(SUBJECT)) as http:
            assert (await ask(http, client_id)).status_code == 200

    async def test_a_chain_that_is_missing_or_too_long_is_refused(self, behind_proxy):
        client_id = await behind_proxy.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        below = behind_proxy.ca.below("CN=Below,C=ID")
        beyond = below.below("CN=Below that,C=ID")  # its authority may have none below it
        leaf, far = below.issue(SUBJECT), beyond.issue(SUBJECT)
        assert (await passed(behind_proxy, leaf, client_id)).status_code == 200
        assert (await passed(behind_proxy, replace(leaf, chain=()), client_id)).json() == FAILED
        far = replace(far, chain=(*far.chain, *below.issued.chain))
        assert (await passed(behind_proxy, far, client_id)).json() == FAILED

    async def test_a_clients_certificate_is_no_authority(self, behind_proxy):
        client_id = await behind_proxy.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        somebody = behind_proxy.ca.issue("CN=somebody")
        leaf = replace(Authority(somebody).issue(SUBJECT), chain=(somebody.certificate,))
        assert (await passed(behind_proxy, leaf, client_id)).json() == FAILED


class TestTheCertificate:
    @pytest.mark.parametrize(
        ("values", "says"),
        [
            ({"days": (-90, -1)}, "The client certificate has expired."),
            ({"days": (1, 90)}, "The client certificate is not valid yet."),
            (
                {"purposes": SERVER},
                "The client certificate is not for client authentication (key usage, extended key usage).",
            ),
            (
                {"signs": False},
                "The client certificate is not for client authentication (key usage, extended key usage).",
            ),
            (
                {"key": "weak"},
                "The key of the client certificate must be P-256, P-384, P-521, Ed25519, or RSA of 2048 to 4096 bits.",
            ),
        ],
    )
    async def test_what_is_wrong_with_any_is_said(self, behind_proxy, values, says):
        client_id = await behind_proxy.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        if values.get("key"):
            values = {"key": weak_key()}
        certificate = behind_proxy.ca.issue(SUBJECT, **values)  # OpenSSL itself would refuse some
        for who in (client_id, "client-of-nobody"):
            reply = await passed(behind_proxy, certificate, who)
            assert (reply.status_code, reply.json()) == (401, {"error": "invalid_client", "error_description": says})

    @pytest.mark.parametrize("values", [{"days": (-90, -1)}, {"purposes": SERVER}])
    async def test_our_own_handshake_refuses_it_at_once(self, own_tls, values):
        async with own_tls.http(own_tls.ca.issue(SUBJECT, **values)) as http:
            with pytest.raises((httpx.TransportError, ssl.SSLError)):
                await ask(http, "client-of-nobody")

    @pytest.mark.parametrize("purposes", [(), CLIENT, (*SERVER, *CLIENT)])
    @pytest.mark.parametrize(
        "key", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()], ids=["P-384", "Ed25519"]
    )
    async def test_what_is_right_is_taken(self, own_tls, purposes, key):
        client_id = await own_tls.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        async with own_tls.http(own_tls.ca.issue(SUBJECT, purposes=purposes, key=key)) as http:
            assert (await ask(http, client_id)).status_code == 200

    async def test_one_that_expires_on_an_open_connection_counts_no_more(self, own_tls, exchange):
        client_id = await own_tls.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        async with own_tls.http(own_tls.ca.issue(SUBJECT, days=(-1, 2))) as http:
            assert (await ask(http, client_id)).status_code == 200
            exchange.clock.shift(timedelta(days=3))
            reply = await ask(http, client_id)
        assert reply.json()["error_description"] == "The client certificate has expired."

    async def test_a_renewed_one_with_the_same_name_works_by_itself(self, own_tls):
        client_id = await own_tls.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        for _ in range(2):
            async with own_tls.http(own_tls.ca.issue(SUBJECT)) as http:
                assert (await ask(http, client_id)).status_code == 200


class TestOneWay:
    """§2: the registered method and no other; RFC 6749 §2.3: not two at once."""

    async def test_a_client_id_is_needed(self, site):
        async with site.http(site.ca.issue(SUBJECT)) as http:
            reply = await ask(http, None)
        assert reply.status_code == 401
        assert reply.json()["error_description"] == "client_id is required beside a client certificate."

    async def test_a_certificate_is_needed(self, site):
        client_id = await site.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        async with site.http() as http:
            reply = await ask(http, client_id)
        assert reply.status_code == 401
        assert reply.json()["error_description"].endswith("there is neither.")

    async def test_unknown_suspended_and_otherwise_registered_clients_get_the_same_answer(self, site):
        suspended = await site.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        await suspend_client(site.conn, suspended, now=site.clock.now(), actor="test")
        await site.refresh()
        async with site.http(site.ca.issue(SUBJECT)) as http:
            signs = (await site.party(http)).client_id
            for client_id in ("client-of-nobody", suspended, signs):
                reply = await ask(http, client_id)
                assert (reply.status_code, reply.json()) == (401, FAILED)

    async def test_a_client_with_a_certificate_cannot_sign_instead(self, site):
        async with site.http(site.ca.issue(SUBJECT)) as http:
            signer = await site.party(http)
            client_id = await site.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
            assertion = signer.assertion(iss=client_id, sub=client_id)
            reply = await signer.ask(client_id=client_id, client_assertion=assertion)
            assert (reply.status_code, reply.json()) == (401, FAILED)

    async def test_a_client_that_signs_may_present_a_certificate_nobody_asked_for(self, site):
        async with site.http(site.ca.issue(SUBJECT)) as http:
            signer = await site.party(http)
            reply = await signer.ask()
            assert (reply.status_code, reply.json()["token_type"]) == (200, "DPoP")

    async def test_a_secret_beside_the_certificate_is_a_second_way(self, site):
        client_id = await site.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        async with site.http(site.ca.issue(SUBJECT)) as http:
            reply = await ask(http, client_id, client_secret="s3cret")
            assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")
            reply = await http.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=("a", "b"))
            assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")

    async def test_no_assertion_is_not_the_way_round_a_missing_one(self, own_tls):
        async with own_tls.http(own_tls.ca.issue(SUBJECT)) as http:
            signer = await own_tls.party(http)
            reply = await signer.ask(client_assertion_type=ABSENT)
        assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")


async def test_the_token_says_whose_certificate_it_is_bound_to_and_names_no_key(own_tls):
    client_id = await own_tls.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
    async with own_tls.http(own_tls.ca.issue(SUBJECT)) as http:
        claims = jose.parse(await token_of(http, client_id), {"at+jwt"}).claims
    assert (claims["client_id"], set(claims["cnf"])) == (client_id, {"x5t#S256"})
    assert "client_kid" not in claims

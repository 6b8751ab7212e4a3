"""RFC 8705 §2.1.1, §3.3, §3.4 and §5: what the metadata says of mutual TLS, and only where it is switched on."""

from __future__ import annotations

import ssl
import warnings

import httpx
import pytest

from app.client import CertificateFiles, Credentials, ExchangeClient
from app.foundation.settings import Settings
from auth.admin.client_keys import certificate_jwk
from auth.client_auth import mtls
from auth.metadata import authorization_server, protected_resource
from tests.makers.certificates import self_signed
from tests.makers.tls import Site, ask

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports a module of its own that it deprecates
    from authlib.integrations.httpx_client import AsyncOAuth2Client

SUBJECT = "CN=rs-bhayangkara,O=Polri,C=ID"


async def told(site, what: str) -> dict:
    async with site.http() as http:
        return (await http.get(f"/.well-known/{what}")).json()


async def test_on_our_own_tls(own_tls):
    metadata = await told(own_tls, "oauth-authorization-server")
    assert metadata["token_endpoint_auth_methods_supported"] == ["private_key_jwt", "tls_client_auth"]
    assert metadata["tls_client_certificate_bound_access_tokens"] is True
    assert metadata["mtls_endpoint_aliases"]["token_endpoint"] == f"{own_tls.url}/oauth2/token"


async def test_behind_a_proxy(behind_proxy):
    metadata = await told(behind_proxy, "oauth-authorization-server")
    methods = ["private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"]
    assert metadata["token_endpoint_auth_methods_supported"] == methods


@pytest.fixture(params=["own_tls", "behind_proxy"])
def site(request) -> Site:
    """Both ways a certificate takes."""
    return request.getfixturevalue(request.param)


WAYS = ("private_key_jwt", mtls.TLS_CLIENT_AUTH, mtls.SELF_SIGNED)


async def by(site: Site, method: str, endpoint: str, path: str) -> tuple[int, str | None]:
    """Register a client for a method, and use one of the endpoints by it; returns status and error."""
    if method == "private_key_jwt":
        async with site.http() as http:
            signer = await site.party(http)
            needed = {"token": "x"} if endpoint != "token_endpoint" else {}
            reply = await http.post(
                path,
                data=signer.form(**needed),
                headers={} if needed else {"DPoP": signer.proof("POST", "/oauth2/token")},
            )
    else:
        pki = method == mtls.TLS_CLIENT_AUTH
        certificate = site.ca.issue(SUBJECT) if pki else self_signed()
        known = {"tls_name": ("subject_dn", SUBJECT)} if pki else {"jwks": {"keys": [certificate_jwk(certificate.pem)]}}
        client_id = await site.register(auth_method=method, **known)
        async with site.http(certificate) as http:
            reply = await ask(http, client_id, path=path, **({} if endpoint == "token_endpoint" else {"token": "x"}))
    return reply.status_code, reply.json().get("error")


@pytest.mark.parametrize("method", WAYS)
async def test_what_is_listed_works_at_every_endpoint_and_what_is_not_does_not(site, method):
    metadata = await told(site, "oauth-authorization-server")
    aliases = metadata["mtls_endpoint_aliases"]
    assert set(aliases) == {"token_endpoint", "introspection_endpoint", "revocation_endpoint"}
    for endpoint, address in aliases.items():
        listed = method in metadata[f"{endpoint}_auth_methods_supported"]
        try:
            outcome = await by(site, method, endpoint, address.removeprefix(site.url))
        except (httpx.TransportError, ssl.SSLError):
            outcome = (401, "refused by the handshake")
        assert outcome[0] == (200 if listed else 401), (endpoint, outcome)


async def test_the_resource_takes_what_looks_like_a_bearer_token(own_tls):
    metadata = await told(own_tls, "oauth-protected-resource")
    assert metadata["tls_client_certificate_bound_access_tokens"] is True
    assert metadata["bearer_methods_supported"] == ["header"]
    assert metadata["dpop_bound_access_tokens_required"] is False


def test_nothing_is_said_where_it_is_off():
    settings = Settings(public_url="https://rujukan.example")
    both = {**authorization_server(settings), **protected_resource(settings)}
    assert not [name for name in both if "tls" in name]
    assert both["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert both["dpop_bound_access_tokens_required"] is True


def test_without_authorities_there_are_registered_certificates_only():
    settings = Settings(public_url="https://rujukan.example", trusted_proxies="10.0.0.1")
    methods = authorization_server(settings)["token_endpoint_auth_methods_supported"]
    assert methods == ["private_key_jwt", "self_signed_tls_client_auth"]


def test_the_aliases_are_at_an_address_of_their_own_if_there_is_one():
    settings = Settings(
        public_url="https://rujukan.example", mtls_url="https://mtls.rujukan.example", trusted_proxies="10.0.0.1"
    )
    metadata = authorization_server(settings)
    endpoints = {name for name in metadata if name.endswith("_endpoint")} - {
        "registration_endpoint"
    }  # no client authenticates there
    assert set(metadata["mtls_endpoint_aliases"]) == endpoints
    assert metadata["mtls_endpoint_aliases"]["token_endpoint"] == "https://mtls.rujukan.example/oauth2/token"
    assert metadata["issuer"] == "https://rujukan.example"


class TestOurOwnClient:
    """`ExchangeClient`, which `rujukan api` speaks through."""

    def credentials(self, site, client_id, private_jwk=None):
        certificate, key = site.ca.issue(SUBJECT).write(site.folder, client_id)
        files = CertificateFiles(certificate, key, site.folder / "ca.crt")
        return Credentials(client_id, site.url, private_jwk, certificate=files)

    async def test_needs_nothing_but_a_certificate(self, own_tls):
        client_id = await own_tls.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        async with ExchangeClient(self.credentials(own_tls, client_id), clock=own_tls.clock) as client:
            assert (await client.get("/v1/me")).json()["client_id"] == client_id
            assert await client.authorization("GET", "/v1/me") == {
                "Authorization": f"Bearer {(await client.token())[0]}"
            }
            with pytest.raises(ValueError, match="has no key to sign with"):
                client.assertion()

    async def test_signs_too_if_it_has_a_key(self, own_tls):
        async with own_tls.http() as http:
            signer = await own_tls.party(http, certificate_bound=True)
        credentials = self.credentials(own_tls, signer.client_id, signer.credentials.private_jwk)
        async with ExchangeClient(credentials, clock=own_tls.clock) as client:
            assert (await client.get("/v1/me")).json()["client_id"] == signer.client_id


async def test_authlibs_client_goes_all_the_way_with_nothing_but_a_certificate(own_tls):
    client_id = await own_tls.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
    metadata = await told(own_tls, "oauth-authorization-server")
    context = ssl.create_default_context(cadata=own_tls.ca.issued.pem.decode())
    own_tls.ca.issue(SUBJECT).into(context, own_tls.folder)
    async with AsyncOAuth2Client(
        client_id, token_endpoint_auth_method="none", verify=context, trust_env=False
    ) as client:
        await client.fetch_token(
            metadata["mtls_endpoint_aliases"]["token_endpoint"], grant_type="client_credentials", scope="cases.read"
        )
        reply = await client.get(f"{own_tls.url}/v1/me")
    assert (reply.status_code, reply.json()["client_id"]) == (200, client_id)

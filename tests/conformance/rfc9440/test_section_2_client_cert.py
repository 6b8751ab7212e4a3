"""RFC 9440 §2 and §4: `Client-Cert` is read from a trusted proxy, in the one form it has, and from nobody else."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable

import httpx
import pytest

from app.foundation.settings import Settings
from auth.client_certificates import CLIENT_CERT, ClientCertificateNotTaken, ClientCertificates, read_fields
from tests.makers.certificates import Authority, self_signed
from tests.makers.tls import PROXY, Site, ask, me, token_of

SUBJECT = "CN=rs-bhayangkara,O=Polri,C=ID"
UNTRUSTED = "The client certificate is not taken this way (untrusted)."
MALFORMED = "The client certificate is not taken this way (malformed)."
CERTIFICATE = self_signed()


@pytest.fixture
async def client_id(behind_proxy) -> str:
    return await behind_proxy.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))


class TestFromTheProxy:
    async def test_it_is_believed(self, behind_proxy, client_id):
        certificate = behind_proxy.ca.issue(SUBJECT)
        async with behind_proxy.as_proxy() as http:
            http.headers["Client-Cert"] = certificate.field
            assert (await me(http, await token_of(http, client_id))).status_code == 200

    @pytest.mark.parametrize("name", ["Client-Cert", "CLIENT-CERT", "client-cert", "Client-cert"])
    async def test_what_a_caller_sends_itself_is_stripped(self, behind_proxy, client_id, name):
        stolen = behind_proxy.ca.issue(SUBJECT)
        async with behind_proxy.http() as http:
            reply = await ask(http, client_id, headers={name: stolen.field})
            assert reply.json()["error_description"].endswith("there is neither.")
        async with behind_proxy.http(behind_proxy.ca.issue("CN=somebody")) as http:
            reply = await ask(http, client_id, headers={name: stolen.field})
            assert reply.json()["error_description"] == "Client authentication failed."

    async def test_a_name_that_only_looks_like_it_is_not_read(self, behind_proxy, client_id):
        async with behind_proxy.http() as http:
            headers = {"Client_Cert": behind_proxy.ca.issue(SUBJECT).field, "X-Client-Cert": CERTIFICATE.field}
            assert (await ask(http, client_id, headers=headers)).json()["error"] == "invalid_client"

    async def test_two_are_refused(self, behind_proxy, client_id):
        one = behind_proxy.ca.issue(SUBJECT).field
        async with behind_proxy.as_proxy() as http:
            headers = [
                ("Client-Cert", one),
                ("client-cert", one),
                ("Content-Type", "application/x-www-form-urlencoded"),
            ]
            body = f"grant_type=client_credentials&client_id={client_id}"
            reply = await http.post("/oauth2/token", content=body, headers=headers)
        assert (reply.status_code, reply.json()) == (400, {"error": "invalid_request", "error_description": MALFORMED})

    async def test_a_folded_one_is_refused(self, behind_proxy, client_id):
        """RFC 9112 §5.2: obsolete line folding."""
        half = len(field := behind_proxy.ca.issue(SUBJECT).field) // 2
        answer = await raw(behind_proxy, client_id, f"Client-Cert: {field[:half]}\r\n {field[half:]}")
        assert b"400 Bad Request" in answer

    @pytest.mark.parametrize(
        "change",
        [
            lambda one: "",
            lambda one: "::",
            lambda one: one.strip(":"),
            lambda one: f"{one}, {one}",
            lambda one: f"{one};a=1",
            lambda one: f'"{one}"',
            lambda one: one[:-9] + ":",
            lambda one: one.replace("/", "_").replace("+", "-") + "=",
            lambda one: ":" + b64encode(b"no certificate").decode() + ":",
            lambda one: ":" + b64encode(b"\x30\x82\xff\xff" + b"x" * 20_000).decode() + ":",
            lambda one: ":" + b64encode(CERTIFICATE.der + b"\0").decode() + ":",
            lambda one: ":" + b64encode(CERTIFICATE.pem).decode() + ":",
        ],
    )
    async def test_another_form_is_refused(self, behind_proxy, change: Callable[[str], str]):
        async with behind_proxy.as_proxy() as http:
            reply = await http.get("/v1/me", headers={"Client-Cert": change(CERTIFICATE.field)})
        assert (reply.status_code, reply.json()["reason"]) == (400, "malformed")

    async def test_a_chain_without_it_or_of_something_else_is_refused(self, behind_proxy):
        async with behind_proxy.as_proxy() as http:
            for headers in (
                {"Client-Cert-Chain": CERTIFICATE.field},
                {"Client-Cert": CERTIFICATE.field, "Client-Cert-Chain": f"{CERTIFICATE.field},,"},
                {"Client-Cert": CERTIFICATE.field, "Client-Cert-Chain": ", ".join([CERTIFICATE.field] * 9)},
            ):
                assert (await http.get("/v1/me", headers=headers)).json()["reason"] == "malformed"

    def test_a_chain_may_come_in_several_fields(self):
        """§2.3: a list, whose members may be spread (RFC 9110 §5.3)."""
        below = Authority.make().below("CN=Below")
        leaf, chain = below.issue(), below.issued.field.encode()
        assert len(read_fields([leaf.field.encode()], [chain + b" , " + chain, chain]).chain) == 3


class TestFromAnybodyElse:
    @pytest.mark.parametrize("name", ["Client-Cert", "CLIENT-CERT", "Client-Cert-Chain"])
    @pytest.mark.parametrize("forwarded", [{}, {"X-Forwarded-For": PROXY}, {"Forwarded": f"for={PROXY}"}])
    async def test_it_is_refused(self, behind_proxy, client_id, name, forwarded):
        headers = {name: behind_proxy.ca.issue(SUBJECT).field, **forwarded}
        async with httpx.AsyncClient(base_url=behind_proxy.direct) as http:
            reply = await ask(http, client_id, headers=headers)
            assert (reply.status_code, reply.json()) == (
                400,
                {"error": "invalid_request", "error_description": UNTRUSTED},
            )
            reply = await http.get("/v1/me", headers=headers)
            assert (reply.status_code, reply.json()["type"]) == (400, "/problems/client-certificate-not-taken")
            assert reply.headers["Content-Type"] == "application/problem+json"

    async def test_it_is_refused_on_our_own_tls_beside_a_certificate_too(self, own_tls):
        client_id = await own_tls.register(auth_method="tls_client_auth", tls_name=("subject_dn", SUBJECT))
        async with own_tls.http(own_tls.ca.issue("CN=somebody")) as http:
            reply = await ask(http, client_id, headers={"Client-Cert": own_tls.ca.issue(SUBJECT).field})
        assert reply.json() == {"error": "invalid_request", "error_description": UNTRUSTED}

    async def test_where_mutual_tls_is_off_nobody_looks(self, exchange):
        reply = await exchange.http.get("/healthz", headers={"Client-Cert": "x"})
        assert reply.status_code == 200

    async def test_who_sends_none_is_served(self, behind_proxy):
        async with httpx.AsyncClient(base_url=behind_proxy.direct) as http:
            assert (await http.get("/healthz")).status_code == 200


class TestWhoIsTrusted:
    @pytest.mark.parametrize(
        ("proxies", "peer", "trusted"),
        [
            ("10.0.0.1", "10.0.0.1", True),
            ("10.0.0.1", "10.0.0.2", False),
            ("10.0.0.0/24, fd00::/64", "fd00::7", True),
            ("10.0.0.0/24,fd00::/64", "fd01::7", False),
            ("10.0.0.0/24", "::ffff:10.0.0.9", True),
            ("10.0.0.0/24", "::10.0.0.9", False),
            ("10.0.0.0/24", "unknown", False),
            ("10.0.0.0/24", None, False),
        ],
    )
    async def test_is_told_by_the_peers_address(self, proxies, peer, trusted):
        assert await seen(Settings(trusted_proxies=proxies), peer and (peer, 1)) is trusted

    async def test_a_peer_without_an_address_is_so_on_a_unix_socket_alone(self, tmp_path):
        assert await seen(Settings(socket=tmp_path / "s", trusted_proxies="unix"), None)
        assert not await seen(Settings(socket=tmp_path / "s", trusted_proxies="10.0.0.1"), None)

    async def test_what_is_inside_sees_the_certificate_and_not_the_fields(self):
        scope: dict = {"headers": [(CLIENT_CERT, CERTIFICATE.field.encode()), (b"a", b"b")]}
        assert await seen(Settings(trusted_proxies="10.0.0.1"), ("10.0.0.1", 1), scope)
        assert scope["headers"] == [(b"a", b"b")]


async def seen(settings: Settings, client: tuple[str, int] | None, scope: dict | None = None) -> bool:
    """Whether a certificate passed by this peer reaches what is inside."""
    reached = []

    async def inside(scope, receive, send):
        reached.append(scope["rujukan.certificate"])

    async def nothing(*_):
        return {"type": "http.disconnect"}

    scope = {} if scope is None else scope
    headers = [(CLIENT_CERT, CERTIFICATE.field.encode())]
    scope |= {"type": "http", "path": "/v1/me", "client": client, "headers": scope.get("headers", headers)}
    await ClientCertificates(inside, settings)(scope, nothing, nothing)
    return [each.leaf for each in reached] == [CERTIFICATE.certificate]


def test_nothing_a_caller_sent_is_repeated():
    with pytest.raises(ClientCertificateNotTaken) as refused:
        read_fields([b":canary4711:"], [])
    assert "canary" not in str(refused.value.members)


async def raw(site: Site, client_id: str, line: str) -> bytes:
    """Send bytes as no client library would, from where the proxy is."""
    body = f"grant_type=client_credentials&client_id={client_id}"
    head = (
        f"POST /oauth2/token HTTP/1.1\r\nHost: x\r\n{line}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", int(site.direct.rpartition(":")[2]), local_addr=(PROXY, 0)
    )
    writer.write((head + body).encode())
    answer = await reader.read()
    writer.close()
    return answer

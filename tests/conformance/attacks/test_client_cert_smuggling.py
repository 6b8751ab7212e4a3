"""RFC 9440 §4, RFC 9112 §11.2, RFC 9110 §7.6.1: nobody but the proxy says which certificate a request came with, whatever tricks its bytes play.

Raw bytes, from where anybody is and from where the proxy is. What the proxy passes on unread is the attacker's to choose, so a request
that could be read in two ways must not be read at all.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.makers.tls import PROXY, Site, ask, token_of

VICTIM = "CN=rs-bhayangkara,O=Polri,C=ID"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def victim(behind_proxy: Site) -> str:
    return await behind_proxy.register(auth_method="tls_client_auth", tls_name=("subject_dn", VICTIM))


async def raw(site: Site, data: bytes, *, whence: str) -> bytes:
    port = int(site.direct.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(whence, 0))
    try:
        async with asyncio.timeout(10):
            writer.write(data)
            await writer.drain()
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def token_request(client_id: str, *lines: str, end: str = "Connection: close") -> bytes:
    body = f"grant_type=client_credentials&client_id={client_id}"
    head = ["POST /oauth2/token HTTP/1.1", "Host: x", *lines, f"Content-Type: {FORM}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, *([end] if end else []), "", body]).encode("latin-1")


NAMES = ["Client-Cert", "client-cert", "CLIENT-CERT", "cLiEnT-cErT"]
LOOK_ALIKES = [
    "Client_Cert",
    "client_cert",
    "Client.Cert",
    "X-Client-Cert",
    "HTTP_CLIENT_CERT",
    "SSL_CLIENT_CERT",
    "X-SSL-Client-Cert",
    "X-Forwarded-Client-Cert",
    "X-ARR-ClientCert",
    "Client-Certificate",
    "Client-Cert\u00ad",
]


@pytest.mark.parametrize("name", NAMES)
async def test_from_anybody_it_is_refused_in_every_case(behind_proxy: Site, victim: str, name: str):
    field = behind_proxy.ca.issue(VICTIM).field
    answer = await raw(behind_proxy, token_request(victim, f"{name}: {field}"), whence="127.0.0.1")
    assert b"400 Bad Request" in answer
    assert b"access_token" not in answer


@pytest.mark.parametrize("name", LOOK_ALIKES)
@pytest.mark.parametrize("whence", ["127.0.0.1", PROXY])
async def test_a_name_that_other_software_takes_for_it_is_not_read(
    behind_proxy: Site, victim: str, name: str, whence: str
):
    """CVE-2005-2090's kin: CGI and WSGI write `-` and `_` alike, so a proxy strips one and the service reads the other. Not from the proxy either."""
    field = behind_proxy.ca.issue(VICTIM).field
    answer = await raw(behind_proxy, token_request(victim, f"{name}: {field}"), whence=whence)
    assert b"access_token" not in answer
    assert answer.startswith((b"HTTP/1.1 401", b"HTTP/1.1 400"))


@pytest.mark.parametrize(
    "line",
    [
        "Client-Cert : {}",
        "Client-Cert\t: {}",
        " Client-Cert: {}",
        "X-A: b\r\n Client-Cert: {}",
        "X-A: b\nClient-Cert: {}",
        "X-A: b\rClient-Cert: {}",
        "Client-Cert: x\r\n\t{}",
        "Client\x00-Cert: {}",
        "X-A: \x00\r\nClient-Cert: {}",
        ": x\r\nClient-Cert: {}",
    ],
    ids=ascii,
)
async def test_from_anybody_no_way_of_writing_it_gets_a_token(behind_proxy: Site, victim: str, line: str):
    """RFC 9112 §5.1 and §5.2: spaces before the colon, obsolete folding, bare line ends."""
    field = behind_proxy.ca.issue(VICTIM).field
    answer = await raw(behind_proxy, token_request(victim, line.format(field)), whence="127.0.0.1")
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401")) or not answer
    assert b"access_token" not in answer


async def test_two_from_the_proxy_are_refused_whichever_is_first(behind_proxy: Site, victim: str):
    """A proxy that adds its own beside the caller's, instead of replacing it."""
    stolen, own = behind_proxy.ca.issue(VICTIM).field, behind_proxy.ca.issue("CN=somebody").field
    for first, second in ((stolen, own), (own, stolen)):
        sent = token_request(victim, f"Client-Cert: {first}", f"client-cert: {second}")
        answer = await raw(behind_proxy, sent, whence=PROXY)
        assert answer.startswith(b"HTTP/1.1 400")


async def test_a_hop_by_hop_name_takes_the_certificate_away_and_gives_no_other(behind_proxy: Site, victim: str):
    """RFC 9110 §7.6.1: `Connection: client-cert` may make a proxy drop the very field it has set. Then there is none, and no way in."""
    async with behind_proxy.http(behind_proxy.ca.issue("CN=somebody")) as http:
        headers = {"Connection": "close, client-cert", "Client-Cert": behind_proxy.ca.issue(VICTIM).field}
        reply = await ask(http, victim, headers=headers)
        assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")
    answer = await raw(behind_proxy, token_request(victim, end="Connection: close, client-cert"), whence=PROXY)
    assert answer.startswith(b"HTTP/1.1 401")


BEFORE = "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: {form}\r\n{framing}\r\n\r\n{start}"
FRAMINGS = {
    "a length and chunks": ("Content-Length: {whole}\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
    "chunks and a length": ("Transfer-Encoding: chunked\r\nContent-Length: {whole}", "0\r\n\r\n"),
    "two lengths": ("Content-Length: 0\r\nContent-Length: {whole}", ""),
    "a list of lengths": ("Content-Length: 0, {whole}", ""),
    "a length with a sign": ("Content-Length: +{whole}", ""),
    "a length in hex": ("Content-Length: 0x0", ""),
    "chunked, hidden by a space": ("Transfer-Encoding : chunked\r\nContent-Length: {whole}", "0\r\n\r\n"),
    "chunked, hidden by a tab": ("Transfer-Encoding:\tchunked\r\nContent-Length: {whole}", "0\r\n\r\n"),
    "chunked twice": ("Transfer-Encoding: chunked, chunked\r\nContent-Length: {whole}", "0\r\n\r\n"),
    "xchunked": ("Transfer-Encoding: xchunked\r\nContent-Length: {whole}", "0\r\n\r\n"),
    "chunked and identity": (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: {whole}",
        "0\r\n\r\n",
    ),
    "chunked in quotes": ('Transfer-Encoding: "chunked"\r\nContent-Length: {whole}', "0\r\n\r\n"),
    "chunked, folded": ("Transfer-Encoding:\r\n chunked\r\nContent-Length: {whole}", "0\r\n\r\n"),
    "chunked behind a bare line feed": ("X: y\nTransfer-Encoding: chunked\r\nContent-Length: {whole}", "0\r\n\r\n"),
}


@pytest.mark.parametrize("name", FRAMINGS)
async def test_a_request_hidden_in_anothers_body_is_never_read_as_one(behind_proxy: Site, victim: str, name: str):
    """RFC 9112 §11.2, CVE-2019-16785 and many more: an attacker's body holds a whole request with the victim's certificate. A proxy that
    counts the body differently passes it on in one piece; the service must not take its rest for the proxy's next request."""
    hidden = token_request(victim, f"Client-Cert: {behind_proxy.ca.issue(VICTIM).field}").decode()
    framing, start = FRAMINGS[name]
    whole = len(start) + len(hidden)
    sent = BEFORE.format(form=FORM, framing=framing.format(whole=whole), start=start) + hidden
    answer = await raw(behind_proxy, sent.encode("latin-1"), whence=PROXY)
    assert b"access_token" not in answer, answer
    assert answer.count(b"HTTP/1.1 ") <= 1


async def test_what_is_hidden_would_work_if_it_were_read(behind_proxy: Site, victim: str):
    """So that the test before can fail: the same bytes as a request of their own are answered."""
    hidden = token_request(victim, f"Client-Cert: {behind_proxy.ca.issue(VICTIM).field}")
    assert b"access_token" in await raw(behind_proxy, hidden, whence=PROXY)


async def test_a_certificate_of_one_request_is_not_the_next_ones(behind_proxy: Site, victim: str):
    """RFC 9440 §4: connections from the proxy are shared by all its callers."""
    async with behind_proxy.as_proxy() as http:
        field = {"Client-Cert": behind_proxy.ca.issue(VICTIM).field}
        token = await token_of(http, victim, headers=field)
        assert (await http.get("/v1/me", headers={"Authorization": f"Bearer {token}", **field})).status_code == 200
        without = await http.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert (without.status_code, without.json()["reason"]) == (401, "certificate")
        assert (await ask(http, victim)).status_code == 401

"""FAPI 2.0 Security Profile §5.2.1 and §5.2.2: where TLS ends in the service, only TLS 1.2 with the suites of BCP 195, and TLS 1.3."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from urllib.parse import urlsplit

import pytest

from tests.makers.tls import Site


async def handshake(site: Site, *, newest: ssl.TLSVersion, ciphers: str | None = None) -> tuple[str, str]:
    """What is agreed on: the version and the suite."""
    context = ssl.create_default_context(cadata=site.ca.issued.pem.decode())
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = newest
    if ciphers is not None:
        context.set_ciphers(ciphers)
    port = urlsplit(site.url).port
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    agreed = writer.get_extra_info("ssl_object")
    found = agreed.version(), agreed.cipher()[0]
    writer.transport.abort()
    return found


async def test_the_newest_is_agreed_on(own_tls: Site):
    assert (await handshake(own_tls, newest=ssl.TLSVersion.TLSv1_3))[0] == "TLSv1.3"


async def test_tls_1_2_has_forward_secrecy_and_authenticated_encryption(own_tls: Site):
    version, suite = await handshake(own_tls, newest=ssl.TLSVersion.TLSv1_2)
    assert (version, suite.startswith("ECDHE-")) == ("TLSv1.2", True)
    assert "GCM" in suite or "CHACHA20" in suite


@pytest.mark.parametrize(
    "ciphers", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"]
)
async def test_other_suites_are_refused(own_tls: Site, ciphers: str):
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        await handshake(own_tls, newest=ssl.TLSVersion.TLSv1_2, ciphers=ciphers)


async def test_older_versions_are_refused(own_tls: Site):
    """RFC 8996. A client that would take anything gets in by TLS 1.2, and not without it: nothing else differs."""
    anything = "ALL:@SECLEVEL=0"
    assert (await handshake(own_tls, newest=ssl.TLSVersion.TLSv1_2, ciphers=anything))[0] == "TLSv1.2"
    with warnings.catch_warnings(action="ignore"), pytest.raises((ssl.SSLError, ConnectionResetError)):
        await handshake(own_tls, newest=ssl.TLSVersion.TLSv1_1, ciphers=anything)

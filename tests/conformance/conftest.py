"""Each folder is an RFC or profile, each file one of its sections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.foundation.database import Addresses
from tests.makers import tls
from tests.makers.auth_server import party, server, world
from tests.makers.tls import Site

__all__ = ["party", "server", "world"]


@pytest.fixture(scope="session")
async def _own_tls(
    exchange: Any, addresses: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    async with tls.own_tls(exchange, addresses, tmp_path_factory.mktemp("own-tls")) as site:
        yield site


@pytest.fixture
def own_tls(exchange: Any, _own_tls: Site) -> Site:
    """The service where it ends TLS itself."""
    return _own_tls


@pytest.fixture(scope="session")
async def _behind_proxy(
    exchange: Any, addresses: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    async with tls.behind_proxy(exchange, addresses, tmp_path_factory.mktemp("proxy")) as site:
        yield site


@pytest.fixture
def behind_proxy(exchange: Any, _behind_proxy: Site) -> Site:
    """The service behind a proxy that ends TLS."""
    return _behind_proxy

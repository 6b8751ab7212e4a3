"""A real browser, and the service on a port of this machine for it."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, Page, Request, async_playwright

from app.foundation.settings import Settings
from app.main import create_app
from app.serving import configure
from tests.contract.document import DOCUMENT

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 120_000
"""Milliseconds: nothing is measured here, and the machine may be busy."""
NO_BROWSER = """no browser found, and these tests are worth nothing without one: `make test` gets one, or install Chromium
(`apt-get install chromium`, or `.venv/bin/playwright install chromium`) and put it on PATH or name it in RUJUKAN_CHROMIUM"""
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WATCH = """
document.addEventListener("securitypolicyviolation", event => console.error("CSP", event.violatedDirective, event.blockedURI));
"""


def find_browser() -> str:
    """The path of a Chromium. Fails the test if there is none."""
    found = os.environ.get("RUJUKAN_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail(NO_BROWSER, pytrace=False)
    return found


@dataclass
class Visit:
    """A page, and what went wrong or elsewhere while it was looked at."""

    page: Page
    origin: str
    wrong: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self.wrong.append(message.text) if message.type != "info" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("requestfailed", self._failed)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on(
            "response", lambda reply: self.wrong.append(f"{reply.url}: {reply.status}") if reply.status >= 400 else None
        )

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left before its icon had come
            self.wrong.append(f"{request.url}: {request.failure}")

    async def go(self, path: str) -> None:
        await self.page.goto(self.origin + path, wait_until="load")

    def went_well(self) -> None:
        """Nothing was complained of, and nothing came from elsewhere."""
        assert self.wrong == []
        assert self.asked
        assert [url for url in self.asked if not url.startswith((f"{self.origin}/", "data:"))] == []


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serves an application on a port of this machine."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = configure(app, grace=1)
    config.lifespan = "off"  # the service runs already
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listening]))  # who calls early waits in the socket's queue
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture
async def origin(exchange) -> AsyncIterator[str]:
    """Where the service is to be had."""
    async with served(exchange.app) as origin:
        yield origin


@pytest.fixture(scope="module")
async def bare_origin() -> AsyncIterator[str]:
    """Where what needs no database is to be had; the document is the committed one, which is made only to compare it."""
    app = create_app(Settings())
    app.openapi_schema = DOCUMENT
    async with served(app) as origin:
        yield origin


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    path = find_browser()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        await browser.close()


@asynccontextmanager
async def visiting(browser: Browser, origin: str) -> AsyncIterator[Visit]:
    page = await browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(PATIENCE)
    await page.add_init_script(WATCH)
    yield Visit(page, origin)
    await page.close()


@pytest.fixture
async def visit(browser: Browser, origin: str) -> AsyncIterator[Visit]:
    async with visiting(browser, origin) as visit:
        yield visit


@pytest.fixture(scope="module")
async def docs(browser: Browser, bare_origin: str) -> AsyncIterator[Visit]:
    """`/docs`, loaded once: each test looks for what it is about."""
    async with visiting(browser, bare_origin) as visit:
        await visit.go("/docs")
        yield visit

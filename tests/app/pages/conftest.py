"""A real browser, and the service on a port of this machine for it."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import uvicorn
from playwright.async_api import Browser, Page, Request, async_playwright

from app.serving import configure

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
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


@pytest.fixture
async def origin(exchange) -> AsyncIterator[str]:
    """Where the service is to be had."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = configure(exchange.app, grace=1)
    config.lifespan = "off"  # the service runs already
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listening]))  # who calls early waits in the socket's queue
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    path = find_browser()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        await browser.close()


@pytest.fixture
async def visit(browser: Browser, origin: str) -> AsyncIterator[Visit]:
    page = await browser.new_page(viewport={"width": 1200, "height": 900})
    await page.add_init_script(WATCH)
    yield Visit(page, origin)
    await page.close()

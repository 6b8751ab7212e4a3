"""Who there is, in memory: one immutable snapshot, read again when the epoch row has moved (of it only what is revoked, if only that has).

A process whose last look is older than a second asks the database before it answers, and lets its errors pass (they become
503): so a suspended client, agency or key is out within a second, everywhere.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Final
from uuid import UUID

import asyncpg

from app.foundation.clock import Clock
from app.foundation.database import UNREACHABLE
from app.foundation.keyring import Keyring
from auth import jose, keys, queries
from auth.address import Address
from auth.admin.client_lifecycle import PRACTISING
from auth.binding import dpop
from auth.jose import VerificationKey
from auth.scopes import ADMIN_SCOPES, EMERGENCY_SCOPES, Scope

log = logging.getLogger("rujukan.auth")
POLL_EVERY: Final = 0.3
FRESH_FOR: Final = 1.0
PATIENCE: Final = 2.0
"""Seconds that a look may take, and that a caller waits for one: a database that hangs must not gather callers."""


@dataclass(frozen=True, slots=True)
class AgencyEntry:
    """An agency as everything above knows it."""

    id: UUID
    code: str
    name: str
    kind: str
    region: str | None
    country: str
    parent_id: UUID | None
    status: str
    desk: bool = False
    """Whether it is the ministry's desk."""
    reviewer: bool = False
    """Whether it was made the reviewing agency; `Snapshot.reviewer` says who is it where none was."""
    tokens_not_before: datetime | None = None
    """No token issued before counts for it: it was shut out since."""
    sandbox: bool = False
    """Whether it is a practice agency, which knows only others like it."""

    @property
    def active(self) -> bool:
        """Whether it may act now."""
        return self.status == "active"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Something agencies have agreed, from when to when."""

    kind: str
    """`acts_for`: `other_id` records what the agency does. `times`: the agency's deadlines, by setting. `data_sharing`: the agency may
    send `other_id` these sections for these purposes."""
    agency_id: UUID
    other_id: UUID | None
    times: Mapping[str, timedelta]
    from_at: datetime
    until_at: datetime | None
    purposes: frozenset[str] = frozenset()
    sections: frozenset[str] = frozenset()
    both_ways: bool = False
    """Of `data_sharing`: whether `other_id` may send the same."""

    def counts(self, now: datetime) -> bool:
        """Whether it holds at `now`."""
        return self.from_at <= now and (self.until_at is None or now < self.until_at)


@dataclass(frozen=True, slots=True)
class ServicePointEntry:
    """A service point; a confidential one has no address."""

    id: UUID
    agency_id: UUID
    name: str
    confidential: bool
    region: str | None
    address: str | None
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClientKeyEntry:
    """A registered key and when it counts."""

    key: VerificationKey
    starts_at: datetime
    ends_at: datetime | None

    def counts(self, now: datetime) -> bool:
        """Whether the key may be used at `now`."""
        return self.starts_at <= now and (self.ends_at is None or now < self.ends_at)


@dataclass(frozen=True, slots=True)
class ClientEntry:
    """A client with all that decides what it may be given."""

    client_id: str
    name: str
    status: str
    scopes: frozenset[Scope]
    agency_ids: tuple[UUID, ...]
    keys: Mapping[str, ClientKeyEntry]
    auth_method: str = "private_key_jwt"
    certificate_bound: bool = False
    """Whether its access tokens are bound to its certificate (RFC 8705 §3.4) instead of a DPoP key."""
    tls_name: tuple[str, str] | None = None
    """Kind and name its certificate is known by (RFC 8705 §2.1.2)."""
    jwks_uri: str | None = None
    """Where it publishes its keys; those that were fetched are among `keys`."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """The only networks it may call from; none: any."""
    emergency_until: datetime | None = None
    """After an emergency rotation: until then with narrow scopes, from then on shut out."""
    tokens_not_before: datetime | None = None
    """No token issued before counts: the client was shut out since."""

    def may_sign_in(self, now: datetime) -> bool:
        """Whether it may authenticate at all."""
        return self.status in PRACTISING and (self.emergency_until is None or now < self.emergency_until)

    def may_speak_for(self, agency: AgencyEntry, now: datetime) -> bool:
        """Whether it may act for this agency: a practice agency before it is approved, a real one when it is active."""
        return (
            agency.active
            and agency.id in self.agency_ids
            and self.may_sign_in(now)
            and (agency.sandbox or self.status == "active")
        )

    def may_call_from(self, address: Address | None) -> bool:
        """Whether it may call from there; from where that is not known only if it may from everywhere."""
        return not self.networks or (address is not None and address.is_within(self.networks))

    @property
    def scopes_now(self) -> frozenset[Scope]:
        """What it may do now: what it is registered for, or what of it an emergency leaves; nothing administrative before it is active."""
        scopes = self.scopes if self.emergency_until is None else self.scopes & EMERGENCY_SCOPES
        return scopes if self.status == "active" else scopes - ADMIN_SCOPES

    def keys_at(self, now: datetime) -> list[VerificationKey]:
        """Return the keys that count at `now`."""
        return [entry.key for entry in self.keys.values() if entry.counts(now)]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of it as of one epoch; what is revoked may be newer."""

    epoch: int
    revocations: int
    agencies: Mapping[UUID, AgencyEntry]
    by_code: Mapping[str, AgencyEntry]
    agreements: tuple[Agreement, ...]
    service_points: Mapping[UUID, ServicePointEntry]
    clients: Mapping[str, ClientEntry]
    revoked: frozenset[str]
    signing: keys.Signing
    publishers: frozenset[str] = frozenset()
    """The clients that publish their keys."""

    @property
    def desk(self) -> AgencyEntry | None:
        """The ministry's desk, if there is one."""
        return next((agency for agency in self.agencies.values() if agency.desk), None)

    @property
    def reviewer(self) -> AgencyEntry | None:
        """The agency that reviews what was disclosed without consent: the one made so, else the ministry's desk."""
        return next((agency for agency in self.agencies.values() if agency.reviewer), self.desk)

    def may_act_for(self, acting: UUID, party: UUID, now: datetime) -> bool:
        """Whether `acting` may record now what `party` does."""
        return any(
            each.kind == "acts_for" and (each.agency_id, each.other_id) == (party, acting) and each.counts(now)
            for each in self.agreements
        )

    def sharing(self, sender: UUID, receiver: UUID, at: datetime) -> list[Agreement]:
        """Return the agreements, in force at `at` or before, by which `sender` may or might send `receiver` something.

        One that has ended opens nothing, yet goes on saying that the two have set bounds: ending one never opens anything.
        """
        return [
            each
            for each in self.agreements
            if each.kind == "data_sharing"
            and each.from_at <= at
            and (each.until_at is None or each.until_at > each.from_at)
            and (
                (each.agency_id, each.other_id) == (sender, receiver)
                or (each.both_ways and (each.agency_id, each.other_id) == (receiver, sender))
            )
        ]

    def known_to(self, knower: AgencyEntry, code: str) -> AgencyEntry | None:
        """Return the agency with this code, unless one of the two is a practice agency and the other is not."""
        found = self.by_code.get(code)
        return found if found is not None and found.sandbox == knower.sandbox else None

    def times(self, now: datetime) -> dict[UUID, Mapping[str, timedelta]]:
        """Return the deadlines of agencies that have their own, by setting."""
        return {each.agency_id: each.times for each in self.agreements if each.kind == "times" and each.counts(now)}


class Directory:
    """Keeps the present snapshot; `start` it before use and `stop` it after."""

    def __init__(self, pool: asyncpg.Pool, keyring: Keyring, clock: Clock) -> None:
        self._pool = pool
        self._keyring = keyring
        self._clock = clock
        self._snapshot: Snapshot | None = None
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read everything once and go on looking in the background."""
        await self._look()
        self._task = asyncio.create_task(self._poll(), name="auth directory")

    async def stop(self) -> None:
        """End the background task."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def current(self) -> Snapshot:
        """Return the present snapshot: at once if it is fresh, else after a look, whose errors pass to the caller."""
        if self._snapshot is not None and time.monotonic() - self._looked_at < FRESH_FOR:
            return self._snapshot
        async with asyncio.timeout(PATIENCE), self._looking:
            if self._snapshot is None or time.monotonic() - self._looked_at >= FRESH_FOR:
                await self._look()
            assert self._snapshot is not None, "a look that does not raise leaves a snapshot"
            return self._snapshot

    async def refresh(self) -> Snapshot:
        """Look now, whatever the age; for commands and tests that have just changed something."""
        async with self._looking:
            await self._look()
            assert self._snapshot is not None, "a look that does not raise leaves a snapshot"
            return self._snapshot

    async def _poll(self) -> None:
        unreachable = False
        while True:
            await asyncio.sleep(POLL_EVERY)
            try:
                async with self._looking, asyncio.timeout(PATIENCE):
                    await self._look()
                unreachable = False
            except UNREACHABLE as error:
                if not unreachable:
                    log.warning("directory not refreshed: %s", type(error).__name__)
                unreachable = True
            except Exception as error:
                # the loop must outlive a bad row; until it is mended every request asks, fails, and is told so
                log.error("directory not refreshed: %s", type(error).__name__)

    async def _look(self) -> None:
        asked_at = time.monotonic()  # before the query: what changed while it ran may be missing from its answer
        epoch, revocations, remembers = await queries.epoch_now(self._pool)
        if not remembers:
            now = self._clock.now()
            await queries.begin_proof_memory(self._pool, complete_from=now + dpop.LONGEST_MEMORY)
            log.warning("the memory of used proofs was lost; proofs made before now are refused")
        if self._snapshot is None or self._snapshot.epoch != epoch:
            rows = await queries.everything(self._pool, now=self._clock.now())
            self._snapshot = build(rows, self._keyring)
        elif self._snapshot.revocations != revocations:
            revocations, revoked = await queries.revoked_now(self._pool, now=self._clock.now())
            self._snapshot = replace(self._snapshot, revocations=revocations, revoked=frozenset(revoked))
        self._looked_at = asked_at


def build(rows: queries.Rows, keyring: Keyring) -> Snapshot:
    """Make the snapshot of what was read."""
    agencies = {row["id"]: AgencyEntry(**dict(row)) for row in rows.agencies}
    client_keys: dict[str, dict[str, ClientKeyEntry]] = {}
    for row in rows.client_keys:
        entry = ClientKeyEntry(_client_key(row["kid"], row["jwk"]), row["starts_at"], row["ends_at"])
        client_keys.setdefault(row["client_id"], {})[row["kid"]] = entry
    acts_for: dict[str, list[UUID]] = {}
    for row in rows.client_agencies:
        acts_for.setdefault(row["client_id"], []).append(row["agency_id"])
    known = frozenset(Scope)
    return Snapshot(
        epoch=rows.epoch,
        revocations=rows.revocations,
        agencies=MappingProxyType(agencies),
        by_code=MappingProxyType({entry.code: entry for entry in agencies.values()}),
        agreements=tuple(
            Agreement(
                **{
                    **dict(row),
                    "times": {name: timedelta(seconds=value) for name, value in json.loads(row["times"]).items()},
                    "purposes": frozenset(row["purposes"]),
                    "sections": frozenset(row["sections"]),
                }
            )
            for row in rows.agreements
        ),
        service_points=MappingProxyType(
            {
                row["id"]: ServicePointEntry(**{**dict(row), "services": tuple(row["services"])})
                for row in rows.service_points
            }
        ),
        clients=MappingProxyType(
            {
                row["client_id"]: ClientEntry(
                    client_id=row["client_id"],
                    name=row["name"],
                    status=row["status"],
                    # a scope of a newer release is not one this process could honour
                    scopes=frozenset(Scope(name) for name in row["scopes"] if name in known),
                    agency_ids=tuple(acts_for.get(row["client_id"], ())),
                    keys=MappingProxyType(client_keys.get(row["client_id"], {})),
                    auth_method=row["auth_method"],
                    certificate_bound=row["certificate_bound"],
                    tls_name=None if row["tls_name"] is None else (row["tls_name_kind"], row["tls_name"]),
                    jwks_uri=row["jwks_uri"],
                    networks=tuple(row["networks"]),
                    emergency_until=row["emergency_until"],
                    tokens_not_before=row["tokens_not_before"],
                )
                for row in rows.clients
            }
        ),
        revoked=frozenset(rows.revoked),
        signing=keys.load(rows.signing_keys, keyring),
        publishers=frozenset(row["client_id"] for row in rows.clients if row["jwks_uri"] is not None),
    )


@lru_cache(maxsize=4096)
def _client_key(kid: str, jwk: str) -> VerificationKey:
    return jose.import_public({**json.loads(jwk), "kid": kid})

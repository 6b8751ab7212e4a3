"""A small world of agencies, each with a system of its own, and what they do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from app.client import Credentials, ExchangeClient
from auth import admin
from auth.scopes import Scope
from tests.makers import records

AGENCIES = {
    "police": "police_regional",
    "iom": "international_organisation",
    "ministry": "ministry_social",
    "sentra": "sentra",
    "shelter": "trauma_centre",
    "lpsk": "witness_victim_protection",
    "stranger": "civil_society",
    "embassy": "foreign_mission",
}


@dataclass
class Agency:
    """An agency's system, calling the exchange with real tokens and proofs."""

    code: str
    client: ExchangeClient
    actor: str = "officer-7"

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, actor=self.actor, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        options.setdefault("actor", self.actor)
        return await self.client.post(path, json={} if body is None else body, **options)


@dataclass
class Passed:
    """A referral or transfer on its way, as a test knows it."""

    kind: str
    id: str
    case_id: str
    version: int
    sender: Agency
    receiver: Agency
    reply: httpx.Response = field(repr=False)

    @property
    def path(self) -> str:
        return f"/v1/{self.kind}s/{self.id}"


class World:
    """Agencies by short name, and makers of cases in a wanted state."""

    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange
        self.agencies: dict[str, Agency] = {}
        self.service_points: dict[str, str] = {}

    def __getattr__(self, name: str) -> Agency:
        try:
            return self.agencies[name]
        except KeyError:
            raise AttributeError(name) from None

    async def settle_in(self, conn: Any) -> None:
        """Register every agency with one client that holds every scope."""
        now = self.exchange.clock.now()
        for code, kind in AGENCIES.items():
            await admin.add_agency(conn, code=code, name=f"The {code}", kind=kind, now=now, actor="test")
            credentials = Credentials.generate(f"{code}-system", self.exchange.settings.public_url)
            await admin.add_client(
                conn,
                client_id=credentials.client_id,
                name=f"System of the {code}",
                agencies=[code],
                scopes=[str(scope) for scope in Scope],
                jwks=credentials.public_jwks(),
                now=now,
                actor="test",
            )
            self.agencies[code] = Agency(
                code, ExchangeClient(credentials, clock=self.exchange.clock, http=self.exchange.http)
            )
        for name, confidential in (("house", True), ("office", False)):
            point = await admin.add_service_point(
                conn,
                agency="shelter",
                name=f"Shelter {name}",
                confidential=confidential,
                address=None if confidential else "Jalan Umum 1",
                services=["shelter"],
                now=now,
                actor="test",
            )
            self.service_points[name] = str(point)
        self.exchange.directory._looked_at = float("-inf")

    async def send(
        self, *, sender: str = "police", receiver: str = "iom", kind: str = "referral", **more: Any
    ) -> Passed:
        """Send a referral (or offer a transfer) that opens its case."""
        maker = records.referral if kind == "referral" else records.transfer
        if "case_id" in more:
            more["case"] = None
        reply = await self.agencies[sender].post(f"/v1/{kind}s", maker(receiver, **more))
        assert reply.status_code == 201, reply.text
        made = reply.json()
        return Passed(
            kind, made["id"], made["case_id"], made["version"], self.agencies[sender], self.agencies[receiver], reply
        )

    async def move(self, passed: Passed, event: str, body: Any = None, *, by: Agency | None = None) -> httpx.Response:
        """Make a move, by the receiver unless another is named; the version is kept up when it succeeds."""
        who = by or (passed.sender if event in ("recall", "amend") else passed.receiver)
        versioned = event not in ("acknowledge", "services")
        reply = await who.post(f"{passed.path}/{event}", body or {}, if_match=passed.version if versioned else None)
        if reply.status_code == 200:
            passed.version = reply.json()["version"]
        return reply

    async def accepted(self, **more: Any) -> Passed:
        """A referral or transfer that its receiver has accepted."""
        passed = await self.send(**more)
        body = self.acceptance()
        if passed.kind == "transfer":
            body["manifest_digest"] = (await passed.receiver.get(passed.path)).json()["manifest_digest"]
        reply = await self.move(passed, "accept", body)
        assert reply.status_code == 200, reply.text
        return passed

    async def in_progress(self, **more: Any) -> Passed:
        """A referral whose person has arrived."""
        passed = await self.accepted(**more)
        reply = await self.move(passed, "start")
        assert reply.status_code == 200, reply.text
        return passed

    def acceptance(self, **more: Any) -> dict[str, Any]:
        """The body of an acceptance."""
        return {"ready_to_receive_from": self.exchange.clock.now().isoformat(), **more}

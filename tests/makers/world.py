"""A small world of agencies, each with a system of its own, and what they do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from app.client import Credentials, ExchangeClient
from auth.admin.agencies import add_agency, add_service_point
from auth.admin.clients import add_client
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


BY_SENDER = ("recall", "amend", "provide_info", "request_cancel", "enter_in_error", "report_error")
"""The moves a sender makes; what is made by either party is made by the receiver, unless a test says who."""

BEFORE: dict[str, tuple[str, ...]] = {
    "provide_info": ("request_info",),
    "start": ("accept",),
    "record_service": ("accept", "start"),
    "hold": ("accept", "start"),
    "resume": ("accept", "start", "hold"),
    "request_cancel": ("accept",),
    "confirm_cancel": ("accept", "request_cancel"),
    "refuse_cancel": ("accept", "request_cancel"),
    "complete": ("accept", "start"),
    "fail": ("accept",),
    "report_error": ("accept",),
    "confirm_error": ("accept", "report_error"),
    "confirm_handover": ("accept",),
    "abort": ("accept",),
    "handover_paper": ("accept", "confirm_handover"),
}
"""The moves after which a move is possible on what was just sent; none, where it is possible at once."""


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
        self.newcomers: dict[str, Agency] = {}
        self._newcomer_ids: dict[str, UUID] = {}
        self.ids: dict[str, UUID] = {}
        self.service_points: dict[str, str] = {}

    def __getattr__(self, name: str) -> Agency:
        try:
            return self.who(name)
        except KeyError:
            raise AttributeError(name) from None

    async def settle_in(self, conn: Any) -> None:
        """Register every agency with one client that holds every scope."""
        now = self.exchange.clock.now()
        for code, kind in AGENCIES.items():
            self.ids[code], self.agencies[code] = await self._join(conn, code, kind)
        for name, confidential in (("house", True), ("office", False)):
            point = await add_service_point(
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

    async def _join(
        self, conn: Any, code: str, kind: str, *, country: str = "ID", sandbox: bool = False
    ) -> tuple[UUID, Agency]:
        now = self.exchange.clock.now()
        id = await add_agency(
            conn, code=code, name=f"The {code}", kind=kind, country=country, sandbox=sandbox, now=now, actor="test"
        )
        credentials = Credentials.generate(f"{code}-system", self.exchange.settings.public_url)
        await add_client(
            conn,
            client_id=credentials.client_id,
            name=f"System of the {code}",
            agencies=[code],
            scopes=[str(scope) for scope in Scope],
            jwks=credentials.public_jwks(),
            status="sandbox" if sandbox else "active",
            now=now,
            actor="test",
        )
        return id, Agency(code, ExchangeClient(credentials, clock=self.exchange.clock, http=self.exchange.http))

    async def newcomer(self, code: str, kind: str, **more: Any) -> Agency:
        """An agency that few tests need: there from when it is first asked for."""
        if code not in self.newcomers:
            conn = await asyncpg.connect(self.exchange.addresses.admin)
            self._newcomer_ids[code], self.newcomers[code] = await self._join(conn, code, kind, **more)
            await conn.close()
            await self.exchange.directory.refresh()
        return self.newcomers[code]

    async def mission(self) -> Agency:
        """An Indonesian mission in Thailand."""
        return await self.newcomer("bangkok", "mission_abroad", country="TH")

    async def practice(self) -> tuple[Agency, Agency]:
        """Two practice agencies, whose systems are not approved for real ones."""
        return (
            await self.newcomer("practice-police", "police_regional", sandbox=True),
            await self.newcomer("practice-iom", "international_organisation", sandbox=True),
        )

    def who(self, code: str) -> Agency:
        """The agency of this code."""
        return self.agencies.get(code) or self.newcomers[code]

    def id_of(self, code: str) -> UUID:
        """The id of the agency of this code."""
        return self.ids.get(code) or self._newcomer_ids[code]

    async def send(
        self, *, sender: str = "police", receiver: str = "iom", kind: str = "referral", **more: Any
    ) -> Passed:
        """Send a referral (or offer a transfer) that opens its case."""
        maker = records.referral if kind == "referral" else records.transfer
        if "case_id" in more:
            more["case"] = None
        reply = await self.who(sender).post(f"/v1/{kind}s", maker(receiver, **more))
        assert reply.status_code == 201, reply.text
        made = reply.json()
        return Passed(kind, made["id"], made["case_id"], made["version"], self.who(sender), self.who(receiver), reply)

    async def move(
        self, passed: Passed, event: str, body: Any = None, *, by: Agency | None = None, seen: int | None = None
    ) -> httpx.Response:
        """Make a move, by the receiver unless another is named; the version is kept up when it succeeds."""
        who = by or (passed.sender if event in BY_SENDER else passed.receiver)
        versioned = event not in ("acknowledge", "record_service", "note")
        if body is None:
            body = await self.body(passed, event)
        reply = await who.post(
            f"{passed.path}/{records.path_of(event)}",
            body,
            if_match=(seen or passed.version) if versioned else None,
        )
        if reply.status_code == 200:
            passed.version = reply.json()["version"]
        return reply

    async def moved(self, passed: Passed, *events: str) -> Passed:
        """Make moves that succeed, one after the other."""
        for event in events:
            reply = await self.move(passed, event)
            assert reply.status_code == 200, reply.text
        return passed

    async def ready_for(self, passed: Passed, event: str) -> Passed:
        """Make the moves after which `event` is possible on what was just sent."""
        for before in BEFORE.get(event, ()):
            paper = {"paper": "pending"} if event == "handover_paper" and before == "confirm_handover" else None
            reply = await self.move(passed, before, paper)
            assert reply.status_code == 200, reply.text
        return passed

    async def body(self, passed: Passed, event: str) -> dict[str, Any]:
        """The body of a move that the table allows."""
        body = records.move(event, self.exchange.clock.now())
        if event == "accept" and passed.kind == "transfer":
            body["manifest_digest"] = (await self.row(passed))["manifest_digest"]
        return body

    async def accepted(self, **more: Any) -> Passed:
        """A referral or transfer that its receiver has accepted."""
        return await self.moved(await self.send(**more), "accept")

    async def in_progress(self, **more: Any) -> Passed:
        """A referral whose person has arrived."""
        return await self.moved(await self.accepted(**more), "start")

    async def handed_over(self, **more: Any) -> Passed:
        """A transfer whose receiver leads the case now."""
        return await self.moved(await self.accepted(kind="transfer", **more), "confirm_handover")

    async def consented(self, *sections: str, accepted: bool = True, **more: Any) -> Passed:
        """A referral that rests on a consent recorded with it, accepted unless said otherwise."""
        names = sections or ("identity", "safety", "needs")
        body = {
            "consent": records.consent(self.exchange.clock.now(), sections=names),
            "bases": [{"kind": "consent", "sections": list(names)}],
            **more,
        }
        return await (self.accepted(**body) if accepted else self.send(**body))

    async def consent_of(self, passed: Passed) -> str:
        """The id of the consent that was recorded with it."""
        found = await self.owner.fetchval(
            "SELECT consent_id FROM disclosure WHERE subject_id = $1 AND consent_id IS NOT NULL ORDER BY id LIMIT 1",
            UUID(passed.id),
        )
        return str(found)

    async def withdraw(self, passed: Passed, *sections: str, by: Agency | None = None, **more: Any) -> httpx.Response:
        """Withdraw the consent a referral rests on, as its sender unless another is named."""
        body = {"requested_by": "person", "requested_at": self.exchange.clock.now().isoformat(), **more}
        if sections:
            body["sections"] = list(sections)
        path = f"/v1/cases/{passed.case_id}/consents/{await self.consent_of(passed)}/withdraw"
        return await (by or passed.sender).post(path, body)

    async def requests(self, asked: Agency, **filters: str) -> list[dict[str, Any]]:
        """What an agency is asked about data, newest first."""
        query = "&".join(f"{name}={value}" for name, value in {"role": "to", **filters}.items())
        reply = await asked.get(f"/v1/requests?{query}")
        assert reply.status_code == 200, reply.text
        found: list[dict[str, Any]] = reply.json()["items"]
        return found

    async def busy(self) -> dict[str, Passed]:
        """Much of what can happen, among all agencies but the stranger; by what became of each."""
        rich = {"record": records.full_record(), "purpose": "social_rehabilitation"}
        full = records.legal_basis(*records.FULL_SECTIONS)
        own = records.legal_basis(*records.FULL_SECTIONS, onward=True)
        made = {
            "sent": await self.send(receiver="iom", **rich, bases=[full]),
            "accepted": await self.accepted(receiver="lpsk", **rich, bases=[full]),
            "served": await self.in_progress(receiver="shelter", **rich, bases=[own]),
        }
        await self.moved(made["served"], "record_service", "record_service")
        case = made["served"].case_id
        made["onward"] = await self.accepted(sender="shelter", receiver="lpsk", case_id=case)
        made["declined"] = await self.send(sender="iom", receiver="shelter", **rich, bases=[full])
        await self.move(made["declined"], "decline", {"reason": "other", "text": "No bed for Pak Surya tonight."})
        made["recalled"] = await self.moved(await self.send(sender="iom", receiver="lpsk"), "recall")
        made["completed"] = await self.moved(await self.in_progress(sender="ministry", receiver="sentra"), "complete")
        made["failed"] = await self.moved(await self.in_progress(sender="lpsk", receiver="sentra"), "fail")
        consent = records.consent(
            self.exchange.clock.now(),
            giver="guardian",
            child={"assent": "given", "own_view": "I want my mother to come."},
        )
        made["consented"] = await self.accepted(
            sender="iom",
            receiver="sentra",
            consent=consent,
            bases=[{"kind": "consent", "sections": ["identity", "safety", "needs"]}],
        )
        given = records.consent(self.exchange.clock.now())
        for who, case in (("police", made["sent"].case_id), ("iom", made["consented"].case_id)):
            reply = await self.agencies[who].post(f"/v1/cases/{case}/consents", given)
            assert reply.status_code == 201, reply.text
        case = made["consented"].case_id
        made["absorbed"] = await self.send(sender="iom", receiver="ministry", case_id=case)
        made["inherited"] = await self.send(sender="iom", receiver="lpsk", case_id=case)
        made["handed_over"] = await self.handed_over(sender="iom", receiver="ministry", case_id=case)
        made["offered"] = await self.send(kind="transfer", sender="ministry", receiver="sentra", case_id=case)
        made["amended"] = await self.moved(await self.accepted(receiver="iom"), "amend")
        made["expired"] = await self.send(sender="police", receiver="iom")
        for passed in made.values():
            for who in (passed.sender, passed.receiver):
                await who.get(passed.path)
        await self.stranger.get(made["sent"].path)
        await self.move(made["completed"], "complete")
        self.exchange.later(days=8)
        await self.exchange.settle()
        return made

    async def past_the_deadline(self) -> None:
        """Let a standard deadline pass, with its reminder and its escalation, and the time after that; the clock has yet to look at its end."""
        for days in (3.6, 3.6):
            self.exchange.later(days=days)
            await self.exchange.settle()
        self.exchange.later(days=1.1)

    async def set_desk(self, code: str | None) -> None:
        """Make one agency the ministry's desk, or none."""
        await self.owner.execute("UPDATE agency SET desk = false WHERE desk")
        await self.owner.execute("UPDATE agency SET desk = true WHERE code = $1", code)
        await self.exchange.directory.refresh()

    async def escalated(self, passed: Passed, *hours: float) -> str:
        """Let hours pass until its deadline is over, the worker looking after each; return the id of what was escalated last."""
        for some in hours or (0.51, 0.5):  # an immediate one: half its hour, and the other half
            self.exchange.later(hours=some)
            await self.exchange.settle()
        return str(
            await self.owner.fetchval(
                "SELECT id FROM escalation WHERE subject_id = $1 ORDER BY opened_at DESC LIMIT 1", UUID(passed.id)
            )
        )

    def acceptance(self, **more: Any) -> dict[str, Any]:
        """The body of an acceptance."""
        return {"ready_to_receive_from": self.exchange.clock.now().isoformat(), **more}

    # what only the owner of the database sees

    @property
    def owner(self) -> asyncpg.Connection:
        """The database as its owner sees it, past every policy."""
        owner: asyncpg.Connection = self.exchange.owner
        return owner

    async def row(self, passed: Passed) -> asyncpg.Record:
        """The row as it is stored."""
        row = await self.owner.fetchrow(f"SELECT * FROM {passed.kind} WHERE id = $1", UUID(passed.id))
        assert row is not None
        return row

    async def lead_of(self, case_id: str) -> str:
        """The code of the agency that leads the case."""
        code: str = await self.owner.fetchval(
            "SELECT code FROM case_file c JOIN agency a ON a.id = c.lead_id WHERE c.id = $1", UUID(case_id)
        )
        return code

    async def log(self, **columns: Any) -> list[asyncpg.Record]:
        """The log's entries with these values, oldest first; without those of tokens."""
        where = "".join(f" AND {name} = ${place}" for place, name in enumerate(columns, start=1))
        rows: list[asyncpg.Record] = await self.owner.fetch(
            f"SELECT * FROM log_entry WHERE action NOT LIKE 'token:%'{where} ORDER BY id", *columns.values()
        )
        return rows

    async def refusals(self) -> list[asyncpg.Record]:
        """The log's entries about what was refused."""
        rows: list[asyncpg.Record] = await self.owner.fetch(
            "SELECT * FROM log_entry WHERE outcome <> 'done' ORDER BY id"
        )
        return rows

    async def told(self) -> list[tuple[str, str]]:
        """Who was told what since the last sequencing, as (agency, type), in order of agency."""
        rows = await self.owner.fetch(
            "SELECT code, type FROM outbox o JOIN agency a ON a.id = o.agency_id ORDER BY code, seq"
        )
        return [(row["code"], row["type"]) for row in rows]

    async def put(self, passed: Passed, state: str) -> None:
        """Set a row to a state by the owner's hand, with the times and the access that go with it, and every condition of a move met."""
        accepted = state not in (
            "sent", "offered", "received", "info_requested", "declined", "recalled", "expired", "entered_in_error",
        )  # fmt: skip
        final = state in (
            "completed", "not_completed", "declined", "recalled", "cancelled", "expired", "absorbed", "entered_in_error", "aborted",
        )  # fmt: skip
        closed = state in ("declined", "recalled", "cancelled", "expired", "aborted", "entered_in_error")
        now, row_id = self.exchange.clock.now(), UUID(passed.id)
        started = (
            ", started_at = CASE WHEN $3 THEN $2::timestamptz END, state_before = CASE $5 WHEN 'cancel_requested' THEN 'accepted' END"
            if passed.kind == "referral"
            else ", paper = CASE $5 WHEN 'completed' THEN 'pending' END"
        )
        await self.owner.execute(
            f"""UPDATE {passed.kind} SET state = $5, accepted_at = CASE WHEN $3 THEN $2::timestamptz END,
                       error_reported_at = $2, ended_at = CASE WHEN $4 THEN $2::timestamptz END{started} WHERE id = $1""",
            row_id,
            now,
            accepted,
            final,
            state,
        )
        await self.owner.execute(
            """UPDATE disclosure SET opened_at = CASE WHEN $3 THEN $2::timestamptz END,
                      closed_at = CASE WHEN $4 THEN $2::timestamptz END WHERE subject_id = $1""",
            row_id,
            now,
            accepted,
            closed,
        )

"""The agencies' systems: they do what the exchange says they may, repeat what got no answer, and keep a ledger of every yes."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

import httpx

from app.client import ExchangeClient, TokenRefusedError
from app.foundation.clock import Clock
from tests.makers import records
from tests.soak.stage import Stage

PATIENCE = 90.0
"""Seconds after which a request that gets no answer is a failure of the exchange."""
TO = {
    "police": ("iom", "shelter", "ministry"),
    "iom": ("shelter", "ministry"),
    "ministry": ("shelter", "iom"),
    "shelter": ("iom", "ministry"),
}
UNVERSIONED = ("acknowledge", "record_service", "note")
SEEN_TO = ("accept", "decline", "provide_info", "start", "confirm_cancel", "refuse_cancel")
"""What ends a wait."""
PUT_OFF = 12
"""Seconds within which a duty officer sees to what is overdue: for some of it the ladder gets to the desk, and none goes on climbing for ever."""


class Unanswered(AssertionError):
    """The exchange gave no answer for longer than any restart takes."""


@dataclass
class Item:
    """A referral or transfer, as those who play it know it."""

    kind: str
    id: str
    case_id: str
    sender: str
    receiver: str
    consent: bool = False

    @property
    def path(self) -> str:
        return f"/v1/{self.kind}s/{self.id}"


@dataclass
class Ledger:
    """What the agencies were told had happened."""

    done: list[tuple[str, str, int, str]] = field(default_factory=list)
    """Of each yes: the subject, the event, and version and state after it."""
    sent: dict[str, Item] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)
    answers: dict[str, float] = field(default_factory=dict)


class System:
    """One agency's system. Whatever happens to the answer, it asks again with the same key until there is one."""

    def __init__(self, code: str, client: ExchangeClient, ledger: Ledger, random: Random) -> None:
        self.code, self._client, self._ledger, self._random = code, client, ledger, random

    async def request(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Ask until there is an answer."""
        if method == "POST":
            options.setdefault("idempotency_key", str(uuid.uuid4()))
            options["json"] = {} if body is None else body
        end = time.monotonic() + PATIENCE
        while True:
            try:
                reply = await self._client.request(method, path, actor="officer-7", **options)
                if reply.status_code not in (429, 503) and "request-in-progress" not in reply.text:
                    return reply
                self._ledger.counted[f"again after {reply.status_code}"] += 1
            except (httpx.TransportError, TokenRefusedError) as lost:
                self._ledger.counted[f"again after {type(lost).__name__}"] += 1
            if time.monotonic() > end:
                raise Unanswered(f"{method} {path}")
            await asyncio.sleep(self._random.uniform(0.05, 0.4))

    async def get(self, path: str) -> httpx.Response:
        return await self.request("GET", path)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Ask; now and then ask the same once more, and be told the same."""
        options["idempotency_key"] = str(uuid.uuid4())
        reply = await self.request("POST", path, body, **options)
        assert reply.status_code < 500, (path, reply.text)
        if reply.status_code < 300 and self._random.random() < 0.05:
            again = await self.request("POST", path, body, **options)
            assert again.status_code == reply.status_code, (path, again.text)
            assert again.json()["log_entry"] == reply.json()["log_entry"], path
            self._ledger.counted["asked twice"] += 1
        return reply


class Play:
    """Everybody's acts. Which act comes next is drawn from the seed; when it comes, from the machine."""

    def __init__(self, stage: Stage, seed: str) -> None:
        self.stage, self.seed = stage, seed
        self.ledger = Ledger()
        self.items: list[Item] = []
        self.systems = {
            code: System(code, stage.client(code), self.ledger, Random(f"{seed} {code}")) for code in stage.credentials
        }
        self._clock = Clock()
        self._over = False

    async def run(self, referrals: int, *, at_once: int = 8, acts: int = 6, seconds: float | None = None) -> None:
        """Send so many, and do about so many other things for each; begin nothing new after so many seconds."""
        numbers = iter(range(referrals))
        end = None if seconds is None else time.monotonic() + seconds

        async def player() -> None:
            for number in numbers:
                if end is not None and time.monotonic() > end:
                    return
                random = Random(f"{self.seed} {number}")
                await self._send(random)
                for _ in range(random.randint(0, 2 * acts)):
                    await self._act(random, random.choice(self.items[-60:]))

        async with asyncio.TaskGroup() as others:
            for code in self.systems:
                others.create_task(self._attend(code))
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(player())
            self._over = True  # never cut off: what was asked for must be in the ledger

    async def _attend(self, code: str) -> None:
        """See to what is overdue for one agency as long as there is play, as its duty officer does. Without that reminders of the forgotten would
        grow with all that was ever sent, until there is nothing else."""
        who, random = self.systems[code], Random(f"{self.seed} duty of {code}")
        while not self._over:
            await asyncio.sleep(random.uniform(0.5, 3))
            waiting: list[dict[str, Any]] = []
            path: str | None = "/v1/inbox?overdue=true&limit=100"
            while path is not None:
                reply = await who.get(path)
                assert reply.status_code == 200, reply.text
                waiting += reply.json()["items"]
                path = reply.json()["next"]
            for each in waiting:
                if self._over:
                    return
                late = self._clock.now() - datetime.fromisoformat(each["deadline"])
                if late.total_seconds() < UUID(each["id"]).int % PUT_OFF:
                    continue
                if each["kind"] == "escalation":
                    if "take" in each["moves"] and random.random() < 0.3:
                        await self._take(code, each["id"])
                elif each["id"] in self.ledger.sent and not self._is_left(each):
                    await self._move(random, self.ledger.sent[each["id"]], by=code, among=SEEN_TO)

    @staticmethod
    def _is_left(waiting: dict[str, Any]) -> bool:
        """Whether it is left to the clock, which ends whatever is not immediate."""
        return waiting["urgency"] != "immediate" and UUID(waiting["id"]).int % 3 == 0

    async def _take(self, code: str, id: str) -> None:
        reply = await self.systems[code].post(f"/v1/escalations/{id}/take")
        if reply.status_code == 200:
            self.ledger.counted["escalation taken"] += 1
        else:
            self._refused("take", reply)

    def _note(self, item: Item, event: str, reply: httpx.Response) -> None:
        answer = reply.json()
        self.ledger.done.append((item.id, event, answer["version"], answer["state"]))
        self.ledger.counted[f"{item.kind} {event}"] += 1

    def _refused(self, what: str, reply: httpx.Response) -> None:
        self.ledger.counted[f"refused {reply.json()['type'].removeprefix('/problems/')}"] += 1
        assert reply.status_code in (403, 404, 409, 412, 422), (what, reply.status_code, reply.text)

    async def _send(self, random: Random, kind: str = "referral", **more: Any) -> None:
        sender = more.pop("sender", None) or random.choice(list(TO))
        receiver = random.choice(TO[sender])
        consent = (
            kind == "referral" and "case_id" not in more and receiver in ("iom", "shelter") and random.random() < 0.3
        )
        if consent:
            more["consent"] = records.consent(self._clock.now())
            more["bases"] = [{"kind": "consent", "sections": ["identity", "safety", "needs"]}]
        if kind == "referral":
            more["urgency"] = random.choice(("standard", "urgent", "immediate"))
        if "case_id" in more:
            more["case"] = None
        maker = records.referral if kind == "referral" else records.transfer
        reply = await self.systems[sender].post(f"/v1/{kind}s", maker(receiver, **more))
        if reply.status_code != 201:
            self._refused(f"send {kind} {sender} {receiver}", reply)
            return
        answer = reply.json()
        item = Item(kind, answer["id"], answer["case_id"], sender, receiver, consent)
        self.ledger.sent[item.id] = item
        self._note(item, "send" if kind == "referral" else "offer", reply)
        self.items.append(item)

    async def _act(self, random: Random, item: Item) -> None:
        roll = random.random()
        if roll < 0.06:
            await self._send(random, "transfer", sender=item.sender, case_id=item.case_id)
        elif roll < 0.1:
            await self._send(random, sender=item.sender, case_id=item.case_id)
        elif roll < 0.13 and item.consent:
            await self._withdraw(item)
        else:
            await self._move(random, item)

    async def _move(
        self, random: Random, item: Item, *, by: str | None = None, among: Collection[str] | None = None
    ) -> None:
        who = self.systems[by or random.choice((item.sender, item.receiver, item.receiver))]
        reply = await who.get(item.path)
        if reply.status_code != 200:
            self._refused("get", reply)
            return
        known = reply.json()
        now = self._clock.now()
        moves = [
            event for event in known["moves"] if _body(event, now) is not None and (among is None or event in among)
        ]
        if not moves:
            return
        event = random.choice(moves)
        body = _body(event, now)
        assert body is not None
        if event == "accept" and item.kind == "transfer":
            body["manifest_digest"] = known["manifest_digest"]
        if event == "confirm_handover" and random.random() < 0.5:
            body["paper"] = "pending"
        reply = await who.post(
            f"{item.path}/{records.path_of(event)}",
            body,
            if_match=None if event in UNVERSIONED else known["version"],
        )
        if reply.status_code in (200, 201):
            self._note(item, event, reply)
        else:
            self._refused(f"{item.kind} {event}", reply)

    async def _withdraw(self, item: Item) -> None:
        who = self.systems[item.sender]
        reply = await who.get(item.path)
        if reply.status_code != 200:
            self._refused("get", reply)
            return
        named = [each["consent_id"] for each in reply.json()["disclosures"] if each.get("consent_id")]
        if not named:
            return
        body = {"requested_by": "person", "requested_at": self._clock.now().isoformat()}
        reply = await who.post(f"/v1/cases/{item.case_id}/consents/{named[0]}/withdraw", body)
        if reply.status_code < 300:
            self.ledger.counted["consent withdrawn"] += 1
        else:
            self._refused("withdraw", reply)


def _body(event: str, now: Any) -> dict[str, Any] | None:
    try:
        return records.move(event, now)
    except KeyError:
        return None

"""Receivers of webhooks: they fail, hang, answer slowly, go away and come back; and what each must have in the end."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

from app.delivery import signing
from app.delivery.claims import OVERTAKEN_AFTER
from app.foundation.clock import Clock
from app.foundation.keyring import Keyring, Place
from tests.makers.receivers import HANG, Got, Receiver, Receivers, Reply
from tests.soak.checks import differences
from tests.soak.stage import Stage

MOODS = {
    "well": (Reply(),),
    "slow": (Reply(delay=0.4),),
    "failing": (Reply(status=500),),
    "busy": (Reply(status=503, headers={"Retry-After": "1"}),),
    "cutting off": (Reply(raw=b""),),
    "hanging": (HANG,),
    "away": (),
}
"""What receivers answer for a while; nothing: they do not even listen."""


@dataclass
class Hook:
    """An agency's receiver, and the webhook that leads to it."""

    code: str
    receiver: Receiver
    id: UUID
    public_key: str
    random: Random
    counted: Counter[str] = field(default_factory=Counter)

    async def live(self, well: tuple[float, float] = (1, 6), otherwise: tuple[float, float] = (0.3, 3)) -> None:
        """Be well, then something else, for ever; leave well behind."""
        try:
            while True:
                await asyncio.sleep(self.random.uniform(*well))
                mood = self.random.choice([each for each in MOODS if each != "well"])
                self.counted[f"receiver {mood}"] += 1
                if MOODS[mood]:
                    self.receiver.answers(*MOODS[mood])
                else:
                    await self.receiver.stop()
                try:
                    await asyncio.sleep(self.random.uniform(*otherwise))
                finally:
                    await self._well()
        finally:
            self.receiver.answers(*MOODS["well"])

    async def _well(self) -> None:
        self.receiver.answers(*MOODS["well"])
        if self.receiver._server is None:
            await self.receiver.start()


async def hooked(stage: Stage, receivers: Receivers, seed: str) -> dict[str, Hook]:
    """Give each agency a webhook for every type, from the beginning of its feed."""
    keyring, now = Keyring.of(stage.settings), Clock().now()
    hooks = {}
    for code, agency in stage.ids.items():
        receiver = await receivers.open()
        id: UUID = await stage.owner.fetchval(
            """INSERT INTO webhook (agency_id, client_id, url, state_at, position, created_at, changed_at)
               VALUES ($1, $2, $3, $4, 0, $4, $4) RETURNING id""",
            agency,
            f"{code}-system",
            receiver.url,
            now,
        )
        key_id, private = uuid.uuid4(), signing.generate()
        await stage.owner.execute(
            "INSERT INTO webhook_key (id, webhook_id, agency_id, public_key, private_sealed, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
            key_id,
            id,
            agency,
            signing.public_key(private),
            keyring.seal_one(Place("webhook_key.private_sealed", key_id, id), private),
            now,
        )
        hooks[code] = Hook(code, receiver, id, signing.public_key(private), Random(f"{seed} hook {code}"))
    return hooks


async def hurry(stage: Stage) -> None:
    """Have what waits for another try be tried now, and what is under way be claimed by the other worker too: once more is allowed, never none."""
    await stage.owner.execute("UPDATE delivery SET due_at = now() WHERE state = 'waiting' AND due_at > now()")


def first_of_each(got: list[Got]) -> dict[str, Got]:
    """The first arrival of each message."""
    found: dict[str, Got] = {}
    for each in got:
        found.setdefault(each.id, each)
    return found


async def of_webhooks(stage: Stage, hooks: Mapping[str, Hook]) -> list[str]:
    """Each receiver has every event of its agency's feed; what came again is the same to the byte; each case's came in order; all are signed."""
    found: list[str] = []
    for code, hook in hooks.items():
        rows = await stage.query(
            "SELECT event_id, position, recorded_at FROM event WHERE agency_id = $1", stage.ids[code]
        )
        got = hook.receiver.got
        first = first_of_each(got)
        found += differences(
            f"webhook of {code} (received, exchange)",
            ((id, each.position) for id, each in first.items()),
            ((str(row["event_id"]), row["position"]) for row in rows),
        )
        hook.counted["webhook messages"] = len(first)
        hook.counted["webhook messages sent again"] = len(got) - len(first)
        if other := [each.id for each in got if each.body != first[each.id].body]:
            found.append(f"webhook of {code}: {len(other)} came again with another body, such as {other[:3]}")
        if unsigned := await asyncio.to_thread(_unsigned, got, hook.public_key):
            found.append(f"webhook of {code}: {len(unsigned)} are not signed, such as {unsigned[:3]}")
        found += _order(code, first, {str(row["event_id"]): row["recorded_at"].timestamp() for row in rows})
        left = await stage.query(
            "SELECT state, count(*) FROM delivery WHERE webhook_id = $1 AND state <> 'delivered' GROUP BY state",
            hook.id,
        )
        if left:
            found.append(f"webhook of {code}: {[tuple(row) for row in left]} is not delivered")
    return found


def _unsigned(got: list[Got], public_key: str) -> list[str]:
    return [each.id for each in got if not each.is_signed_by(public_key)]


def _order(code: str, first: Mapping[str, Got], recorded: Mapping[str, float]) -> list[str]:
    """Say where a later event of a case came before an earlier one, that had not failed for so long that it was overtaken."""
    wall = time.time() - asyncio.get_running_loop().time()
    last: dict[Any, Got] = {}
    wrong = []
    for each in sorted(first.values(), key=lambda each: each.at):
        case = each.document["data"]["case_id"]
        if case is None:
            continue
        before = last.get(case)
        waited = timedelta(seconds=each.at + wall - recorded.get(each.id, 0))
        if before is not None and before.position > each.position and waited < OVERTAKEN_AFTER:
            wrong.append(f"webhook of {code}: {each.position} of case {case} came after {before.position}")
        if before is None or each.position > before.position:
            last[case] = each
    return wrong


def delays(hooks: Mapping[str, Hook], recorded: Mapping[str, float]) -> list[float]:
    """Seconds from each event to its first arrival."""
    wall = time.time() - asyncio.get_running_loop().time()
    return [
        each.at + wall - recorded[id]
        for hook in hooks.values()
        for id, each in first_of_each(hook.receiver.got).items()
        if id in recorded
    ]

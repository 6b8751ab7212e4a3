"""What those who play remember of a case while it is played."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from app.demo.plan import OPEN
from app.demo.samples import Document, Person, Sample


@dataclass
class Passed:
    """A referral or transfer on its way."""

    kind: str
    act: Mapping[str, Any] = field(repr=False)
    id: str
    reference: str
    version: int
    state: str
    sender: str
    receiver: str
    stale: bool = False
    """Whether something else may have changed its version."""

    @property
    def group(self) -> str | None:
        """The offers it is one of; the first acceptance recalls the others."""
        return self.act.get("group")

    @property
    def via(self) -> str | None:
        """The office that acts for the receiver."""
        return self.act.get("via")

    @property
    def path(self) -> str:
        """Where it stands."""
        return f"/v1/{self.kind}s/{self.id}"

    @property
    def waits_at_once(self) -> bool:
        """Whether it is immediate and not answered."""
        return self.act.get("urgency", "immediate") == "immediate" and self.state in ("sent", "offered", "received")

    @property
    def open(self) -> bool:
        """Whether somebody still has something to do."""
        return self.state in OPEN


@dataclass
class Run:
    """One person's case."""

    sample: Sample = field(repr=False)
    person: Person = field(repr=False)
    place: int
    """Which of the sample's people."""
    lead: str = ""
    case_id: str = ""
    reference: str = ""
    consents: dict[str, str] = field(default_factory=dict)
    passed: dict[int, Passed] = field(default_factory=dict)
    groups: defaultdict[str, str] = field(default_factory=lambda: defaultdict(lambda: str(uuid4())))
    """The id of each group of offers."""
    proposal: str | None = None
    """A correction that was proposed and not yet made."""
    state: str = "open"

    def parties(self) -> set[str]:
        """Return who has a part in it now."""
        ends = {code for each in self.passed.values() if each.open for code in (each.sender, each.receiver)}
        return (ends | {self.lead}) - {""}

    def hand_over(self, transfer: Passed) -> list[Passed]:
        """Follow the lead to the transfer's receiver, with the referrals it takes along; return those that were absorbed."""
        earlier, self.lead = self.lead, transfer.receiver
        absorbed = []
        for each in self.passed.values():
            if each.kind != "referral" or not each.open:
                continue
            if each.receiver == self.lead:
                each.state = "absorbed"
                absorbed.append(each)
            elif each.sender == earlier:
                each.sender = self.lead
        return absorbed


@dataclass(frozen=True, slots=True)
class Told:
    """What the terminal says of a step."""

    by: str
    style: str
    text: str
    reference: str
    concerns: frozenset[str] = frozenset()
    """Who may have news of it beside the parties there are afterwards."""
    preview: Document | None = field(default=None, repr=False)
    refused: Document | None = field(default=None, repr=False)
    warnings: Sequence[Document] = ()
    """What the exchange finds unlikely in a record it has taken: codes and pointers, never a value."""

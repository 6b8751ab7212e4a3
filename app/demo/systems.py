"""An agency's system: it calls the exchange with tokens and proofs of its own, and follows its feed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, Final

import httpx

from app.client import ExchangeClient
from app.demo.words import short
from app.foundation.zones import zone_of

PAGE: Final = 500


class DemoError(Exception):
    """Something did not go as it must; the text is for the terminal and holds nothing about a person."""


@dataclass
class System:
    """One agency's side of the exchange."""

    agency: Mapping[str, Any]
    client: ExchangeClient
    actor: str = "petugas-1"
    position: int = 0
    """Where it stands in its feed."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """What it has read of its feed."""
    points: list[dict[str, Any]] = field(default_factory=list)
    """Its service points, confidential ones included."""
    acts_for: str | None = None
    """The agency it records for, where that is not its own."""

    @property
    def code(self) -> str:
        """The agency's code."""
        return str(self.agency["code"])

    @property
    def name(self) -> str:
        """What the agency is called on the terminal."""
        return short(str(self.agency["name"]))

    @property
    def zone(self) -> tzinfo:
        """The zone its clocks show."""
        return zone_of(self.agency)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Rujukan-Acts-For": self.acts_for} if self.acts_for else {}

    async def get(self, path: str) -> dict[str, Any]:
        """Return what stands there. Raises `DemoError` if the exchange refuses."""
        return self._answer("GET", path, await self.client.get(path, actor=self.actor, headers=self._headers), 200)

    async def post(self, path: str, body: Any, *, version: int | None = None, made: bool = False) -> dict[str, Any]:
        """Do something and return the exchange's answer. Raises `DemoError` if it refuses."""
        reply = await self.client.post(path, json=body, actor=self.actor, if_match=version, headers=self._headers)
        return self._answer("POST", path, reply, 201 if made else 200)

    async def put(self, path: str, body: Any) -> None:
        """Replace what stands there. Raises `DemoError` if the exchange refuses."""
        self._answer("PUT", path, await self.client.request("PUT", path, json=body, actor=self.actor), 200)

    async def attempt(self, method: str, path: str, body: Any = None, version: int | None = None) -> httpx.Response:
        """Do something that may be refused, and return the answer whatever it is."""
        return await self.client.request(method, path, json=body, actor=self.actor, if_match=version)

    async def news(self) -> list[dict[str, Any]]:
        """Return what the feed has since it was last read. Raises `DemoError` if a position is missing."""
        found: list[dict[str, Any]] = []
        while True:
            page = await self.get(f"/v1/events?after={self.position}&limit={PAGE}")
            for event in page["items"]:
                if event["position"] != self.position + 1:
                    raise DemoError(f"{self.code}: its feed goes from {self.position} to {event['position']}")
                self.position = event["position"]
                found.append(event)
            if len(page["items"]) < PAGE:
                self.events += found
                return found

    def point_for(self, act: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return where the agency receives somebody: the house nobody is told of if shelter is asked for; `elsewhere`: its second one."""
        sheltered = any(need.startswith("shelter") for need in act["needs"])
        fitting = [point for point in self.points if point["confidential"] == sheltered] or self.points
        return next(iter(fitting[1:] if act.get("elsewhere") else fitting), None)

    def _answer(self, method: str, path: str, reply: httpx.Response, expected: int) -> dict[str, Any]:
        if reply.status_code == expected:
            answer: dict[str, Any] = reply.json()
            return answer
        raise DemoError(f"{self.code}: {method} {path} was answered {reply.status_code} {_problem(reply)}")


def _problem(reply: httpx.Response) -> str:
    """Return what a problem says of itself: its type, and members that are never values."""
    try:
        problem = reply.json()
        said = {name: problem[name] for name in problem if name not in ("title", "detail", "status", "request_id")}
    except (ValueError, TypeError):
        return ""
    return str(said)

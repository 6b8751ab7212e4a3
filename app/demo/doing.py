"""What all who act have in common: systems, clock, everybody's cases, and how a move is made and told."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from app.demo.runs import Passed, Run, Told
from app.demo.samples import Document
from app.demo.systems import DemoError, System
from app.foundation.clock import Clock

Act = Mapping[str, Any]
_CALLED_BEFORE: Final = timedelta(minutes=40)
"""How long before it is recorded something was done by phone."""


class Doer:
    """Speaks for every agency."""

    def __init__(self, systems: Mapping[str, System], clock: Clock, runs: Mapping[str, Sequence[Run]]) -> None:
        self._systems = systems
        self._clock = clock
        self._runs = runs

    def _name(self, code: str) -> str:
        return self._systems[code].name

    def _say(self, run: Run, by: str, style: str, text: str, about: Passed | None = None, **more: Any) -> Told:
        concerns = frozenset({about.sender, about.receiver}) if about else frozenset()
        return Told(by, style, text, about.reference if about else run.reference, concerns, **more)

    def _side(self, about: Passed, code: str) -> System:
        """Return the system by which an agency deals with `about`: its own, or that of the office that acts for it."""
        if code != about.receiver or about.via is None:
            return self._systems[code]
        return dataclasses.replace(self._systems[code], client=self._systems[about.via].client, acts_for=code)

    def _by_phone(self, about: Passed) -> str:
        return f" (by phone; {self._name(about.via)} records it)" if about.via else ""

    async def _move(self, about: Passed, by: str, event: str, body: Document, *, versioned: bool = True) -> Document:
        """Make a move, on the version as it is now if another act has changed it since."""
        system = self._side(about, by)
        if system.acts_for is not None:
            body = body | {"channel": "phone", "occurred_at": (self._clock.now() - _CALLED_BEFORE).isoformat()}
        if versioned and about.stale:
            about.version, about.stale = (await system.get(about.path))["version"], False
        version = about.version if versioned else None
        answer = await system.post(f"{about.path}/{event}", body, version=version)
        about.version, about.state = answer["version"], answer["state"]
        return answer

    async def _refused(self, system: System, path: str, body: Document, status: int, problem: str, **more: Any) -> None:
        """Do what must be refused, and so. Raises `DemoError` if it is not."""
        reply = await system.attempt("POST", path, body, **more)
        answer = reply.json()
        if reply.status_code != status or not str(answer.get("type", "")).endswith(f"/{problem}"):
            raise DemoError(f"{system.code}: {path} must be refused as {problem}, and was answered {reply.status_code}")

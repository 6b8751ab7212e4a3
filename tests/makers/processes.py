"""Real `rujukan` processes that start in a moment: each is forked from one that has everything imported, and can be killed like any other."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from app.foundation.database import Addresses

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["app.cli.serving"])
DATABASE = ("worker", "admin", "owner", "auditor")


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(where: Addresses, **settings: Any) -> dict[str, str]:
    """The variables by which a process finds its database, and whatever else is set."""
    urls = {f"RUJUKAN_DATABASE_{role.upper()}_URL": getattr(where, role) for role in DATABASE}
    return {
        "RUJUKAN_DATABASE_URL": where.app,
        **{name: url for name, url in urls.items() if url is not None},
        **{f"RUJUKAN_{name.upper()}": str(value) for name, value in settings.items()},
    }


def _run(command: Sequence[str], env: Mapping[str, str], log: str) -> None:
    import sys

    from app.cli import main

    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    for name in [name for name in os.environ if name.startswith("RUJUKAN_")]:
        del os.environ[name]
    os.environ.update(env)
    sys.argv = ["rujukan", *command]
    main()


@dataclass
class Process:
    """`rujukan` with these words, started, killed and ended as somebody wants."""

    command: Sequence[str]
    env: Mapping[str, str]
    log: Path
    kills: int = 0
    _running: BaseProcess | None = field(default=None, repr=False)

    def start(self) -> None:
        assert self._running is None
        # mypy does not know that a context's processes are processes
        self._running = _CONTEXT.Process(target=_run, args=(self.command, dict(self.env), str(self.log)), daemon=True)
        self._running.start()

    @property
    def alive(self) -> bool:
        return self._running is not None and self._running.is_alive()

    def kill(self) -> None:
        """End it as a crash does: no handler runs, nothing is finished."""
        assert self._running is not None
        assert self._running.is_alive(), f"{' '.join(self.command)} ended by itself: {self.log.read_text()[-2000:]}"
        self._running.kill()
        self._gone(10)
        self.kills += 1

    def end(self, within: float = 30) -> int | None:
        """Tell it to end, and return how it did."""
        assert self._running is not None
        assert self._running.pid is not None
        os.kill(self._running.pid, signal.SIGTERM)
        return self._gone(within)

    def wait(self, within: float = 60) -> int | None:
        """Wait for it to end by itself, and return how it did."""
        return self._gone(within)

    def _gone(self, within: float) -> int | None:
        assert self._running is not None
        self._running.join(within)
        code = self._running.exitcode
        assert code is not None, f"{' '.join(self.command)} does not end"
        self._running.close()
        self._running = None
        return code

    def remove(self) -> None:
        """See that it is not there any more."""
        if self._running is not None:
            self._running.kill()
            self._gone(10)


def run(command: Sequence[str], env: Mapping[str, str], log: Path, within: float = 120) -> str:
    """Run a command to its end, and return what it wrote. Raises `AssertionError` if it failed."""
    began = log.stat().st_size if log.exists() else 0
    process = Process(command, env, log)
    process.start()
    code = process.wait(within)
    said = log.read_text()[began:]
    assert code == 0, f"{' '.join(command)} ended with {code} at {time.strftime('%X')}: {said[-2000:]}"
    return said

"""A development machine of its own for each module of tests, used as people use it: by the command line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import app

SAMPLES = Path(__file__).parents[3] / "app" / "demo" / "cases" / "agencies.json"


@dataclass
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Machine:
    """A data folder and a port, and commands run on them."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        return {"RUJUKAN_DATA_DIR": str(self.folder), "RUJUKAN_PORT": str(self.port)}

    def run(self, *arguments: str, stdin: str | None = None, **env: str) -> Outcome:
        """Run a command in this process."""
        result = CliRunner().invoke(app, list(arguments), input=stdin, env={**self.env, **env}, prog_name="rujukan")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """Start a command in a process of its own."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RUJUKAN_")}
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli", *arguments],
            env={**clean, **self.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_apart(self, *arguments: str, **env: str) -> Outcome:
        """Run a command in a process of its own, to its end."""
        with self.start(*arguments, **env) as process:
            out, err = process.communicate(timeout=60)
        return Outcome(process.returncode, out, err)

    @contextmanager
    def serving(self, *arguments: str, **env: str) -> Iterator[subprocess.Popen[str]]:
        """Serve during the block."""
        with self.start("serve", *arguments, **env) as process:
            try:
                assert process.stdout is not None
                first = process.stdout.readline()
                if "listens" not in first:
                    process.kill()
                    raise AssertionError(first + process.communicate()[1])
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                    process.communicate(timeout=30)

    def postmaster(self) -> int | None:
        """The embedded server's process id, if it runs."""
        try:
            return int((self.folder / "postgresql" / "postmaster.pid").read_text().split()[0])
        except FileNotFoundError:
            return None

    def wait_for_postmaster_to_end(self) -> bool:
        """Whether the embedded server ends soon."""
        for _ in range(100):
            if self.postmaster() is None:
                return True
            time.sleep(0.05)
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine with nothing on it yet but what the module's tests put there."""
    return Machine(tmp_path_factory.mktemp("machine") / "data", free_port())

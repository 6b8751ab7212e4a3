"""clamd, for tests: the real one where it is installed, and one of a few lines that fails as it is told."""

from __future__ import annotations

import os
import shutil
import socketserver
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.makers.files import EICAR


def binary() -> str | None:
    """Where clamd is: `CLAMD`, or on the path."""
    return os.environ.get("CLAMD") or shutil.which("clamd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def real(folder: Path, program: str) -> Iterator[str]:
    """A clamd that knows one signature, EICAR's, made here; yields its socket. Nothing is downloaded."""
    database = folder / "db"
    database.mkdir()
    (database / "test.ndb").write_text(f"Test.EICAR:0:*:{EICAR.hex()}\n")
    at = folder / "clamd.sock"
    (folder / "clamd.conf").write_text(
        f"DatabaseDirectory {database}\nLocalSocket {at}\nForeground yes\nStreamMaxLength 2M\nLogFile {folder / 'clamd.log'}\n"
        f"TemporaryDirectory {folder}\n"
    )
    with subprocess.Popen(
        [program, "-c", str(folder / "clamd.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            for _ in range(200):
                if at.exists() or process.poll() is not None:
                    break
                time.sleep(0.05)
            yield str(at)
        finally:
            process.terminate()


class Scripted(socketserver.ThreadingTCPServer):
    """Speaks INSTREAM (clamd(8)): reads length and chunk until a length of nought, then says what it is told to; `cut`: nothing, at once."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, says: str = "stream: OK") -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.says = says
        self.seen: list[bytes] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """As the setting names it."""
        return f"127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Scripted)
        assert self.rfile.readline() == b"nINSTREAM\n"
        if server.says == "cut":
            return
        got = b""
        while length := struct.unpack("!L", self.rfile.read(4))[0]:
            got += self.rfile.read(length)
        server.seen.append(got)
        self.wfile.write(server.says.encode() + b"\n")

"""The process's log on standard error: level and names, and of an exception only its type and place, never its text."""

from __future__ import annotations

import logging
import sys
from types import TracebackType
from typing import Literal

from app.foundation.settings import Settings


class Discreet(logging.Formatter):
    """Formats an exception as its type and the line it came from: messages and source lines may hold what a person told us."""

    def formatException(  # noqa: N802 -- the name logging calls
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """Return type and place."""
        kind, _, trace = ei
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
        return f"{kind.__name__ if kind else 'error'}{place}"

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        return super().format(record).replace("\n", " | ")

    def formatStack(self, _: str) -> Literal[""]:  # noqa: N802
        """Return nothing."""
        return ""


def configure(settings: Settings) -> None:
    """Send our log and the web server's to standard error; libraries speak only up from warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Discreet("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("rujukan").setLevel(settings.log_level)
    if settings.log_level == "DEBUG":
        logging.getLogger().setLevel(logging.DEBUG)

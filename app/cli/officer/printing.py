"""`form`: a referral or transfer as a file to print."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Final

import typer

from app.cli.common import say
from app.cli.failures import Failure
from app.cli.officer.finding import PASSED, find
from app.cli.officer.session import Reference, Session, officer_command

app = typer.Typer()
PANEL: Final = "Reading, for an agency's officer"


@officer_command(app, "form", panel=PANEL)
def form(
    session: Session,
    reference: Reference,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where to write it. Unset: here, named by the reference.", show_default=False
        ),
    ] = None,
) -> None:
    """Write a referral or transfer as a page to print on A4, as your agency may read it now. That it was read is logged.

    The file is for your eyes alone (mode 0600) and never overwrites another: print it, then erase it.
    """
    path = output or Path(f"{re.sub(r'[^A-Za-z0-9-]', '_', reference.strip())}.html")
    if path.exists():  # asked before anything is read
        raise Failure(f"{path} exists already", "Erase it, or name another with --output.")
    found, _ = find(session, reference, PASSED)
    page = session.get_page(f"{found.path}/form", lang=session.lang.value)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(page)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from None
    session.show({"file": str(path)}, lambda: say(f"Written to {path}. Print it, then erase it."))

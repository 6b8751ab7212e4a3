"""`python -m tests.soak --referrals 20000`, `make soak`: the soak in full. `SEED=…` plays one again."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import typer

from tests.soak.run import soak


def main() -> None:
    """Play one soak and say what came of it; exit 1 if anything is wrong."""
    asked = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    asked.add_argument("--referrals", type=int, default=20_000, help="how many are sent (20000)")
    asked.add_argument(
        "--seed", default=os.environ.get("SEED") or secrets.token_hex(4), help="what the play is drawn from"
    )
    asked.add_argument("--minutes", type=float, help="send no more after so many; the rest is still done and compared")
    asked.add_argument("--at-once", type=int, default=8, help="how many agencies' people act at once (8)")
    given = asked.parse_args()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # receivers that hang are cut off in the end
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
    folder = Path(tempfile.mkdtemp(prefix="rujukan-soak-"))
    folder.chmod(0o755)
    typer.echo(f"SEED={given.seed}, {given.referrals} referrals, logs in {folder}")
    outcome = asyncio.run(
        soak(
            folder,
            given.referrals,
            given.seed,
            at_once=given.at_once,
            play_for=None if given.minutes is None else given.minutes * 60,
            say=typer.echo,
        )
    )
    for what, count in sorted(outcome.counted.items()):
        typer.echo(f"  {count:7} {what}")
    typer.echo(outcome.figures())
    for fault in outcome.faults[:50]:
        typer.echo(f"WRONG: {fault}")
    if outcome.faults:
        typer.echo(f"{len(outcome.faults)} faults; SEED={given.seed} plays it again; logs in {folder}")
        sys.exit(1)
    typer.echo("Everybody knows the same, nothing is missing, nothing is there twice; the log is whole.")
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

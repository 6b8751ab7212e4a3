"""The soak in short. `make soak` plays it in full."""

from __future__ import annotations

import secrets
from pathlib import Path

from app.foundation.database import Addresses
from tests.conftest import clone
from tests.soak.run import soak


async def test_a_short_soak(template: Addresses, tmp_path: Path) -> None:
    """Processes are killed, readers and receivers stop and start; in the end everybody knows the same."""
    seed = secrets.token_hex(4)
    where = await clone(template, f"soak_{seed}")
    outcome = await soak(
        tmp_path, 12, seed, where, at_once=6, acts=3, kill_every=(0.3, 0.8), fewest_kills=2, most_kills=3
    )
    assert outcome.faults == [], f"SEED={seed}: {outcome.faults[:10]}"
    assert outcome.kills >= 2, outcome.figures()
    assert outcome.acts >= 10, outcome.figures()
    assert outcome.events > outcome.acts, outcome.figures()

"""How much a run tries: a share, or everything with `ALL=1`."""

from __future__ import annotations

import os
from typing import Final

ALL: Final = os.environ.get("ALL") == "1"


def examples(many: int) -> int:
    """How many examples Hypothesis makes: a third of `many` in an ordinary run, others each time."""
    return many if ALL else max(5, many // 3)

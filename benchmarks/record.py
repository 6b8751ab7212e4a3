"""What the record's rules cost: the sample record through our models, and through the same shape without any rule.

`python -m benchmarks.record` runs this alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import timeit
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, RootModel, create_model
from rich.console import Console
from rich.table import Table

from schemas import Record

SAMPLE = Path(__file__).parents[1] / "openapi" / "examples" / "record.json"
ROUNDS = 15
SECONDS_A_ROUND = 0.1
AIM = 2.0


def plain(kind: Any, made: dict[type[BaseModel], type[BaseModel]]) -> Any:
    """The type somebody would write who has only the JSON to go by: `str`, `int`, `float`, `bool`, `list`, a model."""
    origin = get_origin(kind)
    if origin is Annotated:
        return plain(get_args(kind)[0], made)
    if origin in (Union, UnionType):
        parts = [plain(part, made) for part in get_args(kind) if part is not NoneType]
        return parts[0] | None
    if origin is tuple:
        return list[plain(get_args(kind)[0], made)]  # type: ignore[misc]
    if isinstance(kind, type) and issubclass(kind, RootModel):
        return dict[str, dict[str, Any]]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind not in made:
            made[kind] = _plain_model(kind, made)
        return made[kind]
    if kind in (int, float, bool):
        return kind
    if isinstance(kind, type) and issubclass(kind, Enum):
        return str
    return str  # text, and dates as they are written


def _plain_model(kind: type[BaseModel], made: dict[type[BaseModel], type[BaseModel]]) -> type[BaseModel]:
    hints = get_type_hints(kind, include_extras=True)
    fields: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        default = ... if field.is_required() else [] if field.default == () else field.default
        fields[name] = (plain(hints[name], made), default)
    return create_model(kind.__name__, **fields)


def microseconds(*calls: Callable[[], object]) -> list[list[float]]:
    """The processor's time of each call, by turns, so that what else the machine does falls on all of them."""
    timers = [timeit.Timer(call, timer=time.process_time) for call in calls]
    numbers = [max(1, int(SECONDS_A_ROUND / (timer.timeit(200) / 200))) for timer in timers]
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for times, timer, number in zip(taken, timers, numbers, strict=True):
            times.append(timer.timeit(number) / number * 1e6)
    return taken


def seconds_to_import(module: str, before: str) -> float:
    """Seconds a fresh interpreter takes for the import, once `before` is there."""
    code = f"import {before}, time; began = time.perf_counter(); import {module}; print(time.perf_counter() - began)"
    runs = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
        for _ in range(5)
    ]
    return min(runs)


def main() -> None:
    console = Console()
    raw = json.dumps(json.loads(SAMPLE.read_bytes()), ensure_ascii=False, separators=(",", ":")).encode()
    simple = plain(Record, {})
    ours, theirs = Record.model_validate_json(raw), simple.model_validate_json(raw)
    rows = {
        "validate": (lambda: Record.model_validate_json(raw), lambda: simple.model_validate_json(raw)),
        "serialise": (
            lambda: ours.model_dump_json(exclude_none=True),
            lambda: theirs.model_dump_json(exclude_none=True),
        ),
        "both": (
            lambda: Record.model_validate_json(raw).model_dump_json(exclude_none=True),
            lambda: simple.model_validate_json(raw).model_dump_json(exclude_none=True),
        ),
    }
    table = Table(
        title=f"The sample record, {len(raw)} bytes: the least of {ROUNDS} rounds (aim: at most {AIM:.0f} times)"
    )
    for column in ("what", "µs", "µs without rules", "times"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for what, calls in rows.items():
        mine, other = microseconds(*calls)
        # The least of the rounds: what disturbs only adds.
        least, plain_least = min(mine), min(other)
        table.add_row(what, f"{least:.0f}", f"{plain_least:.0f}", f"{least / plain_least:.2f}")
    console.print(table)
    console.print(
        f"First import of schemas, pydantic being there: {seconds_to_import('schemas', 'pydantic') * 1e3:.0f} ms"
    )


if __name__ == "__main__":
    main()

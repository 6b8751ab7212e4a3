"""The types with names of their own, each with what the source says of it, if it says anything."""

import ast
import inspect
from itertools import pairwise
from types import ModuleType
from typing import Annotated, Any, Final, get_origin

from schemas import base, text
from schemas.record import common, exploitation, psychosocial


def _meanings(module: ModuleType) -> dict[str, str]:
    """The string below each assignment."""
    body = ast.parse(inspect.getsource(module)).body
    found: dict[str, str] = {}
    for statement, after in pairwise(body):
        if not isinstance(statement, ast.Assign) or not isinstance(after, ast.Expr):
            continue
        target = statement.targets[0]
        if (
            isinstance(target, ast.Name)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            found[target.id] = inspect.cleandoc(after.value.value)
    return found


def _named() -> dict[str, tuple[Any, str]]:
    found: dict[str, tuple[Any, str]] = {}
    for module in (text, base, common, exploitation, psychosocial):
        meanings = _meanings(module)
        for name, kind in vars(module).items():
            if get_origin(kind) is Annotated and name not in found:
                found[name] = (kind, meanings.get(name, ""))
    return found


NAMED: Final[dict[str, tuple[Any, str]]] = _named()
"""Each named type and its meaning."""

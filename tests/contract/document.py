"""The committed documents, as who builds against them reads them: making them takes seconds, which every worker would spend at collection.

That they are the code's has tests of its own (`test_openapi.py`, `test_admin_openapi.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "openapi"
DOCUMENT: dict[str, Any] = json.loads((FOLDER / "openapi.json").read_text(encoding="utf-8"))
ADMIN: dict[str, Any] = json.loads((FOLDER / "admin.json").read_text(encoding="utf-8"))


def operations_of(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation, each with its own parameters and answers instead of references to shared ones."""

    def there(part: dict[str, Any]) -> dict[str, Any]:
        match part.get("$ref", "").split("/"):
            case ["#", "components", kind, name]:
                found: dict[str, Any] = document["components"][kind][name]
                return found
        return part

    return [
        (
            method,
            path,
            {
                **operation,
                "parameters": [there(each) for each in operation.get("parameters", ())],
                "responses": {status: there(answer) for status, answer in operation["responses"].items()},
            },
        )
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def everywhere(part: Any) -> Iterator[dict[str, Any]]:
    """Every object in the document."""
    if isinstance(part, dict):
        yield part
        for value in part.values():
            yield from everywhere(value)
    elif isinstance(part, list):
        for value in part:
            yield from everywhere(value)


def not_used(document: dict[str, Any]) -> tuple[set[str], set[str]]:
    """What is referred to and is not there, and what is there and not referred to; schemes are named without a reference."""
    referred = {part["$ref"] for part in everywhere(document) if "$ref" in part}
    components = {kind: parts for kind, parts in document["components"].items() if kind != "securitySchemes"}
    there = {f"#/components/{kind}/{name}" for kind, parts in components.items() for name in parts}
    return referred - there, there - referred

"""The Node packages: exact versions, checked by hashes, from no address that is written down."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.clients.conftest import HERE


def read(name: str) -> Any:
    return json.loads((HERE / name).read_text())


def test_versions_are_exact_and_those_of_the_lock() -> None:
    wanted = read("package.json")["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    locked = read("package-lock.json")["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_every_package_has_a_hash_and_runs_nothing_when_it_is_installed() -> None:
    packages = {name: each for name, each in read("package-lock.json")["packages"].items() if name}
    assert [name for name, each in packages.items() if not each["integrity"].startswith("sha512-")] == []
    assert [name for name, each in packages.items() if "hasInstallScript" in each] == []


def test_no_address_is_written_down() -> None:
    for name in ("package.json", "package-lock.json", ".npmrc"):
        assert "://" not in (HERE / name).read_text(), f"{name}: `.ci/node-packages .venv/bin lock` writes it anew"

"""`doctor`: what it finds, and that it changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.cli import checks
from app.cli.checks import Finding, of_database, of_files, of_settings
from app.foundation.clock import Clock
from app.foundation.database import Addresses
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from tests.app.cli.conftest import Machine, free_port


@pytest.fixture(scope="module")
def prepared(machine: Machine) -> Machine:
    """A machine on which something was done."""
    assert machine.run("keys", "list").code == 0
    return machine


def _by_check(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {finding["check"]: finding for finding in found}


class TestDoctor:
    def test_finds_a_prepared_machine_well_but_not_served(self, prepared: Machine) -> None:
        ended = prepared.run("doctor", "--json")
        found = _by_check(ended.json)
        assert ended.code == 0, ended.out
        assert {name for name, each in found.items() if each["state"] != "ok"} == {"service"}
        assert found["service"]["state"] == "warn"
        assert set(found) == {
            "settings",
            "data folder",
            "keyring",
            "database",
            "clock",
            "migrations",
            "role app",
            "role worker",
            "role admin",
            "partitions",
            "erasure list",
            "jobs",
            "worker",
            "log",
            "signing keys",
            "monthly keys",
            "service",
        }

    @pytest.mark.parametrize("nonces", ["off", "on"])
    def test_says_whether_proofs_need_a_nonce(self, nonces: str) -> None:
        (found,) = of_settings(Settings(dpop_nonces=nonces))
        assert (found.state, f"DPoP nonces {nonces}" in found.says) == ("ok", True)

    def test_says_what_to_do_in_words(self, prepared: Machine) -> None:
        ended = prepared.run("doctor")
        assert "warn service" in ended.out
        assert "→ Is `rujukan serve` running" in ended.out

    def test_fails_for_a_keyring_that_others_can_read(self, prepared: Machine) -> None:
        path = prepared.folder / "keyring.json"
        path.chmod(0o644)
        try:
            ended = prepared.run("doctor", "--json")
        finally:
            path.chmod(0o600)
        assert ended.code == 1
        assert _by_check(ended.json)["keyring"]["state"] == "fail"
        assert _by_check(ended.json)["keyring"]["do"] == f"chmod 600 {path}"

    def test_fails_for_a_keyring_that_is_not_the_databases(self, prepared: Machine, tmp_path: Path) -> None:
        Keyring.open(tmp_path / "other.json", create=True)
        ended = prepared.run("doctor", "--json", RUJUKAN_KEYRING_FILE=str(tmp_path / "other.json"))
        assert ended.code == 1
        assert _by_check(ended.json)["signing keys"]["state"] == "fail"

    def test_makes_nothing_on_an_empty_machine(self, tmp_path: Path) -> None:
        machine = Machine(tmp_path / "data", free_port())
        ended = machine.run("doctor", "--json")
        assert ended.code == 1
        assert _by_check(ended.json)["database"]["do"] == "`rujukan serve` makes it."
        assert not machine.folder.exists()

    def test_names_a_database_that_cannot_be_reached(self, tmp_path: Path) -> None:
        url = f"postgresql://rujukan_app:secret-word@127.0.0.1:{free_port()}/rujukan"
        ended = Machine(tmp_path, free_port()).run("doctor", "--json", RUJUKAN_DATABASE_URL=url)
        assert ended.code == 1
        assert "cannot be reached" in _by_check(ended.json)["database"]["says"]
        assert "secret-word" not in ended.out + ended.err


async def _findings(settings: Settings, found: Addresses, clock: Clock | None = None) -> dict[str, Finding]:
    return {finding.check: finding async for finding in of_database(settings, found, clock or Clock())}


class TestDatabaseChecks:
    @pytest.fixture
    def settings(self, exchange: Any) -> Settings:
        found: Settings = exchange.settings
        return found

    async def test_fail_for_a_login_that_passes_policies(self, settings: Settings, addresses: Addresses) -> None:
        assert addresses.owner is not None
        everybody = Addresses(app=addresses.owner, worker=addresses.app, admin=addresses.admin, owner=None)
        found = await _findings(settings, everybody)
        assert found["role app"].state == "fail"
        assert "postgres" in found["role app"].says
        assert found["role worker"].state == "fail"  # the app's login cannot do the worker's work
        assert found["role admin"].state == "ok"

    async def test_fail_for_months_without_partitions(self, settings: Settings, addresses: Addresses) -> None:
        found = await _findings(settings, addresses, Clock(timedelta(days=400)))
        assert found["partitions"].state == "fail"

    async def test_fail_for_events_that_wait_too_long(
        self, world: Any, settings: Settings, addresses: Addresses
    ) -> None:
        await world.send()
        assert (await _findings(settings, addresses))["worker"].state == "ok"
        found = await _findings(settings, addresses, Clock(timedelta(seconds=30)))
        assert found["worker"].state == "fail"
        assert "rujukan worker" in found["worker"].do

    async def test_fail_for_an_old_schema(
        self, settings: Settings, addresses: Addresses, exchange: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.foundation.migrate.newest", lambda: "9999")
        found = await _findings(settings, addresses)
        assert found["migrations"].state == "fail"
        assert "role app" not in found

    async def test_fail_for_a_database_that_is_not_there(self, settings: Settings, addresses: Addresses) -> None:
        elsewhere = addresses.app.replace("/test_", "/nowhere_")
        found = await _findings(settings, Addresses(app=elsewhere, worker=elsewhere, admin=elsewhere, owner=None))
        assert found["database"].state == "fail"
        assert "rujukan migrate" in found["database"].do

    async def test_fail_for_an_old_server(
        self, settings: Settings, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checks, "MINIMUM_VERSION", 990_000)
        assert (await _findings(settings, addresses))["database"].state == "fail"

    async def test_warn_of_clocks_that_differ(
        self, settings: Settings, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def late(_: asyncpg.Connection) -> dict[str, Any]:
            return {"version": 180_001, "time": datetime.now(UTC) - timedelta(seconds=9)}

        monkeypatch.setattr("app.cli.queries.about_server", late)
        found = await _findings(settings, addresses)
        assert (found["clock"].state, found["database"].says) == ("warn", "PostgreSQL 18.1 (embedded)")


class TestOtherChecks:
    def test_settings_of_production_fail_one_by_one(self) -> None:
        found = list(of_settings(Settings(env="production", clock_offset_seconds=5)))
        assert sum(finding.state == "fail" for finding in found) >= 4
        assert found[-1].state == "warn"

    def test_a_damaged_keyring_fails(self, tmp_path: Path) -> None:
        (tmp_path / "keyring.json").write_text("{}")
        found = {finding.check: finding for finding in of_files(Settings(data_dir=tmp_path))}
        assert found["keyring"].state == "fail"

    def test_a_data_folder_that_is_a_file_fails(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_text("")
        found = {finding.check: finding for finding in of_files(Settings(data_dir=tmp_path / "data"))}
        assert found["data folder"].state == "fail"

"""`deploy/` fits together: the compose file is one by its specification, and says nothing the code does not know."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from app.foundation.keyring import Keyring
from app.foundation.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("rujukan:")]
SETTINGS = {f"RUJUKAN_{name.upper()}" for name in Settings.model_fields}
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def secrets_of(name: str) -> set[str]:
    return set(SERVICES[name].get("secrets", []))


class TestCompose:
    def test_follows_the_compose_specification(self) -> None:
        schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
        errors = [
            f"{error.instance_path}: {error.message}"
            for error in jsonschema_rs.validator_for(schema).iter_errors(COMPOSE)
        ]
        assert not errors

    def test_names_only_settings_there_are(self) -> None:
        assert set(re.findall(r"RUJUKAN_[A-Z_]+[A-Z]", TEXT)) <= SETTINGS
        assert {secret.upper() for secret in COMPOSE["secrets"] if secret.startswith("rujukan_")} <= SETTINGS

    def test_runs_every_part(self) -> None:
        assert set(OURS) == {"migrate", "service", "admin", "worker"}
        assert set(SERVICES) == {*OURS, "database", "proxy"}

    def test_is_of_this_version(self) -> None:
        version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        assert {SERVICES[name]["image"] for name in OURS} == {f"rujukan:{version}"}

    @pytest.mark.parametrize("name", SERVICES)
    def test_only_the_proxy_is_reached_from_outside(self, name: str) -> None:
        assert ("ports" in SERVICES[name]) == (name == "proxy")
        outside = {
            network for network in SERVICES[name]["networks"] if not COMPOSE["networks"][network].get("internal")
        }
        assert bool(outside) == (name == "proxy")
        assert not SERVICES[name].keys() & {"network_mode", "privileged", "pid", "ipc"}

    def test_the_proxy_cannot_reach_the_database(self) -> None:
        assert not set(SERVICES["proxy"]["networks"]) & set(SERVICES["database"]["networks"])

    @pytest.mark.parametrize("name", [*OURS, "proxy"])
    def test_runs_as_nobody_in_particular(self, name: str) -> None:
        service = SERVICES[name]
        assert service["user"] == "10001:10001"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]

    @pytest.mark.parametrize("name", SERVICES)
    def test_has_a_health_check_unless_it_ends(self, name: str) -> None:
        check = SERVICES[name]["healthcheck"]
        assert ("test" in check) != (name == "migrate")

    @pytest.mark.parametrize("name", SERVICES)
    def test_has_its_secrets_in_files_and_nowhere_else(self, name: str) -> None:
        assert secrets_of(name) <= set(COMPOSE["secrets"])
        for value in SERVICES[name].get("environment", {}).values():
            assert "postgresql://" not in str(value)
        assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())

    def test_gives_the_owner_to_the_migration_alone(self) -> None:
        assert [name for name in SERVICES if "rujukan_database_owner_url" in secrets_of(name)] == ["migrate"]
        assert [name for name in SERVICES if "keyring" in secrets_of(name)] == ["service", "admin", "worker"]

    def test_waits_for_the_migration(self) -> None:
        for name in ("service", "admin", "worker"):
            assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}

    def test_lets_requests_in_flight_end(self) -> None:
        from app.cli.serving import GRACE

        assert all(
            int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > GRACE
            for name in ("service", "admin", "worker")
        )

    @pytest.mark.parametrize("name", [name for name in OURS if name != "migrate"])
    def test_would_not_be_refused_in_production(self, tmp_path: Path, name: str) -> None:
        assert settings_of(name, tmp_path).unsafe() == []

    def test_administers_in_a_process_of_its_own_alone(self, tmp_path: Path) -> None:
        """What the public reaches does not serve /admin and cannot log in as who may administer."""
        serving = [name for name in OURS if settings_of(name, tmp_path).administration == "on"]
        assert serving == ["admin"]
        holders = [name for name in SERVICES if "rujukan_database_admin_url" in secrets_of(name)]
        assert holders == ["migrate", "admin"]
        assert settings_of("admin", tmp_path).admin_origin != settings_of("admin", tmp_path).public_url

    def test_takes_two_people_everywhere(self, tmp_path: Path) -> None:
        assert all(settings_of(name, tmp_path).needs_two_people for name in OURS)

    def test_names_in_the_example_what_it_asks_for(self) -> None:
        asked = set(re.findall(r"\$\{(\w+)", TEXT))
        assert asked == set(re.findall(r"^#?(\w+)=", (DEPLOY / "env.example").read_text(), re.MULTILINE))

    def test_publishes_administration_on_no_address_by_itself(self) -> None:
        (port,) = [each for each in SERVICES["proxy"]["ports"] if each.endswith(":8444")]
        assert port == "${ADMIN_ADDRESS:-127.0.0.1}:8444:8444"


def settings_of(name: str, folder: Path) -> Settings:
    """What a service would run with, its secrets made as `make-secrets` does."""
    keyring = folder / "keyring.json"
    if not keyring.exists():
        Keyring.open(keyring, create=True)
    given = {
        variable.removeprefix("RUJUKAN_").lower(): value for variable, value in SERVICES[name]["environment"].items()
    }
    given |= {
        "public_url": "https://rujukan.example.go.id",
        "admin_url": "https://admin.rujukan.example.go.id:8444",
        "keyring_file": str(keyring),
    }
    for secret in secrets_of(name):
        if match := re.fullmatch(r"rujukan_(database_(\w+_)?url)", secret):
            given[match[1]] = (
                f"postgresql://rujukan_{(match[2] or 'app').strip('_')}:{secrets.token_hex(32)}@database/rujukan"
            )
    return Settings(**given)


class TestProxy:
    TEXT = (DEPLOY / "Caddyfile").read_text()

    def test_is_given_every_variable_it_reads(self) -> None:
        assert set(re.findall(r"\{\$(\w+)\}", self.TEXT)) == set(SERVICES["proxy"]["environment"])

    def test_listens_where_its_ports_are_published(self) -> None:
        inside = {mapping.rpartition(":")[2] for mapping in SERVICES["proxy"]["ports"]}
        listened = {re.search(rf"^\t{kind}_port (\d+)$", self.TEXT, re.M)[1] for kind in ("http", "https")}
        assert inside == {*listened, "8444"}
        assert "{$ADMIN_HOST}:8444 {" in self.TEXT

    def test_passes_nothing_but_administration_to_its_process(self) -> None:
        block = self.TEXT.partition("{$ADMIN_HOST}:8444 {")[2].partition("\n}\n")[0]
        assert "@administration path /admin /admin/* /static/*" in block
        assert block.count("reverse_proxy") == 1
        assert "respond 404" in block
        assert "ADMIN_UPSTREAM" not in self.TEXT.replace(block, "")

    def test_takes_client_certificates_from_nobody(self) -> None:
        assert self.TEXT.count("reverse_proxy") == self.TEXT.count("header_up -Client-Cert\n") == 2
        assert self.TEXT.count("header_up -Client-Cert-Chain\n") == 2

    def test_takes_what_the_exchange_takes(self) -> None:
        assert "max_size 1MiB" in self.TEXT
        assert Settings.model_fields["max_body_bytes"].default == 1 << 20


@pytest.mark.skipif(shutil.which("sh") is None or os.name != "posix", reason="needs a shell")
class TestScripts:
    def test_the_entry_point_hands_over_secrets_and_arguments(self, tmp_path: Path) -> None:
        secrets, bin = tmp_path / "secrets", tmp_path / "bin"
        secrets.mkdir()
        bin.mkdir()
        (secrets / "rujukan_database_url").write_text("postgresql://rujukan_app:a b$c@database/rujukan\n")
        (secrets / "rujukan_database_worker_url").write_text("postgresql://worker")
        (secrets / "keyring").write_text("{}")
        (bin / "rujukan").write_text('#!/bin/sh\nenv | grep ^RUJUKAN | sort\nprintf "<%s>" "$@"\n')
        (bin / "rujukan").chmod(0o755)
        said = subprocess.run(
            ["sh", DEPLOY / "entrypoint.sh", "serve", "--host", "0.0.0.0"],
            env={"PATH": f"{bin}:/usr/bin:/bin", "SECRETS_DIR": str(secrets)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        assert said.splitlines() == [
            "RUJUKAN_DATABASE_URL=postgresql://rujukan_app:a b$c@database/rujukan",
            "RUJUKAN_DATABASE_WORKER_URL=postgresql://worker",
            "<serve><--host><0.0.0.0>",
        ]

    @pytest.mark.skipif(
        shutil.which("openssl") is None or not Path(sys.executable).with_name("rujukan").exists(),
        reason="needs openssl and the installed command",
    )
    def test_make_secrets_makes_what_compose_reads_and_replaces_nothing(self, tmp_path: Path) -> None:
        folder = tmp_path / "secrets"
        command = ["sh", DEPLOY / "make-secrets", folder]
        rujukan = Path(sys.executable).with_name("rujukan")
        environment = {**os.environ, "RUJUKAN": str(rujukan)}
        subprocess.run(command, env=environment, check=True, capture_output=True)
        wanted = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} - {"tls.crt", "tls.key"}
        assert {path.name for path in folder.iterdir()} == wanted
        assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}
        password = (folder / "database_owner_password").read_text()
        assert password in (folder / "rujukan_database_owner_url").read_text()
        Keyring.open(folder / "keyring.json", create=False)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        subprocess.run(command, env=environment, check=True, capture_output=True)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    def test_what_they_make_is_never_committed(self) -> None:
        ignored = (DEPLOY / ".gitignore").read_text().split()
        assert {"/secrets/", "/.env"} <= set(ignored)


class TestImage:
    def test_installs_by_hash_in_a_stage_of_its_own(self) -> None:
        assert "pip install --require-hashes -r requirements.txt" in DOCKERFILE
        assert DOCKERFILE.count("\nFROM ") == 2
        *_, last = DOCKERFILE.split("\nFROM ")
        assert "pip install" not in last

    def test_runs_as_the_user_compose_names(self) -> None:
        assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == [SERVICES["service"]["user"]]

    def test_serves_and_checks_itself_without_other_tools(self) -> None:
        assert 'CMD ["serve", "--host", "0.0.0.0"]' in DOCKERFILE
        assert "HEALTHCHECK" in DOCKERFILE
        assert "/healthz" in DOCKERFILE
        assert "curl" not in DOCKERFILE

    def test_holds_nothing_but_what_is_copied(self) -> None:
        copied = {
            word
            for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
            for word in [each for each in line.split() if not each.startswith("--")][:-1]
        }
        lines = (ROOT / ".dockerignore").read_text().splitlines()
        rules = [line for line in lines if line and not line.startswith("#")]
        assert rules[0] == "*"
        assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
        assert all((ROOT / name).exists() for name in copied)

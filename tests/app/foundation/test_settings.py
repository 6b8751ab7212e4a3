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
    "two_people": "on",
    "public_url": "https://rujukan.example.go.id",
    "database_url": "postgresql://rujukan_app:9f3c1e7a52d84b06@db/rujukan",
    "database_worker_url": "postgresql://rujukan_worker:9f3c1e7a52d84b06@db/rujukan",
    "database_admin_url": "postgresql://rujukan_admin:9f3c1e7a52d84b06@db/rujukan",
    "address_proxies": "10.0.0.7",
}


@pytest.fixture
def safe(tmp_path: Path) -> dict[str, Any]:
    """Settings production accepts."""
    keyring = tmp_path / "keyring.json"
    keyring.write_text("{}")
    keyring.chmod(0o600)
    return {**SAFE, "keyring_file": keyring, "erasure_list": tmp_path / "erasures"}


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
        alone["administration"] = "off"
        Settings(**alone).refuse_unsafe()

    def test_development_accepts_anything(self) -> None:
        Settings(clock_offset_seconds=5, log_level="DEBUG").refuse_unsafe()

    def test_refuses_everything_at_once(self) -> None:
        with pytest.raises(UnsafeSettings) as refused:
            Settings(env="production", clock_offset_seconds=5, log_level="DEBUG").refuse_unsafe()
        assert len(refused.value.reasons) == 9

    @pytest.mark.parametrize(
        ("change", "names"),
        [
            ({"public_url": "http://rujukan.example.go.id"}, "PUBLIC_URL"),
            ({"database_url": None}, "DATABASE_URL"),
            ({"database_url": SecretStr("postgresql://postgres@db/rujukan")}, "DATABASE_URL"),
            ({"database_url": SecretStr("postgresql://db/rujukan")}, "DATABASE_URL"),
            ({"database_worker_url": None}, "DATABASE_WORKER_URL"),
            ({"database_admin_url": SecretStr("postgresql://postgres@db/rujukan")}, "DATABASE_ADMIN_URL"),
            ({"database_url": SecretStr("postgresql://rujukan_app:rujukan_app@db/rujukan")}, "DATABASE_URL"),
            ({"database_url": SecretStr("postgresql://rujukan_app:@db/rujukan")}, "DATABASE_URL"),
            (
                {"database_admin_url": SecretStr("postgresql://rujukan_admin:change-me@db/rujukan")},
                "DATABASE_ADMIN_URL",
            ),
            ({"database_owner_url": SecretStr("postgresql://owner:xxxxxxxxxxxxxxxxxxxx@db/x")}, "DATABASE_OWNER_URL"),
            ({"database_admin_url": None}, "DATABASE_ADMIN_URL"),
            ({"two_people": "off"}, "TWO_PEOPLE"),
            ({"admin_url": "http://admin.rujukan.example.go.id"}, "ADMIN_URL"),
            ({"keyring_file": None}, "KEYRING_FILE"),
            ({"erasure_list": None}, "ERASURE_LIST"),
            ({"clock_offset_seconds": 1}, "CLOCK_OFFSET_SECONDS"),
            ({"log_level": "DEBUG"}, "LOG_LEVEL"),
            ({"address_proxies": ""}, "ADDRESS_PROXIES"),
            ({"address_proxies": "10.0.0.0/8"}, "ADDRESS_PROXIES"),
            ({"trusted_proxies": "0.0.0.0/0"}, "TRUSTED_PROXIES"),
            ({"trusted_proxies": "10.0.0.1, ::/0"}, "TRUSTED_PROXIES"),
            ({"trusted_proxies": "10.0.0.1", "mtls_url": "http://mtls.example"}, "MTLS_URL"),
            ({"mtls_url": "https://mtls.example"}, "MTLS_URL"),
            ({"tls_client_ca": Path("ca.crt")}, "TLS_CLIENT_CA"),
        ],
    )
    def test_names_what_is_unsafe(self, safe: dict[str, Any], change: dict[str, Any], names: str) -> None:
        assert any(f"RUJUKAN_{names} " in reason for reason in Settings(**{**safe, **change}).unsafe())

    def test_accepts_a_database_that_asks_for_no_password(self, safe: dict[str, Any]) -> None:
        """One that knows its roles by certificate, or by the user of a socket."""
        Settings(**{**safe, "database_url": "postgresql://rujukan_app@/rujukan?host=/run/postgresql"}).refuse_unsafe()

    def test_refuses_a_keyring_others_can_read(self, safe: dict[str, Any]) -> None:
        safe["keyring_file"].chmod(0o640)
        (reason,) = Settings(**safe).unsafe()
        assert "0600" in reason

    def test_refuses_a_tls_key_others_can_read(self, safe: dict[str, Any], tmp_path: Path) -> None:
        key = tmp_path / "tls.key"
        key.write_text("")
        key.chmod(0o644)
        (reason,) = Settings(**safe, tls_certificate=key, tls_key=key).unsafe()
        assert "RUJUKAN_TLS_KEY" in reason

    def test_accepts_mutual_tls_behind_named_proxies(self, safe: dict[str, Any]) -> None:
        Settings(
            **safe, trusted_proxies="10.0.0.7, 10.1.0.0/16, fd00::/64", mtls_url="https://m.example"
        ).refuse_unsafe()


class TestMutualTls:
    def test_is_off_unless_a_certificate_can_arrive(self) -> None:
        assert not Settings(tls_client_ca=Path("ca.crt")).takes_client_certificates
        assert not Settings(tls_certificate=Path("c"), tls_key=Path("k")).takes_client_certificates
        assert Settings(tls_certificate=Path("c"), tls_key=Path("k"), tls_client_ca=Path("a")).takes_client_certificates
        assert Settings(trusted_proxies="10.0.0.1").takes_client_certificates

    @pytest.mark.parametrize(
        "wrong",
        [
            {"tls_certificate": Path("c")},
            {"tls_key": Path("k")},
            {"trusted_proxies": "proxy.example"},
            {"trusted_proxies": "10.0.0.1/8"},
            {"trusted_proxies": "unix"},
        ],
    )
    def test_half_a_setting_is_none(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            Settings(**wrong)

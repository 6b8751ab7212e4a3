"""`serve` where TLS ends in it, or on a socket for a proxy: the integrators' page is followed word by word."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from app.cli.checks import of_tls
from app.foundation.clock import Clock
from app.foundation.settings import Settings
from tests.app.cli.conftest import SAMPLES, Machine, free_port
from tests.makers.certificates import Authority, self_signed

ROOT = Path(__file__).parents[3]
SECTION = (ROOT / "docs" / "oauth.md").read_text().partition("## The easy way: mutual TLS")[2].partition("\n## ")[0]
CERTIFICATES, SERVICE, CLIENT, BY_OURS = re.findall(r"```bash\n(.*?)```", SECTION, re.DOTALL)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine in whose folder the page's commands run, with a free port instead of the page's."""
    folder = tmp_path_factory.mktemp("mtls")
    return Machine(folder / "data", free_port())


def run(machine: Machine, commands: str) -> subprocess.CompletedProcess[str]:
    rujukan = f'rujukan() {{ {sys.executable} -m app.cli "$@"; }}'
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RUJUKAN_")}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{rujukan}\n{commands.replace('8443', str(machine.port))}"],
        cwd=machine.folder.parent,
        env={**clean, "RUJUKAN_DATA_DIR": str(machine.folder), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_page_can_be_followed(shell: Machine) -> None:
    made = run(shell, CERTIFICATES)
    assert made.returncode == 0, made.stderr
    assert shell.run("agencies", "import", str(SAMPLES)).code == 0
    serves = "rujukan serve &"
    assert serves in SERVICE
    added = run(shell, SERVICE.replace(serves, ""))
    assert added.returncode == 0, added.stderr
    exported = dict(re.findall(r"(RUJUKAN_\w+)=(\S+)", SERVICE.replace("8443", str(shell.port))))
    files = {name: str(shell.folder.parent / value) if "TLS" in name else value for name, value in exported.items()}
    with shell.serving(**files):
        told = run(shell, CLIENT)
        assert told.returncode == 0, told.stdout + told.stderr
        assert json.loads(told.stdout)["client_id"] == "rptc-system"
        ours = run(shell, f"export RUJUKAN_PUBLIC_URL={exported['RUJUKAN_PUBLIC_URL']}\n{BY_OURS}")
        assert (ours.returncode, ours.stderr) == (0, "")
        assert json.loads(ours.stdout)["client_id"] == "rptc-system"
        alone = re.sub(r"--cert \S+ --key \S+", "", CLIENT)
        assert run(shell, alone).returncode != 0


def test_what_is_wrong_with_the_files_of_api_is_said_in_words(shell: Machine, tmp_path: Path) -> None:
    certificate, key = (str(path) for path in self_signed().write(tmp_path, "one"))
    other = str(self_signed().write(tmp_path, "two")[1])
    for files, said in (
        (("--certificate", certificate), "a client certificate is two files"),
        (("--certificate", certificate, "--certificate-key", other), "the client certificate cannot be used"),
        (("--certificate", "nowhere", "--certificate-key", key), "the client certificate cannot be used"),
        (("--certificate", key, "--certificate-key", key), "the client certificate cannot be used"),
        (
            ("--certificate", certificate, "--certificate-key", key, "--authority", key),
            "the client certificate cannot be used",
        ),
    ):
        ended = shell.run("api", "GET", "/v1/me", "--as", "rptc-system", *files)
        assert (ended.code, said in ended.err) == (2, True), ended.err


def test_a_file_that_is_no_certificate_is_said_in_words(shell: Machine, tmp_path: Path) -> None:
    certificate, key = self_signed().write(tmp_path, "one")
    _, other = self_signed().write(tmp_path, "two")
    for files in (
        {"CERTIFICATE": certificate, "KEY": other},
        {"CERTIFICATE": tmp_path / "nowhere", "KEY": key},
        {"CERTIFICATE": certificate, "KEY": key, "CLIENT_CA": key},
    ):
        ended = shell.run_apart("serve", **{f"RUJUKAN_TLS_{name}": str(path) for name, path in files.items()})
        assert (ended.code, "TLS cannot be set up" in ended.err) == (1, True), ended.err
        assert "Traceback" not in ended.err


def test_on_a_socket_nobody_else_is_let_in(shell: Machine) -> None:
    path = shell.folder.parent / "http.sock"
    with shell.serving(RUJUKAN_SOCKET=str(path), RUJUKAN_TRUSTED_PROXIES="unix"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://rujukan") as http:
            assert http.get("/healthz").status_code == 200
            reply = http.post(
                "/oauth2/token",
                data={"grant_type": "client_credentials", "client_id": "rptc-system"},
                headers={"Client-Cert": Authority.make().issue().field},
            )
            assert reply.json()["error_description"] == "Client authentication failed."  # it was read
        another = shell.run_apart("serve", RUJUKAN_SOCKET=str(path))
        assert (another.code, f"cannot listen on {path}" in another.err) == (1, True)
    with shell.serving(RUJUKAN_SOCKET=str(path)):  # what a dead process left is no obstacle
        pass


class TestDoctor:
    def test_finds_what_is_wrong_with_files(self, tmp_path: Path) -> None:
        old, key = self_signed(days=(-9, -1)).write(tmp_path, "old")
        _, other = self_signed().write(tmp_path, "other")
        soon, soon_key = self_signed(days=(-9, 20)).write(tmp_path, "soon")
        for certificate, private, state in ((old, key, "fail"), (old, other, "fail"), (soon, soon_key, "warn")):
            (found,) = of_tls(Settings(tls_certificate=certificate, tls_key=private), Clock().now())
            assert (found.check, found.state) == ("TLS", state), found
        authorities = {each.check: each.state for each in of_tls(Settings(tls_client_ca=key), Clock().now())}
        assert authorities == {"client CA": "fail", "mutual TLS": "warn"}

    def test_says_who_is_let_in_and_how(self, tmp_path: Path) -> None:
        ca, _ = Authority.make().issued.write(tmp_path, "ca")
        settings = Settings(tls_client_ca=ca, trusted_proxies="10.0.0.7")
        found = {each.check: each for each in of_tls(settings, Clock().now())}
        assert found["client CA"].state == "ok"
        assert found["mutual TLS"].says == (
            "tls_client_auth, self_signed_tls_client_auth; certificates are passed by 10.0.0.7"
        )

    def test_says_nothing_of_what_is_off(self) -> None:
        assert list(of_tls(Settings(), Clock().now())) == []

"""`rujukan seal`, `rujukan open` and `rujukan keys new-encryption`, without an exchange."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.sealing import CannotOpenError, generate_key, open_section, public_part, seal_section
from schemas.record.sealed import MAX_RECIPIENTS
from tests.makers import records


def run(folder: Path, *arguments: str) -> tuple[int, Any, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments], cwd=folder, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    return ended.returncode, json.loads(ended.stdout) if ended.stdout else None, ended.stderr


def write(path: Path, content: Any) -> str:
    path.write_text(json.dumps(content))
    return path.name


def test_a_key_is_made_a_record_sealed_to_it_and_opened_again(tmp_path: Path) -> None:
    code, public, _ = run(tmp_path, "keys", "new-encryption", "shelter.jwk")
    assert code == 0
    assert stat.S_IMODE((tmp_path / "shelter.jwk").stat().st_mode) == 0o600
    assert "d" not in public
    assert run(tmp_path, "keys", "new-encryption", "shelter.jwk")[0] == 2, "never replaced"
    health = {"infectious": "contact", "medicines": [{"name": "Rifampicin 450"}]}
    body = write(tmp_path / "body.json", records.referral(record=records.record(health=health)))
    keys = write(tmp_path / "keys.json", {"keys": [public]})
    own = write(tmp_path / "own.jwk", generate_key("X25519"))
    code, sealed, said = run(tmp_path, "seal", body, "--keys", keys, "--section", "health", "--own-key", own)
    assert code == 0, said
    assert "health" not in sealed["record"]
    assert sealed["record"]["sealed_preview"] == {"infectious": "contact", "medicines": "yes"}
    assert len(sealed["record"]["sealed"]["health"]["recipients"]) == 2
    answer = write(tmp_path / "sealed.json", sealed)
    for key in ("shelter.jwk", own):
        code, opened, said = run(tmp_path, "open", answer, "--key", key)
        assert (code, opened["health"]) == (0, health), said
    stranger = write(tmp_path / "stranger.jwk", generate_key())
    code, opened, said = run(tmp_path, "open", answer, "--key", stranger)
    assert (code, list(opened["sealed"])) == (1, ["health"])
    assert "is not sealed to the key" in said


def test_what_is_opened_is_checked_here_since_the_exchange_could_not(tmp_path: Path) -> None:
    key = generate_key()
    to = [public_part(key)]
    sealed = {
        "health": seal_section("health", {"infectious": "perhaps"}, to),
        "identity": seal_section("identity", {"sex": "male", "birth": {"date": "2101"}}, to),
    }
    private = write(tmp_path / "key.jwk", key)
    wrong = write(tmp_path / "wrong.json", {**records.record(identity=None), "sealed": sealed})
    code, _, said = run(tmp_path, "open", wrong, "--key", private)
    assert code == 1
    assert "health: /infectious enum" in said
    assert "perhaps" not in said
    odd = write(tmp_path / "odd.json", {**records.record(identity=None), "sealed": {"identity": sealed["identity"]}})
    code, _, said = run(tmp_path, "open", odd, "--key", private)
    assert code == 0
    assert "/identity/birth/date: date_in_future" in said
    altered = {"identity": {**sealed["identity"], "ciphertext": "A" + sealed["identity"]["ciphertext"][1:]}}
    code, _, said = run(tmp_path, "open", write(tmp_path / "a.json", {"sealed": altered}), "--key", private)
    assert (code, "does not decrypt" in said) == (1, True)


@pytest.mark.parametrize("section", ["needs", "safety", "legal"])
def test_what_cannot_be_sealed_is_said_so(tmp_path: Path, section: str) -> None:
    body = write(tmp_path / "body.json", records.record())
    code, made, said = run(tmp_path, "seal", body, "--section", section, "--to", "shelter")
    assert (code, made) == (2, None)
    assert section in said


HOSTILE = {
    "no key": lambda sealed: sealed,
    "a list": lambda sealed: [sealed],
    "text": lambda sealed: "x",
    "nothing": lambda sealed: None,
    "altered": lambda sealed: {**sealed, "tag": "A" * 22},
}


def test_what_others_wrote_is_refused_and_never_breaks_it() -> None:
    key = generate_key()
    to = [public_part(key)]
    sealed = seal_section("health", {}, to)
    for what, made in HOSTILE.items():
        with pytest.raises(CannotOpenError):
            open_section("health", made(sealed), key if what != "no key" else {"kty": "EC"})
    with pytest.raises(CannotOpenError):
        open_section("needs", sealed, key)
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    nested = seal_section("health", {"a": deep}, to)
    assert open_section("health", nested, key)


def test_a_section_as_large_as_a_record_may_be_is_opened_by_each_of_as_many_as_may_be() -> None:
    keys = [generate_key("X25519") for _ in range(MAX_RECIPIENTS)]
    section = {"text": "é" * 120_000}
    sealed = seal_section("narrative", section, [public_part(key) for key in keys])
    for key in (keys[0], keys[-1]):
        assert open_section("narrative", sealed, key) == section

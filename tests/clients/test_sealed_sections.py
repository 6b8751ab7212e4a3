"""Sealed sections, with a JWE implementation that nobody here wrote: jose, in Node."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

from app.sealing import generate_key, open_section, public_part, seal_section
from schemas.record.sealed import SealedSections
from tests.clients.conftest import HERE


@pytest.mark.parametrize("curve", ["P-256", "X25519"])
@pytest.mark.parametrize("recipients", [1, 2])
async def test_are_opened_and_made_by_jose(node: str, curve: str, recipients: int) -> None:
    content = {"infectious": "contact", "medicines": [{"name": "Rifampicin — «450» 🙏"}]}
    key, other = generate_key(curve), generate_key("P-256")
    keys = [public_part(each) for each in (key, other)[:recipients]]
    asked = {
        "section": "health",
        "jwe": seal_section("health", content, keys),
        "key": key,
        "keys": keys,
        "content": content,
    }
    process = await asyncio.create_subprocess_exec(
        node, str(HERE / "sealed.mjs"), env={"PATH": os.environ["PATH"]},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(json.dumps(asked).encode()), 60)
    assert process.returncode == 0, err.decode()
    found = json.loads(out)
    assert found["opened"] == content
    assert found["header"]["section"] == "health"
    SealedSections.model_validate({"health": found["sealed"]})
    for each in (key, other)[:recipients]:
        assert open_section("health", found["sealed"], each) == content

"""docs/log.md is true: its lines of Python check real receipts, and refuse others."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature

from app.log.leaf import FORM, MEMBERS
from tests.makers.world import World

PAGE = (Path(__file__).parents[3] / "docs" / "log.md").read_text("utf-8")


async def test_the_lines_of_python_check_real_receipts_and_no_others(world: World) -> None:
    scope: dict[str, Any] = {}
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    exec(code, scope)  # our own page
    check = scope["check"]
    sent = await world.send()
    for _ in range(3):
        await world.send(receiver="lpsk")
    await world.exchange.worker.seal_log()
    keys = (await world.exchange.http.get("/v1/log/keys")).json()
    receipt = (await world.police.get(sent.reply.json()["receipt"])).json()
    record = (await world.police.get(sent.path)).json()["record"]
    assert check(receipt, keys, record)["subject_id"] == sent.id
    for name, alter in {
        "entry": lambda it: it["entry"].update(actor="somebody"),
        "signature": lambda it: it.update(receipt=it["receipt"][:-8] + "AAAAAAAA"),
        "position": lambda it: it["sealed"].update(position=it["sealed"]["position"] + 1),
        "proof": lambda it: it["sealed"].update(proof=it["sealed"]["proof"][1:]),
        "checkpoint": lambda it: it["sealed"].update(checkpoint=it["sealed"]["checkpoint"].replace("\n", "1\n", 1)),
        "salt": lambda it: it.update(salt="A" * 43),
    }.items():
        altered = copy.deepcopy(receipt)
        alter(altered)
        try:
            check(altered, keys, record)
        except (AssertionError, InvalidSignature):
            continue
        raise AssertionError(f"another {name} was taken")


def test_names_the_leafs_first_line_its_members_and_every_finding() -> None:
    assert f"the {len(FORM)} bytes `{FORM.decode().strip()}` and a line feed" in PAGE
    for member in MEMBERS:
        assert f"`{member}`" in PAGE, member
    source = (Path(__file__).parents[3] / "app" / "log" / "auditing.py").read_text()
    codes = set(re.findall(r'Finding\(\s*"([a-z_]+)"', source)) | {"entry_changed", "hash_changed"}
    assert len(codes) > 10
    for code in codes:
        assert f"`{code}`" in PAGE, code

"""The examples of docs/webhooks.md verify what the exchange signs, and nothing else.

`standardwebhooks` of PyPI and of npm (both 1.1) know `v1` alone, the one with a shared secret: they pass over `v1a`. So what the page shows is a few
lines that follow the published text, in Python and by Node's own crypto; and the package of PyPI is asked for all but the primitive: which
headers it reads, what it takes for the signed content, when a message is too old.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks.webhooks
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.delivery import signing
from tests.clients.conftest import NODE

PAGE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")
BODY = '{"type":"referral.sent","data":{"state":"terkirim – é"}}'.encode()
ID = "01a21f31-2266-7dbb-adc0-ccb3ea58bb76"
OLD, NEW, OTHER = signing.generate(), signing.generate(), signing.generate()


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)
    return str(found)


def cases() -> list[dict[str, Any]]:
    """What is sent and which public keys the receiver has, and whether it is to be taken."""
    now = datetime.now(UTC)
    right = signing.headers(ID, now, BODY, [OLD, NEW])
    first, second = right["webhook-signature"].split(" ")
    made = [
        (right, BODY, [OLD], True),  # while one key takes over from the other, whichever the receiver has
        (right, BODY, [NEW], True),
        (right, BODY, [OTHER, NEW], True),
        ({**right, "webhook-signature": f"v1,AAAA v9,{first[4:]} {second}"}, BODY, [NEW], True),
        (right, BODY, [OTHER], False),
        (right, BODY + b" ", [OLD], False),
        ({**right, "webhook-id": "another"}, BODY, [OLD], False),
        ({**right, "webhook-timestamp": str(int(now.timestamp()) + 1)}, BODY, [OLD], False),
        ({**right, "webhook-timestamp": "soon"}, BODY, [OLD], False),
        ({**right, "webhook-signature": first.replace("v1a", "v1")}, BODY, [OLD], False),
        ({**right, "webhook-signature": "v1a,"}, BODY, [OLD], False),
        ({**right, "webhook-signature": ""}, BODY, [OLD], False),
        (signing.headers(ID, now - timedelta(minutes=6), BODY, [OLD]), BODY, [OLD], False),
        (signing.headers(ID, now + timedelta(minutes=6), BODY, [OLD]), BODY, [OLD], False),
    ]
    return [
        {
            "headers": headers,
            "body": base64.b64encode(body).decode(),
            "keys": [signing.public_key(key) for key in keys],
            "taken": taken,
        }
        for headers, body, keys, taken in made
    ]


def test_the_example_in_python_takes_what_the_exchange_signed_and_nothing_else() -> None:
    example: dict[str, Any] = {}
    exec(block("python"), example)
    for number, case in enumerate(cases()):
        try:
            found = example["verify"](base64.b64decode(case["body"]), case["headers"], case["keys"])
        except ValueError:
            assert not case["taken"], number
        else:
            assert case["taken"], number
            assert found == json.loads(BODY)


async def test_the_example_in_node_takes_the_same(tmp_path: Path) -> None:
    (tmp_path / "verify.mjs").write_text(block("javascript"), encoding="utf-8")
    (tmp_path / "ask.mjs").write_text(
        'import { readFileSync } from "node:fs"; import { verify } from "./verify.mjs";\n'
        'const taken = JSON.parse(readFileSync(0, "utf8")).map(({ headers, body, keys }) => {\n'
        '  try { return verify(Buffer.from(body, "base64"), headers, keys).type === "referral.sent"; } catch { return false; } });\n'
        "console.log(JSON.stringify(taken));\n",
        encoding="utf-8",
    )
    asked = await asyncio.create_subprocess_exec(
        str(NODE), str(tmp_path / "ask.mjs"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asked.communicate(json.dumps(cases()).encode())
    assert json.loads(out) == [case["taken"] for case in cases()]


def test_a_package_of_others_reads_the_same_headers_and_the_same_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """With Ed25519, whose signatures are always the same, put in the place of its HMAC."""
    package = standardwebhooks.webhooks
    monkeypatch.setattr(package, "hmac_data", lambda key, data: Ed25519PrivateKey.from_private_bytes(key).sign(data))
    headers = signing.headers(ID, datetime.now(UTC), BODY, [OTHER, OLD])
    with pytest.raises(package.WebhookVerificationError, match="No matching"):
        package.Webhook(OLD).verify(BODY, headers)
    as_v1 = {**headers, "webhook-signature": headers["webhook-signature"].replace("v1a,", "v1,")}
    assert package.Webhook(OLD).verify(BODY, as_v1) == json.loads(BODY)
    with pytest.raises(package.WebhookVerificationError):
        package.Webhook(NEW).verify(BODY, as_v1)

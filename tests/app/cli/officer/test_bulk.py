"""`import` and `export`: over real HTTP, to a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.cli.api import find_credentials
from app.cli.common import load_settings
from app.client import ExchangeClient
from tests.app.cli.officer.conftest import Office
from tests.makers import ndjson


async def broken_off(office: Office, content: bytes) -> dict[str, Any]:
    """Another program's upload of the file, whose connection breaks in the middle of the seventh line; what the exchange holds of it."""
    async with ExchangeClient(find_credentials(load_settings(), "police-system")) as client:

        async def held() -> list[tuple[str, int]]:
            items = (await client.get("/v1/imports?key=night", actor="officer-7")).json()["items"]
            return [(each["state"], each["lines"]) for each in items]

        async def becomes(wanted: list[tuple[str, int]]) -> None:
            async with asyncio.timeout(20):
                while await held() != wanted:  # noqa: ASYNC110 -- another process does it
                    await asyncio.sleep(0.05)

        headers = {
            **await client.authorization("POST", "/v1/imports"), **ndjson.NDJSON, "Content-Length": str(len(content)),
            "Host": urlsplit(office.machine.url).netloc, "Rujukan-Actor": "officer-7", "Idempotency-Key": "night",
        }  # fmt: skip
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        whole = content.splitlines(keepends=True)
        with socket.create_connection(("127.0.0.1", office.machine.port)) as raw:
            raw.sendall(f"POST /v1/imports HTTP/1.1\r\n{head}\r\n".encode() + b"".join(whole[:2]))
            await becomes([("receiving", 2)])
            raw.sendall(b"".join(whole[2:6]) + whole[6][:40])
            await asyncio.sleep(0.5)  # what has not been read when the connection breaks is lost
        await becomes([("receiving", 6)])
        (found,) = (await client.get("/v1/imports?key=night", actor="officer-7")).json()["items"]
        return dict(found)


def test_import_goes_on_where_it_broke_off_follows_and_writes_down_what_became_of_each_line(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cases.ndjson"
    large = [
        b"no JSON, and " + 220_000 * b"long" + b"\n" for _ in range(2)
    ]  # so that they are stored before the rest has come
    file.write_bytes(b"".join(large) + ndjson.lines(12, "import", receiver="shelter"))
    when = file.stat().st_mtime_ns
    for name, value in office.machine.env.items():
        monkeypatch.setenv(name, value)
    found = asyncio.run(broken_off(office, file.read_bytes()))

    with file.open("ab") as opened:
        opened.write(b"nonsense\n")
    ended = office.run("police", "import", str(file), "--check", "--key", "night")
    assert (ended.code, "line 15: no strict JSON (not_json)" in ended.err) == (1, True), ended.err
    os.utime(file, ns=(when, when))
    ended = office.run("police", "import", str(file), "--key", "night")
    assert ended.code == 1, ended.err
    assert "is finished: 15 lines" in ended.out
    assert "12 created, 3 refused" in ended.out
    results = file.with_name("cases.ndjson.results.ndjson")
    assert stat.S_IMODE(results.stat().st_mode) == 0o600
    lines = [json.loads(each) for each in results.read_text().splitlines()]
    assert [each["key"] for each in lines] == [None, None, *(f"import-{number}" for number in range(12)), None]
    assert {lines[at]["problem"]["reason"] for at in (0, 1, 14)} == {"not_json"}
    again = office.run("police", "import", str(file), "--key", "night", "--json", "--results", str(tmp_path / "again"))
    assert (again.json["id"], again.json["counts"]["created"]) == (found["id"], 12)
    assert office.run("stranger", "api", "GET", f"/v1/imports/{found['id']}").code == 4

    (tmp_path / "empty").touch()
    assert "is empty" in office.run("police", "import", str(tmp_path / "empty")).err
    assert office.run("police", "import", str(tmp_path / "nowhere")).code == 2


def test_export_is_whole_or_goes_on_and_is_its_owners_alone(office: Office, tmp_path: Path) -> None:
    office.accepted("rptc")
    whole, part, out = tmp_path / "whole.ndjson", tmp_path / "again.ndjson.part", tmp_path / "again.ndjson"
    ended = office.run("rptc", "export", "--out", str(whole))
    assert ended.code == 0, ended.err
    assert "is complete: 1 case, 1 referral." in ended.out
    assert stat.S_IMODE(whole.stat().st_mode) == 0o600
    lines = whole.read_bytes().splitlines(keepends=True)
    part.write_bytes(b"".join(lines[:2]) + lines[2][:50])
    assert office.done("rptc", "export", "--out", str(out), "--json").json["counts"]["referral"] == 1
    mended = [json.loads(each) for each in out.read_bytes().splitlines()]
    assert [each["kind"] for each in mended] == ["export", "case", "referral", "end"]
    assert mended[2]["data"]["record"]["identity"], "the receiver may read it"
    assert not part.exists()
    assert office.run("rptc", "export", "--out", str(out)).code == 2, "nothing is written over"
    assert office.run("rptc", "export", "--out", str(tmp_path / "x"), "--kind", "note").code == 4
    assert "nothing" in office.done("stranger", "export", "--out", str(tmp_path / "none.ndjson")).out

"""`import` and `export`: over real HTTP, to a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.cli.api import find_credentials
from app.cli.common import load_settings
from app.client import ExchangeClient
from tests.app.cli.officer.conftest import Office
from tests.makers import ndjson


async def test_import_goes_on_where_it_broke_off_follows_and_writes_down_what_became_of_each_line(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cases.ndjson"
    file.write_bytes(ndjson.lines(12, "import", receiver="shelter"))
    size, when = file.stat().st_size, file.stat().st_mtime_ns

    # another program's upload of the same file, whose connection breaks in the middle of a line
    for name, value in office.machine.env.items():
        monkeypatch.setenv(name, value)
    async with ExchangeClient(find_credentials(load_settings(), "police-system")) as client:
        headers = {
            **await client.authorization("POST", "/v1/imports"), **ndjson.NDJSON,
            "Host": urlsplit(office.machine.url).netloc, "Rujukan-Actor": "officer-7", "Idempotency-Key": "night", "Content-Length": str(size),
        }  # fmt: skip
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        whole = file.read_bytes().splitlines(keepends=True)
        with socket.create_connection(("127.0.0.1", office.machine.port)) as raw:
            raw.sendall(f"POST /v1/imports HTTP/1.1\r\n{head}\r\n".encode() + b"".join(whole[:5]) + whole[5][:40])
            await asyncio.sleep(1)  # what has not been read when the connection breaks is lost
            raw.settimeout(0.1)
            with pytest.raises(TimeoutError):  # it is not refused
                assert raw.recv(2000) == b""
        for _ in range(100):
            found = (await client.get("/v1/imports?key=night", actor="officer-7")).json()["items"]
            if found and found[0]["lines"]:
                break
            await asyncio.sleep(0.05)
    assert [(each["state"], each["lines"]) for each in found] == [("receiving", 5)], "whole lines are kept"

    with file.open("ab") as opened:
        opened.write(b"nonsense\n")
    ended = office.run("police", "import", str(file), "--check", "--key", "night")
    assert (ended.code, "line 13: no strict JSON (not_json)" in ended.err) == (1, True), ended.err
    os.utime(file, ns=(when, when))
    ended = office.run("police", "import", str(file), "--key", "night")
    assert ended.code == 1, ended.err
    assert "is finished: 13 lines" in ended.out
    assert "12 created, 1 refused" in ended.out
    results = file.with_name("cases.ndjson.results.ndjson")
    assert stat.S_IMODE(results.stat().st_mode) == 0o600
    lines = [json.loads(each) for each in results.read_text().splitlines()]
    assert [each["key"] for each in lines] == [*(f"import-{number}" for number in range(12)), None]
    assert lines[12]["problem"]["type"] == "/problems/malformed-body"
    again = office.run("police", "import", str(file), "--key", "night", "--json", "--results", str(tmp_path / "again"))
    assert (again.json["id"], again.json["counts"]["created"]) == (found[0]["id"], 12)
    assert office.run("stranger", "api", "GET", f"/v1/imports/{found[0]['id']}").code == 4

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

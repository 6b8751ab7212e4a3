"""`access-report`, and the log behind it, from the keyboard: exported, checked offline, altered, found."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import asyncpg

from app.foundation.database import embedded_addresses
from tests.app.cli.officer.conftest import Office


class TestAccessReport:
    def test_shows_the_lead_who_saw_what_and_prints_it_for_the_person(self, office: Office, tmp_path: Path) -> None:
        sent = office.accepted()
        office.read("shelter", sent)
        case = office.done("police", "show", sent.reference, "--json").json["case_id"]
        shown = office.done("police", "access-report", sent.reference)
        assert "The shelter" in shown.out
        assert "read" in shown.out
        entries = office.done("police", "access-report", case, "--json").json["items"]
        assert ("shelter", "read") in [(each["agency"]["code"], each["kind"]) for each in entries]
        file = tmp_path / "laporan.html"
        office.done("police", "access-report", case, "--asked-by", "person", "--lang", "id", "--output", str(file))
        assert "Siapa yang melihat data Anda" in file.read_text("utf-8")
        assert file.stat().st_mode & 0o777 == 0o600
        again = office.run("police", "access-report", case, "--asked-by", "person", "--output", str(file))
        assert (again.code, "exists already" in again.err) == (2, True)
        for agency in ("stranger", "shelter"):
            assert office.run(agency, "access-report", case).code == 4
        assert office.done("ministry", "access-report", case, "--review", "--json").json["items"]
        assert office.run("iom", "access-report", case, "--review").code == 4


class TestTheLog:
    def test_is_exported_and_checked_offline_and_tells_what_was_altered(self, office: Office, tmp_path: Path) -> None:
        sent = office.send()
        moved = office.done("shelter", "acknowledge", sent.id, "--json").json
        machine, keys, file = office.machine, tmp_path / "keys.json", tmp_path / "log.ndjson"
        for _ in range(100):
            receipt = office.done("shelter", "api", "GET", moved["receipt"], "--as", "shelter-system").json
            if receipt["sealed"] is not None:
                break
            time.sleep(0.2)
        receipt_file = tmp_path / "receipt.json"
        receipt_file.write_text(json.dumps(receipt))
        listed = machine.run("log", "keys", "--json").json
        keys.write_text(json.dumps({"keys": listed}))
        checked = machine.run("verify", "receipt", str(receipt_file), "--key", str(keys))
        assert (checked.code, "position" in checked.out) == (0, True), checked.err
        exported = machine.run("log", "export", "--output", str(file))
        assert exported.code == 0, exported.err
        held = machine.run("verify", "log", str(file), "--key", str(keys), "--json")
        assert (held.code, held.json["findings"]) == (0, []), held.err
        assert held.json["sealed"] > 10
        assert machine.run("log", "export", "--output", str(file)).code == 2, "no file is overwritten"
        position = receipt["sealed"]["position"]
        lines = file.read_text().splitlines()
        place = next(n for n, line in enumerate(lines) if json.loads(line).get("position") == position)
        altered = lines[place].replace("officer-7", "officer-8")
        assert altered != lines[place]
        (tmp_path / "altered.ndjson").write_text("\n".join([*lines[:place], altered, *lines[place + 1 :]]))
        found = machine.run("verify", "log", str(tmp_path / "altered.ndjson"), "--key", str(keys))
        assert (found.code, f"first at position {position}" in found.err) == (1, True), found.err
        assert f"position {position}: the entry is not the one that was sealed" in found.out
        for odd in ("{", "[]", "\x00"):
            (tmp_path / "odd").write_text(odd)
            assert machine.run("verify", "log", str(tmp_path / "odd"), "--key", str(keys)).code == 2
        assert machine.run("verify", "log", str(file), "--key", str(file)).code == 2, "that is no key"

    def test_says_at_the_doctors_that_it_was_altered(self, office: Office) -> None:
        machine = office.machine
        office.send()

        async def alter(how: str) -> None:
            conn = await asyncpg.connect(embedded_addresses(machine.folder).owner)
            await conn.execute(f"SET session_replication_role = replica; {how}")
            await conn.close()

        findings = {each["check"]: each for each in machine.run("doctor", "--json").json}
        assert findings["log"]["state"] == "ok", findings["log"]
        asyncio.run(
            alter(
                "UPDATE log_leaf SET position = position + 1000000 WHERE position = (SELECT max(position) FROM log_leaf)"
            )
        )
        try:
            findings = {each["check"]: each for each in machine.run("doctor", "--json").json}
            assert (findings["log"]["state"], "altered" in findings["log"]["says"]) == ("fail", True)
        finally:
            asyncio.run(alter("UPDATE log_leaf SET position = position - 1000000 WHERE position > 1000000"))

    def test_has_keys_that_are_rotated_by_hand(self, office: Office) -> None:
        machine = office.machine
        early = machine.run("log", "rotate-key")
        assert (early.code, "less than a day" in early.err) == (2, True)
        before = {each["state"]: each["vkey"] for each in machine.run("log", "keys", "--json").json}
        rotated = machine.run("log", "rotate-key", "--at-once", "--json")
        assert (rotated.code, rotated.json["vkey"]) == (0, before["next"])
        after = {each["vkey"]: each["state"] for each in machine.run("log", "keys", "--json").json}
        assert (after[before["next"]], after[before["active"]]) == ("active", "retired")

"""The demonstration, as somebody runs it: twice on one folder, the second time to go on serving."""

import asyncio
import base64
import fcntl
import json
import os
import pickle
import re
import signal
import socket
import stat
import subprocess
import sys
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.client import Credentials, ExchangeClient
from app.demo.samples import load_agencies, load_samples
from app.foundation.database import embedded_addresses
from tests.makers import leaks

COMMAND = [sys.executable, "-c", "from app.cli import main; main()", "demo"]
LONGEST = 300
"""Seconds after which a run is stuck."""


@dataclass
class Run:
    code: int
    out: str
    errors: str


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RUJUKAN_")}
    return kept | {"RUJUKAN_DATA_DIR": str(folder), "RUJUKAN_PORT": "0"} | more


def demonstrate(folder: Path, **more: str) -> Run:
    ended = subprocess.run(
        [*COMMAND, "--once"], env=environment(folder, **more), capture_output=True, text=True, timeout=LONGEST
    )
    return Run(ended.returncode, ended.stdout, ended.stderr)


def demonstrate_until_told(folder: Path, meanwhile: Any) -> tuple[Run, Any]:
    """Let it serve on, do something with it meanwhile, and end it as Ctrl-C does."""
    process = subprocess.Popen(
        COMMAND, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        said = ""
        for line in process.stdout:
            said += line
            if "--as lpsk-system" in line:
                break
        found = asyncio.run(meanwhile(folder))
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=LONGEST)
    finally:
        process.kill()
    return Run(process.returncode, said + rest, errors), found


async def cases_in(folder: Path) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = embedded_addresses(folder)
    conn = await asyncpg.connect(found.owner)
    try:
        return await conn.fetchval("SELECT count(*) FROM case_file")
    finally:
        await conn.close()


async def waiting_at(folder: Path) -> list[dict[str, Any]]:
    """What an agency finds when it looks, by the key file that `rujukan api` would take."""
    credentials = Credentials.load(folder / "clients" / "dinsos-33-system.json")
    async with ExchangeClient(credentials) as client:
        reply = await client.get("/v1/referrals?state=received", actor="petugas-2")
    assert reply.status_code == 200, reply.text
    return reply.json()["items"]


def dump_of(folder: Path) -> Path:
    """Everything in its database, as `pg_dump` writes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = embedded_addresses(folder)
    running = (folder / "postgresql" / "postmaster.opts").read_text().split()[0].strip('"')
    program = Path(running).with_name("pg_dump")
    path = folder.parent / "dump.sql"
    with path.open("wb") as file:
        subprocess.run([program, found.owner], stdout=file, check=True, timeout=LONGEST)
    return path


def keys_in(folder: Path) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text())["private_jwk"] for path in (folder / "clients").iterdir()}


@dataclass
class Played:
    folder: Path
    first: Run
    second: Run
    cases: tuple[int, int]
    keys: tuple[dict[str, Any], dict[str, Any]]
    waiting: list[dict[str, Any]]


def play(folder: Path) -> Played:
    first = demonstrate(folder)
    assert first.code == 0, first.out[-2000:] + first.errors
    cases, keys = asyncio.run(cases_in(folder)), keys_in(folder)
    second, waiting = demonstrate_until_told(folder, waiting_at)
    dump_of(folder)
    return Played(folder, first, second, (cases, asyncio.run(cases_in(folder))), (keys, keys_in(folder)), waiting)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Played once, whichever of pytest's workers comes first."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "demonstration"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = shared / "played"
        if not kept.exists():
            kept.write_bytes(pickle.dumps(play(shared / "data")))
    return pickle.loads(kept.read_bytes())


def unwrapped(text: str) -> str:
    return " ".join(text.split())


class TestFirstRun:
    def test_finds_that_all_holds(self, played):
        assert "All holds" in played.first.out
        assert played.first.errors == ""

    def test_tells_the_story_of_the_first_case(self, played):
        told = [
            "Polda Maluku opens the case and leads it",
            "All that Dinsos Ambon sees before it accepts",
            "Dinsos Ambon declines: no place for men, and suggests IOM Indonesia",
            "Polda Maluku asks IOM Indonesia for health care, shelter for men (urgent), nothing typed again",
            "IOM Indonesia has seen the preview and accepts",
            "Polda Maluku offers the case to Kemensos",
            "Kemensos confirms the handover (the BAST is issued) and leads the case now",
            "Kemensos asks Sentra Pangurangi Takalar",
        ]
        written = unwrapped(played.first.out)
        places = [written.index(sentence) for sentence in told]
        assert places == sorted(places)

    def test_shows_the_warnings_that_came_back_with_a_referral_that_was_taken(self, played):
        written = unwrapped(played.first.out)
        assert "Taken as it is, with warnings that Kemlu (PWNI) gets back" in written
        assert "nik_birth_differs NIK does not fit the birth date." in written

    def test_leaves_a_form_and_a_bundle_in_fhir_to_look_at(self, played):
        (reference,) = re.findall(r"papers/(R-\S+?)\.html", played.first.out)
        form, bundle = (played.folder / "papers" / f"{reference}.{ending}" for ending in ("html", "fhir.json"))
        assert {stat.S_IMODE(each.stat().st_mode) for each in (form, bundle)} == {0o600}
        assert "Tarmuji" in form.read_text()
        assert json.loads(bundle.read_text())["resourceType"] == "Bundle"

    def test_shows_every_way_a_referral_ends_and_what_is_refused(self, played):
        for said in (
            "completes it:",
            "ends it uncompleted: the person withdrew",
            "takes it back before",
            "in time: expired",
            "becomes part of its own work",
            "corrects identity; the correction reaches",
            "psychosocial agency_kind",
            "identity consent_only",
            "in one request, Sentra Satria Baturaden opens the case, records a consent and asks LPSK",
            "sees the preview and asks Sentra Satria Baturaden as well",
            "is asked to see to what is late (escalation open)",
            "declines: no place for men",
            "is not waited for any more",
            "would take the person where somebody of a linked case is: refused (409)",
            "by the barred guardian: refused (403)",
            "takes back the consent to legal, exploitation",
            "answers about exploitation, legal: kept",
            "takes the record version back",
            "disputes what Dinsos Prov. Nusa Tenggara Timur recorded for it",
            "closes the case: reintegrated",
        ):
            assert said in unwrapped(played.first.out), said

    def test_ends_with_a_summary(self, played):
        summary = played.first.out.split("What came of it")[1]
        for title in ("Lead now", "What was disclosed to whom", "Events: "):
            assert title in summary
        assert re.search(r"T-\S+ \(accepted\) at\s", summary)
        assert "Serving on" not in summary

    def test_gives_each_client_a_key_file_for_its_owner_alone(self, played):
        files = list((played.folder / "clients").iterdir())
        assert {"kemensos-system", "iom-indonesia-system", "polri-polda-maluku-system"} <= {path.stem for path in files}
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


class TestWhatIsLeftOnTheDisk:
    """Every case was played, by every endpoint that takes words: whoever has the database, or a copy of it, has no word of anyone."""

    def test_holds_nothing_a_sample_person_told_in_a_dump(self, played, tmp_path):
        told = leaks.told_of_the_samples()
        assert len(told) > 300
        assert {"Tarmuji"} & {word for text in told for word in text.split()}
        dump = played.folder.parent / "dump.sql"
        assert dump.stat().st_size > 500_000
        assert leaks.found_in([dump], leaks.looked_for(told), tmp_path) == []

    def test_nor_in_the_files_of_the_database_its_journal_and_its_logs(self, played, tmp_path):
        files = [path for path in (played.folder / "postgresql").rglob("*") if path.is_file()]
        assert any("pg_wal" in str(path) for path in files)
        whole = tmp_path / "files"
        with whole.open("wb") as file:
            for path in files:
                with suppress(FileNotFoundError):  # the server runs, and removes files of its own
                    file.write(path.read_bytes())
        ways = leaks.looked_for(leaks.told_of_the_samples(), shortest=8)
        assert leaks.found_in([whole], ways, tmp_path) == []

    def test_would_be_found_if_it_was_there(self, tmp_path):
        told, path = "Tarmuji bin Sutrisno \u00e9", tmp_path / "file"
        for way in (
            told.encode(), b"x" + told.encode("utf-16-le"), told.encode().hex().encode(), json.dumps({"a": told}).encode(),
            *(base64.b64encode(b"y" * before + told.encode() + b"z") for before in range(3)),
        ):  # fmt: skip
            path.write_bytes(b"\xff\n" + way + b"\n")
            assert leaks.found_in([path], leaks.looked_for([told]), tmp_path) != [], way


class TestSecondRun:
    def test_plays_the_same_cases_as_new_ones(self, played):
        assert "All holds" in played.second.out
        first, both = played.cases
        assert first == 29
        assert both == 2 * first

    def test_keeps_the_clients_as_they_are(self, played):
        before, after = played.keys
        assert before == after

    def test_goes_on_serving_where_something_waits_to_be_answered(self, played):
        assert "Serving on" in played.second.out
        assert len(played.waiting) == 2
        assert all("accept" in each["moves"] for each in played.waiting)

    def test_stops_without_a_word_too_many(self, played):
        assert played.second.code == 0
        assert played.second.errors == ""
        assert played.second.out.endswith("Stopped.\n")


def names() -> set[str]:
    """Every name of the samples and its parts, but for what agencies are called too."""
    public = json.dumps([load_agencies(), [sample.title for sample in load_samples()]], ensure_ascii=False)
    whole = {
        name["full"]
        for sample in load_samples()
        for person in sample.people
        for name in person.record["identity"].get("names", ())
    }
    parts = {part for name in whole for part in re.split(r"[\s.,]+", name)}
    return {name for name in whole | parts if len(name) >= 5 and name not in public}


def test_says_no_name_on_the_terminal_and_in_the_log(played):
    looked_for = names()
    assert len(looked_for) > 30
    log = (played.folder / "demo.log").read_text()
    assert "Started server process" in log
    written = " ".join([played.first.out, played.second.out, log]).lower()
    assert [name for name in looked_for if name.lower() in written] == []


def test_is_refused_in_production(tmp_path):
    ended = demonstrate(tmp_path, RUJUKAN_ENV="production", RUJUKAN_PUBLIC_URL="https://rujukan.example.go.id")
    assert ended.code == 1
    assert "does not run in production" in ended.errors
    assert list(tmp_path.iterdir()) == []


def test_says_so_when_the_port_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = demonstrate(tmp_path, RUJUKAN_PORT=str(taken.getsockname()[1]))
    assert ended.code == 1
    assert "cannot listen on 127.0.0.1 port" in ended.errors
    assert "RUJUKAN_PORT" in ended.errors
    assert list(tmp_path.iterdir()) == []

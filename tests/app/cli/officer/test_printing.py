"""`form`: a page to print, in a file for one's own eyes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.cli.officer.conftest import Office


class TestForm:
    def test_is_written_for_its_reader_alone(self, office: Office, tmp_path: Path) -> None:
        sent, file = office.accepted(), tmp_path / "sheet.html"
        ended = office.done("shelter", "form", sent.reference, "--output", str(file))
        assert ended.out == f"Written to {file}. Print it, then erase it.\n"
        page = file.read_text("utf-8")
        assert '<html lang="en">' in page
        assert sent.reference in page
        assert file.stat().st_mode & 0o777 == 0o600

    def test_is_in_the_language_that_is_asked_for(self, office: Office, tmp_path: Path) -> None:
        sent, file = office.send(kind="transfer", receiver="ministry"), tmp_path / "lembar.html"
        ended = office.done("ministry", "form", sent.reference, "--lang", "id", "--output", str(file), "--json")
        assert ended.json == {"file": str(file)}
        assert "Pratinjau, belum diterima" in file.read_text("utf-8")

    def test_is_named_by_the_reference(self, office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        sent = office.send()
        office.done("police", "form", sent.id)
        assert [file.name for file in tmp_path.iterdir()] == [f"{sent.id}.html"]

    def test_overwrites_nothing(self, office: Office, tmp_path: Path) -> None:
        sent, file = office.send(), tmp_path / "sheet.html"
        file.write_text("mine")
        ended = office.run("police", "form", sent.reference, "--output", str(file))
        assert (ended.code, "exists already" in ended.err) == (2, True)
        assert file.read_text() == "mine"

    def test_is_refused_to_a_stranger_and_leaves_no_file(self, office: Office, tmp_path: Path) -> None:
        sent, file = office.send(), tmp_path / "sheet.html"
        ended = office.run("stranger", "form", sent.id, "--output", str(file))
        assert (ended.code, file.exists()) == (4, False)

    def test_says_where_it_cannot_write(self, office: Office, tmp_path: Path) -> None:
        sent = office.send()
        ended = office.run("police", "form", sent.reference, "--output", str(tmp_path / "none" / "sheet.html"))
        assert (ended.code, "cannot be written" in ended.err) == (2, True)

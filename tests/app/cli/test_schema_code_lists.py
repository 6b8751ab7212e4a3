"""`schema code-lists`: the published lists, as files."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner, Result

from app.cli import app
from schemas import code_list, list_names
from schemas.documents.code_lists import as_csv, as_json


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["schema", "code-lists", *arguments])


class TestCodeLists:
    def test_of_one_name_prints_that_list_as_it_is_served(self) -> None:
        assert run("need").stdout_bytes == as_json("need")
        assert run("need", "--format", "csv").stdout_bytes == as_csv("need")

    def test_of_no_name_prints_all(self) -> None:
        assert [each["name"] for each in json.loads(run().stdout)["lists"]] == list(list_names())
        rows = csv.DictReader(io.StringIO(run("--format", "csv").stdout_bytes.decode(), newline=""))
        assert {row["list"] for row in rows} == set(list_names())

    @pytest.mark.parametrize("form", ["json", "csv"])
    def test_writes_a_file_a_list_and_one_of_all(self, tmp_path: Path, form: str) -> None:
        ended = run("need", "sex", "need", "--format", form, "--output", str(tmp_path / "made" / "here"))
        assert (ended.exit_code, ended.stdout) == (0, "")
        assert {path.name for path in (tmp_path / "made" / "here").iterdir()} == {
            f"need.{form}",
            f"sex.{form}",
            f"code-lists.{form}",
        }

    def test_makes_a_workbook_to_review(self, tmp_path: Path) -> None:
        assert run("--format", "xlsx", "--output", str(tmp_path)).exit_code == 0
        book = load_workbook(tmp_path / "code-lists.xlsx")
        assert book.sheetnames == list(list_names())
        title, header, *rows = book["need"].iter_rows(values_only=True)
        assert title[0] == "Kebutuhan / Needs"
        assert header[:5] == ("code", "id", "en", "definition_id", "definition_en")
        assert [row[0] for row in rows] == [entry.code for entry in code_list("need").codes]
        cells = [cell for row in book["urgency"].iter_rows() for cell in row if cell.value is not None]
        assert {cell.data_type for cell in cells} == {"s"}

    def test_says_what_is_not_possible(self, tmp_path: Path) -> None:
        occupied = tmp_path / "file"
        occupied.write_text("")
        for arguments, said in (
            (("no_such_list",), "no_such_list"),
            (("--format", "xlsx"), "--output"),
            (("need", "--output", str(occupied)), "cannot be written to"),
            (("need", "--output", str(occupied / "below")), "cannot be written to"),
        ):
            ended = run(*arguments)
            assert ended.exit_code == 2, arguments
            assert said in ended.stderr

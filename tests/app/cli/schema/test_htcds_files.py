"""`rujukan schema import-htcds` and `export-htcds`: files as people have them, what Excel does to them, and what goes wrong."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pty
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.chart import BarChart, Reference

from schemas.mappings.htcds.fields import WRITTEN
from schemas.mappings.htcds.headers import TOOLKIT
from schemas.mappings.htcds.writing import REASONS_OF_LOSS
from tests.app.cli.schema.sheets import LABELS, PERSON, Desk

HERE = Path(__file__).parents[4]
DEMO = HERE / "app" / "demo" / "cases" / "case-02-scam-myawaddy.json"
NIK = "9901010101900001"


class TestText:
    @pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
    def test_any_separator(self, desk: Desk, separator: str) -> None:
        sheet = desk.text(
            ["First Name", "Methods of Control"], ["Surya", "Debt bondage; False promises"], separator=separator
        )
        assert desk.read(sheet).record["exploitation"]["episodes"][0]["means"] == ["debt_bondage", "deception"]

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
    def test_any_encoding(self, desk: Desk, encoding: str) -> None:
        read = desk.read(desk.text(["prs_FirstName", "prs_MailingCity"], ["José", "Ambon"], encoding=encoding))
        assert read.record["identity"]["names"] == [{"full": "José"}]

    def test_excels_own_first_line(self, desk: Desk) -> None:
        assert desk.read(desk.text(["sep=;"], ["prs_FirstName"], ["Surya"], separator=";")).record["identity"]

    def test_a_title_above_the_head(self, desk: Desk) -> None:
        read = desk.read(desk.text(["Kasus 2026"], [], ["No", "First Name", "Gender"], ["1", "Surya", "Masculine"]))
        assert read.record["identity"] == {"names": [{"full": "Surya"}], "gender": "man"}
        assert read.problems == []

    def test_a_survey_with_groups_and_a_column_for_each_choice(self, desk: Desk) -> None:
        read = desk.one(
            {
                "start": "2026-01-02T08:00:00.000+07:00",
                "person/prs_First_Name": "Siti",
                "vic_TypeOfExploitation/ForcedLabour": "1",
                "vic_TypeOfExploitation/ForcedBegging": "0",
                "vic_TypeOfExploitation/Servitude": "TRUE",
                "vic_TypeOfExploitation/OrganRemoval": "",
                "vic_Methods_of_Control": "DebtBondage FalsePromises",
                "meta/instanceID": "uuid:0",
                "_index": "1",
            }
        )
        assert read.record["exploitation"]["episodes"] == [
            {"means": ["debt_bondage", "deception"], "purposes": ["forced_labour", "servitude"]}
        ]
        assert read.problems == []

    def test_a_survey_with_labels_for_each_choice(self, desk: Desk) -> None:
        read = desk.one({"First Name": "Siti", "Type of Exploitation/Forced labour": "1", "Gender": "Feminine"})
        assert read.record["exploitation"]["episodes"] == [{"purposes": ["forced_labour"]}]

    def test_month_first_only_if_it_is_said(self, desk: Desk) -> None:
        row = {"prs_FirstName": "Surya", "prs_Birthdate": "04/13/1999"}
        assert desk.one(row).codes("prs_Birthdate") == ["date_form"]
        assert desk.one(row, "--date-order", "mdy").record["identity"]["birth"] == {"date": "1999-04-13"}

    def test_the_language_and_the_role_that_were_given(self, desk: Desk) -> None:
        read = desk.one({"cco_CaseComment": "Sudah aman."}, "--language", "id", "--author-role", "case_manager")
        assert read.record["narrative"]["entries"] == [
            {"text": "Sudah aman.", "language": "id", "author_role": "case_manager"}
        ]


class TestExcelsDamage:
    @pytest.mark.parametrize("cell", ["#N/A", "#REF!", "#VALUE!"])
    def test_its_errors_are_no_values(self, desk: Desk, cell: str) -> None:
        read = desk.one({"prs_FirstName": "Surya", "prs_MailingCity": cell, "vic_MethodsOfControl": cell})
        assert [problem["code"] for problem in read.problems] == ["excel_error"] * 2
        assert set(read.record) == {"schema_version", "identity"}

    @pytest.mark.parametrize("cell", ["", "  ", "-", "–", "N/A", "\u00a0"])
    def test_an_empty_cell_is_absent_and_never_no(self, desk: Desk, cell: str) -> None:
        read = desk.one(
            {"prs_FirstName": "Surya", "prs_Deceased": cell, "con_Consent": cell, "prs_NumberOfChildren": cell}
        )
        assert (read.record["identity"], read.exchange, read.problems) == ({"names": [{"full": "Surya"}]}, {}, [])

    @pytest.mark.parametrize("cell", ["9.90101E+15", "9,90101E+15", float(NIK), int(NIK)])
    def test_a_nik_that_became_a_quantity_is_refused(self, desk: Desk, cell: Any) -> None:
        read = desk.read(desk.workbook(["prs_FirstName", "prs_IdentityNumber"], ["Surya", cell]))
        assert read.codes("prs_IdentityNumber") == ["digits_lost"]
        assert "documents" not in read.record["identity"]

    @pytest.mark.parametrize("cell", [6.28110000012e12, 628110000012, "628110000012.0", "6,28E+11", 81100000012])
    def test_a_phone_only_with_all_its_digits(self, desk: Desk, cell: Any) -> None:
        read = desk.read(desk.workbook(["prs_FirstName", "prs_MobilePhone"], ["Surya", cell]))
        lost = {"6,28E+11": ["digits_lost"], 81100000012: ["leading_zero_lost"]}.get(cell, [])
        assert read.codes("prs_MobilePhone") == lost
        assert ("contact" in read.record) != bool(lost)

    def test_whole_numbers_with_a_point(self, desk: Desk) -> None:
        read = desk.one(
            {"prs_NumberOfChildren": "2.0", "vic_AgeWhenTrafficked": "17,0", "prs_MailingPostalCode": "97123.0"}
        )
        assert read.record["family"] == {"number_of_children": 2}
        assert read.record["exploitation"] == {"age_at_entry": 17}
        assert read.record["location"]["addresses"][0]["place"] == {"postcode": "97123"}

    def test_a_year_is_a_year_and_no_day_of_1905(self, desk: Desk) -> None:
        read = desk.read(desk.workbook(["prs_FirstName", "prs_Birthdate"], ["Surya", 1998]))
        assert read.record["identity"]["birth"] == {"date": "1998"}
        assert read.codes("prs_Birthdate") == ["read_as_year"]

    def test_lines_within_a_cell(self, desk: Desk) -> None:
        read = desk.one({"prs_MailingStreet": "Jl. Contoh 1\nRT 3", "cco_CaseComment": "Satu.\r\nDua."})
        assert read.record["location"]["addresses"][0]["place"] == {"street": "Jl. Contoh 1, RT 3"}
        assert read.record["narrative"]["entries"][0]["text"] == "Satu.\nDua."


class TestBadCells:
    def test_a_row_is_never_dropped_for_them(self, desk: Desk) -> None:
        bad = {
            "prs_Email": "nobody",
            "prs_MobilePhone": "call the neighbour",
            "prs_Birthdate": "31/02/1999",
            "prs_NumberOfChildren": "two",
            "prs_Gender": "Masculine; Feminine",
            "vic_AgeWhenTrafficked": "200",
            "prs_MailingPostalCode": "!",
            "spl_PlannedEndDate": "soon",
            "vic_MethodsOfControl": "Hypnosis; Debt bondage",
            "hte_Latitude": "95",
            "hte_Longitude": "10",
        }
        read = desk.one(bad)
        assert {problem["column"] for problem in read.problems} == set(bad)
        assert all(problem["code"] and problem["done"] and problem["meaning"] for problem in read.problems)
        assert read.record["exploitation"]["episodes"] == [{"means": ["debt_bondage"]}]

    def test_the_report_and_the_screen_repeat_no_value(self, desk: Desk) -> None:
        read = desk.one(
            {
                "prs_FirstName": "Hush",
                "prs_Email": "hush-hush",
                "prs_Birthdate": "hush 1999",
                "vic_MethodsOfControl": "hushing",
            }
        )
        assert "hush" not in json.dumps(read.problems).lower() + read.said.lower()

    def test_words_of_the_story_go_into_the_narrative_and_others_do_not(self, desk: Desk) -> None:
        read = desk.one({"vic_MethodsOfControl": "Hypnosis", "prs_Email": "nobody", "prs_Gender": "Sailor"})
        assert [entry["text"] for entry in read.record["narrative"]["entries"]] == ["Methods of Control: Hypnosis"]
        assert [problem["done"] for problem in read.problems if problem["column"].startswith("vic_")] == [
            "in the narrative"
        ]

    @pytest.mark.parametrize("word", ["\u202eelif", "\x07", "x" * 60_000])
    def test_a_word_that_no_text_may_hold_costs_its_cell_and_not_the_file(self, desk: Desk, word: str) -> None:
        sheet = desk.text(["prs_FirstName", "vic_MethodsOfControl"], ["Surya", word], ["Sari", "Hypnosis"])
        read = desk.read(sheet)
        assert [each["record"]["identity"]["names"][0]["full"] for each in read.documents] == ["Surya", "Sari"]
        assert [(each["row"], each["done"]) for each in read.problems] == [("2", "left out"), ("3", "in the narrative")]

    def test_a_cell_without_a_head_is_told_and_an_empty_one_is_not(self, desk: Desk) -> None:
        head = ["prs_FirstName", "", "prs_Gender", "_uuid"]
        read = desk.read(desk.text(head, ["Surya", "hush", "Masculine", "1", "", "hush"], ["Sari", "-", "", "2"]))
        assert [(each["row"], each["column"], each["code"]) for each in read.problems] == [
            ("2", "column B", "column_without_name"),
            ("2", "column F", "column_without_name"),
        ]

    def test_a_formula_that_was_never_calculated_is_told(self, desk: Desk) -> None:
        head = ["prs_FirstName", "prs_SecondName", "prs_MobilePhone", "prs_Gender"]
        read = desk.read(desk.workbook(head, ["Surya", '="A"&"B"', None, "Masculine"], ["Sari"]))
        assert [(each["row"], each["column"], each["code"]) for each in read.problems] == [
            ("2", "prs_SecondName", "excel_error")
        ]
        assert read.documents[0]["record"]["identity"] == {"names": [{"full": "Surya"}], "gender": "man"}

    @pytest.mark.parametrize("said", ["1994-03-11T17:00:00Z", "11/03/1994 17:00", "1994-03-11 00:30:00"])
    def test_a_time_beside_a_date_is_told(self, desk: Desk, said: str) -> None:
        read = desk.one({"prs_FirstName": "Surya", "prs_Birthdate": said})
        assert read.record["identity"]["birth"]["date"] == "1994-03-11"
        assert read.codes("prs_Birthdate") == ["time_left_out"]

    @pytest.mark.parametrize("said", ["1994-03-11T00:00:00Z", "1994-03-11 00:00:00", "1994-03-11", "11 Maret 1994"])
    def test_midnight_is_no_time(self, desk: Desk, said: str) -> None:
        assert desk.one({"prs_FirstName": "Surya", "prs_Birthdate": said}).problems == []


class TestWhatIsNoSheet:
    def refused(self, desk: Desk, path: Path, *said: str) -> None:
        output = desk.folder / "out.ndjson"
        ended = desk.machine.run("schema", "import-htcds", str(path), "--output", str(output))
        assert ended.code == 2
        assert ended.err.startswith("rujukan: ")
        assert all(word in ended.err for word in said), ended.err
        assert not output.exists()
        assert [each.name for each in desk.folder.iterdir() if each.name.endswith(".part")] == []

    def test_no_file(self, desk: Desk) -> None:
        self.refused(desk, desk.folder / "none.csv", "cannot be read", "No such file")

    def test_a_directory(self, desk: Desk) -> None:
        self.refused(desk, desk.folder, "is a directory")

    @pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b" \r\n"])
    def test_an_empty_file(self, desk: Desk, content: bytes) -> None:
        path = desk.folder / "empty.csv"
        path.write_bytes(content)
        self.refused(desk, path, "is empty")

    def test_no_workbook(self, desk: Desk) -> None:
        path = desk.folder / "broken.xlsx"
        path.write_bytes(b"PK\x03\x04 and nothing else")
        self.refused(desk, path, "no workbook that can be read")
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("letter.txt", "hello")
        self.refused(desk, path, "no workbook that can be read")

    def test_an_old_workbook_and_a_locked_one(self, desk: Desk) -> None:
        path = desk.folder / "old.xls"
        path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600))
        self.refused(desk, path, "old kind (.xls)", "save it as .xlsx")
        path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600) + "EncryptedPackage".encode("utf-16-le"))
        self.refused(desk, path, "locked with a password")

    @pytest.mark.parametrize("content", [b"%PDF-1.7", b"\x00\x01\x02\x03" * 50, b"\x89PNG"])
    def test_something_else(self, desk: Desk, content: bytes) -> None:
        path = desk.folder / "sheet.csv"
        path.write_bytes(content)
        self.refused(desk, path, "CSV, or a workbook")

    def test_no_column_of_htcds(self, desk: Desk) -> None:
        self.refused(desk, desk.text(["a", "b"], ["1", "2"]), "no column of HTCDS", "docs/schema/htcds-files.md")
        self.refused(desk, desk.workbook(["a", "b"], [1, 2]), "no column of HTCDS")

    def test_a_column_twice(self, desk: Desk) -> None:
        self.refused(
            desk,
            desk.text(["prs_FirstName", "prs_Gender", "First Name"], ["a", "", "b"]),
            "same field",
            "prs_FirstName",
        )

    def test_a_quotation_mark_that_is_never_closed(self, desk: Desk) -> None:
        path = desk.folder / "sheet.csv"
        path.write_text('prs_FirstName,prs_Gender\n"Surya,Masculine\n' + "x,y\n" * 300_000)
        self.refused(desk, path, "quotation mark")

    @pytest.mark.parametrize("lines", [1, 2])
    def test_a_line_without_an_end(self, desk: Desk, lines: int) -> None:
        path = desk.folder / "sheet.csv"
        path.write_text("prs_FirstName,prs_Gender\n" * (lines - 1) + "a," * 5_000_000)
        self.refused(desk, path, "a line longer than any sheet's")
        path.write_text("prs_FirstName,prs_Gender\n" * (lines - 1) + "prs_FirstName," + "a," * 20_000)
        self.refused(desk, path, "more columns than any sheet's")

    def altered(self, desk: Desk, name: str, content: bytes) -> Path:
        whole, path = desk.workbook(["prs_FirstName"], ["Surya"], name="whole.xlsx"), desk.folder / "altered.xlsx"
        with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
            for part in old.namelist():
                new.writestr(part, old.read(part) if part != name else content)
            if name not in old.namelist():
                new.writestr(name, content)
        return path

    def test_a_workbook_that_unpacks_without_end(self, desk: Desk) -> None:
        self.refused(desk, self.altered(desk, "xl/sharedStrings.xml", bytes(1 << 28) + b"."), "unpacks to more")

    def test_a_workbook_that_is_damaged_further_down(self, desk: Desk) -> None:
        rows = "".join(
            f'<row r="{at}"><c r="A{at}" t="inlineStr"><is><t>Surya</t></is></c></row>' for at in range(2, 99)
        )
        space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        head = '<row r="1"><c r="A1" t="inlineStr"><is><t>prs_FirstName</t></is></c></row>'
        for end in ("<row", "<row>&outside;</row></sheetData></worksheet>"):
            sheet = f'<worksheet xmlns="{space}"><sheetData>{head}{rows}{end}'
            self.refused(desk, self.altered(desk, "xl/worksheets/sheet2.xml", sheet.encode()), "no workbook")

    def test_wrong_options(self, desk: Desk) -> None:
        sheet = desk.text(["prs_FirstName"], ["Surya"])
        for options, said in (
            (("--language", "never heard"), "no such language"),
            (("--author-role", "boss"), "no such role"),
            (("--output", str(sheet)), "one file is named for two things"),
            (("--output", str(desk.folder / "none" / "out.ndjson")), "cannot be written"),
        ):
            ended = desk.machine.run("schema", "import-htcds", str(sheet), *options)
            assert (ended.code, said in ended.err) == (2, True), ended.err
        assert sheet.read_text().startswith("prs_FirstName")


class TestOutput:
    def test_goes_to_standard_output_unless_a_file_is_named(self, desk: Desk) -> None:
        ended = desk.machine.run("schema", "import-htcds", str(desk.text(["prs_FirstName"], ["Surya"])))
        (line,) = ended.out.splitlines()
        assert json.loads(line)["record"]["identity"] == {"names": [{"full": "Surya"}]}
        assert "Read 1 row (UTF-8, separated by ','" in ended.err

    def test_is_for_its_owner_alone(self, desk: Desk) -> None:
        desk.one({"prs_FirstName": "Surya"})
        assert (desk.folder / "out.ndjson").stat().st_mode & 0o077 == 0

    def test_half_a_file_never_pretends_to_be_whole(self, desk: Desk) -> None:
        path = desk.folder / "large.csv"
        with path.open("w") as file:
            file.write("prs_FirstName,vic_MethodsOfControl\n")
            file.writelines("Surya,DebtBondage\n" for _ in range(200_000))
        output = desk.folder / "out.ndjson"
        with desk.machine.start("schema", "import-htcds", str(path), "--output", str(output)) as process:
            until = time.monotonic() + 60
            while not any(part.stat().st_size for part in desk.folder.glob("*.part")) and time.monotonic() < until:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert process.returncode != 0
        assert "Traceback" not in err
        assert sorted(each.name for each in desk.folder.iterdir()) == ["large.csv"]


class TestExport:
    def written(
        self, desk: Desk, name: str, *options: str, lines: list[str] | None = None
    ) -> tuple[Path, list[dict[str, str]]]:
        documents, sheet, report = desk.folder / "in.ndjson", desk.folder / name, desk.folder / "losses.csv"
        if lines is None:
            record = json.loads(DEMO.read_text())["record"]
            record["contact"]["channels"] = [{"kind": "mobile_phone", "value": "+628110000012", "safe": "yes"}]
            lines = [json.dumps({"record": record})]
        documents.write_text("\n".join(lines) + "\n", encoding="utf-8")
        ended = desk.machine.run(
            "schema", "export-htcds", str(documents), str(sheet), "--report", str(report), *options
        )
        assert ended.code == 0, ended.err
        with report.open(encoding="utf-8-sig", newline="") as file:
            return sheet, list(csv.DictReader(file))

    @pytest.mark.parametrize("name", ["out.csv", "out.xlsx"])
    def test_comes_back_the_same_by_every_kind_of_file(self, desk: Desk, name: str) -> None:
        sheet, _ = self.written(desk, name)
        once = desk.read(sheet).documents[0]
        again, losses = self.written(desk, f"again-{name}", lines=[json.dumps(once)])
        twice = desk.read(again).documents[0]
        for document in (once, twice):
            document.pop("row")
            document["record"].pop("contact", None)
        assert once == twice
        assert {loss["reason"] for loss in losses} == {"not_safe", "no_field"}, (
            "a channel once more nobody has asked about"
        )

    def test_the_full_layout_has_every_field_that_is_written(self, desk: Desk) -> None:
        sheet, losses = self.written(desk, "out.csv")
        with sheet.open(encoding="utf-8-sig", newline="") as file:
            head, *rows = list(csv.reader(file))
        assert head == list(WRITTEN)
        assert len(rows) == 1
        assert all(loss["meaning"] == REASONS_OF_LOSS[loss["reason"]] for loss in losses)
        assert any(loss["pointer"] == "/record/identity/names/1/full" for loss in losses)

    @pytest.mark.parametrize("single", [False, True])
    def test_the_toolkits_layout_has_hidden_names_above_labels(self, desk: Desk, single: bool) -> None:
        sheet, losses = self.written(desk, "out.xlsx", "--layout", "toolkit", *(["--single"] if single else []))
        table = load_workbook(sheet).active
        names, labels, person = list(table.iter_rows(values_only=True))
        assert names == TOOLKIT
        assert table.row_dimensions[1].hidden
        assert labels[TOOLKIT.index("prs_MailingStreet")] == "Street"
        assert labels[TOOLKIT.index("vic_TypeOfExploitation")] == LABELS["vic_TypeOfExploitation"]
        control = person[TOOLKIT.index("vic_MethodsOfControl")]
        assert control.split("; ")[0] == "False promises"
        assert (len(control.split("; ")) == 1) == single
        assert ("single" in {loss["reason"] for loss in losses}) == single
        assert {"pointer": "/record/exploitation/age_at_entry", "reason": "layout"}.items() <= next(
            loss for loss in losses if loss["pointer"] == "/record/exploitation/age_at_entry"
        ).items()
        assert desk.read(sheet).record["identity"]["nationalities"] == ["ID"]

    def test_a_text_that_looks_like_a_formula_is_none(self, desk: Desk) -> None:
        line = json.dumps(
            {
                "record": {
                    "identity": {"names": [{"full": "=1+1"}]},
                    "narrative": {"entries": [{"text": "@x", "language": "id", "author_role": "other"}]},
                }
            }
        )
        sheet, _ = self.written(desk, "out.csv", lines=[line])
        assert "'=1+1" in sheet.read_text(encoding="utf-8-sig")
        assert desk.read(sheet).record["identity"]["names"] == [{"full": "=1+1"}]
        book, _ = self.written(desk, "out.xlsx", lines=[line])
        cell = load_workbook(book).active.cell(2, WRITTEN.index("prs_FirstName") + 1)
        assert (cell.data_type, cell.value) == ("s", "=1+1")
        assert desk.read(book).record["identity"]["names"] == [{"full": "=1+1"}]

    def test_what_a_cell_of_a_workbook_cannot_hold_is_not_cut_but_lost(self, desk: Desk) -> None:
        line = json.dumps(
            {"record": {"narrative": {"entries": [{"text": "x" * 40_000, "language": "id", "author_role": "other"}]}}}
        )
        _, losses = self.written(desk, "out.xlsx", lines=[line])
        assert ("/record/narrative/entries/0/text", "too_long") in {
            (loss["pointer"], loss["reason"]) for loss in losses
        }
        sheet, losses = self.written(desk, "out.csv", lines=[line])
        assert len(desk.read(sheet).record["narrative"]["entries"][0]["text"]) == 40_000

    @pytest.mark.parametrize(
        ("lines", "said"),
        [
            (['{"record": {}}', "{"], "line 2"),
            (['{"record": {"identity": {"sex": "hush"}}}'], "/record/identity/sex"),
            (['{"records": {}}'], "/record: Field required"),
        ],
    )
    def test_a_line_that_is_no_document_leaves_no_file(self, desk: Desk, lines: list[str], said: str) -> None:
        documents, sheet = desk.folder / "in.ndjson", desk.folder / "out.csv"
        documents.write_text("\n".join(lines))
        ended = desk.machine.run("schema", "export-htcds", str(documents), str(sheet))
        assert (ended.code, said in ended.err) == (2, True), ended.err
        assert "hush" not in ended.err
        assert not sheet.exists()

    @pytest.mark.parametrize("content", [b"", b"\n \n"])
    def test_no_document_at_all_leaves_no_file(self, desk: Desk, content: bytes) -> None:
        documents, sheet, report = (desk.folder / name for name in ("in.ndjson", "out.csv", "losses.csv"))
        documents.write_bytes(content)
        ended = desk.machine.run("schema", "export-htcds", str(documents), str(sheet), "--report", str(report))
        assert (ended.code, "is empty" in ended.err) == (2, True), ended.err
        assert list(desk.folder.iterdir()) == [documents]

    def test_a_format_nobody_knows(self, desk: Desk) -> None:
        ended = desk.machine.run("schema", "export-htcds", os.devnull, str(desk.folder / "out.ods"))
        assert (ended.code, ".csv or .xlsx" in ended.err) == (2, True)


class TestWorkbooks:
    def test_the_sheet_of_lists_is_passed_over(self, desk: Desk) -> None:
        assert len(desk.read(desk.toolkit(PERSON)).documents) == 1

    def test_a_chart_beside_it_does_no_harm(self, desk: Desk) -> None:
        book = Workbook()
        book.active.append(["prs_FirstName"])
        book.active.append(["Surya"])
        chart = BarChart()
        chart.add_data(Reference(book.active, min_col=1, min_row=1))
        book.create_chartsheet("Chart", 0).add_chart(chart)
        book.save(desk.folder / "chart.xlsx")
        assert len(desk.read(desk.folder / "chart.xlsx").documents) == 1


class TestThePage:
    def test_is_current(self, desk: Desk) -> None:
        page = (HERE / "docs" / "schema" / "htcds.md").read_text(encoding="utf-8")
        assert page == desk.machine.run("schema", "htcds").out, "make it anew: rujukan schema htcds --write"


class TestProgress:
    """A bar is for whoever waits at a terminal, and for nobody else."""

    def on_a_terminal(self, *arguments: str) -> str:
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "app.cli", "schema", *arguments],
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
            stderr=theirs,
            stdout=subprocess.DEVNULL,
        ) as process:
            os.close(theirs)
            seen = bytearray()
            with contextlib.suppress(OSError):  # the other end was closed
                while some := os.read(ours, 4096):
                    seen += some
            os.close(ours)
            assert process.wait(timeout=60) == 0, seen
        return seen.decode()

    def test_is_shown_while_rows_are_read_and_written(self, tmp_path: Path) -> None:
        sheet, made, back = tmp_path / "in.csv", tmp_path / "made.ndjson", tmp_path / "back.csv"
        sheet.write_text("prs_FirstName\n" + "Surya\n" * 600)
        assert "Reading" in self.on_a_terminal("import-htcds", str(sheet), "--output", str(made))
        assert "Writing" in self.on_a_terminal("export-htcds", str(made), str(back))
        assert len(back.read_text(encoding="utf-8-sig").splitlines()) == 601

    def test_is_not_in_the_way_of_a_program(self, desk: Desk) -> None:
        assert "Reading" not in desk.one({"prs_FirstName": "Surya"}).said

"""How fast a sheet of HTCDS is read, and whether memory grows with it: `python -m benchmarks.htcds_import`.

Each size is read by the command itself, in a process of its own; processor time and peak are the process's, as the kernel
counts them. `python -m benchmarks.htcds_import csv 10000` measures one.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from openpyxl import Workbook

from schemas.mappings.htcds.headers import TOOLKIT

SIZES = (10_000, 100_000)

ROW = {
    "con_Consent": "TRUE",
    "cas_Status": "Active",
    "prs_FirstName": "Surya",
    "prs_SecondName": "Contoh",
    "prs_Birthdate": "02-03-2001",
    "prs_Gender": "Masculine",
    "prs_Citizenship": "Indonesia",
    "prs_MailingCity": "Ambon",
    "prs_MailingCountry": "ID",
    "vic_TraffickingStatus": "Possible victim of trafficking",
    "vic_TraffickingStatusDecisionMakingOrg": "Police",
    "vic_MethodOfRecruitment": "Through friends or social events",
    "vic_MethodsOfControl": "Debt bondage; False promises; Withholds documents",
    "vic_TypeOfExploitation": "Forced labour",
    "vic_ForcedLabourIndustry": "Agriculture, forestry and fishing",
    "cas_ReferringOrganisation": "Polres Contoh",
    "cas_IncomingReferralDate": "2026-01-02",
    "cas_IncomingReferralDetails": "By ship to the port, met by an officer.",
}


def rows(count: int) -> Iterator[list[str]]:
    """A head, and rows of a third of the columns, each a person of its own."""
    yield list(TOOLKIT)
    for number in range(count):
        person = {**ROW, "prs_SecondName": f"Contoh {number}"}
        yield [person.get(column, "") for column in TOOLKIT]


def text(path: Path, count: int) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows(count))


def workbook(path: Path, count: int) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows(count):
        sheet.append(row)
    book.save(path)


def read(path: Path, output: Path) -> tuple[float, float, float]:
    """Seconds of one import, its processor time, and its peak of memory in megabytes."""
    began = time.perf_counter()
    # Spawned and not forked: a fork counts its parent's memory as its own peak.
    process = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "app.cli", "schema", "import-htcds", str(path), "--output", str(output)],
        os.environ,
    )
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit("the import failed")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    kinds = {"csv": text, "xlsx": workbook}
    only, sizes = sys.argv[1:2], tuple(map(int, sys.argv[2:])) or SIZES
    with tempfile.TemporaryDirectory() as folder:
        for name in only or kinds:
            make = kinds[name]
            for count in sizes:
                path, output = Path(folder) / f"sheet.{name}", Path(folder) / "out.ndjson"
                make(path, count)
                seconds, processor, peak = read(path, output)
                with output.open("rb") as file:
                    assert sum(1 for _ in file) == count
                print(
                    f"{name:4}  {count:7,} rows  {seconds:6.1f} s, {processor:6.1f} s of processor time  "
                    f"{count / processor:6,.0f} rows/s  peak {peak:5.0f} MB"
                )


if __name__ == "__main__":
    main()

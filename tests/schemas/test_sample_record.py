"""The sample record: one invented person, told in full, for readers, other tests and the benchmark."""

import json
from pathlib import Path

from schemas import SECTIONS, Record, included

FILE = Path(__file__).parents[2] / "openapi" / "examples" / "record.json"
SAMPLE = json.loads(FILE.read_text(encoding="utf-8"))


class TestTheSample:
    def test_has_every_section_in_order(self):
        assert included(Record.model_validate(SAMPLE)) == SECTIONS == tuple(SAMPLE)[1:]

    def test_comes_out_as_it_went_in(self):
        read = Record.model_validate_json(FILE.read_bytes())
        assert json.loads(read.model_dump_json(exclude_unset=True)) == SAMPLE

    def test_is_about_six_kilobytes(self):
        compact = json.dumps(SAMPLE, ensure_ascii=False, separators=(",", ":")).encode()
        assert 5_500 <= len(compact) <= 6_500

    def test_names_nobody(self):
        numbers = [paper["number"] for paper in SAMPLE["identity"]["documents"] if paper["kind"] == "nik"]
        assert [number[:2] for number in numbers] == ["99"], "there is no province 99"

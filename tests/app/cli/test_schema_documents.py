"""`rujukan schema json-schema` and `rujukan schema docs`: what they print is what is committed."""

import json
import re

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.cli.schema.documents import CHECKOUT
from app.cli.schema.section_pages import pages, pretty
from schemas import SECTIONS
from schemas.documents.json_schema import DOCUMENTS, written

FOLDER = CHECKOUT / "docs" / "schema"
SAMPLE = json.loads((CHECKOUT / "openapi" / "examples" / "record.json").read_text(encoding="utf-8"))
PAGES = pages(SAMPLE)


def run(*arguments):
    return CliRunner().invoke(app, ["schema", *arguments])


class TestJsonSchema:
    def test_is_printed(self):
        assert run("json-schema").output == written("record-1.0.json")

    def test_of_the_preview_too(self):
        assert run("json-schema", "preview-1.0.json").output == written("preview-1.0.json")

    def test_that_does_not_exist_is_refused_with_those_that_do(self):
        ended = run("json-schema", "hush.json")
        assert ended.exit_code == 2
        assert all(name in ended.stderr for name in DOCUMENTS)


def anchors(text):
    """Where links into a page may lead: its headings, as GitHub names them, and its own marks."""
    headings = {line.lstrip("# ").lower().replace(" ", "-") for line in text.splitlines() if line.startswith("## ")}
    return headings | set(re.findall(r'<a id="([^"]+)">', text))


class TestPages:
    def test_are_one_for_each_section_and_a_first_one(self):
        assert list(PAGES) == ["README.md", *(f"{name}.md" for name in SECTIONS)]

    @pytest.mark.parametrize("name", PAGES)
    def test_are_as_committed(self, name):
        assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name], (
            "the page is behind the code: run `rujukan schema docs --write`"
        )

    @pytest.mark.parametrize("name", PAGES)
    def test_link_to_what_is_there(self, name):
        for page, anchor in re.findall(r"\]\(([a-z]*\.md|README\.md|)#([a-z0-9-]+)\)", PAGES[name]):
            assert anchor in anchors(PAGES[page or name]), (page, anchor)

    @pytest.mark.parametrize("name", PAGES)
    def test_have_tables_of_even_rows(self, name):
        rows = [line for line in PAGES[name].splitlines() if line.startswith("|")]
        cells = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
        breaks = [i for i, row in enumerate(rows) if set(row) <= set("|- ") and "-" in row]
        assert breaks
        for i in breaks:
            assert cells[i - 1] == cells[i] == cells[i + 1]

    @pytest.mark.parametrize("name", SECTIONS)
    def test_show_the_sample(self, name):
        (block,) = re.findall(r"```json\n(.*?)```", PAGES[f"{name}.md"], re.DOTALL)
        assert json.loads(block) == {name: SAMPLE[name]}


def test_json_is_broken_only_where_it_has_to_be():
    value = {"short": [1, 2], "long": ["a" * 60, "b" * 60], "empty": []}
    assert json.loads(pretty(value)) == value
    assert pretty(value).splitlines()[1:3] == ['  "short": [1, 2],', '  "long": [']

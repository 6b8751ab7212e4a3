"""`retention` and `erasures`: the operator's view, without a case; and the page that shows the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli.retention import period_of
from app.exchange.retention.table import SPECIFIC, TABLE, Periods
from app.foundation.settings import Settings
from schemas.record.record import SECTIONS
from tests.app.cli.conftest import Machine

PAGE = Path(__file__).parents[3] / "docs" / "retention.md"
BEGIN, END = "from the code -->\n", "<!-- end of table -->"


@pytest.fixture(scope="module")
def prepared(machine: Machine) -> Machine:
    """A machine on which something was done."""
    assert machine.run("keys", "list").code == 0
    return machine


def table() -> str:
    settings = Settings()
    rows = [
        f"| `{each.kind}` | {each.what} | {_how_long(settings, each.setting)} | {each.then} | {each.why} |"
        for each in TABLE
    ]
    return "\n".join(["| kind | what | how long | then | why |", "|---|---|---|---|---|", *rows]) + "\n"


def _how_long(settings: Settings, setting: str | None) -> str:
    return "kept" if setting is None else f"{period_of(settings, setting)} (`RUJUKAN_{setting.upper()}`)"


class TestTheTable:
    def test_stands_on_its_page_as_in_the_code(self) -> None:
        text = PAGE.read_text()
        shown = text.split(BEGIN)[1].split(END)[0]
        assert shown == table(), "put this between the comments of docs/retention.md:\n" + table()

    def test_knows_every_section_and_has_a_period_for_all_that_is_erased(self) -> None:
        assert set(SPECIFIC) < set(SECTIONS)
        now = Settings()
        from_settings = {each.setting for each in TABLE if each.setting and each.setting.startswith("retain_")}
        assert from_settings == {name for name in Settings.model_fields if name.startswith("retain_")}
        assert Periods.of(now).specific <= Periods.of(now).general <= Periods.of(now).proof


class TestTheOperator:
    def test_counts_what_is_due_and_names_no_case(self, prepared: Machine) -> None:
        ended = prepared.run("retention", "preview", "--until", "2040-01-01", "--json")
        assert (ended.code, ended.json) == (0, [])
        assert prepared.run("retention", "preview").err == "Nothing is due.\n"
        assert prepared.run("retention", "preview", "--until", "tomorrow").code == 2
        printed = prepared.run("retention", "table", "--json", RUJUKAN_RETAIN_SPECIFIC="P90D").json
        assert printed[0]["period"] == "90 days"

    def test_is_told_where_there_is_no_list(self, prepared: Machine, tmp_path: Path) -> None:
        ended = prepared.run("erasures", "replay", str(tmp_path / "none"))
        assert (ended.code, "there is no erasure list" in ended.err) == (2, True)

    def test_replays_a_list_and_is_not_served_before(self, prepared: Machine, tmp_path: Path) -> None:
        """A list of another time: the database does not know it, nor what it names."""
        one, case = "019aba6d-ef2f-7dd4-9a82-4d2f3ea8f7d6", "019aba6d-ef2f-7dd4-9a82-4d2f3ea8f7d7"
        line = (
            f'{{"id":"{one}","case":"{case}","kind":"record","row":"{case}","sections":["health"],"cause":"retention","cause_id":null,'
            '"before":"2026-11-27T00:00:00Z","at":"2026-11-27T00:00:00Z"}\n'
        )
        (tmp_path / "other-1.ndjson").write_text(line + f'{{"done":"{one}"}}\n')
        env = {"RUJUKAN_ERASURE_LIST": str(tmp_path)}
        checked = prepared.run("erasures", "check", "--json", **env)
        assert (checked.code, checked.json) == (1, {"listed": 1, "to_replay": 1})
        served = prepared.run_apart("serve", "--port", "0", **env)
        assert (served.code, "rujukan erasures replay" in served.err) == (1, True)
        assert prepared.run("erasures", "replay", "--json", **env).json == {"replayed": 1, "left": []}
        assert prepared.run("erasures", "check", **env).code == prepared.run("erasures", "check").code == 0
        assert prepared.run("erasures", "replay", "--json", **env).json == {"replayed": 0, "left": []}

    def test_opens_the_keyring_as_the_settings_say(self, prepared: Machine, tmp_path: Path) -> None:
        """A production exchange whose keyring a key service encrypts could not be restored otherwise."""
        (tmp_path / "other-1.ndjson").touch()
        kms = "aws-kms://arn:aws:kms:ap-southeast-3:123456789012:key/1"
        ended = prepared.run("erasures", "replay", str(tmp_path), RUJUKAN_KEYRING_KMS=kms)
        assert (ended.code, "lies there in clear" in ended.err) == (1, True), ended.err
        commands = (Path(__file__).parents[3] / "app").rglob("*.py")
        assert [path.name for path in commands if "Keyring.open(" in path.read_text()] == []

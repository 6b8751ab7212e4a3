"""`docs/lifecycle.md` is what the tables say: current, complete, and its diagrams drawn as Mermaid takes them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from app.cli.lifecycle_page import AT_DEADLINE, LIFECYCLES, PARTIES, TOLD, arrows, diagram, in_words, lifecycle_page
from app.exchange.lifecycle import PREVIOUS, Lifecycle, Party, Tell
from app.exchange.referrals.lifecycle import REFERRAL
from tests.app.cli.conftest import Machine

PAGE = Path(__file__).parents[3] / "docs" / "lifecycle.md"
ARROW = re.compile(r"    (\w+|\[\*\]) --> (\w+|\[\*\])(?:: (\w+(?:, \w+)*))?")
each = pytest.mark.parametrize("lifecycle", LIFECYCLES, ids=lambda lifecycle: lifecycle.name)


def drawn(lifecycle: Lifecycle) -> list[tuple[str, str, tuple[str, ...]]]:
    """The arrows of a diagram as it stands on the page: from, to, events."""
    head, *lines = diagram(lifecycle).splitlines()
    assert head == "stateDiagram-v2"
    found = [ARROW.fullmatch(line) for line in lines]
    assert None not in found, "a line is no arrow"
    return [(arrow[1], arrow[2], tuple((arrow[3] or "").split(", "))) for arrow in found if arrow]


class TestThePage:
    def test_is_current(self) -> None:
        assert PAGE.read_text() == lifecycle_page(), "make it anew: rujukan lifecycle --markdown > docs/lifecycle.md"

    def test_is_printed_by_the_command(self, machine: Machine) -> None:
        assert machine.run("lifecycle", "--markdown").out == lifecycle_page()
        assert "refuse_cancel" in machine.run("lifecycle").out

    def test_has_words_for_whatever_a_table_can_say(self) -> None:
        assert (set(PARTIES), set(TOLD)) == (set(Party), set(Tell))
        named = {row.at_deadline for lifecycle in LIFECYCLES for row in lifecycle.deadlines}
        assert named <= {*AT_DEADLINE, "none"}

    @each
    def test_names_every_move_with_its_endpoint(self, lifecycle: Lifecycle) -> None:
        page = lifecycle_page()
        chapter = page[page.index(f"## {lifecycle.name.capitalize()}\n") :]
        for move in lifecycle.moves:
            row = next(line for line in chapter.splitlines() if line.startswith(f"| `{move.event}` |"))
            assert ("| `POST /v1/" in row) == (move.by not in (Party.CLOCK, Party.SYSTEM))

    @each
    def test_has_a_line_of_the_clock_for_every_open_state(self, lifecycle: Lifecycle) -> None:
        page = lifecycle_page()
        for row in lifecycle.deadlines:
            if row.at_deadline != "none":
                assert re.search(rf"^\| [^|]*`{row.state}`[^|]* \| [^|]*{row.setting.upper()}", page, re.MULTILINE)


@each
class TestTheDiagram:
    def test_has_every_state_once_begun_and_ended(self, lifecycle: Lifecycle) -> None:
        found = drawn(lifecycle)
        assert {state for start, end, _ in found for state in (start, end)} == {"[*]", *lifecycle.states}
        assert [end for start, end, _ in found if start == "[*]"] == [lifecycle.initial]
        assert tuple(start for start, end, _ in found if end == "[*]") == lifecycle.final_states

    def test_has_every_change_of_the_table_and_no_other(self, lifecycle: Lifecycle) -> None:
        told = {(start, end, event) for start, end, events in drawn(lifecycle) if end != "[*]" for event in events}
        changes = {
            (start, move.to, move.event)
            for move in lifecycle.moves
            for start in move.from_states or ("[*]",)
            if move.to not in (None, PREVIOUS, start)
        }
        back = {(start, end, event) for start, end, event in told if lifecycle[event].to == PREVIOUS}
        assert told - back == changes
        assert {event for _, _, event in back} == {move.event for move in lifecycle.moves if move.to == PREVIOUS}

    def test_draws_one_arrow_from_one_state_to_another(self, lifecycle: Lifecycle) -> None:
        pairs = [(start, end) for start, end, _ in drawn(lifecycle)]
        assert len(set(pairs)) == len(pairs)

    def test_names_the_moves_that_change_no_state_below_it(self, lifecycle: Lifecycle) -> None:
        page = lifecycle_page()
        below = page[page.index(diagram(lifecycle)) + len(diagram(lifecycle)) :].split("\n|")[0]
        still = {move.event for move in lifecycle.moves if move.to is None or move.from_states == (move.to,)}
        assert set(re.findall(r"`(\w+)` \(", below)) == still


def test_a_refused_cancellation_leads_back_to_where_it_was_asked() -> None:
    assert [end for (start, end), events in arrows(REFERRAL).items() if "refuse_cancel" in events] == [
        "accepted",
        "in_progress",
        "on_hold",
    ]


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(minutes=15), "15 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=48), "48 h"),
        (timedelta(7), "7 d"),
    ],
)
def test_lengths_are_written_as_people_say_them(length: timedelta, words: str) -> None:
    assert in_words(length) == words

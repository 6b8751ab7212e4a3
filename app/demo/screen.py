"""The terminal: a line for each act, and what came of it all. Never a name, never a word of a record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Any

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from schemas.checks import words_of

WIDTH_OF_A_FILE = 140


class Screen:
    """Writes to standard output; plainly where that is no terminal."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            self._console = Console(highlight=False, width=WIDTH_OF_A_FILE, color_system=None)

    def say(self, text: str, style: str = "") -> None:
        """Write a sentence."""
        self._console.print(Text(text, style))

    def heading(self, text: str) -> None:
        """Begin a part."""
        self._console.print()
        self._console.rule(Text(text, "bold"), align="left", style="dim")

    def line(
        self,
        when: datetime,
        zone: tzinfo,
        case: str,
        reference: str,
        text: str,
        *,
        style: str = "",
        news: Sequence[str] = (),
    ) -> None:
        """Write one act, at the time its agency's clocks show, and whom the news of it has reached."""
        told = Text(text, style)
        if news:
            told.append(f"  → {', '.join(news)}", "dim")
        start = f"{when.astimezone(zone):%d %b %H:%M %Z}".ljust(18) + f"{case:5}{reference:14}"
        for line in told.wrap(self._console, max(self._console.width - len(start), 40)):
            self._console.print(Text.assemble((start, "dim"), line), soft_wrap=True)
            start = " " * len(start)

    def preview(self, receiver: str, preview: dict[str, Any]) -> None:
        """Show what a receiver sees before it has said yes: codes, from which nobody can be known."""
        shown = {name: value for name, value in preview.items() if value not in (None, [], {})}
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column()
        for name, value in shown.items():
            table.add_row(name, _flat(value))
        title = f"All that {receiver} sees before it accepts"
        self._console.print(Panel(table, title=title, title_align="left", border_style="dim", expand=False))

    def refused(self, problem: dict[str, Any]) -> None:
        """Show why the exchange refused."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column()
        for each in problem["refused"]:
            table.add_row(each["section"], Text(each["reason"], "red"))
        table.add_row("sendable", ", ".join(problem["sendable_sections"]) or "–")
        title = f"403 {problem['type'].rsplit('/', 1)[-1]}"
        self._console.print(Panel(table, title=title, title_align="left", border_style="red", expand=False))

    def warnings(self, sender: str, warnings: Sequence[dict[str, Any]]) -> None:
        """Show what the exchange took as it is, and what somebody should look at again."""
        table = Table.grid(padding=(0, 2))
        for each in warnings:
            label, what_to_do = words_of(each["code"], "en")
            table.add_row(Text(each["code"], "yellow"), Text.assemble((f"{label}. ", "bold"), what_to_do))
            table.add_row("", Text(each["pointer"], "dim"))
        title = f"Taken as it is, with warnings that {sender} gets back"
        self._console.print(Panel(table, title=title, title_align="left", border_style="yellow", expand=False))

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table."""
        made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            made.add_column(column, overflow="fold")
        for row in rows:
            made.add_row(*(Text(cell) for cell in row))
        self._console.print(made)


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={_flat(each)}" for name, each in value.items() if each not in (None, [], {}))
    if isinstance(value, list):
        return "; ".join(_flat(each) for each in value)
    return str(value)

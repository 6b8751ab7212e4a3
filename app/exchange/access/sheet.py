"""The access report as it is handed to the person: plain words, no staff, no systems, no places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

from app.exchange.forms.words import Words
from app.foundation.zones import zone_of
from auth.directory import AgencyEntry
from schemas.codes.labels import Lang, label
from schemas.dates import day_in_digits
from schemas.record.record import SECTIONS

AskedBy = Literal["person", "guardian"]
_WITH_DATA: Final = ("read", "file", "preview", "sent", "corrected")


@dataclass(slots=True)
class Line:
    """What one agency did on one day, as often as it did it."""

    day: str
    agency: str
    what: str
    sections: str
    why: str
    times: int = 1


class AccessSheet:
    """What is printed: one line for what an agency did on a day with the same data for the same reason."""

    def __init__(self, reference: str, lang: Lang, *, asked_by: AskedBy, printed_by: AgencyEntry, at: datetime) -> None:
        self.reference, self.lang, self.asked_by = reference, lang, asked_by
        self.words = Words(lang)
        self._zone = zone_of({"country": printed_by.country, "region": printed_by.region})
        self._printed_by, self._at = printed_by, at
        self._lines: dict[tuple[str, ...], Line] = {}
        self._seen: dict[str, set[str]] = {}

    def add(self, entry: Mapping[str, Any]) -> None:
        """Take an entry of the report."""
        local: date = entry["recorded_at"].astimezone(self._zone).date()
        agency = entry["agency"]["name"]
        if entry["recorded_by"] is not None:
            agency = self.words("access.through", agency=agency, other=entry["recorded_by"]["name"])
        sections = [*entry["sections"], *(each for each in entry["after_withdrawal"] if each not in entry["sections"])]
        to = entry["to"]
        what = self.words(
            f"access.{entry['kind']}", **({"to": to["name"]} if entry["kind"] == "sent" and to else {"to": "…"})
        )
        line = Line(day_in_digits(str(local)), agency, what, self._sections(sections), self._why(entry))
        key = (line.day, line.agency, line.what, line.sections, line.why)
        if key in self._lines:
            self._lines[key].times += 1
        else:
            self._lines[key] = line
        reader = to["name"] if entry["kind"] == "sent" and to else entry["agency"]["name"]
        if entry["kind"] in ("read", "file", "preview"):
            self._seen.setdefault(reader, set()).update(sections)

    def _sections(self, sections: list[str]) -> str:
        return ", ".join(label("section", each, self.lang) for each in sections)

    def _why(self, entry: Mapping[str, Any]) -> str:
        if entry["kind"] not in _WITH_DATA:
            return ""
        reasons = list(dict.fromkeys(self.words(f"access.basis.{each['basis']}") for each in entry["bases"]))
        if entry["after_withdrawal"]:
            reasons.append(self.words("access.after_withdrawal"))
        if not reasons:
            reasons = [self.words("access.own")]
        if entry["despite_restriction"]:
            reasons.append(self.words("access.despite_restriction"))
        if entry["purpose"]:
            reasons.append(self.words("access.purpose", purpose=label("purpose", entry["purpose"], self.lang)))
        return "; ".join(reasons)

    @property
    def lines(self) -> list[Line]:
        """Every line, the oldest first."""
        return list(self._lines.values())

    @property
    def seen(self) -> list[tuple[str, str]]:
        """The summary: each agency that saw data, and which kinds of it at some time."""
        order = {name: place for place, name in enumerate(SECTIONS)}
        return [
            (agency, self._sections(sorted(sections, key=lambda each: order[each])))
            for agency, sections in sorted(self._seen.items())
            if sections
        ]

    @property
    def title(self) -> str:
        """What the sheet is."""
        return self.words("access.title" if self.asked_by == "person" else "access.title_guardian")

    @property
    def printed(self) -> str:
        """Who printed it when: the agency, never its staff."""
        here = self._at.astimezone(self._zone)
        time = here.strftime("%H.%M" if self.lang == "id" else "%H:%M")
        moment = self.words("moment", date=day_in_digits(str(here.date())), time=time, zone=here.tzname())
        return self.words("access.printed", agency=self._printed_by.name, moment=moment)

    @property
    def zone(self) -> str:
        """By which clocks the days are counted."""
        return self.words("access.zone", zone=self._at.astimezone(self._zone).tzname())

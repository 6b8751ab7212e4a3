"""What is not put on paper although its reader may read it: paper is left lying, copied and lost.

Three things stay in the system. Where the person is or is going to be, once the place is to stay secret; a way to reach somebody
that is not known to be safe; and the name of a confidential service point. The form says that there is something, and why it is not there.
Places and numbers are left out of other texts too, where somebody wrote them into a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from app.exchange.forms.words import Words
from schemas.codes.answers import Answer
from schemas.codes.places import AddressKind, ChannelKind
from schemas.codes.safety import SafetyFlag
from schemas.phone import anyhow_typed, is_e164
from schemas.record.contact import PHONES, as_kept

Document = Mapping[str, Any]
_WHEREABOUTS: Final = frozenset({AddressKind.CURRENT, AddressKind.INTENDED, AddressKind.POSTAL})
_NEXT_PLACES: Final = frozenset(
    {"migration.return_home.destination", "migration.reintegration.place", "family.accompanying.place"}
)
"""Where the person is going to be, or those with them are."""
_BY_ITS_NAME: Final = PHONES | {ChannelKind.EMAIL, ChannelKind.SOCIAL_MEDIA}
"""The kinds that whoever has the value can use; that of any other names a person or a place, who are told of elsewhere too."""
_TELLING: Final = ("street", "name", "directions")
"""The parts of a place that are searched for in other texts; a regency alone gives nobody away, and the preview has it."""
_SHORTEST: Final = 6
_ENDING: Final = 3
"""How many digits of a number are left, to know it by when it rings."""


class Discretion:
    """What one document keeps off paper."""

    def __init__(self, document: Document, words: Words) -> None:
        self._words = words
        record: Document = document["record"] or {}
        preview: Document = document["preview"] or {}
        safety: Document | None = record.get("safety")
        flags = {*(safety or {}).get("flags", ()), *preview.get("safety_flags", ())}
        flagged = SafetyFlag.CONFIDENTIAL_PLACE in flags
        # Withdrawn or withheld, the section may hold the flag: not knowing is no permission.
        unsure = safety is None and "safety" in document["withheld"]
        self.place_is_secret = flagged or unsure
        self._why = "withheld.place_unsure" if unsure and not flagged else "withheld.place"
        self._secrets = _pattern(_secret_texts(record)) if self.place_is_secret else None
        self._barred = frozenset(
            as_kept(each["value"])
            for each in _section(record, "contact").get("do_not_contact", ())
            if each.get("value")
        )
        self._not_to_use = _pattern(self._barred | frozenset(self._unsafe(record)))

    def text(self, text: str) -> str:
        """Return a text without the secret place and without what must not be used, where somebody wrote it into a note too."""
        if self._secrets is not None:
            text = self._secrets.sub(self._words("withheld.text"), text)
        return text if self._not_to_use is None else self._not_to_use.sub(self._words("withheld.contact"), text)

    def _unsafe(self, record: Document) -> Iterator[str]:
        guardian = _section(record, "family").get("guardian") or {}
        for holder in (_section(record, "contact"), guardian):
            for channel in holder.get("channels", ()):
                if channel["kind"] in _BY_ITS_NAME and not self._is_safe(channel, holder):
                    yield as_kept(channel["value"])

    def _is_safe(self, channel: Document, holder: Document) -> bool:
        return channel["safe"] == Answer.YES and not self._is_barred(channel, holder)

    def _is_barred(self, channel: Document, holder: Document) -> bool:
        """Whether nobody may use it: the person says so, it is named among those not to contact, or it is a suspected guardian's."""
        suspected = holder.get("suspected") == Answer.YES
        return suspected or channel["safe"] == Answer.NO or as_kept(channel["value"]) in self._barred

    def place(self, path: str, holder: Document) -> str | None:
        """Say why the place at `path`, which belongs to `holder`, is not printed; None if it is."""
        if self.place_is_secret and _is_secret(path, holder):
            return self._words(self._why)
        return None

    def channel(self, channel: Document, holder: Document) -> str | None:
        """Say why a way to reach somebody is not printed; None if it is: only where it is known to be safe."""
        if self.place_is_secret and channel["kind"] == ChannelKind.POSTAL:
            return self._words(self._why)
        if self._is_barred(channel, holder):
            return self._unused("contact.unsafe", channel["value"])
        return None if self._is_safe(channel, holder) else self._unused("contact.unsure", channel["value"])

    def not_to_be_used(self, value: str) -> str:
        """Return what to say of a number or address that must not be used."""
        return self._unused("contact.unsafe", value)

    def _unused(self, why: str, value: str) -> str:
        digits = re.sub(r"\D", "", value)
        ending = self._words("contact.ending", digits=digits[-_ENDING:])
        # A number only: the end of an account's name could be all of it.
        return f"{self._words(why)} {ending}" if re.fullmatch(r"\+?[0-9 ().-]{7,}", value) else self._words(why)


def _section(record: Document, name: str) -> Document:
    found: Document | None = record.get(name)
    return found or {}


def _is_secret(path: str, holder: Document) -> bool:
    return path in _NEXT_PLACES or (path == "location.addresses.place" and holder.get("kind") in _WHEREABOUTS)


def _secret_texts(record: Document) -> Iterator[str]:
    for place in _secret_places(record):
        for name in _TELLING:
            yield from (line.strip() for line in str(place.get(name) or "").splitlines())


def _secret_places(record: Document) -> Iterator[Document]:
    for address in _section(record, "location").get("addresses", ()):
        if address["kind"] in _WHEREABOUTS:
            yield address["place"]
    migration, family = _section(record, "migration"), _section(record, "family")
    yield (migration.get("return_home") or {}).get("destination") or {}
    yield (migration.get("reintegration") or {}).get("place") or {}
    yield from (relative.get("place") or {} for relative in family.get("accompanying", ()))
    for channel in _section(record, "contact").get("channels", ()):
        if channel["kind"] == ChannelKind.POSTAL:
            yield {"street": channel["value"]}


def _pattern(texts: Iterable[str]) -> re.Pattern[str] | None:
    found = sorted({text for text in texts if len(text) >= _SHORTEST}, key=len, reverse=True)
    if not found:
        return None
    return re.compile("|".join(map(_however_written, found)), re.IGNORECASE)


def _however_written(text: str) -> str:
    return anyhow_typed(text) if is_e164(text) else r"\s+".join(map(re.escape, text.split()))

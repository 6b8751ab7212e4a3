"""What a warning says to people."""

from typing import NamedTuple

from schemas.codes.labels import Lang, entry_of


class Words(NamedTuple):
    """A warning in words."""

    label: str
    what_to_do: str


def words_of(code: str, lang: Lang = "id") -> Words:
    """What to show for a warning; the code itself where it is of a later version, since answers are open."""
    entry = entry_of("warning", code)
    if entry is None:
        return Words(code, "")
    return Words(entry.id, entry.definition_id) if lang == "id" else Words(entry.en, entry.definition_en)

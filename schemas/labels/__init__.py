"""What each field of the record is called in Indonesian and English, for forms and pages."""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib.resources import files
from typing import Final

from schemas.codes.labels import Lang

Labels = dict[Lang, str]
_FILE: Final = "fields.csv"


@lru_cache(maxsize=1)
def field_labels() -> dict[str, Labels]:
    """Every field's labels, by its path: section, then the names of members, without places in lists (`identity.names.full`)."""
    lines = files(__name__).joinpath(_FILE).read_text(encoding="utf-8").splitlines()
    return {row["path"]: {"id": row["id"], "en": row["en"]} for row in csv.DictReader(lines)}


def field_label(path: str, lang: Lang) -> str:
    """What to call a field; its own name where the table does not have it, since answers are open."""
    found = field_labels().get(path)
    return found[lang] if found else path.rpartition(".")[2].replace("_", " ")

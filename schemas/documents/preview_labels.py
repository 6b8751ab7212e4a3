"""What each field of a preview is called, in Indonesian and English: the fields of the record have a table of their own."""

import csv
from functools import cache
from importlib.resources import files
from typing import Final

from schemas.codes.labels import Lang

_FILE: Final = "preview_labels.csv"


@cache
def preview_labels() -> dict[str, dict[Lang, str]]:
    """Every field's labels, by its path without places in lists (`preview.dependants.count`)."""
    lines = files("schemas.documents").joinpath(_FILE).read_text(encoding="utf-8").splitlines()
    return {row["path"]: {"id": row["id"], "en": row["en"]} for row in csv.DictReader(lines)}

"""HTCDS 2.0, the Human Trafficking Case Data Standard of IOM: rows of it into the record, and the record into rows.

Field and code names from the Human Trafficking Case Data Standard 2.0, © IOM, CC BY 4.0; changes in `data/README.md`.
"""

from schemas.mappings.htcds.exchange import Exchange, Imported, of_agency, of_case, of_referral
from schemas.mappings.htcds.reading import Manner, Outcome, Problem, import_row
from schemas.mappings.htcds.writing import Exported, Loss, export

__all__ = [
    "Exchange",
    "Exported",
    "Imported",
    "Loss",
    "Manner",
    "Outcome",
    "Problem",
    "export",
    "import_row",
    "of_agency",
    "of_case",
    "of_referral",
]

"""What in a record is unlikely or contradicts itself, for a person to look at; nothing here refuses anything."""

from schemas.checks.warning import MAX_WARNINGS, RecordWarning
from schemas.checks.warnings_of import warnings_of
from schemas.checks.words import words_of

__all__ = ["MAX_WARNINGS", "RecordWarning", "warnings_of", "words_of"]

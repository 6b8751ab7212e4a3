"""Which classes of personal data a section holds, under UU 27/2022 art 4.

This is our reading, for a protection officer to confirm. All of it identifies a victim: UU 21/2007 art 44 keeps that
confidential, the family's identity included, so every section is also `specific_other_law` (art 4(2)(g)).
"""

from typing import Final

from schemas.codes.disclosure import DataClass

DATA_CLASSES: Final[dict[str, tuple[DataClass, ...]]] = {
    "identity": (DataClass.GENERAL, DataClass.SPECIFIC_CHILD),
    "contact": (DataClass.GENERAL,),
    "location": (DataClass.GENERAL,),
    "family": (DataClass.GENERAL, DataClass.SPECIFIC_CHILD),
    "identification": (),
    "exploitation": (DataClass.SPECIFIC_FINANCIAL, DataClass.SPECIFIC_CRIMINAL_RECORD),
    "safety": (),
    "health": (DataClass.SPECIFIC_HEALTH,),
    "psychosocial": (DataClass.SPECIFIC_HEALTH,),
    "legal": (DataClass.SPECIFIC_CRIMINAL_RECORD, DataClass.SPECIFIC_FINANCIAL),
    "migration": (DataClass.GENERAL,),
    "needs": (DataClass.SPECIFIC_HEALTH,),
    "narrative": (DataClass.SPECIFIC_HEALTH, DataClass.SPECIFIC_CRIMINAL_RECORD),
    "attachments": (),
    "extensions": (),
}
"""Besides `specific_other_law`. What is free text or not known to us may hold more."""

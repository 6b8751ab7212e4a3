"""What makes a consent count, pure: what the person was told, whether it can be proved, whose it is.

**Void** (UU 27/2022 art 24): one of the seven things of art 21(1) was not told. Such a consent is not recorded.

**Not provable** (art 22, 24): a consent is written or recorded. What was only spoken is kept, so that it is known, and nothing can rest on it. Nor
can anything rest on what only an interpreter has heard who is not independent: a relative, a companion of those who exploit, or somebody who gains
by the answer. It counts where the talk was recorded, so that somebody else can hear it again, or where a witness was present.

**The person's own**: a foreign mission gets data on nothing else, since the person may have fled from that state. It is given by the person, through
an independent interpreter if any; of a child, by a court's guardian or a state authority with a decision that is named, and with the child's assent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from schemas.checks.births import born, years_before
from schemas.codes.answers import Answer
from schemas.codes.disclosure import ChildAssent, ConsentGiver, ConsentMethod, InterpreterRole, NoticeItem
from schemas.codes.person import AgeBand
from schemas.exchange.consent import ConsentAct
from schemas.record.record import Record

REQUIRED_NOTICE: Final = (
    NoticeItem.LEGALITY,
    NoticeItem.PURPOSE,
    NoticeItem.KINDS_OF_DATA,
    NoticeItem.RETENTION,
    NoticeItem.DETAILS,
    NoticeItem.PERIOD,
    NoticeItem.RIGHTS,
)
"""UU 27/2022 art 21(1), letters a to g."""

RECORDED: Final = frozenset(
    {ConsentMethod.AUDIO_RECORDING, ConsentMethod.VIDEO_RECORDING, ConsentMethod.SIGN_LANGUAGE_RECORDING}
)
_CHILD: Final = frozenset({AgeBand.AGE_0_5, AgeBand.AGE_6_11, AgeBand.AGE_12_17, AgeBand.CHILD})
_OF_AGE: Final = 18


def untold(items: Iterable[NoticeItem]) -> list[NoticeItem]:
    """Return what the law demands to be told and was not, in the order of the law."""
    told = set(items)
    return [item for item in REQUIRED_NOTICE if item not in told]


def columns_of(act: ConsentAct) -> dict[str, Any]:
    """Return how somebody agreed, as its columns."""
    interpreter = act.interpreter if act.interpreter and act.interpreter.role is not InterpreterRole.NONE else None
    return {
        "giver": act.giver,
        "method": act.method,
        "language": act.language,
        "interpreter": interpreter and interpreter.role,
        "interpreter_independent": interpreter and interpreter.independent,
        "witnessed": act.witness is not None,
        "for_child": act.child is not None,
        "assent": act.child and act.child.assent,
        "decided": act.decision is not None,
        "given_at": act.given_at,
    }


def provable(consent: Mapping[str, Any]) -> bool:
    """Whether anything can rest on a consent, by its columns. The database keeps the same of a stored one."""
    return consent["method"] != ConsentMethod.SPOKEN and (
        consent["interpreter"] is None
        or bool(consent["interpreter_independent"])
        or bool(consent["witnessed"])
        or consent["method"] in RECORDED
    )


def own(consent: Mapping[str, Any]) -> bool:
    """Whether a consent, by its columns, counts as the person's own. The database keeps the same of a stored one."""
    if consent["interpreter"] is not None and not consent["interpreter_independent"]:
        return False
    if consent["for_child"]:
        by_decision = consent["giver"] in (ConsentGiver.COURT_GUARDIAN, ConsentGiver.STATE_AUTHORITY)
        return by_decision and consent["decided"] and consent["assent"] == ChildAssent.GIVEN
    return consent["giver"] in (ConsentGiver.PERSON, ConsentGiver.PERSON_WITH_SUPPORT)


def is_child(record: Record | None, on: date) -> bool:
    """Whether a record says that the person is a child, or that the age is in doubt: then the person is treated as one."""
    birth = record.identity.birth if record and record.identity else None
    if birth is None:
        return False
    span = born(birth)
    return (
        birth.disputed is Answer.YES
        or birth.age_band in _CHILD
        or (span is not None and span.first > years_before(on, _OF_AGE))
    )

"""What is kept how long, and why. A protection officer can read this file, and should: the periods are this project's proposal.

UU 27/2022 asks that data be erased once their purpose is met and their time is over (art 42 to 44), and names no period; `retain_until` per class of
section is ours to set. A deployment sets its own (`RUJUKAN_RETAIN_*`). All are counted from the closing of the case; reopening it stops them, the
next closing starts them again. What a court or an authority needs longer is kept by a legal hold, for as long as that stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.foundation.settings import Settings

SPECIFIC: Final = (
    "exploitation",
    "safety",
    "health",
    "psychosocial",
    "legal",
    "needs",
    "narrative",
    "attachments",
    "extensions",
)
"""Sections that hold specific data (UU 27/2022 art 4), or are treated as if they did, since a victim's story is nearly all specific."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One kind of what is stored: what of it, how long (a setting; None: see `what`), and why."""

    kind: str
    what: str
    setting: str | None
    why: str
    then: str = "Erased."


TABLE: Final[tuple[Kept, ...]] = (
    Kept(
        "record_specific",
        "Sections of records that hold specific data: " + ", ".join(SPECIFIC) + ".",
        "retain_specific",
        "Their purpose, the services, is met when the case is closed; they do the most harm. Two years leave time for a relapse, for restitution,"
        " and for the evaluation of the case (art 42, 43).",
        "The version's key is destroyed; what stays of it is sealed anew.",
    ),
    Kept(
        "record_general",
        "The other sections: identity, contact, location, family, identification, migration.",
        "retain_general",
        "To find the case when the person comes again, is trafficked again, or asks about their data (art 7, 32).",
        "The version's key is destroyed, and with it the preview.",
    ),
    Kept(
        "access",
        "What agencies other than the lead may still read of what they were sent.",
        "retain_access",
        "Whoever gave a service has its own file of it; the exchange need not keep another open (art 16).",
        "Closed to them; their own entries and the envelope stay readable.",
    ),
    Kept(
        "words",
        "Notes, answers, plans, reasons of moves; decisions about victim status; texts of links and reassignments.",
        "retain_words",
        "Free text often holds specific data; it is treated as such.",
        "The words are erased; that the move happened, when, and by which agency stays.",
    ),
    Kept(
        "proof",
        "Details of consents and withdrawals, corrections, reasons of disclosures, requests of persons and agencies, legal holds.",
        "retain_proof",
        "The controller must be able to prove consent and lawful disclosure (art 24, 31). Kept while any hold of the case is active.",
        "The details are erased; their codes, dates and sections stay.",
    ),
    Kept(
        "envelope",
        "The case, its leads, referrals and transfers: ids, parties, states, times, codes.",
        None,
        "Without the sections it names nobody. Statistics and the log need it.",
        "Kept.",
    ),
    Kept(
        "incidents",
        "Incidents and what was added to them.",
        None,
        "The proof of a notice (art 46); they name no person.",
        "Kept.",
    ),
    Kept(
        "log",
        "The log, and its proofs.",
        None,
        "Every processing is recorded (art 31); it holds no personal data.",
        "Kept.",
    ),
    Kept(
        "events",
        "The feeds.",
        "event_days",
        "An event names ids and states only. Counted from the event: systems are away for weeks; who is away for longer reads the lists anew.",
        "Dropped by whole months.",
    ),
    Kept(
        "idempotency",
        "Answers to idempotency keys: ids and states.",
        "idempotency_days",
        "Agencies are down for days and repeat their requests. Counted from the answer, not from the closing.",
        "Dropped by whole months.",
    ),
    Kept(
        "retracted",
        "A record that was another person's.",
        "erase_unanswered_after",
        "It must not be there at all. Erased once all who read it have answered, or after this time at the latest.",
        "The version's key is destroyed.",
    ),
)
"""Every kind of record, in the order in which a protection officer asks."""


@dataclass(frozen=True, slots=True)
class Periods:
    """The deployment's periods, as the database's function takes them."""

    specific: timedelta
    general: timedelta
    access: timedelta
    words: timedelta
    proof: timedelta
    patience: timedelta

    @classmethod
    def of(cls, settings: Settings) -> Periods:
        """Return what the settings say."""
        return cls(
            specific=settings.retain_specific,
            general=settings.retain_general,
            access=settings.retain_access,
            words=settings.retain_words,
            proof=settings.retain_proof,
            patience=settings.erase_unanswered_after,
        )

    def after(self, kind: str, closed_at: datetime) -> datetime:
        """Return when a kind of what a closed case has becomes due."""
        return (
            closed_at
            + {
                "record_specific": self.specific,
                "record_general": self.general,
                "access": self.access,
                "words": self.words,
                "proof": self.proof,
            }[kind]
        )

"""What can go wrong with emergency access."""

from __future__ import annotations

from uuid import UUID

from app.foundation.problems import Problem


class EmergencyNotForYou(Problem):
    """Emergency access is for agencies in the country of the exchange, in their own name; whoever takes no part in the case must be of a kind that
    helps people, and name the case's reference.

    Call the case's lead, the duty contact of an agency nearby, or 110 and 119.
    """

    type, status, title, title_id = (
        "emergency-not-for-you",
        403,
        "Emergency access is not open to your agency",
        "Akses darurat tidak terbuka bagi instansi Anda",
    )
    log_as = "emergency_not_for_you"


class EmergencyOpen(Problem):
    """Your agency has emergency access to this case already: `emergency_access_id`. Read under it; end it before you ask for other sections."""

    type, status, title, title_id = (
        "emergency-open",
        409,
        "Emergency access is open already",
        "Akses darurat sudah terbuka",
    )
    log_as = "emergency_open"

    def __init__(self, *, emergency_access_id: UUID | str) -> None:
        super().__init__(emergency_access_id=emergency_access_id)


class EmergencyEnded(Problem):
    """The emergency access has ended. If life is still at stake, ask for it again."""

    type, status, title, title_id = (
        "emergency-ended",
        409,
        "The emergency access has ended",
        "Akses darurat sudah berakhir",
    )
    log_as = "emergency_ended"


class TooManyKnocks(Problem):
    """Your agency has asked for emergency access by a reference too often today, right or wrong. Call the case's lead, or the ministry's desk."""

    type, status, title, title_id = (
        "too-many-knocks",
        429,
        "Asked for emergency access too often",
        "Terlalu sering meminta akses darurat",
    )
    log_as = "too_many_knocks"

"""What can go wrong with an escalation."""

from __future__ import annotations

from app.foundation.problems import Problem


class EscalationNotOpen(Problem):
    """The escalation is not open to you any more: `state` says whether another agency has taken it, or whether it is closed.

    Read what is escalated before you do anything about it.
    """

    type, status, title, title_id = (
        "escalation-not-open",
        409,
        "The escalation is not open any more",
        "Eskalasi tidak lagi terbuka",
    )
    log_as = "escalation_not_open"

    def __init__(self, *, state: str) -> None:
        super().__init__(state=state)


class NotReroutable(Problem):
    """Only a referral that nobody answered, or that expired, can be re-routed; never a transfer, nor what was accepted."""

    type, status, title, title_id = (
        "not-reroutable",
        409,
        "This cannot be re-routed",
        "Ini tidak dapat dialihkan",
    )
    log_as = "not_reroutable"

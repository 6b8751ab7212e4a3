"""What can go wrong with a review."""

from __future__ import annotations

from app.foundation.problems import Problem


class ReviewDecided(Problem):
    """The review has been decided, or what it was about rests on another basis by now: `state`. It is decided once."""

    type, status, title, title_id = (
        "review-decided",
        409,
        "The review has been decided",
        "Peninjauan sudah diputuskan",
    )
    log_as = "review_decided"

    def __init__(self, *, state: str) -> None:
        super().__init__(state=state)


class AnotherReviewerRequired(Problem):
    """Who disclosed it does not review it: another person of the reviewing agency must (`Rujukan-Actor`)."""

    type, status, title, title_id = (
        "another-reviewer-required",
        403,
        "Another person must review it",
        "Harus ditinjau orang lain",
    )
    log_as = "another_reviewer"

"""What can go wrong in the directory."""

from __future__ import annotations

from app.foundation.problems import Problem


class NotOwnAgency(Problem):
    """An agency keeps its own entries in the directory, and nobody else's."""

    type, status, title, title_id = (
        "not-own-agency",
        403,
        "This entry is another agency's",
        "Data ini milik instansi lain",
    )
    log_as = "not_own_agency"

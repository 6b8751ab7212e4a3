"""What can go wrong when a lead that is gone is replaced."""

from __future__ import annotations

from uuid import UUID

from app.foundation.problems import Problem


class SecondPersonRequired(Problem):
    """Who proposed a reassignment does not approve it: another person of the desk must (`Rujukan-Actor`)."""

    type, status, title, title_id = (
        "second-person-required",
        403,
        "A second person must approve it",
        "Harus disetujui orang kedua",
    )
    log_as = "second_person"


class LeadsAlready(Problem):
    """The agency named leads the case already. Nothing needs to be reassigned."""

    type, status, title, title_id = (
        "leads-already",
        409,
        "The agency leads the case already",
        "Instansi itu sudah menjadi penanggung jawab",
    )
    log_as = "leads_already"


class ReassignmentOpen(Problem):
    """The case has an open reassignment: `reassignment_id`. See it through, or withdraw it first."""

    type, status, title, title_id = (
        "reassignment-open",
        409,
        "The case has an open reassignment",
        "Penunjukan penanggung jawab baru masih terbuka",
    )
    log_as = "reassignment_open"

    def __init__(self, reassignment_id: UUID | str | None) -> None:
        super().__init__(reassignment_id=reassignment_id)

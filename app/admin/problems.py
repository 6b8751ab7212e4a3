"""What `auth.admin` refuses, as problems of HTTP: its errors' own texts, which hold nothing but what the caller sent as a name."""

from __future__ import annotations

from app.foundation.problems import Problem


class NotThere(Problem):
    """There is no such agency, client, key, agreement, administrator, session or approval, or it has ended. `says` tells which."""

    type, status, title, title_id = "admin-not-there", 404, "There is no such thing", "Tidak ada"

    def __init__(self, says: str) -> None:
        super().__init__(says=says)


class NotPossible(Problem):
    """What was asked for is not possible now: the code or id is taken, the state is another, the agency still has duties. `says` tells why."""

    type, status, title, title_id = (
        "admin-not-possible",
        409,
        "That is not possible now",
        "Tidak dapat dilakukan sekarang",
    )

    def __init__(self, says: str) -> None:
        super().__init__(says=says)


class MayNotApprove(Problem):
    """Your yes does not count for this: another role's is needed, or another person's. `says` tells which."""

    type, status, title, title_id = (
        "may-not-approve",
        403,
        "This takes another person's yes",
        "Perlu persetujuan orang lain",
    )

    def __init__(self, says: str) -> None:
        super().__init__(says=says)


class NotRight(Problem):
    """A value is not one that can be taken; `says` tells what it must be. Nothing was changed."""

    type, status, title, title_id = "admin-not-right", 422, "A value cannot be taken", "Nilai tidak dapat diterima"

    def __init__(self, says: str) -> None:
        super().__init__(says=says)

"""What can keep a person who administers from doing something."""

from __future__ import annotations

from app.foundation.problems import Problem


class NotSignedIn(Problem):
    """Nobody is signed in: there is no session, it was ended, or it was idle for half an hour.

    Sign in at `/admin/sign-in`. A client with the scope `admin.read` or `admin.write` sends its access token instead.
    """

    type, status, title, title_id = "not-signed-in", 401, "Nobody is signed in", "Belum masuk"


class RoleRequired(Problem):
    """This takes a role you do not have; `roles` are those that may."""

    type, status, title, title_id = "role-required", 403, "This takes another role", "Perlu peran lain"

    def __init__(self, roles: list[str]) -> None:
        super().__init__(roles=roles)


class PersonRequired(Problem):
    """This takes a person who has signed in: a client's token proves no person."""

    type, status, title, title_id = (
        "person-required",
        403,
        "This takes a signed-in person",
        "Perlu orang yang sudah masuk",
    )


class ConfirmationRequired(Problem):
    """Prove again who you are: keys and roles are changed within ten minutes of it only.

    At `/admin/confirm`, by your passkey or at your OpenID provider; then send the request again.
    """

    type, status, title, title_id = (
        "confirmation-required",
        403,
        "Prove again who you are",
        "Buktikan kembali identitas Anda",
    )


class CrossSite(Problem):
    """The request does not come from the exchange's own pages: `Origin` is missing or another's. Nothing was done."""

    type, status, title, title_id = (
        "cross-site",
        403,
        "The request comes from elsewhere",
        "Permintaan berasal dari luar",
    )

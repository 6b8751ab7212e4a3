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


class CeremonyOver(Problem):
    """What you answer to has ended: it took more than five minutes, was answered already, or was begun in another browser.

    Begin again; nothing was changed.
    """

    type, status, title, title_id = (
        "ceremony-over",
        409,
        "This took too long or was used already: begin again",
        "Waktu habis atau sudah dipakai: mulai lagi",
    )


class PasskeyRefused(Problem):
    """The passkey is not accepted here.

    It is not known, was ended, belongs to another address or another person, or its person is suspended. The log says which, if the
    passkey is known. Another administrator can tell, and can invite you anew.
    """

    type, status, title, title_id = (
        "passkey-refused",
        403,
        "The passkey is not accepted",
        "Kunci sandi tidak diterima",
    )


class PasskeyCopied(Problem):
    """The passkey counts its uses, and its count went back: somebody may have a copy of it.

    It was ended, with every session of its person. Tell another administrator at once; they can see in the log when it was used, and invite you anew.
    """

    type, status, title, title_id = (
        "passkey-copied",
        403,
        "The passkey may have been copied, and was ended: tell another administrator",
        "Kunci sandi mungkin disalin dan diakhiri: beri tahu administrator lain",
    )


class CodeRequired(Problem):
    """The link takes a code as well, and this is not it. Nothing was changed, and the link counts on.

    Whoever said the last yes to your being invited was shown it once, and tells it to you and nobody else; whoever gave you the link has
    not got it. If it is lost, ask for another link.
    """

    type, status, title, title_id = (
        "code-required",
        403,
        "The link takes the code of whoever approved it",
        "Tautan ini memerlukan kode dari pemberi persetujuan",
    )


class LinkOver(Problem):
    """The link does not count: it is older than a day, was used already, was replaced by a newer one, or still waits for approval.

    Whoever gave it to you can tell, and can give you another.
    """

    type, status, title, title_id = (
        "link-over",
        410,
        "The link was used, has expired, or is not approved yet",
        "Tautan sudah dipakai, kedaluwarsa, atau belum disetujui",
    )

"""What can go wrong with receipts and proofs."""

from __future__ import annotations

from app.foundation.problems import Problem


class NoCheckpoint(Problem):
    """Nothing of the log is sealed yet. The first checkpoint is signed seconds after the exchange's first act; ask again then."""

    type, status, title, title_id = "no-checkpoint", 404, "There is no checkpoint yet", "Belum ada titik periksa log"


class NotThatSize(Problem):
    """The log is not that large, or the two sizes are the wrong way round. `newest` is the size of the newest checkpoint.

    If you hold a signed checkpoint of a larger size, entries that were sealed are gone: keep that checkpoint, and tell the auditors.
    """

    type, status, title, title_id = "not-that-size", 404, "The log has no such sizes", "Log tidak berukuran demikian"

    def __init__(self, *, newest: int) -> None:
        super().__init__(newest=newest)

"""What can be wrong with a place in a feed."""

from __future__ import annotations

from app.foundation.problems import Problem

READ_FIRST = (
    "/v1/inbox",
    "/v1/referrals?role=receiver",
    "/v1/referrals?role=sender",
    "/v1/transfers?role=receiver",
    "/v1/transfers?role=sender",
    "/v1/cases",
    "/v1/requests?role=to",
    "/v1/requests?role=from",
)
"""What says how everything stands, for a system that does not know what it has missed."""


class CursorTooOld(Problem):
    """Events that come after that position are not kept any more: your system was away for longer than the exchange keeps events, or begins only
    now. `oldest` is the position of the oldest event that is kept, or of the next one where none is.

    To be up to date again, do this in order:

    1. Keep `next`. It is where you go on, and misses nothing of what is still kept.
    2. Read each address of `read_first` to its last page (follow `next` of each page until it is null), and bring what your system knows to what
       stands there. If you know when you last read the feed, `updated_since` with a time a day earlier makes the lists of referrals and transfers
       shorter.
    3. Read each case, referral and transfer that is new to you or has another `version` than yours.
    4. Go on with `next`. You get events whose outcome you have read already: handling them again must do no harm.

    For a webhook that was to begin, or a replay that was to go back, so far: do 2 and 3, then ask with `after_position` as `oldest` less one.

    Nothing that is shared is lost with its events, only the news of it.
    """

    type, status, title, title_id = (
        "cursor-too-old",
        410,
        "Events after that position are not kept any more",
        "Peristiwa setelah posisi itu tidak disimpan lagi",
    )

    def __init__(self, dropped: int) -> None:
        super().__init__(oldest=dropped + 1, next=f"/v1/events?after={dropped}", read_first=list(READ_FIRST))


class CursorAhead(Problem):
    """The feed does not go that far: it ends at `last`. The position is another agency's, or of another exchange, or this exchange was restored from
    a backup and has lost what came after.

    If it is another's, go on with your own. After a restore its operators say so: read each address of `read_first` to its last page, bring what
    your system knows to what stands there, then go on with `next`. Positions beyond `last` are given again, to other events with other ids; what
    you had recorded after the backup was made may have to be sent again.
    """

    type, status, title, title_id = (
        "cursor-ahead",
        409,
        "The feed does not go that far",
        "Umpan peristiwa tidak sampai sejauh itu",
    )

    def __init__(self, last: int) -> None:
        super().__init__(last=last, next=f"/v1/events?after={last}", read_first=list(READ_FIRST))


class PositionBehind(Problem):
    """Your client has acknowledged more than that already, up to `position`; an acknowledgement only goes forward. Nothing was changed.

    A late request of another of your processes needs no answer. To read events again, send `"rewind": true` with it.
    """

    type, status, title, title_id = (
        "position-behind",
        409,
        "More than that was acknowledged already",
        "Sudah dikonfirmasi lebih jauh dari itu",
    )

    def __init__(self, position: int) -> None:
        super().__init__(position=position)

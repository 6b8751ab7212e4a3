"""A transfer is offered by the lead, accepted, and completed when the receiver confirms the handover.

Accepting does not move the lead; confirming does, in the same transaction: open referrals sent by the earlier lead then have the new
lead as sender, and one whose receiver is the new lead is absorbed. A case has at most one open transfer. Giving a case back is a new
transfer, to be accepted like any other.
"""

from __future__ import annotations

from app.exchange.lifecycle import Deadline, Lifecycle, Move, Need, Party, Tell

_UNANSWERED = ("offered", "received", "info_requested")
_OPEN = (*_UNANSWERED, "accepted")

TRANSFER = Lifecycle(
    name="transfer",
    initial="offered",
    final_states=("completed", "declined", "recalled", "aborted", "expired", "entered_in_error"),
    moves=(
        #    event               from                     to                  who may         needs                         tells
        Move("offer",            (),                      "offered",          Party.LEAD,     (Need.BASES, Need.RECORD, Need.MANIFEST), (Tell.RECEIVER,)),
        Move("acknowledge",      ("offered",),            "received",         Party.RECEIVER, (),                           (Tell.SENDER,), versioned=False),
        Move("request_info",     ("offered", "received"), "info_requested",   Party.RECEIVER, (Need.QUESTION,),             (Tell.SENDER,)),
        Move("provide_info",     ("info_requested",),     "received",         Party.SENDER,   (Need.ANSWER,),               (Tell.RECEIVER,), told_as="info_provided"),
        Move("accept",           _UNANSWERED,             "accepted",         Party.RECEIVER, (Need.WHERE_AND_WHEN, Need.MANIFEST_DIGEST), (Tell.SENDER, Tell.PARTNERS), access="opens"),
        Move("decline",          _UNANSWERED,             "declined",         Party.RECEIVER, (Need.CODED_REASON,),         (Tell.SENDER,), access="closes"),
        Move("recall",           _UNANSWERED,             "recalled",         Party.SENDER,   (Need.REASON,),               (Tell.RECEIVER,), access="closes"),
        Move("expire",           _UNANSWERED,             "expired",          Party.CLOCK,    (),                           (Tell.SENDER, Tell.RECEIVER), access="closes"),
        Move("confirm_handover", ("accepted",),           "completed",        Party.RECEIVER, (Need.PAPER,),                (Tell.EARLIER_LEAD, Tell.PARTNERS)),
        Move("abort",            ("accepted",),           "aborted",          Party.EITHER,   (Need.REASON,),               (Tell.OTHER, Tell.PARTNERS), access="closes"),
        Move("handover_paper",   ("completed",),          None,               Party.RECEIVER, (Need.PAPER_PENDING, Need.PAPER), (Tell.EARLIER_LEAD,)),
        Move("enter_in_error",   _UNANSWERED,             "entered_in_error", Party.SENDER,   (Need.REASON,),               (Tell.RECEIVER,), access="locks"),
        Move("report_error",     ("accepted",),           None,               Party.SENDER,   (Need.REASON,),               (Tell.RECEIVER,), told_as="error_reported"),
        Move("confirm_error",    ("accepted",),           "entered_in_error", Party.RECEIVER, (Need.ERROR_REPORTED,),       (Tell.SENDER, Tell.PARTNERS), access="locks"),
        Move("amend",            _OPEN,                   None,               Party.SENDER,   (Need.RECORD, Need.BASES),    (Tell.RECEIVER,)),
        Move("note",             _OPEN,                   None,               Party.EITHER,   (Need.TEXT,),                 (Tell.OTHER,), versioned=False),
    ),
    deadlines=(
        Deadline("offered", "respond_within_", True, "answer"),
        Deadline("received", "respond_within_", True, "answer"),
        Deadline("info_requested", "respond_within_", True, "answer"),
        Deadline("accepted", "confirm_handover_within", False, "escalate"),
        Deadline("completed", "paper_within", False, "escalate"),  # while its paper is pending
    ),
)  # fmt: skip

"""A referral is sent, answered, worked on and ended; creating it sends it.

The receiver sees a preview until it accepts, and the whole record from then on. The sender may recall it until it is accepted, and ask
to cancel afterwards; the receiver decides then. What was entered in error the sender takes out alone before acceptance; afterwards it
reports the error, and the receiver confirms. After a final state nothing reopens: referring again is a new referral.
Reading changes nothing; the receiver's first move implies that it has acknowledged.
"""

from __future__ import annotations

from app.exchange.lifecycle import PREVIOUS, Deadline, Lifecycle, Move, Need, Party, Tell

_UNANSWERED = ("sent", "received", "info_requested")
_ACCEPTED = ("accepted", "in_progress", "on_hold", "cancel_requested")
_OPEN = (*_UNANSWERED, *_ACCEPTED)

REFERRAL = Lifecycle(
    name="referral",
    initial="sent",
    final_states=("completed", "not_completed", "declined", "recalled", "cancelled", "expired", "absorbed", "entered_in_error"),
    moves=(
        #    event             from                        to                  who may         needs                    tells
        Move("send",           (),                         "sent",             Party.SENDER,   (Need.BASES, Need.RECORD), (Tell.RECEIVER,)),
        Move("acknowledge",    ("sent",),                  "received",         Party.RECEIVER, (),                      (Tell.SENDER,), versioned=False),
        Move("request_info",   ("sent", "received"),       "info_requested",   Party.RECEIVER, (Need.QUESTION,),        (Tell.SENDER,)),
        Move("provide_info",   ("info_requested",),        "received",         Party.SENDER,   (Need.ANSWER,),          (Tell.RECEIVER,), told_as="info_provided"),
        Move("accept",         _UNANSWERED,                "accepted",         Party.RECEIVER, (Need.WHERE_AND_WHEN,),  (Tell.SENDER, Tell.LEAD, Tell.SIBLINGS), access="opens"),
        Move("decline",        (*_UNANSWERED, "accepted"), "declined",         Party.RECEIVER, (Need.CODED_REASON,),    (Tell.SENDER, Tell.LEAD), access="closes"),
        Move("recall",         _UNANSWERED,                "recalled",         Party.SENDER,   (Need.REASON,),          (Tell.RECEIVER,), access="closes"),
        Move("start",          ("accepted",),              "in_progress",      Party.RECEIVER, (),                      (Tell.SENDER,)),
        Move("record_service", ("in_progress",),           "in_progress",      Party.RECEIVER, (Need.SERVICE,),         (Tell.SENDER,), versioned=False),
        Move("hold",           ("in_progress",),           "on_hold",          Party.RECEIVER, (Need.REASON, Need.REVIEW_DATE), (Tell.SENDER,)),
        Move("resume",         ("on_hold",),               "in_progress",      Party.RECEIVER, (),                      (Tell.SENDER,), told_as="resumed"),
        Move("request_cancel", ("accepted", "in_progress", "on_hold"), "cancel_requested", Party.SENDER, (Need.REASON,), (Tell.RECEIVER,)),
        Move("confirm_cancel", ("cancel_requested",),      "cancelled",        Party.RECEIVER, (),                      (Tell.SENDER,), access="closes"),
        Move("refuse_cancel",  ("cancel_requested",),      PREVIOUS,           Party.RECEIVER, (Need.REASON,),          (Tell.SENDER,), told_as="cancel_refused"),
        Move("complete",       ("in_progress", "on_hold", "cancel_requested"), "completed", Party.RECEIVER, (Need.OUTCOME_PER_NEED,), (Tell.SENDER, Tell.LEAD)),
        Move("fail",           ("accepted", "in_progress", "on_hold"), "not_completed", Party.RECEIVER, (Need.CODED_REASON,), (Tell.SENDER, Tell.LEAD, Tell.DUTY_CONTACTS)),
        Move("absorb",         _OPEN,                      "absorbed",         Party.SYSTEM,   (),                      (Tell.SENDER,)),
        Move("expire",         ("sent", "received", "info_requested"), "expired", Party.CLOCK, (),                      (Tell.SENDER, Tell.RECEIVER, Tell.DUTY_CONTACTS), access="closes"),
        Move("enter_in_error", _UNANSWERED,                "entered_in_error", Party.SENDER,   (Need.REASON,),          (Tell.RECEIVER,), access="locks"),
        Move("report_error",   _ACCEPTED,                  None,               Party.SENDER,   (Need.REASON,),          (Tell.RECEIVER,), told_as="error_reported"),
        Move("confirm_error",  _ACCEPTED,                  "entered_in_error", Party.RECEIVER, (Need.ERROR_REPORTED,),  (Tell.SENDER, Tell.LEAD), access="locks"),
        Move("amend",          _OPEN,                      None,               Party.SENDER,   (Need.RECORD, Need.BASES), (Tell.RECEIVER,)),
        Move("note",           _OPEN,                      None,               Party.EITHER,   (Need.TEXT,),            (Tell.OTHER,), versioned=False),
    ),
    deadlines=(
        Deadline("sent", "respond_within_", True, "answer"),
        Deadline("received", "respond_within_", True, "answer"),
        Deadline("info_requested", "respond_within_", True, "answer"),
        Deadline("accepted", "start_within_", True, "escalate"),
        Deadline("in_progress", "silence_in_progress", False, "escalate"),
        Deadline("on_hold", "hold_at_most", False, "escalate"),
        Deadline("cancel_requested", "answer_cancellation_within", False, "cancel"),
    ),
)  # fmt: skip

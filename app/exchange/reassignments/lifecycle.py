"""A lead that is gone is replaced by two people of the ministry's desk, and when the new lead agrees.

One proposes, with a reason and a paper; another, a protection officer, approves; the new lead agrees, and with that leads. Until then the
old lead stays and can act, and is told from the proposal on; if it hands the case over, the reassignment is withdrawn with that.
"""

from __future__ import annotations

from app.exchange.lifecycle import Lifecycle, Move, Need, Party, Tell

REASSIGNMENT = Lifecycle(
    name="reassignment",
    initial="proposed",
    final_states=("agreed", "declined", "withdrawn"),
    moves=(
        #    event       from                      to           who may         needs                       tells
        Move("propose",  (),                       "proposed",  Party.DESK,     (Need.REASON, Need.PAPER),  (Tell.LEAD,)),
        Move("approve",  ("proposed",),            "approved",  Party.DESK,     (Need.TWO_PEOPLE,),         (Tell.RECEIVER,)),
        Move("agree",    ("approved",),            "agreed",    Party.RECEIVER, (),                         (Tell.PARTIES, Tell.SENDER), access="opens"),
        Move("decline",  ("approved",),            "declined",  Party.RECEIVER, (Need.REASON,),             (Tell.SENDER, Tell.LEAD)),
        Move("withdraw", ("proposed", "approved"), "withdrawn", Party.DESK,     (Need.REASON,),             (Tell.RECEIVER, Tell.LEAD)),
    ),
)  # fmt: skip

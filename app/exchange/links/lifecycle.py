"""A link between two cases is proposed by the lead of one and confirmed by the lead of the other; either ends it.

The sender is whoever leads the proposing case now, the receiver whoever leads the other. Who leads both confirms as it proposes. A link
of kind `suspected_harm` bars a shared service point from its proposal until it is refused or ended.
"""

from __future__ import annotations

from app.exchange.lifecycle import Lifecycle, Move, Need, Party, Tell

LINK = Lifecycle(
    name="link",
    initial="proposed",
    final_states=("refused", "ended"),
    moves=(
        #    event      from                       to           who may         needs                tells
        Move("propose", (),                        "proposed",  Party.SENDER,   (Need.OTHER_CASE,),  (Tell.OTHER_LEAD,)),
        Move("confirm", ("proposed",),             "confirmed", Party.RECEIVER, (),                  (Tell.OTHER_LEAD,)),
        Move("refuse",  ("proposed",),             "refused",   Party.RECEIVER, (Need.REASON,),      (Tell.OTHER_LEAD,)),
        Move("end",     ("proposed", "confirmed"), "ended",     Party.EITHER,   (Need.REASON,),      (Tell.OTHER_LEAD,)),
    ),
)  # fmt: skip

"""A case is open, then followed up, then closed; exactly one agency leads it at every instant.

Any agency may open one and becomes its lead. The lead changes only when a transfer's receiver confirms the handover, or when two
people reassign a lead that is gone. A death that was recorded, also by a party, stops every clock; the lead corrects it if it was a
mistake. A closed case keeps its last lead, and that one may reopen it. Nothing that depends on who leads
is decided by what a caller saw, only by the row.
"""

from __future__ import annotations

from app.exchange.lifecycle import Deadline, Lifecycle, Move, Need, Party, Tell

CASE = Lifecycle(
    name="case",
    initial="open",
    final_states=("closed",),
    moves=(
        #    event           from                           to           who may             needs                              tells
        Move("open_case",    (),                            "open",      Party.ANYONE),
        Move("follow_up",    ("open",),                     "follow_up", Party.LEAD,         (Need.PLAN,)),
        Move("close",        ("open", "follow_up"),         "closed",    Party.LEAD,         (Need.CODED_REASON,),              (Tell.PARTIES,)),
        Move("reopen",       ("closed",),                   "open",      Party.LEAD,         (Need.REASON, Need.BASES),         (Tell.PARTIES,)),
        Move("correct_death", ("open", "follow_up"),        None,        Party.LEAD,         (Need.DEATH_RECORDED, Need.REASON), (Tell.PARTIES,)),
        Move("link",         ("open", "follow_up"),         None,        Party.LEAD,         (Need.OTHER_CASE,),                (Tell.OTHER_LEAD,), versioned=False),
        Move("reassign_lead", ("open", "follow_up"),        None,        Party.DESK,         (Need.REASON, Need.PAPER, Need.TWO_PEOPLE), (Tell.PARTIES,), versioned=False),
    ),
    # open and follow_up last as long as help does: the clock watches the referrals and transfers of a case, not the case
    deadlines=(
        Deadline("open", "", False, "none", remind=False),
        Deadline("follow_up", "", False, "none", remind=False),
    ),
)  # fmt: skip

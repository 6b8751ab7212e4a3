"""The rule of what makes a consent count is written twice, here and in the database: both say the same of every consent there can be."""

from __future__ import annotations

from itertools import product
from uuid import uuid4

from app.policy import consents
from app.policy.table import CONSENT_ONLY
from schemas.codes.agencies import AgencyKind
from schemas.codes.disclosure import ChildAssent, ConsentGiver, ConsentMethod, NoticeItem
from tests.makers.world import World


async def test_provable_and_own_are_what_the_database_keeps(world: World) -> None:
    case = (await world.police.post("/v1/cases", {"entry_channel": "self"})).json()["id"]
    every = [
        {
            "giver": giver, "method": method, "interpreter": None if fair is None else "staff",
            "interpreter_independent": fair, "witnessed": witnessed, "for_child": assent is not None, "assent": assent,
            "decided": decided,
        }
        for giver, method, fair, witnessed, assent, decided in product(
            ConsentGiver, ConsentMethod, (None, True, False), (True, False), (None, *ChildAssent), (True, False)
        )
    ]  # fmt: skip
    await world.owner.executemany(
        """INSERT INTO consent (id, case_id, author_id, client_id, given_at, sections, agencies, agency_kinds, purposes, detail, recorded_at,
                                giver, method, interpreter, interpreter_independent, witnessed, for_child, assent, decided)
           VALUES ($1, $2, $3, 'x', now(), '{}', '{}', '{}', '{}', '', now(), $4, $5, $6, $7, $8, $9, $10, $11)""",
        [(uuid4(), case, world.ids["police"], *each.values()) for each in every],
    )
    kept = {
        tuple(row[name] for name in every[0]): (row["provable"], row["own"])
        for row in await world.owner.fetch("SELECT * FROM consent")
    }
    assert len(kept) == len(every)
    for each in every:
        assert kept[tuple(each.values())] == (consents.provable(each), consents.own(each)), each


def test_the_database_names_the_kind_that_the_table_names() -> None:
    """`consent_gaps` asks for a foreign mission."""
    assert {AgencyKind.FOREIGN_MISSION} == CONSENT_ONLY


def test_what_was_not_told_is_named_in_the_order_of_the_law() -> None:
    assert consents.untold([NoticeItem.RIGHTS, NoticeItem.RECIPIENTS, NoticeItem.PURPOSE]) == [
        "legality", "kinds_of_data", "retention", "details", "period",
    ]  # fmt: skip
    assert consents.untold(NoticeItem) == []

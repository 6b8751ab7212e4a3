"""What makes a basis other than consent fail, and how an article is read."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from app.policy.bases import Asking, day_of, ends, fault_of, faults, replaced, unknown_articles
from schemas.codes.disclosure import DisclosureBasis, Section
from schemas.codes.labels import code_list
from schemas.codes.laws import articles_in, grounds_of, in_force, known_articles, law_of
from schemas.exchange.basis import CourtOrderBasis, LegalBasis
from schemas.text import LegalBasisCode

NOON = datetime(2026, 11, 27, 5, tzinfo=UTC)


def law(code: LegalBasisCode = "uu-21-2007", article: str = "Pasal 51") -> LegalBasis:
    return LegalBasis(
        kind="legal_obligation",
        sections=(Section.NEEDS,),
        legal_basis=code,
        article=article,
        reason="Help in seven days.",
    )


def order(last: date | None) -> CourtOrderBasis:
    return CourtOrderBasis(
        kind="court_order",
        sections=(Section.NEEDS,),
        authority="PN Ambon",
        number="12",
        date=date(2026, 11, 27),
        scope=(Section.NEEDS,),
        addressed_to="iom",
        valid_until=last,
        reason="Asked for.",
    )


def asking(at: datetime) -> Asking:
    return Asking(at=at, parties=("police", "iom"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Pasal 51", (51,)),
        ("art. 51", (51,)),
        ("51", (51,)),
        ("Article 20(2)", (20,)),
        ("Pasal 20 ayat (2) huruf d", (20,)),
        ("Pasal 51–53", (51, 52, 53)),
        ("Pasal 6, 11-13", (6, 11, 12, 13)),
        ("Pasal 13 dan 39", (13, 39)),
        ("pasal 5A", (5,)),
        ("the task of the unit", None),
        ("Pasal", None),
        ("Pasal 53–51", None),
        ("Pasal 1–999", None),
        ("Pasal 51,", None),
        ("Pasal 0", None),
        ("٥١", None),
        ("9" * 400, None),
        ("1," * 200 + "x", None),
    ],
)
def test_an_article_is_read_as_it_is_written(text: str, found: tuple[int, ...] | None) -> None:
    assert articles_in(text) == found


class TestALaw:
    def test_holds_from_its_first_day_in_jakarta_to_its_last(self) -> None:
        for code, at, why in (
            ("kuhap-20-2025", datetime(2026, 1, 1, 16, 59, tzinfo=UTC), "legal_basis_not_in_force"),
            ("kuhap-20-2025", datetime(2026, 1, 1, 17, 0, tzinfo=UTC), None),
            ("permensos-30-2017", datetime(2023, 12, 27, 16, 59, tzinfo=UTC), None),
            ("permensos-30-2017", datetime(2023, 12, 27, 17, 0, tzinfo=UTC), "legal_basis_not_in_force"),
            ("permen-pppa-22-2010", datetime(2015, 1, 1, tzinfo=UTC), "legal_basis_not_in_force"),
        ):
            assert fault_of(law(code), asking(at)) == why, (code, at)

    def test_that_ended_names_what_replaced_it(self) -> None:
        assert replaced([law("permensos-30-2017"), law()], NOON) == {"permensos-30-2017": "permensos-8-2023"}

    def test_is_in_the_list_of_every_article(self) -> None:
        for entry in code_list("legal_article").codes:
            assert entry.law is not None, entry.code
            assert law_of(entry.law) is not None, entry.code
            assert entry.code == f"{entry.law}-art-{entry.article}"
            assert set((entry.grounds or "").split()) <= {str(each) for each in DisclosureBasis}
            assert grounds_of(entry.law, int(entry.article or 0)) is not None
        assert grounds_of("uu-21-2007", 999) is None

    def test_that_is_in_force_is_never_retired(self) -> None:
        for entry in code_list("legal_basis").codes:
            assert in_force(entry, day_of(NOON)) == (entry.status == "active"), entry.code

    def test_of_which_nobody_knows_the_article_is_told_by_its_place(self) -> None:
        assert unknown_articles([law(), law(article="art. 99"), order(None), law(article="??")]) == [1, 3]
        assert known_articles("permensos-8-2023", "Pasal 6, 11–17")


def test_a_courts_order_ends_with_its_last_day() -> None:
    assert ends(order(None)) is None
    assert ends(order(date(2026, 11, 30))) == datetime(2026, 11, 30, 17, tzinfo=UTC)
    sooner = order(date(2026, 11, 30)).model_copy(update={"until": NOON})
    assert ends(sooner) == NOON


def test_an_order_of_today_is_none_of_tomorrow_in_the_east() -> None:
    late = datetime(2026, 11, 26, 15, 30, tzinfo=UTC)  # 00:30 on the 27th in Jayapura
    assert fault_of(order(None), asking(late)) is None
    assert faults([order(None)], asking(datetime(2026, 11, 26, 14, tzinfo=UTC))) == {
        "needs": "court_order_in_the_future"
    }

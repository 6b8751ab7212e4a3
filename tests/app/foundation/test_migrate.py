"""Which schemas a process can serve: its own, and later ones it does not know yet."""

from __future__ import annotations

from app.foundation import migrate


class TestServes:
    def test_its_own(self) -> None:
        assert migrate.serves(migrate.newest())

    def test_a_later_one_while_it_is_being_replaced(self) -> None:
        assert migrate.serves("9999")

    def test_no_empty_database(self) -> None:
        assert not migrate.serves(None)

"""Blank forms: for everyone, with codes that the exchange takes, and words that can be said."""

from __future__ import annotations

from typing import Any

import pytest

from app.exchange.forms.blank import EMERGENCY, record_to_fill
from schemas.codes.labels import code_list
from schemas.labels import field_labels
from tests.app.exchange.forms.reading_pages import text_of

PATH = "/v1/forms/referral"


def cells(part: Any) -> list[dict[str, Any]]:
    """Everything in the emergency form that names a code list."""
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    own = [part] if isinstance(part, dict) and isinstance(part.get("codes"), str) else []
    return own + [cell for each in inner for cell in cells(each)]


class TestAnybody:
    @pytest.mark.parametrize("profile", ["emergency", "full"])
    async def test_gets_one_without_a_token_and_keeps_it(self, exchange, profile: str) -> None:
        first = await exchange.http.get(PATH, params={"profile": profile})
        assert first.status_code == 200
        assert first.headers["content-type"] == "text/html; charset=utf-8"
        assert first.headers["cache-control"] == "public, max-age=300"
        assert first.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
        known = {"If-None-Match": first.headers["etag"]}
        again = await exchange.http.get(PATH, params={"profile": profile}, headers=known)
        assert (again.status_code, again.content) == (304, b"")

    async def test_gets_the_emergency_form_in_indonesian_if_nothing_else_is_said(self, exchange) -> None:
        plain = await exchange.http.get(PATH)
        assert plain.content == (await exchange.http.get(f"{PATH}?profile=emergency&lang=id")).content
        assert plain.headers["content-language"] == "id"

    @pytest.mark.parametrize("query", ["lang=fr", "profile=short", "lang=id&lang=en", "name=x"])
    async def test_is_told_what_is_wrong(self, exchange, query: str) -> None:
        reply = await exchange.http.get(f"{PATH}?{query}")
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/invalid-request")


class TestTheEmergencyForm:
    def test_asks_with_codes_there_are(self) -> None:
        asked = cells(EMERGENCY)
        assert len(asked) >= 10
        for cell in asked:
            codes = {entry.code for entry in code_list(cell["codes"]).codes}
            assert set(cell.get("only", ())) <= codes, cell["codes"]

    def test_names_places_in_the_record_there_are(self) -> None:
        sections = {path.split(".")[0] for path in field_labels()}
        for each in [*EMERGENCY["questions"], EMERGENCY["name"]]:
            for path in each.get("path", "urgency").split(" · "):
                assert path in field_labels() or path in sections or path == "urgency", path

    async def test_has_what_must_be_said_of_consent(self, exchange) -> None:
        """UU 27/2022 art 21(1): on what ground, for what, which data, until when, and the person's rights."""
        page = text_of((await exchange.http.get(PATH)).text)
        for said in (
            "UU Pelindungan Data Pribadi",
            "menolong Anda dengan",
            "memberi tahu mereka",
            "Izin berlaku sampai",
            "menarik izin kapan saja",
            "tidak kehilangan bantuan apa pun",
            "vital_interest",
        ):
            assert said in page, said


class TestTheFullForm:
    @pytest.mark.parametrize("lang", ["id", "en"])
    async def test_has_every_field_of_every_section(self, exchange, lang: Any) -> None:
        page = text_of((await exchange.http.get(f"{PATH}?profile=full&lang={lang}")).text)
        assert [path for path, said in field_labels().items() if said[lang] not in page] == []

    async def test_has_every_code_to_choose_from(self, exchange) -> None:
        page = text_of((await exchange.http.get(f"{PATH}?profile=full&lang=en")).text)
        for name, codes in record_to_fill("en").lists:
            assert name in page
            assert [code for code, _ in codes if code not in page] == []

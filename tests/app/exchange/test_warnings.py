"""A record that is unlikely is taken, and its sender is told what to look at again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.makers import records
from tests.makers.world import World

NIK = "9901014101900001"
"""Of a woman born on 1 January 1990, in a province that there is not."""

UNLIKELY = records.record(
    identity={
        "names": [{"full": records.NAME}],
        "birth": {"date": "1991-02-01"},
        "sex": "male",
        "documents": [{"kind": "nik", "number": NIK}],
    }
)
NUMBER = "/record/identity/documents/0/number"
WARNINGS = [
    {"code": "nik_region_unknown", "pointer": NUMBER, "related": []},
    {"code": "nik_birth_differs", "pointer": NUMBER, "related": ["/record/identity/birth"]},
    {"code": "nik_sex_differs", "pointer": NUMBER, "related": ["/record/identity/sex"]},
]


@pytest.mark.parametrize(("kind", "receiver"), [("referral", "iom"), ("transfer", "ministry")])
async def test_a_nik_that_does_not_fit_is_taken_with_warnings(world: World, kind: str, receiver: str) -> None:
    sent = await world.send(kind=kind, receiver=receiver, record=UNLIKELY)
    assert sent.reply.json()["warnings"] == WARNINGS
    assert NIK not in sent.reply.text
    amended = await world.move(sent, "amend", {"record": UNLIKELY, "bases": [records.legal_basis()]})
    assert amended.json()["warnings"] == WARNINGS
    asked = await world.moved(sent, "request_info")
    answered = await world.move(asked, "provide_info", {"record": UNLIKELY, "bases": [records.legal_basis()]})
    assert answered.json()["warnings"] == WARNINGS


async def test_a_correction_has_its_own(world: World) -> None:
    sent = await world.accepted()
    body = {"record": {"identity": {"nationalities": ["TP"]}}, "reason": "As her old passport says."}
    reply = await world.police.post(f"/v1/cases/{sent.case_id}/corrections", body)
    assert [each["code"] for each in reply.json()["warnings"]] == ["country_former"]


async def test_a_repeated_request_is_told_the_same(world: World) -> None:
    expiring = {"kind": "passport", "country": "MM", "number": "X0000000", "expires_on": "2026-12"}
    identity = {**UNLIKELY["identity"], "documents": [*UNLIKELY["identity"]["documents"], expiring]}
    body = records.referral("iom", record={**UNLIKELY, "identity": identity})
    first = await world.police.post("/v1/referrals", body, idempotency_key="once")
    assert first.json()["warnings"] == WARNINGS
    world.exchange.later(days=25)  # when the recipient's answer is overdue, and something else would be refused
    again = await world.police.post("/v1/referrals", body, idempotency_key="once")
    assert (again.status_code, again.json()["warnings"]) == (201, WARNINGS)


async def test_an_ordinary_record_and_a_move_without_one_have_none(world: World) -> None:
    sent = await world.send()
    assert sent.reply.json()["warnings"] == []
    assert (await world.move(sent, "accept")).json()["warnings"] == []
    again = records.referral("lpsk", case=None, case_id=sent.case_id, record=None)
    reused = await world.police.post("/v1/referrals", {**again, "record_version": await version(world, sent.id)})
    assert (reused.status_code, reused.json()["warnings"]) == (201, [])


async def version(world: World, referral_id: str) -> str:
    return str((await world.police.get(f"/v1/referrals/{referral_id}")).json()["record_version"])


@pytest.mark.parametrize(
    ("section", "content", "pointer", "code"),
    [
        ("identity", {"birth": {"date": "hush-1890"}}, "/birth/date", "partial_date_form"),
        ("identity", {"nationalities": ["ID", "hush"]}, "/nationalities/1", "country_unknown"),
        ("identity", {"documents": [{"kind": "nik", "number": "hush"}]}, "/documents/0/number", "nik_form"),
        (
            "contact",
            {"channels": [{"kind": "mobile_phone", "value": "8123456789.0", "safe": "yes"}]},
            "/channels/0/value",
            "phone_from_spreadsheet",
        ),
        ("safety", {"must_know": "hush\u202e"}, "/must_know", "string_pattern_mismatch"),
        ("identity", {"names": [{"full": " \u200b"}]}, "/names/0/full", "string_pattern_mismatch"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_place_and_reason(
    world: World, section: str, content: dict[str, Any], pointer: str, code: str
) -> None:
    body = records.referral("iom", record=records.record(**{section: content}))
    reply = await world.police.post("/v1/referrals", body)
    assert (reply.status_code, reply.json()["errors"]) == (
        422,
        [{"pointer": f"/record/{section}{pointer}", "code": code}],
    )
    assert "hush" not in reply.text
    assert "8123456789" not in reply.text


async def test_what_was_typed_travels_with_the_number(world: World) -> None:
    channel = {"kind": "mobile_phone", "value": "0811-0000-0012", "safe": "yes"}
    sent = await world.accepted(
        record=records.record(contact={"channels": [channel]}),
        bases=[records.legal_basis("identity", "safety", "needs", "contact")],
    )
    read = (await world.iom.get(sent.path)).json()
    (kept,) = read["record"]["contact"]["channels"]
    assert (kept["value"], kept["typed"]) == ("+6281100000012", "0811-0000-0012")

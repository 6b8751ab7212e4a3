"""Need, service and purpose: each need is answered, each service answers one, each purpose is asked under."""

import re
from pathlib import Path

import pytest

from app.policy.table import PURPOSES
from schemas.codes import RELATIONS, code_list, purposes_for, services_for
from schemas.codes.referral import Purpose
from schemas.codes.services import Need, Service
from tests.schemas.test_demo_cases import CASES

SAID = {need: answered for need, answered in RELATIONS.items() if need is not Need.OTHER}


@pytest.mark.parametrize("need", Need)
def test_every_need_has_a_service_and_a_purpose_each_once(need):
    for found in (services_for(need), purposes_for(need)):
        assert found
        assert len(set(found)) == len(found)


def test_every_service_answers_a_need():
    assert {service for answered in SAID.values() for service in answered.by} == set(Service)


def test_every_purpose_is_asked_under_except_the_handover_of_a_case():
    assert {purpose for answered in SAID.values() for purpose in answered.under} == set(Purpose) - {
        Purpose.CASE_RESPONSIBILITY
    }


def test_every_purpose_is_a_key_of_the_policy_table():
    assert set(PURPOSES) == set(Purpose)


def test_the_three_do_not_share_a_meaning():
    """Where two lists share a code or a label, what they say of it differs."""
    definitions = [
        text
        for name in ("need", "service", "purpose")
        for entry in code_list(name).codes
        for text in [entry.definition_en]
    ]
    assert len(set(definitions)) == len(definitions)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_demos_referrals_ask_for_something_under_a_purpose_it_is_asked_for_under(case):
    for act in case["acts"]:
        if act["act"] == "referral" and act["purpose"] != "identification":
            under = {purpose for need in act["needs"] for purpose in purposes_for(Need(need))}
            assert act["purpose"] in under, (act["purpose"], act["needs"])


def test_the_page_shows_the_table_as_it_is():
    page = (Path(__file__).parents[2] / "docs" / "schema" / "codes.md").read_text(encoding="utf-8")
    shown = [line for line in page.splitlines() if re.match(r"\| `\w+` \| `\w+`.* \| `\w+`", line)]
    assert shown == [f"| `{need}` | {named(found.by)} | {named(found.under)} |" for need, found in SAID.items()]


def named(codes):
    return ", ".join(f"`{code}`" for code in codes)

"""The plan keeps to who may do what, and when; the samples stay valid wherever they are moved."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.demo import bodies
from app.demo.events import MOVES
from app.demo.plan import OPEN, SPAN, STARTS, TRIALS, plan
from app.demo.samples import corrected, load_agencies, load_samples
from app.demo.sharing import needed
from app.foundation.zones import WIB, WIT, WITA, zone_of
from app.policy.decide import decide
from schemas import Record, included
from schemas.codes.agencies import AgencyKind
from schemas.codes.referral import Purpose
from schemas.exchange.referral import NewReferral

SAMPLES = {sample.id: sample for sample in load_samples()}
AGENCIES = {agency["code"]: agency for agency in load_agencies()}
PLAN = plan(list(SAMPLES.values()), {code: zone_of(agency) for code, agency in AGENCIES.items()})


def steps_of(case, act):
    return [step for step in PLAN.steps if (step.case, step.act) == (case, act) and step.event != "trial"]


def test_every_sample_has_a_day_to_begin_on():
    assert set(STARTS) == set(SAMPLES)


def test_the_steps_are_in_order_and_in_the_past():
    times = [step.at for step in PLAN.steps]
    assert times == sorted(times)
    assert times[0] >= timedelta()
    assert times[-1] < SPAN - timedelta(hours=3)


@pytest.mark.parametrize("case", SAMPLES)
def test_an_act_is_sent_then_seen_then_answered_then_done(case):
    order = ["send", "receive", "accept", "start", "service", "complete"]
    for act in range(len(SAMPLES[case].acts)):
        events = [step.event for step in steps_of(case, act) if step.event in order]
        assert events == sorted(events, key=order.index)


@pytest.mark.parametrize("case", SAMPLES)
def test_only_who_leads_sends(case):
    acts = SAMPLES[case].acts
    lead = acts[0]["from"]
    for step in (step for step in PLAN.steps if step.case == case):
        if step.event == "send" and "onward" not in acts[step.act]:
            assert acts[step.act]["from"] == lead
        elif step.event == "confirm_handover":
            lead = acts[step.act]["to"]
    assert PLAN.leads[case] == lead


def test_an_answer_comes_before_its_deadline():
    within = {"immediate": timedelta(hours=1), "urgent": timedelta(hours=24), "standard": timedelta(days=7)}
    for case, act in PLAN.states:
        at = {step.event: step.at for step in steps_of(case, act)}
        act_of = SAMPLES[case].acts[act]
        for answer in (
            set() if act_of.get("silent") else {"accept", "decline", "recall"} & set(at) if "send" in at else set()
        ):
            assert at[answer] - at["send"] < within[SAMPLES[case].acts[act]["urgency"]]
        if "expire" in at:
            assert at["expire"] - at["send"] > within["standard"]


def test_everything_that_can_happen_happens():
    every = {step.event for step in PLAN.steps}
    assert set(MOVES) <= every
    assert {
        *(
            "open",
            "consent",
            "send",
            "receive",
            "accept",
            "decline",
            "recall",
            "expire",
            "start",
            "service",
            "complete",
        ),
        *("fail", "confirm_handover", "trial", "link", "confirm_link", "victim_status", "guardian", "consent_refused"),
        *("accept_refused", "take", "reroute", "dispute", "withdraw_consent", "answer_request", "propose_correction"),
        *("correct_record", "retract", "follow_up", "close"),
    } <= every
    assert set(PLAN.states.values()) >= {
        *("declined", "recalled", "expired", "not_completed", "absorbed", "completed", "cancelled", "aborted"),
        "entered_in_error",
    }


def test_something_is_left_to_do():
    assert {"received", "accepted", "in_progress"} <= set(PLAN.states.values()) & OPEN


@pytest.mark.parametrize("case", SAMPLES)
def test_records_are_valid_on_whatever_day(case):
    for first in (date(2024, 2, 29), date(2031, 12, 31)):
        for person in SAMPLES[case].on(first).people:
            Record.model_validate(person.record)
            for act in SAMPLES[case].acts:
                if act["act"] in ("referral", "transfer"):
                    record = Record.model_validate(person.record_for(act))
                    assert set(included(record)) == set(act["sections"])
                    assert sorted(each.need for each in record.needs.services) == sorted(person.needs(act))


def test_dates_move_with_the_case_but_nobody_is_born_on_another_day():
    sample = SAMPLES["case-01-fisher-ambon"]
    moved = sample.on(sample.day_zero + timedelta(days=61)).people[0].record
    before = sample.people[0].record
    assert moved["identity"]["birth"] == before["identity"]["birth"]
    assert moved["identity"]["told_on"] == "2027-01-02"
    assert moved["needs"]["arrives_from"].startswith("2027-01-02T15:00:00+09:00")
    assert moved["exploitation"]["episodes"][0]["started"] == "2024-11"
    assert moved["exploitation"]["episodes"][0]["crew"]["embarked_on"] == "2024-11-XX"
    assert moved["exploitation"]["recruitment"]["started"] == "2024-09~"
    assert moved["family"]["left_behind"][1]["birth"]["as_of"] == "2027-01-02"


def test_the_group_is_fifteen_people_with_nothing_of_the_template_but_its_story():
    template, others = SAMPLES["case-03c-scam-group-man"], SAMPLES["case-03c-scam-group-man-others"]
    own = template.people[0].record["identity"]
    assert len({person.record["identity"]["names"][0]["full"] for person in others.people}) == 15
    for person in others.people:
        identity = person.record["identity"]
        assert identity["names"] != own["names"]
        assert "number" not in identity["documents"][0]
        assert ("shelter_women" in person.needs(others.acts[2])) == (identity["sex"] == "female")


def test_a_correction_leaves_the_sample_as_it_was():
    record = SAMPLES["case-10-breach-and-rectify"].people[0].record
    before = record["identity"]["names"][0]["full"]
    changed = corrected(record, [{"pointer": "/identity/names/0/full", "value": "Lain"}])
    assert changed["identity"]["names"][0]["full"] == "Lain"
    assert record["identity"]["names"][0]["full"] == before


class Basis:
    def __init__(self, basis):
        self.kind, self.sections, self.until = basis["kind"], basis["sections"], None


def decision(act):
    receiver = AGENCIES[act["to"]]
    return decide(
        kind=AgencyKind(receiver["kind"]),
        abroad=receiver["country"] != "ID",
        purpose=Purpose(act["purpose"]),
        included=act["sections"],
        bases=[Basis(basis) for basis in act["bases"]],
        at=datetime.now(UTC),
        agreed=None,
    )


def test_the_policy_allows_every_act_and_refuses_every_trial():
    for sample in SAMPLES.values():
        for act in sample.acts:
            if act["act"] in ("referral", "transfer"):
                assert decision(act).refused == {}, (sample.id, act["to"])
    assert all(decision(trial.act).refused for trial in TRIALS)


def test_what_crosses_the_border_is_agreed_on():
    made = needed(
        [act for sample in SAMPLES.values() for act in sample.acts],
        {code: agency["country"] for code, agency in AGENCIES.items()},
        home="ID",
    )
    assert {each.agency for each in made} | {each.other for each in made} >= {
        "kbri-bangkok",
        "kbri-phnom-penh",
        "kemlu-pwni",
    }
    (brought_home,) = [each for each in made if {each.agency, each.other} == {"kbri-bangkok", "rptc-bambu-apus"}]
    assert brought_home.purposes == ("case_responsibility",)
    assert set(brought_home.sections) == {"identity", "identification", "safety", "health", "psychosocial", "needs"}
    assert not [each for each in made if "kedubes-myanmar" in (each.agency, each.other)], (
        "a mission in Jakarta is inside"
    )


def test_agencies_are_told_the_time_of_their_province():
    assert zone_of(AGENCIES["polri-polda-maluku"]) is WIT
    assert zone_of(AGENCIES["sentra-pangurangi"]) is WITA
    assert zone_of(AGENCIES["kemensos"]) is WIB
    assert zone_of(AGENCIES["dinsos-5203"]) is WITA
    assert zone_of(AGENCIES["kbri-yangon"]).utcoffset(None) == timedelta(hours=6, minutes=30)


def test_the_wire_takes_what_is_sent():
    act = next(act for act in SAMPLES["case-01-fisher-ambon"].acts if act["act"] == "referral")
    body = bodies.sending(act, {}, datetime.now(UTC)) | {"case": {"entry_channel": "police_report"}}
    NewReferral.model_validate(body | {"record": SAMPLES["case-01-fisher-ambon"].people[0].record_for(act)})

"""What may leave in a row of HTCDS, and what may not, by example."""

from datetime import UTC, datetime

import pytest

from schemas.exchange.case import Case
from schemas.exchange.directory import Agency, DutyContact, ServicePoint
from schemas.mappings.htcds import Exchange, export, of_agency, of_case
from schemas.record import Record


def row(**sections):
    return export(Record.model_validate(sections)).row


def lost(**sections):
    return {loss.pointer: loss.reason for loss in export(Record.model_validate(sections)).losses}


class TestNames:
    def test_a_name_of_one_piece_is_the_first_name_alone(self):
        assert row(identity={"names": [{"full": "Surya"}]}) == {"prs_FirstName": "Surya"}

    def test_parts_go_apart_where_they_make_up_the_whole(self):
        name = {"full": "Siti Contoh", "given": "Siti", "family": "Contoh", "prefix": "Ibu"}
        assert row(identity={"names": [name]}) == {
            "prs_Salutation": "Ibu",
            "prs_FirstName": "Siti",
            "prs_SecondName": "Contoh",
        }
        assert lost(identity={"names": [name]}) == {}

    def test_else_the_whole_goes_and_the_parts_are_lost(self):
        name = {"full": "Siti binti Contoh", "given": "Siti"}
        assert row(identity={"names": [name]}) == {"prs_FirstName": "Siti binti Contoh"}
        assert lost(identity={"names": [name]}) == {"/record/identity/names/0/given": "composed"}

    def test_the_order_of_a_family_name_that_comes_first_is_lost(self):
        name = {"full": "Wang Contoh", "family": "Wang", "given": "Contoh"}
        assert row(identity={"names": [name]}) == {"prs_FirstName": "Contoh", "prs_SecondName": "Wang"}
        assert lost(identity={"names": [name]}) == {"/record/identity/names/0/full": "composed"}

    def test_other_names_stay(self):
        names = [{"full": "Number Seven", "kind": "given_by_others"}, {"full": "Surya"}, {"full": "Soerja"}]
        assert row(identity={"names": names}) == {"prs_FirstName": "Surya"}
        assert lost(identity={"names": names})["/record/identity/names/0/full"] == "alias"
        assert lost(identity={"names": names})["/record/identity/names/2/full"] == "alias"


class TestPerson:
    @pytest.mark.parametrize("date", ["1998", "1998-04"])
    def test_a_date_that_is_not_full_is_not_written(self, date):
        assert row(identity={"birth": {"date": date}}) == {}
        assert lost(identity={"birth": {"date": date}}) == {"/record/identity/birth/date": "not_a_full_date"}

    def test_an_estimate_is_no_date(self):
        assert row(identity={"birth": {"estimated_age": 16, "as_of": "2026-01-02"}}) == {}

    @pytest.mark.parametrize(
        ("gender", "loss"), [("unknown", {}), ("not_asked", "missing_answer"), ("declined", "missing_answer")]
    )
    def test_three_missing_answers_about_gender_become_one(self, gender, loss):
        assert row(identity={"gender": gender}) == {"prs_Gender": "NonSpecifiedUnknown"}
        assert lost(identity={"gender": gender}) == (loss and {"/record/identity/gender": loss})

    def test_elsewhere_a_missing_answer_writes_nothing(self):
        assert (
            row(identity={"education": "declined", "deceased": "unknown"}, family={"marital_status": "not_asked"}) == {}
        )

    def test_sex_is_no_gender(self):
        assert row(identity={"sex": "female"}) == {}

    def test_only_a_nik_is_an_identity_number(self):
        papers = [{"kind": "passport", "number": "X0000001"}, {"kind": "nik", "number": "9901010101900001"}]
        assert row(identity={"documents": papers}) == {"prs_IdentityNumber": "9901010101900001"}
        assert lost(identity={"documents": papers})["/record/identity/documents/0/number"] == "not_a_nik"

    def test_a_nik_in_anothers_name_is_none_of_the_person(self):
        papers = [{"kind": "nik", "number": "9901010101900001", "in_own_name": "no"}]
        assert row(identity={"documents": papers}) == {}
        assert lost(identity={"documents": papers})["/record/identity/documents/0/number"] == "not_in_own_name"

    def test_stateless_has_no_value(self):
        assert lost(identity={"statelessness": "stateless"}) == {"/record/identity/statelessness": "no_field"}


class TestWaysToReach:
    @pytest.mark.parametrize("safe", ["no", "unknown", "not_asked", "declined"])
    def test_a_channel_that_is_not_safe_stays(self, safe):
        channel = {"kind": "mobile_phone", "value": "+628110000012", "safe": safe}
        assert row(contact={"channels": [channel]}) == {}
        assert lost(contact={"channels": [channel]})["/record/contact/channels/0/value"] == "not_safe"

    def test_so_does_one_that_is_another_persons(self):
        channel = {"kind": "mobile_phone", "value": "+628110000012", "safe": "yes", "belongs_to": "sibling"}
        assert row(contact={"channels": [channel]}) == {}

    @pytest.mark.parametrize("more", [{"when": "evenings"}, {"speak_as": "an old friend"}, {"leave_message": "no"}])
    def test_so_does_one_with_a_condition_since_a_row_holds_the_number_alone(self, more):
        channel = {"kind": "mobile_phone", "value": "+628110000012", "safe": "yes", **more}
        assert row(contact={"channels": [channel]}) == {}
        assert lost(contact={"channels": [channel]})["/record/contact/channels/0/value"] == "not_safe"

    def test_so_does_one_that_is_among_those_not_to_use(self):
        channel = {"kind": "mobile_phone", "value": "+628110000012", "safe": "yes"}
        barred = [{"who": "employer", "value": "0811 0000 012"}]
        assert row(contact={"channels": [channel], "do_not_contact": barred}) == {}

    @pytest.mark.parametrize("kind", ["current", "found", "origin", "intended"])
    def test_where_the_person_is_or_goes_stays(self, kind):
        address = {"kind": kind, "place": {"street": "Jl. Contoh 1"}}
        assert row(location={"addresses": [address]}) == {}
        assert set(lost(location={"addresses": [address]}).values()) == {"confidential"}

    def test_a_postal_address_goes_before_a_home(self):
        addresses = [
            {"kind": "home", "place": {"street": "Jl. Contoh 1"}},
            {"kind": "postal", "place": {"street": "Kotak pos 2"}},
        ]
        assert row(location={"addresses": addresses}) == {"prs_MailingStreet": "Kotak pos 2"}
        assert row(location={"addresses": addresses[:1]}) == {"prs_MailingStreet": "Jl. Contoh 1"}

    def test_none_goes_where_the_place_is_confidential(self):
        address = {"kind": "postal", "place": {"street": "Jl. Contoh 1"}}
        assert row(location={"addresses": [address]}, safety={"flags": ["confidential_place"]}) == {}


class TestExploitation:
    def test_episodes_become_their_union(self):
        episodes = [
            {"sector": "fishing", "purposes": ["forced_labour"], "means": ["debt_bondage"]},
            {"sector": "online_scam", "purposes": ["forced_criminality", "forced_labour"], "means": ["confinement"]},
        ]
        assert row(exploitation={"episodes": episodes}) == {
            "vic_MethodsOfControl": ("DebtBondage", "Other"),
            "vic_TypeOfExploitation": ("ForcedLabour", "Other"),
            "vic_ForcedLabourIndustry": ("A_AgricultureForestryAndFishing",),
        }
        assert lost(exploitation={"episodes": episodes}) == {
            "/record/exploitation/episodes/0/sector": "wider_code",
            "/record/exploitation/episodes/1/means/0": "wider_code",
            "/record/exploitation/episodes/1/purposes/0": "wider_code",
            "/record/exploitation/episodes/1/purposes/1": "merged",
            "/record/exploitation/episodes/1/sector": "no_code",
        }

    def test_an_isic_section_is_exact_where_it_is_known(self):
        episode = {"sector": "hospitality_entertainment", "isic": "accommodation_food", "isic_class": "56"}
        assert row(exploitation={"episodes": [episode]}) == {
            "vic_ForcedLabourIndustry": ("I_AccommodationAndFoodServiceActivities",)
        }

    def test_the_ministrys_forms_and_what_was_found_in_screening_join_it(self):
        found = [{"point": "confined", "answer": "no"}, {"point": "violence", "answer": "yes"}]
        made = row(exploitation={"forms": ["prostitution", "neglect"]}, identification={"screening": found})
        assert made == {
            "vic_MethodsOfControl": ("PhysicalAbuse",),
            "vic_TypeOfExploitation": ("SexualExploitation",),
            "vic_TypeOfSexExploitation": ("Prostitution",),
        }

    def test_risk_factors_belong_to_a_deprecated_list(self):
        assert row(safety={"risk_factors": [{"kind": "poverty"}]}) == {}


class TestNeeds:
    def test_the_first_that_has_a_code_is_the_plan(self):
        services = [{"need": "shelter_men"}, {"need": "medical", "aim": "Heal", "until": "2026-05"}]
        assert row(needs={"services": services}) == {"spl_Type": "Health", "spl_Objectives": "Heal"}
        assert lost(needs={"services": services}) == {
            "/record/needs/services/0/need": "one_only",
            "/record/needs/services/1/until": "not_a_full_date",
        }

    @pytest.mark.parametrize(
        ("focus", "code"),
        [
            ("sexual_exploitation", "SexualExploitationRehabilitation"),
            ("labour_exploitation", "LabourExploitationRehabilitation"),
            ("both", "SocialCare"),
        ],
    )
    def test_rehabilitation_is_parted_by_its_focus(self, focus, code):
        service = {"need": "social_rehabilitation", "focus": focus}
        assert row(needs={"services": [service]}) == {"spl_Type": code}
        assert bool(lost(needs={"services": [service]})) == (focus == "both")

    @pytest.mark.parametrize("need", ["shelter", "repatriation", "interpretation", "documents", "police_protection"])
    def test_the_commonest_requests_have_no_code(self, need):
        assert row(needs={"services": [{"need": need}]}) == {}
        assert lost(needs={"services": [{"need": need}]}) == {"/record/needs/services/0/need": "no_code"}


AT = datetime(2026, 3, 1, 18, tzinfo=UTC)


def agency(code):
    return {"code": code, "name": f"Badan {code}", "kind": "trauma_centre"}


class TestWhatTheExchangeKnows:
    def case(self, **more):
        return Case.model_validate(
            {
                "id": "00000000-0000-4000-8000-000000000001",
                "reference": "TEST",
                "state": "open",
                "version": 1,
                "lead": agency("rptc"),
                "opened_at": AT,
                "updated_at": AT,
                "leads": [
                    {"agency": agency("polres"), "since": AT, "until": AT, "transfer_id": None},
                    {"agency": agency("rptc"), "since": AT, "until": None, "transfer_id": None},
                ],
                "history": [],
                "plan": None,
                "closure": None,
                "victim_status": [],
                "guardian_barred": None,
                "links": [],
                "moves": [],
                **more,
            }
        )

    @pytest.mark.parametrize(
        ("reader", "state", "status"),
        [
            ("rptc", "open", "Active"),
            ("rptc", "follow_up", "FollowUp"),
            ("rptc", "closed", "Closed"),
            ("polres", "open", "ClosedReferred"),
            ("iom", "open", "Active"),
        ],
    )
    def test_a_case_has_a_state_for_each_who_sees_it(self, reader, state, status):
        made = export(Record(), Exchange(case=of_case(self.case(state=state), reader=reader)))
        assert made.row == {"cas_Status": status, "cas_CaseOwner": "Badan rptc"}

    def test_a_closure_without_words_is_said_by_its_reason(self):
        closed = self.case(state="closed", closure={"reason": "returned", "text": None})
        assert of_case(closed, reader="rptc").closure == "Returned home"

    def test_an_office_is_told_and_a_confidential_house_is_not(self):
        known = Agency.model_validate(
            {
                **agency("rptc"),
                "region": "31.75",
                "country": "ID",
                "parent": None,
                "status": "active",
                "residential": "yes",
                "accepts": {},
                "capacity": None,
            }
        )
        point = {
            "id": "00000000-0000-4000-8000-000000000002",
            "name": "Kantor",
            "region": None,
            "address": "Jl. Contoh 1\nJakarta",
            "services": [],
        }
        contact = DutyContact(role="duty officer", phone="+62215550100")
        for confidential, street in (
            (False, {"org_ShippingStreet": "Jl. Contoh 1, Jakarta", "org_ShippingCountry": "ID"}),
            (True, {}),
        ):
            told = of_agency(
                known, point=ServicePoint.model_validate({**point, "confidential": confidential}), contacts=[contact]
            )
            assert export(Record(), Exchange(organisation=told)).row == {
                "org_Name": "Badan rptc",
                "org_Phone": "+62215550100",
                "org_Type": "CentralGovernmentOrganisation",
                **street,
            }

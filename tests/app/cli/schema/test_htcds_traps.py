"""The traps of HTCDS's own files, by their number in the list of where those files disagree."""

from __future__ import annotations

from datetime import datetime

import pytest

from schemas.mappings.htcds import export, import_row, of_referral
from schemas.mappings.htcds.crosswalk import fields, inward, not_carried, pairs
from schemas.record import Record
from tests.app.cli.schema.sheets import HIDDEN, LABELS, PERSON, TOOLKIT, Desk
from tests.makers.world import World


class TestNames:
    def test_01_the_survey_spells_them_otherwise(self, desk: Desk) -> None:
        read = desk.one(
            {"prs_First_Name": "Siti", "prs_Second_Name": "Contoh", "vic_Methods_of_Control": "DebtBondage"}
        )
        assert read.record["identity"]["names"] == [{"full": "Siti Contoh", "given": "Siti", "family": "Contoh"}]
        assert read.record["exploitation"]["episodes"] == [{"means": ["debt_bondage"]}]

    def test_02_the_workbooks_misspell_one_and_leave_one_out(self, desk: Desk) -> None:
        read = desk.read(desk.toolkit(PERSON))
        assert read.record["identification"] == {"decided_by_organisation": "police"}
        assert read.exchange["outgoing"] == {"reason": "change_of_location"}

    def test_02_the_one_left_out_is_known_by_its_neighbours_where_there_are_no_labels(self, desk: Desk) -> None:
        names = [HIDDEN[column] or "" for column in TOOLKIT]
        read = desk.read(desk.text(names, [str(PERSON.get(column, "")) for column in TOOLKIT]))
        assert read.exchange["outgoing"] == {"reason": "change_of_location"}
        assert read.codes("cas_ReasonForOutgoingReferral") == ["empty_header"]

    def test_03_one_or_several(self, desk: Desk) -> None:
        read = desk.one(
            {"prs_Citizenship": "ID; MY", "vic_ForcedLabourIndustry": "F_Construction B_MiningAndQuarrying"}
        )
        assert read.record["identity"]["nationalities"] == ["ID", "MY"]
        assert [each["isic"] for each in read.record["exploitation"]["episodes"]] == [
            "construction",
            "mining_quarrying",
        ]

    def test_04_the_hidden_names_of_the_address_are_shuffled(self, desk: Desk) -> None:
        read = desk.read(desk.toolkit(PERSON))
        assert read.record["location"]["addresses"][0]["place"] == {
            "street": "Jl. Contoh 1",
            "regency": "Ambon",
            "province": "Maluku",
            "postcode": "97123",
            "country": "ID",
        }
        assert read.codes("prs_MailingStreet") == ["header_disagrees"]
        assert read.codes("prs_MailingState") == [], "only State is right"

    def test_04_where_the_labels_are_gone_the_values_tell(self, desk: Desk) -> None:
        names = [HIDDEN[column] or "" for column in TOOLKIT]
        read = desk.read(desk.text(names, *[[str(PERSON.get(column, "")) for column in TOOLKIT]] * 3))
        assert read.record["location"]["addresses"][0]["place"]["street"] == "Jl. Contoh 1"
        assert read.record["location"]["addresses"][0]["place"]["country"] == "ID"
        assert read.codes("prs_MailingStreet") == ["shuffled_address"]

    def test_04_right_names_are_believed(self, desk: Desk) -> None:
        read = desk.one(
            {
                "prs_MailingCity": "Ambon",
                "prs_MailingCountry": "ID",
                "prs_MailingState": "Maluku",
                "prs_MailingStreet": "Jl. Contoh 1",
                "prs_MailingPostalCode": "97123",
            }
        )
        assert read.record["location"]["addresses"][0]["place"]["regency"] == "Ambon"
        assert read.problems == []

    @pytest.mark.parametrize(
        ("second", "title", "family", "staff", "done"),
        [
            ("", "Contoh", "Contoh", None, "read as the second name"),
            ("Contoh", "Contoh", "Contoh", None, "left out"),
            ("Contoh", "Kepala", "Contoh", "Kepala", "kept"),
        ],
    )
    def test_05_the_survey_asks_for_the_second_name_where_it_stores_the_title(
        self, desk: Desk, second: str, title: str, family: str, staff: str | None, done: str
    ) -> None:
        read = desk.one({"prs_First_Name": "Siti", "prs_Second_Name": second, "prs_Title": title})
        assert read.record["identity"]["names"][0]["family"] == family
        assert read.exchange.get("staff_title") == staff
        assert [(problem["code"], problem["done"]) for problem in read.problems] == [("mislabelled_in_survey", done)]

    def test_05_so_do_its_labels(self, desk: Desk) -> None:
        read = desk.read(
            desk.text(["First Name", "Second Name", "Second Name", "Gender"], ["Siti", "", "Contoh", "Feminine"])
        )
        assert read.record["identity"]["names"][0]["full"] == "Siti Contoh"

    def test_05_elsewhere_a_title_is_a_title(self, desk: Desk) -> None:
        read = desk.one({"prs_FirstName": "Siti", "prs_Title": "Kepala"})
        assert (read.exchange, read.problems) == ({"staff_title": "Kepala"}, [])


class TestCodes:
    @pytest.mark.parametrize(
        ("said", "means"),
        [
            ("MethodsOfControlRestrictsMovement", "confinement"),
            ("RestrictsMovement", "confinement"),
            ("Restricts Movement", "confinement"),
            ("UsesChildren", "isolation"),
            ("ThreatensChildrenFamily", "threat_to_family"),
            ("ThreatOfLawEnforcement", "threat_of_authorities"),
            ("ThreatsLawEnforcement", "threat_of_authorities"),
            ("PsychoactiveSubstances", "drugs"),
            ("Threats", "threat_of_violence"),
            ("PhysicalThreats", "threat_of_violence"),
        ],
    )
    def test_06_methods_of_control_have_two_lists(self, said: str, means: str) -> None:
        outcome = import_row({"vic_MethodsOfControl": said})
        assert outcome.document.record.exploitation is not None
        assert outcome.document.record.exploitation.episodes[0].means == (means,)
        assert [problem.code for problem in outcome.problems] == (["read_as_narrower"] if said == "Threats" else [])

    def test_06_confinement_is_never_written_by_the_name_the_field_standards_lack(self) -> None:
        record = Record.model_validate({"exploitation": {"episodes": [{"means": ["confinement", "deception"]}]}})
        made = export(record)
        assert made.row["vic_MethodsOfControl"] == ("Other", "FalsePromises")
        assert [(loss.pointer, loss.reason) for loss in made.losses] == [
            ("/record/exploitation/episodes/0/means/0", "wider_code")
        ]

    def test_07_cells_hold_labels(self, desk: Desk) -> None:
        read = desk.read(desk.toolkit(PERSON))
        assert read.exchange["case"] == {"state": "follow_up"}
        assert read.exchange["consent"] == {"claimed": True}
        assert read.record["exploitation"]["episodes"] == [
            {"means": ["debt_bondage", "deception", "documents_withheld"], "isic": "agriculture_forestry_fishing"},
            {"isic": "construction"},
        ]

    @pytest.mark.parametrize(
        "said", ["DebtBondage ", "DebtBondage FalsePromises", "debt bondage\u00a0; FALSE PROMISES"]
    )
    def test_08_spaces_at_the_end_and_between(self, desk: Desk, said: str) -> None:
        read = desk.one({"vic_MethodsOfControl": said, "prs_Gender": "Feminine\u00a0"})
        assert read.record["exploitation"]["episodes"][0]["means"][0] == "debt_bondage"
        assert read.record["identity"] == {"gender": "woman"}
        assert read.problems == []

    def test_09_odd_codes_stay_as_they_are(self) -> None:
        row = {
            "vic_RelationshipToTrafficker": "Unaquainted",
            "prs_Gender": "NonSpecifiedUnknown",
            "vic_RecruitmentWebsitesAndApps": ("4Sale",),
            "vic_TraffickingStatusDecisionMakingOrg": "NonPoliceGovernmentalOrganization",
            "org_Type": "CentralGovernmentOrganisation",
        }
        document = import_row(row).document
        assert export(document.record, document.exchange).row == row

    async def test_10_what_came_in_counts_from_acceptance(self, world: World) -> None:
        from schemas.exchange.referral import Referral
        from tests.makers.records import referral

        sent = (await world.police.post("/v1/referrals", referral(world.shelter.code))).json()
        seen = Referral.model_validate((await world.shelter.get(f"/v1/referrals/{sent['id']}")).json())
        assert of_referral(seen, incoming=True).on is None, "it has arrived, and nobody has accepted it"
        assert of_referral(seen, incoming=False).on is not None
        assert of_referral(seen, incoming=False).organisation == seen.receiver.name

    def test_11_a_reason_in_free_words_goes_into_the_details(self, desk: Desk) -> None:
        read = desk.one(
            {
                "cas_ReasonForIncomingReferral": "Shelter was full",
                "cas_IncomingReferralDetails": "By car",
                "vic_LocationOfRecruitment": "Pasar Contoh",
            }
        )
        assert read.exchange["incoming"] == {"details": "Shelter was full\nBy car"}
        assert read.record["exploitation"]["recruitment"] == {"place": {"name": "Pasar Contoh"}}

    @pytest.mark.parametrize("said", ["MM", "MMR", "Myanmar", "myanmar ", "Burma"])
    def test_12_countries_by_code_or_name(self, said: str) -> None:
        document = import_row({"prs_Citizenship": said, "hte_Country": said, "prs_MailingCountry": said}).document
        assert document.record.identity is not None
        assert document.record.identity.nationalities == ("MM",)

    @pytest.mark.parametrize(
        ("said", "code"),
        [("Kamboja", "KH"), ("Turkey", "TR"), ("Türkiye", "TR"), ("Belanda", "NL"), ("Viet Nam", "VN")],
    )
    def test_12_also_in_indonesian_and_by_an_older_name(self, said: str, code: str) -> None:
        assert import_row({"hte_Country": said}).document.record.exploitation.route[0].place.country == code  # type: ignore[union-attr]

    def test_12_one_that_is_no_more_or_never_was_is_reported(self) -> None:
        outcome = import_row({"prs_Citizenship": "Yugoslavia; ID"})
        assert [(problem.column, problem.code) for problem in outcome.problems] == [
            ("prs_Citizenship", "unknown_country")
        ]
        assert outcome.document.record.identity.nationalities == ("ID",)  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("said", "tag", "written"),
        [
            ("id", "id", "ind"),
            ("ind", "id", "ind"),
            ("Indonesia", "id", "ind"),
            ("Bahasa Jawa", "jv", "jav"),
            ("ger", "de", "deu"),
            ("deu", "de", "deu"),
            ("Burmese", "my", "mya"),
            ("bug", "bug", "bug"),
            ("zsm", "zsm", "msa"),
            ("nij", "nij", None),
        ],
    )
    def test_13_languages_by_any_code_or_name(self, said: str, tag: str, written: str | None) -> None:
        record = import_row({"prs_PrimaryLanguage": said}).document.record
        assert record.identity.languages == (tag,)  # type: ignore[union-attr]
        assert export(record).row.get("prs_PrimaryLanguage") == written

    @pytest.mark.parametrize("said", ["628110000012", "+628110000012", "0811 0000 012", "62 811-0000-012"])
    def test_14_phones_with_and_without_plus(self, said: str) -> None:
        channel = import_row({"prs_MobilePhone": said}).document.record.contact.channels[0]  # type: ignore[union-attr]
        assert (channel.value, channel.safe) == ("+628110000012", "not_asked")

    def test_15_positions_are_kept_of_events_and_not_of_persons(self, desk: Desk) -> None:
        read = desk.one(
            {
                "hte_Latitude": "-3,65",
                "hte_Longitude": "128.19",
                "prs_MailingLatitude": "-3.6",
                "prs_MailingLongitude": "128",
            }
        )
        assert read.record["exploitation"]["route"] == [
            {"position": {"latitude": -3.65, "longitude": 128.19}, "act": "unknown"}
        ]
        assert [problem["code"] for problem in read.problems] == ["position_not_kept"] * 2
        assert "location" not in read.record


class TestTheStandardItself:
    def test_16_its_fields_are_draft_or_deprecated_and_all_are_read_alike(self) -> None:
        assert {each.status for each in fields() if each.kind == "field"} == {"draft", "deprecated"}

    def test_17_what_is_deprecated_is_read_and_never_written(self, desk: Desk) -> None:
        read = desk.one(
            {
                "vic_Vulnerabilities": "Poverty; Migration",
                "vic_DetailsOfVulnerabilities": "Debts at home",
                "vic_AgreementToManagePersonalData": "TRUE",
            }
        )
        assert read.record["safety"]["risk_factors"] == [
            {"kind": "poverty", "note": "Debts at home"},
            {"kind": "migration"},
        ]
        assert read.exchange["consent"] == {"agreement": True}
        made = export(Record.model_validate(read.record))
        assert made.row == {}
        assert {loss.reason for loss in made.losses} == {"deprecated"}

    def test_18_a_tick_is_a_claim_and_never_a_basis(self, desk: Desk) -> None:
        for said, claimed in (("TRUE", True), ("1", True), ("Ya", True), ("No", False), ("tidak", False)):
            assert desk.one({"con_Consent": said}).exchange == {"consent": {"claimed": claimed}}
        read = desk.one({"con_Consent": "signed on paper", "prs_FirstName": "Surya"})
        assert (read.exchange, read.codes("con_Consent")) == ({}, ["boolean_form"])
        document = import_row({"con_Consent": "TRUE"}).document
        assert export(document.record, document.exchange).row == {}
        covered = document.exchange.model_copy(
            update={"consent": document.exchange.consent.model_copy(update={"covers": True})}  # type: ignore[union-attr]
        )
        assert export(document.record, covered).row == {"con_Consent": "TRUE"}

    def test_19_names_of_older_versions(self, desk: Desk) -> None:
        read = desk.one({"prs_Nationality": "ID", "vic_PotentialLiability": "x"})
        assert read.record["identity"] == {"nationalities": ["ID"]}
        assert read.codes("vic_PotentialLiability") == ["column_not_recognised"]

    @pytest.mark.parametrize(
        ("said", "section", "isic_class"),
        [
            ("Fishing and aquaculture", "agriculture_forestry_fishing", "03"),
            ("Growing of non-perennial crops", "agriculture_forestry_fishing", "011"),
            ("Primarily beverages", "accommodation_food", "563"),
            ("Employment activities", "administrative_support", "78"),
        ],
    )
    def test_20_a_label_of_a_lower_tier_is_read_by_its_place_in_isic(
        self, said: str, section: str, isic_class: str
    ) -> None:
        episode = import_row({"vic_ForcedLabourIndustry": said}).document.record.exploitation.episodes[0]  # type: ignore[union-attr]
        assert (episode.isic, episode.isic_class) == (section, isic_class)

    def test_21_other_services_are_no_other(self) -> None:
        record = Record.model_validate(
            {"exploitation": {"episodes": [{"sector": "other"}, {"isic": "other_services"}]}}
        )
        made = export(record)
        assert made.row["vic_ForcedLabourIndustry"] == ("S_OtherServiceActivities",)
        assert ("/record/exploitation/episodes/0/sector", "no_code") in {(x.pointer, x.reason) for x in made.losses}

    def test_22_what_merges_two_situations_is_not_decided(self) -> None:
        assert ("other_migration_status", "Seperated or Unaccompanied child") in not_carried()
        assert {pair.relation for pair in inward("international_protection", "Refugee")} == {"broader"}

    def test_23_roles_are_what_was_done_to_the_person(self, desk: Desk) -> None:
        read = desk.one(
            {"per_RoleInProcess": "SoldIndividual; Transferred Individual", "per_Organisation": "PT Contoh"}
        )
        assert read.record["safety"]["persons_of_concern"] == [
            {"roles": ["seller", "transferrer"], "organisation": "PT Contoh"}
        ]
        assert len([pair for pair in pairs() if pair.their_list == "role_in_process" and pair.way == "both"]) == 15

    @pytest.mark.parametrize(
        "said",
        [
            datetime(2001, 3, 2),  # noqa: DTZ001 - a cell of a workbook has no zone
            36952,
            "02-03-2001",
            "2/3/2001",
            "2001-03-02",
            "2001-03-02T00:00:00.000+07:00",
            "2 Maret 2001",
        ],
    )
    def test_24_dates_are_checked_by_nobody_before_us(self, desk: Desk, said: object) -> None:
        read = desk.read(desk.toolkit({"prs_Birthdate": said}))
        assert read.record["identity"]["birth"] == {"date": "2001-03-02"}

    def test_25_a_whole_workbook_of_the_toolkit_is_read(self, desk: Desk) -> None:
        read = desk.read(desk.toolkit(PERSON, {}, {**PERSON, "prs_FirstName": "Siti"}))
        assert [document["row"] for document in read.documents] == [3, 5], "an empty row is nobody"
        assert {problem["code"] for problem in read.problems} == {"header_disagrees"}
        assert LABELS["cas_ReasonForOutgoingReferral"] == "Reason for Outgoing Referral"

"""`/v1/record-fields`: what the fields are called and mean, for anyone, and what FHIR's codes of fields lead to."""

from schemas.documents.preview_labels import preview_labels
from schemas.exchange.record_fields import RecordFields
from schemas.labels import field_labels


class TestTheFields:
    async def test_are_those_of_the_record_and_of_the_preview(self, exchange):
        answer = await exchange.http.get("/v1/record-fields")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
        found = RecordFields.model_validate_json(answer.content)
        assert [each.path for each in found.fields] == [*field_labels(), *preview_labels()]
        assert "CC BY 4.0" in found.attribution

    async def test_say_what_they_are_called_and_mean(self, exchange):
        fields = {each["path"]: each for each in (await exchange.http.get("/v1/record-fields")).json()["fields"]}
        status = fields["family.marital_status"]
        assert (status["id"], status["en"]) == ("Status perkawinan", "Marital status")
        assert status["meaning_id"].endswith(".")
        assert status["meaning_en"].endswith(".")
        assert (status["code_list"], status["htcds"]) == ("marital_status", ["prs_MaritalStatus"])
        band = fields["preview.dependants.age_bands"]
        assert (band["id"], band["code_list"], band["meaning_en"]) == ("Umur tanggungan", "age_band", None)

    async def test_are_not_sent_again_to_who_has_them(self, exchange):
        first = await exchange.http.get("/v1/record-fields")
        assert first.headers["Cache-Control"].startswith("public")
        again = await exchange.http.get("/v1/record-fields", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")

"""The main line: sent, previewed, accepted, read in full."""

from tests.makers import records
from tests.makers.world import World


class TestSendReferral:
    async def test_opens_a_case_led_by_the_sender(self, world: World) -> None:
        sent = await world.send()
        case = (await world.police.get(f"/v1/cases/{sent.case_id}")).json()
        assert case["lead"]["code"] == "police"
        assert case["state"] == "open"

    async def test_shows_the_receiver_a_preview_and_nothing_more(self, world: World) -> None:
        sent = await world.send()
        reply = await world.iom.get(sent.path)
        assert reply.status_code == 200, reply.text
        read = reply.json()
        assert read["record"] is None
        assert read["preview"]["sex"] == "male"
        assert records.NAME not in reply.text
        assert "followed" not in reply.text

    async def test_opens_the_record_when_accepted(self, world: World) -> None:
        accepted = await world.accepted()
        read = (await world.iom.get(accepted.path)).json()
        assert read["record"]["identity"]["names"][0]["full"] == records.NAME
        assert read["withheld"] == []

    async def test_is_nothing_to_an_agency_that_is_no_party(self, world: World) -> None:
        accepted = await world.accepted()
        for path in (accepted.path, f"/v1/cases/{accepted.case_id}"):
            assert (await world.stranger.get(path)).status_code == 404
        assert (await world.stranger.get("/v1/referrals")).json()["items"] == []

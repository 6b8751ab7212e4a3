"""Keys that sections are sealed to, as administrators see and end them."""

from __future__ import annotations

from datetime import timedelta

from auth.people.person import Role
from tests.makers import sealed
from tests.makers.admins import signed_in
from tests.makers.world import World

PATH = "/agencies/shelter/encryption-keys"


async def test_are_listed_and_ended_and_nobody_seals_to_them_any_more(world: World) -> None:
    before, first, second = [(await sealed.publish(world, world.shelter))[0] for _ in range(3)]
    (others,) = await sealed.publish(world, world.lpsk)
    await world.exchange.settle()
    officer = await signed_in(world.exchange, "po-budi", Role.protection_officer)
    auditor = await signed_in(world.exchange, "au-citra", Role.auditor)
    found = (await auditor.get(PATH)).json()["items"]
    assert [(each["kid"], each["counts"], each["added_by"]) for each in found] == [
        (key["kid"], True, "shelter-system") for key in (second, first, before)
    ]
    assert (await auditor.get("/agencies/nobody/encryption-keys")).status_code in (404, 422)

    since = (world.exchange.clock.now() - timedelta(hours=3, minutes=30)).isoformat()
    stolen = {"reason": "stolen", "compromised_since": since}
    end = f"{PATH}/{second['kid']}/end"
    assert (await auditor.post(end, stolen)).status_code == 403
    future = (world.exchange.clock.now() + timedelta(hours=1)).isoformat()
    for wrong in ({"reason": "lost", "compromised_since": since}, {"reason": "stolen", "compromised_since": future}):
        assert (await officer.post(end, wrong)).json()["type"] == "/problems/admin-not-right", wrong
    assert (await officer.post(f"{PATH}/{others['kid']}/end", stolen)).status_code == 404, "another agency's"

    reply = await officer.post(end, stolen)
    assert reply.status_code == 200, reply.text
    assert set(reply.json()["ended"]) == {second["kid"], first["kid"]}, "what the same system has added since"
    assert {each["kid"]: each["counts"] for each in reply.json()["items"]} == {
        second["kid"]: False,
        first["kid"]: False,
        before["kid"]: True,
    }
    assert (await officer.post(end, stolen)).status_code == 404, "it has ended"
    assert await world.told() == [("shelter", "agency.encryption_key_ended")] * 2
    (entry,) = await world.log(action="agency:end_encryption_key")
    assert (entry["actor"], entry["outcome"]) == ("po-budi", "done")
    assert first["kid"] in entry["detail"]
    assert '"compromised_since"' in entry["detail"]

    # a sender that kept it is refused, as for an unknown recipient; with the one that is left it sends
    published = (await world.police.get("/v1/agencies/shelter/encryption-keys")).json()["keys"]
    assert [each["kid"] for each in published] == [before["kid"]]
    for key in (first, second):
        body = sealed.records.referral("shelter", **sealed.request(key))
        refused = await world.police.post("/v1/referrals", body)
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/sealed-to-wrong-keys"), refused.text
    assert (await world.send(receiver="shelter", **sealed.request(before))).id
    (kept,) = (await world.police.get("/v1/agencies/lpsk/encryption-keys")).json()["keys"]
    assert kept["kid"] == others["kid"]

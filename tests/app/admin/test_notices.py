"""Notice addresses over `/admin/v1`: operators set them, everybody who administers sees what was given up, and the log has no address."""

from __future__ import annotations

import uuid

from tests.makers.world import World

EMAIL = "piket@shelter.example.org"
PATH = "/agencies/shelter/notice-address"


async def test_an_address_is_set_changed_shown_and_removed(operator, auditor, world: World):
    assert (await operator.get(PATH)).status_code == 404
    for language in ("en", "id"):
        made = await operator.post(PATH, {"email": EMAIL, "language": language})
        assert (made.status_code, made.json()["email"], made.json()["language"]) == (200, EMAIL, language)
        assert (made.json()["waiting"], made.json()["parked"], made.json()["refused_at"]) == (0, 0, None)
    assert (await auditor.get(PATH)).json() == made.json()
    assert (await auditor.post(PATH, {"email": EMAIL})).status_code == 403
    assert (await operator.post("/agencies/nobody/notice-address", {"email": EMAIL})).status_code == 404
    for email in ("a@b", "a@b.id,c@d.id", "A <a@b.id>", "ä@b.id", "a@b.id\r\nBcc: c@d.id"):
        reply = await operator.post(PATH, {"email": email})
        assert (reply.status_code, "b.id" in reply.text) == (422, False), reply.text
    assert "piket" not in (await auditor.get("/log")).text
    assert (await operator.post(f"{PATH}/remove")).json() == made.json()
    assert (await operator.post(f"{PATH}/remove")).status_code == 404


async def test_what_was_given_up_is_listed_by_page_and_tried_again_once(operator, auditor, world: World):
    shelter = world.id_of("shelter")
    ids = [uuid.UUID(int=number) for number in range(1, 6)]
    for each in ids:
        await world.owner.execute(
            """INSERT INTO notice_mail (id, agency_id, state, created_at, due_at, attempts, ended_at, fault, status)
               VALUES ($1, $2, 'parked', now(), now(), 3, now(), 'refused', 550)""",
            each, shelter,
        )  # fmt: skip
    found, path = [], "/notices?state=parked&limit=2"
    while path:
        page = (await auditor.get(path)).json()
        found += [each["id"] for each in page["items"]]
        path = page["next"] and page["next"].removeprefix("/admin/v1")
    assert found == [str(each) for each in reversed(ids)]
    assert (await auditor.get("/notices?agency=iom")).json()["items"] == []
    (mail, *_) = (await auditor.get("/notices?agency=shelter")).json()["items"]
    assert (mail["agency"], mail["fault"], mail["status"], mail["attempts"], mail["events"]) == (
        "shelter",
        "refused",
        550,
        3,
        0,
    )
    assert (await auditor.get("/notices?state=lost")).status_code == 422
    assert [(await operator.post(f"/notices/{ids[0]}/retry")).status_code for _ in range(2)] == [204, 404]
    assert (await operator.get("/notices?state=waiting")).json()["items"][0]["id"] == str(ids[0])

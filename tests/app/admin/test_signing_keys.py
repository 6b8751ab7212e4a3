"""The exchange's signing keys over `/admin/v1`."""

from __future__ import annotations

from datetime import timedelta

from auth.people.person import Role
from tests.makers.admins import signed_in


def active(reply) -> str:
    assert reply.status_code == 200, reply.text
    (kid,) = [key["kid"] for key in reply.json()["items"] if key["state"] == "active"]
    return kid


async def test_are_listed_without_their_private_halves(auditor):
    reply = await auditor.get("/signing-keys")
    assert active(reply)
    assert set(reply.json()["items"][0]) == {"kid", "state", "created_at", "activated_at", "published_until"}


async def test_are_rotated_to_the_next_one_once_it_has_been_known_for_a_while(operator, exchange):
    before = await operator.post("/signing-keys/rotate-at-once")
    (coming,) = [key["kid"] for key in before.json()["items"] if key["state"] == "next"]
    reply = await operator.post("/signing-keys/rotate")
    assert (reply.status_code, reply.json()["type"]) == (409, "/problems/admin-not-possible"), "it is too young"
    await exchange.owner.execute(
        "UPDATE signing_key SET created_at = created_at - interval '1 hour' WHERE state = 'next'"
    )
    assert active(await operator.post("/signing-keys/rotate")) == coming


async def test_are_rotated_at_once_and_what_was_signed_ends(operator, exchange, world):
    before = active(await operator.get("/signing-keys"))
    assert (await world.police.get("/v1/me")).status_code == 200
    signed_before = await world.police.client.authorization("GET", "/v1/me")
    assert active(await operator.post("/signing-keys/rotate-at-once")) != before
    await exchange.directory.refresh()
    reply = await exchange.http.get("/v1/me", headers=signed_before)
    assert (reply.status_code, reply.json()["reason"]) == (401, "signing_key")


async def test_need_a_fresh_proof_of_who_it_is(exchange):
    late = await signed_in(exchange, "op-late", Role.operator, confirmed=timedelta(minutes=11))
    for path in ("/signing-keys/rotate", "/signing-keys/rotate-at-once"):
        reply = await late.post(path)
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/confirmation-required")

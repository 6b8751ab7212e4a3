"""Responsibility for a case moves once, at confirmation, with everything that belongs to it; never to two, never to none."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.makers import records
from tests.makers.world import Agency, Passed, World


def canonical(document: Any) -> bytes:
    """RFC 8785 for documents of ASCII strings and lists: sorted members, no white space."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


async def leads(world: World, case_id: str) -> list[tuple[str, bool]]:
    """The history of leadership: who, and whether it still lasts."""
    rows = await world.owner.fetch(
        "SELECT code, until_at IS NULL AS now FROM case_lead l JOIN agency a ON a.id = l.agency_id WHERE case_id = $1 ORDER BY from_at",
        UUID(case_id),
    )
    return [(row["code"], row["now"]) for row in rows]


async def offer(world: World, case_id: str, sender: str, receiver: str, **more: Any) -> Passed:
    return await world.send(kind="transfer", sender=sender, receiver=receiver, case_id=case_id, **more)


class TestTheManifest:
    async def test_has_a_digest_that_anyone_can_recompute(self, world: World) -> None:
        referred = await world.accepted(sender="police", receiver="lpsk")
        offered = await offer(world, referred.case_id, "police", "ministry")
        read = (await world.ministry.get(offered.path)).json()
        assert read["manifest"]["open_referrals"] == [referred.id]
        assert read["manifest"]["sections"] == ["identity", "safety", "needs"]
        assert read["manifest"]["record_version"] == read["record_version"]
        assert hashlib.sha256(canonical(read["manifest"])).hexdigest() == read["manifest_digest"]

    async def test_is_salted_so_that_its_digest_cannot_be_guessed(self, world: World) -> None:
        manifests = [
            (await world.ministry.get((await world.send(kind="transfer", receiver="ministry")).path)).json()["manifest"]
            for _ in range(2)
        ]
        assert len(manifests[0]["salt"]) == 64
        assert manifests[0]["salt"] != manifests[1]["salt"]

    async def test_must_be_repeated_to_accept(self, world: World) -> None:
        offered = await world.send(kind="transfer", receiver="ministry")
        reply = await world.move(offered, "accept", world.acceptance(manifest_digest="0" * 64))
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/another-manifest")
        assert (reply.json()["state"], reply.json()["version"]) == ("offered", 1)
        assert (await world.move(offered, "accept", world.acceptance())).status_code == 422
        assert [entry["outcome"] for entry in await world.refusals()] == ["manifest"]
        assert (await world.move(offered, "accept")).status_code == 200

    async def test_is_another_one_once_the_record_was_amended(self, world: World) -> None:
        offered = await world.send(kind="transfer", receiver="ministry")
        before = (await world.ministry.get(offered.path)).json()
        await world.moved(offered, "amend")
        after = (await world.ministry.get(offered.path)).json()
        assert after["manifest"]["record_version"] == after["record_version"] != before["record_version"]
        assert hashlib.sha256(canonical(after["manifest"])).hexdigest() == after["manifest_digest"]

        unseen = await world.move(offered, "accept", world.acceptance(manifest_digest=before["manifest_digest"]))
        assert (unseen.status_code, unseen.json()["type"]) == (409, "/problems/another-manifest")
        seen = await world.move(offered, "accept", world.acceptance(manifest_digest=after["manifest_digest"]))
        assert seen.status_code == 200


class TestTheLead:
    async def test_stays_until_the_handover_is_confirmed(self, world: World) -> None:
        offered = await world.send(kind="transfer", receiver="ministry")
        for event in ("acknowledge", "accept"):
            await world.moved(offered, event)
            assert await world.lead_of(offered.case_id) == "police"
        await world.moved(offered, "confirm_handover")
        assert await world.lead_of(offered.case_id) == "ministry"

    @pytest.mark.parametrize("event", ["decline", "recall"])
    async def test_stays_when_nothing_comes_of_the_offer(self, world: World, event: str) -> None:
        offered = await world.moved(await world.send(kind="transfer", receiver="ministry"), event)
        assert await world.lead_of(offered.case_id) == "police"
        assert await leads(world, offered.case_id) == [("police", True)]

    async def test_is_one_agency_at_every_instant(self, world: World) -> None:
        handed = await world.handed_over(receiver="ministry")
        back = await offer(world, handed.case_id, "ministry", "police")
        await world.moved(back, "accept", "confirm_handover")
        assert await leads(world, handed.case_id) == [("police", False), ("ministry", False), ("police", True)]
        gaps = await world.owner.fetchval(
            """SELECT count(*) FROM (SELECT until_at, lead(from_at) OVER (ORDER BY from_at) AS next
               FROM case_lead WHERE case_id = $1) AS l WHERE next IS NOT NULL AND until_at <> next""",
            UUID(handed.case_id),
        )
        assert gaps == 0

    async def test_cannot_be_two_even_by_the_owners_hand(self, world: World) -> None:
        sent = await world.send()
        with pytest.raises(Exception, match="case_lead_one"):
            await world.owner.execute(
                "INSERT INTO case_lead (case_id, agency_id, from_at) VALUES ($1, $2, now())",
                UUID(sent.case_id),
                world.ids["iom"],
            )

    async def test_is_shown_with_its_history_to_the_new_lead_alone(self, world: World) -> None:
        handed = await world.handed_over(receiver="ministry")
        path = f"/v1/cases/{handed.case_id}"
        now = (await world.ministry.get(path)).json()
        assert [each["agency"]["code"] for each in now["leads"]] == ["police", "ministry"]
        assert now["leads"][1]["transfer_id"] == handed.id
        earlier = (await world.police.get(path)).json()
        assert earlier["lead"]["code"] == "ministry"
        assert [each["agency"]["code"] for each in earlier["leads"]] == ["police"]
        assert (await world.stranger.get(path)).status_code == 404

    async def test_is_found_in_the_lists_of_either(self, world: World) -> None:
        handed = await world.handed_over(receiver="ministry")
        for who, role, found in (
            (world.ministry, "lead", [handed.case_id]),
            (world.ministry, "earlier_lead", []),
            (world.police, "lead", []),
            (world.police, "earlier_lead", [handed.case_id]),
            (world.stranger, "lead", []),
            (world.stranger, "earlier_lead", []),
        ):
            listed = (await who.get(f"/v1/cases?role={role}")).json()["items"]
            assert [case["id"] for case in listed] == found, (who.code, role)

    async def test_alone_may_offer_the_case(self, world: World) -> None:
        handed = await world.handed_over(receiver="ministry")
        holder = await world.accepted(sender="ministry", receiver="lpsk", case_id=handed.case_id)
        body = records.transfer("sentra", case=None, case_id=handed.case_id)
        for who, status in ((world.police, 403), (holder.receiver, 403), (world.stranger, 404)):
            assert (await who.post("/v1/transfers", body)).status_code == status, who.code
        assert (await world.ministry.post("/v1/transfers", body)).status_code == 201


class TestOneOpenTransfer:
    async def test_is_all_a_case_has(self, world: World) -> None:
        offered = await world.send(kind="transfer", receiver="ministry")
        again = await world.police.post("/v1/transfers", records.transfer("sentra", case=None, case_id=offered.case_id))
        assert (again.status_code, again.json()["type"]) == (409, "/problems/transfer-already-open")
        assert again.json()["transfer_id"] == offered.id
        await world.moved(offered, "recall")
        await offer(world, offered.case_id, "police", "sentra")

    async def test_is_what_twenty_offers_at_once_leave(self, world: World) -> None:
        case = await world.send(receiver="lpsk")
        body = records.transfer("ministry", case=None, case_id=case.case_id)
        replies = await asyncio.gather(*(world.police.post("/v1/transfers", body) for _ in range(20)))
        assert sorted(reply.status_code for reply in replies) == [201] + [409] * 19
        (made,) = [reply.json()["id"] for reply in replies if reply.status_code == 201]
        assert {reply.json()["transfer_id"] for reply in replies if reply.status_code == 409} == {made}
        counted = await world.owner.fetchval(
            "SELECT (SELECT count(*) FROM transfer) || ' ' || (SELECT count(*) FROM outbox WHERE subject = 'transfer')"
        )
        assert counted == "1 1"


class TestOpenReferrals:
    @pytest.fixture
    async def handed(self, world: World) -> Passed:
        """The police's case with an open referral to LPSK, handed over to the ministry."""
        self.referred = await world.send(sender="police", receiver="lpsk")
        offered = await offer(world, self.referred.case_id, "police", "ministry")
        return await world.moved(offered, "accept", "confirm_handover")

    async def test_have_the_new_lead_as_sender(self, world: World, handed: Passed) -> None:
        read = (await world.lpsk.get(self.referred.path)).json()
        assert (read["sender"]["code"], read["state"]) == ("ministry", "sent")
        assert (await world.ministry.get(self.referred.path)).json()["moves"] == [
            "recall",
            "enter_in_error",
            "amend",
            "note",
        ]
        listed = (await world.ministry.get("/v1/referrals?role=sender")).json()["items"]
        assert [each["id"] for each in listed] == [self.referred.id]

    async def test_are_nothing_to_the_earlier_lead_any_more(self, world: World, handed: Passed) -> None:
        assert (await world.police.get(self.referred.path)).status_code == 404
        assert (await world.move(self.referred, "recall", by=world.police)).status_code == 404
        assert (await world.move(self.referred, "amend", by=world.police)).status_code == 404
        assert (await world.police.get("/v1/referrals?role=sender")).json()["items"] == []

    async def test_can_be_recalled_by_the_new_lead(self, world: World, handed: Passed) -> None:
        reply = await world.move(self.referred, "recall", by=world.ministry)
        assert (reply.status_code, reply.json()["state"]) == (200, "recalled")
        assert (await world.lpsk.get(self.referred.path)).json()["preview"] is None

    async def test_can_be_amended_by_the_new_lead(self, world: World, handed: Passed) -> None:
        assert (await world.move(self.referred, "amend", by=world.ministry)).status_code == 200
        await world.moved(self.referred, "accept")
        read = (await world.lpsk.get(self.referred.path)).json()
        assert read["record"]["identity"]["names"][0]["full"] == records.NAME

    async def test_tell_the_new_lead_what_becomes_of_them(self, world: World, handed: Passed) -> None:
        await world.owner.execute("TRUNCATE outbox")
        await world.moved(self.referred, "accept")
        assert await world.told() == [("ministry", "referral.accepted")]

    async def test_open_to_their_receiver_as_before(self, world: World, handed: Passed) -> None:
        await world.moved(self.referred, "accept", "start")
        read = (await world.lpsk.get(self.referred.path)).json()
        assert read["record"]["identity"]["names"][0]["full"] == records.NAME

    async def test_that_have_ended_stay_with_who_sent_them(self, world: World) -> None:
        ended = await world.moved(await world.send(sender="police", receiver="lpsk"), "decline")
        offered = await offer(world, ended.case_id, "police", "ministry")
        await world.moved(offered, "accept", "confirm_handover")
        assert (await world.police.get(ended.path)).status_code == 200
        read = (await world.ministry.get(ended.path)).json()
        assert (read["sender"]["code"], read["state"]) == ("police", "declined")
        assert (read["preview"], read["record"], read["ending"], read["moves"]) == (None, None, None, [])


class TestAReferralToTheNewLead:
    async def test_is_absorbed(self, world: World) -> None:
        referred = await world.in_progress(sender="police", receiver="ministry")
        offered = await offer(world, referred.case_id, "police", "ministry")
        await world.moved(offered, "accept")
        await world.owner.execute("TRUNCATE outbox")
        await world.moved(offered, "confirm_handover")

        read = (await world.ministry.get(referred.path)).json()
        assert (read["state"], read["moves"], read["deadline"]) == ("absorbed", [], None)
        assert (read["history"][-1]["event"], read["history"][-1]["by"]) == ("absorb", None)
        assert read["version"] == read["history"][-1]["version"] == referred.version + 1
        assert (await world.police.get(referred.path)).json()["state"] == "absorbed"
        assert await world.told() == [("police", "transfer.completed"), ("police", "referral.absorbed")]
        (entry,) = await world.log(action="referral:absorb")
        assert (str(entry["subject_id"]), str(entry["case_id"])) == (referred.id, referred.case_id)

    async def test_opens_its_record_though_it_was_never_accepted(self, world: World) -> None:
        referred = await world.send(sender="police", receiver="ministry")
        offered = await offer(world, referred.case_id, "police", "ministry")
        await world.moved(offered, "accept", "confirm_handover")
        assert (await world.ministry.get(referred.path)).json()["record"] is not None

    async def test_takes_no_move_afterwards(self, world: World) -> None:
        referred = await world.accepted(sender="police", receiver="ministry")
        offered = await offer(world, referred.case_id, "police", "ministry")
        await world.moved(offered, "accept", "confirm_handover")
        version = referred.version + 1
        for who, event in ((world.ministry, "start"), (world.police, "amend")):
            reply = await world.move(referred, event, by=who, seen=version)
            assert (reply.status_code, reply.json()["state"], reply.json()["moves"]) == (409, "absorbed", [])


class TestOnwardReferrals:
    @pytest.fixture
    async def onward(self, world: World) -> Passed:
        """The police's case, referred to IOM, which referred it onward to LPSK; then handed over to the ministry."""
        self.first = await world.accepted(sender="police", receiver="iom", bases=[records.legal_basis(onward=True)])
        sent = await world.send(sender="iom", receiver="lpsk", case_id=self.first.case_id)
        offered = await offer(world, self.first.case_id, "police", "ministry")
        await world.moved(offered, "accept", "confirm_handover")
        return sent

    async def test_stay_with_the_agency_that_sent_them(self, world: World, onward: Passed) -> None:
        assert (await world.iom.get(onward.path)).json()["sender"]["code"] == "iom"
        assert (await world.lpsk.get(onward.path)).json()["sender"]["code"] == "iom"
        assert (await world.move(onward, "recall", by=world.ministry)).status_code == 409
        assert (await world.move(onward, "recall", by=world.iom)).status_code == 200

    async def test_leave_the_holders_own_referral_in_force(self, world: World, onward: Passed) -> None:
        read = (await world.iom.get(self.first.path)).json()
        assert (read["sender"]["code"], read["state"]) == ("ministry", "accepted")
        await world.moved(self.first, "start")


class TestTheEarlierLead:
    async def test_keeps_what_it_wrote_and_sees_nothing_later(self, world: World) -> None:
        handed = await world.handed_over(receiver="ministry")
        later = await world.accepted(
            sender="ministry",
            receiver="sentra",
            case_id=handed.case_id,
            record=records.record(needs=("legal_aid",), safety={"must_know": "Written after the handover."}),
        )
        own = await world.police.get(handed.path)
        assert own.json()["record"]["identity"]["names"][0]["full"] == records.NAME
        assert (await world.police.get(later.path)).status_code == 404
        assert "after the handover" not in own.text
        assert (await world.stranger.get(handed.path)).status_code == 404

    async def test_may_refer_no_more(self, world: World) -> None:
        handed = await world.handed_over(receiver="ministry")
        reply = await world.police.post("/v1/referrals", records.referral("lpsk", case=None, case_id=handed.case_id))
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/not-lead")


class TestTheHandover:
    async def test_is_one_transaction_or_nothing(self, world: World) -> None:
        """The last statement of the confirmation fails: then nothing of it has happened."""
        referred = await world.send(sender="police", receiver="lpsk")
        mine = await world.send(sender="police", receiver="ministry", case_id=referred.case_id)
        offered = await offer(world, referred.case_id, "police", "ministry")
        await world.moved(offered, "accept")
        tables = ("case_file", "case_lead", "referral", "transfer", "disclosure", "move", "outbox", "log_entry")

        async def everything() -> dict[str, Any]:
            return {
                table: await world.owner.fetchval(
                    f"SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {table} t"
                )
                for table in tables
            }

        before = await everything()
        await world.owner.execute(
            """CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'torn'; END $$;
               GRANT EXECUTE ON FUNCTION fail() TO PUBLIC;
               CREATE TRIGGER torn BEFORE INSERT ON idempotency FOR EACH ROW EXECUTE FUNCTION fail()"""
        )
        try:
            reply = await world.move(offered, "confirm_handover")
        finally:
            await world.owner.execute("DROP TRIGGER torn ON idempotency; DROP FUNCTION fail()")
        assert reply.status_code == 500
        assert await everything() == before
        await world.moved(offered, "confirm_handover")
        assert (await world.row(mine))["state"] == "absorbed"
        assert await world.lead_of(offered.case_id) == "ministry"

    async def test_never_waits_for_an_amendment_that_waits_for_it(self, world: World) -> None:
        """Both touch the case and the referral, in the same order; in another, PostgreSQL would have to undo one of them."""
        referred = await world.send(sender="police", receiver="lpsk")
        offered = await world.moved(await offer(world, referred.case_id, "police", "ministry"), "accept")

        async def waiting(count: int) -> None:
            async with asyncio.timeout(10):
                while count > await world.owner.fetchval(  # noqa: ASYNC110 -- another process's locks send no event
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
                ):
                    await asyncio.sleep(0.01)

        holder = await asyncpg.connect(world.exchange.addresses.owner)
        try:
            async with holder.transaction():
                await holder.execute("SELECT FROM case_file WHERE id = $1 FOR NO KEY UPDATE", UUID(referred.case_id))
                confirming = asyncio.create_task(world.move(offered, "confirm_handover"))
                await waiting(1)
                amending = asyncio.create_task(world.move(referred, "amend"))
                await waiting(2)
            assert (await confirming).status_code == 200
            amended = (await amending).status_code == 200
        finally:
            await holder.close()
        assert (await world.row(referred))["sender_id"] == world.ids["ministry"]
        # an amendment counts only before the handover; after it the referral is the new lead's
        confirmed = (await world.log(action="transfer:confirm_handover"))[0]["id"]
        amendments = await world.log(action="referral:amend")
        assert len(amendments) == int(amended)
        assert all(entry["id"] < confirmed for entry in amendments)

    @pytest.mark.parametrize("other", ["amend", "offer"])
    @pytest.mark.parametrize("first", ["confirm", "rival"])
    async def test_never_waits_for_what_waits_for_it(self, world: World, other: str, first: str) -> None:
        """The sender amends the very transfer, or offers the case once more, while the receiver confirms: no deadlock, no 500."""
        offered = await world.moved(await offer(world, (await world.send()).case_id, "police", "ministry"), "accept")
        body = records.transfer("sentra", case=None, case_id=offered.case_id)
        makes = {
            "confirm": lambda: world.move(offered, "confirm_handover"),
            "rival": lambda: (
                world.move(offered, "amend") if other == "amend" else world.police.post("/v1/transfers", body)
            ),
        }
        holder = await asyncpg.connect(world.exchange.addresses.owner)
        try:
            async with holder.transaction():
                await holder.execute("SELECT FROM case_file WHERE id = $1 FOR NO KEY UPDATE", UUID(offered.case_id))
                running = {}
                for who in sorted(makes, key=lambda name: name != first):
                    running[who] = asyncio.create_task(makes[who]())
                    await asyncio.sleep(0.3)
            answers = {who: (await task).status_code for who, task in running.items()}
        finally:
            await holder.close()
        assert answers["confirm"] in (200, 412), "412: the transfer was amended first"
        assert answers["rival"] in (200, 403, 409), answers
        lead = "ministry" if answers["confirm"] == 200 else "police"
        assert await world.lead_of(offered.case_id) == lead

    async def test_does_not_lose_a_referral_sent_at_the_same_moment(self, world: World) -> None:
        for _ in range(10):
            offered = await world.accepted(kind="transfer", receiver="ministry")
            body = records.referral("lpsk", case=None, case_id=offered.case_id)
            sent, confirmed = await asyncio.gather(
                world.police.post("/v1/referrals", body), world.move(offered, "confirm_handover")
            )
            assert confirmed.status_code == 200
            if sent.status_code == 201:
                path = f"/v1/referrals/{sent.json()['id']}"
                assert (await world.lpsk.get(path)).json()["sender"]["code"] == "ministry"
            else:
                assert sent.json()["type"] == "/problems/not-lead"

    @pytest.mark.parametrize(
        ("paper", "status"),
        [
            ({"paper": "not_used"}, 200),
            ({"paper": "pending"}, 200),
            ({"paper": "issued", "number": "BAST/17/2026", "date": "2026-01-05"}, 200),
            ({"paper": "issued"}, 422),
            ({"paper": "pending", "due": "2020-01-01T00:00:00Z"}, 422),
            ({"paper": "not_used", "due": "2040-01-01T00:00:00Z"}, 422),
            ({}, 422),
        ],
    )
    async def test_says_where_its_paper_stands(self, world: World, paper: dict[str, Any], status: int) -> None:
        accepted = await world.accepted(kind="transfer", receiver="ministry")
        reply = await world.move(accepted, "confirm_handover", paper)
        assert reply.status_code == status, reply.text
        read = (await world.police.get(accepted.path)).json()
        assert read["paper"] == (paper["paper"] if status == 200 else None)
        assert (read["paper_due_at"] is not None) == (status == 200 and paper["paper"] == "pending")


class TestAcceptOrRecall:
    @pytest.mark.parametrize("kind", ["referral", "transfer"])
    async def test_one_wins_and_the_other_is_told_the_truth(self, world: World, kind: str) -> None:
        won = {"accept": 0, "recall": 0}
        for turn in range(25):
            sent = await world.send(kind=kind, receiver="ministry")
            bodies = {event: await world.body(sent, event) for event in won}

            async def make(event: str, by: Agency, *, late: bool, sent: Passed = sent, bodies: Any = bodies) -> Any:
                if late:
                    await asyncio.sleep(0.001)
                return await world.move(sent, event, bodies[event], by=by, seen=1)

            accept, recall = await asyncio.gather(
                make("accept", world.ministry, late=bool(turn % 2)), make("recall", world.police, late=not turn % 2)
            )
            winner, loser = ("accept", recall) if accept.status_code == 200 else ("recall", accept)
            won[winner] += 1
            state = {"accept": "accepted", "recall": "recalled"}[winner]
            assert sorted((accept.status_code, recall.status_code)) == [200, 409]
            assert (loser.json()["type"], loser.json()["state"]) == ("/problems/move-not-allowed", state)
            assert (await world.row(sent))["state"] == state
            open_now = await world.owner.fetchval(
                "SELECT opened_at IS NOT NULL AND closed_at IS NULL FROM disclosure WHERE subject_id = $1",
                UUID(sent.id),
            )
            assert open_now == (winner == "accept")
        assert min(won.values()) > 0, "both orders must have been tried"

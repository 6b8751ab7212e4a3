"""What is disclosed, shown to its parties; and what could be, asked before it is sent."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.makers import records
from tests.makers.world import Passed, World

FULL = {
    "record": records.full_record(),
    "purpose": "social_rehabilitation",
    "bases": [records.legal_basis(*records.FULL_SECTIONS)],
}
EVERY = (
    "identity", "contact", "location", "family", "identification", "exploitation", "safety", "health", "psychosocial", "legal",
    "migration", "needs", "narrative", "attachments", "extensions",
)  # fmt: skip


async def shown(world: World, passed: Passed, who: str) -> dict[str, Any]:
    reply = await world.who(who).get(f"{passed.path}/disclosure")
    assert reply.status_code == 200, reply.text
    assert reply.headers["Cache-Control"] == "no-store"
    found: dict[str, Any] = reply.json()
    return found


def by_section(view: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {each["section"]: (each["access"], each["withheld_by"]) for each in view["sections"]}


class TestWhatIsDisclosed:
    async def test_is_shown_to_both_parties_section_by_section(self, world: World) -> None:
        sent = await world.send(sender="police", receiver="iom", **FULL)
        view = await shown(world, sent, "iom")
        assert (view["role"], view["crosses_border"], [each["section"] for each in view["sections"]]) == (
            "receiver",
            False,
            list(EVERY),
        )
        assert by_section(view)["health"] == ("preview", "not_accepted")
        assert by_section(view)["legal"] == ("withheld", "no_basis")
        await world.moved(sent, "accept")
        view, theirs = await shown(world, sent, "iom"), await shown(world, sent, "police")
        assert theirs == view | {"role": "sender"}
        assert by_section(view) == {
            each: ("full", None) if each in records.FULL_SECTIONS else ("withheld", "no_basis") for each in EVERY
        }
        health = next(each for each in view["sections"] if each["section"] == "health")
        assert (health["basis"], health["legal_basis"], health["article"], health["until"]) == (
            "legal_obligation",
            "uu-21-2007",
            "art. 51",
            None,
        )
        assert view["back"] == ["state", "acceptance", "refusal", "question"]  # the police learn no more

    async def test_says_of_what_is_withheld_the_same_whether_or_not_there_is_anything(self, world: World) -> None:
        """A version that holds more than was disclosed of it, and one that does not: the answers are the same."""
        full = await world.accepted(sender="police", receiver="iom", **FULL)
        version = str((await world.row(full))["version_id"])
        basic = {"purpose": "shelter", "bases": [records.legal_basis()]}
        less = await world.accepted(
            sender="police", receiver="shelter", case_id=full.case_id, record=None, record_version=version, **basic
        )
        nothing = await world.accepted(sender="police", receiver="shelter", **basic)
        views = [await shown(world, each, "shelter") for each in (less, nothing)]
        assert views[0]["sections"] == views[1]["sections"]
        assert by_section(views[0])["health"] == ("withheld", "no_basis")
        assert by_section(views[0])["narrative"] == ("withheld", "purpose")

    async def test_follows_withdrawal_end_and_time(self, world: World) -> None:
        soon = (world.exchange.clock.now() + timedelta(hours=2)).isoformat()
        sent = await world.send(
            sender="iom",
            receiver="sentra",
            consent=records.consent(world.exchange.clock.now()),
            bases=[{"kind": "consent", "sections": ["identity", "safety"]}, records.legal_basis("needs", until=soon)],
        )
        await world.moved(sent, "accept")
        await world.withdraw(sent, "identity")
        world.exchange.later(hours=3)
        view = by_section(await shown(world, sent, "sentra"))
        assert (view["identity"], view["safety"], view["needs"]) == (
            ("locked", "consent_withdrawn"),
            ("full", None),
            ("ended", "basis_ended"),
        )
        declined = await world.moved(await world.send(sender="iom", receiver="sentra"), "decline")
        assert by_section(await shown(world, declined, "sentra"))["needs"] == ("closed", "ended_unaccepted")

    async def test_shows_words_on_a_basis_of_their_own(self, world: World) -> None:
        sent = await world.send(sender="police", receiver="iom")
        assert (await world.move(sent, "note", by=world.police)).status_code == 200
        (words,) = (await shown(world, sent, "iom"))["words"]
        assert (words["section"], words["access"], words["basis"]) == ("needs", "full", "legal_obligation")

    async def test_shows_the_lead_who_is_no_party_only_that_it_is_not_for_it(self, world: World) -> None:
        served = await world.in_progress(
            sender="police",
            receiver="shelter",
            **{**FULL, "bases": [records.legal_basis(*records.FULL_SECTIONS, onward=True)]},
        )
        onward = await world.accepted(sender="shelter", receiver="lpsk", case_id=served.case_id)
        view = await shown(world, onward, "police")
        assert (view["role"], view["words"], view["back"]) == ("lead", [], ["state"])
        assert set(by_section(view).values()) == {("withheld", "not_a_party")}

    async def test_is_logged_and_not_there_for_others(self, world: World) -> None:
        for kind in ("referral", "transfer"):
            sent = await world.send(kind=kind, receiver="ministry")
            assert (await world.stranger.get(f"{sent.path}/disclosure")).status_code == 404
            await shown(world, sent, "ministry")
            (entry,) = await world.owner.fetch("SELECT * FROM log_entry WHERE action = $1", f"{kind}:disclosure")
            assert (entry["agency_id"], entry["subject_id"]) == (world.ids["ministry"], UUID(sent.id))
            assert (await world.row(sent))["first_read_at"] is None
        assert (await world.iom.get(f"/v1/referrals/{uuid4()}/disclosure")).status_code == 404
        assert (await world.iom.get("/v1/referrals/x/disclosure")).status_code == 422


async def asked(world: World, who: str, **body: Any) -> dict[str, Any]:
    reply = await world.who(who).post(
        "/v1/disclosures/preview", {"purpose": "shelter", "sections": ["identity", "needs"], **body}
    )
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


class TestPreview:
    async def test_answers_by_which_rule_each_section_goes_or_not(self, world: World) -> None:
        sections = ["identity", "health", "narrative"]
        found = await asked(
            world, "iom", receiver="police", purpose="legal_assistance", sections=sections,
            bases=[{"kind": "legal_obligation", "sections": sections}],
        )  # fmt: skip
        assert (found["allowed"], found["refusal"], found["sendable_sections"]) == (
            False,
            "disclosure-refused",
            ["identity", "narrative"],
        )
        assert found["refused"] == [{"section": "health", "reason": "agency_kind"}]
        health = next(each for each in found["sections"] if each["section"] == "health")
        assert (health["purpose_allows"], health["kind_allows"], health["agreement_allows"], health["basis"]) == (
            True,
            False,
            None,
            "legal_obligation",
        )
        assert found["back"] == ["state", "acceptance", "refusal", "question", "services", "outcomes", "notes"]

    async def test_knows_the_consents_of_the_case_and_until_when_they_hold(self, world: World) -> None:
        until = world.exchange.clock.now() + timedelta(days=3)
        sent = await world.consented(
            sender="iom",
            receiver="sentra",
            consent=records.consent(world.exchange.clock.now(), until=until.isoformat()),
        )
        consent = await world.consent_of(sent)
        asks = {
            "case_id": sent.case_id, "receiver": "sentra", "sections": ["identity", "safety", "health"],
            "bases": [{"kind": "consent", "consent_id": consent, "sections": ["identity", "safety", "health"]}],
        }  # fmt: skip
        found = await asked(world, "iom", **asks)
        assert {each["section"]: each["reason"] for each in found["sections"]} == {
            "identity": None,
            "safety": None,
            "health": "consent",
        }
        assert found["sections"][0]["until"].startswith(until.strftime("%Y-%m-%dT%H:%M:%S"))
        await world.withdraw(sent, "safety")
        assert {each["section"] for each in (await asked(world, "iom", **asks))["refused"]} == {"safety", "health"}

    async def test_says_nothing_of_a_case_to_who_has_no_part_in_it(self, world: World) -> None:
        sent = await world.consented(sender="iom", receiver="sentra")
        body = {"receiver": "sentra", "purpose": "shelter", "sections": ["needs"], "bases": []}
        for case_id in (sent.case_id, str(uuid4())):
            assert (
                await world.stranger.post("/v1/disclosures/preview", {**body, "case_id": case_id})
            ).status_code == 404
        # a party that may not see the consent is told what it would be told of any other
        bases = [{"kind": "consent", "consent_id": await world.consent_of(sent), "sections": ["needs"]}]
        other = [{**bases[0], "consent_id": str(uuid4())}]
        for given in (bases, other):
            found = await asked(world, "sentra", receiver="iom", sections=["needs"], case_id=sent.case_id, bases=given)
            assert found["refused"] == [{"section": "needs", "reason": "consent"}]

    async def test_keeps_nothing_and_is_logged(self, world: World) -> None:
        consent = records.consent(world.exchange.clock.now(), witness="the mother of a friend")
        body = {
            "receiver_kind": "sentra", "purpose": "shelter", "sections": ["needs"], "consent": consent,
            "bases": [{"kind": "consent", "sections": ["needs"]}],
        }  # fmt: skip
        for _ in range(2):  # the same key, and again: it is asked anew
            reply = await world.iom.post("/v1/disclosures/preview", body, idempotency_key="the-same")
            assert (reply.status_code, reply.json()["allowed"], reply.json()["receiver"]) == (200, True, None)
        for table in ("consent", "idempotency", "outbox", "event", "case_file"):
            assert await world.owner.fetchval(f"SELECT count(*) FROM {table}") == 0, table
        entries = await world.owner.fetch("SELECT detail::text FROM log_entry WHERE action = 'disclosure:preview'")
        assert len(entries) == 2
        assert not any("mother" in each["detail"] for each in entries)

    async def test_refuses_what_is_no_question(self, world: World) -> None:
        right = {"receiver": "sentra", "purpose": "shelter", "sections": ["needs"]}
        for wrong, status in (
            ({"receiver": "nobody-here"}, 422),
            ({"receiver": "iom"}, 409),
            ({"receiver": None}, 422),
            ({"receiver_kind": "sentra"}, 422),
            ({"sections": []}, 422),
            ({"sections": ["everything"]}, 422),
            ({"purpose": "curiosity"}, 422),
            ({"bases": [{"kind": "contract", "sections": ["needs"]}]}, 422),
            ({"bases": [{"kind": "consent", "sections": ["needs"]}]}, 422),
            ({"bases": [{"kind": "public_task", "consent_id": str(uuid4()), "sections": ["needs"]}]}, 422),
            ({"bases": [{"kind": "public_task", "sections": ["needs"]}] * 16}, 422),
        ):
            reply = await world.iom.post("/v1/disclosures/preview", {**right, **wrong})
            assert reply.status_code == status, (wrong, reply.text)

    async def test_of_what_a_barred_guardian_says_answers_as_sending_does(self, world: World) -> None:
        sent = await world.send(sender="police", receiver="iom")
        reply = await world.police.post(
            f"/v1/cases/{sent.case_id}/guardian", {"suspect": True, "reason": "He brought her to the recruiter."}
        )
        assert reply.status_code == 200, reply.text
        consent = records.consent(
            world.exchange.clock.now(), giver="guardian", sections=("identity", "safety", "needs")
        )
        bases = [{"kind": "consent", "sections": ["identity", "safety", "needs"]}]
        body = {"receiver": "sentra", "purpose": "shelter", "case_id": sent.case_id, "consent": consent, "bases": bases}
        asks = await world.police.post("/v1/disclosures/preview", {**body, "sections": ["identity", "safety", "needs"]})
        sends = await world.police.post("/v1/referrals", records.referral(**{**body, "case": None}))
        assert [(each.status_code, each.json()["type"]) for each in (asks, sends)] == [
            (403, "/problems/guardian-barred")
        ] * 2


class TestPreviewAndSending:
    TIMES = 40

    async def test_never_differ(self, world: World) -> None:
        """The same question, asked and then done, at random: the answers name the same sections for the same reasons."""
        await world.mission()
        chance, now = random.Random(5), world.exchange.clock.now()
        held = await world.consented(sender="iom", receiver="sentra")
        consents = [await world.consent_of(held), str(uuid4())]
        outcomes = set()
        for place in range(self.TIMES):
            receiver = chance.choice(["police", "sentra", "shelter", "lpsk", "embassy", "bangkok", "ministry"])
            kind = chance.choice(["referral", "referral", "transfer"])
            purpose = (
                "case_responsibility"
                if kind == "transfer"
                else chance.choice(["shelter", "social_rehabilitation", "legal_assistance", "documents"])
            )
            included = [
                each for each in EVERY if each in records.FULL_SECTIONS and (each == "needs" or chance.random() < 0.5)
            ]
            case_id = held.case_id if chance.random() < 0.5 else None
            bases = []
            for section in included:
                for _ in range(chance.choice([0, *[1] * 18, 2]) if chance.random() < 0.5 else 1):
                    basis = chance.choice(["consent", "legal_obligation", "vital_interest", "public_task"])
                    until = chance.choice([None] * 12 + [now - timedelta(hours=1), now + timedelta(hours=5)])
                    bases.append(
                        {"kind": basis, "sections": [section]}
                        | ({"until": until.isoformat()} if until else {})
                        | (
                            {"consent_id": chance.choice(consents)}
                            if basis == "consent" and chance.random() < 0.4
                            else {}
                        )
                    )
            if chance.random() < 0.15:
                bases.append({"kind": "public_task", "sections": ["legal"]})
            bases = bases[:15] or [{"kind": "public_task", "sections": ["needs"]}]
            consent = records.consent(
                now, sections=tuple(each for each in EVERY if chance.random() < 0.8) or ("needs",),
                purposes=[purpose] if chance.random() < 0.8 else ["return"], agencies=[receiver] if chance.random() < 0.7 else [],
                agency_kinds=["sentra", "trauma_centre"],
            )  # fmt: skip
            question = {
                "receiver": receiver,
                "purpose": purpose,
                "sections": included,
                "bases": bases,
                "consent": consent,
            }
            answer = await asked(world, "iom", **question, **({"case_id": case_id} if case_id else {}))
            whole = {"legal_basis": "uu-21-2007", "article": "art. 51", "reason": "Found on a vessel."}
            told = {"consent": (), "vital_interest": ("reason",), "legal_obligation": whole, "public_task": whole}
            record = {
                name: part for name, part in records.full_record().items() if name in (*included, "schema_version")
            }
            sent = {
                "receiver": receiver, "purpose": purpose, "urgency": "standard", "record": record, "consent": consent,
                "bases": [each | {name: whole[name] for name in told[each["kind"]]} for each in bases],
                **({"case_id": case_id} if case_id else {"case": {"entry_channel": "police_report"}}),
            }  # fmt: skip
            reply = await world.iom.post(f"/v1/{kind}s", sent)
            if (
                reply.status_code == 409
            ):  # a twin, or a transfer that is open already: asked before the consents, after everything else
                assert {each["reason"] for each in answer["refused"]} <= {"consent"}, (place, question, reply.text)
                continue
            assert (reply.status_code == 201) == answer["allowed"], (place, question, answer, reply.text)
            if reply.status_code != 201:
                problem = reply.json()
                assert problem["type"] == f"/problems/{answer['refusal']}", (place, question)
                by = lambda found: sorted((each["section"], each["reason"]) for each in found["refused"])  # noqa: E731
                assert (by(problem), problem["sendable_sections"]) == (by(answer), answer["sendable_sections"]), (
                    place,
                    question,
                )
            outcomes |= {each["reason"] for each in answer["refused"]} | {answer["allowed"]}
        assert outcomes >= {
            True,
            False,
            "consent",
            "agreement",
            "purpose",
            "agency_kind",
            "basis_does_not_open",
            "not_included",
            "no_basis",
        }


class TestRefuseNeverTrim:
    async def test_on_every_path_that_sends(self, world: World) -> None:
        """Whatever brings a section to another agency is refused as a whole, names the section and what is missing, and leaves nothing."""
        ended = (world.exchange.clock.now() - timedelta(hours=1)).isoformat()
        late = [records.legal_basis("needs", "safety"), records.legal_basis("identity", until=ended)]
        record = {"record": records.record(), "bases": late}
        asked_of = await world.moved(await world.send(), "request_info")
        sent, accepted = await world.send(), await world.accepted(sender="iom", receiver="police")
        offered = await world.send(kind="transfer")
        rested = await world.consented()
        await world.withdraw(rested)
        (request,) = await world.requests(world.iom)
        own = {"text": "He asked again.", "section": "identity", "basis": records.legal_basis("identity", until=ended)}
        health = {"text": "She is ill.", "section": "health", "basis": records.legal_basis("health")}
        paths = [
            ("police", "/v1/referrals", records.referral("iom", **record), None, "identity", "basis_ended"),
            ("police", "/v1/transfers", records.transfer("ministry", **record), None, "identity", "basis_ended"),
            ("police", f"{sent.path}/amend", record, sent, "identity", "basis_ended"),
            ("police", f"{offered.path}/amend", record, offered, "identity", "basis_ended"),
            ("police", f"{asked_of.path}/provide-info", record, asked_of, "identity", "basis_ended"),
            ("police", f"{asked_of.path}/provide-info", own, asked_of, "identity", "basis_ended"),
            ("police", f"{sent.path}/notes", own, None, "identity", "basis_ended"),
            ("iom", f"{sent.path}/notes", health, None, "health", "agency_kind"),  # back to the police
            ("police", f"{offered.path}/notes", own, None, "identity", "basis_ended"),
            ("iom", f"{accepted.path}/notes", health, None, "health", "agency_kind"),
            ("iom", f"/v1/requests/{request['id']}/answer", {"answer": "re_based", "bases": [late[1]]}, None, "identity", "basis_ended"),
        ]  # fmt: skip
        tables = ("disclosure", "record_version", "move", "outbox", "referral", "transfer", "idempotency")
        for who, path, body, on, section, reason in paths:
            before = [await world.owner.fetchval(f"SELECT count(*) FROM {table}") for table in tables]
            reply = await world.who(who).post(path, body, if_match=on.version if on else None)
            assert (reply.status_code, reply.json()["type"]) == (403, "/problems/disclosure-refused"), (
                path,
                reply.text,
            )
            assert reply.json()["refused"] == [{"section": section, "reason": reason}], path
            assert section not in reply.json()["sendable_sections"], path
            assert before == [await world.owner.fetchval(f"SELECT count(*) FROM {table}") for table in tables], path

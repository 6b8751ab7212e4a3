"""A reference read out on the telephone leads to what it names, for who may see it, and to nothing else."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from app.foundation.ids import CHECK, CROCKFORD, read_reference
from tests.makers import records
from tests.makers.world import World

TYPED: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "in small letters": str.lower,
    "without hyphens": lambda text: text.replace("-", ""),
    "with spaces": lambda text: text.replace("-", " "),
    "with spaces all over": lambda text: " ".join(text),
    "with O for 0": lambda text: text.replace("0", "O"),
    "with l and I for 1": lambda text: text.replace("1", "l", 1).replace("1", "I"),
}


async def references(world: World) -> dict[str, tuple[str, str]]:
    """References of a case, a referral and a transfer of it, with subject and id."""
    sent = await world.send(receiver="iom")
    offered = await world.send(kind="transfer", receiver="ministry", case_id=sent.case_id)
    case = await world.owner.fetchval("SELECT reference FROM case_file")
    return {
        case: ("case", sent.case_id),
        (await world.row(sent))["reference"]: ("referral", sent.id),
        (await world.row(offered))["reference"]: ("transfer", offered.id),
    }


class TestAReference:
    @pytest.mark.parametrize("how", TYPED)
    async def test_is_found_as_people_type_it(self, world: World, how: str) -> None:
        for reference, (subject, subject_id) in (await references(world)).items():
            reply = await world.police.get(f"/v1/references/{quote(TYPED[how](reference), safe='')}")
            assert reply.status_code == 200, (reference, reply.text)
            assert reply.json()["subject"] == subject
            assert reply.json()["id"] == subject_id
            assert set(reply.json()) == {"subject", "id", "case_id"}

    async def test_is_found_with_every_check_character(self, world: World) -> None:
        """Also with those that mean something in an address: * ~ $ ="""
        sent = await world.send()
        for number in range(37):
            letters = "".join(CROCKFORD[number >> shift & 31] for shift in range(35, -1, -5))
            reference = f"R-{letters[:4]}-{letters[4:]}-{CHECK[number]}"
            assert read_reference(reference) == reference
            await world.owner.execute("UPDATE referral SET reference = $1", reference)
            reply = await world.police.get(f"/v1/references/{reference}")
            assert (reply.status_code, reply.json()["id"]) == (200, sent.id), reference

    async def test_leads_each_party_to_what_it_may_see(self, world: World) -> None:
        found = await references(world)
        expected = {
            "police": {"case", "referral", "transfer"},
            "iom": {"case", "referral"},
            "ministry": {"case", "transfer"},
            "stranger": set(),
        }
        for code, subjects in expected.items():
            for reference, (subject, _) in found.items():
                reply = await world.agencies[code].get(f"/v1/references/{reference}")
                assert reply.status_code == (200 if subject in subjects else 404), (code, subject)

    async def test_leads_the_lead_to_what_another_sent(self, world: World) -> None:
        held = await world.accepted(receiver="iom", bases=[records.legal_basis(onward=True)])
        onward = await world.send(sender="iom", receiver="lpsk", case_id=held.case_id)
        reference = (await world.row(onward))["reference"]
        assert (await world.police.get(f"/v1/references/{reference}")).json()["id"] == onward.id

    async def test_leads_nowhere_once_it_is_another_leads(self, world: World) -> None:
        referred = await world.send(receiver="lpsk")
        reference = (await world.row(referred))["reference"]
        await world.handed_over(receiver="ministry", case_id=referred.case_id)
        assert (await world.police.get(f"/v1/references/{reference}")).status_code == 404
        assert (await world.ministry.get(f"/v1/references/{reference}")).status_code == 200


class TestWhatIsNoReference:
    async def test_gets_one_answer_whatever_is_wrong(self, world: World) -> None:
        """A wrong check character, another's, an unknown one: who asks learns nothing from the difference."""
        theirs = (await world.row(await world.send(sender="ministry", receiver="iom")))["reference"]
        other = CHECK[(CHECK.index(theirs[-1]) + 1) % 37]
        answers = []
        for typed in (
            theirs,
            theirs[:-1] + other,
            "R-0000-0000-0",
            f"T{theirs[1:]}",
            f"K{theirs[1:]}",
            "R-0000-0000-1",
        ):
            reply = await world.stranger.get(f"/v1/references/{typed}")
            problem = reply.json()
            assert problem.pop("request_id")
            answers.append((reply.status_code, problem))
        assert answers == [(404, {"type": "/problems/not-found", "title": "Not found", "status": 404})] * 6

    @pytest.mark.parametrize(
        "typed",
        ["x", "Q-7XQ2-M4PD-9", "R-7XQ2-M4PD", "R-7XQ2-M4PD-99", "R-7UQ2-M4PD-9", "R%00", "%F0%9F%8F%A0" * 3, "R-%EF%BC%97XQ2-M4PD-9",
         "R-7XQ2-M4PD-%C3%9F", "'%20OR%201=1", "-" * 40],
    )  # fmt: skip
    async def test_is_not_found(self, world: World, typed: str) -> None:
        reply = await world.police.get(f"/v1/references/{typed}")
        assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found"), reply.text

    async def test_is_refused_when_it_is_longer_than_any(self, world: World) -> None:
        reply = await world.police.get(f"/v1/references/{'7' * 41}")
        assert reply.status_code == 422
        assert "7777777" not in reply.text

    async def test_is_not_repeated(self, world: World) -> None:
        reply = await world.police.get("/v1/references/SuryaWijaksana")
        assert "Surya" not in reply.text + str(reply.headers)
        for entry in await world.log():
            assert "Surya" not in str(dict(entry))

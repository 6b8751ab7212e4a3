"""A record has an end: what is larger than it may be is refused before anything is kept."""

from schemas import MAX_RECORD_BYTES
from tests.makers import records

ENTRY = {"language": "my", "author_role": "interpreter"}
SECTIONS = ("identity", "safety", "needs", "narrative")


def referral(*, characters):
    """A referral with two accounts of that length, in a script of three bytes a character."""
    entries = [{**ENTRY, "text": "မ" * characters}] * 2
    return records.referral(
        "shelter",
        purpose="social_rehabilitation",
        record=records.record(narrative={"entries": entries}),
        bases=[records.legal_basis(*SECTIONS)],
    )


class TestARecordThatIsTooLarge:
    async def test_is_refused_with_its_place_and_nothing_is_kept(self, world):
        answer = await world.police.post("/v1/referrals", referral(characters=50_000))
        assert answer.status_code == 422
        assert answer.json()["errors"] == [{"pointer": "/record", "code": "record_too_large"}]
        assert (await world.police.get("/v1/referrals")).json()["items"] == []

    async def test_is_taken_where_it_only_nearly_is(self, world):
        characters = (MAX_RECORD_BYTES - 2_000) // 6
        answer = await world.police.post("/v1/referrals", referral(characters=characters))
        assert answer.status_code == 201, answer.text

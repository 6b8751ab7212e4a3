"""RFC 9449 §11.1, RFC 7523 §3 item 7, CVE-2020-5300: what was used in one process is used up in every other.

Both processes run; they share a database and nothing else.
"""

from __future__ import annotations

import asyncio
import uuid

import httpx

from auth.admin.client_keys import end_client_key
from tests.conformance.attacks.conftest import Pair
from tests.makers import records
from tests.makers.auth import Party
from tests.makers.standing import resume_client, suspend_client


def statuses(replies: list[httpx.Response]) -> dict[int, int]:
    found = [reply.status_code for reply in replies]
    return {each: found.count(each) for each in found}


class TestAnAssertion:
    async def test_sent_to_both_at_once_gives_one_token(self, two_processes: Pair, victim: Party):
        assertion = victim.assertion()
        form = victim.form(client_assertion=assertion)
        replies = await asyncio.gather(
            *(
                two_processes.processes[number % 2].http.post(
                    "/oauth2/token", data=form, headers={"DPoP": victim.proof("POST", "/oauth2/token")}
                )
                for number in range(20)
            )
        )
        assert statuses(replies) == {200: 1, 401: 19}
        refused = {reply.json()["error_description"] for reply in replies if reply.status_code == 401}
        assert refused == {"The assertion was used before."}

    async def test_is_used_up_at_every_endpoint_of_the_other_process(self, two_processes: Pair, victim: Party):
        form = victim.form()
        first, second = two_processes.processes
        proof = victim.proof("POST", "/oauth2/token")
        assert (await first.http.post("/oauth2/token", data=form, headers={"DPoP": proof})).status_code == 200
        for path in ("/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"):
            again = {**form, "token": "x"}
            headers = {"DPoP": victim.proof("POST", "/oauth2/token")} if path.endswith("/token") else {}
            reply = await second.http.post(path, data=again, headers=headers)
            assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")


class TestAProof:
    async def test_sent_fifty_times_at_once_is_taken_once(self, two_processes: Pair, victim: Party):
        token = await victim.token()
        headers = {"Authorization": f"DPoP {token}", "DPoP": victim.proof("GET", "/v1/me", token)}
        replies = await asyncio.gather(
            *(two_processes.processes[number % 2].http.get("/v1/me", headers=headers) for number in range(50))
        )
        assert statuses(replies) == {200: 1, 401: 49}
        assert {reply.json()["type"] for reply in replies if reply.status_code == 401} == {
            "/problems/dpop-proof-replayed"
        }

    async def test_of_a_token_request_gives_one_token(self, two_processes: Pair, victim: Party):
        """RFC 9449 §5: with an assertion of its own each time, the proof is what must not count twice."""
        proof = victim.proof("POST", "/oauth2/token")
        replies = await asyncio.gather(
            *(
                two_processes.processes[number % 2].http.post(
                    "/oauth2/token", data=victim.form(), headers={"DPoP": proof}
                )
                for number in range(10)
            )
        )
        assert statuses(replies) == {200: 1, 400: 9}

    async def test_of_a_token_request_is_none_for_a_call(self, two_processes: Pair, victim: Party):
        """RFC 9449 §4.3 checks 8, 9 and 12: method, URL and token are another's."""
        proof = victim.proof("POST", "/oauth2/token")
        token = (await victim.ask(proof=proof)).json()["access_token"]
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
        for process in two_processes.processes:
            assert (await process.http.get("/v1/me", headers=headers)).status_code == 401

    async def test_later_is_refused_by_the_other_process(self, two_processes: Pair, victim: Party):
        token = await victim.token()
        headers = {"Authorization": f"DPoP {token}", "DPoP": victim.proof("GET", "/v1/me", token)}
        first, second = two_processes.processes
        assert (await second.http.get("/v1/me", headers=headers)).status_code == 200
        for process in (first, second):
            reply = await process.http.get("/v1/me", headers=headers)
            assert reply.json()["type"] == "/problems/dpop-proof-replayed"

    async def test_of_a_request_that_writes_writes_once(self, two_processes: Pair, victim: Party, thief: Party):
        """The same bytes, with their idempotency key: one process works, and whoever copied them learns nothing of the answer."""
        token = await victim.token()
        headers = {
            "Authorization": f"DPoP {token}", "DPoP": victim.proof("POST", "/v1/referrals", token),
            "Idempotency-Key": str(uuid.uuid4()), "Rujukan-Actor": "officer-7",
        }  # fmt: skip
        body = records.referral(receiver=thief.agencies[0])
        replies = await asyncio.gather(
            *(
                two_processes.processes[number % 2].http.post("/v1/referrals", json=body, headers=headers)
                for number in range(6)
            )
        )
        assert statuses(replies) == {201: 1, 401: 5}
        assert {reply.json()["type"] for reply in replies if reply.status_code == 401} == {
            "/problems/dpop-proof-replayed"
        }


async def let_in(pair: Pair, party: Party, token: str) -> list[int]:
    """The answer of each process to a call with a fresh proof."""
    found = []
    for process in pair.processes:
        headers = {"Authorization": f"DPoP {token}", "DPoP": party.proof("GET", "/v1/me", token)}
        found.append((await process.http.get("/v1/me", headers=headers)).status_code)
    return found


class TestWhoIsStopped:
    """Statement 17: out within a second in every process, also with tokens that each of them has verified before."""

    async def test_a_revoked_token(self, two_processes: Pair, victim: Party):
        token = await victim.token()
        assert await let_in(two_processes, victim, token) == [200, 200]
        assert (await victim.revoke(token)).status_code == 200
        await asyncio.sleep(1)
        assert await let_in(two_processes, victim, token) == [401, 401]

    async def test_a_suspended_client(self, two_processes: Pair, thief: Party):
        token = await thief.token()
        assert await let_in(two_processes, thief, token) == [200, 200]
        await two_processes.act(suspend_client, thief.client_id)
        assert await let_in(two_processes, thief, token) == [401, 401]
        for process in two_processes.processes:
            proof = thief.proof("POST", "/oauth2/token")
            reply = await process.http.post("/oauth2/token", data=thief.form(), headers={"DPoP": proof})
            assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")
        await two_processes.act(resume_client, thief.client_id)
        assert await let_in(two_processes, thief, token) == [401, 401], "what was given before the stop stays out"

    async def test_an_ended_key_while_tokens_are_asked_for(self, two_processes: Pair, thief: Party):
        """A race: whichever tokens were given while the key was being ended, none of them counts a second later."""
        given: list[str] = []

        async def go_on_asking() -> None:
            for number in range(25):
                process = two_processes.processes[number % 2]
                proof = thief.proof("POST", "/oauth2/token")
                reply = await process.http.post("/oauth2/token", data=thief.form(), headers={"DPoP": proof})
                if reply.status_code == 200:
                    given.append(reply.json()["access_token"])

        kid = thief.credentials.signing_key().public.kid
        await asyncio.gather(go_on_asking(), go_on_asking(), two_processes.act(end_client_key, thief.client_id, kid))
        assert given
        for token in given:
            assert await let_in(two_processes, thief, token) == [401, 401]

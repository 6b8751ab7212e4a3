"""RFC 6749 §5.1 and §5.2: how the token endpoint answers."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import auth
from auth.errors import PROOF_TEXTS
from tests.makers.auth import ABSENT, jose, unverified
from tests.makers.standing import suspend_client


async def test_a_successful_answer_holds_exactly_these_members(party):
    reply = await party.ask(scope="cases.read")
    answer = reply.json()
    assert reply.status_code == 200
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope", "agency"}
    assert (answer["token_type"], answer["expires_in"], answer["agency"]) == ("DPoP", 300, party.agencies[0])
    assert (reply.headers["Cache-Control"], reply.headers["Pragma"]) == ("no-store", "no-cache")
    assert reply.headers["Content-Type"] == "application/json"


async def test_there_is_no_refresh_token(party):
    assert "refresh_token" not in (await party.ask()).json()


GENERIC = {"error": "invalid_client", "error_description": "Client authentication failed."}


class TestInvalidClientIsUniform:
    """An outsider cannot tell which clients exist, are suspended, or have which keys."""

    async def answers(self, world, party):
        stranger = jose.generate()
        unknown = {"iss": "client-nobody", "sub": "client-nobody"}
        yield await party.ask(client_id="client-nobody", client_assertion=party.assertion(**unknown))
        yield await party.ask(
            client_assertion=party.assertion(key=stranger, header={"kid": party.credentials.signing_key().public.kid})
        )
        yield await party.ask(client_assertion=party.assertion(key=stranger))
        yield await party.ask(client_assertion=party.assertion(header={"kid": "another"}))
        for algorithm in ("PS256", "Ed25519", "EdDSA"):
            yield await party.ask(client_assertion=party.assertion(key=jose.generate(algorithm)))
            yield await party.ask(
                client_id=ABSENT, client_assertion=party.assertion(key=jose.generate(algorithm), **unknown)
            )
        await world.act(suspend_client, party.client_id)
        yield await party.ask()
        yield await party.ask(client_assertion=party.assertion(key=stranger))

    async def test_one_answer_for_all(self, world, party):
        async for reply in self.answers(world, party):
            assert (reply.status_code, reply.json()) == (401, GENERIC)
            assert "WWW-Authenticate" not in reply.headers
            assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("file", sorted(Path(auth.__file__).parent.rglob("*.py")), ids=lambda path: path.name)
def test_section_5_2_what_is_said_keeps_to_its_alphabet(file):
    """%x20-21 / %x23-5B / %x5D-7E, in every text there is: a client's parser may take nothing else."""
    tree = ast.parse(file.read_text())
    said = [
        node.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "").endswith("Error")
        for node in ast.walk(call)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    for text in [*said, *PROOF_TEXTS.values()]:
        assert re.fullmatch(r"[\x20-\x21\x23-\x5B\x5D-\x7E]*", text), text


async def test_what_is_not_supported_gives_nothing(party):
    """RFC 9396 §2: details of an authorization are not what this server gives; asking for them widens nothing."""
    details = '[{"type": "referral", "actions": ["everything"]}]'
    reply = await party.ask(scope="cases.read", authorization_details=details, audience="https://evil.example")
    claims = unverified(reply.json()["access_token"])[1]
    assert "authorization_details" not in reply.json().keys() | claims.keys()
    assert (claims["scope"], claims["aud"]) == ("cases.read", party.issuer)


@pytest.mark.parametrize("field", ["scope", "agency", "resource", "grant_type", "client_id"])
async def test_nothing_sent_is_repeated(party, field):
    reply = await party.ask(**{field: "n0thing-to-echo"})
    assert reply.status_code in (400, 401)
    assert "n0thing" not in reply.text + str(reply.headers)

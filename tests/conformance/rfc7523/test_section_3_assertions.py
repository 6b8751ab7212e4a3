"""RFC 7523 §3 and RFC 7521 §4.2: which assertions authenticate a client, and which do not."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import asyncpg
import pytest

from auth import jose, queries
from auth.admin.client_changes import add_client_key
from tests.makers.auth import ABSENT, Party, b64, sign_raw

GENERIC = "Client authentication failed."
UNREADABLE = "The assertion is not a JWT this server takes."
SUBJECT = "iss and sub must both be the client_id."
AUDIENCE = "aud must be the issuer identifier of this server, as a single string."
EXPIRY = "exp is required, and must lie at most 5 minutes ahead."
EARLY = "The assertion is not valid yet."
OLD = "The assertion was issued more than 5 minutes ago."
JTI = "The assertion needs a jti of at most 256 characters."
USED = "The assertion was used before."


def refused(description: str) -> tuple[int, dict[str, str]]:
    return 401, {"error": "invalid_client", "error_description": description}


async def outcome(party: Party, assertion: str, **parameters):
    reply = await party.ask(client_assertion=assertion, **parameters)
    return reply.status_code, reply.json()


TIMES = [
    ("exp 10 years ahead", {"exp": 315_360_000}, EXPIRY),
    ("exp 6 minutes ahead", {"exp": 360}, EXPIRY),
    ("exp 5 minutes ago", {"exp": -300}, EXPIRY),
    ("exp 11 seconds ago", {"exp": -11}, EXPIRY),
    ("iat a minute ahead", {"iat": 60}, EARLY),
    ("nbf a minute ahead", {"nbf": 60}, EARLY),
    ("iat a year ago", {"iat": -31_536_000}, OLD),
]
ACCEPTED_TIMES = [
    ("exp 5 minutes ahead", {"exp": 300}),
    ("exp 5 seconds ago", {"exp": -5}),
    ("iat and nbf 8 seconds ahead", {"iat": 8, "nbf": 8}),
    ("iat and nbf 10 seconds ago", {"iat": -10, "nbf": -10}),
    ("iat 4 minutes ago", {"iat": -240}),
    ("a fraction", {"iat": 0.5, "exp": 59.25}),
]


@pytest.mark.parametrize(("shifts", "description"), [case[1:] for case in TIMES], ids=[case[0] for case in TIMES])
async def test_times_that_are_refused(party, shifts, description):
    claims = {name: party.now + by for name, by in shifts.items()}
    assert await outcome(party, party.assertion(**claims)) == refused(description)


@pytest.mark.parametrize("shifts", [case[1] for case in ACCEPTED_TIMES], ids=[case[0] for case in ACCEPTED_TIMES])
async def test_times_that_are_accepted(party, shifts):
    claims = {name: party.now + by for name, by in shifts.items()}
    assert (await outcome(party, party.assertion(**claims)))[0] == 200


async def test_iat_and_nbf_are_optional(party):
    assert (await outcome(party, party.assertion(iat=ABSENT, nbf=ABSENT)))[0] == 200


CLAIMS = [
    ("no exp", {"exp": ABSENT}, EXPIRY),
    ("exp null", {"exp": None}, UNREADABLE),
    ("exp a string", {"exp": "1795593515"}, UNREADABLE),
    ("exp true", {"exp": True}, UNREADABLE),
    ("exp a list", {"exp": [1]}, UNREADABLE),
    ("exp beyond any date", {"exp": 1e300}, UNREADABLE),
    ("iat a string", {"iat": "now"}, UNREADABLE),
    ("no iss", {"iss": ABSENT}, SUBJECT),
    ("no sub", {"sub": ABSENT}, SUBJECT),
    ("another iss", {"iss": "somebody"}, SUBJECT),
    ("sub a list", {"sub": ["x"], "iss": ["x"]}, SUBJECT),
    ("sub a number", {"sub": 5, "iss": 5}, SUBJECT),
    ("sub empty", {"sub": "", "iss": ""}, SUBJECT),
    ("no aud", {"aud": ABSENT}, AUDIENCE),
    ("aud of another server", {"aud": "https://evil.example"}, AUDIENCE),
    ("aud the token endpoint", {"aud": "https://rujukan.example/oauth2/token"}, AUDIENCE),
    ("aud with a slash", {"aud": "https://rujukan.example/"}, AUDIENCE),
    ("aud a list of one", {"aud": ["https://rujukan.example"]}, AUDIENCE),
    ("aud a list with another", {"aud": ["https://evil.example", "https://rujukan.example"]}, AUDIENCE),
    ("no jti", {"jti": ABSENT}, JTI),
    ("jti a number", {"jti": 5}, JTI),
    ("jti empty", {"jti": ""}, JTI),
    ("jti of 5000 characters", {"jti": "x" * 5000}, JTI),
]


@pytest.mark.parametrize(("claims", "description"), [case[1:] for case in CLAIMS], ids=[case[0] for case in CLAIMS])
async def test_claims_that_are_refused(party, claims, description):
    assert await outcome(party, party.assertion(**claims)) == refused(description)


HEADERS = [
    ("alg none", {"alg": "none"}, UNREADABLE),
    ("alg RS256", {"alg": "RS256"}, UNREADABLE),
    ("alg HS256 with the public key", {"alg": "HS256"}, UNREADABLE),
    ("alg ES384", {"alg": "ES384"}, UNREADABLE),
    ("alg ES256K", {"alg": "ES256K"}, UNREADABLE),
    ("alg es256", {"alg": "es256"}, UNREADABLE),
    ("no alg", {"alg": ABSENT}, UNREADABLE),
    ("alg a list", {"alg": ["ES256"]}, UNREADABLE),
    ("alg of another type of key", {"alg": "EdDSA"}, GENERIC),
    ("crit null", {"crit": None}, UNREADABLE),
    ("crit empty", {"crit": []}, UNREADABLE),
    ("crit kid", {"crit": ["kid"]}, UNREADABLE),
    ("crit unknown", {"crit": ["x"], "x": 1}, UNREADABLE),
    ("b64 false", {"b64": False, "crit": ["b64"]}, UNREADABLE),
    ("b64 true", {"b64": True}, UNREADABLE),
    ("zip", {"zip": "DEF"}, UNREADABLE),
    ("typ at+jwt", {"typ": "at+jwt"}, UNREADABLE),
    ("typ dpop+jwt", {"typ": "dpop+jwt"}, UNREADABLE),
    ("typ oauth-authz-req+jwt", {"typ": "oauth-authz-req+jwt"}, UNREADABLE),
    ("typ a number", {"typ": 5}, UNREADABLE),
    ("kid a number", {"kid": 5}, UNREADABLE),
    ("kid unknown", {"kid": "another"}, GENERIC),
]
ACCEPTED_HEADERS = [
    {},
    {"typ": "JWT"},
    {"typ": "jwt"},
    {"typ": "client-authentication+jwt"},
    {"typ": "application/client-authentication+jwt"},
    {"kid": ABSENT},
    {"x-unknown": {"a": 1}},
]


@pytest.mark.parametrize(("header", "description"), [case[1:] for case in HEADERS], ids=[case[0] for case in HEADERS])
async def test_headers_that_are_refused(party, header, description):
    assertion = party.assertion()
    head = json.loads(jose.urlsafe_b64decode(assertion.split(".")[0].encode()))
    merged = {name: value for name, value in {**head, **header}.items() if value is not ABSENT}
    claims = jose.parse(assertion, {None}).claims
    key = party.credentials.signing_key().key
    try:
        bad = sign_raw(merged, claims, key)
    except Exception:  # a key that cannot sign by that algorithm: then with any signature at all
        bad = f"{b64(json.dumps(merged))}.{assertion.split('.')[1]}.{assertion.split('.')[2]}"
    assert await outcome(party, bad) == refused(description)


@pytest.mark.parametrize("header", ACCEPTED_HEADERS)
async def test_headers_that_are_accepted(party, header):
    assert (await outcome(party, party.assertion(header=header)))[0] == 200


@pytest.mark.parametrize(
    "assertion",
    [
        "x",
        "a.b.c",
        "a.b",
        "a.b.c.d",
        "..",
        "\u00e9.b.c",
        b64('{"alg":"ES256"}') + "." + b64("[" * 30_000) + ".x",
        b64('{"alg":"ES256"}') + "." + b64("[" * 5_000) + ".x",
        b64('{"alg":"ES256"}') + "." + b64("[]") + ".x",
        b64('{"alg":"ES256","alg":"ES256"}') + "." + b64("{}") + ".x",
        b64('{"alg":"ES256"}') + "." + b64('{"aud":"a","aud":"b"}') + ".x",
        b64('{"alg":"ES256"}') + "." + b64('{"exp":NaN}') + ".x",
        b64('{"alg":"ES256"}') + "." + b64(b"\xff\xfe") + ".x",
        b64('{"alg":"ES256"}') + "=." + b64("{}") + ".x",
        b64("null") + "." + b64("{}") + ".x",
        b64('{"alg":"ES256"}') + "." + b64('{"exp":' + "9" * 5000 + "}") + ".x",
    ],
    ids=range(16),
)
async def test_what_is_no_jws_is_refused_without_a_fault(party, assertion):
    assert await outcome(party, assertion) == refused(UNREADABLE)


async def test_duplicate_members_are_refused_even_when_signed(party):
    claims = json.dumps(jose.parse(party.assertion(), {None}).claims)
    twice = claims[:-1] + ', "aud": "https://rujukan.example"}'
    assert await outcome(party, sign_raw({"alg": "ES256"}, twice, party.credentials.signing_key().key)) == refused(
        UNREADABLE
    )


class TestWhoSigned:
    async def test_client_id_must_be_the_subject(self, world, party):
        other = await world.party()
        assert await outcome(party, party.assertion(), client_id=other.client_id) == refused(
            "client_id is not the subject of the assertion."
        )

    async def test_client_id_may_be_left_out(self, party):
        assert (await outcome(party, party.assertion(), client_id=ABSENT))[0] == 200

    async def test_a_key_that_was_replaced_under_its_kid_counts_no_more(self, world, party):
        """keycloak#14263: the old one was remembered by its kid until the next start."""
        old, new = party.credentials.signing_key(), jose.generate()
        assert (await outcome(party, party.assertion()))[0] == 200
        await world.admin.execute(
            "UPDATE client_key SET jwk = $2 WHERE client_id = $1",
            party.client_id,
            json.dumps({**new.public_jwk(), "kid": old.public.kid}),
        )
        await world.directory.refresh()
        assert await outcome(party, party.assertion()) == refused(GENERIC)
        assert (await outcome(party, party.assertion(key=new, header={"kid": old.public.kid})))[0] == 200

    async def test_anothers_key_does_not_sign_for_me(self, world, party):
        other = await world.party()
        assert await outcome(party, party.assertion(key=other.credentials.signing_key())) == refused(GENERIC)

    @pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
    async def test_keys_are_never_found_by_a_header(self, party, member):
        stranger = jose.generate()
        values = {
            "jwk": dict(stranger.public.jwk),
            "jku": "https://evil.example/jwks",
            "x5u": "https://evil.example/c",
            "x5c": ["MIIB"],
        }
        for kid in ({}, {"kid": ABSENT}):
            assert await outcome(
                party, party.assertion(key=stranger, header={member: values[member], **kid})
            ) == refused(GENERIC)

    @pytest.mark.parametrize("algorithm", ["ES256", "PS256", "EdDSA", "Ed25519"])
    async def test_each_listed_algorithm_works(self, world, algorithm):
        party = await world.party(algorithm=algorithm)
        assert (await outcome(party, party.assertion()))[0] == 200

    async def test_both_names_of_ed25519_work(self, world):
        party = await world.party(algorithm="Ed25519")
        for name in ("EdDSA", "Ed25519"):
            assert (await outcome(party, party.assertion(header={"alg": name})))[0] == 200

    async def test_an_rsa_key_does_not_sign_by_rs256(self, world):
        party = await world.party(algorithm="PS256")
        assert await outcome(party, party.assertion(header={"alg": "RS256"})) == refused(UNREADABLE)

    async def test_without_a_kid_one_key_works_and_several_do_not(self, world, party):
        assert (await outcome(party, party.assertion(header={"kid": ABSENT})))[0] == 200
        second = jose.generate()
        await world.act(
            add_client_key,
            party.client_id,
            jwk=second.public_jwk(),
            overlap=timedelta(days=1),
        )
        assert await outcome(party, party.assertion(header={"kid": ABSENT})) == refused(GENERIC)
        assert (await outcome(party, party.assertion()))[0] == 200
        assert (await outcome(party, party.assertion(key=second)))[0] == 200
        world.clock.shift(timedelta(days=2))
        assert await outcome(party, party.assertion()) == refused(GENERIC)
        assert (await outcome(party, party.assertion(key=second, header={"kid": ABSENT})))[0] == 200


class TestUsedOnce:
    async def test_a_second_use_is_refused(self, party):
        assertion = party.assertion()
        assert (await outcome(party, assertion))[0] == 200
        assert await outcome(party, assertion) == refused(USED)

    async def test_of_many_at_once_one_succeeds(self, party):
        assertion = party.assertion()
        results = await asyncio.gather(*(outcome(party, assertion) for _ in range(8)))
        assert sorted(status for status, _ in results) == [200] + [401] * 7

    async def test_the_same_jti_in_another_assertion_is_the_same_use(self, party):
        assert (await outcome(party, party.assertion(jti="same")))[0] == 200
        assert await outcome(party, party.assertion(jti="same", exp=party.now + 120)) == refused(USED)

    async def test_another_clients_jti_is_not_mine(self, world, party):
        other = await world.party()
        assert (await outcome(party, party.assertion(jti="shared")))[0] == 200
        assert (await outcome(other, other.assertion(jti="shared")))[0] == 200

    async def test_it_is_remembered_until_it_could_not_be_used_again(self, world, party):
        assertion = party.assertion()
        assert (await outcome(party, assertion))[0] == 200
        world.clock.shift(timedelta(seconds=62))  # past exp, well within the leeway
        worker = await asyncpg.connect(world.addresses.worker)
        await queries.purge_expired(worker, now=world.clock.now())
        await worker.close()
        assert await outcome(party, assertion) == refused(USED)

    async def test_a_refused_request_does_not_use_it_up(self, party):
        assertion = party.assertion()
        assert (await outcome(party, assertion, scope="admin"))[0] == 400
        assert (await outcome(party, assertion))[0] == 200

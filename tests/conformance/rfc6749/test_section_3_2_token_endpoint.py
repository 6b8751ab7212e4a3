"""RFC 6749 §3.2 and §2.3: what a token request must look like before anything in it counts."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.makers.auth import ABSENT

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def refused(description: str) -> dict[str, str]:
    return {"error": "invalid_request", "error_description": description}


MALFORMED = "The body is not a well-formed form of at most 20 fields."
NOT_A_FORM = "The body must be application/x-www-form-urlencoded."
BODIES = [
    ("json", {"Content-Type": "application/json"}, b'{"grant_type": "client_credentials"}', NOT_A_FORM),
    ("multipart", {"Content-Type": "multipart/form-data; boundary=x"}, b"--x--", NOT_A_FORM),
    ("no content type", {}, b"grant_type=client_credentials", NOT_A_FORM),
    ("another charset", {"Content-Type": f"{FORM['Content-Type']}; charset=utf-16"}, b"grant_type=x", NOT_A_FORM),
    ("another parameter", {"Content-Type": f"{FORM['Content-Type']}; x=y"}, b"grant_type=x", NOT_A_FORM),
    ("not ASCII", FORM, b"grant_type=\xff", MALFORMED),
    ("not UTF-8 behind the escapes", FORM, b"grant_type=%ff", MALFORMED),
    ("no equals sign", FORM, b"grant_type", MALFORMED),
    ("21 fields", FORM, "&".join(f"a{n}=b" for n in range(21)).encode(), MALFORMED),
    ("70 KB", FORM, b"a=" + b"b" * 70_000, "The body is too large."),
    ("empty", FORM, b"", "grant_type is required."),
    ("empty grant_type", FORM, b"grant_type=", "grant_type is required."),
]


@pytest.mark.parametrize(
    ("headers", "body", "description"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES]
)
async def test_a_body_that_is_no_proper_form_is_invalid_request(world, headers, body, description):
    reply = await world.http.post("/oauth2/token", content=body, headers=headers)
    assert (reply.status_code, reply.json()) == (400, refused(description))
    assert reply.headers["Cache-Control"] == "no-store"


async def test_a_charset_of_utf_8_is_understood(world, party):
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "DPoP": party.proof("POST", "/oauth2/token"),
    }
    reply = await world.http.post("/oauth2/token", content=urlencode(party.form()), headers=headers)
    assert reply.status_code == 200


@pytest.mark.parametrize(
    "name", ["grant_type", "client_id", "client_assertion", "scope", "agency", "resource", "made_up"]
)
async def test_a_repeated_parameter_is_refused(world, party, name):
    body = urlencode(party.form() | {"scope": "cases.read"}) + "".join(
        f"&{urlencode({name: value})}" for value in ("x", "y")
    )
    reply = await world.http.post(
        "/oauth2/token", content=body, headers={**FORM, "DPoP": party.proof("POST", "/oauth2/token")}
    )
    assert (reply.status_code, reply.json()) == (400, refused("A parameter is repeated."))


async def test_parameters_in_the_query_are_refused(world, party):
    reply = await world.http.post("/oauth2/token?scope=cases.read", data=party.form())
    assert (reply.status_code, reply.json()) == (400, refused("Parameters belong into the body, not into the URL."))


async def test_an_unknown_parameter_is_ignored(party):
    assert (await party.ask(made_up="x")).status_code == 200


async def test_a_parameter_without_a_value_is_as_if_omitted(party):
    reply = await party.ask(scope="", agency="", resource="", client_secret="")
    assert reply.status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_are_refused_in_oauths_form(world, method):
    reply = await world.http.request(method, "/oauth2/token?grant_type=client_credentials")
    assert reply.status_code == 405
    assert reply.headers["Allow"] == "POST"
    if method != "HEAD":
        assert reply.json() == refused("This endpoint takes POST only.")


class TestOneWayOfAuthenticating:
    """§2.3: a client must not use more than one method in a request; ours is private_key_jwt."""

    @pytest.mark.parametrize("extra", ["header", "secret"])
    async def test_two_at_once_is_an_error(self, party, extra):
        if extra == "header":
            reply = await party.ask(headers={"Authorization": "Basic Y2xpZW50OnNlY3JldA=="})
        else:
            reply = await party.ask(client_secret="s3cret")
        assert (reply.status_code, reply.json()) == (400, refused("The client must authenticate in one way only."))

    @pytest.mark.parametrize(
        "other",
        [
            {"client_secret": "s3cret"},
            {},
            {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
        ],
    )
    async def test_no_other_method_works(self, party, other):
        absent = {"client_assertion": ABSENT, "client_assertion_type": ABSENT}
        form = party.form() | absent | other
        reply = await party.http.post(
            "/oauth2/token", data={name: value for name, value in form.items() if value is not ABSENT}
        )
        assert reply.status_code == 401
        assert reply.json() == {
            "error": "invalid_client",
            "error_description": "The client must authenticate by private_key_jwt.",
        }
        assert "WWW-Authenticate" not in reply.headers

    @pytest.mark.parametrize(("scheme", "challenge"), [("Basic", "Basic"), ("bearer", "Bearer"), ("Digest", "Basic")])
    async def test_a_client_that_used_the_header_is_challenged(self, party, scheme, challenge):
        reply = await party.http.post(
            "/oauth2/token",
            data={"grant_type": "client_credentials"},
            headers={"Authorization": f"{scheme} Y2xpZW50OnNlY3JldA=="},
        )
        assert reply.status_code == 401
        assert reply.headers["WWW-Authenticate"] == f'{challenge} realm="oauth2"'
        assert reply.json() == {
            "error": "invalid_client",
            "error_description": "The client must authenticate by private_key_jwt.",
        }


@pytest.mark.parametrize(
    "method",
    ["password", "authorization_code", "refresh_token", "implicit", "urn:ietf:params:oauth:grant-type:token-exchange"],
)
async def test_other_grants_are_unsupported(party, method):
    reply = await party.ask(grant_type=method)
    assert (reply.status_code, reply.json()) == (400, {"error": "unsupported_grant_type"})


async def test_there_is_no_authorization_endpoint(world):
    for path in ("/oauth2/authorize", "/authorize", "/oauth2/auth"):
        assert (await world.http.get(path, params={"redirect_uri": "https://evil.example"})).status_code == 404

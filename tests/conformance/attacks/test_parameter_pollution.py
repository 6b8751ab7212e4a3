"""RFC 6749 §3.2, CWE-235: a parameter is read in one way. What a filter in front may read otherwise is refused, or plays no part."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def send(world, party, body: str, headers: dict[str, str] | None = None, query: str = ""):
    sent = {**FORM, "DPoP": party.proof("POST", "/oauth2/token"), **(headers or {})}
    return await world.http.post(f"/oauth2/token{query}", content=body.encode("latin-1"), headers=sent)


@pytest.fixture
async def narrow(world):
    """A client that may only read cases."""
    return await world.party(scopes=("cases.read",))


class TestTwice:
    @pytest.mark.parametrize(
        "name", ["scope", "agency", "client_id", "client_assertion", "grant_type", "resource", "unknown"]
    )
    @pytest.mark.parametrize(
        "write",
        [
            lambda name: name,
            lambda name: f"%{ord(name[0]):02x}{name[1:]}",
            lambda name: quote(name, safe="").replace("_", "%5F"),
        ],
    )
    async def test_also_under_another_spelling_is_refused(self, world, party, name, write):
        """`scope` and `%73cope` are one name (RFC 6749 appendix B)."""
        body = urlencode({**party.form(), name: party.form().get(name, "x")}) + f"&{write(name)}=y"
        reply = await send(world, party, body)
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")

    async def test_one_of_them_empty_is_refused(self, world, party):
        """RFC 6749 §3.2: without a value is as if omitted; twice is twice all the same."""
        for more in ("&scope=&scope=cases.read", "&scope=cases.read&scope="):
            reply = await send(world, party, urlencode(party.form()) + more)
            assert reply.json()["error"] == "invalid_request"

    async def test_in_body_and_address_is_refused(self, world, party):
        reply = await send(world, party, urlencode(party.form()), query="?scope=cases.read")
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")


class TestAnotherName:
    @pytest.mark.parametrize(
        "more",
        [
            "&Scope=admin.write", "&SCOPE=admin.write", "&scope[]=admin.write", "&scope%5B%5D=admin.write", "&scope%00=admin.write",
            "&scope.0=admin.write", "&scope%20=admin.write", "&%20scope=admin.write", "&scopes=admin.write", "&%EF%BB%BFscope=admin.write",
            "&_scope=admin.write", "&authorization_details=%5B%5D", "&request=eyJ", "&request_uri=https://evil.example",
            "&redirect_uri=https://evil.example", "&audience=https://evil.example", "&sub=another", "&act_as=another",
        ],
    )  # fmt: skip
    async def test_gives_nothing_more(self, world, narrow, more):
        """Either it is no form, or the name is unknown and ignored (RFC 6749 §3.2)."""
        reply = await send(world, narrow, urlencode(narrow.form()) + more)
        assert reply.status_code in (200, 400)
        if reply.status_code == 200:
            assert reply.json()["scope"] == "cases.read"


class TestAnotherSeparatorOrForm:
    @pytest.mark.parametrize(
        "more",
        [";scope=admin.write", "%26scope=admin.write", "\nscope=admin.write", "&scope=cases.read;scope=admin.write"],
    )
    async def test_is_part_of_the_value(self, world, narrow, more):
        """A semicolon separates nothing (CVE-2021-23336), and an escaped ampersand neither."""
        reply = await send(
            world, narrow, f"{urlencode(narrow.form(grant_type=None) | {'grant_type': 'client_credentials'})}{more}"
        )
        assert reply.status_code in (400, 401)

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("application/json", '{"grant_type":"client_credentials"}'),
            ("multipart/form-data; boundary=x", '--x\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\nclient_credentials\r\n--x--'),
            ("text/plain", "grant_type=client_credentials"),
            ("application/x-www-form-urlencoded; charset=utf-7", "grant_type=client_credentials"),
            ("application/x-www-form-urlencoded; charset=utf-16", "grant_type=client_credentials"),
            ("application/x-www-form-urlencoded, application/json", "grant_type=client_credentials"),
            ("", "grant_type=client_credentials"),
        ],
    )  # fmt: skip
    async def test_is_no_form(self, world, party, kind, body):
        reply = await send(world, party, body, {"Content-Type": kind})
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")

    @pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip"])
    async def test_a_packed_body_is_not_unpacked(self, world, party, coding):
        reply = await send(world, party, "\x1f\x8b\x08\x00", {"Content-Encoding": coding})
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")


class TestTheScope:
    @pytest.mark.parametrize(
        "scope",
        [
            "cases.read admin.write", "cases.read\tadmin.write", "cases.read\u00a0admin.write", "cases.read,admin.write", "cases.read+admin.write",
            "cases.read\0admin.write", "CASES.READ", "cases.read ", " cases.read", "cases.read  cases.read", "cases.re\u0430d", "cases.*", "*",
            "cases.read\nadmin.write", "cases%2Eread", '"cases.read"', "cases.read\\", "openid", "offline_access",
        ],
        ids=ascii,
    )  # fmt: skip
    async def test_is_what_is_registered_or_an_error(self, narrow, scope):
        """polar#11422, hydra#1618: never widened, never trimmed."""
        reply = await narrow.ask(scope=scope)
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_scope")

    async def test_twice_the_same_is_once(self, narrow):
        reply = await narrow.ask(scope="cases.read cases.read")
        assert reply.status_code in (200, 400)
        assert reply.json().get("scope", "cases.read") == "cases.read"

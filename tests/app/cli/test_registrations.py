"""`rujukan registrations`: invitations from the command line; and `rujukan clients add --jwks-uri`."""

from __future__ import annotations

import pytest

from tests.app.cli.conftest import Machine

URI = "https://keys.dinsos.example/jwks.json"


@pytest.fixture(scope="module")
def peopled(machine: Machine) -> Machine:
    """A machine with one agency."""
    assert machine.run("agencies", "add", "polri", "--name", "Police", "--kind", "police").code == 0
    return machine


class TestInviting:
    def test_prints_the_token_once(self, peopled: Machine) -> None:
        made = peopled.run("registrations", "invite", "polri", "--scope", "cases.read", "--days", "3", "--json").json
        assert made["token"].startswith("rujukan_iat_")
        assert made["registration_endpoint"] == f"{peopled.url}/oauth2/register"
        assert (made["scopes"], made["uses_left"]) == (["cases.read"], 1)
        listed = peopled.run("registrations", "list", "--json")
        assert made["token"] not in listed.out
        assert next(each for each in listed.json if each["id"] == made["id"])["state"] == "open"

    def test_says_what_to_do_with_it(self, peopled: Machine) -> None:
        said = peopled.run("registrations", "invite", "polri").out
        assert "initial access token   rujukan_iat_" in said
        assert "not shown again" in said

    def test_is_ended(self, peopled: Machine) -> None:
        made = peopled.run("registrations", "invite", "polri", "--json").json
        assert peopled.run("registrations", "end-token", made["id"]).code == 0
        again = peopled.run("registrations", "end-token", made["id"])
        assert (again.code, "See `rujukan registrations list`" in again.err) == (2, True)

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("nobody-here",), "there is no agency"),
            (("polri", "--scope", "admin.write"), "registers itself may have"),
            (("polri", "--uses", "0"), "1 to 20 systems"),
            (("polri", "--days", "365"), "1 to 90 days"),
        ],
    )
    def test_says_what_is_not_possible(self, peopled: Machine, arguments: tuple[str, ...], says: str) -> None:
        refused = peopled.run("registrations", "invite", *arguments)
        assert (refused.code, says in refused.err) == (2, True), refused.err


class TestWaiting:
    def test_says_that_nothing_does(self, peopled: Machine) -> None:
        assert peopled.run("registrations", "waiting", "--json").json == []
        assert "Nothing waits" in peopled.run("registrations", "waiting").err

    def test_asks_only_for_what_was_requested(self, peopled: Machine) -> None:
        assert "there is no client" in peopled.run("registrations", "ask-again", "nobody-here").err


class TestPublishedKeys:
    def test_are_an_address_instead_of_keys(self, peopled: Machine) -> None:
        added = peopled.run("clients", "add", "polri-keys", "--agency", "polri", "--jwks-uri", URI)
        assert (added.code, URI in added.out) == (0, True), added.err
        shown = peopled.run("clients", "show", "polri-keys")
        assert URI in shown.out
        assert peopled.run("clients", "show", "polri-keys", "--json").json["keys"] == []

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("--jwks-uri", "http://keys.example/"), "https URL"),
            (("--jwks-uri", "https://127.0.0.1/"), "DNS name"),
            (("--jwks-uri", "https://keys.example:22/"), "port"),
            (("--jwks-uri", URI, "--generate"), "goes alone"),
            (("--jwks-uri", URI, "--auth", "tls_client_auth"), "no keys of its own"),
        ],
    )
    def test_are_where_the_exchange_may_ask(self, peopled: Machine, arguments: tuple[str, ...], says: str) -> None:
        refused = peopled.run("clients", "add", "polri-more", "--agency", "polri", *arguments)
        assert (refused.code, says in refused.err) == (2, True), refused.err

    def test_are_not_rotated_here(self, peopled: Machine) -> None:
        assert peopled.run("clients", "add", "polri-own", "--agency", "polri", "--jwks-uri", URI).code == 0
        refused = peopled.run("clients", "rotate", "polri-own", "--generate")
        assert (refused.code, "jwks_uri" in refused.err) == (2, True)

"""`agencies`, `service-points`, `clients`, `keys`: what they change, and what they say when it cannot be changed."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from app.cli.agencies import Entry, parents_first
from app.cli.clients import parse_duration
from app.cli.failures import Failure, explain
from app.client import Credentials
from auth.admin.errors import OpenDutiesError
from auth.scopes import AGENCY_SCOPES
from tests.app.cli.conftest import SAMPLES, Machine
from tests.makers.certificates import self_signed


@pytest.fixture(scope="module")
def peopled(machine: Machine) -> Machine:
    """A machine with two agencies."""
    assert machine.run("agencies", "add", "polri", "--name", "Police", "--kind", "police").code == 0
    added = machine.run("agencies", "add", "rptc-x", "--name", "RPTC X", "--kind", "trauma_centre", "--parent", "polri")
    assert added.code == 0, added.err
    return machine


class TestAgencies:
    def test_are_listed_as_added(self, peopled: Machine) -> None:
        listed = {agency["code"]: agency for agency in peopled.run("agencies", "list", "--json").json}
        assert listed["rptc-x"]["parent"] == "polri"
        assert listed["polri"]["status"] == "active"
        assert "RPTC X" in peopled.run("agencies", "list").out

    def test_are_suspended_and_resumed(self, peopled: Machine) -> None:
        for act, status in (("suspend", "suspended"), ("resume", "active")):
            assert peopled.run("agencies", act, "rptc-x").code == 0
            listed = {agency["code"]: agency for agency in peopled.run("agencies", "list", "--json").json}
            assert listed["rptc-x"]["status"] == status

    def test_have_encryption_keys_that_are_listed_and_ended_but_not_added(self, peopled: Machine) -> None:
        assert peopled.run("agencies", "encryption-keys", "polri", "--json").json == []
        assert "polri has published none" in peopled.run("agencies", "encryption-keys", "polri").err
        end = ("agencies", "end-encryption-key", "polri", "x" * 43)
        unknown = peopled.run(*end, "--reason", "stolen", "--compromised-since", "2026-01-05T08:00:00+07:00")
        assert (unknown.code, "has no such encryption key" in unknown.err) == (2, True), unknown.err
        assert peopled.run(*end, "--reason", "lost", "--compromised-since", "2026-01-05T08:00:00+07:00").code == 2

    def test_are_closed_for_good(self, peopled: Machine) -> None:
        assert peopled.run("agencies", "add", "pos-x", "--name", "Post X", "--kind", "police").code == 0
        assert "closed for good" in peopled.run("agencies", "close", "pos-x").out
        again = peopled.run("agencies", "resume", "pos-x")
        assert (again.code, "pos-x is closed, not suspended" in again.err) == (2, True)

    def test_that_answer_for_people_are_not_closed_and_told_why(self) -> None:
        refused = explain(OpenDutiesError("rptc-x", {"cases it leads": 2, "referrals it has accepted": 0}))
        assert refused is not None
        assert refused.code == 2
        assert "rptc-x" in str(refused)
        assert "(cases it leads: 2)" in str(refused)
        assert "hand its cases over" in str(refused)

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("polri", "--name", "Again", "--kind", "police"), "there is an agency polri already"),
            (("new-one", "--name", "New", "--kind", "police_station"), "there is no such kind of agency"),
            (("New One", "--name", "New", "--kind", "police"), "/code:"),
            (("new-one", "--name", "New", "--kind", "police", "--parent", "nobody"), "there is no agency nobody"),
            (("new-one", "--name", "New", "--kind", "police", "--region", "Jakarta"), "/region:"),
            (("new-one", "--name", " ", "--kind", "police"), "a name is"),
            (("new-one", "--name", "New", "--kind", "police", "--actor", "Pak Budi"), "an actor is"),
        ],
    )
    def test_that_cannot_be_added_are_told_why(self, peopled: Machine, arguments: tuple[str, ...], says: str) -> None:
        ended = peopled.run("agencies", "add", *arguments)
        assert ended.code == 2
        assert says in ended.err

    def test_come_from_a_file_once(self, peopled: Machine) -> None:
        first = peopled.run("agencies", "import", str(SAMPLES), "--json")
        assert first.code == 0, first.err
        assert "polri" in first.json["present"]
        again = peopled.run("agencies", "import", str(SAMPLES), "--json").json
        assert again["added"] == []
        assert set(again["present"]) == set(first.json["added"]) | set(first.json["present"])

    def test_of_a_file_come_all_or_none(self, peopled: Machine, tmp_path: Path) -> None:
        file = tmp_path / "agencies.json"
        good = {"code": "good-one", "name": "Good", "kind": "police"}
        file.write_text(json.dumps({"agencies": [good, {**good, "code": "bad-one", "parent": "nobody"}]}))
        ended = peopled.run("agencies", "import", str(file))
        assert (ended.code, "there is no agency nobody" in ended.err) == (2, True)
        assert "good-one" not in peopled.run("agencies", "list").out

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("{", "is not JSON (line 1)"),
            ("[]", "does not hold agencies"),
            ('{"agencies": [{"code": "x-1", "name": "X", "kind": "spies"}]}', "/agencies/0/kind"),
        ],
    )
    def test_of_a_wrong_file_are_refused_without_its_values(self, peopled: Machine, text: str, says: str) -> None:
        ended = peopled.run("agencies", "import", "-", stdin=text)
        assert ended.code == 2
        assert says in ended.err
        assert "spies" not in ended.err

    def test_of_no_file_are_refused(self, peopled: Machine) -> None:
        ended = peopled.run("agencies", "import", "/nowhere.json")
        assert (ended.code, "cannot be read" in ended.err) == (2, True)


class TestParentsFirst:
    def test_puts_a_parent_before_its_own(self) -> None:
        entries = [_entry("abc", "def"), _entry("def", "ghi"), _entry("ghi"), _entry("jkl", "elsewhere")]
        assert [entry.code for entry in parents_first(entries)] == ["ghi", "def", "abc", "jkl"]

    def test_refuses_a_ring(self) -> None:
        with pytest.raises(Failure, match="belong to itself"):
            parents_first([_entry("abc", "def"), _entry("def", "abc")])

    def test_refuses_a_code_that_comes_twice(self) -> None:
        with pytest.raises(Failure, match="twice"):
            parents_first([_entry("abc"), _entry("abc")])


def _entry(code: str, parent: str | None = None) -> Entry:
    return Entry.model_validate({"code": code, "name": code, "kind": "police", "parent": parent})


class TestServicePoints:
    def test_are_listed_as_added(self, peopled: Machine) -> None:
        added = peopled.run(
            "service-points", "add", "rptc-x", "--name", "House", "--confidential", "--service", "shelter"
        )
        assert added.code == 0, added.err
        (point,) = peopled.run("service-points", "list", "rptc-x", "--json").json
        assert (point["name"], point["confidential"], point["address"]) == ("House", True, None)
        assert peopled.run("service-points", "list", "polri", "--json").json == []

    def test_that_are_confidential_take_no_address(self, peopled: Machine) -> None:
        ended = peopled.run(
            "service-points", "add", "rptc-x", "--name", "H", "--confidential", "--address", "Jl. Satu 1"
        )
        assert (ended.code, "is not kept" in ended.err) == (2, True)

    def test_of_an_unknown_agency_are_no_empty_list(self, peopled: Machine) -> None:
        ended = peopled.run("service-points", "list", "nobody")
        assert (ended.code, "there is no agency nobody" in ended.err) == (2, True)


class TestClients:
    def test_get_a_key_of_their_own(self, peopled: Machine) -> None:
        added = peopled.run("clients", "add", "one-system", "--agency", "polri", "--generate", "--json").json
        file = Path(added["file"])
        assert file == peopled.folder / "clients" / "one-system.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        credentials = Credentials.load(file)
        assert (credentials.issuer, credentials.agency) == (peopled.url, "polri")
        assert added["kids"] == [credentials.signing_key().public.kid]
        assert added["token_endpoint"] == f"{peopled.url}/oauth2/token"
        listed = {client["client_id"]: client for client in peopled.run("clients", "list", "--json").json}
        assert set(listed["one-system"]["scopes"]) == AGENCY_SCOPES
        assert "PRIVATE" not in json.dumps(added)
        assert str(credentials.private_jwk["d"]) not in json.dumps(added)

    def test_bring_a_key_of_their_own(self, peopled: Machine, tmp_path: Path) -> None:
        jwks = tmp_path / "jwks.json"
        jwks.write_text(json.dumps(Credentials.generate("x", "https://x").public_jwks()))
        add = ("clients", "add", "two-system", "--agency", "polri", "--agency", "rptc-x", "--jwks", str(jwks))
        added = peopled.run(*add, "--scope", "cases.read events.read", "--json")
        assert added.code == 0, added.err
        assert added.json["file"] is None
        assert added.json["agencies"] == ["polri", "rptc-x"]

    def test_keep_their_old_key_for_a_while_when_they_rotate(self, peopled: Machine) -> None:
        added = peopled.run("clients", "add", "three-system", "--agency", "polri", "--generate", "--json").json
        rotated = peopled.run("clients", "rotate", "three-system", "--generate", "--overlap", "2h", "--json").json
        assert rotated["kids"] != added["kids"]
        assert Credentials.load(Path(rotated["file"])).agency == "polri"
        assert Credentials.load(Path(added["file"] + ".old")).signing_key().public.kid == added["kids"][0]
        listed = {client["client_id"]: client for client in peopled.run("clients", "list", "--json").json}
        ends = {key["kid"]: key["ends_at"] for key in listed["three-system"]["keys"]}
        assert ends[added["kids"][0]] is not None
        assert ends[rotated["kids"][0]] is None

    def test_are_known_by_a_name_in_their_certificate(self, peopled: Machine) -> None:
        add = ("clients", "add", "named-system", "--agency", "polri", "--auth", "tls_client_auth")
        added = peopled.run(*add, "--subject-dn", "C=ID,O=Polri", "--bound-to", "dpop", "--json")
        assert added.code == 0, added.err
        assert (added.json["kids"], added.json["file"]) == ([], None)
        shown = peopled.run("clients", "show", "named-system")
        for words in ("tls_client_auth", "subject dn C=ID,O=Polri", "a DPoP key (RFC 9449)"):
            assert words in shown.out
        assert "switched off here" in shown.err
        assert peopled.run("clients", "show", "named-system", "--json").json["certificate_bound"] is False
        refused = peopled.run("clients", "rotate", "named-system", "--generate")
        assert (refused.code, "works by itself" in refused.err) == (2, True)

    def test_are_known_by_their_certificate_and_rotate_it(self, peopled: Machine, tmp_path: Path) -> None:
        first, second = (self_signed().write(tmp_path, name)[0] for name in ("first", "second"))
        add = ("clients", "add", "signed-system", "--agency", "polri", "--auth", "self_signed_tls_client_auth")
        added = peopled.run(*add, "--certificate", str(first), "--json")
        assert added.code == 0, added.err
        rotated = peopled.run("clients", "rotate", "signed-system", "--certificate", str(second), "--json")
        assert rotated.code == 0, rotated.err
        shown = peopled.run("clients", "show", "signed-system").out
        assert f"{added.json['kids'][0]} from" in shown
        assert f"{rotated.json['kids'][0]} from" in shown
        assert "its certificate (RFC 8705)" in shown

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("--auth", "tls_client_auth"), "one name in its certificate"),
            (("--auth", "tls_client_auth", "--san-dns", "a.example", "--san-ip", "10.0.0.1"), "one name in"),
            (("--auth", "tls_client_auth", "--san-dns", "a.example", "--generate"), "one name in its certificate"),
            (("--auth", "tls_client_auth", "--san-dns", "*.example"), "no san dns a certificate could have"),
            (("--auth", "tls_client_auth", "--san-ip", "10.0.0"), "no san ip a certificate could have"),
            (("--auth", "tls_client_auth", "--san-email", "nobody"), "no san email a certificate could have"),
            (("--auth", "tls_client_auth", "--san-uri", "no uri"), "no san uri a certificate could have"),
            (("--auth", "tls_client_auth", "--subject-dn", "polri"), "no subject dn a certificate could have"),
            (("--auth", "self_signed_tls_client_auth"), "exactly one of"),
            (("--auth", "self_signed_tls_client_auth", "--generate"), "by its certificate"),
            (("--auth", "self_signed_tls_client_auth", "--certificate", "/dev/null"), "not one certificate in PEM"),
            (("--auth", "self_signed_tls_client_auth", "--certificate", "/nowhere"), "cannot be read"),
            (("--generate", "--san-dns", "a.example"), "exactly one of"),
            (("--certificate", "/nowhere"), "exactly one of"),
        ],
    )
    def test_whose_certificate_does_not_fit_are_told_why(
        self, peopled: Machine, arguments: tuple[str, ...], says: str
    ) -> None:
        ended = peopled.run("clients", "add", "unfit-system", "--agency", "polri", *arguments)
        assert (ended.code, says in ended.err) == (2, True), ended.err
        assert peopled.run("clients", "show", "unfit-system").code == 2

    def test_are_suspended_and_resumed(self, peopled: Machine) -> None:
        peopled.run("clients", "add", "four-system", "--agency", "polri", "--generate")
        assert peopled.run("clients", "suspend", "four-system").code == 0
        assert "suspended" in peopled.run("clients", "list").out
        assert peopled.run("clients", "resume", "four-system").code == 0

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("five-system", "--agency", "polri"), "exactly one of --generate and --jwks"),
            (("five-system", "--agency", "polri", "--generate", "--jwks", "x"), "exactly one of --generate and --jwks"),
            (("five-system", "--agency", "nobody", "--generate"), "there is no agency nobody"),
            (("five-system", "--agency", "polri", "--scope", "everything", "--generate"), "scopes are:"),
            (("../five", "--agency", "polri", "--generate"), "a client_id is"),
            (("five-system", "--agency", "polri", "--jwks", "/nowhere.json"), "cannot be read"),
            (("five-system", "--agency", "polri", "--generate", "--out", "/proc/five.json"), "cannot be written"),
        ],
    )
    def test_that_cannot_be_added_are_told_why_and_leave_no_key(
        self, peopled: Machine, arguments: tuple[str, ...], says: str
    ) -> None:
        ended = peopled.run("clients", "add", *arguments)
        assert ended.code in (1, 2)
        assert says in ended.err
        assert not (peopled.folder / "clients" / "five-system.json").exists()

    def test_of_a_taken_id_keep_their_key(self, peopled: Machine, tmp_path: Path) -> None:
        peopled.run("clients", "add", "six-system", "--agency", "polri", "--generate")
        file = peopled.folder / "clients" / "six-system.json"
        before = file.read_bytes()
        ended = peopled.run("clients", "add", "six-system", "--agency", "polri", "--generate")
        assert (ended.code, "there is a file" in ended.err) == (2, True)
        other = tmp_path / "other.json"
        ended = peopled.run("clients", "add", "six-system", "--agency", "polri", "--generate", "--out", str(other))
        assert (ended.code, "there is a client six-system already" in ended.err) == (2, True)
        assert not other.exists()
        assert file.read_bytes() == before

    def test_do_not_give_their_private_key_away(self, peopled: Machine) -> None:
        private = {"keys": [dict(Credentials.generate("x", "https://x").private_jwk)]}
        ended = peopled.run("clients", "add", "seven", "--agency", "polri", "--jwks", "-", stdin=json.dumps(private))
        assert (ended.code, "public only" in ended.err) == (2, True)
        assert private["keys"][0]["d"] not in ended.err

    def test_that_are_not_there_cannot_rotate(self, peopled: Machine) -> None:
        ended = peopled.run("clients", "rotate", "nobody", "--generate")
        assert (ended.code, "there is no client nobody" in ended.err) == (2, True)
        assert not list((peopled.folder / "clients").glob("nobody*"))


class TestDurations:
    @pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("90", 90), ("30m", 1800), ("1h", 3600), ("2d", 172_800)])
    def test_are_read(self, text: str, seconds: int) -> None:
        assert parse_duration(text).total_seconds() == seconds

    @pytest.mark.parametrize("text", ["", "-1h", "1 h", "1w", "soon"])
    def test_of_another_form_are_refused(self, text: str) -> None:
        with pytest.raises(Failure, match="a duration is"):
            parse_duration(text)


class TestMonthlyKeys:
    def test_are_added_shown_and_not_destroyed_while_they_are_needed(self, peopled: Machine) -> None:
        before = peopled.run("keys", "status", "--json").json["keys"]
        (used,) = [key for key in before if key["state"] == "primary"]
        assert (used["documents"] >= 2, used["here"]) == (True, True), "the exchange's signing keys at least"
        added = peopled.run("keys", "rotate-kek", "--months", "3", "--json").json["added"]
        assert len(before) + len(added) == 4
        assert peopled.run("keys", "rotate-kek", "--json").json == {"added": []}
        shown = peopled.run("keys", "status")
        assert (str(added[0]["key"]) in shown.out, "added" in shown.out) == (True, True)
        for key in (used["id"], added[0]["key"], 7):
            refused = peopled.run("keys", "destroy-kek", str(key), "--yes")
            assert (refused.code, "is not destroyed" in refused.err) == (4, True), refused.err
        assert peopled.run("keys", "destroy-kek", str(used["id"]), stdin="n\n").code == 1

    def test_used_at_once_take_everything_over(self, peopled: Machine) -> None:
        (earlier,) = [
            key["id"] for key in peopled.run("keys", "status", "--json").json["keys"] if key["state"] == "primary"
        ]
        (new,) = peopled.run("keys", "rotate-kek", "--at-once", "--json").json["added"]
        moved = peopled.run("keys", "rewrap", "--json").json
        assert (moved["moved"] >= 2, moved["left"]) == (True, 0)
        keys = {key["id"]: key for key in peopled.run("keys", "status", "--json").json["keys"]}
        assert (keys[earlier]["state"], keys[earlier]["documents"]) == ("emptied", 0)
        assert (keys[new["key"]]["state"], keys[new["key"]]["documents"] >= 2) == ("primary", True)
        found = {each["check"]: each for each in peopled.run("doctor", "--json").json}
        assert found["monthly keys"]["state"] == "ok", found

    def test_need_the_keyring_of_the_database(self, peopled: Machine, tmp_path: Path) -> None:
        other = {"RUJUKAN_KEYRING_FILE": str(tmp_path / "other.json")}
        assert peopled.run("keys", "init", **other).code == 0
        for command in (("keys", "rotate", "--at-once"), ("keys", "rotate-kek"), ("agencies", "list")):
            ended = peopled.run(*command, **other)
            assert (ended.code, "not the one this database was made with" in ended.err) == (1, True), command
        found = {each["check"]: each for each in peopled.run("doctor", "--json", **other).json}
        assert found["monthly keys"]["state"] == "fail"


class TestKeys:
    def test_rotate_at_once_and_not_too_soon(self, peopled: Machine) -> None:
        before = {key["state"]: key["kid"] for key in peopled.run("keys", "list", "--json").json}
        early = peopled.run("keys", "rotate")
        assert (early.code, "--at-once" in early.err) == (2, True)
        rotated = peopled.run("keys", "rotate", "--at-once", "--json")
        assert rotated.json["kid"] == before["next"]
        after = {key["kid"]: key["state"] for key in peopled.run("keys", "list", "--json").json}
        assert after[before["next"]] == "active"
        assert after[before["active"]] == "retired"
        assert set(peopled.run("keys", "list", "--json").json[0]) == {
            "kid",
            "state",
            "created_at",
            "activated_at",
            "published_until",
        }

    def test_do_not_rotate_with_a_damaged_keyring(self, peopled: Machine) -> None:
        path = peopled.folder / "keyring.json"
        whole = path.read_text()
        try:
            path.write_text(whole[:40])
            ended = peopled.run("keys", "rotate", "--at-once")
        finally:
            path.write_text(whole)
        assert (ended.code, "cannot be used" in ended.err) == (1, True)
        assert "backup" in ended.err

    def test_of_a_new_installation_are_kept_in_a_keyring_made_once(self, machine: Machine, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "keyring.json"
        made = machine.run("keys", "init", "--json", RUJUKAN_KEYRING_FILE=str(path))
        assert made.json == {"keyring": str(path)}
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        before = path.read_bytes()
        again = machine.run("keys", "init", RUJUKAN_KEYRING_FILE=str(path))
        assert (again.code, "already" in again.err) == (2, True)
        assert path.read_bytes() == before

"""RFC 7591 §3: a system registers itself by an agency's invitation, waits for people's yes, and nothing works before."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import timedelta
from typing import ClassVar

import pytest

from auth import jose
from auth.admin import agencies, approvals, registrations
from auth.admin.errors import InvalidValueError, MayNotApproveError, UnknownAgencyError, UnknownInvitationError
from auth.people.person import Person, Role
from auth.registration import tokens
from tests.conformance.rfc7591.cases import CERTIFICATE, GOOD, PKI, REFUSED, REFUSED_WITH_MUTUAL_TLS, SELF_SIGNED, jwks
from tests.makers.auth import ABSENT, Party
from tests.makers.registering import SCOPES, settings


def is_refused(reply, status: int, error: str) -> None:
    """An error in the form of §3.2.2, which repeats nothing that was sent and is kept by nobody."""
    assert (reply.status_code, reply.json()["error"]) == (status, error), reply.text
    assert set(reply.json()) <= {"error", "error_description"}
    assert reply.headers["cache-control"] == "no-store"


async def clients_of(exchange, agency: str) -> int:
    return await exchange.owner.fetchval(
        "SELECT count(*) FROM client_agency ca JOIN agency a ON a.id = ca.agency_id WHERE a.code = $1", agency
    )


class TestTheAnswer:
    async def test_section_3_2_1_says_everything_that_is_registered(self, world, invited) -> None:
        reply = await invited.send(json=invited.metadata(software_id="rptc", software_version="2.1"))
        assert reply.status_code == 201
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["cache-control"] == "no-store"
        answer = reply.json()
        client_id, token = answer.pop("client_id"), answer.pop("registration_access_token")
        assert 0 <= world.clock.now().timestamp() - answer.pop("client_id_issued_at") < 60
        assert answer == {
            "client_name": "RPTC case system",
            "token_endpoint_auth_method": "private_key_jwt",
            "grant_types": ["client_credentials"],
            "response_types": [],
            "scope": " ".join(SCOPES),
            "jwks": {"keys": [{**invited.key.public_jwk()}]},
            "software_id": "rptc",
            "software_version": "2.1",
            "tls_client_certificate_bound_access_tokens": False,
            "dpop_bound_access_tokens": True,
            "registration_client_uri": f"{world.settings.public_url}/oauth2/register/{client_id}",
            "status": "requested",
        }
        assert client_id.startswith("rptc-case-system-")
        assert token.startswith("rujukan_rat_")
        assert len(token) > 50

    async def test_has_no_secret_whatever_is_asked_for(self, invited) -> None:
        made = await invited.register(client_secret="mine", client_secret_expires_at=0)
        assert not [name for name in made.answer if "secret" in name]

    async def test_holds_only_the_hashes_of_tokens(self, exchange, invited) -> None:
        made = await invited.register()
        row = await exchange.owner.fetchrow("SELECT * FROM client WHERE client_id = $1", made.client_id)
        assert row["registration_hash"] == tokens.hash_of(made.token)
        assert made.token not in str(dict(row))
        stored = await exchange.owner.fetchrow("SELECT * FROM initial_access_token WHERE id = $1", invited.id)
        assert stored["token_hash"] == tokens.hash_of(invited.token)
        log = await exchange.owner.fetch("SELECT detail FROM log_entry")
        approval = await exchange.owner.fetch("SELECT detail FROM approval")
        for secret in (made.token, invited.token):
            assert not [row for row in (*log, *approval) if secret in row["detail"]]

    @pytest.mark.parametrize("name", ["Sistem Kasus", "案件", "---", "x", "É" * 100])
    async def test_has_an_id_that_fits_whatever_the_name(self, invited, name) -> None:
        assert (await invited.register(client_name=name)).answer["client_name"] == name

    async def test_two_registrations_are_two_clients(self, invited) -> None:
        assert (await invited.register()).client_id != (await invited.register()).client_id


class TestWhatIsLeftOut:
    """§2: what is not understood is ignored; what only people decide is not understood."""

    PRIVILEGED: ClassVar = {  # keycloak#53079
        "client_id": "chosen-by-me",
        "status": "active",
        "status_before": "active",
        "agencies": ["polri"],
        "agency": "polri",
        "networks": ["0.0.0.0/0"],
        "emergency_until": None,
        "registered_by": str(uuid.uuid4()),
        "registration_access_token": "mine",
        "registration_client_uri": "https://evil.example",
        "scopes": ["admin.write"],
        "certificate_bound": True,
        "added_by": "admin",
        "created_at": "1970-01-01T00:00:00Z",
        "client_id_issued_at": 0,
        "roles": ["operator"],
        "attributes": {"service.account": True},
        "__proto__": {"status": "active"},
    }

    async def test_what_an_administrator_decides(self, exchange, invited) -> None:
        made = await invited.register(**self.PRIVILEGED)
        row = await exchange.owner.fetchrow("SELECT * FROM client WHERE client_id = $1", made.client_id)
        assert (row["status"], row["scopes"], row["networks"]) == ("requested", list(SCOPES), [])
        assert (row["registered_by"], row["certificate_bound"]) == (invited.id, False)
        assert made.client_id != "chosen-by-me"
        assert await clients_of(exchange, invited.agency) == 1

    async def test_contacts_which_would_be_persons(self, exchange, invited) -> None:
        made = await invited.register(
            contacts=["siti@example.go.id"], client_uri="https://x.example", logo_uri=5, tos_uri=[], policy_uri={}
        )
        assert not {"contacts", "client_uri", "logo_uri"} & made.answer.keys()
        for table in ("client", "log_entry", "approval"):
            rows = await exchange.owner.fetch(f"SELECT * FROM {table}")
            assert not [row for row in rows if "siti@" in str(dict(row))]

    async def test_what_is_null(self, invited) -> None:
        made = await invited.register(scope=None, jwks_uri=None, software_id=None, redirect_uris=None)
        assert made.answer["scope"] == " ".join(SCOPES)

    async def test_other_names_in_other_languages(self, invited) -> None:
        made = await invited.register(**{"client_name#id": "Sistem Kasus"})
        assert "client_name#id" not in made.answer


class TestWaiting:
    async def test_nothing_works_before_people_have_said_yes(self, invited) -> None:
        made = await invited.register()
        assert (await made.party.ask()).json()["error"] == "invalid_target"
        await made.approve()
        assert (await made.party.ask()).json()["error"] == "invalid_target"
        await made.change("activate")
        assert (await made.party.call()).status_code == 200

    async def test_practice_with_a_practice_agency_does(self, invite) -> None:
        made = await (await invite(sandbox=True)).register()
        assert (await made.party.call()).status_code == 200

    async def test_it_takes_two_people_of_whom_neither_registered_it(self, exchange, world, invited) -> None:
        made = await invited.register()
        waiting = await made.approval()
        assert waiting.yes == ()
        assert waiting.asked_by == f"registration:{invited.id}"
        now = world.clock.now()
        people = []
        for name in ("first", "second"):
            id = uuid.uuid4()
            await exchange.owner.execute(
                "INSERT INTO administrator (id, reference, name, roles, created_at) VALUES ($1, $2, 'x', '{operator}', $3)",
                id,
                f"{name}-{id.hex[:8]}",
                now,
            )
            people.append(Person(f"{name}-{id.hex[:8]}", frozenset({Role.operator}), admin_id=id))
        after = await approvals.approve(world.admin, waiting.id, by=people[0], now=now, two_people=True)
        assert after.state == "waiting"
        with pytest.raises(MayNotApproveError):
            await approvals.approve(world.admin, waiting.id, by=people[0], now=now, two_people=True)
        assert (await approvals.approve(world.admin, waiting.id, by=people[1], now=now, two_people=True)).done

    async def test_people_see_all_that_was_registered(self, invited) -> None:
        made = await invited.register(scope="cases.read", software_id="rptc")
        assert (await made.approval()).detail == {
            "name": "RPTC case system",
            "agencies": [invited.agency],
            "scopes": ["cases.read"],
            "auth_method": "private_key_jwt",
            "certificate_bound": False,
            "kids": [made.key.public.kid],
            "software_id": "rptc",
        }

    async def test_what_is_refused_stays_for_practice(self, exchange, world, invited) -> None:
        made = await invited.register()
        waiting = await made.approval()
        by = Person("admin-1", frozenset({Role.operator}))
        await approvals.refuse(
            world.admin, waiting.id, by=by, reason="unknown", now=world.clock.now(), two_people=False
        )
        assert (await made.manage()).json()["status"] == "sandbox"

    async def test_is_listed_and_can_be_asked_for_again_when_its_time_has_run_out(self, world, invited) -> None:
        made = await invited.register()

        async def listed() -> registrations.Waiting:
            found = await registrations.list_waiting(world.admin, now=world.clock.now())
            return next(each for each in found if each.client_id == made.client_id)

        assert (await listed()).approval_id == (await made.approval()).id
        world.clock.shift(timedelta(days=31))
        assert (await listed()).approval_id is None
        nobody = Person("nobody")
        again = await registrations.ask_again(
            world.admin, made.client_id, by=nobody, now=world.clock.now(), two_people=False
        )
        assert (again.state, (await listed()).approval_id) == ("waiting", again.id)
        assert again.detail["kids"] == [made.key.public.kid]


class TestInvitations:
    async def test_count_as_often_as_they_say(self, invite) -> None:
        invited = await invite(uses=2)
        for status in (201, 201, 401):
            assert (await invited.send(json=invited.metadata())).status_code == status

    async def test_are_not_used_up_by_what_is_refused(self, invite) -> None:
        invited = await invite(uses=1)
        assert (await invited.send(json=invited.metadata(client_name=5))).status_code == 400
        assert (await invited.send(json=invited.metadata())).status_code == 201

    async def test_of_one_use_give_one_client_however_many_come_at_once(self, exchange, invite) -> None:
        invited = await invite(uses=1)
        replies = await asyncio.gather(*(invited.send(json=invited.metadata()) for _ in range(6)))
        assert sorted(reply.status_code for reply in replies) == [201, *[401] * 5]
        assert await clients_of(exchange, invited.agency) == 1

    async def test_end_with_their_time(self, world, invite) -> None:
        invited = await invite(days=1)
        world.clock.shift(timedelta(days=1, seconds=1))
        is_refused(await invited.send(json=invited.metadata()), 401, "invalid_token")

    async def test_end_when_an_operator_says_so(self, world, invited) -> None:
        await world.act(registrations.end_invitation, invited.id)
        is_refused(await invited.send(json=invited.metadata()), 401, "invalid_token")
        with pytest.raises(UnknownInvitationError):
            await world.act(registrations.end_invitation, invited.id)

    async def test_end_with_their_agency(self, world, invited) -> None:
        await world.act(agencies.suspend_agency, invited.agency)
        is_refused(await invited.send(json=invited.metadata()), 401, "invalid_token")

    async def test_are_listed_without_their_token_and_with_what_came_of_them(self, world, invited) -> None:
        made = await invited.register()
        found = next(each for each in await registrations.list_invitations(world.admin) if each.id == invited.id)
        assert (found.agency, found.uses_left, found.clients) == (invited.agency, 19, (made.client_id,))
        assert found.state(world.clock.now()) == "open"
        assert invited.token not in repr(found)

    @pytest.mark.parametrize(
        "values",
        [
            {"scopes": []},
            {"scopes": ["admin.write"]},
            {"scopes": ["cases.read", "everything"]},
            {"uses": 0},
            {"uses": 21},
            {"days": 0},
            {"days": 91},
        ],
    )
    async def test_are_within_bounds(self, world, values) -> None:
        right = {"scopes": ["cases.read"], "uses": 1, "days": 7}
        with pytest.raises(InvalidValueError):
            await world.act(registrations.invite, await world.agency(), **{**right, **values})

    async def test_are_for_an_agency_that_there_is(self, world) -> None:
        with pytest.raises(UnknownAgencyError):
            await world.act(registrations.invite, "nobody-here", scopes=["cases.read"], uses=1, days=7)

    @pytest.mark.parametrize(
        "sent",
        [
            {},
            {"Authorization": ""},
            {"Authorization": "Bearer"},
            {"Authorization": "Bearer "},
            {"Authorization": "Bearer rujukan_iat_" + "A" * 43},
            {"Authorization": "Bearer rujukan_iat_" + "A" * 5000},
            {"Authorization": "Bearer a b"},
            {"Authorization": "Bearer \xff"},
            {"Authorization": "Basic dXNlcjpwYXNz"},
            {"Authorization": "DPoP {token}"},
            {"Authorization": "{token}"},
            {"Authorization": "Bearer {token}x"},
            {"Authorization": "Bearer  {token}"},
        ],
    )
    async def test_without_a_right_one_nobody_registers(self, invited, sent) -> None:
        headers = {name: value.format(token=invited.token).encode("latin-1") for name, value in sent.items()}
        reply = await invited.send(token=ABSENT, headers=headers, json=invited.metadata())
        is_refused(reply, 401, "invalid_token")
        assert reply.headers["www-authenticate"].startswith('Bearer realm="oauth2"')
        assert ("error=" in reply.headers["www-authenticate"]) == bool(sent)

    async def test_one_is_enough_and_two_are_too_many(self, world, invited) -> None:
        twice = [("Authorization", f"Bearer {invited.token}")] * 2
        reply = await world.http.post("/oauth2/register", headers=twice, json=invited.metadata())
        is_refused(reply, 401, "invalid_token")

    async def test_a_clients_own_token_is_none(self, invited) -> None:
        made = await invited.register()
        is_refused(await invited.send(token=made.token, json=invited.metadata()), 401, "invalid_token")
        is_refused(
            await invited.send(token=await _access_token(invited), json=invited.metadata()), 401, "invalid_token"
        )


async def _access_token(invited) -> str:
    party: Party = await invited.world.party()
    return await party.token()


class TestWhatIsRefused:
    @pytest.mark.parametrize(("change", "error"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
    async def test_with_the_error_of_section_3_2_2_and_nothing_stored(self, exchange, invited, change, error) -> None:
        content = json.dumps(invited.metadata(**change)).encode()
        reply = await invited.send(content=content, headers={"Content-Type": "application/json"})
        is_refused(reply, 400, error)
        assert await clients_of(exchange, invited.agency) == 0

    @pytest.mark.parametrize("name", REFUSED_WITH_MUTUAL_TLS)
    async def test_where_certificates_are_taken(self, mutual_tls, invited, name) -> None:
        content = json.dumps(invited.metadata(**REFUSED_WITH_MUTUAL_TLS[name])).encode()
        reply = await invited.send(content=content, headers={"Content-Type": "application/json"})
        is_refused(reply, 400, "invalid_client_metadata")

    def test_in_some_hundred_ways(self) -> None:
        assert len(REFUSED) + len(REFUSED_WITH_MUTUAL_TLS) > 120

    @pytest.mark.parametrize(
        ("statement", "error"),
        [
            (5, "invalid_software_statement"),
            ("", "invalid_software_statement"),
            ("nonsense", "invalid_software_statement"),
            ("a.b.", "invalid_software_statement"),
            ("a.b.c.d", "invalid_software_statement"),
            ("x" * 9000, "invalid_software_statement"),
            ("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln", "unapproved_software_statement"),
        ],
    )
    async def test_software_statements(self, invited, statement, error) -> None:
        is_refused(await invited.send(json=invited.metadata(software_statement=statement)), 400, error)


class TestTheRequest:
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"null",
            b"[]",
            b"5",
            b'"x"',
            b"{}",
            b"{",
            b"\xff\xfe{}",
            b'{"client_name": "a", "client_name": "b"}',
            b'{"jwks": {"keys": [], "keys": []}, "client_name": "x"}',
            b'{"client_name": NaN}',
            b'{"client_name": Infinity}',
            b'{"a":' * 20_000,
            b"[" * 60_000,
            b'{"n": ' + b"1" * 5000 + b"}",
            b'{"client_name": "' + b"x" * 66_000 + b'"}',
            b"client_name=x",
        ],
    )
    async def test_is_one_object_in_strict_json_of_64_kib(self, invited, content) -> None:
        reply = await invited.send(content=content, headers={"Content-Type": "application/json"})
        is_refused(reply, 400, "invalid_request")

    @pytest.mark.parametrize(
        "kind",
        ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "application/jwt"],
    )
    async def test_is_json_by_its_name(self, invited, kind) -> None:
        content = json.dumps(invited.metadata()).encode()
        is_refused(await invited.send(content=content, headers={"Content-Type": kind}), 400, "invalid_request")

    async def test_has_nothing_in_its_address(self, invited) -> None:
        reply = await invited.send(json=invited.metadata(), params={"access_token": invited.token})
        is_refused(reply, 400, "invalid_request")

    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
    async def test_is_a_post(self, world, method) -> None:
        reply = await world.http.request(method, "/oauth2/register")
        is_refused(reply, 405, "invalid_request")
        assert reply.headers["allow"] == "POST"


class TestMethods:
    async def test_a_published_address_instead_of_keys(self, invited) -> None:
        made = await invited.register(jwks=ABSENT, jwks_uri="https://keys.dinsos.example/jwks.json")
        assert made.answer["jwks_uri"] == "https://keys.dinsos.example/jwks.json"
        assert "jwks" not in made.answer
        assert (await made.approval()).detail["jwks_uri"] == made.answer["jwks_uri"]

    async def test_keys_of_every_kind(self, invited) -> None:
        three = [jose.generate(algorithm).public_jwk() for algorithm in ("ES256", "PS256", "EdDSA")]
        assert (await invited.register(**jwks(*three))).answer["jwks"]["keys"] == three

    async def test_a_key_without_kid_is_named_by_its_thumbprint(self, invited) -> None:
        made = await invited.register(**jwks({name: GOOD[name] for name in ("kty", "crv", "x", "y")}))
        assert made.answer["jwks"]["keys"][0]["kid"] == GOOD["kid"]

    @pytest.mark.parametrize(
        ("member", "value", "registered"),
        [
            ("tls_client_auth_subject_dn", "CN=rs,O=Polri,C=ID", "CN=rs,O=Polri,C=ID"),
            ("tls_client_auth_san_dns", "RS.Polri.example", "rs.polri.example"),
            ("tls_client_auth_san_uri", "https://rs.example/x", "https://rs.example/x"),
            ("tls_client_auth_san_ip", "2001:DB8::1", "2001:db8::1"),
            ("tls_client_auth_san_email", "system@RS.example", "system@rs.example"),
        ],
    )
    async def test_rfc_8705_section_2_1_2_a_name_in_a_certificate(
        self, mutual_tls, invited, member, value, registered
    ) -> None:
        made = await invited.register(**{**PKI, member: value})
        assert made.answer[member] == registered
        assert made.answer["tls_client_certificate_bound_access_tokens"] is True

    async def test_a_certificate_of_its_own(self, mutual_tls, invited) -> None:
        made = await invited.register(**SELF_SIGNED, **jwks(CERTIFICATE))
        assert made.answer["jwks"]["keys"][0]["x5c"] == CERTIFICATE["x5c"]

    @pytest.mark.parametrize(
        ("asked", "by_certificate"),
        [
            ({"dpop_bound_access_tokens": True}, False),
            ({"tls_client_certificate_bound_access_tokens": True}, True),
            ({"tls_client_certificate_bound_access_tokens": False}, False),
            ({"dpop_bound_access_tokens": False}, True),
            ({"dpop_bound_access_tokens": False, "tls_client_certificate_bound_access_tokens": True}, True),
        ],
    )
    async def test_what_tokens_are_bound_to(self, mutual_tls, invited, asked, by_certificate) -> None:
        made = await invited.register(**asked)
        assert made.answer["tls_client_certificate_bound_access_tokens"] is by_certificate
        assert made.answer["dpop_bound_access_tokens"] is not by_certificate


class TestMetadata:
    async def test_names_the_endpoint(self, world) -> None:
        found = (await world.http.get("/.well-known/oauth-authorization-server")).json()
        assert found["registration_endpoint"] == f"{world.settings.public_url}/oauth2/register"

    async def test_does_not_where_it_is_switched_off(self, world) -> None:
        with settings(world, registration="off"):
            found = (await world.http.get("/.well-known/oauth-authorization-server")).json()
        assert "registration_endpoint" not in found

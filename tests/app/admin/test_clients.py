"""Clients over `/admin/v1`: what gives them more waits for two people, what takes from them is done at once."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from auth import jose
from auth.admin.client_keys import certificate_jwk
from tests.makers import certificates
from tests.makers.admins import new_agency, new_client, public_jwk


@pytest.fixture
async def agencies(operator) -> list[str]:
    """Three agencies, by code in order."""
    return sorted([(await operator.post("/agencies", new_agency())).json()["code"] for _ in range(3)])


@pytest.fixture
async def client(operator, agencies) -> str:
    """An active client of the first two agencies."""
    body = new_client(*agencies[:2])
    assert (await operator.post("/clients", body)).json()["client"]["status"] == "active"
    return body["client_id"]


class TestRegistering:
    async def test_waits_for_another_persons_yes_and_for_the_agreed_day(self, operator, second, agencies, two_people):
        body = new_client(agencies[0], networks=["192.0.2.0/24", "2001:db8::/32"])
        reply = await operator.post("/clients", body)
        assert reply.status_code == 202, reply.text
        made, approval = reply.json()["client"], reply.json()["approval"]
        assert (made["status"], approval["state"], approval["act"]) == ("requested", "waiting", "client:approve")
        assert approval["detail"] == {
            "name": body["name"],
            "agencies": [agencies[0]],
            "scopes": body["scopes"],
            "auth_method": "private_key_jwt",
            "networks": body["networks"],
            "kids": [made["keys"][0]["kid"]],
        }
        path = f"/clients/{body['client_id']}"
        assert (await operator.post(f"{path}/activate")).status_code == 409
        assert (await second.approve(approval)).json()["state"] == "approved"
        assert (await operator.get(path)).json()["status"] == "approved"
        assert (await operator.post(f"{path}/activate")).json()["status"] == "active"
        assert (await operator.post(f"{path}/activate")).status_code == 409

    async def test_that_is_refused_leaves_it_to_practise(self, operator, officer, agencies, two_people):
        asked = (await operator.post("/clients", new_client(agencies[0]))).json()
        refused = await officer.post(f"/approvals/{asked['approval']['id']}/refuse", {"reason": "Not known."})
        assert refused.json()["state"] == "refused"
        assert (await operator.get(f"/clients/{asked['client']['client_id']}")).json()["status"] == "sandbox"

    async def test_twice_is_refused_and_changes_nothing(self, operator, agencies):
        body = new_client(agencies[0])
        await operator.post("/clients", body)
        before = (await operator.get(f"/clients/{body['client_id']}")).json()
        reply = await operator.post("/clients", {**body, "scopes": ["events.read"]})
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/admin-not-possible")
        assert (await operator.get(f"/clients/{body['client_id']}")).json() == before

    async def test_is_whole_or_nothing(self, operator, agencies):
        """The second agency is not there: nothing of the client is."""
        body = new_client(agencies[0], "no-such-agency")
        assert (await operator.post("/clients", body)).status_code == 404
        assert (await operator.get(f"/clients/{body['client_id']}")).status_code == 404

    async def test_by_certificate_or_by_a_certified_name(self, operator, agencies):
        vouched = new_client(
            agencies[0], auth_method="tls_client_auth", tls_name={"kind": "san_dns", "value": "iom.test"}
        )
        del vouched["jwks"]
        made = (await operator.post("/clients", vouched)).json()["client"]
        assert (made["tls_name"], made["certificate_bound"]) == ({"kind": "san_dns", "value": "iom.test"}, True)

    async def test_with_a_private_key_is_refused_and_the_key_is_not_repeated(self, operator, agencies):
        private = jose.generate().private_jwk()
        reply = await operator.post("/clients", new_client(agencies[0], jwks={"keys": [private]}))
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/admin-not-right")
        assert private["d"] not in reply.text

    async def test_that_publishes_its_keys_gives_their_address_alone(self, operator, agencies):
        body = new_client(agencies[0], jwks_uri="https://iom.example/jwks.json")
        assert (await operator.post("/clients", body)).status_code == 422
        del body["jwks"]
        made = (await operator.post("/clients", body)).json()["client"]
        assert (made["jwks_uri"], made["keys"]) == ("https://iom.example/jwks.json", [])

    @pytest.mark.parametrize("address", ["https://127.0.0.1/jwks", "https://inner/jwks", "https://iom.example:22/jwks"])
    async def test_an_address_that_must_not_be_asked_is_refused(self, operator, agencies, address):
        body = new_client(agencies[0], jwks_uri=address)
        del body["jwks"]
        reply = await operator.post("/clients", body)
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/admin-not-right")
        assert address not in reply.text
        assert (await operator.get(f"/clients/{body['client_id']}")).status_code == 404


class TestReading:
    async def test_shows_its_keys_and_how_often_it_was_refused(self, operator, exchange, client):
        await exchange.owner.execute(
            "INSERT INTO client_refusal VALUES ($1, $2, 'signature', 3), ($1, $3, 'signature', 50)",
            client,
            exchange.clock.now(),
            exchange.clock.now() - timedelta(hours=30),
        )
        found = (await operator.get(f"/clients/{client}")).json()
        assert found["refused"] == {"signature": 3}
        assert [key["added_by"] for key in found["keys"]] == ["admin"]
        assert (found["last_used_at"], found["last_used_from"]) == (None, None)

    async def test_finds_clients_by_agency_state_and_scope(self, operator, agencies, client):
        async def found(**filters: str) -> list[str]:
            reply = await operator.get("/clients", params={"agency": agencies[1], **filters})
            return [each["client_id"] for each in reply.json()["items"]]

        assert await found() == [client]
        assert await found(status="active", scope="cases.read") == [client]
        assert await found(status="retired") == []
        assert await found(scope="admin.write") == []
        assert await found(agency=agencies[2]) == []

    async def test_goes_by_pages(self, operator, agencies):
        added = sorted(
            [(await operator.post("/clients", new_client(agencies[2]))).json()["client"]["client_id"] for _ in range(3)]
        )
        path, found = f"/clients?agency={agencies[2]}&limit=2", []
        while path:
            page = (await operator.get(path)).json()
            found += [each["client_id"] for each in page["items"]]
            path = page["next"] and page["next"].removeprefix("/admin/v1")
        assert found == added


class TestChanging:
    async def test_less_is_done_at_once(self, operator, agencies, client, two_people):
        reply = await operator.patch(
            f"/clients/{client}", {"scopes": ["cases.read"], "agencies": [agencies[1]], "name": "New"}
        )
        changed = reply.json()
        assert changed["approval"] is None
        assert (changed["client"]["scopes"], changed["client"]["agencies"], changed["client"]["name"]) == (
            ["cases.read"],
            [agencies[1]],
            "New",
        )

    async def test_more_waits_and_less_does_not_wait_for_it(self, operator, second, agencies, client, two_people):
        wanted = {"scopes": ["cases.read", "events.read"], "agencies": [agencies[0], agencies[2]]}
        reply = (await operator.patch(f"/clients/{client}", wanted)).json()
        assert reply["approval"]["detail"] == {"scopes": ["events.read"], "agencies": [agencies[2]]}
        assert (reply["client"]["scopes"], reply["client"]["agencies"]) == (["cases.read"], [agencies[0]])
        await second.approve(reply["approval"])
        found = (await operator.get(f"/clients/{client}")).json()
        assert {name: found[name] for name in wanted} == wanted

    async def test_asking_twice_is_refused(self, operator, client, two_people):
        body = {"scopes": ["cases.read", "referrals.read", "events.read"]}
        assert (await operator.patch(f"/clients/{client}", body)).json()["approval"]["state"] == "waiting"
        assert (await operator.patch(f"/clients/{client}", body)).status_code == 409

    @pytest.mark.parametrize(
        ("before", "wanted", "at_once", "waits"),
        [
            ([], ["192.0.2.0/24"], ["192.0.2.0/24"], None),
            (["192.0.2.0/24"], ["192.0.2.7/32"], ["192.0.2.7/32"], None),
            (["192.0.2.0/24"], [], ["192.0.2.0/24"], []),
            (["192.0.2.0/24"], ["192.0.2.0/23"], ["192.0.2.0/24"], ["192.0.2.0/23"]),
            (
                ["192.0.2.0/24", "2001:db8::/32"],
                ["192.0.2.0/25", "198.51.100.0/24"],
                ["192.0.2.0/25"],
                ["192.0.2.0/25", "198.51.100.0/24"],
            ),
            (["192.0.2.0/24"], ["::/0"], ["192.0.2.0/24"], ["::/0"]),
        ],
    )
    async def test_networks_narrow_at_once_and_widen_by_two(
        self, operator, second, agencies, two_people, before, wanted, at_once, waits
    ):
        body = new_client(agencies[0], networks=before)
        await operator.post("/clients", body)
        reply = (await operator.patch(f"/clients/{body['client_id']}", {"networks": wanted})).json()
        assert sorted(reply["client"]["networks"]) == sorted(at_once)
        if waits is None:
            assert reply["approval"] is None
        else:
            assert reply["approval"]["detail"] == {"networks": waits}
            await second.approve(reply["approval"])
            assert (await operator.get(f"/clients/{body['client_id']}")).json()["networks"] == wanted

    @pytest.mark.parametrize(
        "change",
        [{}, {"scopes": ["events.read"]}, {"scopes": ["cases.read", "no.such"]}],
        ids=["nothing", "wholly other scopes", "a scope there is none"],
    )
    async def test_what_cannot_be_is_refused(self, operator, client, change):
        assert (await operator.patch(f"/clients/{client}", change)).status_code == 422
        assert (await operator.patch(f"/clients/{client}", {"agencies": ["no-such-agency"]})).status_code == 404

    async def test_a_retired_client_changes_no_more(self, operator, client):
        assert (await operator.post(f"/clients/{client}/retire")).json()["status"] == "retired"
        assert (await operator.post(f"/clients/{client}/retire")).status_code == 409
        assert (await operator.patch(f"/clients/{client}", {"name": "x"})).status_code == 409
        assert (await operator.post(f"/clients/{client}/keys", {"jwk": public_jwk()})).status_code == 409
        assert (await operator.post("/clients", new_client("police", client_id=client))).status_code == 409


class TestResuming:
    async def test_takes_two_people(self, operator, second, exchange, client, two_people):
        await exchange.owner.execute(
            "UPDATE client SET status = 'suspended', status_before = 'active' WHERE client_id = $1", client
        )
        asked = await operator.post(f"/clients/{client}/resume")
        assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
        await second.approve(asked.json())
        assert (await operator.get(f"/clients/{client}")).json()["status"] == "active"
        assert (await operator.post(f"/clients/{client}/resume")).status_code == 409


class TestKeys:
    async def test_another_key_is_added_by_two_people(self, operator, second, client, two_people):
        path = f"/clients/{client}/keys"
        (first,) = (await operator.get(path)).json()["items"]
        asked = await operator.post(path, {"jwk": public_jwk(), "overlap_seconds": 3600})
        assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
        assert (await operator.get(path)).json()["items"] == [first]
        await second.approve(asked.json())
        old, new = (await operator.get(path)).json()["items"]
        assert (old["id"], new["ends_at"]) == (first["id"], None)
        assert old["ends_at"] > new["starts_at"]

    async def test_it_starts_when_it_shall(self, operator, exchange, client):
        starts = exchange.clock.now().replace(microsecond=0) + timedelta(days=2)
        body = {"jwk": public_jwk(), "starts_at": starts.isoformat(), "overlap_seconds": 0}
        assert (await operator.post(f"/clients/{client}/keys", body)).json()["state"] == "approved"
        old, new = (await operator.get(f"/clients/{client}/keys")).json()["items"]
        assert old["ends_at"] == new["starts_at"] == starts.isoformat().replace("+00:00", "Z")

    async def test_the_present_keys_stay_unless_said_otherwise(self, operator, client):
        await operator.post(f"/clients/{client}/keys", {"jwk": public_jwk()})
        assert [key["ends_at"] for key in (await operator.get(f"/clients/{client}/keys")).json()["items"]] == [None] * 2

    async def test_the_same_key_twice_is_refused(self, operator, client):
        jwk = public_jwk()
        assert (await operator.post(f"/clients/{client}/keys", {"jwk": jwk})).status_code == 202
        assert (await operator.post(f"/clients/{client}/keys", {"jwk": jwk})).status_code == 409

    @pytest.mark.parametrize(
        "jwk",
        [
            jose.generate().private_jwk(),
            {"kty": "oct", "k": "AAAA"},
            {"kty": "EC"},
            {"x5c": ["AAAA"]},
        ],
        ids=["private", "symmetric", "half", "no certificate"],
    )
    async def test_a_key_nobody_could_use_is_not_asked_for(self, operator, client, jwk, two_people):
        reply = await operator.post(f"/clients/{client}/keys", {"jwk": jwk})
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/admin-not-right")
        assert (await operator.get("/approvals")).json()["items"] == []

    async def test_ending_one_is_done_at_once(self, operator, client, exchange, two_people):
        (key,) = (await operator.get(f"/clients/{client}/keys")).json()["items"]
        path = f"/clients/{client}/keys/{key['id']}/end"
        assert (await operator.post(path)).json()["items"][0]["ends_at"] is not None
        assert (await operator.post(path)).status_code == 404
        assert (await operator.post(f"/clients/{client}/keys/{uuid.uuid4()}/end")).status_code == 404

    async def test_the_agencies_are_told(self, operator, client, exchange):
        await operator.post(f"/clients/{client}/keys", {"jwk": public_jwk()})
        (key, _) = (await operator.get(f"/clients/{client}/keys")).json()["items"]
        await operator.post(f"/clients/{client}/keys/{key['id']}/end")
        rows: list[Any] = await exchange.owner.fetch("SELECT type, subject_id FROM outbox WHERE subject = 'client_key'")
        assert sorted(row["type"] for row in rows) == ["client.key_added"] * 2 + ["client.key_ended"] * 2

    async def test_certificates_are_keys_of_a_client_that_registered_one(self, operator, agencies):
        def jwk() -> dict[str, Any]:
            return certificate_jwk(certificates.self_signed().pem)

        body = new_client(agencies[0], auth_method="self_signed_tls_client_auth", jwks={"keys": [jwk()]})
        assert (await operator.post("/clients", body)).status_code == 202
        reply = await operator.post(f"/clients/{body['client_id']}/keys", {"jwk": jwk()})
        assert reply.json()["state"] == "approved", reply.text

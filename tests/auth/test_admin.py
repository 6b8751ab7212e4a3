"""Administration: what the command line calls."""

from __future__ import annotations

import json
from datetime import timedelta

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from app.client import Credentials
from auth import jose
from auth.admin import errors
from auth.admin.agencies import (
    add_agency,
    add_service_point,
    close_agency,
    list_agencies,
    resume_agency,
    suspend_agency,
)
from auth.admin.client_changes import add_client_key
from auth.admin.client_keys import certificate_jwk, end_client_key
from auth.admin.clients import add_client, list_clients
from auth.admin.errors import InvalidValueError, UnusableKeyError
from auth.scopes import UnknownScopeError
from tests.makers.auth import rsa_key
from tests.makers.certificates import SERVER, self_signed, weak_key
from tests.makers.standing import resume_client, suspend_client


@pytest.fixture
def by(world):
    return {"now": world.clock.now(), "actor": "staff-7"}


@pytest.fixture
async def log(world):
    owner = await asyncpg.connect(world.addresses.owner)

    async def entries(action):
        rows = await owner.fetch(
            "SELECT *, detail::text AS said FROM log_entry WHERE action = $1 AND actor = 'staff-7'", action
        )
        return [(row["outcome"], row["subject"], json.loads(row["said"])) for row in rows]

    yield entries
    await owner.close()


async def register(world, by, **values):
    agency = await world.agency()
    credentials = Credentials.generate(f"client-{agency}", world.settings.public_url)
    given = {
        "client_id": credentials.client_id,
        "name": "A system",
        "agencies": [agency],
        "scopes": ["cases.read"],
        "jwks": credentials.public_jwks(),
        **by,
        **values,
    }
    await add_client(world.admin, **given)
    return given


class TestAgencies:
    async def test_added_listed_and_logged(self, world, by, log):
        parent = await world.agency()
        id = await add_agency(
            world.admin,
            code=f"{parent}-1",
            name="RPTC",
            kind="trauma_centre",
            parent=parent,
            accepts={"men": "yes"},
            capacity=10,
            **by,
        )
        (listed,) = [agency for agency in await list_agencies(world.admin) if agency.id == id]
        assert (listed.code, listed.parent, listed.status, listed.country) == (f"{parent}-1", parent, "active", "ID")
        assert ("done", "agency", {"code": f"{parent}-1"}) in await log("agency:add")

    @pytest.mark.parametrize(
        "values",
        [
            {"code": "UPPER"},
            {"code": "-x"},
            {"code": "x"},
            {"code": "x" * 64},
            {"code": "a b"},
            {"country": "Indonesia"},
            {"capacity": -1},
            {"name": " "},
            {"name": "a\nb"},
        ],
    )
    async def test_bad_values(self, world, by, values):
        with pytest.raises(errors.InvalidValueError):
            await add_agency(world.admin, **{"code": "new-agency", "name": "New", "kind": "shelter", **by, **values})

    async def test_a_code_is_taken_once(self, world, by):
        code = await world.agency()
        with pytest.raises(errors.TakenError):
            await add_agency(world.admin, code=code, name="Again", kind="trauma_centre", **by)

    async def test_an_unknown_one(self, world, by):
        with pytest.raises(errors.UnknownAgencyError):
            await suspend_agency(world.admin, "nowhere", **by)
        with pytest.raises(errors.UnknownAgencyError):
            await add_agency(
                world.admin, code="child-of-nobody", name="X", kind="trauma_centre", parent="nowhere", **by
            )
        with pytest.raises(errors.UnknownAgencyError):
            await add_service_point(world.admin, agency="nowhere", name="X", confidential=False, **by)

    async def test_a_closed_one_stays_closed(self, world, by):
        code = await world.agency()
        await close_agency(world.admin, code, **by)
        with pytest.raises(errors.UnknownAgencyError, match="not closed"):
            await resume_agency(world.admin, code, **by)

    async def test_the_address_of_a_confidential_service_point_is_not_kept(self, world, by):
        code = await world.agency()
        with pytest.raises(errors.InvalidValueError):
            await add_service_point(
                world.admin, agency=code, name="A house", confidential=True, address="Street 1", **by
            )
        with pytest.raises(asyncpg.CheckViolationError):
            await world.admin.execute(
                "INSERT INTO service_point SELECT gen_random_uuid(), id, 'x', true, NULL, 'Street 1', '{}', created_at FROM agency LIMIT 1"
            )


class TestClients:
    async def test_added_listed_and_logged(self, world, by, log):
        given = await register(world, by, scopes=["events.read", "cases.read", "cases.read"])
        (listed,) = [client for client in await list_clients(world.admin) if client.client_id == given["client_id"]]
        kid = given["jwks"]["keys"][0]["kid"]
        assert (listed.status, listed.scopes, listed.agencies, listed.last_used_at) == (
            "active",
            ("cases.read", "events.read"),
            tuple(given["agencies"]),
            None,
        )
        assert [(key.kid, key.ends_at) for key in listed.keys] == [(kid, None)]
        entry = {
            "client_id": given["client_id"],
            "agencies": given["agencies"],
            "scopes": ["cases.read", "events.read"],
            "auth_method": "private_key_jwt",
            "status": "active",
            "kids": [kid],
        }
        assert ("done", "client", entry) in await log("client:add")

    @pytest.mark.parametrize(
        "values", [{"client_id": "X Y"}, {"client_id": "ab"}, {"name": ""}, {"agencies": []}, {"scopes": []}]
    )
    async def test_bad_values(self, world, by, values):
        with pytest.raises(errors.InvalidValueError):
            await register(world, by, **values)

    async def test_unknown_scopes_and_agencies(self, world, by):
        with pytest.raises(UnknownScopeError, match="scopes are: admin"):
            await register(world, by, scopes=["admin"])
        with pytest.raises(errors.UnknownAgencyError):
            await register(world, by, agencies=["nowhere"])

    async def test_nothing_is_left_of_a_failed_one(self, world, by):
        with pytest.raises(errors.UnknownAgencyError):
            await register(world, by, client_id="client-half", agencies=[await world.agency(), "nowhere"])
        assert not await world.admin.fetchval("SELECT true FROM client WHERE client_id = 'client-half'")

    async def test_an_id_is_taken_once(self, world, by):
        given = await register(world, by)
        with pytest.raises(errors.TakenError):
            await register(world, by, client_id=given["client_id"])

    @pytest.mark.parametrize(
        "keys",
        [
            None,
            [],
            "x",
            ["x"],
            [jose.generate().private_jwk()],
            [{"kty": "oct", "k": "c2VjcmV0"}],
            [rsa_key(1024).as_dict(private=False)],
            [{"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"}],
            [{"kty": 5}],
            [{**jose.generate().public_jwk(), "kid": "same"}, {**jose.generate().public_jwk(), "kid": "same"}],
        ],
        ids=[
            "none",
            "empty",
            "a string",
            "strings",
            "private",
            "a secret",
            "RSA 1024",
            "unknown curve",
            "kty a number",
            "one kid twice",
        ],
    )
    async def test_keys_a_client_may_not_have(self, world, by, keys):
        with pytest.raises(errors.UnusableKeyError):
            await register(world, by, jwks={"keys": keys})

    async def test_the_database_refuses_a_private_key_as_well(self, world, by):
        given = await register(world, by)
        with pytest.raises(asyncpg.CheckViolationError):
            await world.admin.execute(
                'UPDATE client_key SET jwk = jwk || \'{"d": "AQ"}\' WHERE client_id = $1', given["client_id"]
            )

    async def test_suspended_and_resumed(self, world, by, log):
        given = await register(world, by)
        for function, status in ((suspend_client, "suspended"), (resume_client, "active")):
            await function(world.admin, given["client_id"], **by)
            assert (
                await world.admin.fetchval("SELECT status FROM client WHERE client_id = $1", given["client_id"])
                == status
            )
        assert ("done", "client", {"client_id": given["client_id"], "status": "suspended"}) in await log(
            "client:suspend"
        )

    async def test_a_key_is_rotated(self, world, by, log):
        given = await register(world, by)
        ends = by["now"] + timedelta(days=7)
        kid = await add_client_key(
            world.admin, given["client_id"], jwk=jose.generate().public_jwk(), overlap=timedelta(days=7), **by
        )
        (listed,) = [client for client in await list_clients(world.admin) if client.client_id == given["client_id"]]
        assert {key.kid: key.ends_at for key in listed.keys} == {given["jwks"]["keys"][0]["kid"]: ends, kid: None}
        assert len(await log("client:add_key")) == 1

    async def test_an_earlier_end_is_not_put_off(self, world, by):
        given = await register(world, by)
        first = given["jwks"]["keys"][0]["kid"]
        await end_client_key(world.admin, given["client_id"], first, **by)
        await add_client_key(
            world.admin,
            given["client_id"],
            jwk=jose.generate().public_jwk(),
            overlap=timedelta(days=7),
            **by,
        )
        assert await world.admin.fetchval("SELECT ends_at FROM client_key WHERE kid = $1", first) == by["now"]

    async def test_unknown_clients_and_keys(self, world, by):
        given = await register(world, by)
        for function in (suspend_client, resume_client):
            with pytest.raises(errors.UnknownClientError):
                await function(world.admin, "client-nobody", **by)
        with pytest.raises(errors.UnknownClientError):
            await add_client_key(
                world.admin, "client-nobody", jwk=jose.generate().public_jwk(), overlap=timedelta(), **by
            )
        with pytest.raises(errors.UnknownKeyError):
            await end_client_key(world.admin, given["client_id"], "another", **by)
        with pytest.raises(errors.TakenError):
            await add_client_key(
                world.admin, given["client_id"], jwk=given["jwks"]["keys"][0], overlap=timedelta(), **by
            )


class TestRegisteredCertificates:
    """RFC 8705 §2.2.2: a JWK with its certificate in `x5c`."""

    @pytest.mark.parametrize(
        "change",
        [
            lambda jwk: {**jwk, "x5c": []},
            lambda jwk: {name: jwk[name] for name in jwk if name != "x5c"},
            lambda jwk: {**jwk, "x5c": ["bm8="]},
            lambda jwk: {**jwk, "x5c": [7]},
            lambda jwk: {**jwk, "x5c": certificate_jwk(self_signed().pem)["x5c"]},
            lambda jwk: {**jwk, "d": "private"},
            lambda jwk: certificate_jwk(self_signed(purposes=SERVER).pem),
            lambda jwk: "no JWK",
        ],
    )
    async def test_what_is_none_is_refused(self, world, change):
        jwks = {"keys": [change(certificate_jwk(self_signed().pem))]}
        agency = await world.agency()
        with pytest.raises(UnusableKeyError):
            await world.act(
                add_client,
                client_id=f"client-{agency}",
                name="x",
                agencies=[agency],
                scopes=["cases.read"],
                auth_method="self_signed_tls_client_auth",
                jwks=jwks,
            )

    @pytest.mark.parametrize("key", [weak_key(), ec.generate_private_key(ec.SECP384R1())], ids=["RSA-1024", "P-384"])
    def test_a_key_no_registration_takes_is_told_at_once(self, key):
        with pytest.raises(UnusableKeyError):
            certificate_jwk(self_signed(key=key).pem)

    @pytest.mark.parametrize(
        "values",
        [
            {"auth_method": "none"},
            {"auth_method": "client_secret_basic", "jwks": {"keys": []}},
            {"auth_method": "tls_client_auth"},
            {"auth_method": "tls_client_auth", "tls_name": ("san_dns", "a.example"), "jwks": {"keys": []}},
            {"auth_method": "private_key_jwt", "tls_name": ("san_dns", "a.example")},
        ],
    )
    async def test_half_a_registration_is_refused(self, world, values):
        agency = await world.agency()
        given = {"client_id": f"client-{agency}", "name": "x", "agencies": [agency], "scopes": ["cases.read"]}
        with pytest.raises(InvalidValueError):
            await world.act(add_client, **given, **values)

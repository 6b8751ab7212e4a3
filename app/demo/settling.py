"""The directory the demonstration needs: the sample agencies, their service points, and a client for each that acts,
and what agencies have agreed.

What is there already is left as it is, so that the demonstration can be run again on the same data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from app.client import Credentials
from app.demo import queries, sharing
from app.demo.systems import DemoError
from app.foundation.database import Addresses, Connection, connection
from auth.admin import agreements
from auth.admin.agencies import add_agency, add_service_point, list_agencies, set_desk
from auth.admin.client_changes import add_client_key
from auth.admin.clients import ListedClient, add_client, list_clients
from auth.scopes import AGENCY_SCOPES

ACTOR: Final = "demo"
DESK: Final = "kemensos"
_HOUSES: Final = frozenset(
    {"trauma_centre", "sentra", "sentra_terpadu", "uptd_ppa", "international_organisation", "civil_society"}
)
"""Kinds of agency that may run a house whose address is not told."""
_SEVERAL_HOUSES: Final = {"rptc-tanjung-pinang": 2}
"""The others have one. Two people who must not meet can both be taken in here (case 03)."""


def client_of(code: str) -> str:
    """Return the id of the client that acts for an agency."""
    return f"{code}-system"


async def settle_in(
    where: Addresses,
    agencies: Sequence[Mapping[str, Any]],
    acting: Iterable[str],
    acting_for: Iterable[tuple[str, str]],
    shared: Sequence[sharing.Shared],
    *,
    folder: Path,
    issuer: str,
    at: datetime,
) -> dict[str, Credentials]:
    """Add what is missing, as of `at`, and return the credentials of every agency that acts.

    `acting_for`: an agency, and the one that records for it. `shared`: what agencies agree to send each other.
    """
    if where.owner is not None:
        async with connection(where.owner) as owner:
            await queries.remember_proofs_from(owner, at)
    async with connection(where.of("admin")) as conn, conn.transaction():
        known = {agency.code for agency in await list_agencies(conn)}
        for agency in agencies:
            if agency["code"] not in known:
                await _add_agency(conn, agency, at)
        if DESK not in known:
            await set_desk(conn, DESK, now=at, actor=ACTOR)
        for party, by in sorted(acting_for):
            if party not in known:
                await agreements.add_acts_for(conn, agency=party, by=by, reference="PKS-CONTOH/01", now=at, actor=ACTOR)
        await sharing.agree(conn, shared, at=at, actor=ACTOR)
        registered = {client.client_id: client for client in await list_clients(conn)}
        return {
            code: await _client(conn, code, registered.get(client_of(code)), folder=folder, issuer=issuer, at=at)
            for code in acting
        }


async def _add_agency(conn: Connection, agency: Mapping[str, Any], at: datetime) -> None:
    code, region = agency["code"], agency["region"]
    known = {name: value for name, value in agency.items() if name not in ("code", "region")}
    await add_agency(conn, code=code, region=region, now=at, actor=ACTOR, **known)
    await add_service_point(
        conn,
        agency=code,
        name=f"Kantor {agency['name']}",
        confidential=False,
        region=region,
        address="Jalan Contoh 1",
        now=at,
        actor=ACTOR,
    )
    houses = (
        _SEVERAL_HOUSES.get(agency["code"], 1) if agency["kind"] in _HOUSES and agency["residential"] != "no" else 0
    )
    for number in range(1, houses + 1):
        await add_service_point(
            conn,
            agency=code,
            name="Rumah aman" if number == 1 else f"Rumah aman {number}",
            confidential=True,
            region=region,
            services=["shelter"],
            now=at,
            actor=ACTOR,
        )


async def _client(
    conn: Connection, code: str, registered: ListedClient | None, *, folder: Path, issuer: str, at: datetime
) -> Credentials:
    """Return the credentials from the client's file, making file and client where they are missing."""
    client_id = client_of(code)
    path = folder / f"{client_id}.json"
    found = Credentials.load(path) if path.exists() else None
    credentials = found or Credentials.generate(client_id, issuer)
    kid = credentials.signing_key().public.kid
    keys = {key.kid: key for key in registered.keys} if registered else {}
    if kid in keys and keys[kid].starts_at > at:
        raise DemoError(
            f"the client {client_id} was registered by hand, with a key that is younger than the demonstration's nine weeks.\n"
            "  Set RUJUKAN_DATA_DIR to another folder."
        )
    if registered is None:
        await add_client(
            conn,
            client_id=client_id,
            name=f"Sistem {code}",
            agencies=[code],
            scopes=sorted(AGENCY_SCOPES),
            jwks=credentials.public_jwks(),
            now=at,
            actor=ACTOR,
        )
    elif kid not in keys:
        # the file that held its key is gone, or another: what remains of the old key is of no use to anybody
        (jwk,) = credentials.public_jwks()["keys"]
        await add_client_key(conn, client_id, jwk=jwk, now=at, actor=ACTOR)
    if found is not None and found.issuer != issuer:
        credentials = dataclasses.replace(found, issuer=issuer)
        path.unlink()
        found = None
    if found is None:
        credentials.save(path)
    return credentials

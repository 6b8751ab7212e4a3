"""Every binary column of the catalogue is sealed, a hash, or public; what is sealed opens in its own place and in no other."""

from __future__ import annotations

from typing import cast, get_args
from uuid import UUID

import pytest
import tink

from app.foundation.keyring import Place, Sealed, SealedColumn
from tests.makers import cases, records
from tests.makers.world import World

NOT_SEALED = {
    "admin_session.token_hash": "hash",
    "bulk_import.digest": "keyed hash",
    "assertion_jti.hash": "hash",
    "attachment_chunk.data": "encrypted under the file's key, which attachment.wrapped_key holds",
    "ceremony.token_hash": "hash",
    "client.registration_hash": "hash",
    "encryption_key.proof": "nothing, encrypted",
    "idempotency.request_hash": "keyed hash",
    "initial_access_token.token_hash": "hash",
    "invitation.code_hash": "hash",
    "invitation.token_hash": "hash",
    "keyring_mark.fingerprint": "keyed hash",
    "log_key.public": "public",
    "log_leaf.hash": "hash of an entry, which says nothing of a person",
    "log_subtree.hash": "hash",
    "passkey.credential_id": "public",
    "passkey.public_key": "public",
    "proof_jti.hash": "hash",
    "record_content.parts": "encrypted under the version's key, which wrapped_key holds",
    "record_version.needs_hash": "keyed hash",
    "referral.needs_hash": "keyed hash",
}


async def test_every_binary_column_is_sealed_or_is_known_not_to_need_it(world: World) -> None:
    rows = await world.owner.fetch(
        """SELECT c.relname || '.' || a.attname AS name FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
           WHERE a.atttypid IN ('bytea'::regtype, 'bytea[]'::regtype) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
             AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped AND a.attnum > 0"""
    )
    sealed = set(get_args(SealedColumn))
    assert {row["name"] for row in rows} == sealed | set(NOT_SEALED)
    listed = await world.owner.fetch("SELECT * FROM sealed_columns()")
    assert {row["place"] for row in listed} == sealed, "the keyring, the database and this test list the same"


async def everything_said(world: World) -> None:
    """Something sealed in every column there is."""
    await world.busy()
    await cases.said_everywhere(world)


class TestWhatIsSealed:
    async def test_opens_in_its_own_place_and_nowhere_else(self, world: World) -> None:
        await everything_said(world)
        keyring = world.exchange.keyring
        columns = await world.owner.fetch("SELECT * FROM sealed_columns()")
        other = UUID(int=99)
        empty = set()
        for each in columns:
            of = each["of_col"] or "NULL::uuid"
            rows = await world.owner.fetch(
                f"SELECT {each['id_col']} AS id, {of} AS of, {each['col']} AS sealed FROM {each['relation']}"
                f" WHERE {each['col']} IS NOT NULL ORDER BY 1 LIMIT 3"
            )
            if not rows:
                empty.add(each["place"])
            for row in rows:
                column = cast(SealedColumn, each["place"])
                place, sealed = Place(column, row["id"], row["of"]), row["sealed"]
                elsewhere = [Place(cast(SealedColumn, name), row["id"], row["of"]) for name in get_args(SealedColumn)]
                elsewhere.remove(place)
                elsewhere += [Place(column, other, row["of"]), Place(column, row["id"], other)]
                elsewhere += [Place(column, row["id"])] * (row["of"] is not None)
                assert keyring.rewrapped(place, sealed if column.endswith(".wrapped_key") else header(sealed))
                if column == "record_content.wrapped_key":
                    assert row["of"] is not None
                    assert keyring.open_parts(row["id"], Sealed(sealed, {}), case_id=row["of"]) == {}
                    for version, case in ((other, row["of"]), (row["id"], other)):
                        with pytest.raises(tink.TinkError):
                            keyring.open_parts(version, Sealed(sealed, {}), case_id=case)
                    continue
                opened = keyring.unwrap_key if column == "attachment.wrapped_key" else keyring.open_one
                assert opened(place, sealed), column
                for wrong in elsewhere:
                    with pytest.raises(tink.TinkError):
                        opened(wrong, sealed)
        assert empty == set(), "nothing was said that would lie there"

    async def test_of_a_record_copied_to_another_case_is_an_error_and_no_disclosure(self, world: World) -> None:
        accepted, other = await world.accepted(), await world.accepted(record=records.record(needs=("medical",)))
        await world.owner.execute(
            """UPDATE record_content t SET wrapped_key = s.wrapped_key, parts = s.parts FROM record_content s
               WHERE s.case_id = $1 AND t.case_id = $2""",
            UUID(accepted.case_id),
            UUID(other.case_id),
        )
        assert (await other.receiver.get(other.path)).status_code == 500
        assert (await accepted.receiver.get(accepted.path)).status_code == 200


def header(sealed: bytes) -> bytes:
    return sealed[: 4 + int.from_bytes(sealed[:4], "big")]

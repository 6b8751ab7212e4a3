"""Files: uploaded, shown to their uploader, downloaded in whole or in part, deleted, and cleaned up."""

from __future__ import annotations

import base64
import hashlib
import uuid
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.exchange.attachments.encryption import CHUNK
from app.exchange.attachments.service import destroy, file_name
from app.foundation.problems import InvalidRequest
from auth.scopes import Scope
from tests.makers import files
from tests.makers.files import PDF, content_of, delete, streamed, upload, uploaded
from tests.makers.world import World

NAME = "Visum Siti Kanari.pdf"


def digest_of(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def disposition(name: str) -> str:
    return "attachment; filename*=UTF-8''" + "".join(f"%{byte:02X}" for byte in name.encode())


async def bind(world: World, attachment_id: str, passed: Any) -> None:
    row = await world.row(passed)
    await world.owner.execute(
        "INSERT INTO record_attachment (version_id, case_id, attachment_id, section) VALUES ($1, $2, $3, 'health')",
        row["version_id"],
        UUID(passed.case_id),
        UUID(attachment_id),
    )


async def look_after(world: World) -> None:
    while await world.exchange.worker.look_after_files():
        pass


async def rows_of(world: World, table: str = "attachment") -> list[asyncpg.Record]:
    found: list[asyncpg.Record] = await world.owner.fetch(f"SELECT * FROM {table}")
    return found


class TestAnUpload:
    async def test_is_kept_encrypted_and_known_to_its_uploader_alone(self, world: World) -> None:
        content = files.pdf(CHUNK + 1000)
        made = await upload(
            world.police,
            content,
            kind="application/pdf",
            content_digest=digest_of(content),
            content_disposition=disposition(NAME),
        )
        assert made.status_code == 201, made.text
        said = made.json()
        path = made.headers["Location"]
        assert path == f"/v1/attachments/{said['id']}"
        assert (said["section"], said["media_type"], said["size"], said["state"]) == (
            "health",
            "application/pdf",
            len(content),
            "ready",
        )
        assert (said["digest"], said["file_name"], said["bound"]) == (digest_of(content), NAME, False)
        shown = await world.police.get(path)
        assert shown.json() == {name: value for name, value in said.items() if name not in ("log_entry", "receipt")}
        assert shown.headers["cache-control"] == "no-store"
        await world.exchange.worker.seal_log()
        assert (await world.police.get(said["receipt"])).status_code == 200
        listed = (await world.police.get("/v1/attachments")).json()
        assert [each["id"] for each in listed["items"]] == [said["id"]]
        assert "file_name" not in listed["items"][0]
        assert (await world.police.get("/v1/attachments?state=scanning")).json()["items"] == []

        for who in (world.iom, world.stranger):
            for answer in (await who.get(path), await content_of(who, said["id"]), await delete(who, said["id"])):
                assert answer.status_code == 404
            assert (await who.get("/v1/attachments")).json()["items"] == []

        chunks = await rows_of(world, "attachment_chunk")
        assert [len(row["data"]) for row in sorted(chunks, key=lambda row: row["number"])] == [CHUNK + 16, 1016]
        at_rest = repr(
            [
                dict(row)
                for table in ("attachment", "attachment_chunk", "log_entry")
                for row in await rows_of(world, table)
            ]
        )
        for secret in ("Kanari", "%PDF", hashlib.sha256(content).hexdigest(), digest_of(content)):
            assert secret not in at_rest
        (entry,) = await world.log(action="attachment:upload")
        assert (entry["outcome"], str(entry["id"])) == ("done", said["log_entry"])

    async def test_twice_under_one_key_is_one(self, world: World) -> None:
        key = str(uuid.uuid4())
        first = await uploaded(world.police, key=key)
        assert await uploaded(world.police, key=key) == first
        assert len(await rows_of(world)) == 1
        for content, more in (
            (files.pdf(1000), {}),
            (PDF, {"section": "legal"}),
            (PDF, {"kind": "application/pdf"}),
            (PDF, {"content_disposition": disposition(NAME)}),
        ):
            assert (await upload(world.police, content, key=key, **more)).json()[
                "type"
            ] == "/problems/idempotency-key-reused"
        assert (await upload(world.iom, PDF, key=key)).status_code == 201, "another agency's key is another"
        await delete(world.police, first["id"])
        assert (await upload(world.police, PDF, key=key)).status_code == 404, "uploaded under this key, and gone since"

    async def test_that_is_wrong_leaves_nothing(self, world: World) -> None:
        limit = world.exchange.settings.attachment_bytes
        bad = world.police
        for what, status, problem, sent in (
            ("nothing", 400, "attachment-empty", {"content": b""}),
            ("too much, as it says", 413, "attachment-too-large", {"content": PDF, "content_length": str(limit + 1)}),
            ("another type", 422, "attachment-type-contradicted", {"kind": "image/png"}),
            ("a type nobody takes", 415, "attachment-type-refused", {"kind": "text/html"}),
            ("a page", 415, "attachment-type-refused", {"content": files.REFUSED["a page"][1]}),
            ("damaged", 422, "digest-mismatch", {"content_digest": digest_of(b"another")}),
            ("no digest", 422, "invalid-request", {"content_digest": "sha-256=:AAAA:"}),
            ("compressed", 415, "attachment-type-refused", {"content_encoding": "gzip"}),
            ("a folder in its name", 422, "invalid-request", {"content_disposition": disposition("../a.pdf")}),
            ("no such section", 422, "invalid-request", {"section": "rumours"}),
            ("another parameter", 422, "invalid-request", {"section": "health&name=a"}),
        ):
            reply = await upload(bad, **sent)
            assert (reply.status_code, reply.json()["type"]) == (status, f"/problems/{problem}"), (what, reply.text)
        form = await world.police.client.request("POST", "/v1/attachments", content=PDF, actor="officer-7")
        assert form.status_code == 422, "no section"
        nobody = await world.police.client.request("POST", "/v1/attachments?section=health", content=PDF)
        assert nobody.json()["type"] == "/problems/actor-required"
        await look_after(world)
        assert await rows_of(world) == [] == await rows_of(world, "attachment_chunk")
        refused = {row["outcome"] for row in await world.log(action="upload_attachment")}
        assert refused == {"type_refused", "type_contradicted"}

    async def test_takes_any_other_digest_and_no_name_for_none(self, world: World) -> None:
        made = await uploaded(
            world.police, content_digest="md5=:AAAA:", content_disposition="attachment", kind="application/octet-stream"
        )
        assert made["file_name"] is None

    async def test_ends_where_the_agency_has_too_much_that_goes_with_no_record(self, world: World) -> None:
        passed = await world.accepted()
        first = await uploaded(world.police)
        with files.settings(world, attachment_quota_bytes=2 * len(PDF) - 1):
            refused = await upload(world.police)
            assert (refused.status_code, refused.json()["type"]) == (409, "/problems/attachment-quota-reached")
            assert (await upload(world.iom)).status_code == 201, "another agency has its own"
            await bind(world, first["id"], passed)
            await uploaded(world.police)

    async def test_that_dawdles_or_is_cut_off_leaves_nothing(self, world: World) -> None:
        with files.settings(world, attachment_seconds=0.2):
            refused = await streamed(world.police, world, files.drop_by_drop())
        assert (refused.status_code, refused.json()["type"]) == (408, "/problems/upload-too-slow")
        refused = await streamed(world.police, world, files.cut_off())
        assert (refused.status_code, refused.json()["type"]) == (400, "/problems/upload-cut-off")
        await look_after(world)
        assert await rows_of(world) == []

    async def test_into_a_database_that_is_full_is_told_to_come_again(self, world: World) -> None:
        await world.owner.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.number = 1 THEN"
            " RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END IF; RETURN NEW; END $$;"
            "CREATE TRIGGER full_disk BEFORE INSERT ON attachment_chunk FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
        try:
            refused = await upload(world.police, files.pdf(CHUNK + 1))
            assert (refused.status_code, refused.json()["type"]) == (503, "/problems/service-unavailable")
        finally:
            await world.owner.execute("DROP FUNCTION full_disk CASCADE")
        await look_after(world)
        assert await rows_of(world) == [] == await rows_of(world, "attachment_chunk")

    async def test_needs_its_scope(self, world: World) -> None:
        narrow = world.police.client.__class__(
            world.police.client.credentials,
            scope=" ".join(each for each in Scope if each is not Scope.attachments_write),
            clock=world.exchange.clock,
            http=world.exchange.http,
        )
        reply = await narrow.request("POST", "/v1/attachments?section=health", content=PDF, actor="officer-7")
        assert reply.status_code == 403
        assert await rows_of(world) == []


class TestADownload:
    async def test_is_never_shown_by_a_browser_nor_kept(self, world: World) -> None:
        made = await uploaded(world.police, content_disposition=disposition(NAME))
        for method in ("GET", "HEAD"):
            got = await content_of(world.police, made["id"], method)
            assert (got.status_code, got.content) == (200, PDF if method == "GET" else b"")
            headers = {name: got.headers.get_list(name) for name in got.headers}
            assert headers["content-disposition"] == [f'attachment; filename="attachment-{made["id"]}.pdf"']
            assert headers["content-type"] == ["application/pdf"]
            assert headers["x-content-type-options"] == ["nosniff"]
            assert headers["content-security-policy"] == ["sandbox; default-src 'none'"]
            assert headers["cache-control"] == ["no-store"]
            assert headers["content-length"] == [str(len(PDF))]
            assert headers["repr-digest"] == [digest_of(PDF)]
            assert headers["accept-ranges"] == ["bytes"]
        assert len(await world.log(action="attachment:read")) == 2

    async def test_may_be_a_range(self, world: World) -> None:
        size = 2 * CHUNK + 100
        content = files.pdf(size)
        made = await uploaded(world.police, content)
        etag = f'"{made["id"]}"'
        for asked, status, begins, ends in (
            ("bytes=0-0", 206, 0, 1),
            ("bytes=0-", 206, 0, size),
            (f"bytes={CHUNK - 1}-{CHUNK}", 206, CHUNK - 1, CHUNK + 1),
            (f"bytes={CHUNK}-{2 * CHUNK - 1}", 206, CHUNK, 2 * CHUNK),
            ("bytes=-5", 206, size - 5, size),
            (f"bytes=-{size * 9}", 206, 0, size),
            (f"bytes=10-{size * 9}", 206, 10, size),
            ("bytes=5-4", 200, 0, size),
            ("bytes=0-1,5-6", 200, 0, size),
            ("lines=0-1", 200, 0, size),
            ("bytes=a-b", 200, 0, size),
        ):
            got = await content_of(world.police, made["id"], range=asked)
            assert (got.status_code, got.content == content[begins:ends]) == (status, True), asked
            expected = f"bytes {begins}-{ends - 1}/{size}" if status == 206 else None
            assert got.headers.get("content-range") == expected, asked
        for asked in (f"bytes={size}-", "bytes=-0", f"bytes={size}-{size + 1}"):
            got = await content_of(world.police, made["id"], range=asked)
            assert (got.status_code, got.headers["content-range"]) == (416, f"bytes */{size}"), asked
        for condition, status in (
            (etag, 206),
            ('"another"', 200),
            (f"W/{etag}", 200),
            ("Sat, 28 Nov 2026 00:00:00 GMT", 200),
        ):
            got = await content_of(world.police, made["id"], range="bytes=0-0", if_range=condition)
            assert got.status_code == status, condition
        assert (await content_of(world.police, made["id"], "HEAD", range="bytes=0-0")).status_code == 200

    async def test_of_what_was_altered_at_rest_is_refused_whatever_was_altered(self, world: World) -> None:
        made = await uploaded(world.police, files.pdf(3 * CHUNK))
        other = await uploaded(world.police, files.pdf(3 * CHUNK))
        ids = UUID(made["id"]), UUID(other["id"])
        swap = (
            "UPDATE attachment_chunk c SET data = (SELECT data FROM attachment_chunk o WHERE o.attachment_id = $2 AND o.number = $3)"
            " WHERE attachment_id = $1 AND number = 0"
        )
        for change in (
            ("UPDATE attachment SET size = size - 1 WHERE id = $1", ids[0]),
            (swap, ids[0], ids[1], 0),
            (swap, ids[0], ids[0], 1),
            ("DELETE FROM attachment_chunk WHERE attachment_id = $1 AND number = 0", ids[0]),
            (
                "UPDATE attachment SET wrapped_key = (SELECT wrapped_key FROM attachment WHERE id = $2) WHERE id = $1",
                *ids,
            ),
        ):
            async with _undone(world.owner, *change):
                assert (await content_of(world.police, made["id"])).status_code == 500, change
        assert (await content_of(world.police, made["id"])).status_code == 200

    async def test_goes_on_under_the_key_of_the_next_month(self, world: World) -> None:
        made = await uploaded(world.police)
        listed = await world.owner.fetch("SELECT place FROM sealed_columns() WHERE relation = 'attachment'")
        assert {row["place"] for row in listed} == {"attachment.wrapped_key", "attachment.detail"}
        found = await world.owner.fetch("SELECT * FROM keys_to_move('attachment.wrapped_key', 0, NULL, 10)")
        assert [str(row["id"]) for row in found] == [made["id"]]


class _undone:  # noqa: N801 -- reads as a word
    """A change by somebody with the database, seen by everybody, and put back afterwards."""

    def __init__(self, owner: asyncpg.Connection, statement: str, *arguments: Any) -> None:
        self._owner, self._statement, self._arguments = owner, statement, arguments

    async def __aenter__(self) -> None:
        tables = ("attachment_chunk", "attachment")
        self._kept = {table: await self._owner.fetch(f"SELECT * FROM {table}") for table in tables}
        await self._owner.execute(self._statement, *self._arguments)

    async def __aexit__(self, *_: object) -> None:
        await self._owner.execute("DELETE FROM attachment_chunk")
        for row in self._kept["attachment"]:
            await self._owner.execute(
                "UPDATE attachment SET size = $2, wrapped_key = $3 WHERE id = $1",
                row["id"],
                row["size"],
                row["wrapped_key"],
            )
        await self._owner.executemany(
            "INSERT INTO attachment_chunk (attachment_id, number, data) VALUES ($1, $2, $3)",
            [tuple(row) for row in self._kept["attachment_chunk"]],
        )


class TestTheEnd:
    async def test_of_a_file_comes_when_its_uploader_deletes_it(self, world: World) -> None:
        made = await uploaded(world.police)
        assert (await delete(world.police, made["id"])).status_code == 204
        for answer in (
            await world.police.get(f"/v1/attachments/{made['id']}"),
            await content_of(world.police, made["id"]),
        ):
            assert answer.status_code == 404
        assert (await delete(world.police, made["id"])).status_code == 404
        (row,) = await rows_of(world)
        assert (row["state"], row["wrapped_key"], row["detail"]) == ("erased", None, None)
        assert await rows_of(world, "attachment_chunk") == []
        await look_after(world)
        assert await rows_of(world) == []

    async def test_of_a_file_that_a_record_holds_is_the_records(self, world: World) -> None:
        passed = await world.accepted()
        made = await uploaded(world.police)
        await bind(world, made["id"], passed)
        shown = (await world.police.get(f"/v1/attachments/{made['id']}")).json()
        assert (shown["bound"], shown["expires_at"]) == (True, None)
        assert (await delete(world.police, made["id"])).json()["type"] == "/problems/attachment-bound"
        world.exchange.later(days=400)
        await look_after(world)
        assert (await content_of(world.police, made["id"])).content == PDF

    async def test_of_a_file_that_no_record_takes_comes_by_itself(self, world: World) -> None:
        made = await uploaded(world.police)
        world.exchange.later(days=6)
        await look_after(world)
        assert (await content_of(world.police, made["id"])).status_code == 200
        world.exchange.later(days=2)
        await look_after(world)
        assert (await content_of(world.police, made["id"])).status_code == 404
        assert await rows_of(world) == []
        assert len(await world.log(action="attachment:expire")) == 1

    async def test_of_an_upload_whose_process_ended_comes_when_it_has_stood_still(self, world: World) -> None:
        made = await uploaded(world.police)
        now = world.exchange.clock.now()
        await world.owner.execute(  # as if the process had been killed before the last transaction
            "UPDATE attachment SET state = 'uploading', detail = NULL, due_at = $1", now.replace(year=now.year + 1)
        )
        assert (await world.police.get(f"/v1/attachments/{made['id']}")).status_code == 404, "no file yet"
        await world.owner.execute("UPDATE attachment SET due_at = $1", now)
        await look_after(world)
        assert await rows_of(world) == [] == await rows_of(world, "attachment_chunk")

    async def test_of_a_records_file_is_its_keys_and_happens_once(self, world: World) -> None:
        passed = await world.accepted()
        made = await uploaded(world.police)
        await bind(world, made["id"], passed)
        now = world.exchange.clock.now()
        worker = await asyncpg.connect(world.exchange.addresses.worker)
        try:
            change = worker.transaction()
            await change.start()
            assert await destroy(worker, UUID(made["id"]), at=now)
            await change.rollback()  # the process ends before the commit
            assert (await content_of(world.police, made["id"])).content == PDF
            assert await destroy(worker, UUID(made["id"]), at=now)
            assert not await destroy(worker, UUID(made["id"]), at=now)
        finally:
            await worker.close()
        await look_after(world)
        (row,) = await rows_of(world)
        assert (row["state"], row["wrapped_key"], row["detail"], row["due_at"]) == ("erased", None, None, None)
        assert await rows_of(world, "attachment_chunk") == []
        assert (await content_of(world.police, made["id"])).status_code == 404


def test_a_file_name_is_read_as_clients_write_it() -> None:
    for header, name in (
        (None, None),
        ("attachment", None),
        ('attachment; filename="a b.pdf"', "a b.pdf"),
        ('attachment; filename="a\\"b.pdf"', 'a"b.pdf'),
        ("attachment; filename=a.pdf", "a.pdf"),
        ("attachment; filename=\"x.pdf\"; filename*=UTF-8''%E2%82%AC%20a.pdf", "€ a.pdf"),
        ("attachment; filename*=utf-8'id'surat.pdf", "surat.pdf"),
        ('attachment; filename="' + "é.pdf".encode().decode("latin-1") + '"', "é.pdf"),
    ):
        assert file_name(header) == name, header
    for header in (
        'attachment; filename=""',
        'attachment; filename=".."',
        f'attachment; filename="{"a" * 256}"',
        'attachment; filename="a/b.pdf"',
        'attachment; filename="é.pdf"',
        "attachment; filename*=UTF-8''%FF",
        "attachment; filename*=UTF-8''a%0Ab",
        "attachment; filename*=UTF-8''a%E2%80%AEfdp.exe",
    ):
        with pytest.raises(InvalidRequest):
            file_name(header)

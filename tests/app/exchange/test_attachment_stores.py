"""Files in an S3-compatible store: moto's server, spoken to over HTTP by boto3."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from app.exchange.attachments.encryption import CHUNK, SEALED
from app.exchange.attachments.jobs import FileKeeper
from app.exchange.attachments.stores import PIECE, S3Address, S3Store, Stores
from app.foundation.settings import Settings
from tests.app.exchange.test_attachments import bind, look_after, rows_of
from tests.makers import files
from tests.makers.files import content_of, delete, upload, uploaded
from tests.makers.world import World
from tests.trouble.conftest import free_port


@dataclass
class Bucket:
    """A bucket, as its keeper sees it."""

    client: Any
    server: Any
    name: str

    def objects(self) -> dict[str, int]:
        found = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {each["Key"]: each["Size"] for each in found}

    def bytes(self) -> bytes:
        return b"".join(self.client.get_object(Bucket=self.name, Key=key)["Body"].read() for key in self.objects())


@pytest.fixture
def bucket(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A store of S3's kind, which the service and its worker keep files in."""
    boto3 = pytest.importorskip("boto3")
    moto = pytest.importorskip("moto.server")
    port, name = free_port(), f"files-{secrets.token_hex(4)}"  # all of moto's servers in a process share their buckets
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    address = f"http://127.0.0.1:{port}"
    client = boto3.client("s3", endpoint_url=address, region_name="ap-southeast-3")
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "ap-southeast-3"})
    settings = world.exchange.settings.model_copy(
        update={"attachment_store": f"s3://{name}/files?endpoint={address}&region=ap-southeast-3"}
    )
    stores = Stores(settings)
    state = world.exchange.app.state
    before, state.stores = state.stores, stores
    monkeypatch.setattr(world.exchange.worker, "_files", FileKeeper(settings, world.exchange.keyring, stores))
    yield Bucket(client, server, name)
    state.stores = before
    client.close()
    server.stop()


class TestAFile:
    async def test_lies_there_in_pieces_and_encrypted(self, world: World, bucket: Bucket) -> None:
        size = (PIECE + 2) * CHUNK + 5
        content = files.pdf(size)
        made = await uploaded(world.police, content)
        assert bucket.objects() == {
            f"files/{made['id']}/0": PIECE * SEALED,
            f"files/{made['id']}/1": 2 * SEALED + 5 + 16,
        }
        assert b"%%EOF" not in bucket.bytes()
        assert await rows_of(world, "attachment_chunk") == []
        assert (await content_of(world.police, made["id"])).content == content
        over = (PIECE - 1) * CHUNK - 1, (PIECE + 1) * CHUNK + 1
        part = await content_of(world.police, made["id"], range=f"bytes={over[0]}-{over[1]}")
        assert (part.status_code, part.content == content[over[0] : over[1] + 1]) == (206, True)

    async def test_is_removed_after_it_was_deleted_and_again_until_that_succeeds(
        self, world: World, bucket: Bucket
    ) -> None:
        kept, gone = await uploaded(world.police), await uploaded(world.police)
        await bind(world, kept["id"], await world.accepted())
        assert (await delete(world.police, gone["id"])).status_code == 204
        assert (await content_of(world.police, gone["id"])).status_code == 404
        assert f"files/{gone['id']}/0" in bucket.objects(), "of no use without its key"
        keeper = world.exchange.worker._files
        away = world.exchange.settings.model_copy(
            update={
                "attachment_store": f"s3://{bucket.name}?endpoint=http://127.0.0.1:{free_port()}&region=ap-southeast-3"
            }
        )
        world.exchange.worker._files = FileKeeper(away, world.exchange.keyring)
        await look_after(world)
        (waiting,) = (row for row in await rows_of(world) if str(row["id"]) == gone["id"])
        assert (waiting["state"], waiting["stored"]) == ("erased", True)
        failed = await world.owner.fetchrow("SELECT job, attempts FROM parked_job WHERE subject_id = $1", waiting["id"])
        assert tuple(failed) == ("look_after_files", 1)
        world.exchange.worker._files = keeper
        world.exchange.later(minutes=1)
        await look_after(world)
        assert list(bucket.objects()) == [f"files/{kept['id']}/0"]
        assert [str(row["id"]) for row in await rows_of(world)] == [kept["id"]]

    async def test_is_not_half_there_when_the_store_goes_away(
        self, world: World, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put = S3Store.put

        async def once(store: S3Store, key: str, body: bytes) -> None:
            if key.endswith("/1"):
                bucket.server.stop()
            await put(store, key, body)

        monkeypatch.setattr(S3Store, "put", once)
        made = await uploaded(world.police)
        content = files.pdf((PIECE + 1) * CHUNK + 1)
        reply = await upload(world.police, content)
        assert (reply.status_code, reply.json()["type"]) == (503, "/problems/file-store-unavailable")
        assert int(reply.headers["retry-after"]) > 0
        assert [each["id"] for each in (await world.police.get("/v1/attachments")).json()["items"]] == [made["id"]]
        (left,) = (row for row in await rows_of(world) if str(row["id"]) != made["id"])
        assert (left["state"], left["wrapped_key"], left["stored"]) == ("erased", None, True), (
            "the worker removes its first piece"
        )
        read = await content_of(world.police, made["id"])
        assert (read.status_code, read.json()["type"]) == (503, "/problems/file-store-unavailable")
        world.exchange.app.state.stores = Stores(world.exchange.settings)
        assert (await content_of(world.police, made["id"])).status_code == 503, (
            "a process that is not told of the store"
        )


def test_the_setting_names_bucket_prefix_endpoint_and_region() -> None:
    assert S3Address.of("s3://a-b/c/d?endpoint=https://s3.example.go.id&region=x") == S3Address(
        "a-b", "c/d/", "https://s3.example.go.id", "x"
    )
    assert S3Address.of("s3://a-b") == S3Address("a-b", "", None, None)
    with pytest.raises(ValueError, match="attachment_store"):
        Settings(_env_file=None, attachment_store="https://s3.example.go.id/a")
    unsafe = Settings(
        _env_file=None, env="production", attachment_store="s3://abc?endpoint=http://s3.example.go.id"
    ).unsafe()
    assert "RUJUKAN_ATTACHMENT_STORE must name an https endpoint" in unsafe

"""Every problem is documented in two languages, served, named truly in OpenAPI, and can be provoked from outside."""

from __future__ import annotations

import asyncio
import html
import logging
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from app.foundation.problems import MEDIA_TYPE, Problem, all_problems
from app.main import create_app
from app.sealing import generate_key
from auth import jose
from auth.binding.nonces import Nonces
from auth.people.person import Role
from tests.contract.document import DOCUMENT, operations_of
from tests.makers import cases, files, ndjson, record_files, records, sealed
from tests.makers.admins import Administrator, new_agency, new_client, signed_in
from tests.makers.people import Browser, new_browser, new_link
from tests.makers.world import Agency, Passed, World

EVERY = list(all_problems())
every_problem = pytest.mark.parametrize("problem", EVERY, ids=lambda problem: problem.type)
MEMBERS = {"type", "title", "status", "request_id"}


class TestEveryProblem:
    def test_has_a_type_of_its_own(self):
        assert len({problem.type for problem in EVERY}) == len(EVERY)

    @every_problem
    def test_has_a_type_that_is_written_out_in_kebab_case(self, problem: type[Problem]):
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", problem.type)

    @every_problem
    def test_has_a_status_that_is_an_error(self, problem: type[Problem]):
        assert 400 <= problem.status < 600

    @every_problem
    def test_has_a_title_in_english_and_in_indonesian(self, problem: type[Problem]):
        assert 5 <= len(problem.title) <= 80
        assert 5 <= len(problem.title_id) <= 80
        assert problem.title != problem.title_id

    @every_problem
    def test_says_more_on_its_page_than_in_its_title(self, problem: type[Problem]):
        assert len(problem.page()) > len(problem.title) + 20
        assert "\n\n\n" not in problem.page()

    @every_problem
    async def test_has_a_page_where_its_type_leads(self, world: World, problem: type[Problem]):
        reply = await world.exchange.http.get(f"/problems/{problem.type}")
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        shown = " ".join(html.unescape(re.sub(r"</?code>", "", reply.text)).split())
        explained = [part.replace("`", "") for part in problem.page().split("\n\n")]
        for words in (f">{problem.title}<", f">{problem.title_id}<", f"HTTP {problem.status}<", *explained):
            assert " ".join(words.split()) in shown

    @every_problem
    def test_is_provoked_below(self, problem: type[Problem]):
        assert problem.type in PROVOKED


async def test_the_list_of_problems_leads_to_every_page(world: World):
    page = (await world.exchange.http.get("/problems")).text
    assert set(re.findall(r'href="/problems/([a-z-]+)"', page)) == {problem.type for problem in EVERY}


async def test_there_is_no_page_of_a_problem_that_does_not_exist(world: World):
    reply = await world.exchange.http.get("/problems/canary-4711")
    assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found")
    assert "4711" not in reply.text


class TestOpenapi:
    def test_names_only_problems_there_are_at_their_status(self):
        statuses = {problem.type: str(problem.status) for problem in EVERY}
        named = set()
        for _, __, operation in operations_of(DOCUMENT):
            for status, answer in operation["responses"].items():
                for name in re.findall(r"`([a-z-]+)`:", answer["description"]):
                    assert statuses.get(name) == status, f"{operation['operationId']}: {name} at {status}"
                    named.add(name)
        assert len(named) > 20

    def test_answers_every_error_under_v1_as_a_problem(self):
        for _, path, operation in operations_of(DOCUMENT):
            for status, answer in operation["responses"].items():
                if path.startswith("/v1") and int(status) >= 400:
                    assert answer["content"] == {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


Provoke = Callable[[World], Awaitable[httpx.Response]]
PROVOKED: dict[str, Provoke] = {}
"""For each type, the shortest way to it from outside."""


def provokes(problem: str) -> Callable[[Provoke], Provoke]:
    def enter(provoke: Provoke) -> Provoke:
        assert problem not in PROVOKED
        PROVOKED[problem] = provoke
        return provoke

    return enter


async def _without(world: World, header: str, method: str, path: str) -> httpx.Response:
    """A request in order but for one header that is left out."""
    headers = {"Rujukan-Actor": "officer-7", "Idempotency-Key": str(uuid.uuid4()), "If-Match": '"1"'}
    del headers[header]
    headers |= await world.police.client.authorization(method, path)
    body = {} if method == "POST" else None
    return await world.exchange.http.request(method, path, headers=headers, json=body)


async def _raw(world: World, body: bytes, **headers: str) -> httpx.Response:
    """A referral whose body is sent as it stands."""
    sent = {"Rujukan-Actor": "officer-7", "Idempotency-Key": str(uuid.uuid4()), "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    sent |= await world.police.client.authorization("POST", "/v1/referrals")
    return await world.exchange.http.post("/v1/referrals", headers=sent, content=body)


async def _again(world: World, passed: Passed, **more: object) -> httpx.Response:
    """Another referral of the same case."""
    return await world.police.post("/v1/referrals", records.referral(case=None, case_id=passed.case_id, **more))


async def _told(world: World, position: int, days_ago: int = 0) -> None:
    """Some events of the police, the last of which has this position."""
    at = world.exchange.clock.now() - timedelta(days=days_ago)
    await world.owner.execute(
        """INSERT INTO outbox (agency_id, event_id, type, subject, subject_id, state, recorded_at)
           SELECT $1, gen_random_uuid(), 'agency.reviewer_named', 'agency', $1, 'x', $2 FROM generate_series(1, $3)""",
        world.ids["police"],
        at,
        position,
    )
    await world.exchange.settle()


@provokes("cursor-too-old")
async def events_that_are_not_kept(world: World) -> httpx.Response:
    await _told(world, 3, days_ago=400)
    await world.exchange.worker.drop_old_events()
    return await world.police.get("/v1/events?after=0")


@provokes("cursor-ahead")
async def events_that_there_have_not_been(world: World) -> httpx.Response:
    return await world.police.get("/v1/events?after=99")


@provokes("position-behind")
async def an_acknowledgement_that_comes_late(world: World) -> httpx.Response:
    await _told(world, 3)
    for position in (3, 2):
        reply = await world.police.client.request("PUT", "/v1/events/position", json={"position": position})
    return reply


@provokes("sealed-to-wrong-keys")
async def sealed_to_a_key_nobody_has(world: World) -> httpx.Response:
    return await world.police.post("/v1/referrals", records.referral("shelter", **sealed.request(generate_key())))


@provokes("sealed-to-others")
async def sealed_for_another(world: World) -> httpx.Response:
    police, shelter = await sealed.publish(world, world.police, world.shelter)
    sent = await world.moved(await world.send(receiver="shelter", **sealed.request(shelter, police)), "decline")
    version = (await world.police.get(sent.path)).json()["record_version"]
    again = {"record": None, "record_version": version, "purpose": sealed.PURPOSE, "receiver": "sentra"}
    return await _again(world, sent, bases=[records.legal_basis(*sealed.SECTIONS)], **again)


@provokes("sealed-sections-unanswered")
async def a_sealed_section_forgotten(world: World) -> httpx.Response:
    (shelter,) = await sealed.publish(world, world.shelter)
    sent = await world.send(receiver="shelter", **sealed.request(shelter))
    return await world.police.post("/v1/transfers", records.transfer(case=None, case_id=sent.case_id))


@provokes("nothing-to-reseal")
async def nothing_to_reseal(world: World) -> httpx.Response:
    sent = await world.send()
    asked = {"sections": ["identity"], "cause": "key_lost"}
    return await world.iom.post(f"{sent.path}/reseal-request", asked)


@provokes("reseal-requested")
async def asked_to_reseal_twice(world: World) -> httpx.Response:
    (shelter,) = await sealed.publish(world, world.shelter)
    sent = await world.send(receiver="shelter", **sealed.request(shelter))
    asked = {"sections": ["health"], "cause": "key_lost"}
    await world.shelter.post(f"{sent.path}/reseal-request", asked)
    return await world.shelter.post(f"{sent.path}/reseal-request", asked)


@provokes("import-incomplete")
async def an_import_broken_off(world: World) -> httpx.Response:
    await _broken_off(world)
    return await ndjson.send(world.police, ndjson.lines(1))


@provokes("lines-elsewhere")
async def lines_after_others(world: World) -> httpx.Response:
    path = await _broken_off(world)
    return await ndjson.send(world.police, ndjson.lines(1), path=f"{path}/lines?after=7")


@provokes("import-not-open")
async def lines_to_what_was_cancelled(world: World) -> httpx.Response:
    path = await _broken_off(world)
    await world.police.post(f"{path}/cancel")
    return await ndjson.send(world.police, ndjson.lines(1), path=f"{path}/lines?after=200")


@provokes("too-many-imports")
async def an_eleventh_import(world: World) -> httpx.Response:
    for number in range(10):
        await ndjson.send(world.police, ndjson.line(f"case-{number}"), f"import-{number}")
    return await ndjson.send(world.police, ndjson.lines(1), "one-more")


@provokes("import-too-large")
async def more_bytes_than_an_import_may_have(world: World) -> httpx.Response:
    changed = world.exchange.settings.__dict__
    most = changed["import_max_bytes"]
    changed["import_max_bytes"] = 100
    try:
        return await ndjson.send(world.police, ndjson.lines(1))
    finally:
        changed["import_max_bytes"] = most


@provokes("export-running")
async def an_export_beside_another(world: World) -> httpx.Response:
    await world.owner.execute(
        "INSERT INTO bulk_export (agency_id, client_id, id, lease_until) VALUES ($1, 'police-system', gen_random_uuid(), $2)",
        world.ids["police"],
        world.exchange.clock.now() + timedelta(seconds=30),
    )
    return await world.police.get("/v1/exports")


async def _broken_off(world: World) -> str:
    """An import of which 200 lines arrived."""

    async def breaks() -> AsyncIterator[bytes]:
        yield ndjson.lines(201, "broken")
        raise ConnectionResetError

    await ndjson.send(world.police, breaks)
    (found,) = (await world.police.get("/v1/imports")).json()["items"]
    return f"/v1/imports/{found['id']}"


@provokes("actor-required")
async def no_actor(world: World) -> httpx.Response:
    return await _without(world, "Rujukan-Actor", "GET", "/v1/cases")


@provokes("idempotency-key-required")
async def no_key(world: World) -> httpx.Response:
    return await _without(world, "Idempotency-Key", "POST", "/v1/cases")


@provokes("version-required")
async def no_version(world: World) -> httpx.Response:
    return await _without(world, "If-Match", "POST", f"/v1/referrals/{uuid.uuid4()}/start")


@provokes("no-checkpoint")
async def nothing_sealed(world: World) -> httpx.Response:
    return await world.exchange.http.get("/v1/log/checkpoint")


@provokes("not-that-size")
async def a_log_that_large(world: World) -> httpx.Response:
    return await world.exchange.http.get("/v1/log/proof/consistency?from=1&to=1000000")


@provokes("not-acceptable")
async def no_such_form(world: World) -> httpx.Response:
    return await world.iom.get(f"/v1/referrals/{uuid.uuid4()}", headers={"Accept": "text/html"})


async def _add_key(world: World, jwk: object) -> httpx.Response:
    return await world.stranger.client.post("/v1/me/keys", json={"jwk": jwk})


@provokes("key-unusable")
async def no_key_at_all(world: World) -> httpx.Response:
    return await _add_key(world, {"kty": "oct", "k": "AQ"})


@provokes("key-known")
async def a_key_it_has(world: World) -> httpx.Response:
    return await _add_key(world, world.stranger.client.credentials.public_jwks()["keys"][0])


@provokes("too-many-keys")
async def one_key_too_many(world: World) -> httpx.Response:
    try:
        for _ in range(9):
            assert (await _add_key(world, jose.generate().public_jwk())).status_code == 201
        return await _add_key(world, jose.generate().public_jwk())
    finally:
        await world.owner.execute("DELETE FROM client_key WHERE client_id = 'stranger-system' AND added_by = 'client'")


@provokes("last-key")
async def the_last_key(world: World) -> httpx.Response:
    (key,) = (await world.stranger.client.get("/v1/me/keys")).json()["items"]
    return await world.stranger.client.post(f"/v1/me/keys/{key['id']}/end")


@provokes("keys-elsewhere")
async def a_key_kept_elsewhere(world: World) -> httpx.Response:
    await world.stranger.client.token()
    change = "UPDATE client SET jwks_uri = $1 WHERE client_id = 'stranger-system'"
    await world.owner.execute(change, "https://stranger.example/jwks")
    await world.exchange.directory.refresh()
    try:
        return await _add_key(world, jose.generate().public_jwk())
    finally:
        await world.owner.execute(change, None)
        await world.exchange.directory.refresh()


async def _webhook(world: World, path: str = "", **body: object) -> httpx.Response:
    """A request about a webhook of the stranger's, where this machine may be sent to and one webhook is allowed."""
    state = world.exchange.app.state
    before = state.settings
    state.settings = before.model_copy(update={"outbound_networks": "127.0.0.0/8,::1/128", "webhooks_per_client": 1})
    try:
        if not path:
            return await world.stranger.client.post("/v1/webhooks", json={"url": "https://localhost:9443/", **body})
        (id,) = await world.owner.fetchrow("SELECT id FROM webhook")
        return await world.stranger.client.post(f"/v1/webhooks/{id}/{path}", json=body or None)
    finally:
        state.settings = before


async def _first_webhook(world: World) -> None:
    await world.owner.execute("DELETE FROM webhook")
    assert (await _webhook(world)).status_code == 201


@provokes("webhook-url-unusable")
async def a_webhook_to_an_address(world: World) -> httpx.Response:
    return await _webhook(world, url="https://127.0.0.1:9443/")


@provokes("too-many-webhooks")
async def one_webhook_too_many(world: World) -> httpx.Response:
    await _first_webhook(world)
    return await _webhook(world)


@provokes("key-rotation-running")
async def a_third_key_of_a_webhook(world: World) -> httpx.Response:
    await _first_webhook(world)
    await _webhook(world, "keys", overlap_seconds=60)
    return await _webhook(world, "keys", overlap_seconds=60)


@provokes("webhook-out-of-service")
async def a_test_of_what_is_out_of_service(world: World) -> httpx.Response:
    await _first_webhook(world)
    await _webhook(world, "disable")
    return await _webhook(world, "test")


@provokes("unauthenticated")
async def no_token(world: World) -> httpx.Response:
    return await world.exchange.http.get("/v1/me")


@provokes("invalid-token")
async def a_token_of_nobody(world: World) -> httpx.Response:
    return await world.exchange.http.get("/v1/me", headers={"Authorization": "DPoP eyJhbGciOiJub25lIn0.e30."})


@provokes("client-certificate-not-taken")
async def a_certificate_that_no_proxy_passes(world: World) -> httpx.Response:
    settings = world.exchange.settings.model_copy(update={"trusted_proxies": "10.0.0.1"})
    transport = httpx.ASGITransport(
        app=create_app(settings), raise_app_exceptions=False
    )  # refused before anything is asked
    async with httpx.AsyncClient(transport=transport, base_url=settings.public_url) as http:
        return await http.get("/v1/me", headers={"Client-Cert": ":canary4711:"})


@provokes("invalid-dpop-proof")
async def a_proof_for_another_path(world: World) -> httpx.Response:
    headers = await world.police.client.authorization("GET", "/v1/agencies")
    return await world.exchange.http.get("/v1/me", headers=headers)


@provokes("dpop-proof-replayed")
async def one_proof_twice(world: World) -> httpx.Response:
    headers = await world.police.client.authorization("GET", "/v1/me")
    await world.exchange.http.get("/v1/me", headers=headers)
    return await world.exchange.http.get("/v1/me", headers=headers)


@provokes("use-dpop-nonce")
async def no_nonce(world: World) -> httpx.Response:
    headers = await world.police.client.authorization("GET", "/v1/me")
    state = world.exchange.app.state
    state.nonces = Nonces(world.exchange.keyring)
    try:
        return await world.exchange.http.get("/v1/me", headers=headers)
    finally:
        state.nonces = None


@provokes("too-many-requests")
async def more_than_a_client_may(world: World) -> httpx.Response:
    exchange = world.exchange
    settings = exchange.settings.model_copy(
        update={"client_rate": 0.001, "client_burst": 1, "client_concurrency": 0, "database_pool_size": 2}
    )
    app = create_app(settings, clock=exchange.clock, where=exchange.addresses)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=settings.public_url) as http:
            for _ in range(2):
                headers = await world.police.client.authorization("GET", "/v1/me")
                reply = await http.get("/v1/me", headers=headers)
    return reply


@provokes("insufficient-scope")
async def a_narrow_token(world: World) -> httpx.Response:
    world.police.client.scope = "events.read"
    world.police.client.forget_token()
    try:
        return await world.police.get("/v1/cases")
    finally:
        world.police.client.scope = None
        world.police.client.forget_token()


@provokes("invalid-request")
async def an_urgency_there_is_none(world: World) -> httpx.Response:
    return await world.police.post("/v1/referrals", records.referral(urgency="yesterday"))


@provokes("malformed-body")
async def half_a_document(world: World) -> httpx.Response:
    return await _raw(world, b'{"case": ')


@provokes("unsupported-media-type")
async def another_media_type(world: World) -> httpx.Response:
    return await _raw(world, b"<referral/>", Content_Type="application/xml")


@provokes("body-too-large")
async def a_body_without_end(world: World) -> httpx.Response:
    return await _raw(world, b" " * (world.exchange.settings.max_body_bytes + 1))


@provokes("not-found")
async def a_case_of_nobody(world: World) -> httpx.Response:
    return await world.police.get(f"/v1/cases/{uuid.uuid4()}")


@provokes("method-not-allowed")
async def deleting(world: World) -> httpx.Response:
    return await world.police.client.request("DELETE", "/v1/cases")


@provokes("invalid-cursor")
async def a_cursor_made_up(world: World) -> httpx.Response:
    return await world.police.get("/v1/cases?cursor=abcdefghijklmnopqrstuvwx")


@provokes("idempotency-key-reused")
async def one_key_for_two(world: World) -> httpx.Response:
    await world.police.post("/v1/cases", {"entry_channel": "self"}, idempotency_key="one-key")
    return await world.police.post("/v1/cases", {"entry_channel": "police_report"}, idempotency_key="one-key")


async def _waiting_for_a_lock(world: World) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'case_file'::regclass AND NOT granted"
    for _ in range(6000):
        if await world.owner.fetchval(waiting):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the first request never came to the lock")


@provokes("request-in-progress")
async def one_key_at_once(world: World) -> httpx.Response:
    lock = world.owner.transaction()
    await lock.start()
    await world.owner.execute("LOCK TABLE case_file IN SHARE MODE")  # the first one waits here, its key taken
    first = asyncio.create_task(world.police.post("/v1/referrals", records.referral(), idempotency_key="one-key"))
    try:
        await _waiting_for_a_lock(world)
        reply = await world.police.post("/v1/referrals", records.referral(), idempotency_key="one-key")
    finally:
        await lock.rollback()
    assert (await first).status_code == 201
    return reply


@provokes("move-not-allowed")
async def starting_before_accepting(world: World) -> httpx.Response:
    return await world.move(await world.send(), "start")


@provokes("stale-version")
async def on_an_old_version(world: World) -> httpx.Response:
    return await world.move(await world.send(), "accept", seen=9)


@provokes("not-lead")
async def referring_without_leading(world: World) -> httpx.Response:
    sent = await world.send()
    return await world.iom.post("/v1/referrals", records.referral("sentra", case=None, case_id=sent.case_id))


@provokes("case-closed")
async def referring_a_closed_case(world: World) -> httpx.Response:
    sent = await world.send()
    await world.owner.execute("UPDATE case_file SET state = 'closed' WHERE id = $1", uuid.UUID(sent.case_id))
    return await _again(world, sent, receiver="sentra")


@provokes("open-twin")
async def the_same_referral_twice(world: World) -> httpx.Response:
    return await _again(world, await world.send())


@provokes("transfer-already-open")
async def two_transfers(world: World) -> httpx.Response:
    sent = await world.send(kind="transfer", receiver="ministry")
    body = records.transfer("ministry", case=None, case_id=sent.case_id)
    return await world.police.post("/v1/transfers", body)


@provokes("nothing-to-replace")
async def replacing_what_is_not(world: World) -> httpx.Response:
    return await _again(world, await world.send(), receiver="sentra", replaces=str(uuid.uuid4()))


@provokes("record-version-unavailable")
async def a_record_that_is_not(world: World) -> httpx.Response:
    return await _again(world, await world.send(), receiver="sentra", record=None, record_version=str(uuid.uuid4()))


@provokes("another-manifest")
async def accepting_what_was_not_offered(world: World) -> httpx.Response:
    sent = await world.send(kind="transfer", receiver="ministry")
    return await world.move(sent, "accept", world.acceptance(manifest_digest="0" * 64))


@provokes("disclosure-refused")
async def a_section_without_a_basis(world: World) -> httpx.Response:
    return await world.police.post("/v1/referrals", records.referral(bases=[records.legal_basis("needs")]))


@provokes("agreement-required")
async def across_the_border_without_an_agreement(world: World) -> httpx.Response:
    return await world.police.post("/v1/referrals", records.referral((await world.mission()).code))


@provokes("may-not-act-for")
async def acting_for_another(world: World) -> httpx.Response:
    return await world.police.get("/v1/cases", headers={"Rujukan-Acts-For": "shelter"})


@provokes("out-of-order")
async def accepting_before_it_was_sent(world: World) -> httpx.Response:
    earlier = world.exchange.clock.now() - timedelta(hours=1)
    return await world.move(await world.send(), "accept", world.acceptance(occurred_at=earlier.isoformat()))


async def _asked_both(world: World) -> tuple[Passed, Passed]:
    """One case offered to two receivers at once."""
    group = str(uuid.uuid4())
    first = await world.send(receiver="iom", offer_group=group)
    return first, await world.send(receiver="sentra", case_id=first.case_id, offer_group=group)


@provokes("taken")
async def accepting_second(world: World) -> httpx.Response:
    first, second = await _asked_both(world)
    await world.moved(first, "accept")
    return await world.move(second, "accept")


@provokes("offer-group")
async def a_group_of_two_cases(world: World) -> httpx.Response:
    first, _ = await _asked_both(world)
    group = str((await world.row(first))["offer_group"])
    return await world.police.post("/v1/referrals", records.referral("iom", offer_group=group))


@provokes("nothing-to-dispute")
async def disputing_what_one_did_oneself(world: World) -> httpx.Response:
    sent = await world.send()
    return await world.police.post(f"{sent.path}/moves/{sent.id}/dispute", {"reason": "We did not send it."})


@provokes("unknown-receiver")
async def to_nobody(world: World) -> httpx.Response:
    return await world.police.post("/v1/referrals", records.referral("no-such-agency"))


@provokes("receiver-unavailable")
async def to_oneself(world: World) -> httpx.Response:
    return await world.police.post("/v1/referrals", records.referral("police"))


@provokes("outcomes-incomplete")
async def the_outcome_of_another_need(world: World) -> httpx.Response:
    body = {"outcomes": [{"need": "shelter_women", "outcome": "met"}]}
    return await world.move(await world.in_progress(), "complete", body)


@provokes("service-point")
async def a_house_of_nobody(world: World) -> httpx.Response:
    return await world.move(await world.send(), "accept", world.acceptance(service_point=str(uuid.uuid4())))


async def _barred(world: World) -> Passed:
    """A referral whose case has a guardian under suspicion."""
    sent = await world.accepted()
    await world.owner.execute("UPDATE case_file SET guardian_barred_at = now() WHERE id = $1", uuid.UUID(sent.case_id))
    return sent


@provokes("guardian-barred")
async def the_consent_of_a_suspect(world: World) -> httpx.Response:
    consent = records.consent(world.exchange.clock.now(), giver="guardian")
    return await world.police.post(f"/v1/cases/{(await _barred(world)).case_id}/consents", consent)


@provokes("consent-void")
async def a_consent_to_who_knows_what(world: World) -> httpx.Response:
    case = (await world.send()).case_id
    consent = records.consent(world.exchange.clock.now(), notice={"version": "1", "items": ["purpose"]})
    return await world.police.post(f"/v1/cases/{case}/consents", consent)


async def _on_a_consent(world: World, move: str, change: str) -> httpx.Response:
    """An act on a consent, after the owner's hand has changed it."""
    sent = await world.consented()
    await world.owner.execute(f"UPDATE consent SET {change}")
    now = world.exchange.clock.now()
    body = records.consent(now) if move == "widen" else records.consent_act(now)
    return await world.police.post(f"/v1/cases/{sent.case_id}/consents/{await world.consent_of(sent)}/{move}", body)


@provokes("consent-over")
async def widening_what_was_withdrawn(world: World) -> httpx.Response:
    return await _on_a_consent(world, "widen", "withdrawn_at = recorded_at")


@provokes("nothing-to-reconfirm")
async def reconfirming_what_nobody_doubts(world: World) -> httpx.Response:
    return await _on_a_consent(world, "reconfirm", "doubted_at = NULL")


@provokes("another-client-needed")
async def reconfirming_by_the_system_in_doubt(world: World) -> httpx.Response:
    return await _on_a_consent(world, "reconfirm", "doubted_at = recorded_at")


@provokes("nothing-to-confirm")
async def confirming_what_nobody_disputes(world: World) -> httpx.Response:
    sent = await world.send()
    (move,) = (await sent.sender.get(sent.path)).json()["history"]
    return await sent.sender.post(f"{sent.path}/moves/{move['id']}/confirm")


@provokes("nothing-to-withdraw")
async def withdrawing_twice(world: World) -> httpx.Response:
    sent = await world.consented()
    await world.withdraw(sent)
    return await world.withdraw(sent)


async def _asked(world: World) -> tuple[Passed, str]:
    """A referral whose consent was withdrawn, and the address of the erasure request to its receiver."""
    sent = await world.consented()
    assert (await world.withdraw(sent)).status_code == 200
    return sent, f"/v1/requests/{(await world.requests(sent.receiver))[0]['id']}"


@provokes("request-answered")
async def answering_twice(world: World) -> httpx.Response:
    sent, path = await _asked(world)
    await sent.receiver.post(f"{path}/answer", {"answer": "erased"})
    return await sent.receiver.post(f"{path}/answer", {"answer": "restricted"})


@provokes("nothing-to-rebase")
async def a_new_basis_for_what_was_not_locked(world: World) -> httpx.Response:
    sent, path = await _asked(world)
    return await sent.receiver.post(f"{path}/answer", {"answer": "re_based", "bases": [records.legal_basis("health")]})


@provokes("lead-corrects-itself")
async def proposing_to_oneself(world: World) -> httpx.Response:
    case = (await world.send()).case_id
    return await world.police.post(
        f"/v1/cases/{case}/correction-proposals", {"pointers": ["/identity/names/0"], "text": "It is spelt otherwise."}
    )


@provokes("version-retracted")
async def retracting_twice(world: World) -> httpx.Response:
    sent = await world.send()
    path = f"/v1/cases/{sent.case_id}/record-versions/{(await world.row(sent))['version_id']}/retract"
    await world.police.post(path, {"reason": "Another person's."})
    return await world.police.post(path, {"reason": "Another person's."})


@provokes("officer-only")
async def holding_without_being_an_officer(world: World) -> httpx.Response:
    return await world.police.post("/v1/holds", records.hold(world.exchange.clock.now(), "K-0000-0000-0"))


async def _subject_request(world: World, sent: Passed, kind: str, **more: str) -> str:
    made = await sent.sender.post(
        "/v1/subject-requests",
        {
            "case_id": sent.case_id,
            "kind": kind,
            "requester": "person",
            "identity_check": "known_to_staff",
            "identity_checked_by": "recording_agency",
            "received_at": world.exchange.clock.now().isoformat(),
            **more,
        },
    )
    return str(made.headers["Location"])


_TOLD = {"ground": "reason_ended", "text": "It was looked into."}


@provokes("restriction-not-in-force")
async def lifting_what_is_not_granted(world: World) -> httpx.Response:
    path = await _subject_request(world, await world.send(), "restrict")
    told = world.exchange.clock.now().isoformat()
    return await world.police.post(f"{path}/lift", {**_TOLD, "person_told_at": told})


@provokes("restriction-stands")
async def lifting_what_a_court_asked_for(world: World) -> httpx.Response:
    path = await _subject_request(world, await world.send(), "restrict", requester="court")
    assert (await world.police.post(f"{path}/answer", {"answer": "granted"})).status_code == 200
    told = world.exchange.clock.now().isoformat()
    return await world.police.post(f"{path}/lift", {**_TOLD, "person_told_at": told})


async def _hold(world: World, desk: Agency, sent: Passed) -> str:
    case = await cases.case_of(world, sent.case_id)
    made = await desk.post("/v1/holds", records.hold(world.exchange.clock.now(), case.reference, "identity"))
    return str(made.headers["Location"])


@provokes("sections-held")
async def erasing_what_a_hold_keeps(world: World) -> httpx.Response:
    sent = await world.send()
    async with cases.desk_at(world) as desk:
        await _hold(world, desk, sent)
        return await world.police.post(f"{await _subject_request(world, sent, 'erase')}/answer", {"answer": "granted"})


@provokes("hold-ended")
async def lifting_twice(world: World) -> httpx.Response:
    sent = await world.send()
    async with cases.desk_at(world) as desk:
        path = await _hold(world, desk, sent)
        await desk.post(f"{path}/lift", {"reason": "Acquitted."})
        return await desk.post(f"{path}/lift", {"reason": "Acquitted."})


async def _incident(world: World) -> str:
    made = await world.police.post(
        "/v1/incidents",
        {
            "kind": "loss",
            "noticed_at": world.exchange.clock.now().isoformat(),
            "data_classes": ["general"],
            "how": "A telephone was lost.",
        },
    )
    return str(made.headers["Location"])


@provokes("incident-closed")
async def adding_to_what_is_closed(world: World) -> httpx.Response:
    path = await _incident(world)
    none = {"no_notice_reason": "not_opened", "action": "Wiped.", "text": "It was locked."}
    await world.police.post(f"{path}/close", none)
    return await world.police.post(f"{path}/entries", {"text": "Found again."})


@provokes("incident-incomplete")
async def closing_without_saying_when(world: World) -> httpx.Response:
    now = world.exchange.clock.now().isoformat()
    notice = {"subject_told_at": now, "authority_told_at": now, "authority_paper": "1", "action": "Wiped."}
    return await world.police.post(f"{await _incident(world)}/close", notice)


@provokes("nothing-granted")
async def exporting_without_being_asked(world: World) -> httpx.Response:
    sent = await world.send()
    return await world.police.get(f"/v1/cases/{sent.case_id}/export?request={uuid.uuid4()}")


@provokes("case-has-open-duties")
async def closing_while_somebody_waits(world: World) -> httpx.Response:
    sent = await world.send(urgency="immediate")
    return await cases.move(world, await cases.case_of(world, sent.case_id), "close")


async def _link(world: World, other: str | None = None) -> httpx.Response:
    case = await cases.opened(world)
    body = {"kind": "family", "other": other or case.reference}
    return await world.police.post(f"{case.path}/links", body)


@provokes("unknown-case")
async def a_link_to_nowhere(world: World) -> httpx.Response:
    return await _link(world, "K-0000-0000-0")


@provokes("same-case")
async def a_link_to_itself(world: World) -> httpx.Response:
    return await _link(world)


@provokes("linked-already")
async def one_link_twice(world: World) -> httpx.Response:
    here, there = await cases.opened(world), await cases.opened(world, "iom")
    body = {"kind": "family", "other": there.reference}
    await world.police.post(f"{here.path}/links", body)
    return await world.police.post(f"{here.path}/links", body)


def _reassignment(case: cases.Case, to: str = "iom") -> dict[str, object]:
    paper = {"number": "B-7/2026", "date": "2026-01-05"}
    return {"case": case.reference, "to": to, "reason": "Dissolved.", "paper": paper}


@provokes("desk-only")
async def reassigning_without_being_the_desk(world: World) -> httpx.Response:
    return await world.lpsk.post("/v1/reassignments", _reassignment(await cases.opened(world)))


@provokes("second-person-required")
async def approving_ones_own_proposal(world: World) -> httpx.Response:
    async with cases.desk_at(world) as desk:
        made = await desk.post("/v1/reassignments", _reassignment(await cases.opened(world)))
        return await desk.post(f"/v1/reassignments/{made.json()['id']}/approve", if_match=1)


@provokes("leads-already")
async def reassigning_to_the_lead(world: World) -> httpx.Response:
    async with cases.desk_at(world) as desk:
        return await desk.post("/v1/reassignments", _reassignment(await cases.opened(world), "police"))


@provokes("reassignment-open")
async def reassigning_twice(world: World) -> httpx.Response:
    async with cases.desk_at(world) as desk:
        case = await cases.opened(world)
        await desk.post("/v1/reassignments", _reassignment(case))
        return await desk.post("/v1/reassignments", _reassignment(case, "lpsk"))


@provokes("service-point-barred")
async def one_roof_for_two_who_must_be_apart(world: World) -> httpx.Response:
    here, there = await world.send(receiver="shelter"), await world.accepted(sender="iom", receiver="shelter")
    ours, theirs = await cases.case_of(world, here.case_id), await cases.case_of(world, there.case_id)
    await world.police.post(f"{ours.path}/links", {"kind": "suspected_harm", "other": theirs.reference})
    return await world.move(here, "accept")


@provokes("not-own-agency")
async def whom_to_call_elsewhere(world: World) -> httpx.Response:
    path = "/v1/agencies/iom/duty-contacts"
    return await world.police.client.request("PUT", path, json={"items": []}, actor="officer-7")


@provokes("escalation-not-open")
async def taking_what_is_taken(world: World) -> httpx.Response:
    path = f"/v1/escalations/{await world.escalated(await world.send(urgency='immediate'))}/take"
    assert (await world.iom.post(path)).status_code == 200
    return await world.iom.post(path)


REROUTE = {"receiver": "sentra", "reason": "Nobody answers."}


@provokes("not-reroutable")
async def re_routing_what_is_accepted(world: World) -> httpx.Response:
    await world.set_desk("ministry")
    try:
        escalation = await world.escalated(await world.accepted(urgency="immediate"), 2.1, 2, 0.3, 0.3)
        return await world.ministry.post(f"/v1/escalations/{escalation}/reroute", REROUTE)
    finally:
        await world.set_desk(None)


EMERGENCY = {"sections": ["identity"], "reason": "danger_to_life", "text": "He is being followed."}


async def _review(world: World, sent: Passed) -> str:
    (basis,) = (await sent.sender.get(sent.path)).json()["disclosures"]
    return f"/v1/reviews/{basis['review']['id']}/justify"


@provokes("another-reviewer-required")
async def judging_what_one_did(world: World) -> httpx.Response:
    async with cases.desk_at(world) as desk:
        path = await _review(world, await world.send(sender=desk.code))
        return await desk.post(path, {"text": "It was right."})


@provokes("review-decided")
async def judging_twice(world: World) -> httpx.Response:
    async with cases.desk_at(world) as desk:
        path = await _review(world, await world.send())
        await desk.post(path, {"text": "It was right."})
        return await desk.post(path, {"text": "It was right."})


@provokes("emergency-not-for-you")
async def an_emergency_of_investigators(world: World) -> httpx.Response:
    return await world.police.post("/v1/emergency-access", {**EMERGENCY, "reference": "K-0000-0000-0"})


@provokes("emergency-open")
async def an_emergency_twice(world: World) -> httpx.Response:
    body = {**EMERGENCY, "case_id": (await world.send()).case_id}
    assert (await world.iom.post("/v1/emergency-access", body)).status_code == 201
    return await world.iom.post("/v1/emergency-access", body)


@provokes("emergency-ended")
async def ending_an_emergency_twice(world: World) -> httpx.Response:
    body = {**EMERGENCY, "case_id": (await world.send()).case_id}
    path = f"{(await world.iom.post('/v1/emergency-access', body)).headers['location']}/end"
    await world.iom.post(path)
    return await world.iom.post(path)


@provokes("too-many-knocks")
async def knocking_everywhere(world: World) -> httpx.Response:
    for seconds in range(5):
        at = world.exchange.clock.now() - timedelta(seconds=seconds)
        await world.owner.execute("INSERT INTO emergency_knock VALUES ($1, $2)", world.id_of("iom"), at)
    return await world.iom.post("/v1/emergency-access", {**EMERGENCY, "reference": "K-0000-0000-0"})


async def _browser(world: World, *roles: Role) -> Browser:
    """The browser of somebody who administers and is signed in."""
    exchange = world.exchange
    browser = new_browser(exchange.app, exchange.settings.admin_origin)
    async with exchange.app.state.database.admin.acquire() as conn:
        token = await new_link(conn, exchange.clock.now(), f"staff-{uuid.uuid4()}", *roles)
    assert (await browser.enrol(token)).status_code == 200
    return browser


@provokes("ceremony-over")
async def an_answer_to_nothing(world: World) -> httpx.Response:
    return await (await _browser(world)).post("sign-in/finish", {"credential": {}})


@provokes("passkey-refused")
async def a_passkey_for_another_site(world: World) -> httpx.Response:
    browser = await _browser(world)
    browser.device.rp_id = "elsewhere.example"
    return await browser.sign_in()


@provokes("passkey-copied")
async def a_passkey_that_counts_backwards(world: World) -> httpx.Response:
    browser = await _browser(world)
    browser.device.count = 0
    return await browser.sign_in()


@provokes("link-over")
async def a_link_made_up(world: World) -> httpx.Response:
    return await (await _browser(world)).post("enrolment/begin", {"token": "x"})


@provokes("code-required")
async def a_link_that_two_people_opened(world: World) -> httpx.Response:
    who, other = [await _administrator(world, Role.operator) for _ in range(2)]
    state = world.exchange.app.state
    state.settings = world.exchange.settings.model_copy(update={"two_people": "on"})
    try:
        asked = await who.post("/administrators", {"reference": "staff-9", "name": "Nine", "roles": ["auditor"]})
        await other.approve(asked.json()["approval"])
        token = asked.json()["link"].partition("#")[2]
        return await who.post("/enrolment/begin", {"token": token, "code": "7K3Q"})
    finally:
        state.settings = world.exchange.settings


@provokes("internal-error")
async def a_record_that_was_altered_at_rest(world: World) -> httpx.Response:
    sent = await world.accepted()
    await world.owner.execute(
        "UPDATE record_content SET wrapped_key = '\\x00' WHERE case_id = $1", uuid.UUID(sent.case_id)
    )
    return await world.iom.get(sent.path)


@asynccontextmanager
async def unreachable(world: World):
    """For the block, the database takes no connection of the service, and those it had are ended."""
    name = await world.owner.fetchval("SELECT current_database()")
    await world.owner.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
    try:
        await world.owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'rujukan_app'"
        )
        yield
    finally:
        await world.owner.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')


@provokes("service-unavailable")
async def no_database(world: World) -> httpx.Response:
    headers = await world.police.client.authorization("GET", "/v1/me")
    async with unreachable(world):
        return await world.exchange.http.get("/v1/me", headers=headers)


# administration


async def _administrator(world: World, role: Role, **more: timedelta) -> Administrator:
    return await signed_in(world.exchange, f"staff-{uuid.uuid4().hex[:8]}", role, **more)


@provokes("not-signed-in")
async def nobody_administers(world: World) -> httpx.Response:
    return await world.exchange.http.get("/admin/v1/agencies")


@provokes("cross-site")
async def from_another_site(world: World) -> httpx.Response:
    who = await _administrator(world, Role.operator)
    return await who.post("/agencies/police/suspend", headers={"Origin": "https://evil.example"})


@provokes("role-required")
async def an_auditor_who_acts(world: World) -> httpx.Response:
    return await (await _administrator(world, Role.auditor)).post("/agencies/police/suspend")


@provokes("person-required")
async def a_client_that_approves(world: World) -> httpx.Response:
    return await world.police.client.request("POST", f"/admin/v1/approvals/{uuid.uuid4()}/approve")


@provokes("confirmation-required")
async def a_key_half_an_hour_after_signing_in(world: World) -> httpx.Response:
    who = await _administrator(world, Role.operator, confirmed=timedelta(minutes=29))
    return await who.post("/signing-keys/rotate")


@provokes("admin-not-there")
async def an_agency_of_nobody(world: World) -> httpx.Response:
    return await (await _administrator(world, Role.operator)).get("/agencies/no-such-agency")


@provokes("admin-not-possible")
async def an_agency_twice(world: World) -> httpx.Response:
    who = await _administrator(world, Role.operator)
    return await who.post("/agencies", new_agency(code="police"))


@provokes("admin-not-right")
async def nothing_to_change(world: World) -> httpx.Response:
    return await (await _administrator(world, Role.operator)).patch("/agencies/police", {})


@provokes("may-not-approve")
async def yes_twice(world: World) -> httpx.Response:
    who, state = await _administrator(world, Role.operator), world.exchange.app.state
    state.settings = world.exchange.settings.model_copy(update={"two_people": "on"})
    try:
        asked = await who.post("/clients", new_client("police"))
        return await who.approve(asked.json()["approval"])
    finally:
        state.settings = world.exchange.settings


@provokes("attachment-empty")
async def a_file_of_nothing(world: World) -> httpx.Response:
    return await files.upload(world.police, b"")


@provokes("attachment-too-large")
async def a_file_that_is_too_large(world: World) -> httpx.Response:
    with files.settings(world, attachment_bytes=10):
        return await files.upload(world.police)


@provokes("attachment-type-refused")
async def a_page(world: World) -> httpx.Response:
    return await files.upload(world.police, b"<html><script>")


@provokes("attachment-type-contradicted")
async def a_pdf_called_a_picture(world: World) -> httpx.Response:
    return await files.upload(world.police, kind="image/png")


@provokes("digest-mismatch")
async def a_file_of_another_digest(world: World) -> httpx.Response:
    return await files.upload(world.police, content_digest=f"sha-256=:{'A' * 43}=:")


@provokes("upload-too-slow")
async def a_file_drop_by_drop(world: World) -> httpx.Response:
    with files.settings(world, attachment_seconds=0.1):
        return await files.streamed(world.police, world, files.drop_by_drop())


@provokes("upload-cut-off")
async def a_file_cut_off(world: World) -> httpx.Response:
    return await files.streamed(world.police, world, files.cut_off())


@provokes("attachment-quota-reached")
async def a_file_too_many(world: World) -> httpx.Response:
    with files.settings(world, attachment_quota_bytes=10):
        return await files.upload(world.police)


@provokes("attachment-not-ready")
async def a_file_before_it_is_scanned(world: World) -> httpx.Response:
    with files.settings(world, clamd="127.0.0.1:1"):
        made = await files.uploaded(world.police)
    return await files.content_of(world.police, made["id"])


@provokes("attachment-bound")
async def deleting_a_file_of_a_record(world: World) -> httpx.Response:
    sent, made = await world.send(), await files.uploaded(world.police)
    await world.owner.execute(
        "INSERT INTO record_attachment (version_id, case_id, attachment_id, section) VALUES ($1, $2, $3, 'health')",
        (await world.row(sent))["version_id"],
        uuid.UUID(sent.case_id),
        uuid.UUID(made["id"]),
    )
    return await files.delete(world.police, made["id"])


@provokes("files-unusable")
async def a_record_with_a_file_nobody_has(world: World) -> httpx.Response:
    return await world.police.post("/v1/referrals", record_files.referral(str(uuid.uuid4())))


@provokes("range-not-satisfiable")
async def a_range_behind_the_end(world: World) -> httpx.Response:
    return await files.content_of(world.police, (await files.uploaded(world.police))["id"], range="bytes=9999-")


@provokes("file-store-unavailable")
async def a_file_in_a_store_this_process_does_not_know(world: World) -> httpx.Response:
    made = await files.uploaded(world.police)
    await world.owner.execute("UPDATE attachment SET store = 's3'")
    return await files.content_of(world.police, made["id"])


class TestProvoked:
    @pytest.mark.parametrize("name", sorted(PROVOKED))
    async def test_it_answers_by_rfc_9457(self, world: World, caplog: pytest.LogCaptureFixture, name: str):
        (problem,) = [problem for problem in EVERY if problem.type == name]
        with caplog.at_level(logging.DEBUG, "rujukan"):
            reply = await PROVOKED[name](world)
        assert reply.json()["type"] == f"/problems/{name}", reply.text
        assert reply.status_code == reply.json()["status"] == problem.status
        assert reply.json()["title"] == problem.title
        assert reply.json()["request_id"] == reply.headers["x-request-id"]
        assert reply.json().keys() >= MEMBERS
        assert reply.headers["content-type"] == MEDIA_TYPE
        assert reply.headers["cache-control"] == "no-store"
        assert records.NAME not in reply.text + caplog.text
        ours = [record for record in caplog.records if record.name.startswith("rujukan")]
        assert not [record for record in ours if record.exc_info], "a traceback may hold what a person told us"

    async def test_it_says_when_to_try_again(self, world: World):
        assert (await no_database(world)).headers["retry-after"] == "2"
        assert (await one_key_at_once(world)).headers["retry-after"] == "1"

    async def test_it_says_which_methods_there_are(self, world: World):
        assert (await deleting(world)).headers["allow"] == "GET, POST"

    async def test_the_service_recovers_from_it(self, world: World):
        assert (await no_database(world)).status_code == 503
        assert (await world.police.get("/v1/me")).status_code == 200


class TestLanguage:
    @pytest.mark.parametrize(
        ("accepted", "language"),
        [
            ("id", "id"),
            ("id-ID", "id"),
            ("in", "id"),  # the code before 1989, which old systems still send
            ("en", "en"),
            ("en;q=0.5, id", "id"),
            ("id;q=0.5, en;q=0.9", "en"),
            ("fr, id;q=0.1", "id"),
            ("fr", "en"),
            ("id;q=0", "en"),
            ("id;q=nonsense, en", "en"),
            ("", "en"),
            ("*", "en"),
        ],
    )
    async def test_is_the_callers(self, world: World, accepted: str, language: str):
        reply = await world.exchange.http.get("/v1/me", headers={"Accept-Language": accepted})
        assert reply.headers["content-language"] == language
        titles = {"en": "An access token is required", "id": "Token akses diperlukan"}
        assert reply.json()["title"] == titles[language]


class TestRequestId:
    async def test_is_the_callers_if_it_is_one(self, world: World):
        reply = await world.exchange.http.get("/v1/me", headers={"X-Request-Id": "kasus-1.a_B"})
        assert reply.json()["request_id"] == reply.headers["x-request-id"] == "kasus-1.a_B"

    @pytest.mark.parametrize("given", ["short", "x" * 65, "with space", "<script>alert</script>", "newline%0a"])
    async def test_is_a_new_one_otherwise(self, world: World, given: str):
        reply = await world.exchange.http.get("/v1/me", headers={"X-Request-Id": given})
        assert re.fullmatch(r"[0-9a-f]{24}", reply.json()["request_id"])
        assert given not in str(reply.headers)


async def test_a_refusal_by_rule_is_logged_and_any_other_is_not(world: World):
    for name, provoke in PROVOKED.items():
        (problem,) = [problem for problem in EVERY if problem.type == name]
        before = len(await world.refusals())
        await provoke(world)
        logged = [row["outcome"] for row in (await world.refusals())[before:]]
        assert logged == ([problem.log_as] if problem.log_as else []), name
        await world.owner.execute("TRUNCATE idempotency")

"""Nothing malformed is taken, nothing of it is stored, nothing of it is repeated, and nothing of it breaks the service."""

from __future__ import annotations

import copy
import json
import logging
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.exchange.lifecycle import Party
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from app.foundation.problems import MEDIA_TYPE, all_problems
from app.sealing import generate_key, public_part
from auth import jose
from tests.contract.document import DOCUMENT
from tests.makers import cases, records
from tests.makers.effort import examples
from tests.makers.world import Agency, World

CANARY = "Kanari4711"
"""Marks everything the caller made up. It must be found nowhere in an answer or in the log."""

TYPES = {f"/problems/{problem.type}": problem.status for problem in all_problems()}
STORED = (
    "case_file", "case_lead", "case_link", "reassignment", "victim_status",
    "consent", "record_version", "record_content", "referral", "transfer", "disclosure", "move",
    "outbox", "event", "idempotency",
    "consent_withdrawal", "correction", "request", "client_key", "review", "emergency_access",
    "consent_reconfirmation", "legal_hold", "legal_hold_review", "incident", "incident_entry", "subject_request", "sealing_key",
    "attachment", "attachment_chunk",
    "webhook", "webhook_key", "delivery",
)  # fmt: skip

Body = dict[str, Any]
POSTS = {path for path, operations in DOCUMENT["paths"].items() if "post" in operations}
WITH_BODY = {
    path
    for path in POSTS
    if "application/json" in DOCUMENT["paths"][path]["post"].get("requestBody", {}).get("content", {})
}
"""The others take none, a file, or lines that are no JSON document (tests/app/exchange/bulk tries those)."""


def referral(extension: Any = None) -> Body:
    """A referral with many sections, one of which holds whatever an agency likes."""
    return records.referral(
        purpose="social_rehabilitation",
        record=records.full_record(extensions={"iom-indonesia": extension or {}}),
        bases=[records.legal_basis(*records.FULL_SECTIONS, "extensions")],
    )


def whole_consent(now: Any) -> Body:
    """A consent with all that can be said of one."""
    return records.consent(
        now,
        giver="court_guardian",
        interpreter={"role": "sworn", "independent": True},
        witness="a nurse",
        evidence={"sha256": "0" * 64, "kept_by": "police"},
        child={"assent": "given", "own_view": "Yes"},
        communication="In easy words.",
    )


def about_data(now: Any) -> dict[str, Body]:
    """A valid body for each operation on consents withdrawn, corrections and requests."""
    case = "/v1/cases/{case_id}"
    return {
        f"{case}/consents/{{consent_id}}/narrow": {
            "sections": ["health"],
            "agencies": ["sentra"],
            "agency_kinds": ["sentra"],
            "purposes": ["shelter"],
            "requested_by": "person",
            "requested_at": now.isoformat(),
            "reason": "No trust.",
        },
        f"{case}/consents/{{consent_id}}/widen": whole_consent(now),
        f"{case}/consents/{{consent_id}}/reconfirm": records.consent_act(now, witness="a nurse"),
        f"{case}/consents/{{consent_id}}/withdraw": {
            "sections": ["health"],
            "requested_by": "person",
            "requested_at": now.isoformat(),
            "reason": "No trust.",
        },
        f"{case}/corrections": {
            "record": {"identity": {"names": [{"full": records.NAME}]}},
            "reason": "Spelt otherwise.",
            "proposal": str(uuid.UUID(int=7)),
        },
        f"{case}/correction-proposals": {"pointers": ["/identity/names/0"], "text": "Spelt otherwise."},
        f"{case}/record-versions/{{version_id}}/retract": {"reason": "Another person's."},
        "/v1/requests/{request_id}/answer": {
            "answer": "kept",
            "text": "A court needs it.",
            "legal_basis": "uu-21-2007",
            "article": "art. 51",
        },
    }


def bodies(now: Any) -> dict[str, Body]:
    """A valid body for each operation that takes one, by path."""
    digest = {"manifest_digest": "0" * 64}
    found: dict[str, Body] = {
        "/v1/cases": {"entry_channel": "police_report", "occurred_at": now.isoformat(), "channel": "phone"},
        "/v1/cases/{case_id}/consents": whole_consent(now),
        "/v1/referrals": referral({"a": ["b", 1]}),
        "/v1/transfers": records.transfer(tasks=["Call Tual."], protective_measures=["Never alone."]),
        **about_data(now),
        "/v1/me/keys": {"jwk": jose.generate().public_jwk(), "ends_at": (now + timedelta(days=300)).isoformat()},
        "/v1/webhooks": {
            "url": "https://localhost:9443/",
            "types": ["referral.*"],
            "description": "Ours",
            "after_position": 0,
        },
        "/v1/webhooks/{webhook_id}/keys": {"overlap_seconds": 3600},
        "/v1/webhooks/{webhook_id}/replay": {"after_position": 0},
        "/v1/escalations/{escalation_id}/take": {},
        "/v1/reviews/{review_id}/justify": {"text": "He could not be asked."},
        "/v1/reviews/{review_id}/find-unjustified": {"text": "He was awake."},
        "/v1/emergency-access": {
            "case_id": str(uuid.UUID(int=7)),
            "sections": ["identity"],
            "reason": "danger_to_life",
            "text": "He is followed.",
            "hours": 2,
        },
        "/v1/emergency-access/{emergency_id}/end": {},
        "/v1/escalations/{escalation_id}/reroute": {"receiver": "sentra", "reason": "Nobody answers."},
    }
    found |= {path: {**body, "occurred_at": now.isoformat()} for path, body in of_cases(now).items()}
    found |= of_reassignments(now) | of_protection(now) | of_sealing(now)
    for lifecycle in (REFERRAL, TRANSFER):
        below = f"/v1/{lifecycle.name}s/{{{lifecycle.name}_id}}"
        for move in lifecycle.moves:
            if move.from_states and move.by not in (Party.CLOCK, Party.SYSTEM):
                more = digest if (lifecycle, move.event) == (TRANSFER, "accept") else {}
                if move.event == "note":
                    more = {"kind": "answer", "in_reply_to": str(uuid.UUID(int=7))}
                found[f"{below}/{records.path_of(move.event)}"] = {
                    **records.move(move.event, now),
                    "occurred_at": now.isoformat(),
                    **more,
                }
        found[f"{below}/rebase"] = {"bases": [records.legal_basis("needs")], "occurred_at": now.isoformat()}
        found[f"{below}/moves/{{move_id}}/dispute"] = {"reason": "Nobody here has seen her."}
        found[f"{below}/moves/{{move_id}}/confirm"] = {"occurred_at": now.isoformat(), "channel": "phone"}
    return found


def of_cases(now: Any) -> dict[str, Body]:
    """The bodies of what happens to a case and to its links."""
    found = {
        f"/v1/cases/{{case_id}}/{records.path_of(event)}": cases.body(event, now)
        for event in ("follow_up", "close", "reopen", "correct_death")
    }
    found["/v1/cases/{case_id}/close"]["text"] = "Home with her aunt."
    found["/v1/cases/{case_id}/guardian"] = {"suspect": True, "reason": "He signed the contract."}
    found["/v1/cases/{case_id}/links"] = {"kind": "family", "other": "K-0000-0000-0", "text": "Brother and sister."}
    found |= {f"/v1/case-links/{{link_id}}/{event}": {"reason": "Another person."} for event in ("refuse", "end")}
    return found | {"/v1/case-links/{link_id}/confirm": {}}


def of_reassignments(now: Any) -> dict[str, Body]:
    """The bodies of a reassignment, and of a decision about victim status: they happen when they are recorded."""
    paper = {"number": "B-7/2026", "date": str(now.date())}
    path = "/v1/reassignments/{reassignment_id}"
    return {
        "/v1/cases/{case_id}/victim-status": {
            "status": "identified",
            "ground": "Three indicators.",
            "own_statement": "They kept my passport.",
            "decided_on": str(now.date()),
        },
        "/v1/reassignments": {"case": "K-0000-0000-0", "to": "iom", "reason": "Dissolved.", "paper": paper},
        f"{path}/approve": {},
        f"{path}/agree": {},
        f"{path}/decline": {"reason": "No staff."},
        f"{path}/withdraw": {"reason": "It has answered."},
    }


def of_protection(now: Any) -> dict[str, Body]:
    """The bodies of holds, incidents and subject requests, and of what is only thought of."""
    return {
        "/v1/holds": records.hold(now, "K-0000-0000-0", until=str(now.date() + timedelta(days=400)), text="Trial."),
        "/v1/holds/{hold_id}/review": {"review_on": str(now.date() + timedelta(days=90)), "text": "The trial goes on."},
        "/v1/holds/{hold_id}/lift": {"reason": "The case is decided."},
        "/v1/incidents": {
            "kind": "wrong_receiver",
            "noticed_at": now.isoformat(),
            "happened_at": (now - timedelta(days=1)).isoformat(),
            "data_classes": ["specific_health"],
            "persons": 1,
            "how": "The list went to another shelter.",
            "action": "They were called.",
        },
        "/v1/incidents/{incident_id}/entries": {"text": "They have burnt it."},
        "/v1/incidents/{incident_id}/close": {
            "subject_told_at": now.isoformat(),
            "authority_told_at": now.isoformat(),
            "authority_paper": "B-7/2026",
            "happened_at": (now - timedelta(days=1)).isoformat(),
            "data_classes": ["specific_health"],
            "persons": 1,
            "action": "All were told.",
            "text": "Nothing more.",
        },
        "/v1/subject-requests": {
            "case_id": str(uuid.UUID(int=7)),
            "kind": "erase",
            "requester": "person",
            "identity_check": "known_to_staff",
            "identity_checked_by": "recording_agency",
            "sections": ["health"],
            "received_at": now.isoformat(),
            "text": "All of it.",
        },
        "/v1/subject-requests/{request_id}/answer": {
            "answer": "granted_in_part",
            "sections": ["health"],
            "refusal_ground": "legal_case",
            "text": "A court needs the rest.",
        },
        "/v1/subject-requests/{request_id}/lift": {
            "ground": "person_asked",
            "text": "She wants them to know again.",
            "wish": {
                "requester": "person",
                "identity_check": "known_to_staff",
                "identity_checked_by": "recording_agency",
                "asked_at": now.isoformat(),
            },
        },
        "/v1/disclosures/preview": {
            "receiver_kind": "sentra",
            "purpose": "shelter",
            "sections": ["needs", "safety"],
            "bases": [
                {"kind": "consent", "sections": ["needs", "safety"], "until": (now + timedelta(days=9)).isoformat()}
            ],
            "consent": whole_consent(now),
        },
    }


def of_sealing(now: Any) -> dict[str, Body]:
    """The bodies of what an agency does with its encryption keys, and asks of those who seal to them."""
    ends = (now + timedelta(days=300)).isoformat()
    return {
        "/v1/me/encryption-keys": {"jwk": public_part(generate_key()), "ends_at": ends},
        "/v1/me/encryption-keys/{key_id}/end": {"reason": "replaced"},
        **{
            f"/v1/{kind}s/{{{kind}_id}}/reseal-request": {
                "sections": ["health"],
                "cause": "key_lost",
                "occurred_at": now.isoformat(),
                "channel": "phone",
            }
            for kind in ("referral", "transfer")
        },
    }


CASE_IN_THE_BODY = {"/v1/emergency-access", "/v1/subject-requests"}
"""Whose bodies name the case."""
AT_THE_DESK = {
    "/v1/holds",
    "/v1/holds/{hold_id}/lift",
    "/v1/holds/{hold_id}/review",
    "/v1/reassignments",
    "/v1/reassignments/{reassignment_id}/approve",
    "/v1/reassignments/{reassignment_id}/withdraw",
}
"""What the police, who try all this, may not do at all: it is for the desk, or for protection officers."""


def filled(path: str) -> str:
    return re.sub(r"{\w+}", str(uuid.uuid4()), path)


async def send(
    agency: Agency, path: str, content: Any, *, method: str = "POST", drop: tuple[str, ...] = (), **headers: str
) -> httpx.Response:
    """Send exactly these bytes and headers; every header is in order unless it is given or dropped."""
    sent = {
        "Content-Type": "application/json",
        "Rujukan-Actor": "officer-7",
        "Idempotency-Key": str(uuid.uuid4()),
        "If-Match": '"1"',
        **await agency.client.authorization(method, path),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    kept: Any = {name: value for name, value in sent.items() if name not in drop}
    return await world_http(agency).request(method, path, content=content, headers=kept)


def world_http(agency: Agency) -> httpx.AsyncClient:
    return agency.client._http


@dataclass
class Watch:
    """What the service stored, said and logged while a test ran."""

    world: World
    log: pytest.LogCaptureFixture
    before: dict[str, int]

    async def stored(self) -> dict[str, int]:
        counts = ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in STORED)
        return dict(await self.world.owner.fetchrow(f"SELECT {counts}"))

    def refused(self, reply: httpx.Response, *, what: object = "") -> None:
        """The answer is a problem there is, of its status, and repeats nothing."""
        shown = f"{what}: {reply.status_code} {reply.text[:400]}"
        assert 400 <= reply.status_code < 500, shown
        assert reply.headers["content-type"] == MEDIA_TYPE, shown
        problem = reply.json()
        assert TYPES[problem["type"]] == reply.status_code == problem["status"], shown
        self.silent(reply, what=what)

    def silent(self, reply: httpx.Response, *, what: object = "") -> None:
        for place in (reply.text, str(reply.headers.multi_items()), self.log.text):
            assert CANARY.lower() not in place.lower(), f"{what}: repeated in {place[:400]}"


@pytest.fixture
async def watch(world: World, caplog: pytest.LogCaptureFixture):
    """Nothing was stored at the end that was not there at the beginning."""
    caplog.set_level(logging.DEBUG, "rujukan")
    made = Watch(world, caplog, {})
    made.before = await made.stored()
    yield made
    assert await made.stored() == made.before


class TestTheBodiesTheseTestsStartFrom:
    def test_are_of_every_operation(self, world: World):
        assert bodies(world.exchange.clock.now()).keys() == WITH_BODY

    @pytest.mark.parametrize("path", sorted(WITH_BODY))
    async def test_are_valid(self, world: World, path: str):
        body = bodies(world.exchange.clock.now())[path]
        reply = await send(world.police, filled(path), json.dumps(body))
        nowhere = "{" in path or path in CASE_IN_THE_BODY
        done = 200 if path == "/v1/disclosures/preview" else 201
        if path == "/v1/webhooks":  # right but for its address: these tests have nowhere to send
            assert reply.json()["type"] == "/problems/webhook-url-unusable", reply.text
            return
        assert reply.status_code == (403 if path in AT_THE_DESK else 404 if nowhere else done), reply.text
        if path in ("/v1/me/keys", "/v1/me/encryption-keys"):  # the police's system is every test's
            body = json.dumps(bodies(world.exchange.clock.now())[f"{path}/{{key_id}}/end"]) if "enc" in path else None
            ended = await send(world.police, f"{path}/{reply.json()['id']}/end", body)
            assert ended.status_code == 200, ended.text


async def test_a_key_used_before_is_said_to_be_also_where_the_request_is_refused(world: World):
    """Whatever else is wrong with a request: nothing of it ends as an error of the service."""
    now = world.exchange.clock.now()
    valid = bodies(now)
    incident = await send(world.police, "/v1/incidents", json.dumps(valid["/v1/incidents"] | {"persons": None}))
    opened = await send(world.police, "/v1/cases", json.dumps(valid["/v1/cases"]), Idempotency_Key="once")
    assert (incident.status_code, opened.status_code) == (201, 201)
    close, answer = "/v1/incidents/{incident_id}/close", "/v1/subject-requests/{request_id}/answer"
    for path, body in (
        (close.replace("{incident_id}", incident.json()["id"]), valid[close] | {"persons": None}),
        (filled(answer), valid[answer]),
    ):
        reply = await send(world.police, path, json.dumps(body), Idempotency_Key="once")
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/idempotency-key-reused"), (
            path,
            reply.text,
        )


Pointer = tuple[str | int, ...]


def nodes(value: Any, at: Pointer = ()) -> Iterator[tuple[Pointer, Any]]:
    """Every value in a document with its place; what an agency keeps under `extensions` is its own."""
    yield at, value
    if at and at[-1] == "extensions":
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from nodes(inner, (*at, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from nodes(inner, (*at, place))


def replaced(body: Any, at: Pointer, by: Any) -> Any:
    """The document with another value at one place."""
    if not at:
        return by
    changed = copy.deepcopy(body)
    target = changed
    for part in at[:-1]:
        target = target[part]
    target[at[-1]] = by
    return changed


def of_another_type(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [[CANARY], CANARY, 4711]
    if isinstance(value, list):
        return [{CANARY: 1}, CANARY, 4711.5]
    if isinstance(value, str):
        return [{CANARY: CANARY}, [CANARY], 4711, True]
    return [{CANARY: 1}, [CANARY], CANARY]


def text(*wrong: str) -> Callable[[Any], list[Any]]:
    return lambda value: list(wrong) if isinstance(value, str) else []


SPOILT: dict[str, Callable[[Any], list[Any]]] = {
    "of another type": of_another_type,
    "empty": lambda value: [{"": ""}] if isinstance(value, dict) else ["", "  "] if isinstance(value, str) else [],
    "too long": lambda value: (
        [CANARY * 6000] if isinstance(value, str) else [value * 60] if isinstance(value, list) and value else []
    ),
    "with a NUL": text(f"{CANARY}\0", "\0"),
    "with a control character": text(f"{CANARY}\x1b[31m", f"{CANARY}\x85Ana"),
    "with half a character": text(f"{CANARY}\ud800", f"\udfff{CANARY}"),
    "that reads otherwise than it is": text(f"{CANARY}\u202e1994", f"\u2066{CANARY}"),
    "with a member there is none": lambda value: (
        [{**value, CANARY: 1}, {**value, f"{CANARY.lower()}_name": CANARY}] if isinstance(value, dict) else []
    ),
    "a number no machine has": lambda value: [10**400, 1e308] if not isinstance(value, dict | list) else [],
}


class TestABodyWithAValue:
    @pytest.mark.parametrize("kind", SPOILT)
    @pytest.mark.parametrize("path", sorted(WITH_BODY))
    async def test_is_refused_by_its_pointer(self, watch: Watch, path: str, kind: str):
        body = bodies(watch.world.exchange.clock.now())[path]
        for at, value in nodes(body):
            if at == ("jwk",) and kind == "with a member there is none":
                continue  # a JWK may have members nobody here knows (RFC 7517 §4); they are not kept
            for wrong in SPOILT[kind](value):
                changed = replaced(body, at, wrong)
                reply = await send(watch.world.police, filled(path), json.dumps(changed))
                watch.refused(reply, what=(at, kind))
                if "errors" in reply.json():
                    for error in reply.json()["errors"]:
                        assert resolves(changed, error["pointer"]), (at, error)

    async def test_of_a_code_list_has_its_alphabet(self, watch: Watch):
        for place in ("purpose", "urgency", "receiver", "channel"):
            for wrong in (f"{CANARY}", "ｓｈｅｌｔｅｒ", "Shelter", "shelter\u200b", "šhelter", "🏠"):
                reply = await watch.world.police.post("/v1/referrals", records.referral(**{place: wrong}))
                watch.refused(reply, what=(place, wrong))
                assert [error["pointer"] for error in reply.json()["errors"]] == [f"/{place}"]


def resolves(document: Any, pointer: str) -> bool:
    """Whether a pointer leads somewhere, or to a member that is missing or not named."""
    parts = pointer.split("/")[1:]
    for place, part in enumerate(parts, start=1):
        if isinstance(document, list):
            if not part.isdecimal() or int(part) >= len(document):
                return False
            document = document[int(part)]
        elif isinstance(document, dict):
            if part not in document:
                return place == len(parts) or part == "…"
            document = document[part]
        else:
            return False
    return True


async def test_free_text_takes_every_script_and_emoji(world: World):
    said = "He said: 🙏🏽 ကျေးဇူးတင်ပါတယ် — ខ្ញុំ, 谢谢, ชื่อ, אבא, «ё»\nsecond line\ttab"
    record = records.record(narrative={"entries": [{"text": said, "language": "my", "author_role": "social_worker"}]})
    body = records.referral(
        record=record, purpose="identification", bases=[records.legal_basis("identity", "safety", "needs", "narrative")]
    )
    sent = await world.police.post("/v1/referrals", body)
    assert sent.status_code == 201, sent.text
    read = await world.police.get(f"/v1/referrals/{sent.json()['id']}")
    assert read.json()["record"]["narrative"]["entries"][0]["text"] == said


def quoted(member: str, value: str) -> bytes:
    """A referral as text, with one more member written in by hand."""
    return json.dumps(records.referral())[:-1].encode() + f', "{member}": {value}}}'.encode()


def within_extensions(value: str) -> bytes:
    """A referral with a value written by hand where anything goes."""
    return json.dumps(referral({"a": "HERE"})).replace('"HERE"', value).encode()


VALID = json.dumps(records.referral())
RAW: dict[str, bytes] = {
    "nothing": b"",
    "white space": b" \n",
    "null": b"null",
    "true": b"true",
    "a number": b"4711",
    "a string": f'"{CANARY}"'.encode(),
    "an array": b"[]",
    "an array of one": f"[{VALID}]".encode(),
    "an empty object": b"{}",
    "no JSON": f"{CANARY}".encode(),
    "half of it": VALID[:-40].encode(),
    "two of them": f"{VALID}{VALID}".encode(),
    "single quotes": VALID.replace('"', "'").encode(),
    "a comma too many": VALID.replace("}", ",}", 1).encode(),
    "a comment": f"{VALID[:-1]}/* {CANARY} */}}".encode(),
    "a byte that is no UTF-8": VALID.replace("Surya", f"{CANARY}\udcff").encode(errors="surrogateescape"),
    "an overlong encoding": VALID.encode().replace(b"Surya", b"\xc0\xafSurya"),
    "half a character in UTF-8": VALID.encode().replace(b"Surya", b"\xed\xa0\x80Surya"),
    "a byte order mark": b"\xef\xbb\xbf" + VALID.encode(),
    "UTF-16": VALID.encode("utf-16"),
    "UTF-32": VALID.encode("utf-32"),
    "a control character in a string": VALID.replace("Surya", f"{CANARY}\n").encode(),
    "an unknown escape": VALID.replace("Surya", f"{CANARY}\\x41").encode(),
    "NaN": quoted("respond_by", "NaN"),
    "Infinity": quoted("respond_by", "Infinity"),
    "minus Infinity": within_extensions("-Infinity"),
    "NaN within": within_extensions("NaN"),
    "a number that is infinite": within_extensions("1e999"),
    "a number of 400 digits": within_extensions("9" * 400),
    "a number of 5000 digits": within_extensions("9" * 5000),
    "a number past what JSON can promise": within_extensions(str(2**53)),
    "a number with a leading zero": within_extensions("007"),
    "a member twice": quoted("urgency", f'"{CANARY}"'),
    "a member twice, the same": quoted("urgency", '"standard"'),
    "a member twice, by an escape": quoted("\\u0075rgency", '"standard"'),
    "a member twice within": within_extensions(f'{{"{CANARY}": 1, "{CANARY}": 2}}'),
    "a hundred deep": quoted("record", "[" * 100 + "]" * 100),
    "a hundred deep where anything goes": within_extensions('{"a":' * 100 + "1" + "}" * 100),
    "a hundred thousand arrays deep": b"[" * 100_000 + b"]" * 100_000,
    "a hundred thousand objects deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a hundred thousand deep and never closed": b"[" * 100_000,
    "a hundred thousand members": json.dumps({f"{CANARY}{n}": n for n in range(30_000)}).encode(),
    "prototypes": quoted("__proto__", f'{{"{CANARY}": true}}'),
}


class TestABodyOf:
    @pytest.mark.parametrize("name", RAW)
    async def test_is_refused_by_every_operation(self, watch: Watch, name: str):
        for path in sorted(POSTS):
            if RAW[name] != b"{}" or bodies_need_members(path):
                watch.refused(await send(watch.world.police, filled(path), RAW[name]), what=path)

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("nothing", "missing"),
            ("no JSON", "not_json"),
            ("half of it", "not_json"),
            ("a byte that is no UTF-8", "not_utf8"),
            ("UTF-16", "not_utf8"),
            ("a byte order mark", "not_json"),
            ("NaN", "not_a_number"),
            ("a member twice", "duplicate_member"),
            ("a member twice, by an escape", "duplicate_member"),
            ("a member twice within", "duplicate_member"),
            ("a hundred thousand arrays deep", "too_deep"),
            ("a hundred thousand objects deep", "too_deep"),
        ],
    )
    async def test_is_told_why(self, watch: Watch, name: str, reason: str):
        reply = await send(watch.world.police, "/v1/referrals", RAW[name])
        assert (reply.status_code, reply.json()["reason"]) == (400, reason)

    @pytest.mark.parametrize("value", ["1", "-1.5e3", str(2**53 - 1), "[[[[[[]]]]]]", '"\\ud83d\\ude4f"', "null"])
    async def test_plain_json_passes_where_anything_goes(self, world: World, value: str):
        sent = await send(world.police, "/v1/referrals", within_extensions(value))
        assert sent.status_code == 201, sent.text
        read = await world.police.get(f"/v1/referrals/{sent.json()['id']}")
        assert read.json()["record"]["extensions"] == {"iom-indonesia": {"a": json.loads(value)}}

    async def test_is_read_whatever_its_white_space_and_escapes(self, world: World):
        written = json.dumps(records.referral(), indent=3).replace("Surya", "\\u0053ury\\u0061")
        reply = await send(world.police, "/v1/referrals", f"\r\n\t {written} \n")
        assert reply.status_code == 201, reply.text


def bodies_need_members(path: str) -> bool:
    return not path.endswith(
        ("/acknowledge", "/start", "/resume", "/confirm-cancel", "/confirm-error", "/confirm", "/approve", "/agree")
    )


class TestAMediaType:
    @pytest.mark.parametrize(
        "kind",
        [
            "text/plain", "text/json", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
            "application/octet-stream", "application/jsonp", f"application/{CANARY}", CANARY, "application/json/json", "/", "",
        ],
    )  # fmt: skip
    async def test_that_is_not_json_is_refused(self, watch: Watch, kind: str):
        for path in sorted(WITH_BODY):
            reply = await send(watch.world.police, filled(path), VALID, Content_Type=kind)
            watch.refused(reply, what=path)
            assert reply.status_code == 415

    async def test_must_be_said(self, watch: Watch):
        reply = await send(watch.world.police, "/v1/referrals", VALID, drop=("Content-Type",))
        watch.refused(reply)
        assert reply.status_code == 415

    @pytest.mark.parametrize(
        "kind", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.rujukan+json"]
    )
    async def test_that_is_json_is_read(self, world: World, kind: str):
        reply = await send(world.police, "/v1/referrals", VALID, Content_Type=kind)
        assert reply.status_code == 201, reply.text


WRONG_HEADERS: dict[str, list[str]] = {
    "Rujukan-Actor": ["", " ", CANARY + "x" * 55, f"{CANARY} Ana", f"{CANARY}é", f"{CANARY}\t7", "x" * 5000],
    "Idempotency-Key": ["", " ", CANARY + "x" * 246, f"{CANARY} 1", f"{CANARY}ü", "x" * 5000],
    "If-Match": [
        "", "1", "*", '"0"', '"-1"', '"1', '"01"', '"1.0"', '"1", "2"', f'"{CANARY}"', 'w/"1"', '"9999999999"', f"{CANARY}é", "x" * 5000,
    ],
}  # fmt: skip
MOVE = "/v1/referrals/{referral_id}/start"


class TestAHeader:
    @pytest.mark.parametrize(
        ("name", "value"), [(name, value) for name, values in WRONG_HEADERS.items() for value in values]
    )
    async def test_of_another_form_is_refused(self, watch: Watch, name: str, value: str):
        reply = await send(watch.world.police, filled(MOVE), "{}", **{name: value.encode("latin-1")})
        watch.refused(reply, what=value)
        assert reply.status_code in (400, 422, 428)

    @pytest.mark.parametrize("name", WRONG_HEADERS)
    async def test_that_comes_twice_is_refused(self, watch: Watch, name: str):
        path = filled(MOVE)
        values = {"Rujukan-Actor": "officer-7", "Idempotency-Key": str(uuid.uuid4()), "If-Match": '"1"'}
        headers = [
            *values.items(),
            (name, CANARY if name != "If-Match" else '"2"'),
            ("Content-Type", "application/json"),
        ]
        headers += (await watch.world.police.client.authorization("POST", path)).items()
        reply = await watch.world.exchange.http.post(path, content=b"{}", headers=headers)
        watch.refused(reply)
        assert reply.json()["errors"] == [{"code": "repeated", "header": name}]

    @pytest.mark.parametrize("value", ['"7"', 'W/"7"', '"999999999"'])
    async def test_of_the_right_form_is_read(self, watch: Watch, value: str):
        reply = await send(watch.world.police, filled(MOVE), "{}", If_Match=value)
        assert reply.status_code == 404

    async def test_nobody_asked_for_does_no_harm(self, watch: Watch):
        more = {
            f"X-{CANARY}": CANARY,
            "X-Request-Id": f"{CANARY} 1",
            "Accept": f"text/{CANARY}",
            "Accept-Language": f"{CANARY};q=x",
        }
        watch.refused(await send(watch.world.police, filled(MOVE), "{}", **more))


LISTS = {
    "/v1/agencies": ("limit=0", "limit=201", "limit=ten", f"kind={CANARY}", f"region={CANARY}", "region=%00"),
    "/v1/cases": ("limit=-1", f"role={CANARY}", f"state={CANARY}", "limit=1e2"),
    "/v1/referrals": (
        f"state={CANARY}", f"urgency={CANARY}", f"role={CANARY}", f"case_id={CANARY}", f"updated_since={CANARY}", "limit=",
        "updated_since=2026-11-25", "updated_since=1764032400", "&".join(["state=sent"] * 16),
    ),
    "/v1/transfers": (f"state={CANARY}", "state=sent", f"urgency={CANARY}", "case_id=%00", "updated_since=99999-01-01T00:00:00Z"),
    "/v1/case-links": (f"state={CANARY}", "limit=0", "limit=201", "&".join(["state=ended"] * 5)),
    "/v1/reassignments": (f"state={CANARY}", "limit=0", "limit=201", "&".join(["state=agreed"] * 6)),
    "/v1/events": (
        "after=-1", f"after={CANARY}", "after=9223372036854775807", "wait=61", "wait=nan", "wait=inf", "wait=-0.1", "limit=501",
        f"after={'9' * 5000}", "after=", "after=Acknowledged", "types=", f"types={CANARY}", f"types=referral.sent,{CANARY}", "types=*",
        "types=referral.", "types=.*", "types=referral.sent,", "types=Referral.sent", "types=%00", "&".join(["types=referral.sent"] * 101),
        f"types={'x' * 5000}",
    ),
}  # fmt: skip


class TestAQuery:
    @pytest.mark.parametrize(("path", "query"), [(path, query) for path, queries in LISTS.items() for query in queries])
    async def test_with_a_wrong_value_is_refused(self, watch: Watch, path: str, query: str):
        watch.refused(await watch.world.police.get(f"{path}?{query}"), what=query)

    @pytest.mark.parametrize(
        "path", [*LISTS, "/v1/me", "/v1/cases/{case_id}", "/v1/cases/{case_id}/consents", *sorted(POSTS)]
    )
    @pytest.mark.parametrize(
        "query", [f"{CANARY}=1", f"{CANARY}", f"%00{CANARY}=1", f"limit[]={CANARY}", f"=%ff{CANARY}", f"a=;{CANARY}"]
    )
    async def test_with_a_parameter_there_is_none_is_refused(self, watch: Watch, path: str, query: str):
        method = "POST" if path in POSTS else "GET"
        reply = await send(
            watch.world.police, f"{filled(path)}?{query}", "{}" if method == "POST" else None, method=method
        )
        watch.refused(reply, what=query)
        assert reply.json()["errors"] == [{"code": "unknown_parameter"}]

    @pytest.mark.parametrize("path", LISTS)
    async def test_with_a_parameter_twice_is_refused(self, watch: Watch, path: str):
        reply = await watch.world.police.get(f"{path}?limit=1&limit=1")
        watch.refused(reply)
        assert reply.json()["errors"] == [{"code": "repeated", "parameter": "limit"}]

    async def test_may_repeat_what_is_a_list(self, watch: Watch):
        reply = await watch.world.police.get("/v1/referrals?state=sent&state=received&urgency=urgent&urgency=standard")
        assert reply.status_code == 200

    async def test_that_is_very_long_is_refused(self, watch: Watch):
        watch.refused(await watch.world.police.get(f"/v1/cases?cursor={CANARY}{'x' * 50_000}"))
        watch.refused(await watch.world.police.get(f"/v1/cases?{'&'.join(['state=open'] * 5000)}"))


class TestACursor:
    @pytest.mark.parametrize(
        "cursor", [CANARY, f"{CANARY}{'A' * 40}", "", "%00", "====", "é", "AAAA", "A" * 401, "..%2F..%2Fetc", "null"]
    )
    @pytest.mark.parametrize(
        "path", ["/v1/agencies", "/v1/cases", "/v1/referrals", "/v1/transfers", "/v1/case-links", "/v1/reassignments"]
    )
    async def test_made_up_is_refused(self, watch: Watch, path: str, cursor: str):
        watch.refused(await watch.world.police.get(f"{path}?cursor={cursor}"), what=cursor)

    async def test_of_another_list_filter_or_agency_is_refused(self, world: World):
        for _ in range(2):
            await world.send()
        following = (await world.iom.get("/v1/referrals?limit=1")).json()["next"]
        assert (await world.iom.get(following)).status_code == 200
        cursor = following.partition("cursor=")[2]
        for who, path in (
            (world.iom, f"/v1/transfers?role=receiver&limit=1&cursor={cursor}"),
            (world.iom, f"/v1/referrals?role=sender&limit=1&cursor={cursor}"),
            (world.iom, f"/v1/referrals?role=receiver&limit=2&cursor={cursor}"),
            (world.iom, f"/v1/cases?limit=1&cursor={cursor}"),
            (world.iom, f"/v1/agencies?limit=1&cursor={cursor}"),
            (world.police, following),
            (world.iom, following.replace(cursor, cursor[:30] + ("A" if cursor[30] != "A" else "B") + cursor[31:])),
        ):
            reply = await who.get(path)
            assert (reply.status_code, reply.json()["type"]) == (400, "/problems/invalid-cursor"), path


class TestAPath:
    @pytest.mark.parametrize(
        "wrong", [CANARY, "0", "-", "%00", f"%00{CANARY}", "%20", "..%2f..", "%ff", "%F0%9F%8F%A0", f"{CANARY}'--", "x" * 20_000, "%0d%0aX-A:%20b"]
    )  # fmt: skip
    @pytest.mark.parametrize(
        "path",
        [
            "/v1/cases/{id}",
            "/v1/referrals/{id}",
            "/v1/transfers/{id}",
            "/v1/agencies/{id}",
            "/v1/cases/{id}/consents",
            "/v1/case-links/{id}",
            "/v1/reassignments/{id}",
        ],
    )
    async def test_with_another_id_is_refused(self, watch: Watch, path: str, wrong: str):
        reply = await watch.world.police.get(path.replace("{id}", wrong))
        watch.refused(reply, what=wrong)
        assert reply.status_code in (404, 422) or len(wrong) > 10_000  # a proof does not name a path as long as that

    @pytest.mark.parametrize(
        "path",
        [
            f"/v1/{CANARY}",
            f"/{CANARY}",
            "/v1//cases",
            "/v1/cases/",
            f"/problems/{CANARY}",
            f"/static/{CANARY}",
            "/static/..%2fmain.py",
            "/%00",
        ],
    )
    async def test_that_leads_nowhere_is_not_found(self, watch: Watch, path: str):
        reply = await watch.world.police.client.get(path)
        watch.refused(reply, what=path)
        assert reply.status_code == 404


class TestAnIdInABody:
    @pytest.mark.parametrize("wrong", [CANARY, "", 1, "0" * 32 + CANARY, "g" * 36, [], {"a": CANARY}, "\0" * 36])
    @pytest.mark.parametrize("member", ["case_id", "record_version", "replaces"])
    async def test_that_is_none_is_refused(self, watch: Watch, member: str, wrong: Any):
        more = {"case": None} if member == "case_id" else {"record": None} if member == "record_version" else {}
        reply = await watch.world.police.post("/v1/referrals", records.referral(**{**more, member: wrong}))
        watch.refused(reply, what=wrong)
        assert f"/{member}" in [error.get("pointer") for error in reply.json()["errors"]]


class TestWhoIsNotKnown:
    """401 comes before anything about body, query or headers is told."""

    @pytest.mark.parametrize(
        "token", [{}, {"Authorization": f"DPoP {CANARY}"}, {"Authorization": f"Bearer {CANARY}", "DPoP": CANARY}]
    )
    @pytest.mark.parametrize("content", [b"", CANARY.encode(), b"[" * 100_000, b" " * 1_100_000, VALID.encode()])
    async def test_learns_nothing(self, watch: Watch, token: dict[str, str], content: bytes):
        for path in sorted(POSTS):
            for kind in ("application/json", "text/plain"):
                headers = {"Content-Type": kind, "If-Match": CANARY, "Rujukan-Actor": f"{CANARY} {CANARY}", **token}
                reply = await watch.world.exchange.http.post(
                    f"{filled(path)}?{CANARY}=1", content=content, headers=headers
                )
                watch.refused(reply, what=path)
                assert reply.status_code == 401


class TestTheOAuthEndpoints:
    @pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"])
    @pytest.mark.parametrize(
        "form",
        [
            "",
            CANARY,
            f"grant_type={CANARY}",
            f"grant_type=client_credentials&client_id={CANARY}",
            f"grant_type=client_credentials&grant_type={CANARY}",
            f"grant_type=client_credentials&client_id=police-system&client_secret={CANARY}",
            f"grant_type=client_credentials&client_assertion_type={CANARY}&client_assertion={CANARY}",
            f"grant_type=client_credentials&client_assertion={CANARY}.{CANARY}.{CANARY}&scope={CANARY}",
            f"grant_type=client_credentials&{CANARY}=%00",
            f"grant_type=%ff{CANARY}",
            f"token={CANARY}&token_type_hint={CANARY}",
            f"token={CANARY}&client_assertion={CANARY}&client_assertion_type={CANARY}",
            "&".join(f"{CANARY}{number}=1" for number in range(30)),
            "x" * 70_000,
        ],
    )
    @pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json", f"text/{CANARY}"])
    async def test_repeats_nothing(self, watch: Watch, path: str, form: str, kind: str):
        headers = {"Content-Type": kind, "DPoP": CANARY, "Authorization": f"Basic {CANARY}"}
        for sent in (headers, {"Content-Type": kind}):
            reply = await watch.world.exchange.http.post(path, content=form, headers=sent)
            assert reply.status_code in (400, 401), reply.text
            assert {"error"} <= reply.json().keys() <= {"error", "error_description"}
            assert reply.headers["cache-control"] == "no-store"
            watch.silent(reply, what=form)


def mutated(body: Any) -> st.SearchStrategy[Any]:
    """A referral in which one to three places were deleted, replaced, doubled or moved."""
    junk = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.floats(),
        st.text(max_size=30).map(lambda said: CANARY + said),
        st.sampled_from(
            ["", "\0", "\u202e", "\ud800", "2026-13-01", "-1", "shelter", "consent", "ID", "1.0", "9" * 400]
        ),
        st.builds(dict, st.just({CANARY: CANARY})),
        st.lists(st.just(CANARY), max_size=3),
    )

    @st.composite
    def mutate(draw: st.DrawFn) -> Any:
        document = copy.deepcopy(body)
        for _ in range(draw(st.integers(1, 3))):
            places = [at for at, _ in nodes(document) if at]
            if not places:
                break
            at = draw(st.sampled_from(places))
            parent = document
            for part in at[:-1]:
                parent = parent[part]
            match draw(st.sampled_from(["delete", "replace", "double", "move", "rename"])):
                case "delete":
                    del parent[at[-1]]
                case "double" if isinstance(parent, list):
                    parent.append(copy.deepcopy(parent[at[-1]]))
                case "move":
                    other = draw(st.sampled_from(places))
                    value = copy.deepcopy(parent[at[-1]])
                    if other[: len(at)] != at:
                        document = replaced(document, other, value)
                case "rename" if isinstance(parent, dict):
                    parent[CANARY] = parent.pop(at[-1])
                case _:
                    parent[at[-1]] = draw(junk)
        return document

    return mutate()


async def test_no_mutation_of_a_referral_breaks_the_service(world: World, caplog: pytest.LogCaptureFixture):
    """Each is a referral still, or refused; a 500 is neither, and no refusal repeats anything."""
    caplog.set_level(logging.DEBUG, "rujukan")
    made = Watch(world, caplog, {})
    now = world.exchange.clock.now()
    body = {
        **referral({"a": [1, {"b": None}]}),
        "receiver": "ministry",
        "consent": records.consent(now, sections=("location",), agency_kinds=["ministry_social"]),
        "bases": [
            records.legal_basis(*(name for name in records.FULL_SECTIONS if name != "location"), "extensions"),
            {"kind": "consent", "sections": ["location"]},
        ],
    }
    accepted = 0
    seen: list[Any] = []

    @given(mutated(body))
    @settings(
        max_examples=examples(150),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def collect(document: Any) -> None:
        seen.append(document)

    collect()
    for document in seen:
        reply = await send(world.police, "/v1/referrals", json.dumps(document))
        if reply.status_code == 201:
            accepted += 1
            read = await world.police.get(f"/v1/referrals/{reply.json()['id']}")
            assert read.status_code == 200, read.text
        else:
            made.refused(reply, what=document)
    assert 0 < accepted < len(seen), "some are taken and some are refused, or the mutations try nothing"

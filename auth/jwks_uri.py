"""Clients' published keys (RFC 7591 §2, `jwks_uri`): asked for when they are stale or one is not known, and kept while nothing answers.

Whoever names a client in a request causes at most one request to its address a minute, whichever process they ask, and nobody waits
for another's. What was fetched is stored like any registered key, so that all processes know it and a key that is gone is out within
a second, with its tokens.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from app.foundation.http import parse_json
from app.foundation.outbound import OutboundError, fetch
from app.foundation.problems import MalformedBody
from app.foundation.settings import Settings
from auth import jose, queries
from auth.admin.client_keys import registered_keys
from auth.admin.errors import UnusableKeyError
from auth.binding.certificate import Certificate
from auth.directory import ClientEntry, Directory, Snapshot
from auth.jose import Unverified

log = logging.getLogger("rujukan.auth")
STALE_AFTER: Final = timedelta(minutes=15)
AGAIN_AFTER: Final = timedelta(minutes=1)
KEPT_FOR: Final = timedelta(hours=24)
"""How long the keys fetched last count while nothing can be fetched; up to an hour less where they did not change."""
MOST_KEYS: Final = 10
_TYPES: Final = ("application/json", "application/jwk-set+json")

FAULTS: Final = {
    "content_type": "Its answer is neither application/jwk-set+json nor application/json.",
    "not_json": "Its answer is not strict JSON in UTF-8.",
    "not_a_jwk_set": "Its answer is not a JWK Set.",
    "too_many_keys": f"It publishes more than {MOST_KEYS} keys that could be used.",
    "unusable_keys": "Some of its keys cannot be used (kind, size, purpose, or a kid twice); the others count.",
    "private_key": "It publishes a private key. That key does not count; make another, at once.",
    "ended_key": "It publishes a key that an administrator has ended. That key does not count.",
}
"""What can be wrong with an answer; `app.foundation.outbound.FAULTS` has what can go wrong before there is one."""


class SetRefusedError(Exception):
    """The answer is no JWK Set."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        super().__init__(FAULTS[fault])


async def keep_fresh(
    state: Any,
    snapshot: Snapshot,
    form: Mapping[str, str],
    assertion: Unverified | None,
    certificate: Certificate | None,
) -> Snapshot:
    """Return the directory to authenticate with: asked anew if the client that a request names has published other keys since."""
    if not snapshot.publishers:
        return snapshot
    client, kid = _claimed(snapshot, form, assertion, certificate)
    now: datetime = state.clock.now()
    if client is None or client.jwks_uri is None or not client.may_sign_in(now):
        return snapshot
    unknown = kid is not None and not any(each == kid and entry.counts(now) for each, entry in client.keys.items())
    return (
        await refresh(
            client.client_id,
            client.jwks_uri,
            client.auth_method,
            unknown=unknown or not client.keys_at(now),
            settings=state.settings,
            pool=state.database.app,
            directory=state.directory,
            now=now,
        )
        or snapshot
    )


async def refresh(
    client_id: str,
    uri: str,
    auth_method: str,
    *,
    unknown: bool,
    settings: Settings,
    pool: asyncpg.Pool,
    directory: Directory,
    now: datetime,
) -> Snapshot | None:
    """Fetch and store a client's keys if it is time to; returns the directory if they have changed. No transaction is open meanwhile."""
    due = await queries.claim_jwks_fetch(
        pool, client_id, at=now, unknown=unknown, stale_after=STALE_AFTER, again_after=AGAIN_AFTER
    )
    if not due:
        return None
    keys: list[dict[str, Any]] | None = None
    try:
        found = await fetch(uri, settings=settings, accept=", ".join(_TYPES))
        if found.content_type not in _TYPES:
            raise SetRefusedError("content_type")
        keys, fault = read_set(found.body, auth_method)
    except (OutboundError, SetRefusedError) as error:
        fault = error.fault
        log.warning("keys of client %s not fetched: %s", client_id, fault)
    changed = await queries.store_client_jwks(
        pool, client_id, uri=uri, at=now, keys=None if keys is None else json.dumps(keys), fault=fault, lasts=KEPT_FOR
    )
    return await directory.refresh() if changed else None


def read_set(body: bytes, auth_method: str) -> tuple[list[dict[str, Any]], str | None]:
    """Return the keys of a JWK Set that may be used, as `kid` and `jwk`, and what is wrong with the others. Raises `SetRefusedError`."""
    try:
        document = parse_json(body)
    except MalformedBody:
        raise SetRefusedError("not_json") from None
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise SetRefusedError("not_a_jwk_set")
    usable: dict[str, dict[str, Any]] = {}
    several: set[str] = set()
    fault: str | None = None
    for each in document["keys"]:
        if isinstance(each, dict) and jose.has_private_members(each):
            fault = "private_key"
            continue
        try:
            ((kid, jwk),) = registered_keys(auth_method, [each]).items()
        except UnusableKeyError:
            fault = fault or "unusable_keys"
            continue
        if kid in usable:
            several.add(kid)  # which of them verifies must not be a question of order
            fault = fault or "unusable_keys"
        usable[kid] = jwk
    keys = [{"kid": kid, "jwk": jwk} for kid, jwk in usable.items() if kid not in several]
    if len(keys) > MOST_KEYS:
        raise SetRefusedError("too_many_keys")
    return keys, fault


def _claimed(
    snapshot: Snapshot, form: Mapping[str, str], assertion: Unverified | None, certificate: Certificate | None
) -> tuple[ClientEntry | None, str | None]:
    """Return the client a request says it is from, and the key it says it has. Nothing of it is proved yet."""
    if "client_assertion" in form:
        if assertion is None:
            return None, None
        subject = assertion.claims.get("sub")
        return (snapshot.clients.get(subject) if isinstance(subject, str) else None), assertion.kid
    if certificate is None:
        return None, None
    return snapshot.clients.get(form.get("client_id", "")), certificate.thumbprint

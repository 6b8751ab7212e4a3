"""One good assertion, proof and token, and the directory they are good in: no database, and a time that stands still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from app.client import ASSERTION_TYPE
from auth import jose
from auth.binding import dpop
from auth.client_auth.private_key_jwt import PrivateKeyJwt
from auth.directory import AgencyEntry, ClientEntry, ClientKeyEntry, Snapshot
from auth.errors import ClientRefusedError
from auth.guard import VerifiedTokens, _standing, _verify
from auth.jose import SigningKey
from auth.keys import Signing
from auth.problems import InvalidToken
from auth.scopes import Scope
from auth.server import OAuthClient, TokenRequest
from tests.conformance.mutations.table import Good, Sample
from tests.makers.auth import ath

NOW = datetime(2026, 11, 27, 10, 0, 0, tzinfo=UTC)
ISSUER = "https://rujukan.example"
URL = f"{ISSUER}/v1/probe"
CLIENT, AGENCY = "client-one", "agency-one"


def good_ones(
    *,
    client_id: str,
    agency: str,
    sender: SigningKey,
    prover: SigningKey,
    active: SigningKey,
    now: datetime,
    token_hash: str = ath("token"),
) -> dict[str, Good]:
    """Make one of each kind."""
    seconds = int(now.timestamp())
    times = {"iat": seconds, "exp": seconds + 60}
    token = Good(
        {"alg": "ES256", "typ": "at+jwt", "kid": active.public.kid},
        {
            "iss": ISSUER, "aud": ISSUER, "sub": client_id, "client_id": client_id, "client_kid": sender.public.kid,
            "agency": agency, "scope": "cases.read", "jti": "a", "cnf": {"jkt": prover.public.thumbprint}, **times,
        },
        active.key,
    )  # fmt: skip
    return {
        "assertion": Good(
            {"alg": "ES256", "typ": "JWT", "kid": sender.public.kid},
            {"iss": client_id, "sub": client_id, "aud": ISSUER, "jti": "a", "nbf": seconds, **times},
            sender.key,
        ),
        "proof": Good(
            {"typ": "dpop+jwt", "alg": "ES256", "jwk": dict(prover.public.jwk)},
            {"jti": "a", "htm": "POST", "htu": URL, "iat": seconds, "ath": token_hash},
            prover.key,
        ),
        "token": token,
    }


@cache
def sample() -> Sample:
    """Make the directory and what is good in it."""
    sender, prover, active = (jose.generate() for _ in range(3))
    entries = [
        AgencyEntry(UUID(int=number), code, code, "trauma_centre", None, "ID", None, "active")
        for number, code in enumerate((AGENCY, "another-agency"))
    ]
    client = ClientEntry(
        client_id=CLIENT,
        name="A case-management system",
        status="active",
        scopes=frozenset(Scope),
        agency_ids=(entries[0].id,),
        keys={sender.public.kid: ClientKeyEntry(sender.public, NOW - timedelta(days=1), None)},
    )
    snapshot = Snapshot(
        epoch=1,
        revocations=0,
        agencies={entry.id: entry for entry in entries},
        by_code={entry.code: entry for entry in entries},
        agreements=(),
        service_points={},
        clients={CLIENT: client},
        revoked=frozenset({"revoked"}),
        signing=Signing(active=active, published={active.public.kid: (active.public, None)}),
    )
    return Sample(
        now=NOW,
        snapshot=snapshot,
        issuer=ISSUER,
        good=good_ones(client_id=CLIENT, agency=AGENCY, sender=sender, prover=prover, active=active, now=NOW),
        ath=ath("token"),
        thumbprint=prover.public.thumbprint,
    )


def check_assertion(sample: Sample, text: str) -> Any:
    def query(client_id: str) -> OAuthClient | None:
        entry = sample.snapshot.clients.get(client_id)
        return None if entry is None else OAuthClient(entry)

    form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": text}
    return PrivateKeyJwt(issuer=sample.issuer, now=sample.now)(query, TokenRequest(form, []))


def check_proof(sample: Sample, text: str) -> Any:
    return dpop.check(text, method="POST", url=URL, now=sample.now, ath=sample.ath, thumbprint=sample.thumbprint)


def check_token(sample: Sample, text: str) -> Any:
    if not text.isascii():
        raise InvalidToken("malformed")  # the guard lets no such header further
    token = _verify(text, VerifiedTokens(), sample.snapshot, issuer=sample.issuer, now=sample.now)
    _standing(token, sample.snapshot, sample.now)
    return token


CHECKS = {"assertion": check_assertion, "proof": check_proof, "token": check_token}


def refusal_of(sample: Sample, kind: str, text: str) -> str | None:
    """Return why it is refused, None if it is not; whatever else is raised would be a 500."""
    try:
        CHECKS[kind](sample, text)
    except ClientRefusedError as refused:
        return str(refused.description)
    except dpop.InvalidProofError as refused:
        return refused.reason
    except InvalidToken as refused:
        return str(refused.members["reason"])
    return None

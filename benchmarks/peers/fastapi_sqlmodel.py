"""FastAPI with async SQLModel sessions, as its documentation shows: a bearer token, a session dependency, ORM objects, one commit."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import Column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Field, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from schemas.record.record import Record

KEY = OctKey.import_key("a shared secret, which the exchange itself never uses")
engine = create_async_engine(os.environ["PEER_DATABASE_URL"], pool_size=16, max_overflow=0)


class PeerReferral(SQLModel, table=True):
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    case_id: UUID = Field(index=True)
    sender: str = Field(index=True)
    receiver: str = Field(index=True)
    state: str = "sent"
    urgency: str
    purpose: str


class PeerRecord(SQLModel, table=True):
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    referral_id: UUID = Field(foreign_key="peerreferral.id", index=True)
    content: dict[str, Any] = Field(sa_column=Column(JSONB))


class PeerBasis(SQLModel, table=True):
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    referral_id: UUID = Field(foreign_key="peerreferral.id", index=True)
    basis: dict[str, Any] = Field(sa_column=Column(JSONB))


class PeerMove(SQLModel, table=True):
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    referral_id: UUID = Field(foreign_key="peerreferral.id", index=True)
    event: str


class PeerLog(SQLModel, table=True):
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    action: str
    subject_id: UUID


class PeerOutbox(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    agency: str
    subject_id: UUID


class PeerIdempotency(SQLModel, table=True):
    key: str = Field(primary_key=True)
    subject_id: UUID


class PeerProof(SQLModel, table=True):
    jti: str = Field(primary_key=True)


class Body(SQLModel):
    case_id: UUID
    receiver: str
    purpose: str
    urgency: str
    record: Record
    bases: list[dict[str, Any]]


async def session() -> AsyncIterator[AsyncSession]:
    async with AsyncSession(engine) as made:
        yield made


async def caller(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    try:
        return str(jwt.decode(credentials.credentials, KEY, algorithms=["HS256"]).claims["sub"])
    except Exception as error:
        raise HTTPException(401) from error


app = FastAPI()


@app.on_event("startup")
async def tables() -> None:
    async with engine.begin() as conn:
        await conn.run_sync(
            lambda c: SQLModel.metadata.create_all(
                c, tables=[t for n, t in SQLModel.metadata.tables.items() if n.startswith("peer")]
            )
        )


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "alive"}


@app.post("/referrals", status_code=201)
async def create(
    body: Body,
    agency: Annotated[str, Depends(caller)],
    db: Annotated[AsyncSession, Depends(session)],
    idempotency_key: Annotated[str, Header()],
) -> PeerReferral:
    if await db.get(PeerIdempotency, idempotency_key):
        raise HTTPException(409)
    referral = PeerReferral(
        case_id=body.case_id, sender=agency, receiver=body.receiver, urgency=body.urgency, purpose=body.purpose
    )
    db.add(PeerProof(jti=str(uuid4())))
    db.add(referral)
    await db.flush()
    db.add(PeerRecord(referral_id=referral.id, content=body.record.model_dump(mode="json", exclude_none=True)))
    db.add(PeerBasis(referral_id=referral.id, basis=body.bases[0]))
    db.add(PeerMove(referral_id=referral.id, event="send"))
    db.add(PeerLog(action="referral:send", subject_id=referral.id))
    db.add(PeerOutbox(agency=body.receiver, subject_id=referral.id))
    db.add(PeerIdempotency(key=idempotency_key, subject_id=referral.id))
    await db.commit()
    await db.refresh(referral)
    return referral


def token() -> str:
    """Return a bearer token the peer takes."""
    return jwt.encode({"alg": "HS256"}, {"sub": "bench-police", "exp": int(datetime.now(UTC).timestamp()) + 3600}, KEY)


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["PEER_PORT"]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )

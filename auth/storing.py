"""Tokens that are issued at the same time are stored together: one statement and one commit for all that came while the last one ran.

Nobody is answered before the commit that holds what he used up. Under load a token so costs the database a fraction of a statement;
alone it waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from app.foundation.database import UNREACHABLE
from auth import queries
from auth.queries import TokenToStore

AT_ONCE: Final = 64
_Waiting = tuple[TokenToStore, asyncio.Future[str]]


class TokenStore:
    """Stores the tokens of one process."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def store(self, token: TokenToStore) -> str:
        """Use up assertion and proof, and log the token. Returns `stored`, `assertion_used` or `proof_used`, after the commit."""
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((token, done))
        if self._task is None:
            self._task = asyncio.create_task(self._go_on(), name="tokens")
        return await done

    async def _go_on(self) -> None:
        try:
            while self._waiting:
                await self._store_some()
        finally:
            self._task = None
            for _, done in self._waiting:  # only where the process ends
                done.cancel()
            self._waiting.clear()

    async def _store_some(self) -> None:
        some, self._waiting = _without_repeats(self._waiting)
        try:
            outcomes = await queries.store_tokens(self._pool, [token for token, _ in some])
        except UNREACHABLE as error:
            _fail(some, error)
        except Exception as error:
            if len(some) == 1:
                _fail(some, error)
                return
            for each in some:  # nothing was stored; whoever caused it must not take the others along
                await self._store_one(each)
        else:
            for (_, done), outcome in zip(some, outcomes, strict=True):
                if not done.done():
                    done.set_result(outcome)

    async def _store_one(self, each: _Waiting) -> None:
        token, done = each
        try:
            (outcome,) = await queries.store_tokens(self._pool, [token])
        except Exception as error:
            _fail([each], error)
        else:
            if not done.done():
                done.set_result(outcome)


def _fail(some: Sequence[_Waiting], error: Exception) -> None:
    for _, done in some:
        if not done.done():
            done.set_exception(error)


def _without_repeats(waiting: list[_Waiting]) -> tuple[list[_Waiting], list[_Waiting]]:
    """Return some that use up nothing twice, in the order they came, and the rest: who repeats is told so by what was stored before."""
    some: list[_Waiting] = []
    rest: list[_Waiting] = []
    used: set[bytes] = set()
    for each in waiting:
        hashes = {what[0] for what in (each[0].assertion, each[0].proof) if what is not None}
        if len(some) < AT_ONCE and not hashes & used:
            some.append(each)
            used |= hashes
        else:
            rest.append(each)
    return some, rest


def token_store(state: Any) -> TokenStore:
    """Return the process's store of tokens."""
    try:
        store: TokenStore = state.token_store
    except AttributeError:
        store = state.token_store = TokenStore(state.database.app)
    return store

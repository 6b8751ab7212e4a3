"""What opens access to administration itself: asked for here, done when two people have said yes.

Who asks for a link holds it, and who says the last yes is shown the code it takes as well, so that neither alone can enrol as the newcomer.
This holds only if they are known to be two: somebody at the machine, who may be anybody, cannot ask.

While fewer than two operators can sign in nobody could say the second yes. As long, whoever works at the machine itself may add and
invite administrators alone; the log says `admin:bootstrap`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.foundation.database import Connection
from auth.admin import approvals
from auth.admin.acts import ACTS
from auth.admin.agencies import check_name
from auth.admin.approvals import Approval
from auth.admin.errors import AdministratorStateError, MayNotApproveError, TakenError
from auth.people import administrators, invitations, queries
from auth.people.administrators import ListedAdministrator
from auth.people.person import Person
from auth.people.sessions import token_hash
from auth.queries import log_act

ENOUGH: Final = 2
"""As many operators must be able to sign in before the machine alone can add none any more."""


@dataclass(frozen=True, slots=True)
class Rules:
    """By which rules something is opened."""

    two_people: bool
    at_machine: bool = False
    """Whether it is asked at the command line, on the machine itself."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What came of it."""

    done: bool
    approval: Approval | None
    """What waits for approval, or was approved at once; None where none is needed."""
    token: str | None = None
    """The token of the invitation. It counts once the approval, if any, is given; after one, only with the code shown by it."""


async def add(
    conn: Connection, *, reference: str, name: str, roles: Iterable[str], by: Person, now: datetime, rules: Rules
) -> Opened:
    """Ask for a new administrator, with an invitation. Raises `InvalidValueError`, `TakenError`, `MayNotApproveError`."""
    administrators.check_reference(reference)
    check_name(name)
    wanted = administrators.check_roles(roles)
    async with conn.transaction():
        if await queries.administrator(conn, reference) is not None:
            raise TakenError("there is an administrator of that reference already")
        token = invitations.new_token()
        detail = {"name": name, "roles": wanted, "invitation": token_hash(token).hex()}
        return await _open(conn, "admin:add", reference, detail, by, now, rules, token=token)


async def invite(conn: Connection, reference: str, *, by: Person, now: datetime, rules: Rules) -> Opened:
    """Ask for a way in, or another one, for somebody. Raises `UnknownAdministratorError`, `AdministratorStateError`, `MayNotApproveError`."""
    async with conn.transaction():
        found = await administrators.find_administrator(conn, reference)
        if found.status != "active":
            raise AdministratorStateError("they are suspended; whoever is resumed signs in as before")
        token = invitations.new_token()
        detail = {"invitation": token_hash(token).hex()}
        return await _open(conn, "admin:invite", reference, detail, by, now, rules, token=token)


async def change_roles(
    conn: Connection, reference: str, roles: Iterable[str], *, by: Person, now: datetime, rules: Rules
) -> Opened:
    """Give somebody these roles and no others: fewer at once, others when approved. Raises `InvalidValueError`, `UnknownAdministratorError`."""
    wanted = administrators.check_roles(roles)
    async with conn.transaction():
        found = await administrators.find_administrator(conn, reference)
        if administrators.is_narrower(wanted, found.roles):
            await administrators.set_roles(conn, reference, wanted, now=now, actor=by.reference)
            return Opened(True, None)
        detail = {"roles": wanted, "before": sorted(found.roles)}
        return await _open(conn, "admin:roles", reference, detail, by, now, rules)


async def resume(conn: Connection, reference: str, *, by: Person, now: datetime, rules: Rules) -> Opened:
    """Ask to let somebody in again. Raises `UnknownAdministratorError`, `AdministratorStateError`."""
    async with conn.transaction():
        found: ListedAdministrator = await administrators.find_administrator(conn, reference)
        if found.status != "suspended":
            raise AdministratorStateError("they are not suspended")
        return await _open(conn, "admin:resume", reference, {}, by, now, rules)


async def bootstraps(conn: Connection, rules: Rules) -> bool:
    """Whether the machine alone may add and invite administrators now."""
    return rules.at_machine and rules.two_people and await queries.operators_who_can_sign_in(conn) < ENOUGH


async def _open(
    conn: Connection,
    act: str,
    reference: str,
    detail: Mapping[str, Any],
    by: Person,
    now: datetime,
    rules: Rules,
    *,
    token: str | None = None,
) -> Opened:
    if token is not None:
        bootstrap = await bootstraps(conn, rules)
        detail = {**detail, "coded": rules.two_people and not bootstrap}
        if bootstrap:
            await log_act(
                conn,
                at=now,
                actor=by.reference,
                action="admin:bootstrap",
                subject="administrator",
                detail={"act": act, "reference": reference, "proven": by.admin_id is not None},
            )
            await ACTS[act].apply(conn, reference, detail, now, by.reference)
            return Opened(True, None, token)
        if rules.two_people and (by.admin_id is None or not by.confirmed(now)):
            raise MayNotApproveError(
                "only an operator who has just signed in asks for a link: else whoever approves it could be the one who holds it"
            )
    asked = await approvals.ask(conn, act, reference, detail, by=by, now=now, two_people=rules.two_people)
    return Opened(asked.done, asked, token)

"""When an agency leaves: what is left to do, in order, computed from what there is. Reading it changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.foundation.database import Connection
from auth.admin import client_queries
from auth.admin.directory_changes import change_agency
from auth.admin.errors import UnknownAgencyError
from schemas.codes.agencies import AgencyGroup


@dataclass(frozen=True, slots=True)
class Step:
    """Something to see through before an agency can be closed."""

    what: str
    remaining: int
    """0: done."""
    how: str
    """The command that does it, or who must."""
    must: bool = True
    """Whether the agency cannot be closed before."""
    which: tuple[str, ...] = ()
    """The ids or codes it is about, where administrators may know them."""

    @property
    def done(self) -> bool:
        """Whether nothing of it is left."""
        return not self.remaining


@dataclass(frozen=True, slots=True)
class Offboarding:
    """How far an agency is from being closed."""

    code: str
    status: str
    steps: tuple[Step, ...]


async def offboarding(conn: Connection, code: str, *, now: datetime) -> Offboarding:
    """Return the steps by which an agency leaves. Raises `UnknownAgencyError`.

    It is not suspended first: it must finish what it answers for, by its own systems, and is closed last.
    """
    row = await client_queries.leaving(conn, code, now)
    if row is None:
        raise UnknownAgencyError(f"there is no agency {code}")
    closed = row["status"] == "closed"

    def some(what: str, which: list[str], how: str, *, must: bool = True) -> Step:
        return Step(what, len(which), how, must, tuple(which))

    own = "the agency itself, by its own system"
    steps = (
        Step("say in the directory that it takes nobody new", int(not (row["takes_nobody"] or closed)),
             f"rujukan agencies takes-nobody {code}", must=False),
        Step("answer what it was asked: accept or decline", row["unanswered"], own, must=False),
        Step("hand over the cases it leads, or close them", row["cases"],
             f"{own} (rujukan transfer); for a lead that is gone, the desk proposes another"),
        Step("see through the referrals it has accepted", row["referrals"], own),
        Step("confirm or call off the transfers it has accepted", row["transfers"], own),
        Step("answer the requests about data", row["requests"], own),
        Step("close the escalations it has taken", row["escalations"], own),
        Step("see what it has sent to its end, or hand it over with its case", row["sent"], own, must=False),
        Step("let another agency be the ministry's desk", int(row["desk"]), "rujukan agencies desk CODE"),
        Step("let another agency review what is disclosed without consent", int(row["reviewer"]), "rujukan agencies reviewer CODE"),
        some("close or move the agencies that belong to it", row["below"], "rujukan agencies offboard CODE, for each", must=False),
        some("end the tokens by which systems could still register for it", row["tokens"], "end each initial access token", must=False),
        some("end its agreements", row["agreements"], "rujukan agreements end ID, for each", must=False),
        some("take it from clients that also act for others", row["shared_clients"],
             "rujukan clients agencies CLIENT_ID CODE…, with the others alone", must=False),
        some("tell its systems that nothing more will be sent to their webhooks: retiring the clients ends them", row["webhooks"],
             f"rujukan webhooks list --agency {code}", must=False),
        some("retire its clients: last, it needs them until here", row["clients"], "rujukan clients retire CLIENT_ID, for each", must=False),
        some("take its service points out of the directory, as far as nobody was brought there", row["service_points"],
             f"rujukan service-points list {code}", must=False),
        Step("close it for good", int(not closed), f"rujukan agencies close {code}"),
    )  # fmt: skip
    return Offboarding(code, row["status"], steps)


async def take_nobody(conn: Connection, code: str, *, now: datetime, actor: str) -> None:
    """Say in the directory that an agency has no place for anybody: nobody is sent there for nothing. Raises `UnknownAgencyError`."""
    nobody = {"accepts": {group.value: "no" for group in AgencyGroup}, "residential": "no", "capacity": 0}
    await change_agency(conn, code, nobody, now=now, actor=actor)

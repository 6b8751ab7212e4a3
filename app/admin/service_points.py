"""`/admin/v1/agencies/{code}/service-points` and `/admin/v1/service-points`: where services are given. Never the address of a hidden place."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import Field

from app.admin.dependencies import Admin
from app.admin.problems import NotPossible, NotRight, NotThere
from app.admin.wire import LEFT_OUT, AgencyInPath
from app.foundation.http import StrictRoute
from app.foundation.problems import answers
from auth.admin import agencies, directory_changes
from auth.admin.directory_changes import ListedServicePoint
from auth.people.guard import requires_role
from auth.people.person import Person, Role
from schemas.base import Flag, Moment, Wire
from schemas.codes.base import RequestBody
from schemas.codes.services import Service
from schemas.text import Line, Name, RegionCode

router = APIRouter(prefix="/v1", tags=["service points"], route_class=StrictRoute)
CanRead = Annotated[Person, requires_role()]
CanRun = Annotated[Person, requires_role(Role.operator)]
PointId = Annotated[UUID, Path(description="The service point's id.")]
Services = Annotated[list[Service], Field(max_length=40)]


class ServicePoint(Wire):
    """A place where an agency gives services. A confidential one has no address."""

    id: UUID
    agency: str
    name: str
    confidential: bool
    region: str | None
    address: str | None
    services: list[Service]
    created_at: Moment


class ServicePointList(Wire):
    """The service points of one agency, by name."""

    items: list[ServicePoint]


class NewServicePoint(RequestBody):
    """A service point to be added."""

    name: Name
    confidential: Flag
    """Nobody else learns of it, and no address is kept."""
    region: RegionCode | None = None
    address: Line | None = None
    services: Services = Field(default_factory=list)


class ServicePointChange(RequestBody):
    """What to change; what is left out stays as it is."""

    name: Name = LEFT_OUT
    confidential: Flag = LEFT_OUT
    """`true` takes the address away too. What is confidential stays so."""
    region: RegionCode | None = None
    address: Line | None = None
    services: Services = LEFT_OUT


def _wire(found: ListedServicePoint) -> ServicePoint:
    return ServicePoint.model_validate(found, from_attributes=True)


@router.get("/agencies/{code}/service-points", response_model=ServicePointList, responses=answers(NotThere))
async def list_service_points(code: AgencyInPath, who: CanRead, admin: Admin) -> ServicePointList:
    """List an agency's service points, by name."""
    async with admin.transaction() as conn:
        found = await directory_changes.list_service_points(conn, code)
    return ServicePointList(items=[_wire(each) for each in found])


@router.post(
    "/agencies/{code}/service-points",
    status_code=201,
    response_model=ServicePoint,
    responses=answers(NotThere, NotRight),
)
async def add_service_point(code: AgencyInPath, body: NewServicePoint, who: CanRun, admin: Admin) -> ServicePoint:
    """Add a service point. A confidential one comes without an address."""
    values = {**body.model_dump(mode="json"), "services": list(dict.fromkeys(body.services))}
    async with admin.transaction() as conn:
        id = await agencies.add_service_point(conn, agency=code, **values, now=admin.now, actor=who.reference)
        return _wire(await directory_changes.read_service_point(conn, id))


@router.patch("/service-points/{point_id}", response_model=ServicePoint, responses=answers(NotThere, NotRight))
async def change_service_point(point_id: PointId, body: ServicePointChange, who: CanRun, admin: Admin) -> ServicePoint:
    """Change a service point. Members that are left out stay as they are (RFC 7396)."""
    changes = body.model_dump(mode="json", include=body.model_fields_set)
    if "services" in changes:
        changes["services"] = list(dict.fromkeys(changes["services"]))
    async with admin.transaction() as conn:
        await directory_changes.change_service_point(conn, point_id, changes, now=admin.now, actor=who.reference)
        return _wire(await directory_changes.read_service_point(conn, point_id))


@router.post("/service-points/{point_id}/remove", response_model=ServicePoint, responses=answers(NotThere, NotPossible))
async def remove_service_point(point_id: PointId, who: CanRun, admin: Admin) -> ServicePoint:
    """Take a service point away, and answer with what it was. Not while a referral or transfer names it."""
    async with admin.transaction() as conn:
        was = await directory_changes.read_service_point(conn, point_id)
        await directory_changes.remove_service_point(conn, point_id, now=admin.now, actor=who.reference)
    return _wire(was)

"""What the documents of several subjects have in common: ids, networks, public keys; and keyset paging of lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Annotated, Any, Final, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from app.admin.dependencies import Administering
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from schemas.text import AgencyCode


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


LEFT_OUT: Any = Field(default=None, json_schema_extra=_without_default)
"""A member of a change that may be left out but is never null."""
ClientId = Annotated[str, StringConstraints(min_length=3, max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]{2,63}$")]
"""A client's id."""
ScopeName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z_]+\.[a-z_]+$")]
"""A scope, such as `cases.read`."""
AgencyInPath = Annotated[AgencyCode, Path(description="The agency's code.")]
ClientInPath = Annotated[ClientId, Path(description="The client's id.")]
Cursor = Annotated[str | None, Query(max_length=400, description="Taken from `next`.")]
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""The number of an agreement on paper."""
_KID_AT_MOST: Final = 128


def _network(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError:
        raise PydanticCustomError("network_form", "A network is written like 192.0.2.0/24 or 2001:db8::/32") from None


Network = Annotated[
    str, StringConstraints(max_length=43, pattern=r"^[0-9a-fA-F.:]+(?:/[0-9]{1,3})?$"), AfterValidator(_network)
]
"""An IPv4 or IPv6 network; a single address is a network too."""


def _jwk(value: dict[str, Any]) -> dict[str, Any]:
    kid = value.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= _KID_AT_MOST and kid.isprintable()):
        raise PydanticCustomError("kid_form", "A kid is 1 to 128 printable characters")
    return value


Jwk = Annotated[dict[str, Any], Field(min_length=1, max_length=16), AfterValidator(_jwk)]
"""A public key as a JWK (RFC 7517), or a certificate in its `x5c`."""

T = TypeVar("T")


def after(admin: Administering, path: str, filters: Mapping[str, Any], cursor: str | None) -> str | None:
    """Return the key that a cursor stands behind; None at the beginning. Raises `InvalidCursor`."""
    return None if cursor is None else decode_cursor(admin.keyring, _list(path, filters), cursor, length=1)[0]


def next_page(
    admin: Administering, path: str, filters: Mapping[str, Any], found: Sequence[T], limit: int, key: str
) -> str | None:
    """Return the address of the next page, of one more was `found` than there may be on this one. `key`: the attribute lists go by."""
    if len(found) <= limit:
        return None
    cursor = encode_cursor(admin.keyring, _list(path, filters), [str(getattr(found[limit - 1], key))])
    given = {name: None if value is None else str(value) for name, value in {**filters, "limit": limit}.items()}
    return next_link(path, given, cursor)


def _list(path: str, filters: Mapping[str, Any]) -> str:
    return f"{path} {sorted((name, str(value)) for name, value in filters.items())}"

"""Keyset cursors: opaque, and good only for the list, the filters and the agency they were made for."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import urlencode

import orjson

from app.foundation.keyring import Keyring
from app.foundation.problems import Problem

_MAC = 12


class InvalidCursor(Problem):
    """The cursor was not made by this exchange for this list, with these filters, for your agency.

    Take `next` as it stands; do not build cursors, and start the list again when you change a filter.
    """

    type, status, title, title_id = (
        "invalid-cursor",
        400,
        "The cursor does not fit this list",
        "Kursor tidak cocok dengan daftar ini",
    )


def encode_cursor(keyring: Keyring, scope: str, keys: list[str]) -> str:
    """Return a cursor that stands after the row with these `keys` in the list that `scope` names."""
    body = orjson.dumps(keys)
    return (
        base64.urlsafe_b64encode(keyring.keyed_hash("cursor", scope.encode(), body)[:_MAC] + body).decode().rstrip("=")
    )


def decode_cursor(keyring: Keyring, scope: str, cursor: str, *, length: int) -> list[str]:
    """Return the keys, `length` of them. Raises `InvalidCursor`."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (ValueError, binascii.Error):
        raise InvalidCursor from None
    mac, body = raw[:_MAC], raw[_MAC:]
    if mac != keyring.keyed_hash("cursor", scope.encode(), body)[:_MAC]:
        raise InvalidCursor
    keys: list[str] = orjson.loads(body)
    if len(keys) != length:
        raise InvalidCursor
    return keys


def next_link(path: str, filters: Mapping[str, str | list[str] | None], cursor: str | None) -> str | None:
    """Return the address of the next page, or None at the end."""
    if cursor is None:
        return None
    given = {name: value for name, value in {**filters, "cursor": cursor}.items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}"

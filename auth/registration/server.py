"""Authlib's two endpoints with our rules: pure computation between a load and a store, one instance a request. Nothing in here waits."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from authlib.oauth2.rfc6749.requests import JsonPayload, JsonRequest
from authlib.oauth2.rfc7591 import (
    ClientRegistrationEndpoint,
    InvalidClientMetadataError,
    InvalidSoftwareStatementError,
    UnapprovedSoftwareStatementError,
)
from authlib.oauth2.rfc7592 import ClientConfigurationEndpoint

from auth.jose import JoseRefusedError, split
from auth.registration import tokens
from auth.registration.claims import FIXED, Allowed, ClientMetadata, from_store, to_store

_APPROVED = frozenset({"approved", "active"})


class Payload(JsonPayload):  # type: ignore[misc]
    """A JSON object that was sent."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    @property
    def data(self) -> dict[str, Any]:
        """The object."""
        return self._data


class RegistrationRequest(JsonRequest):  # type: ignore[misc]
    """A request to one of the two endpoints: method and body; who sent it is known already."""

    def __init__(self, method: str, body: dict[str, Any] | None) -> None:
        super().__init__(method, "")
        self.payload = Payload(body or {})
        self.credential: Any = None
        self.client: Any = None


@dataclass(frozen=True, slots=True)
class Registered:
    """A client to be stored, and what it is told."""

    client: Mapping[str, Any]
    token: str = field(repr=False)


class Registration(ClientRegistrationEndpoint):  # type: ignore[misc]
    """`POST` (RFC 7591 §3.1)."""

    def __init__(self, *, uri: str, invitation: object, allowed: Allowed, now: datetime) -> None:
        super().__init__(claims_classes=[ClientMetadata])
        self.uri = uri
        self.invitation = invitation
        self.allowed = allowed
        self.now = now
        self.registered: Registered | None = None

    def authenticate_token(self, request: RegistrationRequest) -> object:
        """Return the initial access token, which was looked up before."""
        del request
        return self.invitation

    def get_server_metadata(self) -> dict[str, Any]:
        """Return what the claims are checked against."""
        return {"allowed": self.allowed}

    def extract_client_metadata(self, request: RegistrationRequest) -> dict[str, Any]:
        """Return the checked metadata."""
        refuse_statement(request)
        found: dict[str, Any] = super().extract_client_metadata(request)
        return found

    def generate_client_info(self, request: RegistrationRequest) -> dict[str, Any]:
        """Make a client_id; there is never a secret."""
        return {
            "client_id": new_client_id(request.payload.data["client_name"]),
            "client_id_issued_at": int(self.now.timestamp()),
        }

    def save_client(
        self, client_info: Mapping[str, Any], client_metadata: Mapping[str, Any], request: RegistrationRequest
    ) -> Registered:
        """Leave what is to be stored to the endpoint."""
        del request
        client = {"client_id": client_info["client_id"], **to_store(client_metadata)}
        self.registered = Registered(client, tokens.new(tokens.MANAGEMENT))
        return self.registered

    def generate_client_registration_info(self, client: Registered, request: RegistrationRequest) -> dict[str, Any]:
        """Return what RFC 7592 §3 adds, and that the client waits."""
        del request
        return management(self.uri, client.client["client_id"], client.token, "requested")


class Managed:
    """A registered client as Authlib asks about it: client and token in one, since they were looked up together."""

    def __init__(self, row: Mapping[str, Any], token: str) -> None:
        self.row = row
        self.token = token
        self.metadata = from_store(row, json.loads(row["keys"]))

    @property
    def approved(self) -> bool:
        """Whether people have said yes to what it is."""
        return self.row["status"] in _APPROVED

    def get_client_id(self) -> str:
        """Return its id."""
        return str(self.row["client_id"])

    def check_client(self, client: Managed) -> bool:
        """Whether the token is of this client."""
        return client is self

    def check_client_secret(self, secret: object) -> bool:
        """No: there is none."""
        del secret
        return False


class Configuration(ClientConfigurationEndpoint):  # type: ignore[misc]
    """`GET`, `PUT`, `DELETE` (RFC 7592 §2)."""

    def __init__(self, *, uri: str, managed: Managed, allowed: Allowed) -> None:
        super().__init__(claims_classes=[ClientMetadata])
        self.uri = uri
        self.managed = managed
        self.allowed = allowed
        self.replaced: Registered | None = None
        self.retired = False

    def authenticate_token(self, request: RegistrationRequest) -> Managed:
        """Return the registration access token, which was looked up before."""
        del request
        return self.managed

    def authenticate_client(self, request: RegistrationRequest) -> Managed:
        """Return the client it is of."""
        del request
        return self.managed

    def check_permission(self, client: Managed, request: RegistrationRequest) -> bool:
        """Whether it may: a client that may not was not found."""
        del client, request
        return True

    def get_server_metadata(self) -> dict[str, Any]:
        """Return what the claims are checked against."""
        return {"allowed": self.allowed}

    def introspect_client(self, client: Managed) -> dict[str, Any]:
        """Return what is registered."""
        return {
            "client_id": client.get_client_id(),
            "client_id_issued_at": int(client.row["created_at"].timestamp()),
            **client.metadata,
        }

    def generate_client_registration_info(self, client: Managed, request: RegistrationRequest) -> dict[str, Any]:
        """Return what RFC 7592 §3 adds: the token that was sent, or the one that replaces it."""
        del request
        return management(self.uri, client.get_client_id(), client.token, client.row["status"])

    def extract_client_metadata(self, request: RegistrationRequest) -> dict[str, Any]:
        """Return the checked metadata; of an approved client, what people approved is as it was."""
        refuse_statement(request)
        registered = self.managed.metadata
        if self.managed.approved:
            fixed = {name: registered[name] for name in FIXED if name in registered}
            given = {name: value for name, value in request.payload.data.items() if value is not None}
            request.payload = Payload({**fixed, **given})
        found: dict[str, Any] = super().extract_client_metadata(request)
        if self.managed.approved and any(found.get(name) != registered.get(name) for name in FIXED):
            raise InvalidClientMetadataError(
                "Once approved, only the name, the software and the keys may change. For anything else ask the operators."
            )
        return found

    def update_client(
        self, client: Managed, client_metadata: Mapping[str, Any], request: RegistrationRequest
    ) -> Managed:
        """Leave what is to be stored to the endpoint, and return the client as it will be."""
        del request
        self.replaced = Registered(to_store(client_metadata), tokens.new(tokens.MANAGEMENT))
        after = Managed(client.row, self.replaced.token)
        after.metadata = dict(client_metadata)
        return after

    def delete_client(self, client: Managed, request: RegistrationRequest) -> None:
        """Leave it to the endpoint."""
        del client, request
        self.retired = True


def refuse_statement(request: RegistrationRequest) -> None:
    """Refuse a software statement (RFC 7591 §2.3): nobody's are approved here. Raises as §3.2.2 says."""
    statement = request.payload.data.get("software_statement")
    if statement is None:
        return
    try:
        if not isinstance(statement, str) or not all(split(statement)):
            raise JoseRefusedError("not a JWT")
    except JoseRefusedError:
        raise InvalidSoftwareStatementError("The software statement is no signed JWT.") from None
    raise UnapprovedSoftwareStatementError("No issuer of software statements is approved here.")


def management(uri: str, client_id: str, token: str, status: str) -> dict[str, Any]:
    """Return the members by which a client manages its registration, and how far it has come."""
    return {
        "registration_client_uri": f"{uri}/{client_id}",
        "registration_access_token": token,
        "status": status,
    }


def new_client_id(name: str) -> str:
    """Make an id that reads like the name and cannot be guessed."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].rstrip("-")
    return f"{words or 'client'}-{secrets.token_hex(6)}"

"""What a person at the keyboard is told when something is wrong: one line, what to do, an exit code. Never a traceback, never a value."""

from __future__ import annotations

import socket
from enum import IntEnum
from typing import Final

import asyncpg
import httpx

from app.client import TokenRefusedError
from app.exchange.retention.erasure_list import ErasureListUnusable, ErasuresToReplay
from app.foundation.database import UNREACHABLE, MissingAddress
from app.foundation.keyring import KeyringUnusable
from app.foundation.settings import UnsafeSettings
from auth.admin.errors import (
    AdministratorStateError,
    ClientMoveError,
    InvalidValueError,
    MayNotApproveError,
    OpenDutiesError,
    TakenError,
    UnknownAdministratorError,
    UnknownAgencyError,
    UnknownAgreementError,
    UnknownApprovalError,
    UnknownClientError,
    UnknownInvitationError,
    UnknownKeyError,
    UnknownMoveError,
    UnknownPasskeyError,
    UnknownSessionError,
    UnusableKeyError,
)
from auth.client_auth.mtls import InvalidNameError
from auth.keys import NextKeyTooYoungError
from auth.scopes import UnknownScopeError


class Code(IntEnum):
    """How a command ends."""

    done = 0
    failed = 1
    """A check failed, or the machine is not fit to do it."""
    usage = 2
    """Not possible as it was asked for."""
    unreachable = 3
    """The database or the exchange cannot be reached."""
    refused = 4
    """The exchange refused (4xx)."""
    broken = 5
    """The exchange failed (5xx)."""


class Failure(Exception):
    """A reason to stop, with what to do about it."""

    def __init__(self, message: str, do: str = "", *, code: Code = Code.usage) -> None:
        self.code = code
        super().__init__(f"{message}\n  {do}" if do else message)


_ASKED_WRONGLY: Final = (
    ClientMoveError,
    InvalidValueError,
    InvalidNameError,
    MayNotApproveError,
    OpenDutiesError,
    TakenError,
    UnusableKeyError,
    UnknownScopeError,
    NextKeyTooYoungError,
    UnknownAgencyError,
    UnknownClientError,
    UnknownKeyError,
    UnknownMoveError,
    UnknownInvitationError,
    UnknownAgreementError,
    UnknownApprovalError,
    UnknownAdministratorError,
    UnknownPasskeyError,
    UnknownSessionError,
    AdministratorStateError,
    MayNotApproveError,
)
_DO: Final[dict[type[Exception], str]] = {
    UnknownAgencyError: "See `rujukan agencies list`.",
    OpenDutiesError: "Let it hand its cases over and see its referrals through; for a lead that is gone the desk names another.",
    UnknownClientError: "See `rujukan clients list`.",
    UnknownMoveError: "Nothing was done. `rujukan breach report --writes` lists its moves.",
    UnknownInvitationError: "See `rujukan registrations list`.",
    UnknownAgreementError: "See `rujukan agreements list`.",
    UnknownApprovalError: "See `rujukan approvals list`.",
    UnknownAdministratorError: "See `rujukan admins list`.",
    UnknownPasskeyError: "See `rujukan admins show`.",
    UnknownSessionError: "See `rujukan admins sessions`.",
    MayNotApproveError: "Sign in with `rujukan sign-in`; another person says the other yes.",
    NextKeyTooYoungError: "`rujukan keys rotate --at-once` does not wait: for a key that may have leaked.",
}
_DO_ABOUT_TOKENS: Final = {
    "invalid_client": "Is the client registered, active, and its key not ended? See `rujukan clients list`.",
    "invalid_request": "If the client acts for several agencies, name one with --agency.",
}
_NOT_FOUND: Final = (asyncpg.InvalidCatalogNameError, asyncpg.UndefinedTableError, asyncpg.UndefinedFunctionError)
_NOT_LET_IN: Final = (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)


def explain(error: Exception) -> Failure | None:
    """Return what to say about `error`, or None if it is a fault of ours."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, BrokenPipeError):
        return None  # whoever read our output has seen enough, as in `rujukan … | head`: Click ends it without a word
    if isinstance(error, _ASKED_WRONGLY):
        return Failure(str(error), _DO.get(type(error), ""))
    if isinstance(error, UnsafeSettings):
        listed = "".join(f"\n  - {reason}" for reason in error.reasons)
        return Failure(f"production refuses to run like this:{listed}", code=Code.failed)
    if isinstance(error, KeyringUnusable):
        return Failure(str(error), remedy_of(error), code=Code.failed)
    if isinstance(error, ErasuresToReplay):
        return Failure(
            f"{error}; nothing may be served before",
            "Run `rujukan erasures replay` as the database's owner (RUJUKAN_DATABASE_OWNER_URL).",
            code=Code.failed,
        )
    if isinstance(error, ErasureListUnusable):
        return Failure(
            str(error), "See RUJUKAN_ERASURE_LIST; each process must be able to write there.", code=Code.failed
        )
    if isinstance(error, MissingAddress):
        return Failure(str(error), "docs/running.md says which process needs which.", code=Code.failed)
    if isinstance(error, TokenRefusedError):
        return Failure(
            f"the exchange gives no token: {error}",
            _DO_ABOUT_TOKENS.get(error.error, ""),
            code=Code.broken if error.status >= 500 else Code.refused,
        )
    if isinstance(error, httpx.TransportError):
        return Failure(
            f"the exchange cannot be reached: {type(error).__name__}",
            "Is it running (`rujukan serve`) at the issuer's address in the client's file?",
            code=Code.unreachable,
        )
    return _of_database(error)


def remedy_of(error: KeyringUnusable) -> str:
    """Return what to do about a keyring that cannot be used."""
    if isinstance(error.__cause__, PermissionError):
        return "Run as the user who made it."
    if "key service" in str(error) or "RUJUKAN_KEYRING_KMS" in str(error):
        return 'docs/running.md, "The keyring", says what the key service needs and how a keyring is moved to it (`rujukan keys wrap`).'
    return "Put it back from its backup: without it no record can be read. A new installation makes one by `rujukan keys init`."


def _of_database(error: Exception) -> Failure | None:
    if isinstance(error, _NOT_FOUND):
        return Failure(
            "the database or its schema is not there, or older than this program",
            "Run `rujukan migrate`.",
            code=Code.failed,
        )
    if isinstance(error, _NOT_LET_IN):
        return Failure(
            f"the database does not let this role in: {type(error).__name__}",
            "Check user and password in RUJUKAN_DATABASE_*_URL; `rujukan migrate` sets the roles' passwords from them.",
            code=Code.unreachable,
        )
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return Failure(
            "the database does not allow this to the role of the URL",
            "RUJUKAN_DATABASE_ADMIN_URL must log in as rujukan_admin; `rujukan doctor` checks each role.",
            code=Code.failed,
        )
    if isinstance(error, (*UNREACHABLE, socket.gaierror)):
        return Failure(
            f"the database cannot be reached: {type(error).__name__}",
            "Is it running, and is RUJUKAN_DATABASE_URL right? `rujukan doctor` looks closer.",
            code=Code.unreachable,
        )
    return None

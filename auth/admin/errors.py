"""What a person who administers got wrong, with a message to show: a `LookupError` or a `ValueError`."""

from __future__ import annotations

from collections.abc import Mapping


class UnknownAgencyError(LookupError):
    """There is no agency of that code."""


class UnknownClientError(LookupError):
    """There is no client of that id."""


class UnknownKeyError(LookupError):
    """The client has no such key that has not ended."""


class UnknownInvitationError(LookupError):
    """There is no such initial access token that has not ended."""


class UnknownAgreementError(LookupError):
    """There is no such agreement that has not ended."""


class UnknownWebhookError(LookupError):
    """There is no such webhook."""


class UnknownMoveError(LookupError):
    """The client made no such move on a referral or transfer in that time."""


class TakenError(ValueError):
    """The code, id or kid is in use already."""


class OpenDutiesError(ValueError):
    """The agency still answers for cases; how many, by what it is to them."""

    def __init__(self, code: str, duties: Mapping[str, int]) -> None:
        self.duties = {what: count for what, count in duties.items() if count}
        listed = ", ".join(f"{what}: {count}" for what, count in self.duties.items())
        super().__init__(f"{code} still answers for people and cannot be closed ({listed})")


class InvalidValueError(ValueError):
    """A value does not have the form it must have."""


class UnusableKeyError(ValueError):
    """A key a client may not have: private, too short, of another kind, or twice the same `kid`."""


class ClientMoveError(ValueError):
    """The client is in a state from which this move does not lead."""


class UnknownApprovalError(LookupError):
    """There is no such thing waiting for approval."""


class MayNotApproveError(ValueError):
    """This person's yes does not count here: not proven, the wrong role, or it was given already."""


class UnknownAdministratorError(LookupError):
    """There is no administrator of that reference."""


class UnknownPasskeyError(LookupError):
    """The administrator has no such passkey that has not ended."""


class UnknownSessionError(LookupError):
    """There is no such session that has not ended."""


class AdministratorStateError(ValueError):
    """What was asked for does not go with the state the administrator is in."""


class UnknownServicePointError(LookupError):
    """There is no service point of that id."""

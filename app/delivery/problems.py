"""What can go wrong with webhooks."""

from __future__ import annotations

from app.foundation.outbound import FAULTS
from app.foundation.problems import Problem


class WebhookUrlUnusable(Problem):
    """Messages cannot be sent to this address. `fault` and `says` tell which rule it breaks: it is `https` with a full DNS name, and all that the
    name resolves to is on the public Internet.

    Addresses of the inner network, of this machine and of metadata services are refused now, and again at every message, whatever the name
    resolves to then.
    """

    type, status, title, title_id = (
        "webhook-url-unusable",
        422,
        "Messages cannot be sent to this address",
        "Pesan tidak dapat dikirim ke alamat ini",
    )
    log_as = "url_unusable"

    def __init__(self, fault: str) -> None:
        super().__init__(fault=fault, says=FAULTS[fault])


class TooManyWebhooks(Problem):
    """The client has as many webhooks for this agency as it may have. Remove one that is not needed: `DELETE /v1/webhooks/{webhook_id}`."""

    type, status, title, title_id = (
        "too-many-webhooks",
        409,
        "The client has too many webhooks",
        "Webhook terlalu banyak",
    )
    log_as = "too_many_webhooks"


class KeyRotationRunning(Problem):
    """Two keys sign already, one of them for a while. Never three: wait until the earlier one has ended (`keys` of the webhook says when)."""

    type, status, title, title_id = (
        "key-rotation-running",
        409,
        "A rotation of keys is running",
        "Pergantian kunci sedang berjalan",
    )
    log_as = "key_rotation_running"


class WebhookOutOfService(Problem):
    """Nothing is sent to a webhook that is disabled, paused or gone. Enable it first: `POST /v1/webhooks/{webhook_id}/enable`."""

    type, status, title, title_id = (
        "webhook-out-of-service",
        409,
        "The webhook is out of service",
        "Webhook tidak aktif",
    )
    log_as = "webhook_out_of_service"

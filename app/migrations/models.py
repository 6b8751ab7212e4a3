"""What the migrations must build: the tables of every `tables.py`."""

from __future__ import annotations

import re
from typing import Any, Final

from sqlmodel import SQLModel

import app.at_rest.tables
import app.delivery.notices.tables
import app.delivery.tables
import app.exchange.agencies.tables
import app.exchange.attachments.tables
import app.exchange.bulk.tables
import app.exchange.cases.tables
import app.exchange.consents.tables
import app.exchange.corrections.tables
import app.exchange.emergencies.tables
import app.exchange.escalations.tables
import app.exchange.holds.tables
import app.exchange.incidents.tables
import app.exchange.links.tables
import app.exchange.notes.tables
import app.exchange.reassignments.tables
import app.exchange.records.tables
import app.exchange.referrals.tables
import app.exchange.requests.tables
import app.exchange.retention.tables
import app.exchange.reviews.tables
import app.exchange.subject_requests.tables
import app.exchange.transfers.tables
import app.log.tables
import app.outbox.jobs.tables
import app.outbox.tables  # noqa: F401
import auth.people.tables
import auth.tables  # noqa: F401

METADATA: Final = SQLModel.metadata
_PARTITION = re.compile(r"(log_entry|event|idempotency)_(default|[0-9]{6})(_.*)?")


def is_compared(_: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Leave out what no model describes: the partitions, which are made as time goes on, with their indexes."""
    if not reflected or compare_to is not None or name is None:
        return True
    return kind not in ("table", "index") or _PARTITION.fullmatch(name) is None

"""RFC 9457 problem details, as the exchange writes them."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Problem(BaseModel):
    """What went wrong. `type` leads to a page that explains it and says what to do."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    request_id: str
    errors: list[dict[str, Any]] | None = None
    """For `invalid-request`: JSON Pointer and code of each fault, never the value."""

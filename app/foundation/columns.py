"""Column types as the migrations make them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, TIMESTAMP

Timestamp: Any = TIMESTAMP(timezone=True)
TextArray: Any = ARRAY(Text)
ByteaArray: Any = ARRAY(BYTEA)
Json: Any = JSONB
Bytes: Any = BYTEA

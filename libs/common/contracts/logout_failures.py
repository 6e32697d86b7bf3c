"""The failed delivery of a logout token."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import Contract
from common.contracts.fields import Timestamp


class LogoutFailure(Contract):
    """The reason why the client did not accept its last logout token."""

    error: str = Field(description="The host and the reason.")
    attempt: int
    max_attempts: int
    failed_at: Timestamp
    next_attempt_at: Timestamp | None = Field(
        default=None, description="`null`: there are no more attempts."
    )

"""The kinds of text that several contracts take, each with its bounds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import email_validator
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, AwareDatetime, Field

# A deployment may live on localhost, `.test` or `.internal`: reserved names are somebody's own.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def _address(text: str) -> str:
    try:
        found = validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise ValueError("this is not an e-mail address") from None
    return found.normalized


Email = Annotated[str, Field(max_length=254), AfterValidator(_address)]
"""An address as its owner writes it; compared without regard to case."""
Secret = Annotated[str, Field(max_length=1024)]
Token = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(max_length=200)]
Url = Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s<>\"]+$")]
Locale = Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]
Metadata = dict[str, Any]

EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC)


def _bounded(moment: datetime) -> datetime:
    """Refuses what Postgres or Python could not read back, and zero dates of other systems."""
    if not EARLIEST <= moment < LATEST:
        raise ValueError("a date between the years 1900 and 9999 is needed")
    return moment


def _utc_if_naive(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Timestamp = Annotated[AwareDatetime, AfterValidator(_bounded)]
"""A moment with its time zone. Contracts use this type for every date and time."""
LocalTimestamp = Annotated[datetime, AfterValidator(_utc_if_naive), AfterValidator(_bounded)]
"""A moment from a file of another system, in UTC unless it names its time zone."""

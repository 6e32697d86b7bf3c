"""Types of fields that several contracts use, each with its limits."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import email_validator
import orjson
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from common.address_keys import domain_key
from common.field_errors import value_error
from common.time_zones import zone_names

# A deployment may live on localhost, `.test` or `.internal`: reserved names are somebody's own.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


LONGEST_LOCAL: Final = 64
"""Octets of a local part (RFC 5321 section 4.5.3.1.1)."""


def _stripped(value: Any) -> Any:
    """Blanks at the ends are pasted, never meant."""
    return value.strip() if isinstance(value, str) else value


def _address(text: str) -> str:
    try:
        address = validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise value_error("not_an_email_address") from None
    if len(address.local_part.encode()) > LONGEST_LOCAL:
        raise value_error("email_local_part_too_long", maximum=LONGEST_LOCAL)
    if address.domain.rpartition(".")[2].isdigit():
        raise value_error("email_domain_not_a_host")
    return address.normalized


def _domain(text: str) -> str:
    try:
        name = domain_key(text)
    except ValueError:
        raise value_error("not_a_domain") from None
    if "." not in name or "_" in name or name.rpartition(".")[2].isdigit():
        raise value_error("not_a_domain")
    return name


Email = Annotated[str, BeforeValidator(_stripped), Field(max_length=254), AfterValidator(_address)]
"""An address as its owner writes it; compared by its `address_key`."""
EmailDomain = Annotated[
    str, BeforeValidator(_stripped), Field(max_length=253), AfterValidator(_domain)
]
"""A domain of addresses, as its `domain_key`."""
Secret = Annotated[str, Field(max_length=1024)]
Token = Annotated[str, BeforeValidator(_stripped), Field(min_length=1, max_length=200)]
UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Controls, line breaks, and what has no width or turns the direction of the text around it. The
joiners U+200C and U+200D are letters of some scripts and of emoji."""


def _visible(text: str) -> str:
    if UNSEEN.search(text):
        raise value_error("control_character")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise value_error("blank")
    return text


def _visible_lines(text: str) -> str:
    _visible(text.replace("\r\n", " ").replace("\n", " "))
    return text


Visible = AfterValidator(_visible)
VisibleLines = AfterValidator(_visible_lines)
NotBlank = AfterValidator(_not_blank)
Name = Annotated[str, BeforeValidator(_stripped), Field(max_length=200), Visible]
"""A name on one line, of what people see."""
Title = Annotated[
    str, BeforeValidator(_stripped), Field(min_length=1, max_length=100), Visible, NotBlank
]
"""The name of a thing that an administrator makes."""
Reason = Annotated[str, BeforeValidator(_stripped), Field(min_length=3, max_length=300), Visible]
"""Why somebody does what others can read about."""
LINK: Final = re.compile(
    r"://|\bwww\b|\b(?:mailto|tel):|@|\w[.\u3002\uff0e\uff61][^\W\d_]{2,}|\d+(?:\.\d+){3}", re.I
)
"""Text that mail programs turn into a link: also a bare domain, and characters that browsers read
as a dot."""


def _without_link(text: str) -> str:
    """Refuses text that would become a link."""
    if LINK.search(text):
        raise value_error("contains_link")
    return text


WithoutLink = AfterValidator(_without_link)
PublicText = Annotated[
    str,
    BeforeValidator(_stripped),
    Field(min_length=1, max_length=300),
    Visible,
    NotBlank,
    WithoutLink,
]
"""A plain sentence or two, without a link, that strangers read on a page of ours."""
PublicTitle = Annotated[Title, WithoutLink]
"""A title that any user may choose and that strangers read in mail."""
Url = Annotated[
    str,
    BeforeValidator(_stripped),
    Field(max_length=2000, pattern=r"^https?://[^\s<>\"\\]+$"),
    Visible,
]
Locale = Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]


def time_zone(name: str) -> str:
    """Returns the name of a time zone. Raises ValueError if the IANA database has no such zone."""
    if zone_names() and name not in zone_names():
        raise value_error("not_a_time_zone")
    return name


TimeZone = Annotated[
    str, Field(max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$"), AfterValidator(time_zone)
]
"""The name of a zone in the IANA time zone database, like `Europe/Berlin`."""


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    try:
        orjson.dumps(value)
    except TypeError:
        raise value_error("beyond_64_bits") from None
    return value


Metadata = Annotated[dict[str, Any], AfterValidator(_storable)]

EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC)


def _bounded(moment: datetime) -> datetime:
    """Refuses what Postgres or Python could not read back, and zero dates of other systems."""
    if not EARLIEST <= moment < LATEST:
        raise value_error("date_out_of_range")
    return moment


def _utc_if_naive(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Timestamp = Annotated[AwareDatetime, AfterValidator(_bounded)]
"""A moment with its time zone. Contracts use this type for every date and time."""
LocalTimestamp = Annotated[datetime, AfterValidator(_utc_if_naive), AfterValidator(_bounded)]
"""A moment from a file of another system, in UTC unless it names its time zone."""

Uri = Annotated[str, Field(max_length=2000)]

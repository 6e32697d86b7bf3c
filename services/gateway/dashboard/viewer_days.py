"""Days in the time zone of the person who looks at a page."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.http.request import GatewayRequest

COOKIE: Final = "aero2_zone"
"""The browser's time zone, which dashboard.js sets."""
ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]{0,31}(/[A-Za-z0-9_+\-]{1,31}){0,2}")
"""A name of the IANA time zone database. It never leads out of the folder of the zones."""


def zone_of(request: GatewayRequest) -> tzinfo:
    """Returns the viewer's zone, or UTC if the browser did not say one that exists."""
    name = unquote(request.cookie(COOKIE) or "")
    if not ZONE.fullmatch(name):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def start_of(day: date, zone: tzinfo) -> datetime:
    """Returns the first moment of a day in the zone, in UTC. A day has 23 or 25 hours when the clocks
    change."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def end_of(day: date, zone: tzinfo) -> datetime:
    """Returns the first moment after a day in the zone, in UTC."""
    return start_of(day + timedelta(days=1), zone)

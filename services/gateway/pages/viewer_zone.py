"""The time zone of the person who looks at a page."""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from typing import Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.http.request import GatewayRequest

COOKIE: Final = "aero2_zone"
"""The browser's time zone, which dashboard.js sets."""
ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]{0,31}(/[A-Za-z0-9_+\-]{1,31}){0,2}")
"""A name of the IANA time zone database. It never leads out of the folder of the zones."""


def zone_of(request: GatewayRequest, profile: str | None = None) -> tzinfo:
    """Returns the zone that the person chose in their profile, else that of the browser. UTC, if neither
    names a zone that exists."""
    names = (profile, unquote(request.cookie(COOKIE) or ""))
    return next((zone for name in names if name and (zone := _zone(name))), UTC)


def _zone(name: str) -> tzinfo | None:
    if not ZONE.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None

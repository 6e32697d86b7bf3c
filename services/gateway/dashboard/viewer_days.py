"""Days in the time zone of the person who looks at a page."""

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


def zone_of(request: GatewayRequest) -> tzinfo:
    """Returns the viewer's zone, or UTC if the browser did not say one that exists."""
    name = unquote(request.cookie(COOKIE) or "")
    if not ZONE.fullmatch(name):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC

"""The time zone of the person who looks at a page."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Final
from urllib.parse import unquote

from common.time_zones import find_zone
from gateway.http.request import GatewayRequest

COOKIE: Final = "aero2_zone"
"""The browser's time zone, which dashboard.js sets."""


def zone_of(request: GatewayRequest, profile: str | None = None) -> tzinfo:
    """Returns the zone that the person chose in their profile, else that of the browser. UTC, if neither
    names a zone that exists."""
    names = (profile, unquote(request.cookie(COOKIE) or ""))
    return next((zone for name in names if name and (zone := find_zone(name))), UTC)

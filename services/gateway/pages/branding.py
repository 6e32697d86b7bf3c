"""An application's branding, as pages may use it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from common.contracts.tenants import Branding

WEB: Final = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?", re.IGNORECASE)


def origin_of(url: str) -> str | None:
    """Returns the origin of a web address, or None if it is not one."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    return origin if WEB.fullmatch(origin) else None


def safe_branding(branding: Branding) -> Branding:
    """Returns the branding without addresses that are not web addresses. A developer typed them, and
    they are used in `href` and `src`, where `javascript:` would be a program."""
    links = ("logo_url", "favicon_url", "homepage_url", "privacy_policy_url", "terms_url")
    bad = {
        name: None
        for name in links
        if (url := getattr(branding, name)) is not None and origin_of(url) is None
    }
    return branding.model_copy(update=bad) if bad else branding

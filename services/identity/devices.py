"""What a browser is called, and how it is known again."""

from __future__ import annotations

from functools import lru_cache

from ua_parser import parse

from common.crypto import Keys


@lru_cache(maxsize=2048)
def device_name(agent: str | None) -> str | None:
    """As people know it: "Firefox on Linux"."""
    if not agent:
        return None
    found = parse(agent[:512])
    browser = found.user_agent.family if found.user_agent else None
    system = found.os.family if found.os else None
    if browser == "Other":
        browser = None
    parts = [part for part in (browser, system) if part]
    return " on ".join(parts) if parts else agent.split("/")[0][:60] or None


def browser_hashes(keys: Keys, browser: str) -> list[str]:
    """Every value that this browser's own cookie may be stored under."""
    return keys.hashes("device", f"b:{browser}")


def device_hash(keys: Keys, browser: str | None, agent: str | None) -> str:
    """Keyed by the browser's own cookie; without one, by what it is called."""
    return keys.hash("device", f"b:{browser}" if browser else f"n:{device_name(agent) or ''}")

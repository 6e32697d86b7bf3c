"""The name of a device, and the hashes by which a browser is recognised."""

from __future__ import annotations

from functools import lru_cache

from ua_parser import parse

from common.crypto import Keys


@lru_cache(maxsize=2048)
def device_name(agent: str | None) -> str | None:
    """Returns the name that people know, like "Firefox on Linux"."""
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
    """Returns every value under which the cookie of this browser may be stored."""
    return keys.hashes("device", f"b:{browser}")


def device_hash(keys: Keys, browser: str | None, agent: str | None) -> str:
    """Returns the keyed hash of the browser's own cookie, or of the device's name if it has no
    cookie."""
    return keys.hash("device", _device(browser, agent))


def device_hashes(keys: Keys, browser: str | None, agent: str | None) -> list[str]:
    """Returns every `device_hash` under which the device may be known: one for each key that is or was in
    use."""
    return keys.hashes("device", _device(browser, agent))


def _device(browser: str | None, agent: str | None) -> str:
    return f"b:{browser}" if browser else f"n:{device_name(agent) or ''}"

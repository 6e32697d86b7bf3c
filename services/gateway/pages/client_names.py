"""The names that pages give to clients whose own name nobody has checked: a host, or an app on the user's device."""

from __future__ import annotations

from typing import Final

from common.message_ids import N_
from gateway.pages.render import PageView

DEVICE: Final = "localhost"
"""oidc's name for the user's own device."""


def is_on_device(host: str | None) -> bool:
    """Returns whether this stands for an app on the user's device: a loopback address, or a scheme like `cursor:`
    that the system opens with an app."""
    return host is not None and (host == DEVICE or host.endswith(":"))


def in_sentence(page: PageView, name: str | None, *, verified: bool) -> str:
    """Returns the name of a client for the middle of a sentence."""
    if not verified and is_on_device(name):
        return str(page.translate(N_("an app on your device")))
    return name or ""


def in_list(page: PageView, name: str, unverified_host: str | None) -> str:
    """Returns the name of a client for a list."""
    if is_on_device(unverified_host):
        return str(page.translate(N_("An app on your device")))
    return unverified_host or name

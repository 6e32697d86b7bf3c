"""What only the newer version has, and sends to nobody of the version before until somebody uses it."""

from __future__ import annotations

from typing import Any, Final

SENT_WITH_NEW_FEATURES: Final = frozenset(
    {
        # A client that somebody gave the grant type.
        *(
            "urn:ietf:params:oauth:grant-type:token-exchange",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
        ),
        "urn:ietf:params:oauth:grant-type:device_code",
        # The pages about a device.
        *("device", "device_approved", "device_denied"),
        # The rules of the checker of authorization URLs.
        *("pushed_request", "signed_request", "required_form"),
    }
)
"""Words in replies that version 0.1.0 refuses. No service sends one before somebody uses what only the newer
version has. A developer who does that in the middle of an update gets an error from a gateway of 0.1.0, and tries again.
Later versions pass on words that they do not know."""


def without_new_settings(described: Any, known: frozenset[str]) -> Any:
    """Returns a description without the settings of applications that the version before lacks. It
    refuses a change of them with 422 and names the field: an administrator who was faster than the
    update tries again. No service sends one by itself."""
    if isinstance(described, list):
        return [without_new_settings(each, known) for each in described]
    if not isinstance(described, dict):
        return described
    is_settings = "signup_mode" in described
    return {
        name: without_new_settings(each, known)
        for name, each in described.items()
        if not is_settings or name in known
    }


def settings_of(described: dict[str, Any]) -> frozenset[str]:
    """Returns the names of the settings that a version knows."""
    reply = described["contracts"]["tenancy.settings.get"]["reply_read"]
    return frozenset(reply["properties"])

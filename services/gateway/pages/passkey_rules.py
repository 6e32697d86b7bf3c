"""Rules of an application about where its pages offer passkeys."""

from __future__ import annotations

from common.contracts.app_settings import AppSettings


def offer_sign_up(settings: AppSettings) -> bool:
    """Returns whether people can sign up with only a passkey. Rules that need a proven address rule it
    out."""
    return (
        settings.passkey_sign_up
        and "passkey" in settings.auth_methods
        and settings.signup_mode == "open"
        and not settings.require_verified_email
    )

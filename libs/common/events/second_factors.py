"""Second factors."""

from __future__ import annotations

from common.events.base import Event


class TotpEnabled(Event, type="totp_enabled"):
    """A user turned on an authenticator app. It replaces the one they had, if any."""

    user_id: str
    replaced: bool = False


class TotpDisabled(Event, type="totp_disabled"):
    """A user turned off their authenticator app."""

    user_id: str


class RecoveryCodesCreated(Event, type="recovery_codes_created"):
    """A user got new recovery codes. Their earlier codes no longer work."""

    user_id: str


class RecoveryCodeUsed(Event, type="recovery_code_used"):
    """A user signed in or confirmed who they are with a recovery code. `left` is the number of codes
    that remain."""

    user_id: str
    left: int


class DeviceRemembered(Event, type="device_remembered"):
    """A user chose that a browser skips the second factor. `days` is for how long."""

    user_id: str
    device_id: str
    days: int


class DeviceForgotten(Event, type="device_forgotten"):
    """A user ended a remembered device. It asks for the second factor again."""

    user_id: str
    device_id: str


class SecondFactorsReset(Event, type="second_factors_reset"):
    """An administrator removed all second factors of a user."""

    user_id: str

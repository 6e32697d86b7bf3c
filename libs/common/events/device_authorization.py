"""Devices that sign users in by a code (RFC 8628)."""

from __future__ import annotations

from common.events.base import Event


class DeviceStarted(Event, type="device_authorization_started", activity=True):
    """A device asked to be signed in."""

    client_id: str
    scopes: list[str]


class DeviceApproved(Event, type="device_authorization_approved"):
    """A user let a device sign in. `device_ip` is where it started."""

    client_id: str
    scopes: list[str]
    device_id: str
    device_ip: str | None = None


class DeviceDenied(Event, type="device_authorization_denied"):
    """A user refused to sign a device in."""

    client_id: str
    device_id: str
    device_ip: str | None = None


class UserCodeFailed(Event, type="user_code_failed", activity=True):
    """A user typed a code that no device waits for."""


class DeviceRevoked(Event, type="device_revoked"):
    """A device was signed out. Its tokens stopped working."""

    client_id: str
    device_id: str
    reason: str

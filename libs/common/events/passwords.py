"""Passwords."""

from __future__ import annotations

from common.events.base import Event


class PasswordChanged(Event, type="password_changed"):
    """A user set a password; the other sessions ended."""

    user_id: str


class PasswordReset(Event, type="password_reset"):
    """A user chose a new password by mail; all sessions ended."""

    user_id: str


class PasswordResetForced(Event, type="password_reset_forced"):
    """An administrator asked for a new password; all sessions ended."""

    user_id: str

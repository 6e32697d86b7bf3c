"""Passwords."""

from __future__ import annotations

from common.events.base import Event


class PasswordChanged(Event, type="password_changed"):
    """A user changed their password. Their other sessions ended."""

    user_id: str


class PasswordReset(Event, type="password_reset"):
    """A user reset their password by e-mail. All their sessions ended."""

    user_id: str


class PasswordResetForced(Event, type="password_reset_forced"):
    """An administrator forced a password reset. All sessions of the user ended."""

    user_id: str

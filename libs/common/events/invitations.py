"""Invitations."""

from __future__ import annotations

from common.events.base import Event


class UserInvited(Event, type="user_invited"):
    """An administrator invited somebody into the application."""

    invitation_id: str


class InvitationRevoked(Event, type="user_invitation_revoked"):
    """An invitation was taken back."""

    invitation_id: str


class InvitationAccepted(Event, type="user_invitation_accepted"):
    """An invited person became a user."""

    invitation_id: str
    user_id: str

"""Invitations."""

from __future__ import annotations

from common.events.base import Event


class UserInvited(Event, type="user_invited"):
    """A person was invited to the application."""

    invitation_id: str


class InvitationRevoked(Event, type="user_invitation_revoked"):
    """An invitation to the application was revoked."""

    invitation_id: str


class InvitationAccepted(Event, type="user_invitation_accepted"):
    """An invited person accepted and became a user."""

    invitation_id: str
    user_id: str

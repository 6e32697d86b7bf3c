"""Accounts at identity providers."""

from __future__ import annotations

from common.events.base import Event


class IdentityLinked(Event, type="identity_linked"):
    """An account at a provider was connected to a user. `by` says how: `sign_up`, `verified_address`,
    `proof` or `user`. The user's own session made the connection if it is `user`."""

    user_id: str
    link_id: str
    provider: str
    by: str


class IdentityUnlinked(Event, type="identity_unlinked"):
    """An account at a provider was disconnected from a user. `by` is `user`, `administrator`, or
    `first_proof`: the connection was older than the proof that the address is the user's."""

    user_id: str
    link_id: str
    provider: str
    by: str


class ProviderTokenRead(Event, type="idp_token_read"):
    """The application's backend read the token of a user's connected account."""

    user_id: str
    link_id: str
    provider: str


class IdpSignInFailed(Event, type="idp_sign_in_failed"):
    """A sign-in with an identity provider failed. `step` says where, and `detail` why. Users see one
    general sentence instead."""

    provider: str
    purpose: str
    step: str
    detail: str


class UnprovenCredentialsEnded(Event, type="unproven_credentials_ended"):
    """The owner of an address proved it for the first time, in a browser that the account did not know.
    Passwords, sessions, passkeys, second factors and connected accounts from before have ended."""

    user_id: str

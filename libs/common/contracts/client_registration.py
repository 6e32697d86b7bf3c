"""Clients that register themselves (RFC 7591) and manage their registration (RFC 7592)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from common.contracts.base import OPEN, Contract, Done, Id, OpenContract, Page, Request
from common.contracts.fields import Timestamp, Title
from common.contracts.oauth_errors import OAuthError
from common.problems import NotFound

RegistrationMode = Literal["off", "token", "open"]
"""The people who can register a client: nobody, anyone with an initial access token, or anybody."""


class InvalidRedirectUri(OAuthError):
    """A redirect URI is not valid (RFC 7591 section 3.2.2)."""

    code, title = "invalid_redirect_uri", "A redirect URI is not allowed."


class InvalidClientMetadata(OAuthError):
    """A member of the metadata is not valid (RFC 7591 section 3.2.2)."""

    code, title = "invalid_client_metadata", "The client metadata are not valid."


class InvalidSoftwareStatement(OAuthError):
    """The software statement is not a JWT (RFC 7591 section 3.2.2)."""

    code, title = "invalid_software_statement", "The software statement is not valid."


class UnapprovedSoftwareStatement(OAuthError):
    """Nobody of the application trusts the software statement (RFC 7591 section 3.2.2)."""

    code, title = "unapproved_software_statement", "Software statements are not accepted."


class RegistrationClosed(NotFound):
    """The application does not let clients register themselves."""

    code, title = "registration_closed", "Clients cannot register themselves here."


class InitialAccessTokenNotFound(NotFound):
    """The application has no initial access token with this id."""

    code, title = "initial_access_token_not_found", "This initial access token does not exist."


class ClientInformation(OpenContract, omit_none=True):
    """The registered metadata of a client, with its credentials (RFC 7591 section 3.2.1)."""

    client_id: str
    client_secret: str | None = Field(default=None, repr=False)
    registration_access_token: str = Field(repr=False)


class RegisterClient(
    Request[ClientInformation], subject="oidc.registration.create", needs=OPEN, within=6.0
):
    """Registers a client: POST /oauth2/register (RFC 7591 section 3.1)."""

    metadata: dict[str, JsonValue]
    token: str | None = Field(
        default=None, max_length=200, repr=False, description="The initial access token."
    )


class ReadRegistration(
    Request[ClientInformation], subject="oidc.registration.get", needs=OPEN, safe=True
):
    """Returns the metadata of a client that registered itself (RFC 7592 section 2.1)."""

    client_id: str = Field(max_length=200)
    token: str = Field(max_length=200, repr=False, description="The registration access token.")


class ReplaceRegistration(
    Request[ClientInformation], subject="oidc.registration.replace", needs=OPEN, within=6.0
):
    """Replaces all metadata of a client that registered itself (RFC 7592 section 2.2)."""

    client_id: str = Field(max_length=200)
    token: str = Field(max_length=200, repr=False, description="The registration access token.")
    metadata: dict[str, JsonValue]


class DeleteRegistration(Request[Done], subject="oidc.registration.delete", needs=OPEN):
    """Deletes a client that registered itself, with its grants and tokens (RFC 7592 section 2.3)."""

    client_id: str = Field(max_length=200)
    token: str = Field(max_length=200, repr=False, description="The registration access token.")


class InitialAccessToken(Contract):
    """A token with which clients register themselves, without its text."""

    id: Id
    name: str
    max_clients: int | None = Field(
        default=None, description="How many clients can be registered with it. `null`: no limit."
    )
    clients: int = Field(description="How many clients were registered with it.")
    expires_at: Timestamp
    last_used_at: Timestamp | None = None
    created_at: Timestamp


class NewInitialAccessToken(InitialAccessToken):
    """A new initial access token. The token is shown only once."""

    token: str = Field(repr=False)


class CreateInitialAccessToken(
    Request[NewInitialAccessToken], subject="oidc.initial_token.create", needs="clients:write"
):
    """Creates an initial access token (RFC 7591 section 3)."""

    name: Title
    expires_in: int = Field(
        default=604_800, ge=60, le=31_536_000, description="Its lifetime in seconds."
    )
    max_clients: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="How many clients can be registered with it. `null`: no limit.",
    )


class InitialAccessTokens(Contract):
    """A page of initial access tokens."""

    initial_access_tokens: list[InitialAccessToken]
    next: str | None = None


class ListInitialAccessTokens(
    Page,
    Request[InitialAccessTokens],
    subject="oidc.initial_token.list",
    needs="clients:read",
    safe=True,
):
    """Lists the initial access tokens of the application in the order of their creation."""


class DeleteInitialAccessToken(
    Request[Done], subject="oidc.initial_token.delete", needs="clients:write"
):
    """Revokes an initial access token. Clients that were registered with it stay."""

    id: Id

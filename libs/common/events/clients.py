"""OAuth clients."""

from __future__ import annotations

from common.events.base import Event


class ClientCreated(Event, type="client_created"):
    """An OAuth client was created."""

    client_id: str
    name: str


class ClientUpdated(Event, type="client_updated"):
    """Settings of an OAuth client were changed. `fields` has their names, not their values."""

    client_id: str
    fields: list[str]


class ClientDisabled(Event, type="client_disabled"):
    """An OAuth client was disabled. Its codes and tokens stopped working for good."""

    client_id: str


class ClientEnabled(Event, type="client_enabled"):
    """A disabled OAuth client was enabled. Its old tokens stay invalid."""

    client_id: str


class ClientDeleted(Event, type="client_deleted"):
    """An OAuth client was deleted with all its grants."""

    client_id: str


class ClientSecretCreated(Event, type="client_secret_created"):
    """A secret of an OAuth client was created, in addition to the old ones or instead of them."""

    client_id: str
    secret_id: str


class ClientSecretDeleted(Event, type="client_secret_deleted"):
    """A secret of an OAuth client was deleted."""

    client_id: str
    secret_id: str


class ClientDocumentPinned(Event, type="client_document_pinned"):
    """A copy of a client's metadata document was stored. It is used instead of the document."""

    client_id: str


class ClientRegistered(Event, type="client_registered"):
    """A client registered itself. `initial_access_token` is the id of the token that it had."""

    client_id: str
    name: str
    initial_access_token: str | None = None


class ClientExpired(Event, type="client_expired"):
    """A client that registered itself was deleted with all its grants, because nobody used it."""

    client_id: str


class ClientDocumentForgotten(Event, type="client_document_forgotten"):
    """A client's metadata document was forgotten, pinned or not."""

    client_id: str


class InitialAccessTokenCreated(Event, type="initial_access_token_created"):
    """A token with which clients register themselves was created."""

    initial_access_token: str
    name: str


class InitialAccessTokenDeleted(Event, type="initial_access_token_deleted"):
    """A token with which clients register themselves was revoked."""

    initial_access_token: str


class ExchangePolicyCreated(Event, type="exchange_policy_created"):
    """A client was allowed to exchange tokens of a client, or assertions of an identity provider."""

    client_id: str
    policy_id: str
    subject_client_id: str | None = None
    provider_id: str | None = None
    audience: str | None = None
    resources: list[str]
    scopes: list[str]


class ExchangePolicyDeleted(Event, type="exchange_policy_deleted"):
    """A client is no longer allowed to exchange certain tokens."""

    client_id: str
    policy_id: str

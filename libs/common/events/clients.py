"""OAuth clients."""

from __future__ import annotations

from common.events.base import Event


class ClientCreated(Event, type="client_created"):
    """An OAuth client was registered."""

    client_id: str
    name: str


class ClientUpdated(Event, type="client_updated"):
    """Fields of an OAuth client changed; their names, not their values."""

    client_id: str
    fields: list[str]


class ClientDisabled(Event, type="client_disabled"):
    """An OAuth client was disabled; its codes and tokens are dead for good."""

    client_id: str


class ClientEnabled(Event, type="client_enabled"):
    """A disabled OAuth client may act again; no token comes back."""

    client_id: str


class ClientDeleted(Event, type="client_deleted"):
    """An OAuth client and every grant to it is gone."""

    client_id: str


class ClientSecretCreated(Event, type="client_secret_created"):
    """A client got a secret, beside or in place of those it had."""

    client_id: str
    secret_id: str


class ClientSecretDeleted(Event, type="client_secret_deleted"):
    """A secret of a client is dead."""

    client_id: str
    secret_id: str

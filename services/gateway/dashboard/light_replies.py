"""Replies of services with the fields that a list or a choice shows. To check the others costs more CPU than
to write the page: a client has forty fields, and the settings of an application have a hundred."""

from __future__ import annotations

from typing import Literal

from common.contracts.base import Contract, Id
from common.contracts.clients import ClientSource, ClientType
from common.contracts.fields import Timestamp


class ListedApplication(Contract):
    """An application in a list."""

    slug: str
    name: str
    state: Literal["creating", "active", "deleting"]
    host: str
    created_at: Timestamp


class ListedApplications(Contract):
    """Some fields of `Applications`."""

    applications: list[ListedApplication]
    next: str | None = None


class ListedClient(Contract):
    """A client in a list."""

    client_id: str
    name: str
    type: ClientType
    redirect_uris: list[str]
    enabled: bool
    created_at: Timestamp
    source: ClientSource
    last_used_at: Timestamp | None = None


class ListedClients(Contract):
    """Some fields of `Clients`."""

    clients: list[ListedClient]
    next: str | None = None


class RoleChoice(Contract):
    """A role that a developer can choose."""

    id: str
    name: str


class RoleChoices(Contract):
    """Some fields of `Roles`."""

    roles: list[RoleChoice]


class TeamChoice(Contract):
    """A team that can own an application. `role` is the developer's own in it."""

    id: Id
    name: str
    role: str | None = None


class TeamChoices(Contract):
    """Some fields of `Organizations`, in the Dashboard."""

    organizations: list[TeamChoice]


class ProviderChoice(Contract):
    """An identity provider, of which only the existence matters."""

    id: Id


class ProviderChoices(Contract):
    """Some fields of `IdentityProviders`."""

    idps: list[ProviderChoice]

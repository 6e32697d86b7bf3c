"""Identity providers."""

from __future__ import annotations

from common.events.base import Event


class ProviderCreated(Event, type="idp_created"):
    """An identity provider was created. `preset` names the well-known provider, if it is one."""

    idp_id: str
    name: str
    preset: str | None = None
    org_id: str | None = None


class ProviderUpdated(Event, type="idp_updated"):
    """Settings of an identity provider were changed. `fields` has their names, not their values."""

    idp_id: str
    name: str
    fields: list[str]


class ProviderDeleted(Event, type="idp_deleted"):
    """An identity provider was deleted. `links` is the number of users' accounts that were linked
    to it."""

    idp_id: str
    name: str
    links: int

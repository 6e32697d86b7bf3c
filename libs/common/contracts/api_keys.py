"""API keys of an application."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.contracts.base import OPEN, Contract, Done, Id, Page, Request
from common.contracts.fields import Timestamp, Title
from common.problems import Conflict, NotFound

KeyType = Literal["publishable", "secret"]


class ApiKeyHolder(Contract):
    """What a valid API key stands for."""

    key_id: Id
    app_id: Id
    key_type: KeyType
    expires_at: Timestamp | None = None


class VerifyApiKey(
    Request[ApiKeyHolder], subject="tenancy.api_key.verify", needs=OPEN, within=1.0, safe=True
):
    """Which application a key belongs to. Raises Unauthenticated for anything not a live key."""

    key: str = Field(max_length=200, repr=False)


class ApiKey(Contract):
    """An API key without what makes it one: only the first twelve characters are known."""

    id: Id
    key_type: KeyType
    key_prefix: str
    name: str | None = None
    created_by: Id | None = None
    last_used_at: Timestamp | None = None
    expires_at: Timestamp | None = None
    rotated_to: Id | None = Field(default=None, description="The key that takes its place.")
    created_at: Timestamp


class NewApiKey(ApiKey):
    """The only time the whole key is shown."""

    key: str = Field(repr=False)


KeyName = Title


class ApiKeyNotFound(NotFound):
    """There is no such live key in this application."""

    code, title = "api_key_not_found", "There is no such API key."


class TooManyApiKeys(Conflict):
    code, title = "too_many_api_keys", "Revoke a key before making another."


class AlreadyRotated(Conflict):
    code, title = "already_rotated", "This key has a successor already: rotate that one."


class ApiKeys(Contract):
    api_keys: list[ApiKey]
    next: str | None = None


class ListApiKeys(
    Page, Request[ApiKeys], subject="tenancy.api_key.list", needs="api_keys:read", safe=True
):
    """The live keys, oldest first. Of each only the first twelve characters are known."""


class CreateApiKey(Request[NewApiKey], subject="tenancy.api_key.create", needs="api_keys:write"):
    """A further key. It is shown this once."""

    key_type: KeyType = "secret"
    name: KeyName | None = None
    expires_at: Timestamp | None = Field(default=None, description="In the future, or never.")


class RevokeApiKey(Request[Done], subject="tenancy.api_key.revoke", needs="api_keys:write"):
    """End a key at once, everywhere."""

    id: Id


class RotateApiKey(Request[NewApiKey], subject="tenancy.api_key.rotate", needs="api_keys:write"):
    """A new key of the same type and name; the old one works for 24 hours more."""

    id: Id

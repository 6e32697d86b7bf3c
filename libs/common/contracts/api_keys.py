"""What the tenancy service answers about an application's API keys, in the application's context."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import Contract, Done, Id, Page, Request
from common.contracts.fields import Timestamp, Title
from common.contracts.tenancy import ApiKey, KeyType, NewApiKey
from common.problems import Conflict, NotFound

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

"""API keys of an application."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.contracts.base import OPEN, SYSTEM, Contract, Done, Id, Page, Request
from common.contracts.fields import Timestamp, Title
from common.problems import Conflict, NotFound

KeyType = Literal["publishable", "secret"]


class ApiKeyHolder(Contract):
    """The application and type of a valid API key."""

    key_id: Id
    app_id: Id
    key_type: KeyType
    expires_at: Timestamp | None = None


class VerifyApiKey(
    Request[ApiKeyHolder], subject="tenancy.api_key.verify", needs=OPEN, within=1.0, safe=True
):
    """Returns the application of an API key. Raises Unauthenticated if the key is not valid."""

    key: str = Field(max_length=200, repr=False)


class ApiKey(Contract):
    """An API key. Only its first 12 characters are stored and shown."""

    id: Id
    key_type: KeyType
    key_prefix: str
    name: str | None = None
    created_by: Id | None = None
    last_used_at: Timestamp | None = None
    expires_at: Timestamp | None = None
    rotated_to: Id | None = Field(
        default=None, description="The id of the key that replaces this one."
    )
    created_at: Timestamp


class NewApiKey(ApiKey):
    """A new API key, with the whole key. It is shown only once."""

    key: str = Field(repr=False)


KeyName = Title


class ApiKeyNotFound(NotFound):
    """The application has no valid key with this id."""

    code, title = "api_key_not_found", "This API key does not exist or was revoked."


class TooManyApiKeys(Conflict):
    """The application has the largest number of keys."""

    code, title = "too_many_api_keys", "The application has too many API keys. Revoke one first."


class AlreadyRotated(Conflict):
    """The key was rotated before."""

    code, title = "already_rotated", "This key was already rotated. Rotate the new key instead."


class ApiKeyExists(Conflict):
    """A key was already created with this id."""

    code, title = "api_key_exists", "This key was already created. It cannot be shown again."


class ApiKeys(Contract):
    """A page of API keys."""

    api_keys: list[ApiKey]
    next: str | None = None


class ListApiKeys(
    Page, Request[ApiKeys], subject="tenancy.api_key.list", needs="api_keys:read", safe=True
):
    """Lists the valid keys of the application, oldest first."""


class CreateApiKey(
    Request[NewApiKey], subject="tenancy.api_key.create", needs="api_keys:write", fresh=True
):
    """Creates an API key. The whole key is shown only once. Raises ApiKeyExists."""

    id: Id | None = Field(
        default=None,
        description="A new UUID. If you send the request twice, the second one creates no key.",
    )
    key_type: KeyType = "secret"
    name: KeyName | None = None
    expires_at: Timestamp | None = Field(
        default=None, description="A time in the future. `null`: the key does not expire."
    )


class CheckApiKey(
    Request[Done], subject="tenancy.api_key.check", needs=SYSTEM, within=1.0, safe=True
):
    """Checks that a secret key of the application is still valid, for work that outlives the call of its
    holder. Raises ApiKeyNotFound."""

    id: Id


class RevokeApiKey(
    Request[Done], subject="tenancy.api_key.revoke", needs="api_keys:write", fresh=True
):
    """Revokes a key. It stops working everywhere at once."""

    id: Id


class RotateApiKey(
    Request[NewApiKey], subject="tenancy.api_key.rotate", needs="api_keys:write", fresh=True
):
    """Creates a key of the same type and name. The old key works for another 24 hours."""

    id: Id

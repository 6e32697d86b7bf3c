"""Scopes that an application adds to those of OpenID Connect."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.contracts.base import Contract, Done, Id, Request
from common.contracts.fields import Timestamp
from common.problems import Conflict, NotFound

ScopeName = Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$", max_length=200)]
"""RFC 6749 section 3.3: printable ASCII without space, quote and backslash."""


class ScopeNotFound(NotFound):
    code, title = "scope_not_found", "There is no such scope."


class ScopeTaken(Conflict):
    code, title = "scope_taken", "This scope exists already."


class UnknownPermission(NotFound):
    code, title = "permission_unknown", "There is no such permission."


class ScopeFields(Contract):
    name: ScopeName
    description: str | None = Field(
        default=None, max_length=300, description="On the consent page."
    )
    resource_id: Id | None = None
    permission_id: str | None = Field(
        default=None, max_length=200, description="Granted only to who holds this permission."
    )
    claims: list[str] = Field(default=[], max_length=50, description="Claims it gives access to.")


class Scope(ScopeFields):
    """A scope of the application beside the standard ones."""

    id: Id
    created_at: Timestamp


class Scopes(Contract):
    scopes: list[Scope]


class CreateScope(ScopeFields, Request[Scope], subject="oidc.scope.create", needs="clients:write"):
    """A scope named like a permission stands for it. Raises ScopeTaken, ResourceNotFound,
    UnknownPermission."""


class ListScopes(Request[Scopes], subject="oidc.scope.list", needs="clients:read", safe=True):
    """All of them; an application has few."""


class DeleteScope(Request[Done], subject="oidc.scope.delete", needs="clients:delete"):
    """The scope; clients lose it. Raises ScopeNotFound."""

    id: Id

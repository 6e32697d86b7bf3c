"""The application's own scopes, in addition to those of OpenID Connect."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.contracts.base import Contract, Done, Id, Request
from common.contracts.fields import Timestamp
from common.problems import Conflict, NotFound

ScopeName = Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$", max_length=200)]
"""RFC 6749 section 3.3: printable ASCII without space, quote and backslash."""


class ScopeNotFound(NotFound):
    """The application has no scope with this id."""

    code, title = "scope_not_found", "This scope does not exist."


class ScopeTaken(Conflict):
    """The application has a scope with this name."""

    code, title = "scope_taken", "A scope with this name already exists."


class UnknownPermission(NotFound):
    """The permission of a scope does not exist."""

    code, title = "permission_unknown", "This permission does not exist."


class ScopeFields(Contract):
    """The settings of a scope."""

    name: ScopeName
    description: str | None = Field(
        default=None, max_length=300, description="The text on the consent page."
    )
    resource_id: Id | None = None
    permission_id: str | None = Field(
        default=None,
        max_length=200,
        description="Only users with this permission are granted the scope.",
    )
    claims: list[str] = Field(
        default=[], max_length=50, description="The claims that the scope gives access to."
    )


class Scope(ScopeFields):
    """A scope of the application, in addition to the standard ones."""

    id: Id
    created_at: Timestamp


class Scopes(Contract):
    """The scopes of an application."""

    scopes: list[Scope]


class CreateScope(ScopeFields, Request[Scope], subject="oidc.scope.create", needs="clients:write"):
    """Creates a scope. A scope with the name of a permission stands for that permission. Raises
    ScopeTaken, ResourceNotFound, UnknownPermission."""


class ListScopes(Request[Scopes], subject="oidc.scope.list", needs="clients:read", safe=True):
    """Lists all scopes of the application."""


class DeleteScope(Request[Done], subject="oidc.scope.delete", needs="clients:delete"):
    """Deletes a scope. Clients lose it. Raises ScopeNotFound."""

    id: Id

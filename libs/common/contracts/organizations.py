"""Organizations: developer teams in the Dashboard, customers' teams in every other application.

Two sorts of people manage an organization: its own admins, and callers who hold
`organizations:read` / `organizations:write` in the application (its secret key, its
administrators, its developers). Everybody else sees only organizations they belong to; any other
is not found.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

import orjson
from pydantic import AfterValidator, Field

from common.contracts.base import (
    KNOWN,
    SIGNED_IN,
    SYSTEM,
    Contract,
    Done,
    Id,
    Page,
    Request,
)
from common.contracts.fields import Name, PublicTitle, Timestamp, Url
from common.contracts.sessions import SignedInSession
from common.field_errors import value_error
from common.problems import Conflict, Forbidden, NotFound

OrgSlug: TypeAlias = Annotated[
    str, Field(min_length=3, max_length=63, pattern=r"^[a-z](?:-?[a-z0-9])*$")
]
"""Lower case letters, digits and single hyphens, beginning with a letter."""


METADATA_BYTES: Final = 16_384


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(orjson.dumps(value)) > METADATA_BYTES:
        raise value_error("metadata_too_large", maximum=METADATA_BYTES)
    return value


Metadata: TypeAlias = Annotated[dict[str, Any], AfterValidator(_small)]


class OrganizationNotFound(NotFound):
    code, title = "organization_not_found", "There is no such organization."


class OrgSlugTaken(Conflict):
    code, title = "organization_slug_taken", "Another organization has this slug."


class TeamOwnsApplications(Conflict):
    code, title = "team_owns_applications", "Transfer or delete the team's applications first."


class PersonalTeam(Conflict):
    code, title = "personal_team", "A personal team stays with its developer."


class NoOrganizationsHere(Forbidden):
    """The application's settings do not let users create organizations."""

    code, title = "organizations_not_by_users", "Organizations are not created by users here."


class Organization(Contract):
    """`role` is the caller's own, null if they manage it from outside. `private_metadata` is
    shown only to holders of `organizations:read`."""

    id: Id
    slug: str
    name: str
    logo_url: str | None = None
    is_personal: bool = False
    public_metadata: dict[str, Any] = {}
    private_metadata: dict[str, Any] | None = None
    role: str | None = None
    created_at: Timestamp
    updated_at: Timestamp


class Organizations(Contract):
    organizations: list[Organization]
    next: str | None = None


class CreateOrganization(Request[Organization], subject="tenancy.organization.create", needs=KNOWN):
    """A user becomes its first admin (where the application lets users create organizations; in
    the Dashboard with `teams:write`). Others need `organizations:write`, and may name the admin.
    Raises OrgSlugTaken, NoOrganizationsHere."""

    name: PublicTitle
    slug: OrgSlug | None = Field(default=None, description="Made from the name where absent.")
    logo_url: Url | None = None
    public_metadata: Metadata = Field(default={}, description="Members may read it.")
    private_metadata: Metadata = Field(
        default={}, description="Only with `organizations:write`; never shown to members."
    )
    admin_user_id: Id | None = Field(
        default=None, description="Only with `organizations:write`: the first admin."
    )


class ListOrganizations(
    Page, Request[Organizations], subject="tenancy.organization.list", needs=KNOWN, safe=True
):
    """The caller's own; with `all`, or for callers who are no users, every one of the application
    (needs `organizations:read`)."""

    all: bool = False
    search: str | None = Field(
        default=None,
        max_length=100,
        description="The beginning of a name or slug; case and accents make no difference.",
    )


class GetOrganization(
    Request[Organization], subject="tenancy.organization.get", needs=KNOWN, safe=True
):
    """Get an organization. Raises OrganizationNotFound, also if the caller does not belong to it."""

    org_id: Id


class OrganizationChanges(Contract):
    """Absent fields stay; null clears, except a name and a slug, which are needed."""

    name: PublicTitle = ""
    slug: OrgSlug = ""
    logo_url: Url | None = Field(default=None, description="null takes it away.")
    public_metadata: Metadata | None = Field(default=None, description="Replaces it whole.")
    private_metadata: Metadata | None = Field(
        default=None, description="Only with `organizations:write`."
    )


class UpdateOrganization(Request[Organization], subject="tenancy.organization.update", needs=KNOWN):
    """By its admins. Raises OrganizationNotFound, OrgSlugTaken."""

    org_id: Id
    changes: OrganizationChanges


class DeleteOrganization(Request[Done], subject="tenancy.organization.delete", needs=KNOWN):
    """By its admins, with memberships, invitations and domains. Raises OrganizationNotFound,
    TeamOwnsApplications, PersonalTeam."""

    org_id: Id


class SwitchOrganization(
    Request[SignedInSession], subject="tenancy.organization.activate", needs=SIGNED_IN, within=3.0
):
    """Make an organization the active one of the caller's session, or none. His rights change, so
    the session gets a new id and a new token. Raises OrganizationNotFound."""

    org_id: Id | None = None


class EnsurePersonalTeam(
    Request[Organization], subject="tenancy.organization.personal", needs=SYSTEM, safe=True
):
    """Make the personal team of a developer who has none. Idempotent; Dashboard only."""

    user_id: Id
    name: Name | None = Field(default=None, description="The developer's name, for the team's.")

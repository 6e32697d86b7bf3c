"""Organizations: developer teams in the Dashboard, groups of users in every other application.

An organization is managed by its admins, and by callers with `organizations:read` or
`organizations:write` in the application (its secret key, its administrators, its developers). All
other callers see only the organizations that they belong to.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, TypeAlias

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
from common.contracts.versioned import Versioned
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
    """The organization does not exist, or the caller does not belong to it."""

    code, title = "organization_not_found", "This organization does not exist or is not yours."


class OrgSlugTaken(Conflict):
    """Another organization has this slug."""

    code, title = "organization_slug_taken", "Another organization has this slug."


class OrganizationExists(Conflict):
    """The caller has already created an organization with this `request_id`. `org_id` names it."""

    code, title = "organization_exists", "This organization was already created."


class TeamOwnsApplications(Conflict):
    """The team owns applications, so it must have members."""

    code, title = "team_owns_applications", "Transfer or delete the team's applications first."


class PersonalTeam(Conflict):
    """A personal team always belongs to its developer."""

    code, title = "personal_team", "A personal team cannot be deleted."


class NoOrganizationsHere(Forbidden):
    """The settings of the application do not let users create organizations."""

    code, title = "organizations_not_by_users", "Users cannot create organizations here."


class Organization(Versioned):
    """An organization. `role` is the role of the caller, null if they are not a member.
    `private_metadata` is shown only to callers with `organizations:read`."""

    volatile: ClassVar[frozenset[str]] = frozenset({"role"})

    id: Id
    slug: str
    name: str
    logo_url: str | None = None
    is_personal: bool = False
    sso_required: bool = Field(
        default=False,
        description="Whether members can sign in only through the organization's own provider.",
    )
    public_metadata: dict[str, Any] = {}
    private_metadata: dict[str, Any] | None = None
    role: str | None = None
    created_at: Timestamp
    updated_at: Timestamp


class Organizations(Contract):
    """A page of organizations."""

    organizations: list[Organization]
    next: str | None = None


class CreateOrganization(
    Request[Organization],
    subject="tenancy.organization.create",
    needs=KNOWN,
    impersonated=True,
    guests=False,
):
    """Creates an organization. The calling user becomes its first admin. The application must let
    users create organizations; the Dashboard asks for `teams:write`. Callers with
    `organizations:write` can name the admin. Raises OrgSlugTaken, OrganizationExists,
    NoOrganizationsHere."""

    name: PublicTitle
    slug: OrgSlug | None = Field(default=None, description="Default: made from the name.")
    logo_url: Url | None = None
    public_metadata: Metadata = Field(default={}, description="Members can read it.")
    private_metadata: Metadata = Field(
        default={}, description="Needs `organizations:write`. It is never shown to members."
    )
    admin_user_id: Id | None = Field(
        default=None, description="The first admin. Needs `organizations:write`."
    )
    request_id: Id | None = Field(
        default=None,
        description="A new UUID. If you send the request twice, the second one creates no "
        "organization and is answered with 409 `organization_exists`, which has its `org_id`.",
    )


class ListOrganizations(
    Page, Request[Organizations], subject="tenancy.organization.list", needs=KNOWN, safe=True
):
    """Lists the organizations of the caller. With `all`, or if the caller is not a user, lists
    every organization of the application, which needs `organizations:read`."""

    all: bool = False
    search: str | None = Field(
        default=None,
        max_length=100,
        description="One or more words. Each must be the beginning of a word of the name or slug. "
        "Case and accents are ignored.",
    )


class ListUserOrganizations(
    Page,
    Request[Organizations],
    subject="tenancy.organization.list_user",
    needs="organizations:read",
    safe=True,
):
    """Lists the organizations of any user. `role` is the role of that user. Raises UserNotFound."""

    user_id: Id


class GetOrganization(
    Request[Organization], subject="tenancy.organization.get", needs=KNOWN, safe=True
):
    """Returns an organization. Raises OrganizationNotFound, also if the caller does not belong to
    it."""

    org_id: Id


class OrganizationChanges(Contract):
    """Changes of an organization. Fields that you leave out stay as they are. `null` clears a
    field, except `name` and `slug`."""

    name: PublicTitle = ""
    slug: OrgSlug = ""
    logo_url: Url | None = Field(default=None, description="`null` removes the logo.")
    public_metadata: Metadata | None = Field(
        default=None, description="Replaces all public metadata."
    )
    private_metadata: Metadata | None = Field(
        default=None, description="Replaces all private metadata. Needs `organizations:write`."
    )
    sso_required: bool = Field(
        default=False,
        description="Whether members, and users with an address in a verified domain, can sign in "
        "only through the organization's own provider. `true` ends the members' other sessions. "
        "Needs `organizations:write`: an admin of the organization cannot change it.",
    )


class UpdateOrganization(
    Request[Organization],
    subject="tenancy.organization.update",
    needs=KNOWN,
    impersonated=True,
    conditional=True,
):
    """Changes an organization. For admins. Raises OrganizationNotFound, OrgSlugTaken."""

    org_id: Id
    changes: OrganizationChanges


class DeleteOrganization(
    Request[Done], subject="tenancy.organization.delete", needs=KNOWN, fresh=True, conditional=True
):
    """Deletes an organization with its memberships, invitations and domains. For admins. Needs a fresh
    sign-in. Raises OrganizationNotFound, TeamOwnsApplications, PersonalTeam, FreshSignInNeeded."""

    org_id: Id


class SwitchOrganization(
    Request[SignedInSession], subject="tenancy.organization.activate", needs=SIGNED_IN, within=3.0
):
    """Sets or clears the active organization of the caller's session. Their permissions change, so
    the session gets a new id and a new token. Raises OrganizationNotFound, SsoRequired."""

    org_id: Id | None = None


class EnsurePersonalTeam(
    Request[Organization], subject="tenancy.organization.personal", needs=SYSTEM, safe=True
):
    """Creates the personal team of a developer who has none. Idempotent. Only in the Dashboard."""

    user_id: Id
    name: Name | None = Field(
        default=None, description="The name of the developer. The team is named after them."
    )

"""Error sentences for the Dashboard's forms about organizations and roles."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from common.contracts.org_domains import DomainNotProven, DomainTaken
from common.contracts.organizations import OrgSlugTaken, PersonalTeam, TeamOwnsApplications
from common.contracts.permissions import NotForOrganizations, PermissionNotFound, PermissionTaken
from common.contracts.roles import NotHeld, RoleInUse, RoleTaken, SystemRole
from common.field_errors import MESSAGES, field_errors
from common.message_ids import N_
from common.problems import Problem
from gateway.dashboard.visit import Visit
from gateway.pages.form_errors import Errors, errors_of

SENTENCES: Final[dict[type[Problem], tuple[str, str]]] = {
    OrgSlugTaken: ("slug", N_("Another organization has this slug. Choose a different one.")),
    TeamOwnsApplications: ("", N_("Transfer or delete the team's applications first.")),
    PersonalTeam: ("", N_("A personal team can't be deleted.")),
    DomainTaken: (
        "domain",
        N_("Another organization has verified this domain, or it is already in the list."),
    ),
    DomainNotProven: (
        "",
        N_("The TXT record was not found. Compare it below. DNS changes can take a while."),
    ),
    RoleTaken: ("name", N_("Another role has this name or id. Choose a different one.")),
    RoleInUse: ("", N_("Members have this role. Give them another role first.")),
    SystemRole: ("", N_("Built-in roles and permissions can't be changed.")),
    NotHeld: ("", N_("You can only give or take permissions that you have yourself.")),
    PermissionTaken: ("name", N_("This permission already exists. Choose a different name.")),
    PermissionNotFound: (
        "",
        N_("One of these permissions was deleted meanwhile. Check the list and save again."),
    ),
    NotForOrganizations: (
        "",
        N_("Built-in permissions apply to the whole application. Members can't have them."),
    ),
}
FIELDS: Final = {
    "slug": N_("Use 3 to 63 lower-case letters, digits and single hyphens. Begin with a letter."),
    "logo_url": N_("Enter a web address, like https://example.com/logo.svg."),
    "domain": N_("Enter a domain, like example.com."),
    "id": N_("Use lower-case letters, digits, hyphens and underscores. Begin with a letter."),
}
"""By field: the text for an error of its value."""


def errors_in(visit: Visit, error: Problem | ValidationError) -> Errors:
    """Returns the sentences for an error. Raises it again if the developer can do nothing about it."""
    language = visit.open().language
    for kind in type(error).__mro__:
        if kind in SENTENCES:
            field, sentence = SENTENCES[kind]
            return Errors({field: language.translate(sentence)})
    errors = errors_of(language, error)
    if isinstance(error, ValidationError):
        for each in field_errors(error.errors(include_input=False, include_url=False)):
            name, code = each["field"].split(".")[-1], each["code"]
            if name in FIELDS:
                errors[name] = language.translate(FIELDS[name])
            elif code == "contains_link":
                errors[name] = language.translate(MESSAGES[code])
    return errors

"""Sentences for what a service refuses about another user."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from common.contracts.clients import ClientNotFound
from common.contracts.invitations import InvitationNotFound, InvitationPending
from common.contracts.members import AlreadyMember, LastAdmin, MemberNotFound
from common.contracts.organizations import OrganizationNotFound
from common.contracts.passkeys import PasskeyNotFound
from common.contracts.roles import LastHolder, NotHeld, RoleNotFound
from common.contracts.sign_in import AccountDisabled, LastWayIn
from common.contracts.user_batches import CountChanged, TooManyBatches, TooManyUsers
from common.contracts.users import EmailTaken
from common.message_ids import N_
from common.problems import Conflict, NotFound, Problem
from gateway.dashboard.visit import Visit
from gateway.pages.form_errors import Errors, errors_of

SENTENCES: Final[dict[type[Problem], tuple[str, str]]] = {
    NotHeld: (
        "",
        N_("This user has permissions, or the role gives permissions, that you don't have here."),
    ),
    LastWayIn: (
        "",
        N_(
            "This is the user's only way to sign in. Give them an e-mail address or password first."
        ),
    ),
    LastHolder: ("", N_("This is the last user with this role. Give it to another user first.")),
    RoleNotFound: ("role_id", N_("This role no longer exists. Choose another one.")),
    PasskeyNotFound: ("", N_("This passkey was already removed.")),
    AccountDisabled: ("", N_("This user is disabled. Enable them first.")),
    ClientNotFound: ("", N_("This access was already revoked.")),
    OrganizationNotFound: (
        "organization",
        N_("No organization has this slug or id. Check it, or create the organization first."),
    ),
    AlreadyMember: ("organization", N_("The user is already a member of this organization.")),
    MemberNotFound: ("", N_("The user is no longer a member of this organization.")),
    LastAdmin: ("", N_("The organization needs an admin. Make another member an admin first.")),
    TooManyBatches: ("", N_("Ten batches are running. Wait for one of them, or cancel it.")),
    TooManyUsers: ("", N_("A batch can have at most 20,000 users. Use a narrower filter.")),
    CountChanged: (
        "",
        N_("Another number of users matches by now. Check the list, then choose again."),
    ),
    EmailTaken: ("email", N_("Another user already has this address.")),
    InvitationPending: (
        "email",
        N_("This address already has an invitation. You can send it again below."),
    ),
    InvitationNotFound: ("", N_("This invitation is no longer open.")),
}
"""The field and the sentence. The account pages speak to the user about themselves, these pages do not.
"""


def user_errors(visit: Visit, error: Problem | ValidationError) -> Errors:
    """Returns the sentences for an error. Raises it again if the developer can do nothing about it, or
    if it is about rights."""
    errors = _errors(visit, error)
    if isinstance(error, NotFound | Conflict):
        errors.status = error.status
    return errors


def _errors(visit: Visit, error: Problem | ValidationError) -> Errors:
    for kind in type(error).__mro__:
        if kind in SENTENCES:
            field, sentence = SENTENCES[kind]
            return Errors({field: visit.open().translate(sentence)})
    return errors_of(visit.open().language, error)

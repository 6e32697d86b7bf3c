"""A user as a developer writes them into a form: by their e-mail address, or by their id."""

from __future__ import annotations

from pydantic import ValidationError

from common.contracts.users import FindUser, GetUser, UserNotFound
from common.message_ids import N_
from gateway.dashboard.visit import Visit
from gateway.pages.form_errors import Errors
from gateway.pages.languages import Language

UNKNOWN = N_("No user has this address or id. Check it, or create the user first.")


async def user_id_of(visit: Visit, text: str) -> str:
    """Returns the id of the user with this address or id. Raises UserNotFound."""
    try:
        call = FindUser(email=text) if "@" in text else GetUser(user_id=text)
    except ValidationError:  # neither an address nor an id
        raise UserNotFound from None
    return (await visit.call(call)).id


def unknown_user(language: Language, field: str) -> Errors:
    """Returns the error for a field that names no user."""
    return Errors({field: language.translate(UNKNOWN)})

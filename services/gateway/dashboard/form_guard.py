"""Guards of the Dashboard's forms: a version that tells the second of two editors, and a name that is
typed before something is deleted."""

from __future__ import annotations

from datetime import datetime

from common.message_ids import N_
from gateway.dashboard.visit import Visit
from gateway.pages.form_errors import Errors
from gateway.pages.languages import Language

CHANGED = N_(
    "Someone changed this while you edited it. Nothing of yours is saved yet. Compare the values, then "
    "save again."
)
NOT_THE_NAME = N_("This isn't the name. Type it as it is shown.")


def version_of(updated_at: datetime) -> str:
    """Returns the version of a thing, as the form that changes it carries it."""
    return updated_at.isoformat()


def is_outdated(visit: Visit, updated_at: datetime) -> bool:
    """Returns whether the posted form shows an older version of the thing."""
    return visit.fields.text("version") != version_of(updated_at)


def changed_meanwhile(language: Language) -> Errors:
    """Returns the error of a form that shows an older version (RFC 9110 section 15.5.13)."""
    errors = Errors({"": language.translate(CHANGED)})
    errors.status = 412
    return errors


def name_errors(visit: Visit, name: str) -> Errors | None:
    """Returns the error if the field `typed` is not the name, else None. Any spaces equal one space:
    browsers show two spaces as one."""
    typed = visit.fields.text("typed").split()
    if typed and typed == name.split():
        return None
    return Errors({"typed": visit.open().language.translate(NOT_THE_NAME)})

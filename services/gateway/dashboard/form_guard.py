"""Guards of the Dashboard's forms: a version that tells the second of two editors, and a name that is
typed before something is deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from common.contracts.versioned import ChangedMeanwhile, Versioned
from common.message_ids import N_
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.form_errors import Errors
from gateway.pages.languages import Language

CHANGED = N_(
    "Someone changed this while you edited it. Nothing of yours is saved yet. Compare the values, then "
    "save again."
)
SAVED_MEANWHILE = N_("Saved meanwhile: %(value)s")
SHOWN = 2000
"""Characters of a stored value in a sentence. A new page shows all of them."""
ATTEMPTS: Final = 3
"""Times that a form is compared with what is stored, if others save at the same moment."""
NOT_THE_NAME = N_("This isn't the name. Type it as it is shown.")


def is_outdated(visit: Visit, current: Versioned) -> bool:
    """Returns whether the posted form shows an older version of the thing."""
    return visit.fields.text("version") != current.version


async def compared_again(save: Callable[[], Awaitable[GatewayResponse]]) -> GatewayResponse:
    """Returns the answer of `save`, which compares and then writes. It runs again if somebody else saves
    in between. Raises ChangedMeanwhile after the last attempt."""
    for _ in range(ATTEMPTS):
        with contextlib.suppress(ChangedMeanwhile):
            return await save()
    raise ChangedMeanwhile


def check(visit: Visit, current: Versioned) -> None:
    """Raises ChangedMeanwhile if the posted form shows an older version. It tells early. The service
    decides: send the version with the change."""
    if is_outdated(visit, current):
        raise ChangedMeanwhile


def version(visit: Visit, current: Versioned | None, errors: Errors | None) -> str:
    """Returns the version for the form. After another error it stays the one that was posted, so that a
    form with typed values never gets the version of values that the developer has not seen."""
    posted = visit.fields.get("version") if visit.request.method == "POST" else None
    if posted is not None and errors is not None and errors.status != ChangedMeanwhile.status:
        return posted
    return current.version if current else ""


def changed_meanwhile(language: Language, stored: Mapping[str, str] | None = None) -> Errors:
    """Returns the error of a form that shows an older version (RFC 9110 section 15.5.13). `stored` has the
    values of fields that are stored now and differ from the form."""
    errors = Errors({"": language.translate(CHANGED)})
    errors.status = ChangedMeanwhile.status
    for name, text in (stored or {}).items():
        errors[name] = _saved_meanwhile(language, text)
    return errors


def _saved_meanwhile(language: Language, text: str) -> str:
    value = f"{text[:SHOWN]}…" if len(text) > SHOWN else text
    return language.translate(SAVED_MEANWHILE, value=value or language.translate("nothing"))


def stored_now(visit: Visit, names: Iterable[str], current: Versioned | None) -> Errors:
    """Returns the same error, and a sentence for each field whose stored value differs from the form."""
    stored = {}
    for name in names:
        value = getattr(current, name, None)
        theirs = "" if value is None else str(value).strip()
        if visit.fields.get(name, "").replace("\r\n", "\n").strip() != theirs:
            stored[name] = theirs
    return changed_meanwhile(visit.open().language, stored)


def name_errors(visit: Visit, name: str) -> Errors | None:
    """Returns the error if the field `typed` is not the name, else None. Any spaces equal one space:
    browsers show two spaces as one."""
    typed = visit.fields.text("typed").split()
    if typed and typed == name.split():
        return None
    return Errors({"typed": visit.open().language.translate(NOT_THE_NAME)})

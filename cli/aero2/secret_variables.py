"""Secrets that commands read from the environment, or from the files that it names."""

from __future__ import annotations

import os
from typing import Final

from aero2.failures import CommandError
from common.database_url import DatabaseUrl, mistake_of
from common.secret_files import BadSecret, lines, secret_text
from common.secret_source import find_database_url

OWNER: Final = "AERO2_OWNER_DATABASE_URL"
OWNER_PASSWORD: Final = "AERO2_OWNER_DATABASE_PASSWORD"  # noqa: S105 - the name of a variable


def secret_of(variable: str) -> str:
    """Returns the secret of a variable or of its file; an empty text if it is not set. Raises CommandError."""
    try:
        return secret_text(variable, os.environ)
    except BadSecret as problem:
        raise CommandError(f"{problem}.") from None


def password_of(variable: str) -> str:
    """Returns the password of a variable or of its file: the first line, since the others are former ones
    (docs/operating.md). Returns an empty text if it is not set. Raises BadSecret."""
    return next(iter(lines(secret_text(variable, os.environ))), "")


def owner_login() -> DatabaseUrl | None:
    """Returns the logins of the database's owner, or None if there is none in the environment. Raises
    BadSecret."""
    login = find_database_url(OWNER, OWNER_PASSWORD, _set)
    if not isinstance(login, DatabaseUrl):
        return None
    for mistake in filter(None, map(mistake_of, lines(login.get_secret_value()) or [""])):
        raise BadSecret(OWNER, mistake)
    return login


def owner_url() -> str:
    """Returns the DSN of the database's owner with its password, of several lines the first; an empty text if
    it is not set. Raises BadSecret."""
    login = owner_login()
    return login.logins()[0] if login else ""


def _set(variable: str) -> str | None:
    """Returns the value of a variable; one that is empty counts as not set."""
    return os.environ.get(variable) or None

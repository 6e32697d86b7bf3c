"""Secrets that commands read from the environment, or from the files that it names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from aero2.failures import CommandError
from common.database_url import DatabaseUrl, mistake_of
from common.secret_files import BadSecret, lines, secret_text
from common.secret_source import find_database_url

OWNER: Final = "AERO2_OWNER_DATABASE_URL"
OWNER_PASSWORD: Final = "AERO2_OWNER_DATABASE_PASSWORD"  # noqa: S105 - the name of a variable


def secret_of(variable: str, env: Mapping[str, str] | None = None) -> str:
    """Returns the secret of a variable or of its file; an empty text if it is not set. Raises CommandError."""
    try:
        return secret_text(variable, os.environ if env is None else env)
    except BadSecret as problem:
        raise CommandError(f"{problem}.") from None


def password_of(variable: str, env: Mapping[str, str] | None = None) -> str:
    """Returns the password of a variable or of its file: the first line, since the others are former ones
    (docs/operating.md). Returns an empty text if it is not set. Raises BadSecret."""
    return next(iter(lines(secret_text(variable, os.environ if env is None else env))), "")


def owner_login(env: Mapping[str, str] | None = None) -> DatabaseUrl | None:
    """Returns the logins of the database's owner, or None if there is none in the environment. Raises
    BadSecret."""
    variables = os.environ if env is None else env
    # A variable that is empty counts as not set.
    login = find_database_url(OWNER, OWNER_PASSWORD, lambda name: variables.get(name) or None)
    if not isinstance(login, DatabaseUrl):
        return None
    for mistake in filter(None, map(mistake_of, lines(login.get_secret_value()) or [""])):
        raise BadSecret(OWNER, mistake)
    return login


def owner_url(env: Mapping[str, str] | None = None) -> str:
    """Returns the DSN of the database's owner with its password, of several lines the first; an empty text if
    it is not set. Raises BadSecret."""
    login = owner_login(env)
    return login.logins()[0] if login else ""

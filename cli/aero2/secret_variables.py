"""Secrets that commands read from the environment, or from the files that it names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from aero2.failures import CommandError
from common.database_url import has_password, mistake_of, with_password
from common.secret_files import BadSecret, lines, secret_text

OWNER: Final = "AERO2_OWNER_DATABASE_URL"
OWNER_PASSWORD: Final = "AERO2_OWNER_DATABASE_PASSWORD"  # noqa: S105 - the name of a variable


def secret_of(variable: str) -> str:
    """Returns the secret of a variable or of its file; an empty text if it is not set. Raises CommandError."""
    try:
        return secret_text(variable, os.environ)
    except BadSecret as problem:
        raise CommandError(f"{problem}.") from None


def password_of(variable: str, env: Mapping[str, str] | None = None) -> str:
    """Returns the password of a variable or of its file: the first line, since the others are former ones
    (docs/operating.md). Returns an empty text if it is not set. Raises BadSecret."""
    return next(iter(lines(secret_text(variable, os.environ if env is None else env))), "")


def owner_url(env: Mapping[str, str] | None = None) -> str:
    """Returns the DSN of the database's owner with its password; an empty text if it is not set. Raises
    BadSecret."""
    env = os.environ if env is None else env
    dsn = next(iter(lines(secret_text(OWNER, env))), "")
    password = password_of(OWNER_PASSWORD, env)
    if dsn and (mistake := mistake_of(dsn)):
        raise BadSecret(OWNER, mistake)
    if not password:
        return dsn
    if not dsn or has_password(dsn):
        what = f"{OWNER} has a password too" if dsn else f"{OWNER} is not"
        raise BadSecret(OWNER_PASSWORD, f"is set, and {what}")
    return with_password(dsn, password)

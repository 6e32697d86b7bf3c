"""Reads settings from the environment, and secrets also from files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from common.database_url import DatabaseUrl, has_password
from common.secret_files import BadSecret, find_secret, lines

URL: Final = "_url"
DATABASE_URL: Final = "database_url"
DATABASE_PASSWORD: Final = "database_password"  # noqa: S105 - part of a variable's name
PASSWORD: Final = "_password"  # noqa: S105 - the end of a variable's name


def is_secret(field: FieldInfo) -> bool:
    """Returns whether a setting is a secret."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


def secret_settings(settings_class: type[BaseSettings]) -> Iterator[str]:
    """Yields the names of the secrets that can stand in files: those of the settings, and the password of each
    database URL."""
    for name, field in settings_class.model_fields.items():
        if is_secret(field):
            yield name
            if name.endswith(DATABASE_URL):
                yield name.removesuffix(URL) + PASSWORD


def password_variable(variable: str) -> str:
    """Returns the variable with the password of a database URL's variable: of `AERO2_DATABASE_URL_WEST` it is
    `AERO2_DATABASE_PASSWORD_WEST`."""
    head, _, tail = variable.partition(DATABASE_URL.upper())
    return head + DATABASE_PASSWORD.upper() + tail


def find_database_url(
    variable: str,
    password: str,
    value_of: Callable[[str], str | None],
    *,
    shared_password: SecretStr | None = None,
) -> SecretStr | None:
    """Returns the logins of a database: `variable` names the DSN, and `password` its password, if the DSN has
    none. Without either, `shared_password` is that of the DSN. Each can stand in a file. Returns None if the
    DSN is not set. Raises BadSecret."""
    url, secret = find_secret(variable, value_of), find_secret(password, value_of)
    if secret is not None and not secret.get_secret_value():
        secret = None
    if url is None:
        if secret is not None:
            raise BadSecret(password, f"is set, and {variable} is not")
        return None
    if any(map(has_password, lines(url.get_secret_value()))):
        if secret is not None:
            raise BadSecret(password, f"is set, and {variable} has a password too")
        return DatabaseUrl(url)
    return DatabaseUrl(url, secret or shared_password)


class SecretSource(EnvSettingsSource):
    """The variables of one prefix. A secret is `<NAME>`, or stands in the file that `<NAME>_FILE` names. The
    password of a `…_DATABASE_URL` may be apart, as `…_DATABASE_PASSWORD`."""

    def __init__(self, settings_class: type[BaseSettings], prefix: str) -> None:
        super().__init__(settings_class, env_prefix=prefix)
        self.problems: dict[str, BadSecret] = {}
        """By setting: what is wrong with a secret. Such a setting has no value."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Returns the value of a setting as pydantic-settings wants it, with name and kind."""
        if not is_secret(field):
            return super().get_field_value(field, field_name)
        try:
            return self._secret(field_name), field_name, False
        except BadSecret as problem:
            self.problems[field_name] = problem
            return None, field_name, False

    def _secret(self, name: str) -> SecretStr | None:
        variable = self.variable(name)
        if name.endswith(DATABASE_URL):
            return find_database_url(variable, password_variable(variable), self._value)
        return find_secret(variable, self._value)

    def _value(self, variable: str) -> str | None:
        return self.env_vars.get(variable.lower())

    def variable(self, name: str) -> str:
        """Returns the name of a setting's variable."""
        return f"{self.env_prefix}{name}".upper()

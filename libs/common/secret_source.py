"""Reads settings from the environment, and secrets also from files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from common.database_url import DatabaseUrl, has_password
from common.secret_files import BadSecret, find_secret, lines

URL: Final = "_url"
DATABASE_URL: Final = "database_url"
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
        url = self._find(name)
        if not name.endswith(DATABASE_URL):
            return url
        password_name = name.removesuffix(URL) + PASSWORD
        password = self._find(password_name)
        if password is not None and not password.get_secret_value():
            password = None
        if url is None and password is not None:
            raise BadSecret(
                self.variable(password_name), f"is set, and {self.variable(name)} is not"
            )
        if url is None:
            return None
        if password is not None and any(map(has_password, lines(url.get_secret_value()))):
            raise BadSecret(
                self.variable(password_name),
                f"is set, and {self.variable(name)} has a password too",
            )
        return DatabaseUrl(url, password)

    def _find(self, name: str) -> SecretStr | None:
        return find_secret(self.variable(name), lambda each: self.env_vars.get(each.lower()))

    def variable(self, name: str) -> str:
        """Returns the name of a setting's variable."""
        return f"{self.env_prefix}{name}".upper()

"""Where a database is and how to log in there, as the environment says it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import SecretStr

from common.database_hosts import DatabaseHosts
from common.secret_files import FileSecret, current, lines

SCHEMES: Final = ("postgres", "postgresql")


class DatabaseUrl(SecretStr):
    """The logins of one database role. There are several while a password is replaced: one for each line of
    the URL or of the password. Files are read again for each use (docs/adr/0026)."""

    def __init__(self, url: SecretStr | str, password: SecretStr | None = None) -> None:
        """Takes a DSN, or one in each line. With `password` the DSN has none."""
        self._url = SecretStr(url) if isinstance(url, str) else url
        self._password = password
        super().__init__(self._url.get_secret_value())

    @property
    def password(self) -> SecretStr | None:
        """The password, if it stands apart from the DSN."""
        return self._password

    def logins(self) -> list[str]:
        """Returns the DSNs that are configured now, with their passwords, the newest first."""
        dsns = lines(current(self._url))
        if self._password is None:
            return dsns
        passwords = lines(current(self._password))
        return [with_password(dsn, password) for dsn in dsns for password in passwords]

    def versions(self) -> list[tuple[int, int] | None]:
        """Returns what changes when a file of the logins is written or replaced."""
        secrets = (self._url, self._password)
        return [secret.version() for secret in secrets if isinstance(secret, FileSecret)]


class DatabaseServer:
    """Remembers for a pool which login its server accepted last, and the order of the hosts."""

    def __init__(self, url: SecretStr | str) -> None:
        """Takes the configured logins, or a DSN."""
        self.url = url if isinstance(url, DatabaseUrl) else DatabaseUrl(url)
        self._accepted: str | None = None
        self._hosts: dict[str, DatabaseHosts] = {}
        self._versions = self.url.versions()

    def logins(self) -> list[str]:
        """Returns the logins that are configured now, first the one that the server accepted last: another one
        may not be valid yet."""
        return sorted(self.url.logins(), key=lambda login: login != self._accepted)

    def accepted(self, login: str) -> None:
        """Remembers a login that the server has accepted."""
        self._accepted = login

    def was_replaced(self) -> bool:
        """Returns whether a file of the logins was written or replaced since the last call. Connections that
        were opened before must end then: their password may be the old one."""
        versions, self._versions = self._versions, self.url.versions()
        return versions != self._versions

    def hosts(self, dsn: str) -> DatabaseHosts:
        """Returns the servers of a DSN."""
        return self._hosts.setdefault(dsn, DatabaseHosts(dsn))


def with_password(dsn: str, password: str) -> str:
    """Returns a DSN without a password with one."""
    parts = urlsplit(dsn)
    user, _, hosts = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{hosts}"))


def has_password(dsn: str) -> bool:
    """Returns whether a DSN holds a password."""
    return ":" in urlsplit(dsn).netloc.rpartition("@")[0]


def mistake_of(url: str) -> str | None:
    """Returns what is wrong with a DSN, or None. The text has no part of it, because a password that is not
    quoted may be in any part."""
    try:
        parts = urlsplit(url)
        DatabaseHosts(url)
    except ValueError:
        return (
            "is not a DSN: quote special characters of the password, like %2F for / and %23 for #"
        )
    if parts.scheme not in SCHEMES:
        return "is not a DSN like postgresql://role:password@host:5432/database"
    if not parts.path.strip("/"):
        return "names no database: end it with /aero2 or the name of yours"
    return None

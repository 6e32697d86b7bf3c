"""The user and password of a NATS connection, while they are replaced too (docs/adr/0026)."""

from __future__ import annotations

from pydantic import SecretStr

from common.secret_files import FileSecret, current, lines


def second_login(user: str) -> str:
    """Returns the other name of a NATS user. Both have the same rights; one is used, and the other one while a
    password is replaced."""
    return f"{user}-2"


def parse_login(user: str, line: str) -> tuple[str, str]:
    """Returns name and password of a line: a password of `user`, or `name:password` with either name."""
    name, colon, password = line.partition(":")
    if colon and name in (user, second_login(user)):
        return name, password
    return user, line


class NatsLogins:
    """Chooses the login of each attempt to connect: the newest first, then the others."""

    def __init__(self, user: str, password: SecretStr) -> None:
        self._user, self._password = user, password
        self._attempts = 0
        self._version = self._current_version()
        self.used: tuple[str, str] = (user, "")
        """The login of the last attempt."""

    @property
    def may_change(self) -> bool:
        """Whether the password stands in a file."""
        return isinstance(self._password, FileSecret)

    def configured(self) -> list[tuple[str, str]]:
        """Returns the logins that are configured now, the newest first."""
        text = current(self._password)
        return [parse_login(self._user, line) for line in lines(text)] or [(self._user, "")]

    def user(self) -> str:
        """Returns the user of the next attempt. nats-py calls it, and then `password`."""
        logins = self.configured()
        self.used = logins[self._attempts % len(logins)]
        self._attempts += 1
        return self.used[0]

    def password(self) -> str:
        """Returns the password of the user that `user` has returned."""
        return self.used[1]

    def accepted(self) -> None:
        """Notes that the server has accepted a login. The next attempt begins with the newest again."""
        self._attempts = 0

    def was_replaced(self) -> bool:
        """Returns whether the file was written or replaced since the last call."""
        before, self._version = self._version, self._current_version()
        return before != self._version

    def _current_version(self) -> tuple[int, int] | None:
        return self._password.version() if isinstance(self._password, FileSecret) else None

"""All secrets of a data folder, made once, in one file that only its owner can read."""

from __future__ import annotations

import base64
import secrets
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Final

from aero2 import migrate, nats_access
from aero2.embedded.folder import Folder
from aero2.failures import CommandError
from common.nats_logins import second_login

FILE: Final = "secrets.json"
DATABASE: Final = "postgres"
"""The folder of the cluster that these secrets open."""
DATABASE_ROLES: Final = migrate.ROLES
"""The role of each is aero2_<name>."""
NATS_USERS: Final = (*nats_access.SERVICES, nats_access.CLI, nats_access.CALLOUT)


def password() -> str:
    """Returns 256 random bits as text that begins with a letter and needs no quoting in a URL, a
    shell or nats.conf."""
    return "p" + secrets.token_hex(32)


def other_login(user: str, login: str) -> str:
    """Returns the login of a NATS user that takes the place of another one."""
    return second_login(user) if login == user else user


def master_key() -> str:
    """Returns a new entry for AERO2_MASTER_KEY: `id:base64`."""
    return f"k{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def stored(folder: Folder) -> dict[str, Any]:
    """Returns the content of the file, or nothing if there is none. Raises CommandError if it is
    damaged."""
    content = folder.read(FILE)
    if not content:
        return {}
    for each in fields(Secrets):
        if each.name not in content and each.default_factory is not MISSING:
            continue  # of a version that had no such secret
        if each.name not in content:
            raise CommandError(f"{folder.root / FILE} is damaged: {each.name} missing.")
        if not _is(content[each.name], text=each.type == "str"):
            raise CommandError(f"{folder.root / FILE} is damaged: {each.name} is not what it was.")
    return content


def _is(value: object, *, text: bool) -> bool:
    if text:
        return isinstance(value, str)
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


@dataclass
class Secrets:
    """`demo` holds the demo application's credentials, which the platform shows only once. `former_database`
    and `former_nats` have the passwords that those of `database` and `nats` replace, until that is done."""

    master_key: str
    superuser: str
    database: dict[str, str]
    nats: dict[str, str]
    demo: dict[str, str]
    former_database: dict[str, str] = field(default_factory=dict)
    former_nats: dict[str, str] = field(default_factory=dict)
    next_superuser: str = field(default_factory=str)
    """The password that replaces that of the superuser, until the server has it."""
    nats_logins: dict[str, str] = field(default_factory=dict)
    """The login of each NATS user, if that is not its name (nats_access.configuration)."""

    @classmethod
    def fresh(cls) -> Secrets:
        return cls(
            master_key=master_key(),
            superuser=password(),
            database={role: password() for role in DATABASE_ROLES},
            nats={user: password() for user in NATS_USERS},
            demo={},
        )

    @classmethod
    def load(cls, folder: Folder) -> Secrets:
        """Returns the secrets of the folder. Creates missing ones and replaces none.

        Raises CommandError for a database whose secrets are lost."""
        content = stored(folder)
        if not content and (folder.root / DATABASE).exists():
            raise CommandError(
                f"{folder.root / DATABASE} is there, and {folder.root / FILE}, which opens it, is "
                "not. Restore that file from your backup; new secrets would not fit. To start "
                "with nothing, pick another --data-dir or move this one away."
            )
        secrets_of_folder = cls.fresh()
        if content:
            secrets_of_folder = cls(
                master_key=content["master_key"],
                superuser=content["superuser"],
                database=secrets_of_folder.database | content["database"],
                nats=secrets_of_folder.nats | content["nats"],
                demo=content["demo"],
                former_database=content.get("former_database", {}),
                former_nats=content.get("former_nats", {}),
                next_superuser=content.get("next_superuser", ""),
                nats_logins=content.get("nats_logins", {}),
            )
        if asdict(secrets_of_folder) != content:
            secrets_of_folder.keep(folder)
        return secrets_of_folder

    def nats_login(self, user: str) -> tuple[str, str]:
        """Returns the login of a NATS user and its password."""
        return self.nats_logins.get(user, user), self.nats[user]

    def former_nats_login(self, user: str) -> tuple[str, str] | None:
        """Returns the login that is replaced and its password, or None."""
        if user not in self.former_nats:
            return None
        return other_login(user, self.nats_login(user)[0]), self.former_nats[user]

    def all_nats_logins(self) -> dict[str, str]:
        """Returns the password of each login that the server accepts."""
        logins = [self.nats_login(user) for user in self.nats]
        former = [self.former_nats_login(user) for user in self.nats]
        return dict(logins) | dict(filter(None, former))

    def keep(self, folder: Folder) -> None:
        content: dict[str, Any] = asdict(self)
        folder.write(FILE, content)

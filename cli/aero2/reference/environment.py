"""docs/reference/environment.md: every environment variable, from the settings of the services.

`other_variables` has those that no settings class reads. A test compares both with the code.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from aero2.nats_access import CALLOUT, SERVICES
from aero2.reference.markdown import table, type_of
from aero2.reference.other_variables import NEEDED, OTHERS, ROLE_NAMES
from common.secret_files import SUFFIX
from common.secret_source import DATABASE_URL, PASSWORD, URL, is_secret, secret_settings
from common.settings import Settings
from common.shared_settings import PREFIX

HEAD: Final = """\
# Environment variables

Every process reads its variables once, when it starts. If variables are missing or wrong, the start is refused with a line for each. Under `aero2 up` some variables have no effect, because the command itself decides; it says so when one of them is set. [Operations](../operating.md) explains how to use them.

A variable with the name of a service in it is for that service alone, and goes before the variable of all: `AERO2_IDENTITY_POOL_SIZE` before `AERO2_POOL_SIZE`. If several services share a process (`aero2 serve`), each needs its own `AERO2_<SERVICE>_DATABASE_URL`, `AERO2_<SERVICE>_NATS_USER` and `AERO2_<SERVICE>_NATS_PASSWORD`. The heartbeat, the level of the log, the metrics and the name of the replica belong to the process, so they have no such variable then.

Each variable that ends in `DATABASE_URL` can be set for [further database clusters](../operating.md#several-database-clusters), with their name at its end: `AERO2_DATABASE_URL_WEST` is that of the cluster `west`, and `AERO2_OWNER_DATABASE_URL_WEST` is that of its owner.

A secret can stand in a file. `AERO2_<NAME>_FILE` then names it, by an absolute path, instead of `AERO2_<NAME>`. One newline at its end is not part of the secret. The password of a database can stand apart from its DSN: `AERO2_RELAY_DATABASE_URL=postgresql://aero2_relay@postgres/aero2` with `AERO2_RELAY_DATABASE_PASSWORD_FILE=/run/secrets/relay`. The name of a further cluster stands before `_FILE`: `AERO2_DATABASE_URL_WEST_FILE`, `AERO2_RELAY_DATABASE_PASSWORD_WEST_FILE`. A DSN of a further cluster that has no password takes that of `main`.
"""
PROCESSES: Final = (*SERVICES, CALLOUT)
"""Programs that read settings."""
COMMAND_SECRETS: Final = frozenset(
    {
        "AERO2_SECRET_KEY",
        "AERO2_OWNER_DATABASE_URL",
        "AERO2_OWNER_DATABASE_PASSWORD",
        *(f"AERO2_{role}_PASSWORD" for role in ROLE_NAMES),
    }
)
"""Secrets that only commands read."""


def settings_of(service: str) -> type[Settings]:
    """Returns the settings class that a service declares in its `settings.py`."""
    module = import_module(f"{service}.settings")
    (own,) = (
        each
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, Settings)
        and each.__module__ == module.__name__
    )
    return own


def variables() -> dict[str, dict[str, Any]]:
    """Returns the JSON schema of each variable that services read. `services` names its readers,
    and `required` says whether they need it.

    Raises ValueError if two services describe one variable differently.
    """
    every: dict[str, dict[str, Any]] = {}
    for service in PROCESSES:
        schema = settings_of(service).model_json_schema()
        for field, one in schema["properties"].items():
            name = PREFIX + field.upper()
            secret = is_secret(settings_of(service).model_fields[field])
            required = field in schema.get("required", [])
            variable = every.setdefault(
                name, {**one, "services": [], "required": required, "secret": secret}
            )
            if variable.get("description") != one.get("description"):
                raise ValueError(f"{name} has two descriptions")
            variable["services"].append(service)
    return every


def secrets() -> set[str]:
    """Returns the variables of all secrets, each of which can stand in a file."""
    settings = map(settings_of, PROCESSES)
    of_services = {PREFIX + name.upper() for each in settings for name in secret_settings(each)}
    return of_services | COMMAND_SECRETS


def names() -> str:
    """Returns the file with the names of all variables that `common.known_variables` reads."""
    of_settings = {*variables(), *(secrets() - COMMAND_SECRETS)}
    others = {name for part in OTHERS.values() for name, _, _ in part if name.startswith(PREFIX)}
    lines = [
        f"{'*' if name in of_settings else ''}{name}{f'[{SUFFIX}]' if name in secrets() else ''}"
        for name in sorted(of_settings | others)
    ]
    return "".join(f"{line}\n" for line in lines)


def page() -> str:
    """Returns the page: the services' variables first, then those of each other program."""
    rows = [
        (f"`{name}`", _readers(one["services"]), _default(one), _meaning(one) + _in_file(name))
        for name, one in sorted(variables().items(), key=_order)
    ]
    parts = [HEAD, "## Services\n", table(("variable", "who", "default", "meaning"), rows)]
    for title, others in OTHERS.items():
        more = [(f"`{name}`", default, says + _in_file(name)) for name, default, says in others]
        parts += [f"\n## {title}\n", table(("variable", "default", "meaning"), more)]
    return "\n".join(parts)


def _in_file(name: str) -> str:
    """Returns which other variables a secret may have."""
    if name not in secrets():
        return ""
    if not name.endswith(DATABASE_URL.upper()) or name in COMMAND_SECRETS:
        return f" Or `{name}{SUFFIX}`."
    password = name.removesuffix(URL.upper()) + PASSWORD.upper()
    return f" Or `{name}{SUFFIX}`; the password alone: `{password}` or `{password}{SUFFIX}`."


def _order(item: tuple[str, dict[str, Any]]) -> tuple[int, list[str]]:
    """Variables that most services read come first."""
    return -len(item[1]["services"]), item[1]["services"]


def _readers(services: list[str]) -> str:
    if set(SERVICES) <= set(services):
        return "all"
    if set(services) == set(SERVICES) - {"gateway"}:
        return "all but gateway"
    return ", ".join(sorted(services))


def _default(one: dict[str, Any]) -> str:
    if one["required"]:
        return NEEDED
    default = one.get("default")
    if default in (None, "", []):
        return ""
    if isinstance(default, list):
        return f"`{','.join(default)}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _meaning(one: dict[str, Any]) -> str:
    says = str(one.get("description", ""))
    if type_of(one).startswith(("integer", "number")):
        parts = [one, *one.get("anyOf", [])]
        least = next((str(each["minimum"]) for each in parts if "minimum" in each), None)
        most = next((str(each["maximum"]) for each in parts if "maximum" in each), None)
        if least is not None and most is not None:
            return f"{says} From {least} to {most}."
    return says

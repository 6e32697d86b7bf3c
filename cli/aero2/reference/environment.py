"""docs/reference/environment.md: every environment variable, from the settings of the services.

`OTHERS` has the variables that no settings class reads. A test compares both with the code.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from aero2.migrate import ROLES
from aero2.nats_access import CALLOUT, SERVICES
from aero2.reference.markdown import table, type_of
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
NEEDED: Final = "required"
PROCESSES: Final = (*SERVICES, CALLOUT)
"""Programs that read settings."""
ROLE_NAMES: Final = tuple(role.upper() for role in ROLES)
COMMAND_SECRETS: Final = frozenset(
    {
        "AERO2_SECRET_KEY",
        "AERO2_OWNER_DATABASE_URL",
        "AERO2_OWNER_DATABASE_PASSWORD",
        *(f"AERO2_{role}_PASSWORD" for role in ROLE_NAMES),
    }
)
"""Secrets that only commands read."""

OTHERS: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "Libraries": (
        (
            "SSL_CERT_FILE",
            "",
            "File with certificate authorities that outgoing calls trust, such as a company's own.",
        ),
    ),
    "The command `aero2`": (
        ("AERO2_URL", "", "Address of the Dashboard, for the commands that manage applications."),
        ("AERO2_SECRET_KEY", "", "Secret key of the Dashboard, for the same commands."),
        (
            "AERO2_OWNER_DATABASE_URL",
            NEEDED,
            "For `aero2 migrate` and `aero2 secrets`: DSN of a superuser, or of a role with "
            "CREATEROLE that owns the database. `aero2 migrate` takes CONNECT and TEMPORARY on the "
            "database from PUBLIC. As a superuser it also takes CONNECT to `postgres` and "
            "`template1` and the use of large objects: give Aero2 a cluster of its own.",
        ),
        (
            "AERO2_OWNER_DATABASE_PASSWORD",
            "",
            "Password of that DSN, if the DSN has none.",
        ),
        *(
            (
                f"AERO2_{role}_PASSWORD",
                NEEDED,
                f"Password that `aero2 migrate` sets for the role `aero2_{role.lower()}`, in all clusters; "
                f"`AERO2_{role}_PASSWORD_WEST` is for the cluster `west` alone.",
            )
            for role in ROLE_NAMES
        ),
    ),
    "`docker-compose.yml`": (
        ("AERO2_IMAGE", "`aero2`", "Name of the image."),
        ("AERO2_BIND", "`127.0.0.1`", "Address on which the proxy's port is published."),
        ("AERO2_HTTP_PORT", "`8080`", "Published port of the proxy; of Caddy in `tls.Caddyfile`."),
        (
            "AERO2_DASHBOARD_GATEWAY",
            "`gateway`",
            "Service that gets the requests to the Dashboard's host: `dashboard-gateway` with the profile"
            " `dashboard`.",
        ),
        (
            "AERO2_SEPARATE",
            "`1`",
            "Containers of each service. `0` with the profile `together`, which runs them in one.",
        ),
        ("AERO2_WORKERS", "`1`", "Processes in each container of the profile `together`."),
        ("AERO2_MAIL_PORT", "`8025`", "Published port of the page that shows caught mail."),
        (
            "AERO2_CALLOUT_FOLDER",
            "`./callout-keys`",
            "Folder with what `aero2 callout config` makes, for the profile `callout`.",
        ),
        (
            "AERO2_SECRETS",
            NEEDED,
            "Folder of secrets, each in a file. `aero2 compose-env` makes it.",
        ),
        ("AERO2_NATS_CONFIGURATION", "", "File that `aero2 secrets rotate nats` writes for NATS."),
        ("POSTGRES_PASSWORD", NEEDED, "Password of the superuser of PostgreSQL. A file."),
        *(
            (f"NATS_{user}_PASSWORD", NEEDED, f"Login of the NATS user `{user.lower()}`. A file.")
            for user in ("GATEWAY", "IDENTITY", "OIDC", "RBAC", "TENANCY", "CLI", "CALLOUT")
        ),
    ),
    "`deploy/cluster` (with the passwords of the NATS users above)": (
        (
            "NATS_SYSTEM_PASSWORD",
            NEEDED,
            "Password of the operator's users `system` and `stream-admin`. `aero2 cluster` and "
            "`aero2 stream replicas` read it. No service has it.",
        ),
    ),
    "`deploy/tls.Caddyfile`": (
        ("AERO2_GATEWAY", "`127.0.0.1:8080`", "Where the gateway listens."),
        ("AERO2_INTERNAL", "`127.0.0.1:9464`", "Where the gateway's internal listener is."),
        ("AERO2_HTTPS_PORT", "`443`", "Port for https."),
        ("AERO2_TLS_ISSUER", "`acme`", "`internal`: certificates of Caddy's own authority."),
    ),
    "The mail catcher (`aero2.mailcatcher`)": (
        ("AERO2_MAIL_HOST", "`127.0.0.1`", "Address to listen on."),
        ("AERO2_MAIL_SMTP_PORT", "`1025`", "Port for SMTP."),
        ("AERO2_MAIL_PAGE_PORT", "`8025`", "Port of the page."),
        ("AERO2_MAIL_NAMES", "`localhost,127.0.0.1,[::1]`", "Host names that the page answers."),
        ("AERO2_MAIL_SMTP_FD", "", "Inherited socket for SMTP. `aero2 up` sets it."),
        ("AERO2_MAIL_PAGE_FD", "", "Inherited socket for the page. `aero2 up` sets it."),
    ),
    "The tests": (
        (
            "AERO2_REQUIRE",
            "",
            "Markers whose tests must not be skipped, separated by commas: `browser,docker`.",
        ),
        ("AERO2_WRITE_SNAPSHOT", "", "`1`: write the shapes of the contracts (`make contracts`)."),
        ("AERO2_SHOTS", "", "Folder where the browser tests keep a picture of each page."),
        ("AERO2_TEST_ODD_REQUESTS", "`4`", "Examples for each contract in the fuzz tests."),
    ),
}


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

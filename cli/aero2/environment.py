"""The environment variables of `aero2 up`: which it sets for services, and which have no effect on it."""

from __future__ import annotations

import os
import re
from typing import Final

JOBS: Final = {
    "tenancy": ("relay", "sweep", "upkeep"),
    "identity": ("relay", "sweep", "mail", "search"),
    "oidc": ("relay", "sweep", "logout"),
    "rbac": ("relay",),
}
"""The jobs of each service that has tables: it gets the password of no other."""

SMTP: Final = "AERO2_SMTP_URL"
OF_CALLOUT: Final = "AERO2_CALLOUT_"
"""How the variables begin that only the auth callout gets: its keys are no matter of the services."""
_OWN: Final = "it runs a server of its own"
_UNUSED: Final = {
    "AERO2_HOST": "use --host",
    "AERO2_PORT": "use --port",
    "AERO2_PUBLIC_URL": "use --domain, --port and --tls",
    "AERO2_MASTER_KEY": "the master key is in secrets.json (aero2 secrets)",
    "AERO2_HEARTBEAT": "it watches the processes itself",
    "AERO2_METRICS_FOLDER": "its gateway joins the metrics of all processes",
    "AERO2_REPLICA": "it runs one process of each service",
    "AERO2_LISTEN_FD": "it opens the port itself",
    "AERO2_METRICS_LISTEN_FD": "use AERO2_METRICS_PORT",
    "AERO2_REUSE_PORT": "it runs one gateway",
    "AERO2_DATABASE_URL": _OWN,
    **{f"AERO2_{job.upper()}_DATABASE_URL": _OWN for jobs in JOBS.values() for job in jobs},
    "AERO2_DATABASE_PASSWORD": _OWN,
    **{f"AERO2_{job.upper()}_DATABASE_PASSWORD": _OWN for jobs in JOBS.values() for job in jobs},
    "AERO2_OWNER_DATABASE_URL": _OWN,
    "AERO2_OWNER_DATABASE_PASSWORD": _OWN,
    "AERO2_NATS_URL": _OWN,
    "AERO2_NATS_USER": _OWN,
    "AERO2_NATS_PASSWORD": _OWN,
}
UNUSED: Final = _UNUSED | {
    f"{name}_FILE": why
    for name, why in _UNUSED.items()
    if name.endswith(("_KEY", "_PASSWORD", "_DATABASE_URL"))
}
"""Variables that services take elsewhere, and why not here."""


_OF_CLUSTER: Final = re.compile(r"AERO2_(\w+_)?DATABASE_(URL|PASSWORD)_(?!FILE$)\w+")
"""The database of a further cluster."""
_REPLACED: Final = frozenset(
    {
        "AERO2_LISTEN_FD",
        "AERO2_METRICS_LISTEN_FD",
        "AERO2_REUSE_PORT",
        "AERO2_DATABASE_URL",
        "AERO2_NATS_USER",
        "AERO2_NATS_PASSWORD",
    }
)


PASSWORDS: Final = frozenset(name for name in UNUSED if name.endswith("_DATABASE_PASSWORD"))
"""They would be added to the addresses of our own server."""


def public_url(domain: str, port: int, *, tls: bool) -> str:
    """Returns the apex as an address, with its port if that is not the default."""
    scheme, usual = ("https", 443) if tls else ("http", 80)
    return f"{scheme}://{domain}" if port == usual else f"{scheme}://{domain}:{port}"


def inherited() -> dict[str, str]:
    """Returns the operator's environment without what would replace our ports, and without an
    identity: each service has its own."""
    files = (name for name in UNUSED if name.endswith("_FILE"))
    without = _REPLACED.union(files, PASSWORDS)
    return {
        name: value
        for name, value in os.environ.items()
        if name not in without
        and not _OF_CLUSTER.fullmatch(name)
        and not name.startswith(OF_CALLOUT)
    }


def of_callout() -> dict[str, str]:
    """Returns the variables of the auth callout. Without any, it does not run."""
    return {name: value for name, value in os.environ.items() if name.startswith(OF_CALLOUT)}


def unless_set(defaults: dict[str, str]) -> dict[str, str]:
    """Returns the defaults, with the values of the operator's environment where it sets them. A secret that
    stands in a file has no default."""
    return {
        name: os.environ.get(name) or value
        for name, value in defaults.items()
        if not os.environ.get(f"{name}_FILE")
    }


def sends_mail() -> bool:
    """Returns whether the operator's environment names a mail server."""
    return bool(os.environ.get(SMTP) or os.environ.get(f"{SMTP}_FILE"))


def unused_variables() -> list[str]:
    """Returns a sentence for each variable of the environment that has no effect here, or anywhere."""
    from common.known_variables import unknown_variables  # most commands can do without this import

    unused = [
        f"{name} has no effect on aero2 up: {why}."
        for name, why in UNUSED.items()
        if os.environ.get(name)
    ] + [
        f"{name} has no effect on aero2 up: {_OWN}."
        for name in sorted(os.environ)
        if _OF_CLUSTER.fullmatch(name)
    ]
    return [*unused, *unknown_variables(os.environ)]

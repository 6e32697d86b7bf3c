"""Finds variables that begin with `AERO2_` and that nothing reads: most are misspelled.

A start is not refused for them. An environment is shared by versions and programs: an older version, to which
somebody goes back, must start with the variables of a newer one, and Kubernetes adds some of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Final

from common import logs
from common.secret_files import SUFFIX
from common.shared_settings import PREFIX

log = logs.get(__name__)

NAMES: Final = Path(__file__).with_name("variable_names.txt")
"""Every variable, one in a line, written by `make reference`. A secret has `[_FILE]` behind its name, and
the setting of a service `*` before it: the name of a service may stand there."""
OF_KUBERNETES: Final = re.compile(r"_SERVICE_(HOST|PORT(_.+)?)$|_PORT(_\d+_(TCP|UDP)(_.+)?)?$")
"""Variables that Kubernetes makes for each of its services: `AERO2_GATEWAY_PORT_8000_TCP_ADDR`."""
OF_CLUSTER: Final = re.compile(r"_(DATABASE_URL|(?<!_NATS_)PASSWORD)_(?!FILE$)[A-Z0-9_]+$")
"""The database of a further cluster: `AERO2_DATABASE_URL_WEST`, or a password there."""
CLOSE: Final = 0.8
"""How much of a name must agree with the name that was meant."""
SERVICES: Final = ("GATEWAY", "IDENTITY", "OIDC", "RBAC", "TENANCY")


@cache
def known_variables() -> frozenset[str]:
    """Returns the names of all variables."""
    names: set[str] = set()
    for line in NAMES.read_text().split():
        shared = line.startswith("*")
        name = line.removeprefix("*").removesuffix(f"[{SUFFIX}]")
        forms = [name, name + SUFFIX] if line.endswith("]") else [name]
        names.update(forms)
        if shared:
            own = [form.removeprefix(PREFIX) for form in forms]
            names.update(f"{PREFIX}{service}_{form}" for service in SERVICES for form in own)
    return frozenset(names)


def misspelled(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yields each variable that nobody knows, and the one that was probably meant, or an empty text."""
    variables = known_variables()
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in variables:
            continue
        if OF_KUBERNETES.search(name) or OF_CLUSTER.search(name):
            continue
        yield name, next(iter(get_close_matches(name, variables, 1, CLOSE)), "")


def unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """Yields a sentence for each variable that has no effect because nothing reads it."""
    for name, meant in misspelled(environment):
        question = f" Did you mean {meant}?" if meant else ""
        yield f"{name} has no effect: there is no such variable.{question}"


def warn_of_unknown(environment: Mapping[str, str]) -> None:
    """Logs the variables that nothing reads."""
    for name, meant in misspelled(environment):
        log.warning("unknown variable", variable=name, meant=meant or None)

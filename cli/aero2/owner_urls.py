"""The databases of a deployment, as their owner reaches them: one in each cluster (docs/adr/0032)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from aero2.failures import CommandError
from aero2.secret_variables import OWNER, owner_url
from common.cluster_settings import FILE
from common.homes import MAIN, NAME
from common.secret_files import BadSecret


class BadCluster(Exception):
    """A variable names a cluster that cannot be. The text is a sentence for the operator."""


def owner_variable(cluster: str) -> str:
    """Returns the variable with the owner's DSN in a cluster."""
    return OWNER if cluster == MAIN else f"{OWNER}_{cluster.upper()}"


def read_owner_urls(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns what `owner_urls` does. Raises CommandError."""
    try:
        return owner_urls(env)
    except (BadCluster, BadSecret) as problem:
        raise CommandError(f"{problem}.") from None


def owner_urls(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the owner's DSN by cluster, that of `main` last: no cluster may lack what `main` has. Empty
    without AERO2_OWNER_DATABASE_URL. Raises BadCluster and BadSecret."""
    env = os.environ if env is None else env
    if not (main := owner_url(env)):
        return {}
    urls: dict[str, str] = {}
    for variable, value in sorted(env.items()):
        match = re.fullmatch(rf"{OWNER}_(\w+)", variable)
        if match is None or not value or match[1].lower() == FILE:
            continue
        cluster = match[1].lower()
        if cluster == MAIN or not NAME.fullmatch(cluster):
            raise BadCluster(f"{variable} names no cluster: {OWNER} is that of {MAIN}")
        urls[cluster] = value
    return {**urls, MAIN: main}

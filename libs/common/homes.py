"""The home of an application: the name of the Postgres cluster that has its rows (docs/adr/0032)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

MAIN: Final = "main"
"""The cluster with the registries and the Dashboard."""
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
"""The names of clusters, as db/schema.sql has them."""
HomeOf: TypeAlias = "Callable[[str], Awaitable[str]]"
"""Returns the cluster of an application. Raises a Problem if nobody can say."""
NOT_AT_HOME: Final = "AE001"
"""The SQLSTATE of `bind_at_home` for an application that has another home, or is being moved."""

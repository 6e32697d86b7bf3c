"""The API call behind a page, as developers type it into a terminal."""

from __future__ import annotations

import json
from shlex import quote
from typing import Any

from common.contracts.tenants import Tenant


def curl(tenant: Tenant, method: str, path: str, body: dict[str, Any] | None = None) -> str:
    """Returns the command for a call with the application's secret key. `path` follows `/api`."""
    verb = "" if method == "GET" else f"-X {method} "
    lines = [
        f"curl {verb}{quote(f'{tenant.origin}/api{path}')}",
        '-H "Authorization: Bearer $AERO2_SECRET_KEY"',
    ]
    if body is not None:
        lines.append('-H "Content-Type: application/json"')
        lines.append(f"-d {quote(json.dumps(body, ensure_ascii=False))}")
    return " \\\n  ".join(lines)

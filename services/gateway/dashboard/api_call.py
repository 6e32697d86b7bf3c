"""The API call behind a page, as developers type it into a terminal."""

from __future__ import annotations

import json
from shlex import quote
from typing import Any

from common.contracts.tenants import Tenant


def curl(tenant: Tenant, method: str, path: str, body: dict[str, Any] | None = None) -> str:
    """Returns the command for a call with the application's secret key. `path` follows `/api`."""
    return _command(f"{tenant.origin}/api{path}", method, "$AERO2_SECRET_KEY", body)


def curl_in_dashboard(
    dashboard: Tenant, method: str, path: str, body: dict[str, Any] | None = None
) -> str:
    """Returns the command for a call to the Dashboard, with an access token of the developer. `path`
    follows `/api`."""
    return _command(f"{dashboard.origin}/api{path}", method, "$ACCESS_TOKEN", body)


def _command(url: str, method: str, credential: str, body: dict[str, Any] | None) -> str:
    verb = "" if method == "GET" else f"-X {method} "
    lines = [f"curl {verb}{quote(url)}", f'-H "Authorization: Bearer {credential}"']
    if body is not None:
        lines.append('-H "Content-Type: application/json"')
        lines.append(f"-d {quote(json.dumps(body, ensure_ascii=False))}")
    return " \\\n  ".join(lines)

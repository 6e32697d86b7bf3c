"""Members of FastAPI that it does not promise to keep.

tests/unit/gateway/test_private_members.py says which of them a new version of FastAPI has changed.
"""

from __future__ import annotations

from typing import Any


def matched_path(scope: dict[str, Any]) -> str | None:
    """Returns the template of the path that FastAPI matched. FastAPI includes routers under a prefix,
    and keeps the whole path beside the route."""
    included = scope.get("fastapi", {}).get("effective_route_context")
    return getattr(included or scope.get("route"), "path", None)

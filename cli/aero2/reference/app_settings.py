"""docs/reference/settings.md: the settings of an application, from their contract."""

from __future__ import annotations

from typing import Any

from aero2.reference.markdown import bounds_of, object_heading, table, type_of, value
from common.contracts.app_settings import AppSettings

HEAD = """\
# Settings of an application

An application decides with its settings how it signs people in. Each setting has a default that is safe. Change settings with `PUT /api/settings` on the application's host, or with `PUT /api/applications/{slug}/settings` on the Dashboard's host. Both keep every setting that the request leaves out. [Signing in](../signing-in.md) explains the settings with their reasons.
"""


def page() -> str:
    """Returns the page: one table of settings, then one for each object within them."""
    schema = AppSettings.model_json_schema()
    inner = schema.get("$defs", {})
    parts = [HEAD, _table(schema, inner)]
    for name, each in inner.items():
        if "properties" in each:
            parts += [
                f"\n## {object_heading(name)}\n",
                f"{each.get('description', '')}\n",
                _table(each, inner),
            ]
    return "\n".join(parts)


def _table(schema: dict[str, Any], inner: dict[str, Any]) -> str:
    required = schema.get("required", [])
    return table(
        ("setting", "type", "default", "bounds", "meaning"),
        (
            (
                f"`{name}`",
                type_of(field, inner),
                "required" if name in required else value(field.get("default")),
                bounds_of(field),
                field.get("description", ""),
            )
            for name, field in schema["properties"].items()
        ),
    )

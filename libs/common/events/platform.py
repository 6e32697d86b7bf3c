"""The platform."""

from __future__ import annotations

from common.events.base import Event


class PlatformSettingsUpdated(Event, type="platform_settings_updated"):
    """Settings of the platform were changed. `fields` has their names, not their values. The event is in
    the log of the Dashboard."""

    fields: list[str]

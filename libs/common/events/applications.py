"""Applications."""

from __future__ import annotations

from common.events.base import Event


class ApplicationCreated(Event, type="application_created"):
    """An application was created. It answers on its host once all its parts are ready."""

    application_id: str
    slug: str


class ApplicationUpdated(Event, type="application_updated"):
    """Settings or branding of an application were changed. `fields` has their names, not their
    values."""

    fields: list[str]


class ApplicationTransferred(Event, type="application_transferred"):
    """An application was transferred to another team."""

    application_id: str
    from_org_id: str | None
    to_org_id: str


class ApplicationMoved(Event, type="application_moved"):
    """An application was moved to another database cluster. The event is in the log of the Dashboard."""

    application_id: str
    slug: str
    from_home: str
    to_home: str


class ApplicationDeleted(Event, type="application_deleted"):
    """An application and everything in it was deleted. The event is in the log of the Dashboard."""

    application_id: str
    slug: str


class OperatorEntered(Event, type="operator_entered", activity=True):
    """An operator opened an application that none of their teams owns."""

    application_id: str
    slug: str

"""Applications."""

from __future__ import annotations

from common.events.base import Event


class ApplicationCreated(Event, type="application_created"):
    """An application came to be; it answers on its host once every part of it is there."""

    application_id: str
    slug: str


class ApplicationUpdated(Event, type="application_updated"):
    """Settings or branding changed; names of the fields, not their values."""

    fields: list[str]


class ApplicationTransferred(Event, type="application_transferred"):
    """An application was handed from one team to another."""

    application_id: str
    from_org_id: str | None
    to_org_id: str


class ApplicationDeleted(Event, type="application_deleted"):
    """An application and everything in it is gone. Recorded in the Dashboard's log."""

    application_id: str
    slug: str


class OperatorEntered(Event, type="operator_entered", activity=True):
    """An operator opened an application that none of their teams owns."""

    application_id: str
    slug: str

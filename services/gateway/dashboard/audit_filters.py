"""The filters of the audit log as the address of the page has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import Final
from uuid import UUID

from common.contracts.audit_log import ListAudit
from common.contracts.users import UserNotFound
from common.ip_addresses import canonical_ip
from common.message_ids import N_
from common.time_zones import end_of, start_of
from gateway.dashboard.user_reference import user_id_of
from gateway.dashboard.visit import Visit

NAMES: Final = ("type", "user", "address", "from", "to")
"""Parameters of the page."""
EARLIEST, LATEST = date(2000, 1, 1), date(2999, 12, 30)
MAX_TEXT: Final = 200
"""Characters of a filter."""
UNKNOWN_USER: Final = N_("No user has this address or id.")
NO_ADDRESS: Final = N_("This is not an IP address.")
NO_DAY: Final = N_("Enter a day as year-month-day.")
ORDER: Final = N_("The last day is before the first one.")


@dataclass
class AuditFilters:
    """The filters of the page. `values` are the texts of the address. With `errors`, which has sentences by
    field, there is nothing to list."""

    values: dict[str, str]
    event_type: str | None = None
    user_id: str | None = None
    ip_address: str | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None
    errors: dict[str, str] = field(default_factory=dict)

    def call(self, limit: int, cursor: str | None = None) -> ListAudit:
        """Returns the call that lists a page of these events."""
        return ListAudit(
            limit=limit,
            cursor=cursor,
            event_type=self.event_type,
            user_id=self.user_id,
            ip_address=self.ip_address,
            start_date=self.start_date,
            end_date=self.end_date,
        )

    def api_parameters(self) -> dict[str, str]:
        """Returns the filters as the API names them."""
        values = {
            "event_type": self.event_type,
            "user_id": self.user_id,
            "ip_address": self.ip_address,
            "start_date": _iso(self.start_date),
            "end_date": _iso(self.end_date),
        }
        return {name: value for name, value in values.items() if value}

    def without(self, name: str) -> dict[str, str]:
        """Returns the parameters of the page without one filter."""
        return {other: text for other, text in self.values.items() if other != name}


async def read_filters(visit: Visit) -> AuditFilters:
    """Returns the filters of the page. A user is named by their address or id."""
    texts = {name: visit.fields.text(name)[:MAX_TEXT] for name in NAMES}
    filters = AuditFilters({name: text for name, text in texts.items() if text})
    filters.event_type = texts["type"][:64] or None
    if texts["address"]:
        filters.ip_address = canonical_ip(texts["address"])
        if filters.ip_address is None:
            filters.errors["address"] = NO_ADDRESS
    _read_days(filters, texts, visit.zone)
    if texts["user"]:
        filters.user_id = await _user_id(visit, texts["user"])
        if filters.user_id is None:
            filters.errors["user"] = UNKNOWN_USER
    return filters


def _read_days(filters: AuditFilters, texts: dict[str, str], zone: tzinfo) -> None:
    days: dict[str, date] = {}
    for name in ("from", "to"):
        if not texts[name]:
            continue
        day = _day(texts[name])
        if day is None:
            filters.errors[name] = NO_DAY
        else:
            days[name] = day
    first, last = days.get("from"), days.get("to")
    if first and last and last < first:
        filters.errors["to"] = ORDER
    if first:
        filters.start_date = start_of(first, zone)
    if last:
        filters.end_date = end_of(last, zone)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if EARLIEST <= day <= LATEST else None


async def _user_id(visit: Visit, text: str) -> str | None:
    """Returns the id of the user with this id or exactly this address. A developer who may not see users can
    only filter by id."""
    try:
        return str(UUID(text))
    except ValueError:
        pass
    if not visit.may("users:read"):
        return None
    try:
        return await user_id_of(visit, text)
    except UserNotFound:
        return None


def _iso(when: datetime | None) -> str | None:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ") if when else None

"""The health of the platform, for operators. The page refreshes its figures while somebody sees it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from babel import dates, numbers

from common.message_ids import N_
from gateway.dashboard.api_call import curl_in_dashboard
from gateway.dashboard.platform_pages import platform_page
from gateway.dashboard.visit import PLATFORM, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.languages import Language
from gateway.platform_health import (
    MAIL_LATE,
    RELAY_LATE,
    HealthWarning,
    PlatformHealth,
    WarningCode,
    platform_health,
)
from gateway.routing import RouteSet
from gateway.service_discovery import SERVICES, ServiceInstance

PATH: Final = f"{PLATFORM}/health"
SENTENCES: Final[dict[WarningCode, str]] = {
    "service_silent": N_("No process of %(about)s answers. People cannot sign in without it."),
    "instance_silent": N_("%(about)s does not answer any more. It has stopped, or it hangs."),
    "instance_slow": N_("%(about)s is slow: its mean answer takes more than 250 ms."),
    "instance_errors": N_("%(about)s fails: more than one answer in a hundred was a fault."),
    "version_differs": N_("%(about)s runs another version than this gateway."),
    "hashes_wait": N_("Many password hashes wait in %(about)s. Sign-ins take longer."),
    "queues_unknown": N_("Identity did not say how many events and mails wait."),
    "relay_late": N_("Audit events of %(about)s wait for the stream longer than 30 seconds."),
    "mail_late": N_("Mails wait longer than five minutes. Check the mail server."),
    "stream_unknown": N_("The stream of audit events did not answer."),
    "database_unknown": N_("Tenancy did not say how the database is."),
    "connections_scarce": N_("More than 80 of 100 possible database connections are in use."),
}
"""The sentence that operators read for each warning."""
STATES: Final[dict[WarningCode, str]] = {
    "version_differs": N_("Other version"),
    "hashes_wait": N_("Hashes wait"),
    "instance_errors": N_("Faults"),
    "instance_slow": N_("Slow"),
}
"""The word for a process with a warning."""
UNITS: Final = ("B", "kB", "MB", "GB", "TB")


async def show(visit: Visit) -> GatewayResponse:
    """GET /dashboard/platform/health"""
    return _show(visit, "platform_health.html", await _report(visit))


async def show_figures(visit: Visit) -> GatewayResponse:
    """GET /dashboard/platform/health/figures: the figures alone, for the page that is open."""
    if not visit.partial:
        return redirect(PATH)
    return _show(visit, "platform_health_figures.html", await _report(visit))


async def _report(visit: Visit) -> PlatformHealth:
    return await platform_health(visit.gateway, visit.team_ctx)


def _show(visit: Visit, template: str, report: PlatformHealth) -> GatewayResponse:
    language = visit.open().language
    return visit.show(
        template,
        report=report,
        listed=any(one.id == report.gateway.id for one in report.instances),
        sentences=[_sentence(language, warning) for warning in report.warnings],
        state_of=_state_of(report),
        missing=[
            name for name in SERVICES if name not in {one.service for one in report.instances}
        ],
        as_size=lambda size: size_in_words(language, size),
        as_time=lambda seconds: duration_in_words(language, seconds),
        limits={"mail": MAIL_LATE, "relay": RELAY_LATE},
        as_ms=lambda ms: f"{_decimal(language, ms)} ms",
        api=curl_in_dashboard(visit.request.app, "GET", "/platform/health"),
    )


def _sentence(language: Language, warning: HealthWarning) -> str:
    return language.translate(SENTENCES[warning.code], about=warning.about)


def _state_of(report: PlatformHealth) -> Callable[[ServiceInstance], str]:
    """Returns a function that names what is wrong with a process; empty if nothing is."""
    codes: dict[str, WarningCode] = {}
    for warning in report.warnings:
        if warning.code in STATES:
            codes.setdefault(warning.about, warning.code)

    def state_of(instance: ServiceInstance) -> str:
        code = codes.get(instance.label)
        return STATES[code] if code else ""

    return state_of


def size_in_words(language: Language, size: int) -> str:
    """Returns a number of bytes like "12.3 MB"."""
    amount, unit = float(size), 0
    while amount >= 1000 and unit < len(UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{_decimal(language, amount)} {UNITS[unit]}"


def duration_in_words(language: Language, seconds: float) -> str:
    """Returns a duration like "3 min"."""
    duration = timedelta(seconds=max(0.0, seconds))
    return dates.format_timedelta(duration, format="short", threshold=1, locale=language.locale)


def _decimal(language: Language, value: float) -> str:
    rounded: Any = round(value, 1)
    return str(numbers.format_decimal(rounded, locale=language.locale))


routes = RouteSet(
    (
        platform_page("/health", show),
        platform_page("/health/figures", show_figures, is_use=False),
    )
)

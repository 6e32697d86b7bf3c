"""Calls to a provider: bounded in time, bytes and number, and with one breaker for each provider."""

from __future__ import annotations

from typing import Any, Final

import orjson

from common import outgoing_http
from common.context import Context
from common.contracts.provider_options import ProviderOptions
from common.outgoing_http import Answer, Unreachable
from identity.deps import Deps
from identity.providers.failures import ProviderFailed, Step
from identity.queries.identity_providers import Provider

SPOKEN: Final = ("no answer within", "only https", "more than", "CERTIFICATE_VERIFY_FAILED")
"""Causes that a detail may name. All others become one text: which hosts and ports exist in the network
of this deployment is no matter of its tenants."""
TOO_MANY: Final = "not called: too many calls of this application wait already"
OUTAGE: Final = 500
"""HTTP statuses from here on count as no answer for the breaker."""


def options_of(provider: Provider) -> ProviderOptions:
    """Returns the further settings of a provider."""
    return ProviderOptions.model_validate(provider.options)


async def call(
    deps: Deps,
    ctx: Context,
    provider: Provider,
    step: Step,
    *,
    url: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    **content: Any,
) -> Answer:
    """Calls a provider and returns its answer, whatever the status is. Raises ProviderFailed."""
    breaker, key = deps.provider_breaker, f"{ctx.app_id}:{provider.id}"
    if not breaker.admit(key):
        raise ProviderFailed(step, "not called: the provider did not answer the last calls")
    seconds = min(outgoing_http.DEADLINE, ctx.remaining())
    if seconds <= 0:
        raise ProviderFailed(step, "not called: the sign-in has taken too long already")
    headers = (headers or {}) | _version(provider)
    try:
        with deps.provider_slots.slot(ctx.app_id) as free:
            if not free:
                raise ProviderFailed(step, TOO_MANY)
            answer = await deps.http.request(
                method, url, headers=headers, deadline=seconds, **content
            )
    except Unreachable as error:
        if seconds == outgoing_http.DEADLINE:
            breaker.timed_out(key)
        raise ProviderFailed(step, _cause(str(error))) from None
    if answer.status >= OUTAGE:
        breaker.timed_out(key)
    else:
        breaker.answered(key)
    return answer


def _version(provider: Provider) -> dict[str, str]:
    options = options_of(provider)
    if options.version_header and options.version:
        return {options.version_header: options.version}
    return {}


def _cause(text: str) -> str:
    host, colon, cause = text.partition(": ")
    if not colon:
        return "the URL cannot be called"
    return text if any(known in cause for known in SPOKEN) else f"{host}: cannot be reached"


async def json_answer(
    deps: Deps,
    ctx: Context,
    provider: Provider,
    step: Step,
    *,
    url: str,
    headers: dict[str, str] | None = None,
) -> Any:
    """Returns the JSON value at a URL. Raises ProviderFailed."""
    answer = await call(deps, ctx, provider, step, url=url, headers=headers)
    if answer.status != 200:
        raise ProviderFailed(step, f"{_host(url)}: answered with status {answer.status}")
    return parsed(step, url, answer)


def parsed(step: Step, url: str, answer: Answer) -> Any:
    """Returns the body as a JSON value. Raises ProviderFailed."""
    try:
        return answer.json()
    except (orjson.JSONDecodeError, ValueError):
        raise ProviderFailed(step, f"{_host(url)}: the answer is not JSON") from None


def json_object(step: Step, url: str, value: Any) -> dict[str, Any]:
    """Returns the value if it is a JSON object. Raises ProviderFailed."""
    if not isinstance(value, dict):
        raise ProviderFailed(step, f"{_host(url)}: the answer is not a JSON object")
    return value


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]

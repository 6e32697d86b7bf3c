"""The API keys of an application. A whole key is shown once, in the answer to the form that makes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import ValidationError

from common.contracts.api_keys import (
    ApiKey,
    ApiKeyExists,
    ApiKeyNotFound,
    CreateApiKey,
    ListApiKeys,
    NewApiKey,
    RevokeApiKey,
    RotateApiKey,
)
from common.ids import new_id
from common.message_ids import N_
from common.problems import Forbidden, NotFound, Problem
from gateway.dashboard.api_call import curl_in_dashboard
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import errors_of
from gateway.routing import RouteSet

HERE: Final = f"{APPLICATIONS}/{{slug}}/keys"
LIFETIMES: Final = {
    "": N_("Never"),
    "30": N_("In 30 days"),
    "90": N_("In 90 days"),
    "180": N_("In 180 days"),
    "365": N_("In one year"),
}
"""When a new key can expire, by days."""
LARGEST_PAGE: Final = 100
"""An application cannot have more keys."""


async def show(visit: Visit) -> GatewayResponse:
    """GET …/keys"""
    return await _list(visit)


async def _list(visit: Visit, *, repeated: bool = False) -> GatewayResponse:
    cursor = None if repeated else visit.fields.text_or_none("cursor")
    listed = await visit.call(ListApiKeys(cursor=cursor))
    keys = listed.api_keys
    return visit.show(
        "keys.html",
        part="keys_list.html",
        keys=keys,
        more=at(f"{visit.home}/keys", cursor=listed.next) if listed.next else None,
        by_id={key.id: key for key in keys},
        writes=visit.may("api_keys:write"),
        revoked=visit.fields.text("done") == "revoked",
        repeated=repeated,
        address=f"{visit.home}/keys",
        api=_api(visit, "GET", ""),
    )


async def ask(visit: Visit) -> GatewayResponse:
    """GET …/keys/new"""
    _check_may_write(visit)
    return _ask(visit)


def _check_may_write(visit: Visit) -> None:
    if not visit.may("api_keys:write"):
        raise Forbidden


def _ask(visit: Visit, errors: dict[str, str] | None = None) -> GatewayResponse:
    return visit.show(
        "key_new.html",
        errors=errors,
        values={"name": visit.fields.text("name")},
        id=visit.fields.text_or_none("id") or new_id(),
        key_type=visit.fields.text("key_type") or "secret",
        lifetime=visit.fields.text("lifetime"),
        lifetimes=LIFETIMES,
        api=_api(visit, "POST", "", {"key_type": "secret", "name": "Backend"}),
    )


async def create(visit: Visit) -> GatewayResponse:
    """POST …/keys: shows the new key. Sent again, the form makes no second key."""
    _check_may_write(visit)
    page = visit.open()
    try:
        new = await visit.call(_new_key(visit))
    except ApiKeyExists:
        return await _list(visit, repeated=True)
    except (Problem, ValidationError) as error:
        return _ask(visit, errors_of(page.language, error))
    return _once(visit, new)


def _new_key(visit: Visit) -> CreateApiKey:
    """Returns the request. A lifetime that the form does not offer makes no key, not one for ever."""
    days = visit.fields.text("lifetime")
    if days not in LIFETIMES:
        raise NotFound
    expires = datetime.now(UTC) + timedelta(days=int(days)) if days else None
    return CreateApiKey(
        id=visit.fields.text_or_none("id"),
        key_type=visit.fields.text("key_type"),
        name=visit.fields.text_or_none("name"),
        expires_at=expires,
    )


def _once(visit: Visit, new: NewApiKey, old: ApiKey | None = None) -> GatewayResponse:
    """Shows a key. The address of the page in another language is that of the list."""
    return visit.show("key_created.html", key=new, old=old, address=f"{visit.home}/keys")


async def ask_rotation(visit: Visit) -> GatewayResponse:
    """GET …/keys/{id}/rotate"""
    return await _confirm(visit, "key_rotate.html", "POST", "/rotate")


async def ask_revocation(visit: Visit) -> GatewayResponse:
    """GET …/keys/{id}/revoke"""
    return await _confirm(visit, "key_revoke.html", "DELETE", "")


async def _confirm(visit: Visit, template: str, method: str, path: str) -> GatewayResponse:
    _check_may_write(visit)
    key = await _key(visit)
    return visit.show(template, key=key, api=_api(visit, method, f"/{key.id}{path}"))


async def _key(visit: Visit) -> ApiKey:
    """Returns the key of the path. Raises ApiKeyNotFound."""
    keys = (await visit.call(ListApiKeys(limit=LARGEST_PAGE))).api_keys
    key = next((key for key in keys if key.id == visit.parameters["id"]), None)
    if key is None:
        raise ApiKeyNotFound
    return key


async def rotate(visit: Visit) -> GatewayResponse:
    """POST …/keys/{id}/rotate: shows the successor. Sent again, the form makes no second one."""
    _check_may_write(visit)
    old = await _key(visit)
    if old.rotated_to is not None:
        return await _list(visit, repeated=True)
    page = visit.open()
    try:
        new = await visit.call(RotateApiKey(id=old.id))
    except ApiKeyNotFound:
        raise
    except Problem as error:
        return visit.show("key_rotate.html", errors=errors_of(page.language, error), key=old)
    return _once(visit, new, old)


async def revoke(visit: Visit) -> GatewayResponse:
    """POST …/keys/{id}/revoke"""
    _check_may_write(visit)
    await visit.call(RevokeApiKey(id=visit.parameters["id"]))
    return redirect(at(f"{visit.home}/keys", done="revoked"))


def _api(visit: Visit, method: str, path: str, body: dict[str, str] | None = None) -> str:
    base = f"/applications/{visit.managed.tenant.slug}/api-keys"
    return curl_in_dashboard(visit.request.app, method, base + path, body)


routes = RouteSet(
    (
        dashboard_page(HERE, show),
        dashboard_page(f"{HERE}/new", ask, fresh=True),
        dashboard_form(HERE, create, page_path=f"{HERE}/new"),
        dashboard_page(f"{HERE}/{{id}}/rotate", ask_rotation, fresh=True),
        dashboard_form(f"{HERE}/{{id}}/rotate", rotate),
        dashboard_page(f"{HERE}/{{id}}/revoke", ask_revocation, fresh=True),
        dashboard_form(f"{HERE}/{{id}}/revoke", revoke),
    )
)

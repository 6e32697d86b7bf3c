"""Exchange policies of a client: the tokens and assertions that it may exchange."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from pydantic import ValidationError

from common.contracts.base import Id
from common.contracts.clients import (
    Client,
    ClientNotFound,
    GetClient,
    ListClients,
    UpdateClient,
)
from common.contracts.exchange_policies import (
    CreateExchangePolicy,
    DeleteExchangePolicy,
    ExchangePolicy,
    ExchangePolicyExists,
    ExchangePolicyNotFound,
    ListExchangePolicies,
    TooManyExchangePolicies,
)
from common.contracts.identity_providers import ListIdentityProviders, ProviderNotFound
from common.message_ids import N_
from common.problems import Forbidden, Problem
from gateway.dashboard.api_call import curl
from gateway.dashboard.client import find, name_of, of_client
from gateway.dashboard.client_fields import lines
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import errors_of
from gateway.routing import RouteSet

HERE: Final = f"{APPLICATIONS}/{{slug}}/clients/{{client}}/exchange"
GRANTS: Final = {
    "token_exchange": "urn:ietf:params:oauth:grant-type:token-exchange",
    "jwt_bearer": "urn:ietf:params:oauth:grant-type:jwt-bearer",
}
"""The grant types of this page, by the setting of the application that each needs."""
FIELDS: Final = ("source", "resources", "scopes", "audience", "audience_client_id")
NOTICES: Final = {
    "saved": N_("The changes are saved."),
    "created": N_("The policy is created. It counts from now on."),
    "deleted": N_("The policy is deleted. The client gets no more tokens by it."),
}
SENTENCES: Final[dict[type[Problem], str]] = {
    ExchangePolicyExists: N_(
        "The client has a policy for these tokens already. Delete it first, then add this one."
    ),
    TooManyExchangePolicies: N_("The client has as many policies as it can have."),
    ProviderNotFound: N_("This identity provider was deleted meanwhile."),
    Forbidden: N_("You can only give rights that you hold yourself."),
}
"""Problems of a new policy that the developer can read about in the form."""
Sources = list[tuple[str, str]]
"""Values of the field `source` with their names: clients and identity providers."""


async def show(visit: Visit) -> GatewayResponse:
    """GET …/exchange"""
    policies = ListExchangePolicies(client=name_of(visit))
    client, listed, sources = await asyncio.gather(
        find(visit), visit.call(policies), _sources(visit)
    )
    settings = visit.managed.tenant.settings
    return visit.show(
        "client_exchange.html",
        policies=listed.policies,
        names={value.partition(":")[2]: name for value, name in sources},
        switched_on={name: getattr(settings, name) for name in GRANTS},
        granted={name: grant in client.grant_types for name, grant in GRANTS.items()},
        done=NOTICES.get(visit.fields.text("done")),
        api=curl(visit.managed.tenant, "GET", _path(client)),
        **of_client(visit, client),
    )


def _path(client: Client, policy_id: Id | None = None) -> str:
    path = f"/clients/{client.client_id}/exchange-policies"
    return path if policy_id is None else f"{path}/{policy_id}"


def _address(visit: Visit, client: Client) -> str:
    return f"{visit.home}/clients/{client.client_id}/exchange"


async def _sources(visit: Visit) -> Sources:
    """Returns the clients, and the identity providers as far as the developer may see them."""
    listed = await visit.call(ListClients(limit=100))
    sources = [(f"client:{one.client_id}", one.name) for one in listed.clients]
    if visit.may("idps:read"):
        providers = await visit.call(ListIdentityProviders())
        sources += [
            (f"provider:{one.id}", one.display_name) for one in providers.idps if one.type == "oidc"
        ]
    return sources


async def save_grants(visit: Visit) -> GatewayResponse:
    """POST …/exchange: which of the two grants the client may use."""
    client = await find(visit)
    chosen = [grant for name, grant in GRANTS.items() if name in visit.fields]
    others = [grant for grant in client.grant_types if grant not in GRANTS.values()]
    changes = {"grant_types": [*others, *chosen]}
    await visit.call(UpdateClient(client=client.client_id, changes=changes))
    return redirect(at(_address(visit, client), done="saved"))


async def ask(visit: Visit) -> GatewayResponse:
    """GET …/exchange/new"""
    if not visit.may("clients:write"):
        raise Forbidden
    client = await find(visit)
    return await _ask(visit, client, dict.fromkeys(FIELDS, ""))


async def _ask(
    visit: Visit,
    client: Client,
    values: dict[str, str],
    errors: dict[str, str] | None = None,
    *,
    status: int | None = None,
) -> GatewayResponse:
    example = {"subject_client": client.client_id, "resources": ["https://api.example.com"]}
    return visit.show(
        "client_exchange_new.html",
        status,
        errors=errors,
        values=values,
        sources=await _sources(visit),
        api=curl(visit.managed.tenant, "POST", _path(client), {**example, "scopes": []}),
        **of_client(visit, client),
    )


async def create(visit: Visit) -> GatewayResponse:
    """POST …/exchange/new"""
    client = await find(visit)
    values = {name: visit.fields.get(name) or "" for name in FIELDS}
    page = visit.open()
    try:
        await visit.call(CreateExchangePolicy(client=client.client_id, **_policy(values)))
    except (Problem, ValidationError) as error:
        if isinstance(error, Forbidden) and not visit.may("clients:write"):
            raise
        sentence = SENTENCES.get(type(error)) if isinstance(error, Problem) else None
        if sentence is not None:
            errors = {"": page.translate(sentence)}
            return await _ask(visit, client, values, errors, status=409)
        return await _ask(visit, client, values, errors_of(page.language, error))
    return redirect(at(_address(visit, client), done="created"))


def _policy(values: dict[str, str]) -> dict[str, Any]:
    kind, _, id = values["source"].partition(":")
    return {
        "subject_client": id if kind == "client" else None,
        "provider": id if kind == "provider" else None,
        "resources": lines(values["resources"]),
        "scopes": values["scopes"].split(),
        "audience": values["audience"].strip() or None,
        "audience_client_id": values["audience_client_id"].strip() or None,
    }


async def ask_deletion(visit: Visit) -> GatewayResponse:
    """GET …/exchange/{policy}/delete"""
    if not visit.may("clients:write"):
        raise Forbidden
    client, sources = await asyncio.gather(find(visit), _sources(visit))
    policy = await _find(visit, client)
    return visit.show(
        "client_exchange_delete.html",
        policy=policy,
        names={value.partition(":")[2]: name for value, name in sources},
        api=curl(visit.managed.tenant, "DELETE", _path(client, policy.id)),
        **of_client(visit, client),
    )


async def _find(visit: Visit, client: Client) -> ExchangePolicy:
    listed = await visit.call(ListExchangePolicies(client=client.client_id))
    for policy in listed.policies:
        if policy.id == visit.parameters["policy"]:
            return policy
    raise ExchangePolicyNotFound


async def delete(visit: Visit) -> GatewayResponse:
    """POST …/exchange/{policy}/delete"""
    client = await visit.call(GetClient(client=name_of(visit)))
    try:
        call = DeleteExchangePolicy(client=client.client_id, policy_id=visit.parameters["policy"])
    except ValidationError:
        raise ClientNotFound from None
    await visit.call(call)
    return redirect(at(_address(visit, client), done="deleted"))


routes = RouteSet(
    (
        dashboard_page(HERE, show),
        dashboard_form(HERE, save_grants),
        dashboard_page(f"{HERE}/new", ask, fresh=True),
        dashboard_form(f"{HERE}/new", create),
        dashboard_page(f"{HERE}/{{policy}}/delete", ask_deletion),
        dashboard_form(f"{HERE}/{{policy}}/delete", delete),
    )
)

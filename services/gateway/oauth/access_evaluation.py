"""The policy decision point: enforcement points ask whether a user may do something (OpenID AuthZEN,
Authorization API 1.0). Only where the application has switched it on.

Without bearer token there is no answer: a cookie does not count here, so other sites cannot ask.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from pydantic import ValidationError

from common.contracts.access_evaluation import (
    MAX_EVALUATIONS,
    AccessEvaluation,
    EvaluateAccess,
)
from common.problems import BadRequest, Invalid, NotFound, Problem
from gateway.auth.caller import caller_of
from gateway.http.authorization import bearer_token
from gateway.http.request import GatewayRequest
from gateway.http.response import (
    JSON,
    NO_STORE,
    GatewayResponse,
    MissingToken,
    json_response,
    problem_response,
)
from gateway.oauth.discovery import CACHE
from gateway.routing import ErrorStyle, Handler, HostKind, Route, RouteSet
from gateway.state import Gateway

EVALUATION: Final = "/access/v1/evaluation"
EVALUATIONS: Final = "/access/v1/evaluations"
STOPS_AFTER: Final[dict[object, bool | None]] = {
    "execute_all": None,
    "deny_on_first_deny": False,
    "permit_on_first_permit": True,
}
"""The decision after which a batch ends, by its semantic (section 7.1.2)."""
MEMBERS: Final = ("subject", "action", "resource", "context")
REQUEST_ID: Final = re.compile(rb"[\x21-\x7e]{1,200}")
"""An X-Request-ID that is sent back (section 10.1.3)."""
Endpoint = Callable[[Gateway, GatewayRequest], Awaitable[GatewayResponse]]


async def configuration(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /.well-known/authzen-configuration (section 9)"""
    _check_enabled(request)
    body = {
        "policy_decision_point": request.origin,
        "access_evaluation_endpoint": request.origin + EVALUATION,
        "access_evaluations_endpoint": request.origin + EVALUATIONS,
    }
    return GatewayResponse(200, orjson.dumps(body), [JSON, CACHE])


async def evaluate(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """POST /access/v1/evaluation (section 6): one decision."""
    return await _with_request_id(_evaluate, gateway, request)


async def evaluate_batch(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """POST /access/v1/evaluations (section 7): a decision for each evaluation, up to the one that ends
    the batch. Without evaluations it is a call for one decision."""
    return await _with_request_id(_evaluate_batch, gateway, request)


async def _with_request_id(
    endpoint: Endpoint, gateway: Gateway, request: GatewayRequest
) -> GatewayResponse:
    """Adds the caller's X-Request-ID to the response, also to that of an error."""
    try:
        response = await endpoint(gateway, request)
    except Problem as error:
        request.state.log_facts["outcome"] = error.code
        response = problem_response(error, request)
    request_id = request.headers.get(b"x-request-id", b"")
    if REQUEST_ID.fullmatch(request_id):
        response.headers.append((b"x-request-id", request_id))
    return response


async def _evaluate(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    decide = await _decider(gateway, request)
    [decision] = await decide([_evaluation(await _body(request))])
    return json_response(200, {"decision": decision}, NO_STORE)


async def _evaluate_batch(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    decide = await _decider(gateway, request)
    body = await _body(request)
    entries = body.get("evaluations", [])
    if not isinstance(entries, list):
        raise BadRequest("`evaluations` must be an array")
    if not entries:
        [decision] = await decide([_evaluation(body)])
        return json_response(200, {"decision": decision}, NO_STORE)
    if len(entries) > MAX_EVALUATIONS:
        raise BadRequest(f"`evaluations` can have at most {MAX_EVALUATIONS} entries")
    stops_after = _stops_after(body)
    defaults = {name: body[name] for name in MEMBERS if name in body}
    asked = [_evaluation(defaults | _object(entry, "an evaluation")) for entry in entries]
    decisions = await decide(asked)
    if stops_after in decisions:
        decisions = decisions[: decisions.index(stops_after) + 1]
    results = [{"decision": decision} for decision in decisions]
    return json_response(200, {"evaluations": results}, NO_STORE)


async def _decider(
    gateway: Gateway, request: GatewayRequest
) -> Callable[[list[AccessEvaluation]], Awaitable[list[bool]]]:
    """Returns a function that asks rbac for decisions, as the caller of the request. Raises NotFound,
    MissingToken, Unauthenticated."""
    _check_enabled(request)
    if bearer_token(request) is None:
        raise MissingToken
    ctx = request.context(await caller_of(gateway, request))

    async def decide(evaluations: list[AccessEvaluation]) -> list[bool]:
        try:
            call = EvaluateAccess(evaluations=evaluations)
            return (await gateway.bus.call(ctx, call)).decisions
        except Invalid as error:
            raise BadRequest(error.detail) from None

    return decide


def _check_enabled(request: GatewayRequest) -> None:
    if not request.app.settings.authzen:
        raise NotFound


async def _body(request: GatewayRequest) -> dict[str, Any]:
    """Returns the JSON object in the body. Raises BadRequest."""
    if request.media_type != "application/json":
        raise BadRequest("send the body as application/json")
    try:
        body = orjson.loads(await request.body.read())
    except orjson.JSONDecodeError:
        raise BadRequest("the body is not JSON") from None
    return _object(body, "the body")


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadRequest(f"{name} must be an object")
    return value


def _stops_after(body: dict[str, Any]) -> bool | None:
    options = _object(body.get("options", {}), "`options`")
    semantic = options.get("evaluations_semantic", "execute_all")
    if not isinstance(semantic, str) or semantic not in STOPS_AFTER:
        raise BadRequest("`evaluations_semantic` is none of " + ", ".join(map(str, STOPS_AFTER)))
    return STOPS_AFTER[semantic]


def _evaluation(fields: dict[str, Any]) -> AccessEvaluation:
    """Returns the subject, action and resource of a request. Raises BadRequest for what is malformed, also
    in members that have no effect."""
    _object(fields.get("context", {}), "`context`")
    for name in ("subject", "action"):
        member = _object(fields.get(name, {}), f"`{name}`")
        _object(member.get("properties", {}), f"`{name}.properties`")
    try:
        return AccessEvaluation.model_validate(fields)
    except ValidationError as error:
        places = {".".join(map(str, each["loc"])) for each in error.errors(include_input=False)}
        raise BadRequest("missing or malformed: " + ", ".join(sorted(places))) from None


def _route(method: str, path: str, handler: Handler) -> Route:
    return Route(HostKind.APPLICATION, method, path, handler, ErrorStyle.PROBLEM)


routes = RouteSet(
    (
        _route("GET", "/.well-known/authzen-configuration", configuration),
        _route("POST", EVALUATION, evaluate),
        _route("POST", EVALUATIONS, evaluate_batch),
    )
)

"""Headers and errors of every response, and the requests that the gateway refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from inspect import iscoroutinefunction
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, Field
from tests.kit.fake_services import FakeServices, also

from common import problems
from common.context import Context
from common.contracts.client_origins import ListOrigins, Origins
from common.metrics import HTTP
from common.problems import Conflict, Unavailable
from gateway.api.deps import Anyone
from gateway.api.noun_router import NounRouter
from gateway.app import GatewayApp
from gateway.build import ROUTE_SETS, build_internal
from gateway.http import response as answers
from gateway.http.forms import MAX_FORM

router = APIRouter(prefix="/api")


class Wish(BaseModel):
    password: str = Field(min_length=12)
    age: int


@router.post("/wish")
async def wish(wish: Wish, ctx: Anyone) -> dict[str, str]:
    return {}


@router.get("/boom/{kind}")
async def boom(kind: str, ctx: Anyone) -> dict[str, str]:
    if kind == "conflict":
        raise Conflict("it is taken", hint="x")
    if kind == "away":
        raise Unavailable("rbac is away", retry_after=3)
    raise RuntimeError("dsn=postgres://u:secret@h")


@pytest.fixture(autouse=True)
def probe(gateway_app: GatewayApp, world: FakeServices) -> Iterator[None]:
    world.add("demo", allowed_origins=["https://spa.example.com"])
    world.add("dashboard")
    with also(gateway_app, router):
        yield


async def test_a_wrong_body_names_fields_and_echoes_nothing(http: httpx.AsyncClient) -> None:
    """A 422 lists every wrong field and repeats no value."""
    answer = await http.post("/api/wish", json={"password": "hunter2", "age": "old"})

    assert answer.status_code == 422
    assert {"password", "age"} == {error["field"] for error in answer.json()["errors"]}
    assert "hunter2" not in answer.text
    assert "old" not in answer.text


async def test_broken_json_is_the_fault_of_the_body(http: httpx.AsyncClient) -> None:
    """Invalid JSON is an error of the body, without a position."""
    headers = {"content-type": "application/json"}
    for text in ('{"password": x}', "{", '{"age": 1,}'):
        answer = await http.post("/api/wish", content=text, headers=headers)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["field"]) == (422, "body")
        assert error["code"] == "invalid_json"


async def test_a_caller_of_the_api_learns_the_next_step(http: httpx.AsyncClient) -> None:
    """The error says how to authenticate and where the paths are listed."""
    docs = "http://demo.localhost:8080/docs"
    nobody = (await http.get("/api/users")).json()
    unknown = (await http.get("/api/usres")).json()

    assert (nobody["title"], unknown["title"]) == ("Unauthenticated", "Not found")
    assert "`Authorization: Bearer" in nobody["detail"]
    assert docs in nobody["detail"]
    assert unknown["detail"] == f"This path does not exist. See {docs}."


async def test_a_deletion_says_what_confirms_it(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    dashboard = next(one for one in world.tenants.values() if one.is_dashboard)
    world.session(dashboard, "t_dev")
    answer = await http.delete(
        "http://dashboard.localhost:8080/api/applications/some-app",
        headers={
            "cookie": "aero2_session=t_dev",
            "origin": dashboard.origin,
        },
    )

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, "confirm")
    assert error["code"] == "slug_unconfirmed"


def test_title_and_detail_are_two_things() -> None:
    """The title names the kind of problem, and the detail is a sentence, for every problem."""
    for code, kind in problems._BY_CODE.items():
        assert answers.summary(code) != kind().detail
        assert kind().detail.endswith("."), code


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("conflict", 409, "conflict"), ("away", 503, "unavailable"), ("bug", 500, "internal")],
)
async def test_errors_are_problem_documents(
    http: httpx.AsyncClient, kind: str, status: int, code: str
) -> None:
    """Errors are problem documents with a code (RFC 9457). An unexpected error says nothing else."""
    answer = await http.get(f"/api/boom/{kind}")

    assert (status, code) == (answer.status_code, answer.json()["code"])
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/oauth2/token", {"POST"}),
        ("PUT", "/oauth2/userinfo", {"GET", "HEAD", "POST"}),
        ("POST", "/.well-known/openid-configuration", {"GET", "HEAD"}),
        ("OPTIONS", "/oauth2/revoke", {"POST"}),
        ("DELETE", "/oauth2/authorize", {"GET", "HEAD", "POST"}),
        ("DELETE", "/api/wish", {"POST"}),
    ],
)
async def test_another_method_is_405_and_told_which_there_are(
    http: httpx.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    """A wrong method gets 405 with Allow on every endpoint (RFC 9110 section 15.5.6)."""
    answer = await http.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


async def test_a_page_fails_as_a_page(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error is a page in the visitor's language, for every error and every method."""

    async def broken(_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("gateway.oauth.browser_accounts.user_even_without_rights", broken)
    browser = {"accept": "text/html"}
    failed = await http.get("/oauth2/authorize", headers=browser)
    refused = await http.delete("/login", headers=browser)
    told = await http.get("/oauth2/authorize")

    assert (failed.status_code, refused.status_code) == (500, 405)
    assert "<html" in failed.text
    assert "<html" in refused.text
    assert "secret" not in failed.text
    assert told.json()["code"] == "internal"


async def test_an_address_that_cannot_be_read_is_told_as_a_page(http: httpx.AsyncClient) -> None:
    """An address that cannot be decoded gets an error page, which reads its language from that
    address."""
    answer = await http.get("/oauth2/authorize?state=%ff", headers={"accept": "text/html"})

    assert answer.status_code == 400
    assert "<html" in answer.text


async def test_a_refusal_that_fails_is_an_answer_of_ours(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("gateway.pages.errors.open_page", broken)
    answer = await http.get("/oauth2/authorize?state=%ff", headers={"accept": "text/html"})

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_unavailable_says_when_to_come_back(http: httpx.AsyncClient) -> None:
    """A 503 has Retry-After in seconds."""
    answer = await http.get("/api/boom/away")

    assert answer.headers["retry-after"] == "3"


@pytest.mark.parametrize("error", [problems.TooLate(), Unavailable(), Unavailable(retry_after=7)])
def test_the_token_endpoint_says_when_to_come_back(error: problems.Problem) -> None:
    """OAuth has no 504: what took too long is `temporarily_unavailable` too, and may be tried again."""
    answer = answers.oauth_error(error)

    assert answer.status == 503
    seconds = str(error.extra.get("retry_after", 1)).encode()
    assert dict(answer.headers)[b"retry-after"] == seconds


async def test_every_response_has_the_security_headers(http: httpx.AsyncClient) -> None:
    """Every response has the security headers: no sniffing, no framing, no referrer, a policy."""
    for path in ("/api/boom/conflict", "/nowhere", "/health/live"):
        headers = (await http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://spa.example.com", True),
        ("https://spa.example.com.evil.test", False),
        ("http://spa.example.com", False),
        ("https://xspa.example.com", False),
        ("null", False),
    ],
)
async def test_cors_is_exact(http: httpx.AsyncClient, origin: str, allowed: bool) -> None:
    """Only a registered origin may read, and Vary names the Origin."""
    answer = await http.get("/api/boom/conflict", headers={"origin": origin})

    assert allowed == ("access-control-allow-origin" in answer.headers)
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    ("path", "origin", "allowed"),
    [
        ("/oauth2/token", "https://board.example.com", True),
        ("/oauth2/userinfo", "https://board.example.com", True),
        ("/oauth2/revoke", "https://board.example.com", True),
        ("/oauth2/introspect", "https://board.example.com", False),
        ("/oauth2/authorize", "https://board.example.com", False),
        ("/api/wish", "https://board.example.com", False),
        ("/oauth2/token", "https://board.example.com.evil.test", False),
        ("/oauth2/token", "http://board.example.com", False),
        ("/oauth2/token", "null", False),
    ],
)
async def test_a_clients_origin_reaches_what_clients_call(
    http: httpx.AsyncClient, world: FakeServices, path: str, origin: str, allowed: bool
) -> None:
    """The origin of a client may call exactly the endpoints for clients, without cookies."""

    async def origins(_: Any, ctx: Context, request: ListOrigins) -> Origins:
        return Origins(origins=["https://board.example.com"])

    world.bus.serve(None, {ListOrigins: origins})
    for headers in ({}, {"access-control-request-method": "POST"}):
        answer = await http.options(path, headers={"origin": origin} | headers)

        told = answer.headers.get("access-control-allow-origin")
        assert told == (origin if allowed else None)
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_preflight_allows_what_clients_and_their_tracing_send(
    http: httpx.AsyncClient,
) -> None:
    """A preflight allows the headers of clients and their tracing (Fetch standard, section 4.8)."""
    headers = {"origin": "https://spa.example.com", "access-control-request-method": "PATCH"}
    answer = await http.options("/api/wish", headers=headers)
    allowed = set(answer.headers["access-control-allow-headers"].split(", "))
    assert allowed >= {"authorization", "content-type", "if-none-match", "x-requested-with"}
    assert allowed >= {"traceparent", "tracestate", "baggage", "sentry-trace"}
    assert not allowed & {"*", "cookie", "x-forwarded-for", "x-forwarded-host"}
    assert "PATCH" in answer.headers["access-control-allow-methods"].split(", ")

    answer = await http.options("/api/wish", headers=headers | {"origin": "https://evil.test"})
    assert "access-control-allow-headers" not in answer.headers


async def test_cors_never_on_the_authorization_endpoint(http: httpx.AsyncClient) -> None:
    """Pages and /oauth2/authorize allow no other origin."""
    headers = {"origin": "https://spa.example.com", "access-control-request-method": "GET"}
    answer = await http.options("/oauth2/authorize", headers=headers)

    assert "access-control-allow-origin" not in answer.headers


async def test_a_large_body_is_refused(http: httpx.AsyncClient) -> None:
    """A body is refused if its length is announced as too large, or if too many bytes arrive."""
    announced = await http.post(
        "/api/wish", content=b"x" * 2_000_000, headers={"content-type": "application/json"}
    )

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 65_536

    streamed = await http.post(
        "/api/wish", content=chunks(), headers={"content-type": "application/json"}
    )

    assert (announced.status_code, streamed.status_code) == (413, 413)


async def test_two_hosts_are_refused(gateway_app: GatewayApp) -> None:
    """Two Host headers are refused, since they allow request smuggling."""
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/openapi.json",
        "query_string": b"",
        "headers": [(b"host", b"demo.localhost:8080"), (b"host", b"dashboard.localhost:8080")],
        "client": ("127.0.0.1", 1),
    }
    await gateway_app(scope, receive, send)

    assert sent[0]["status"] == 400


async def test_metrics_are_for_our_own_networks(gateway_app: GatewayApp) -> None:
    """The internal listener answers private networks only. The public port has no metrics."""
    internal = build_internal(gateway_app.gateway)
    for app, peer, status in (
        (internal, "127.0.0.1", 200),
        (internal, "203.0.113.5", 404),
        (gateway_app, "127.0.0.1", 404),
    ):
        transport = httpx.ASGITransport(app=app, client=(peer, 1))  # type: ignore[arg-type]
        host = "http://demo.localhost:8080"
        async with httpx.AsyncClient(transport=transport, base_url=host) as http:
            assert (await http.get("/metrics")).status_code == status
            assert (await http.head("/metrics")).status_code == status
            assert (await http.get("/internal/domains/allowed")).status_code == 404


async def test_no_internal_path_is_public(gateway_app: GatewayApp) -> None:
    """The public port has none of the internal listener's paths."""
    internal = build_internal(gateway_app.gateway).table.paths()
    public = gateway_app.table.paths()

    assert internal
    assert not internal & public
    assert not [path for path in public if path.startswith(("/metrics", "/internal"))]


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("http://demo.localhost:8080/api/users/x", "/api/users/{id}"),
        (
            "http://dashboard.localhost:8080/api/applications/swift-maple/users/x",
            "/api/applications/{slug}/users/{id}",
        ),
        ("http://demo.localhost:8080/oauth2/authorize", "/oauth2/authorize"),
        ("http://demo.localhost:8080/oauth2/jwks.json", "/oauth2/jwks.json"),
        ("http://demo.localhost:8080/nobody/typed/this", "unmatched"),
    ],
)
async def test_a_request_is_counted_by_the_pattern_of_its_path(
    http: httpx.AsyncClient, url: str, pattern: str
) -> None:
    """The label of a metric is the pattern of the path. A path from a client would create new time
    series without end."""

    def counted() -> float:
        return sum(
            sample.value
            for metric in HTTP.collect()
            for sample in metric.samples
            if sample.name.endswith("_count") and pattern in sample.labels.values()
        )

    before = counted()
    await http.get(url)

    assert counted() == before + 1


async def test_openapi_tells_what_this_host_serves(http: httpx.AsyncClient) -> None:
    """Every operation has a summary and its problems. The OAuth endpoints are included."""
    document = (await http.get("/openapi.json")).json()

    assert "/oauth2/token" in document["paths"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), f"{method} {path}"


async def test_openapi_has_endpoints_without_a_contract(
    http: httpx.AsyncClient, gateway_app: GatewayApp
) -> None:
    """The document has the protocol endpoints and the public documents, those for browsers too."""
    told = {
        (method.upper(), path)
        for path, operations in (await http.get("/openapi.json")).json()["paths"].items()
        for method in operations
    }
    answered = {(route.method, route.path) for routes in ROUTE_SETS for route in routes.routes}
    answered -= {(method, "/oauth2/authorize/resume") for method in ("GET", "POST")}
    missing = {one for one in answered - told if one[1].startswith(("/oauth2/", "/.well-known/"))}

    assert missing == set()


def test_nothing_of_the_api_waits_for_a_thread(gateway_app: GatewayApp) -> None:
    """Endpoints and their dependencies are coroutines. FastAPI would run a plain function in its
    thread pool."""
    found = []
    for app in (gateway_app.application, gateway_app.dashboard):
        assert isinstance(app, FastAPI)
        contexts = list(iter_route_contexts(app.routes))
        asked = [one.dependant for one in contexts if isinstance(one.original_route, APIRoute)]
        for one in asked:
            asked.extend(one.dependencies)
            found.append(one.call)

    assert len(found) > 300
    assert {call for call in found if not iscoroutinefunction(call)} == set()


def test_the_first_word_of_a_path_is_no_parameter() -> None:
    """The first segment of a path is fixed, so that a router can skip paths of others."""
    found = [routes.router for routes in ROUTE_SETS if routes.router is not None]

    assert {type(router) for router in found} == {NounRouter}
    assert not [
        word
        for router in found
        for word in getattr(router, "words", ())
        if not word.isidentifier() and "-" not in word
    ]


async def test_docs_show_every_operation(http: httpx.AsyncClient) -> None:
    """/docs shows every operation of the OpenAPI document."""
    document = (await http.get("/openapi.json")).json()

    page = (await http.get("/docs", headers={"accept": "text/html"})).text

    for path in document["paths"]:
        assert path in page


@pytest.mark.parametrize("host", ["demo", "dashboard"])
async def test_every_operation_has_its_own_id(http: httpx.AsyncClient, host: str) -> None:
    """Operation ids are unique, because generated clients use them as names."""
    document = (await http.get(f"http://{host}.localhost:8080/openapi.json")).json()

    ids = [
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
        if "operationId" in operation
    ]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("path", "status"), [("/login/password", 413), ("/oauth2/token", 400), ("/oauth2/logout", 413)]
)
async def test_a_form_has_a_largest_size(http: httpx.AsyncClient, path: str, status: int) -> None:
    """A larger form is refused before it is decoded, since decoding is the slowest part."""
    kind = {"content-type": "application/x-www-form-urlencoded"}
    answer = await http.post(path, content=b"a=" + b"%" * MAX_FORM, headers=kind)

    assert answer.status_code == status
    assert str(MAX_FORM) in answer.text

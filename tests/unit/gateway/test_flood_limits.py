"""Flood limits: what they refuse, what they never charge, and what the response says."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from tests.kit.fake_services import FakeServices, settings

from common.context import Context
from common.contracts.authorization import Authorization, Authorize
from common.contracts.base import Done
from common.contracts.oauth_errors import InvalidClient, InvalidGrant
from common.contracts.tenants import Tenant
from common.contracts.tokens import (
    AccessToken,
    CheckAccessToken,
    ExchangeToken,
    Introspection,
    IntrospectToken,
    RevokeToken,
    Tokens,
)
from common.contracts.userinfo import GetUserinfo, Userinfo
from common.ip_addresses import client_network
from common.problems import Unavailable
from gateway.admission.flood_limits import (
    ALL,
    ANONYMOUS_READ,
    ANONYMOUS_WRITE,
    CLIENT_SECRET_FAILURE,
    ERROR_PAGE,
    INVALID_CREDENTIAL,
    INVALID_SESSION,
    MOST_CREDENTIALS,
    PENDING_AUTHORIZATION,
    ValidCredentials,
)
from gateway.admission.token_bucket import LONGEST_WAIT, MOST_BUCKETS, Decision, Limit, TokenBuckets
from gateway.build import build
from gateway.state import Gateway

BROWSER = {"accept": "text/html"}
ADA, EVE = "203.0.113.1", "203.0.113.2"
SMALL = {
    "anonymous_read": 120,
    "anonymous_write": 60,
    "invalid_session": 120,
    "pending_authorization": 40,
    "invalid_credential": 40,
    "client_secret_failure": 10,
    "error_page": 20,
    "pushed_request": 40,
}
MANY = 130
"""Requests that pass, more than any burst."""


class Clock:
    """A clock that only a test advances."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


# The token buckets


@given(
    st.integers(1, 20),
    st.floats(0.1, 50),
    st.lists(
        st.tuples(st.floats(0, 3), st.sampled_from(["take", "charge", "check"])), max_size=120
    ),
)
def test_never_more_than_burst_and_rate_allow(
    burst: int, rate: float, steps: list[tuple[float, str]]
) -> None:
    """In any period no more requests pass than the burst and the refilled tokens."""
    clock, limit, key = Clock(), Limit("x", burst, rate), ("app", "x", "net")
    buckets, passed = TokenBuckets(clock=clock), list[float]()
    for after, what in steps:
        clock.now += after
        if what == "take" and buckets.take(limit, key).allowed:
            passed.append(clock.now)
        elif what == "charge":
            buckets.charge(limit, key)
        else:
            buckets.check(limit, key)

    for first, started in enumerate(passed):
        for last, ended in enumerate(passed[first:], first):
            assert last - first + 1 <= burst + rate * (ended - started) + 1e-3


@given(st.integers(1, 20), st.floats(0.1, 50))
def test_a_request_passes_after_the_announced_wait(burst: int, rate: float) -> None:
    """A request passes after the announced wait, and not much earlier."""
    clock, limit, key = Clock(), Limit("x", burst, rate), ("app", "x", "net")
    buckets = TokenBuckets(clock=clock)
    for _ in range(burst):
        assert buckets.take(limit, key).allowed
    wait = buckets.take(limit, key).retry_in

    clock.now += wait * 0.9
    assert not buckets.take(limit, key).allowed
    clock.now += wait * 0.1 + 1e-6
    assert buckets.take(limit, key).allowed


def test_debts_and_refunds() -> None:
    """A debt is at most a minute's wait, and a refunded token can be taken again."""
    clock, limit, key = Clock(), Limit("x", 10, 1), ("app", "x", "net")
    buckets = TokenBuckets(clock=clock)
    for _ in range(10):
        assert buckets.take(limit, key).allowed
    buckets.refund(limit, key)
    assert buckets.take(limit, key).allowed
    for _ in range(5):
        buckets.charge(limit, key)
    assert buckets.check(limit, key).retry_in == pytest.approx(6)
    for _ in range(10_000):
        buckets.charge(limit, key)
    assert buckets.check(limit, key).retry_in == pytest.approx(LONGEST_WAIT)
    assert (buckets.tokens_in(limit), buckets.check(limit, key).remaining) == (10, 0)
    for _ in range(20_000):
        buckets.refund(limit, key)
    assert len(buckets) == 0
    assert buckets.check(limit, key) == Decision(True, 10, 0, 0)


def test_many_addresses_are_no_memory() -> None:
    """The table has a fixed size, and an active address stays in it."""
    clock, buckets = Clock(), TokenBuckets()
    buckets.clock = clock
    eve = ("app", ANONYMOUS_READ.name, EVE)
    for _ in range(ANONYMOUS_READ.burst):
        buckets.take(ANONYMOUS_READ, eve)
    for number in range(4 * MOST_BUCKETS):
        buckets.take(ANONYMOUS_READ, ("app", ANONYMOUS_READ.name, str(number)))
        if number % 10_000 == 0:
            assert not buckets.take(ANONYMOUS_READ, eve).allowed

    assert len(buckets) == MOST_BUCKETS
    assert not buckets.take(ANONYMOUS_READ, eve).allowed


def test_what_is_known_is_bounded_too() -> None:
    known = ValidCredentials()
    for number in range(MOST_CREDENTIALS + 1000):
        known.add(number)

    assert len(known) == MOST_CREDENTIALS
    assert 0 not in known
    assert MOST_CREDENTIALS + 999 in known
    assert known.forget(MOST_CREDENTIALS)
    assert not known.forget(MOST_CREDENTIALS)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::1", True),
        ("2001:db8:1:2::", "2001:db8:1:3::", False),
        ("203.0.113.1", "203.0.113.2", False),
        ("::ffff:203.0.113.1", "203.0.113.1", True),
        ("::ffff:203.0.113.1", "::ffff:203.0.113.2", False),
        ("nonsense", None, True),
    ],
)
def test_whom_an_address_counts_for(one: str | None, other: str | None, same: bool) -> None:
    """An IPv4 address is counted alone, in any spelling, and an IPv6 address with its /64."""
    assert (client_network(one) == client_network(other)) is same


# Over HTTP


class Service:
    """oidc for these tests: records the calls and how often secrets were compared."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.secret = "right"

    async def exchange(self, _: Any, ctx: Context, request: ExchangeToken) -> Tokens:
        self.asked["token"] += 1
        given = dict(request.params)
        secret = given.get("client_secret")
        if request.basic is not None:
            secret = base64.b64decode(request.basic).decode().partition(":")[2]
        if "client_assertion" in given:
            if not given["client_assertion"].endswith(".good"):
                raise InvalidClient
        elif secret is not None and secret != self.secret:
            raise InvalidClient
        if given.get("code") == "wrong":
            raise InvalidGrant
        return Tokens(access_token="t", token_type="Bearer", expires_in=900, scope="")

    async def introspect(self, _: Any, ctx: Context, request: IntrospectToken) -> Introspection:
        self.asked["introspect"] += 1
        if dict(request.params).get("client_secret") != self.secret:
            raise InvalidClient
        return Introspection(active=False)

    async def revoke(self, _: Any, ctx: Context, request: RevokeToken) -> Done:
        self.asked["revoke"] += 1
        if dict(request.params).get("client_secret") != self.secret:
            raise InvalidClient
        return Done()

    async def authorize(self, _: Any, ctx: Context, request: Authorize) -> Authorization:
        self.asked["authorize"] += 1
        if ("prompt", "none") in request.params:
            return Authorization(kind="redirect", location="https://app.example.com/?error=x")
        self.asked["rows"] += 1
        return Authorization(kind="sign_in", request=f"ar_{self.asked['rows']}")

    async def userinfo(self, _: Any, ctx: Context, request: GetUserinfo) -> Userinfo:
        return Userinfo(sub="ada")


@pytest.fixture
def oidc(world: FakeServices) -> Service:
    service = Service()
    world.bus.serve(
        None,
        {
            ExchangeToken: service.exchange,
            IntrospectToken: service.introspect,
            RevokeToken: service.revoke,
            Authorize: service.authorize,
            GetUserinfo: service.userinfo,
        },
    )
    return service


@pytest.fixture
def demo(world: FakeServices) -> Tenant:
    world.add("other")
    return world.add("demo")


@pytest.fixture
def gateway(world: FakeServices) -> Gateway:
    gateway = Gateway(settings(), world.bus)
    gateway.limits.buckets.clock = Clock()  # no time passes
    return gateway


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    """Smaller bursts in the same order, so that a few requests exceed one."""
    full = {limit.name: limit.burst for limit in ALL}
    for limit in ALL:
        object.__setattr__(limit, "burst", SMALL[limit.name])
    yield
    for limit in ALL:
        object.__setattr__(limit, "burst", full[limit.name])


From = Callable[..., httpx.AsyncClient]


@pytest.fixture
def at(gateway: Gateway) -> From:
    """A visitor's client with the given network address."""
    gateway_app = build(gateway)

    def at(ip: str = EVE, slug: str = "demo") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=gateway_app, client=(ip, 4711))  # type: ignore[arg-type]
        return httpx.AsyncClient(transport=transport, base_url=f"http://{slug}.localhost:8080")

    return at


def clock_of(gateway: Gateway) -> Clock:
    clock = gateway.limits.buckets.clock
    assert isinstance(clock, Clock)
    return clock


async def exhausted(
    http: httpx.AsyncClient, limit: Limit, method: str, url: str, **how: Any
) -> int:
    """Returns how many requests passed before the first 429."""
    for count in range(limit.burst + 50):
        if (await http.request(method, url, **how)).status_code == 429:
            return count
    raise AssertionError(f"{limit.name} is never exceeded")


def stale(number: int) -> dict[str, str]:
    """Returns the cookie of a session that has ended."""
    return {"cookie": f"aero2_session=old{number}"}


WRONG = {"grant_type": "client_credentials", "client_id": "c", "client_secret": "wrong"}
RIGHT = {"grant_type": "client_credentials", "client_id": "c", "client_secret": "right"}


def test_the_table_is_in_order() -> None:
    """Each limit has a name of its own, which labels a metric. No limit refuses everything."""
    assert len({limit.name for limit in ALL}) == len(ALL)
    assert all(limit.burst >= 1 and limit.rate > 0 for limit in ALL)
    assert (
        ANONYMOUS_READ.burst
        > ANONYMOUS_WRITE.burst
        > PENDING_AUTHORIZATION.burst
        > CLIENT_SECRET_FAILURE.burst
    )


async def test_authorization_requests_stop_making_rows(
    at: From, oidc: Service, demo: Tenant, gateway: Gateway
) -> None:
    """One visitor's pending requests stay within a limit. Requests that store nothing are not
    charged, and the limit refills."""
    http = at()
    for _ in range(PENDING_AUTHORIZATION.burst + 20):
        answer = await http.get("/oauth2/authorize?prompt=none")
        assert answer.status_code == 303
    passed = await exhausted(
        http, PENDING_AUTHORIZATION, "GET", "/oauth2/authorize", headers=BROWSER
    )
    assert (passed, oidc.asked["rows"]) == (
        PENDING_AUTHORIZATION.burst,
        PENDING_AUTHORIZATION.burst,
    )
    asked = oidc.asked["authorize"]

    page = await http.get("/oauth2/authorize", headers=BROWSER)
    assert (page.status_code, page.headers["retry-after"]) == (429, "1")
    assert page.headers["content-type"].startswith("text/html")
    assert "Too many attempts" in page.text
    assert page.headers["x-ratelimit-limit"] == str(PENDING_AUTHORIZATION.burst)
    assert page.headers["x-ratelimit-remaining"] == "0"
    assert int(page.headers["x-ratelimit-reset"]) >= time.time()
    assert (await http.get("/oauth2/authorize?prompt=none")).status_code == 429
    assert oidc.asked["authorize"] == asked

    other, neighbour = at(slug="other"), at(ADA)
    assert (await other.get("/oauth2/authorize")).status_code == 303
    assert (await neighbour.get("/oauth2/authorize")).status_code == 303
    clock_of(gateway).now += 1
    for _ in range(int(PENDING_AUTHORIZATION.rate)):
        assert (await http.get("/oauth2/authorize")).status_code == 303
    assert (await http.get("/oauth2/authorize")).status_code == 429


async def test_a_signed_in_user_has_a_share_of_their_own(
    at: From, oidc: Service, world: FakeServices, demo: Tenant
) -> None:
    """Anonymous requests of the same network do not use it up, and a session does not avoid the
    limit."""
    eve, ada = at(), at()
    world.session(demo, "t_ada")
    ada.cookies.set("aero2_session", "t_ada", domain="demo.localhost")
    await exhausted(eve, PENDING_AUTHORIZATION, "GET", "/oauth2/authorize")

    assert (
        await exhausted(ada, PENDING_AUTHORIZATION, "GET", "/oauth2/authorize")
        == PENDING_AUTHORIZATION.burst
    )


async def test_an_authorization_that_fails_keeps_nothing(
    at: From, world: FakeServices, demo: Tenant, gateway: Gateway
) -> None:
    """While oidc is down requests are not charged."""
    http = at()
    for _ in range(PENDING_AUTHORIZATION.burst + 5):
        assert (await http.get("/oauth2/authorize")).status_code == 503
    assert (
        gateway.limits.buckets.check(
            PENDING_AUTHORIZATION, (demo.app_id, PENDING_AUTHORIZATION.name, EVE)
        ).remaining
        == PENDING_AUTHORIZATION.burst
    )


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"])
async def test_wrong_secrets_are_not_compared_for_ever(
    at: From, oidc: Service, demo: Tenant, path: str, gateway: Gateway
) -> None:
    """After too many wrong secrets the error is `slow_down`, and the service is not called."""
    http = at()
    form = WRONG | {"token": "x"}
    assert (
        await exhausted(http, CLIENT_SECRET_FAILURE, "POST", path, data=form)
        == CLIENT_SECRET_FAILURE.burst
    )
    asked = oidc.asked.total()
    answer = await http.post(path, data=form)

    assert (answer.status_code, answer.json()["error"]) == (429, "slow_down")
    assert set(answer.json()) == {"error", "error_description"}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["x-ratelimit-limit"] == str(CLIENT_SECRET_FAILURE.burst)
    assert oidc.asked.total() == asked
    clock_of(gateway).now += 1
    assert (await http.post(path, data=form)).status_code == 401
    assert (await http.post(path, data=form)).status_code == 429


async def test_a_client_is_not_shut_out_by_a_stranger_behind_its_address(
    at: From, oidc: Service, demo: Tenant
) -> None:
    """Thousands of the client's requests pass, and a success is never charged."""
    http = at()
    for _ in range(MANY):
        assert (await http.post("/oauth2/token", data=RIGHT)).status_code == 200
    await exhausted(http, CLIENT_SECRET_FAILURE, "POST", "/oauth2/token", data=WRONG)
    for number in range(INVALID_CREDENTIAL.burst + 50):
        await http.post("/oauth2/token", data=WRONG | {"client_id": f"made up {number}"})
    strange = WRONG | {"client_id": "another"}
    assert (await http.post("/oauth2/token", data=strange)).status_code == 429
    await exhausted(http, ANONYMOUS_READ, "GET", "/login")

    for _ in range(MANY):
        assert (await http.post("/oauth2/token", data=RIGHT)).status_code == 200
    basic = ("c", "right")
    assert (await http.post("/oauth2/token", data={}, auth=basic)).status_code == 429
    again = await at(ADA).post("/oauth2/token", data={}, auth=basic)
    assert again.status_code == 200
    assert (await http.post("/oauth2/token", data={}, auth=basic)).status_code == 200


async def test_a_client_seen_before_is_not_counted_with_made_up_ones(
    at: From, oidc: Service, demo: Tenant
) -> None:
    """A known client is counted by its name, though its assertions differ each time."""

    def assertion(client: str, mark: str) -> dict[str, str]:
        claims = base64.urlsafe_b64encode(json.dumps({"sub": client}).encode()).decode().rstrip("=")
        return {"grant_type": "client_credentials", "client_assertion": f"x.{claims}.{mark}"}

    http = at()
    assert (await http.post("/oauth2/token", data=assertion("c", "good"))).status_code == 200
    for number in range(INVALID_CREDENTIAL.burst):
        bad = assertion(f"made up {number}", "bad")
        assert (await http.post("/oauth2/token", data=bad)).status_code == 401
    assert (await http.post("/oauth2/token", data=assertion("new", "bad"))).status_code == 429

    for _ in range(MANY):
        assert (await http.post("/oauth2/token", data=assertion("c", "good"))).status_code == 200
    for _ in range(INVALID_CREDENTIAL.burst):
        await http.post("/oauth2/token", data=assertion("c", "bad"))
    assert (await http.post("/oauth2/token", data=assertion("c", "bad"))).status_code == 429


async def test_a_secret_that_held_once_is_no_pass_for_ever(
    at: From, oidc: Service, demo: Tenant
) -> None:
    """A secret that was rotated is charged like any wrong one."""
    http = at()
    assert (await http.post("/oauth2/token", data=RIGHT)).status_code == 200
    oidc.secret = "new"

    passed = await exhausted(http, CLIENT_SECRET_FAILURE, "POST", "/oauth2/token", data=RIGHT)
    assert passed == CLIENT_SECRET_FAILURE.burst + 1  # the request that showed it


async def test_an_outage_is_nobodys_failure(at: From, world: FakeServices, demo: Tenant) -> None:
    """While no service can check a credential, it is not charged."""
    http, bearer = at(), {"authorization": "Bearer t_good"}

    async def away(_: Any, ctx: Context, request: CheckAccessToken) -> AccessToken:
        raise Unavailable

    world.bus.serve(None, {CheckAccessToken: away})
    for _ in range(INVALID_CREDENTIAL.burst + 10):
        assert (await http.get("/oauth2/userinfo", headers=bearer)).status_code == 503
        assert (await http.post("/oauth2/token", data=RIGHT)).status_code == 503


async def test_a_client_may_fail_at_its_grants(at: From, oidc: Service, demo: Tenant) -> None:
    """An expired code does not charge a confidential client, since its secret was right. It charges
    a public client."""
    http = at()
    late = {"grant_type": "authorization_code", "code": "wrong", "client_id": "c"}
    for _ in range(CLIENT_SECRET_FAILURE.burst * 3):
        answer = await http.post("/oauth2/token", data=late | {"client_secret": "right"})
        assert answer.json()["error"] == "invalid_grant"

    assert (
        await exhausted(http, INVALID_CREDENTIAL, "POST", "/oauth2/token", data=late)
        == INVALID_CREDENTIAL.burst
    )


@pytest.mark.parametrize(
    ("header", "code"),
    [("Bearer nonsense", "rate_limited"), ("Bearer sk_live_nonsense", "rate_limited")],
)
async def test_keys_and_tokens_that_do_not_hold(
    at: From, demo: Tenant, world: FakeServices, header: str, code: str
) -> None:
    """An invalid credential gets a problem and the remaining number. A valid one always passes."""
    http, limit = at(), INVALID_CREDENTIAL.burst
    world.key(demo, "sk_live_good")
    good = {"authorization": "Bearer sk_live_good"}
    bad = {"authorization": header}
    assert (await http.get("/api/users", headers=good)).status_code != 401
    first = await http.get("/api/users", headers=bad)
    assert first.status_code == 401
    assert first.headers["x-ratelimit-remaining"] == str(limit - 1)
    assert await exhausted(http, INVALID_CREDENTIAL, "GET", "/api/users", headers=bad) == limit - 1
    answer = await http.get("/api/users", headers=bad)

    assert (answer.status_code, answer.json()["code"]) == (429, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "retry_after" not in answer.json()
    for _ in range(MANY):
        found = await http.get("/api/users", headers=good)
        assert found.status_code not in (401, 429)
    assert "x-ratelimit-limit" not in found.headers
    assert (await at(slug="other").get("/api/users", headers=bad)).status_code == 401


async def test_userinfo_and_sessions_pass_however_often(
    at: From, world: FakeServices, demo: Tenant, oidc: Service
) -> None:
    """Valid credentials always pass, also if their network sends anonymous requests or invalid
    credentials."""
    http = at()
    world.token(demo, "t_good", world.session(demo, "t_ada"))
    token, cookie = {"authorization": "Bearer t_good"}, {"cookie": "aero2_session=t_ada"}

    async def all_pass(times: int) -> None:
        for _ in range(times):
            assert (await http.get("/oauth2/userinfo", headers=token)).status_code == 200
            form = {"access_token": "t_good"}
            assert (await http.post("/oauth2/userinfo", data=form)).status_code == 200
            assert (await http.get("/api/auth/session", headers=cookie)).status_code == 200

    await all_pass(MANY)
    await exhausted(http, ANONYMOUS_READ, "GET", "/login")
    await exhausted(http, ANONYMOUS_WRITE, "POST", "/api/auth/signout")
    await exhausted(
        http, INVALID_CREDENTIAL, "GET", "/oauth2/userinfo", headers={"authorization": "Bearer x"}
    )
    for number in range(INVALID_SESSION.burst):
        assert (await http.get("/api/auth/session", headers=stale(number))).status_code == 401
    assert (await http.get("/api/auth/session", headers=stale(-1))).status_code == 429
    refused = await http.get("/oauth2/userinfo", headers={"authorization": "Bearer x"})
    assert (refused.status_code, refused.json()["error"]) == (429, "slow_down")
    await all_pass(MANY)


async def test_a_credential_that_ended_is_counted_again(
    at: From, world: FakeServices, demo: Tenant, gateway: Gateway
) -> None:
    """A session that was signed out is charged as invalid."""
    http, session = at(), world.session(demo, "t_ada")
    cookie = {"cookie": "aero2_session=t_ada"}
    assert (await http.get("/api/auth/session", headers=cookie)).status_code == 200
    world.sessions.clear()
    gateway.invalidate(demo.app_id, "session", session.id)

    passed = await exhausted(http, ANONYMOUS_READ, "GET", "/login", headers=cookie)
    assert passed == ANONYMOUS_READ.burst + 1  # the request that showed it


async def test_an_office_whose_sessions_have_ended_signs_in_again(
    at: From, world: FakeServices, demo: Tenant
) -> None:
    """Open pages of a network poll with invalid cookies. Each costs one look-up in a minute, and
    the sign-in page still works."""
    http, looked, pages = at(), len(world.contexts), INVALID_SESSION.burst // 4
    for _ in range(5):
        for number in range(pages):
            assert (await http.get("/api/auth/session", headers=stale(number))).status_code == 401
        assert (await http.get("/api/auth/session")).status_code == 401

    assert len(world.contexts) - looked <= pages + 1  # and one look-up of the host
    assert (await http.get("/login", headers=stale(7))).status_code == 200
    assert (await http.get("/login", headers=stale(pages + 1))).status_code == 200


async def test_one_credential_does_not_vouch_for_another(
    at: From, world: FakeServices, demo: Tenant, gateway: Gateway
) -> None:
    """A signed-in user cannot make the gateway remember invented tokens."""
    http = at()
    world.session(demo, "t_ada")
    cookie = "aero2_session=t_ada"
    for number in range(50):
        made_up = {"cookie": cookie, "authorization": f"Bearer {number}"}
        assert (await http.get("/login", headers=made_up)).status_code == 303
    assert len(gateway.limits.valid) == 1  # one look-up of the host


async def test_what_merely_looks_publishable_is_a_token_like_any(at: From, demo: Tenant) -> None:
    """An invented token that contains `pk_live_` is charged as invalid."""
    made_up = {"authorization": "Bearer x.pk_live_.y"}
    assert INVALID_CREDENTIAL.burst == await exhausted(
        at(), INVALID_CREDENTIAL, "GET", "/api/users", headers=made_up
    )


async def test_publishable_keys_and_other_schemes_show_nothing(
    at: From, world: FakeServices, demo: Tenant
) -> None:
    """Publishable keys are public, so a request with one counts as anonymous."""
    http = at()
    world.key(demo, "pk_live_x")
    for header in ("Bearer pk_live_x", "Basic eDp5", "Bearer"):
        answer = await http.get("/api/users/me", headers={"authorization": header})
        assert answer.headers["x-ratelimit-limit"] == str(ANONYMOUS_READ.burst)


async def test_headers_count_down(at: From, demo: Tenant) -> None:
    """RateLimit headers count down on the API. Pages, documents and responses without a limit have
    none."""
    http = at()
    left = [
        int((await http.get("/api/users/me")).headers["x-ratelimit-remaining"]) for _ in range(3)
    ]
    assert left == [ANONYMOUS_READ.burst - 1, ANONYMOUS_READ.burst - 2, ANONYMOUS_READ.burst - 3]
    posted = await http.post("/api/auth/signout")
    assert posted.headers["x-ratelimit-limit"] == str(ANONYMOUS_WRITE.burst)
    for path in ("/login", "/static/nothing.css", "/health/live"):
        assert "x-ratelimit-limit" not in (await http.get(path)).headers


async def test_documents_and_files_are_not_counted(
    at: From, demo: Tenant, gateway: Gateway
) -> None:
    """Documents and files are free: a refusal would cost as much."""
    http = at()
    await exhausted(http, ANONYMOUS_READ, "GET", "/api/users/me")
    for path in ("/static/nothing.css", "/.well-known/openid-configuration", "/oauth2/jwks.json"):
        assert (await http.get(path)).status_code != 429
    assert (await http.get("/openapi.json")).status_code == 429


async def test_a_neighbour_in_the_same_64_counts_too(at: From, demo: Tenant) -> None:
    one, neighbour, stranger = at("2001:db8::1"), at("2001:db8::2"), at("2001:db8:0:1::1")
    await exhausted(one, ANONYMOUS_READ, "GET", "/api/users/me")

    assert (await neighbour.get("/api/users/me")).status_code == 429
    assert (await stranger.get("/api/users/me")).status_code == 401


async def test_unknown_hosts_are_not_looked_up_for_ever(
    at: From, demo: Tenant, world: FakeServices, gateway: Gateway
) -> None:
    """Look-ups of unknown hosts and of unknown keys on api. are limited. A known host is served,
    also if it has to be looked up again."""
    http = at()
    assert (await http.get("/api/users/me")).status_code == 401
    nowhere = {"host": "nowhere.localhost:8080"}
    assert (
        await exhausted(http, INVALID_CREDENTIAL, "GET", "/", headers=nowhere)
        == INVALID_CREDENTIAL.burst
    )
    bad = {"host": "api.localhost:8080", "authorization": "Bearer sk_live_x"}
    assert (await http.get("/api/users", headers=bad)).status_code == 429

    gateway.forget_all()
    assert (await http.get("/api/users/me")).status_code == 401
    assert (await at(ADA).get("/", headers=nowhere)).status_code == 404


async def test_the_scale_multiplies_and_turns_off(world: FakeServices, demo: Tenant) -> None:
    for scale, expected in ((0.0, None), (0.01, ANONYMOUS_READ.burst // 100)):
        gateway = Gateway(settings(limit_scale=scale), world.bus)
        gateway.limits.buckets.clock = Clock()
        transport = httpx.ASGITransport(app=build(gateway))  # type: ignore[arg-type]
        async with httpx.AsyncClient(
            transport=transport, base_url="http://demo.localhost:8080"
        ) as http:
            answers = [
                (await http.get("/api/users/me")).status_code
                for _ in range(ANONYMOUS_READ.burst + 1)
            ]
        assert answers.count(401) == (ANONYMOUS_READ.burst + 1 if expected is None else expected)


async def test_a_refusal_is_one_fact_and_one_number(
    at: From, demo: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal is a field of the request's log line, and a metric labelled by the limit alone."""

    def counted() -> float:
        name = "aero2_http_limited_total"
        return REGISTRY.get_sample_value(name, {"limit": ANONYMOUS_READ.name}) or 0.0

    lines: list[dict[str, Any]] = []
    monkeypatch.setattr("gateway.app.logs.lines.write", lambda line, **_: lines.append(line))
    http, before = at(), counted()
    await exhausted(http, ANONYMOUS_READ, "GET", "/api/users/me")

    assert counted() == before + 1
    assert [line["status"] for line in lines if "limited" in line] == [429]
    assert lines[-1]["limited"] == ANONYMOUS_READ.name


async def test_an_operator_hears_of_a_proxy_that_is_not_trusted(
    at: From, demo: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One warning names an untrusted proxy, since all users behind it share one address and its
    limits."""
    said: list[str] = []
    monkeypatch.setattr("gateway.admission.flood_limits.log", SimpleNamespace(warning=said.append))
    http, forwarded = at(), {"x-forwarded-for": "198.51.100.7"}
    await exhausted(http, ANONYMOUS_READ, "GET", "/api/users/me", headers=forwarded)
    await http.get("/api/users/me", headers=forwarded)

    assert ["AERO2_TRUSTED_PROXIES" in line for line in said] == [True]


async def test_strangers_do_not_ask_for_health_for_ever(at: From, demo: Tenant) -> None:
    """/health reads a database, so it is limited. Load balancers of private networks are not."""
    balancer = at("10.0.0.7")
    assert await exhausted(at(), ANONYMOUS_READ, "GET", "/health") == ANONYMOUS_READ.burst
    for _ in range(ANONYMOUS_READ.burst + 10):
        assert (await balancer.get("/health/ready")).status_code != 429


async def test_after_many_error_pages_they_are_plain(at: From, demo: Tenant) -> None:
    """A browser reads the refusal on a page of the application. After too many pages it gets a
    plain page."""
    http = at()
    await exhausted(http, ANONYMOUS_READ, "GET", "/api/users/me")
    pages = [await http.get("/login", headers=BROWSER) for _ in range(ERROR_PAGE.burst + 10)]
    assert {page.status_code for page in pages} == {429}
    assert {page.headers["retry-after"] for page in pages} == {"1"}
    assert ["Demo" in page.text for page in (pages[0], pages[-1])] == [True, False]
    assert "Too many attempts" in pages[-1].text

"""The endpoints of the policy decision point (OpenID AuthZEN, Authorization API 1.0)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.kit.fake_services import FakeServices

from common.context import Context
from common.contracts.access_evaluation import AccessDecisions, EvaluateAccess
from common.contracts.tenants import Tenant

KEY = "sk_live_demo"
ONE, MANY = "/access/v1/evaluation", "/access/v1/evaluations"
DISCOVERY = "/.well-known/authzen-configuration"
QUESTION = {
    "subject": {"type": "user", "id": "ada"},
    "action": {"name": "read"},
    "resource": {"type": "invoice", "id": "7"},
}


@pytest.fixture
def app(world: FakeServices) -> Tenant:
    tenant = world.add("demo", authzen=True)
    world.key(tenant, KEY)
    return tenant


@pytest.fixture
def asked(world: FakeServices, app: Tenant) -> list[EvaluateAccess]:
    """The calls of rbac. It permits what is about Ada."""
    calls: list[EvaluateAccess] = []

    async def evaluate(deps: Any, ctx: Context, request: EvaluateAccess) -> AccessDecisions:
        calls.append(request)
        return AccessDecisions(decisions=[e.subject.id == "ada" for e in request.evaluations])

    world.bus.serve(None, {EvaluateAccess: evaluate})
    return calls


async def post(
    http: httpx.AsyncClient, path: str, body: Any, key: str | None = KEY, **headers: str
) -> httpx.Response:
    bearer = {"authorization": f"Bearer {key}"} if key else {}
    return await http.post(path, json=body, headers=bearer | headers)


def about(*users: str) -> list[dict[str, Any]]:
    return [{"subject": {"type": "user", "id": user}} for user in users]


async def test_a_deny_is_an_answer(http: httpx.AsyncClient, asked: list[EvaluateAccess]) -> None:
    """Both decisions answer 200, and are not cached."""
    bob = QUESTION | {"subject": {"type": "user", "id": "bob"}}
    answers = [await post(http, ONE, body) for body in (QUESTION, bob)]

    assert [a.status_code for a in answers] == [200, 200]
    assert [a.json() for a in answers] == [{"decision": True}, {"decision": False}]
    assert answers[0].headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("semantic", "users", "decisions"),
    [
        (None, "bob ada bob", [False, True, False]),
        ("execute_all", "bob ada bob", [False, True, False]),
        ("deny_on_first_deny", "ada bob ada", [True, False]),
        ("deny_on_first_deny", "ada ada", [True, True]),
        ("permit_on_first_permit", "bob ada bob", [False, True]),
        ("permit_on_first_permit", "bob bob", [False, False]),
    ],
)
async def test_semantics_of_a_batch(
    http: httpx.AsyncClient,
    asked: list[EvaluateAccess],
    semantic: str | None,
    users: str,
    decisions: list[bool],
) -> None:
    """The batch ends with the decision that ends it (section 7.1.2). Members outside of the list are
    defaults. It is one call of rbac."""
    body: dict[str, Any] = {**QUESTION, "evaluations": about(*users.split())}
    if semantic:
        body["options"] = {"evaluations_semantic": semantic}
    answer = await post(http, MANY, body)

    assert answer.json() == {"evaluations": [{"decision": decision} for decision in decisions]}
    assert len(asked) == 1
    assert {e.resource.type for e in asked[0].evaluations} == {"invoice"}


@pytest.mark.parametrize("more", [{}, {"evaluations": []}])
async def test_a_batch_without_a_list_is_one_question(
    http: httpx.AsyncClient, asked: list[EvaluateAccess], more: dict[str, Any]
) -> None:
    """Section 7.1: it behaves like the other endpoint."""
    assert (await post(http, MANY, QUESTION | more)).json() == {"decision": True}


BAD: list[tuple[str, Any]] = [
    (ONE, []),
    (ONE, {}),
    (ONE, {name: QUESTION[name] for name in ("subject", "action")}),
    (ONE, QUESTION | {"subject": {"type": "user", "id": 7}}),
    (ONE, QUESTION | {"subject": {"type": "user", "id": ""}}),
    (ONE, QUESTION | {"subject": {"type": "user", "id": "ada", "properties": []}}),
    (ONE, QUESTION | {"subject": {"type": "user", "id": "a\x00b"}}),
    (ONE, QUESTION | {"action": {}}),
    (ONE, QUESTION | {"action": None}),
    (ONE, QUESTION | {"resource": {"type": "invoice"}}),
    (ONE, QUESTION | {"context": "now"}),
    (MANY, {"evaluations": {}}),
    (MANY, {"evaluations": ["x"]}),
    (MANY, {"evaluations": about("ada")}),
    (MANY, QUESTION | {"evaluations": about(*["ada"] * 101)}),
    (MANY, QUESTION | {"evaluations": about("ada"), "options": {"evaluations_semantic": "some"}}),
    (MANY, QUESTION | {"evaluations": about("ada"), "options": {"evaluations_semantic": []}}),
    (MANY, QUESTION | {"evaluations": about("ada"), "options": []}),
]


@pytest.mark.parametrize(("path", "body"), BAD)
async def test_malformed_requests_answer_400(
    http: httpx.AsyncClient, asked: list[EvaluateAccess], path: str, body: Any
) -> None:
    """Nothing is decided, and the request id comes back all the same."""
    answer = await post(http, path, body, **{"x-request-id": "r-1"})

    assert answer.status_code == 400, answer.text
    assert answer.headers["x-request-id"] == "r-1"
    assert not asked


async def test_unknown_members_are_ignored(
    http: httpx.AsyncClient, asked: list[EvaluateAccess]
) -> None:
    """Other profiles add members (section 4)."""
    answer = await post(http, ONE, QUESTION | {"mood": "good", "context": {"time": "now"}})
    assert answer.json() == {"decision": True}


async def test_the_body_is_json(http: httpx.AsyncClient, asked: list[EvaluateAccess]) -> None:
    """A form, and text that is not JSON, answer 400."""
    bearer = {"authorization": f"Bearer {KEY}"}
    form = await http.post(ONE, data={"subject": "ada"}, headers=bearer)
    text = await http.post(ONE, content=b"{", headers=bearer | {"content-type": "application/json"})
    assert (form.status_code, text.status_code) == (400, 400)


async def test_the_request_id_comes_back(
    http: httpx.AsyncClient, asked: list[EvaluateAccess]
) -> None:
    """Section 10.1.3. An id with other characters than visible ASCII, or that is too long, does not."""
    sent = ["bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "two words", "x" * 201]
    answers = [await post(http, ONE, QUESTION, **{"x-request-id": each}) for each in sent]
    assert [a.headers.get("x-request-id") for a in answers] == [sent[0], None, None]


async def test_a_bearer_credential_is_needed(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, asked: list[EvaluateAccess]
) -> None:
    """Without one, with a cookie and with an invalid key the answer is 401; with a token that lacks the
    permission, and with the publishable key, it is refused."""
    world.session(app, "t_ada", "authz:evaluate")
    world.token(app, "access")
    world.key(app, "pk_live_demo")
    nothing = await post(http, ONE, QUESTION, key=None)
    cookie = await post(http, ONE, QUESTION, key=None, cookie="aero2_session=t_ada")
    invalid = await post(http, ONE, QUESTION, key="sk_live_other", **{"x-request-id": "r-2"})
    lacking = await post(http, ONE, QUESTION, key="access")
    publishable = await post(http, ONE, QUESTION, key="pk_live_demo")

    assert [a.status_code for a in (nothing, cookie, invalid)] == [401, 401, 401]
    assert invalid.headers["x-request-id"] == "r-2"
    assert lacking.status_code == 403
    assert publishable.status_code in (401, 403)
    assert not asked


async def test_discovery_names_the_endpoints(http: httpx.AsyncClient, app: Tenant) -> None:
    """Section 9. Searches are not offered, so none is named."""
    assert (await http.get(DISCOVERY)).json() == {
        "policy_decision_point": "http://demo.localhost:8080",
        "access_evaluation_endpoint": f"http://demo.localhost:8080{ONE}",
        "access_evaluations_endpoint": f"http://demo.localhost:8080{MANY}",
    }


async def test_off_by_default(
    http: httpx.AsyncClient, world: FakeServices, asked: list[EvaluateAccess]
) -> None:
    """Without the setting there is nothing, whatever the credential."""
    other = world.add("other")
    world.key(other, "sk_live_other")
    host = {"host": "other.localhost:8080"}
    answers = [await post(http, path, QUESTION, "sk_live_other", **host) for path in (ONE, MANY)]
    answers.append(await http.get(DISCOVERY, headers=host))

    assert [a.status_code for a in answers] == [404, 404, 404]
    assert not asked

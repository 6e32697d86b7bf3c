"""Which responses are compressed, and how a client chooses the encoding."""

from __future__ import annotations

import httpx
import pytest
from tests.kit.developers import SECRET as SECRET_KEY
from tests.kit.developers import TOKEN, Developers, developers, sign_in
from tests.kit.fake_services import FakeServices
from tests.kit.people import People

from gateway.pages import assets

PUBLIC = [f"/static/{name}" for name in assets.assets()] + ["/brand/0055aa.css", "/openapi.json"]


ACCEPTED = {
    "gzip": True,
    "GZIP;q=0.5, identity": True,
    "x-gzip": True,
    "*": True,
    "br;q=1, *;q=0.1": True,
    "gzip;q=0": False,
    "gzip; q=0.000": False,
    "*, gzip;q=0": False,
    "*;q=0": False,
    "br": False,
    "gzipped": False,
    "": False,
}
SECRET = (
    *("/login", "/signup", "/reset", "/nowhere"),
    *("/api/users/me", "/api/auth/session", "/oauth2/token"),
)


@pytest.fixture(autouse=True)
def app(world: FakeServices) -> None:
    world.add("demo")


async def test_public_texts_are_packed(http: httpx.AsyncClient) -> None:
    """Public texts are compressed for clients that accept it, with the same content and a Vary
    header. HEAD has the length that GET would send."""
    for path in (*PUBLIC, "/docs"):
        packed = await http.get(path, headers={"accept-encoding": "br, gzip"})
        head = await http.head(path, headers={"accept-encoding": "gzip"})
        plain = await http.get(path, headers={"accept-encoding": "identity"})

        assert packed.headers["content-encoding"] == "gzip", path
        assert "content-encoding" not in plain.headers
        assert {packed.headers["vary"], plain.headers["vary"]} == {"Accept-Encoding"}
        assert packed.content == plain.content
        assert head.headers["content-length"] == packed.headers["content-length"]
        assert int(packed.headers["content-length"]) < len(plain.content)


async def test_each_encoding_has_its_own_entity_tag(http: httpx.AsyncClient) -> None:
    """A client with a cached response gets 304 by the tag of its encoding."""
    for path in PUBLIC:
        packed = await http.get(path, headers={"accept-encoding": "gzip"})
        plain = await http.get(path, headers={"accept-encoding": "identity"})
        assert packed.headers["etag"] != plain.headers["etag"]

        wanted = f'"x", W/{packed.headers["etag"]}'
        again = await http.get(path, headers={"accept-encoding": "gzip", "if-none-match": wanted})
        other = await http.get(
            path, headers={"accept-encoding": "identity", "if-none-match": wanted}
        )
        assert (again.status_code, again.content, other.status_code) == (304, b"", 200)
        for name in ("etag", "cache-control", "vary"):
            assert again.headers[name] == packed.headers[name]


async def test_the_client_chooses(http: httpx.AsyncClient) -> None:
    """The client chooses the encoding (RFC 9110 section 12.5.3)."""
    for accepted, packed in ACCEPTED.items():
        answer = await http.get("/static/base.css", headers={"accept-encoding": accepted})
        assert ("content-encoding" in answer.headers) == packed, accepted


async def test_what_holds_secrets_is_never_packed(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """Pages with forms, responses to a credential and tokens are never compressed: their length
    would tell of a secret (BREACH). /docs has no form."""
    People(world)
    for path in SECRET:
        for method in ("GET", "POST"):
            for accept in ("text/html", "application/json"):
                headers = {"accept-encoding": "gzip", "accept": accept}
                answer = await http.request(method, path, headers=headers)
                assert "content-encoding" not in answer.headers, path

    docs = (await http.get("/docs?return_to=/x")).text
    assert ("<form" in docs, 'name="csrf"' in docs) == (False, False)


PAGE = "http://dashboard.localhost:8080/dashboard/teams"
OWN = {"accept-encoding": "gzip", "sec-fetch-site": "same-origin"}


@pytest.fixture
def dashboard(world: FakeServices, http: httpx.AsyncClient) -> Developers:
    sign_in(http)
    return developers(world)


async def test_a_page_of_the_dashboard_is_packed(
    http: httpx.AsyncClient, dashboard: Developers
) -> None:
    """A page that the person opened, or a page of the Dashboard, is compressed."""
    for site in ("same-origin", "none"):
        packed = await http.get(PAGE, headers=OWN | {"sec-fetch-site": site})

        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) < len(packed.content) / 2


@pytest.mark.parametrize("site", ["same-site", "cross-site", "", None])
async def test_no_other_site_learns_from_the_length(
    http: httpx.AsyncClient, dashboard: Developers, site: str | None
) -> None:
    """If another site may have caused the request, it may have chosen its text: nothing is compressed. The
    hosts of applications are such sites."""
    headers = {"accept-encoding": "gzip"} | ({} if site is None else {"sec-fetch-site": site})

    assert "content-encoding" not in (await http.get(PAGE, headers=headers)).headers


async def test_a_new_secret_is_not_packed(http: httpx.AsyncClient, dashboard: Developers) -> None:
    """The response to a form may show a key that was created just now."""
    token = TOKEN.search((await http.get("http://dashboard.localhost:8080/dashboard/new")).text)
    assert token
    form = {"csrf": token[1], "name": "Tide"}
    answer = await http.post(
        "http://dashboard.localhost:8080/dashboard/new", data=form, headers=OWN
    )

    assert SECRET_KEY in answer.text
    assert "content-encoding" not in answer.headers

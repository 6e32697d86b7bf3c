"""API keys in the Dashboard: a whole key is shown once, and only by the answer that made it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.kit.dashboard_settings import HOSTILE, WHOLE, OwnApplication, own_application
from tests.kit.developers import ORIGIN, TOKEN, post, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.api_keys import CreateApiKey, RevokeApiKey, RotateApiKey
from common.ids import new_id

KEYS = "/dashboard/applications/shop/keys"


@pytest.fixture
def own(http: httpx.AsyncClient, world: FakeServices) -> OwnApplication:
    application = own_application(world)
    sign_in(http)
    return application


async def test_a_new_key_is_shown_once(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """The key stands in the answer of the form. If the browser sends the form again, there is no second
    key, and the first one is not shown."""
    form = await http.get(f"{ORIGIN}{KEYS}/new")
    token, key_id = TOKEN.search(form.text), re.search(r'name="id" value="([^"]+)"', form.text)
    assert token
    assert key_id
    sent = {"csrf": token[1], "id": key_id[1], "key_type": "secret", "name": "Backend"}
    answer = await http.post(f"{ORIGIN}{KEYS}", data=sent)
    again = await http.post(f"{ORIGIN}{KEYS}", data=sent)
    listed = await http.get(f"{ORIGIN}{KEYS}")

    assert answer.status_code == 200
    assert WHOLE in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert again.status_code == 200
    assert "already created" in again.text
    assert len(own.keys) == 1
    for page in (again, listed):
        assert WHOLE not in page.text


async def test_more_keys_are_on_the_next_page(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """A page has 50 keys. The link below leads to the others, and any key can be revoked."""
    keys = [own.add_key(f"Key {number}") for number in range(60)]
    first = await http.get(f"{ORIGIN}{KEYS}")
    link = re.search(r'id="keys-more" href="([^"]+)"', first.text)
    assert link
    second = await http.get(f"{ORIGIN}{link[1]}")
    part = await http.get(
        f"{ORIGIN}{link[1]}", headers={"hx-request": "true", "hx-request-type": "partial"}
    )

    assert ("Key 49<" in first.text, "Key 50<" in first.text) == (True, False)
    assert ("Key 50<" in second.text, "Key 59<" in second.text) == (True, True)
    assert "keys-more" not in second.text
    assert part.text.lstrip().startswith('<section class="card" id="keys">')
    assert (await http.get(f"{ORIGIN}{KEYS}/{keys[-1].id}/revoke")).status_code == 200


async def test_a_key_with_type_and_end(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """The form sends type, name and expiry, in the Context of the application."""
    fields = {"key_type": "publishable", "name": "Web", "lifetime": "90", "id": new_id()}
    await post(http, KEYS, f"{KEYS}/new", **fields)
    ctx, request = own.changes[0]

    assert isinstance(request, CreateApiKey)
    assert ctx.app_id == own.people.managed["shop"].app_id
    assert (request.key_type, request.name, request.id) == ("publishable", "Web", fields["id"])
    assert request.expires_at
    assert abs(request.expires_at - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)


async def test_a_refused_key_keeps_what_was_typed(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """An error stands beside the field, and the form keeps the rest."""
    answer = await post(
        http, KEYS, f"{KEYS}/new", name="x" * 101, key_type="publishable", lifetime="30"
    )

    assert answer.status_code == 422
    assert "x" * 101 in answer.text
    assert 'value="publishable" checked' in answer.text
    assert 'value="30" selected' in answer.text
    assert own.changes == []


async def test_a_rotation_shows_the_successor_once(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """Rotating shows the new key. The list names the successor; a repeated form makes no third key."""
    key = own.add_key("Backend")
    path = f"{KEYS}/{key.id}/rotate"
    form = TOKEN.search((await http.get(f"{ORIGIN}{path}")).text)
    assert form
    answer = await http.post(f"{ORIGIN}{path}", data={"csrf": form[1]})
    again = await http.post(f"{ORIGIN}{path}", data={"csrf": form[1]})

    assert WHOLE in answer.text
    assert WHOLE not in again.text
    assert "Replaced by" in again.text
    assert own.requests == [RotateApiKey(id=key.id)]


async def test_a_revocation_is_confirmed(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """The page before it names the key and changes nothing."""
    key = own.add_key("Backend")
    path = f"{KEYS}/{key.id}/revoke"
    question = await http.get(f"{ORIGIN}{path}")

    assert key.key_prefix in question.text
    assert own.changes == []
    answer = await post(http, path, path)
    assert answer.headers["location"] == f"{KEYS}?done=revoked"
    assert own.requests == [RevokeApiKey(id=key.id)]


@pytest.mark.parametrize("act", ["rotate", "revoke"])
async def test_a_key_of_others_does_not_exist(
    http: httpx.AsyncClient, own: OwnApplication, act: str
) -> None:
    """An id that the application does not have is a page that was not found, for the form too."""
    own.add_key()
    foreign = f"{KEYS}/{new_id()}/{act}"

    assert (await http.get(f"{ORIGIN}{foreign}")).status_code == 404
    assert (await post(http, foreign, f"{KEYS}/new")).status_code == 404
    assert own.changes == []


async def test_a_reader_sees_no_button(http: httpx.AsyncClient, world: FakeServices) -> None:
    """Without `api_keys:write` there is no button, and a forged form finds nothing."""
    own = own_application(world, "api_keys:read")
    key = own.add_key("Backend")
    sign_in(http)
    page = await http.get(f"{ORIGIN}{KEYS}")

    assert "Backend" in page.text
    assert f"{KEYS}/" not in page.text.replace(f'href="{KEYS}"', "")
    assert (await http.get(f"{ORIGIN}{KEYS}/new")).status_code == 404
    assert (await post(http, KEYS, "/dashboard/new", key_type="secret")).status_code == 404
    forged = await post(http, f"{KEYS}/{key.id}/revoke", "/dashboard/new")
    assert forged.status_code == 404
    assert own.changes == []


@pytest.mark.parametrize("path", ["/new", "/{id}/rotate", "/{id}/revoke"])
async def test_keys_need_a_fresh_sign_in(
    http: httpx.AsyncClient, own: OwnApplication, world: FakeServices, path: str
) -> None:
    """Developers prove that it is them before they fill in the form."""
    world.let_sign_ins_age()
    page = await http.get(f"{ORIGIN}{KEYS}{path.format(id=own.add_key().id)}")

    assert page.status_code == 303
    assert page.headers["location"].startswith("/login/confirm?return_to=")


async def test_a_hostile_name_is_text(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """Markup in the name of a key is shown as it was typed, isolated from its surroundings."""
    own.add_key(HOSTILE)
    page = await http.get(f"{ORIGIN}{KEYS}")

    assert "<bdi>&lt;b&gt;&#34;hx-get=/x\u202e</bdi>" in page.text


async def test_an_unknown_lifetime_makes_no_key(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """It does not become a key that never expires."""
    answer = await post(http, KEYS, f"{KEYS}/new", key_type="secret", lifetime="7")

    assert (answer.status_code, own.requests) == (404, [])

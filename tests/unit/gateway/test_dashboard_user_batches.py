"""Import, export and acts on many users in the Dashboard."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
from tests.kit.dashboard_batches import Batches, batches_of
from tests.kit.dashboard_users import People, people_of
from tests.kit.developers import ORIGIN, TOKEN, Developers, developers, post, sign_in
from tests.kit.fake_services import FakeServices

from common.context import Caller, Context
from common.contracts.user_batches import (
    BatchResult,
    CountChanged,
    DeleteUsers,
    StartUserBatch,
    TooManyBatches,
)
from common.contracts.user_import import TransferredUser, TransferredUsers
from common.contracts.users import UserCount, UserFilter
from common.ids import new_id
from gateway.app import GatewayApp

USERS = "/dashboard/applications/shop/users"
IMPORT = f"{USERS}/import"
HTMX = {"hx-request": "true", "hx-request-type": "partial"}
HOSTILE = '<b hx-get="/x" data-hx-get="/x">"\''


@pytest.fixture
def developer(http: httpx.AsyncClient, world: FakeServices) -> Developers:
    developer = developers(world)
    developer.managed["shop"] = world.add("shop")
    sign_in(http)
    return developer


@pytest.fixture
def people(developer: Developers) -> People:
    return people_of(developer)


@pytest.fixture
def batches(people: People) -> Batches:
    return batches_of(people)


async def upload(http: httpx.AsyncClient, content: bytes, name: str = "u.csv") -> httpx.Response:
    """Sends the form of the import page with a file, as a browser without JavaScript does."""
    shown = await http.get(ORIGIN + IMPORT)
    token = TOKEN.search(shown.text)
    assert token
    return await http.post(
        ORIGIN + IMPORT, data={"csrf": token[1]}, files={"file": (name, content, "text/csv")}
    )


FILES = {
    "csv": b"\xef\xbb\xbfemail,email_verified,name,public_metadata\r\n"
    b'ada@example.com,yes,"Ada, L.","{""plan"": 1}"\r\nbob@example.com,,,\r\n',
    "ndjson": b'{"email": "ada@example.com", "email_verified": true, "name": "Ada, L.",'
    b' "public_metadata": {"plan": 1}}\n\n{"email": "bob@example.com"}\n',
    "json": b'[{"email": "ada@example.com", "email_verified": true, "name": "Ada, L.",'
    b' "public_metadata": {"plan": 1}}, {"email": "bob@example.com"}]',
    "failed rows": b'{"row": 7, "errors": [], "record": {"email": "ada@example.com",'
    b' "email_verified": true, "name": "Ada, L.", "public_metadata": {"plan": 1}}}\n'
    b'{"row": 9, "errors": [], "record": {"email": "bob@example.com"}}\n',
}


@pytest.mark.parametrize("kind", FILES)
async def test_a_file_becomes_a_batch(http: httpx.AsyncClient, batches: Batches, kind: str) -> None:
    """CSV, NDJSON, JSON and a file of failed rows give the same users. The answer leads to the
    progress."""
    answer = await upload(http, FILES[kind])
    (batch,) = batches.batches.values()

    assert answer.status_code == 303
    assert answer.headers["location"] == f"{USERS}/batches/{batch.id}"
    assert batches.rows == [
        {
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada, L.",
            "public_metadata": {"plan": 1},
        },
        {"email": "bob@example.com"},
    ]
    assert batches.starts[0].complete


async def test_a_large_file_goes_in_pieces(http: httpx.AsyncClient, batches: Batches) -> None:
    """Each call carries a part of the rows, and the last one starts the work."""
    lines = "".join(f'{{"email": "u{n}@example.com"}}\n' for n in range(1_200))
    answer = await upload(http, lines.encode())

    assert answer.status_code == 303
    assert [call.complete for call in batches.starts] == [False, False, True]
    assert [row["email"] for row in batches.rows] == [f"u{n}@example.com" for n in range(1_200)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "Choose a file"),
        (b"email,email_verified\nx@example.com,maybe\n", "neither true nor false"),
        (b"email\n\xff\xfe\n", "not UTF-8"),
        ((",".join(f"c{n}" for n in range(100_000)) + "\nx").encode(), "more than 100 columns"),
        (b"[1, 2]", "not an object"),
        (b"[{", "not JSON"),
        (b'{"email": 1', "not JSON"),
        (b'{"a": 1, "a": 2}', "a "),
        (f"email,{HOSTILE}\na,b,c,d\n".encode(), "more cells than columns"),
    ],
)
async def test_a_file_that_cannot_be_read_imports_nothing(
    http: httpx.AsyncClient, batches: Batches, content: bytes, says: str
) -> None:
    """The page says which rows are wrong. No call is made."""
    answer = await upload(http, content)

    assert answer.status_code == 422
    assert says in answer.text
    assert "<b hx-" not in answer.text
    assert batches.starts == []


async def test_a_refused_piece_cancels_the_import(
    http: httpx.AsyncClient, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the service refuses, the page says so and nothing is left to run."""
    batches.refusal = TooManyBatches()
    answer = await upload(http, FILES["csv"])

    assert answer.status_code == 409
    assert "Ten batches are running" in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x\r\n",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--' * 2,
        b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 30 + b"--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\nX: '
        + b"y" * 5000
        + b"\r\n\r\n1\r\n--x--",
    ],
)
async def test_a_malformed_form_is_refused(
    http: httpx.AsyncClient, batches: Batches, body: bytes
) -> None:
    """A body that is no such form is a client's error, and makes no call."""
    kind = {"content-type": "multipart/form-data; boundary=x"}
    answer = await http.post(ORIGIN + IMPORT, content=body, headers=kind)

    assert 400 <= answer.status_code < 500
    assert batches.starts == []


async def test_a_form_without_a_file(http: httpx.AsyncClient, batches: Batches) -> None:
    """The form asks for a file if none was chosen, however it was sent."""
    answer = await post(http, IMPORT, IMPORT)

    assert answer.status_code == 422
    assert "Choose a file" in answer.text
    assert batches.starts == []


async def test_an_upload_needs_the_token_of_its_page(
    http: httpx.AsyncClient, batches: Batches
) -> None:
    """A form with a file is guarded against other sites like any other form."""
    await http.get(ORIGIN + IMPORT)
    answer = await http.post(
        ORIGIN + IMPORT, data={"csrf": "x"}, files={"file": ("a.csv", FILES["csv"], "text/csv")}
    )

    assert answer.status_code in (403, 409)
    assert batches.starts == []


async def test_progress_asks_again_until_the_end(http: httpx.AsyncClient, batches: Batches) -> None:
    """While the batch runs, the part asks again. Without JavaScript there is a link. Afterwards neither
    is there. Failed rows and their file are offered, and hostile text stays text."""
    running, done = batches.add(), batches.add(state="done", done=10)
    batches.failures = [
        BatchResult(
            row=6,
            status="invalid",
            record={"email": HOSTILE},
            errors=[{"field": HOSTILE, "code": "x", "message": HOSTILE, "params": {}}],
        )
    ]
    first = await http.get(f"{ORIGIN}{USERS}/batches/{running.id}")
    part = await http.get(f"{ORIGIN}{USERS}/batches/{running.id}/state", headers=HTMX)
    last = await http.get(f"{ORIGIN}{USERS}/batches/{done.id}")

    assert 'hx-trigger="every 1s"' in first.text
    assert f'href="{USERS}/batches/{running.id}">Refresh' in first.text
    assert part.text.lstrip().startswith('<div class="stack" id="batch"')
    assert "hx-trigger" not in re.findall(r'<div class="stack" id="batch"[^>]*>', last.text)[0]
    assert "Refresh" not in last.text
    assert "the work goes on" in part.text
    assert "the work goes on" not in last.text
    assert f'/user-batches/{done.id}/failed"' in last.text
    assert "<b hx-" not in last.text
    assert ">7<" in last.text


async def test_cancelling(http: httpx.AsyncClient, batches: Batches) -> None:
    """The form of the progress cancels the batch of its path."""
    batch = batches.add()
    page = f"{USERS}/batches/{batch.id}"
    answer = await post(http, f"{page}/cancel", page)

    assert (answer.status_code, batches.cancelled) == (303, [batch.id])


@pytest.mark.parametrize("id", ["0197a000-0000-7000-8000-000000000000", "x", "%00"])
async def test_a_foreign_batch_does_not_exist(
    http: httpx.AsyncClient, batches: Batches, id: str
) -> None:
    """An id of another application, or none, is a page that was not found."""
    assert (await http.get(f"{ORIGIN}{USERS}/batches/{id}")).status_code == 404


async def test_failed_rows_are_a_file(http: httpx.AsyncClient, batches: Batches) -> None:
    """The file has a line for each failed row."""
    batch = batches.add()
    batches.failures = [BatchResult(row=6, status="invalid", record={"email": "x"})]
    file = await http.get(f"{ORIGIN}/api/applications/shop/user-batches/{batch.id}/failed")
    (line,) = file.text.splitlines()

    assert file.headers["content-disposition"] == 'attachment; filename="failed.ndjson"'
    assert json.loads(line) == {
        "row": 6,
        "status": "invalid",
        "errors": [],
        "record": {"email": "x"},
    }


async def test_the_export_is_safe_for_spreadsheets(
    http: httpx.AsyncClient, batches: Batches
) -> None:
    """A cell that would be a formula begins with an apostrophe, and an import takes it off again.
    There are no passwords in the file."""
    batches.users = [
        TransferredUsers(users=[TransferredUser(email="a@example.com", name="=1+1")], next="1"),
        TransferredUsers(
            users=[TransferredUser(email="b@example.com", phone_number="+49 30 1", disabled=True)]
        ),
    ]
    file = await http.get(f"{ORIGIN}/api/applications/shop/users/export/file?format=csv")
    first, one, two = file.text.splitlines()

    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert "password" not in first
    assert ",'=1+1," in one
    assert ",'+49 30 1," in two
    await upload(http, file.content)
    assert [(row.get("name"), row.get("phone_number")) for row in batches.rows] == [
        ("=1+1", None),
        (None, "+49 30 1"),
    ]


async def test_one_export_at_a_time(
    http: httpx.AsyncClient, batches: Batches, gateway_app: GatewayApp
) -> None:
    """A second export of the same caller is refused until the first is complete, or was given up."""
    batches.users = [TransferredUsers(users=[])]
    path = f"{ORIGIN}/api/applications/shop/users/export/file"
    for _ in range(2):
        assert (await http.get(path)).status_code == 200
    developer = batches.people.developer
    caller = Caller("developer", developer.session.user_id)
    running = gateway_app.gateway.exports
    name = running.begin(Context(developer.managed["shop"].app_id, caller))
    refused = await http.get(path)
    running.end(name)

    assert (refused.status_code, refused.json()["code"]) == (409, "export_running")
    assert (await http.get(path)).status_code == 200


async def check(http: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await post(http, f"{USERS}/batches/check", USERS, **fields)


async def test_nothing_chosen_goes_back(
    http: httpx.AsyncClient, people: People, batches: Batches
) -> None:
    """Without a chosen user the list says what is missing, with the same filters."""
    people.add()
    answer = await check(http, act="disable", scope="chosen", q="mir")
    shown = await http.get(ORIGIN + answer.headers["location"])

    assert answer.status_code == 303
    assert "No user is chosen" in shown.text
    assert 'value="mir"' in shown.text
    assert batches.starts == []


ASKED: dict[str, dict[str, Any]] = {
    "chosen": {"user_ids": 1},
    "page": {"user_ids": 2},
    "all": {"filter": UserFilter(search="mir", disabled=False), "count": 312},
}


@pytest.mark.parametrize("scope", ASKED)
@pytest.mark.parametrize("act", ["disable", "enable", "end_sessions", "assign_role"])
async def test_an_act_asks_first(
    http: httpx.AsyncClient, people: People, batches: Batches, scope: str, act: str
) -> None:
    """The page in between says how many users are meant. Its form starts the batch for exactly these."""
    one, two = people.add(), people.add(email="two@example.com")
    people.count = UserCount(count=312, relation="exact")
    fields = {f"user:{one.id}": "1", f"shown:{one.id}": "1", f"shown:{two.id}": "1"}
    asked = await check(http, act=act, scope=scope, q="mir", state="active", count="312", **fields)
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', asked.text))
    assert asked.status_code == 200
    assert {"chosen": "1 user", "page": "2 users", "all": "312 users"}[scope] in asked.text
    assert batches.starts == []
    role = {"role_id": "editor"} if act == "assign_role" else {}
    answer = await http.post(f"{ORIGIN}{USERS}/batches", data=hidden | role)
    (call,) = batches.starts

    assert answer.status_code == 303
    assert isinstance(call, StartUserBatch)
    assert (call.act, call.role_id) == (act, role.get("role_id"))
    expected = ASKED[scope]
    if "user_ids" in expected:
        assert call.user_ids == [one.id, two.id][: expected["user_ids"]]
        assert call.filter is None
    else:
        assert (call.filter, call.count, call.user_ids) == (expected["filter"], 312, None)


async def test_deletion_needs_the_number(
    http: httpx.AsyncClient, people: People, batches: Batches
) -> None:
    """Many users are deleted only if their number is typed."""
    user = people.add()
    asked = await check(http, act="delete", scope="chosen", **{f"user:{user.id}": "1"})
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', asked.text))
    wrong = await http.post(f"{ORIGIN}{USERS}/batches", data=hidden | {"typed": "2"})
    assert (wrong.status_code, batches.starts) == (422, [])
    assert "This is not the number of users." in wrong.text
    right = await http.post(f"{ORIGIN}{USERS}/batches", data=hidden | {"typed": "1"})
    (call,) = batches.starts

    assert right.status_code == 303
    assert isinstance(call, DeleteUsers)
    assert call.user_ids == [user.id]


async def test_another_number_of_users_is_told(
    http: httpx.AsyncClient, people: People, batches: Batches
) -> None:
    """If the filter matches others by now, the page says so and nothing begins."""
    people.add()
    batches.refusal = CountChanged(count=9)
    answer = await post(
        http, f"{USERS}/batches", USERS, act="disable", scope="all", count="3", q="x"
    )

    assert answer.status_code == 409
    assert "Another number of users matches by now" in answer.text


async def test_a_page_left_open_is_no_use_of_the_session(
    http: httpx.AsyncClient, batches: Batches, world: FakeServices
) -> None:
    """The page of a batch refreshes its progress, and the session can become idle meanwhile. Somebody who
    opens the address of the part comes to the page."""
    batch = batches.add()
    path = f"{USERS}/batches/{batch.id}"
    page = await http.get(ORIGIN + path)
    world.checks.clear()
    part = await http.get(f"{ORIGIN}{path}/state", headers=HTMX)
    opened = await http.get(f"{ORIGIN}{path}/state")

    assert f'hx-get="{path}/state"' in page.text
    assert "<html" not in part.text
    assert 'id="batch"' in part.text
    assert opened.headers["location"] == path
    assert [check.is_use for check in world.checks] == [False, False]


async def test_without_the_permission(http: httpx.AsyncClient, developer: Developers) -> None:
    """Who may only read sees the progress, and no form. Forged forms are pages that do not exist."""
    people = people_of(developer, "users:read")
    batches = batches_of(people)
    user, batch = people.add(), batches.add()
    shown = await http.get(ORIGIN + USERS)
    progress = await http.get(f"{ORIGIN}{USERS}/batches/{batch.id}")
    token = developer_token(await http.get(f"{ORIGIN}/dashboard/new"))

    assert 'type="checkbox"' not in shown.text
    assert progress.status_code == 200
    assert "/cancel" not in progress.text
    assert (await http.get(ORIGIN + IMPORT)).status_code == 404
    for path in ("batches", "batches/check", f"batches/{batch.id}/cancel"):
        data = {"csrf": token, "act": "disable", f"user:{user.id}": "1"}
        answer = await http.post(f"{ORIGIN}{USERS}/{path}", data=data)
        assert answer.status_code == 404, path
    assert batches.starts == []
    assert batches.cancelled == []
    assert batches.batches.keys() == {batch.id}
    assert new_id() not in batches.batches


def developer_token(page: httpx.Response) -> str:
    token = TOKEN.search(page.text)
    assert token, page.status_code
    return token[1]

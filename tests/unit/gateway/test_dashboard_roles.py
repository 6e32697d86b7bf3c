"""The Dashboard's pages about roles and permissions."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from tests.kit.dashboard_roles import RolePages, permission, role_pages
from tests.kit.developers import NOW, ORIGIN, Developers, developers, post, sign_in
from tests.kit.fake_services import FakeServices
from tests.kit.markup import hidden

from common.contracts.permissions import CreatePermission, DeletePermission, UpdatePermission
from common.contracts.roles import CreateRole, DeleteRole, UpdateRole

MATRIX = "/dashboard/applications/shop/roles"
EDITOR = f"{MATRIX}/editor"
HOSTILE = '"><b hx-get="/x">'


@pytest.fixture
def developer(http: httpx.AsyncClient, world: FakeServices) -> Developers:
    people = developers(world)
    people.managed["shop"] = world.add("shop")
    people.permissions = ["*"]
    sign_in(http)
    return people


@pytest.fixture
def fakes(developer: Developers) -> RolePages:
    return role_pages(developer)


def version(fakes: RolePages) -> str:
    return fakes.roles["editor"].version


async def test_the_matrix(http: httpx.AsyncClient, fakes: RolePages) -> None:
    """A role of the developer has boxes and a form of its own. A built-in role has marks."""
    page = await http.get(f"{ORIGIN}{MATRIX}")

    assert 'form="save-editor" name="permission:invoices:read"' in page.text
    assert 'id="save-editor" method="post" action="/dashboard/applications/shop/roles/editor' in (
        page.text
    )
    assert "save-admin" not in page.text
    assert "hx-on" not in page.text


async def test_roles_of_members_have_no_built_in_permissions(
    http: httpx.AsyncClient, fakes: RolePages
) -> None:
    """The application decides what members may do, also in the built-in roles."""
    page = await http.get(f"{ORIGIN}{MATRIX}?kind=organization")

    assert "users:read" not in page.text.split("<thead>")[1]
    assert 'form="save-admin" name="permission:invoices:read"' in page.text


async def test_a_column_is_saved(http: httpx.AsyncClient, fakes: RolePages) -> None:
    """The checked permissions replace those that the form shows. The matrix is shown again."""
    form = {"version": version(fakes), "matrix": "1", "permission:users:read": "on"}
    form["shown"] = hidden((await http.get(f"{ORIGIN}{MATRIX}")).text, "shown")
    answer = await post(http, f"{EDITOR}/permissions", MATRIX, **form)

    assert answer.headers["location"] == f"{MATRIX}?done=saved"
    [change] = fakes.changes
    assert isinstance(change, UpdateRole)
    assert change.changes.model_dump(exclude_unset=True) == {"permissions": ["users:read"]}


async def test_permissions_on_other_pages_stay(http: httpx.AsyncClient, fakes: RolePages) -> None:
    """A form shows one page of the permissions. Saving it changes no others."""
    for name in ("zebras:feed", "zebras:ride"):
        fakes.permissions[name] = permission(name)
    fakes.roles["editor"].permissions.append("zebras:feed")
    shown = hidden((await http.get(f"{ORIGIN}{EDITOR}")).text, "shown")
    await post(http, f"{EDITOR}/permissions", EDITOR, version=version(fakes), shown=shown)
    first = fakes.changes[-1]
    form = {"version": version(fakes), "cursor": "2", "permission:zebras:ride": "on"}
    form["shown"] = "zebras:feed zebras:ride"
    await post(http, f"{EDITOR}/permissions", EDITOR, **form)

    assert first.changes.permissions == ["zebras:feed"]
    assert fakes.changes[-1].changes.permissions == ["zebras:ride"]


async def test_the_second_editor_is_told(http: httpx.AsyncClient, fakes: RolePages) -> None:
    """Of two people who save, the second one sees both sets, and nothing is lost."""
    form = {"version": version(fakes), "permissions_form": "1", "permission:users:read": "on"}
    update = {"permissions": [], "updated_at": NOW + timedelta(minutes=1)}
    fakes.roles["editor"] = fakes.roles["editor"].model_copy(update=update)
    answer = await post(http, f"{EDITOR}/permissions", MATRIX, **form, matrix="1")
    about = await post(http, EDITOR, EDITOR, version=form["version"], name="Mine")

    assert (answer.status_code, about.status_code, fakes.changes) == (412, 412, [])
    assert 'name="permission:users:read" checked' in answer.text
    assert 'Saved meanwhile: <strong class="as-typed"><bdi>nothing<' in answer.text
    assert 'value="Mine"' in about.text
    assert version(fakes) in answer.text


async def test_a_deleted_permission_is_told(http: httpx.AsyncClient, fakes: RolePages) -> None:
    """A text that is no permission changes nothing."""
    form = {"version": version(fakes), "permission:<b>": "on", "permissions_form": "1"}
    answer = await post(http, f"{EDITOR}/permissions", EDITOR, **form)

    assert answer.status_code == 422
    assert "<b>" not in answer.text
    assert fakes.changes == []


async def test_a_new_role(http: httpx.AsyncClient, fakes: RolePages) -> None:
    """A name is enough. Errors keep the checked boxes."""
    page = f"{MATRIX}/new"
    form = {"name": "Editor", "permission:users:read": "on"}
    wrong = await post(http, page, page, **form | {"id": "No Id"})
    answer = await post(http, page, page, **form)

    assert wrong.status_code == 422
    assert 'value="No Id"' in wrong.text
    assert 'name="permission:users:read" checked' in wrong.text
    assert answer.headers["location"] == f"{EDITOR}?done=created"
    assert fakes.changes == [CreateRole(name="Editor", permissions=["users:read"])]


async def test_who_has_a_role(http: httpx.AsyncClient, fakes: RolePages) -> None:
    """The page of a role links its users. Roles of members have no such list."""
    page = await http.get(f"{ORIGIN}{EDITOR}")
    members = await http.get(f"{ORIGIN}{EDITOR}?kind=organization")

    assert f"/users/{fakes.holder}" in page.text
    assert f"/users/{fakes.holder}" not in members.text


async def test_a_role_is_deleted_by_its_name(http: httpx.AsyncClient, fakes: RolePages) -> None:
    """The server compares the name. A role that members have stays, and the page says why."""
    wrong = await post(http, f"{EDITOR}/delete", EDITOR, typed="editor")
    fakes.in_use = True
    used = await post(http, f"{EDITOR}/delete", EDITOR, typed="Editor", kind="organization")
    fakes.in_use = False
    answer = await post(http, f"{EDITOR}/delete", EDITOR, typed=" Editor ")

    assert (wrong.status_code, used.status_code) == (422, 422)
    assert "Members have this role" in used.text
    assert answer.headers["location"] == f"{MATRIX}?done=deleted"
    assert fakes.changes == [DeleteRole(role_id="editor")]


async def test_deleting_a_role_needs_a_fresh_sign_in(
    http: httpx.AsyncClient, fakes: RolePages, world: FakeServices
) -> None:
    """A stolen session that is old takes no role from anybody."""
    world.let_sign_ins_age()
    answer = await post(http, f"{EDITOR}/delete", EDITOR, typed="Editor")

    assert answer.headers["location"].startswith("/login/confirm?return_to=")
    assert fakes.changes == []
    assert DeleteRole.fresh


async def test_own_permissions(http: httpx.AsyncClient, fakes: RolePages) -> None:
    """They are created, described and deleted by name. Two with one name are refused."""
    page = f"{MATRIX}/permissions"
    one = f"{page}/invoices:read"
    await post(http, page, page, name="invoices:pay", description="Pay")
    taken = await post(http, page, page, name="invoices:read")
    wrong = await post(http, page, page, name="Pay invoices")
    version = fakes.permissions["invoices:read"].version
    await post(http, one, one, version=version, description="See invoices")
    late = await post(http, one, one, version="older", description="Mine")
    refused = await post(http, f"{one}/delete", one, typed="invoices")
    await post(http, f"{one}/delete", one, typed="invoices:read")

    assert (taken.status_code, wrong.status_code) == (422, 422)
    assert 'value="Pay invoices"' in wrong.text
    assert (late.status_code, refused.status_code) == (412, 422)
    assert fakes.changes == [
        CreatePermission(name="invoices:pay", description="Pay"),
        UpdatePermission(permission_id="invoices:read", description="See invoices"),
        DeletePermission(permission_id="invoices:read"),
    ]


async def test_names_are_text(http: httpx.AsyncClient, fakes: RolePages) -> None:
    """Markup in names and descriptions is text on every page."""
    update = {"name": HOSTILE, "description": HOSTILE}
    fakes.roles["editor"] = fakes.roles["editor"].model_copy(update=update)
    fakes.permissions["invoices:read"] = permission("invoices:read", text=HOSTILE)
    one = f"{MATRIX}/permissions/invoices:read"
    for path in (MATRIX, EDITOR, f"{MATRIX}/new", f"{MATRIX}/permissions", one):
        page = await http.get(f"{ORIGIN}{path}")
        assert page.status_code == 200
        assert "<b hx-get" not in page.text
        assert "&lt;b hx-get=" in page.text


async def test_a_reader_changes_nothing(
    http: httpx.AsyncClient, fakes: RolePages, developer: Developers
) -> None:
    """Without `roles:write` there are marks and no forms, and a forged form finds nothing."""
    token = (await http.get(f"{ORIGIN}{EDITOR}")).text.split('name="csrf" value="')[1]
    forged = {
        "csrf": token.split('"')[0],
        "version": version(fakes),
        "typed": "Editor",
        "name": "X",
    }
    developer.permissions = ["roles:read"]
    one = f"{MATRIX}/permissions/invoices:read"
    for path in (MATRIX, EDITOR, f"{MATRIX}/permissions", one):
        page = await http.get(f"{ORIGIN}{path}")
        assert page.status_code == 200
        assert 'class="primary"' not in page.text
        assert "save-editor" not in page.text
    assert (await http.get(f"{ORIGIN}{MATRIX}/new")).status_code == 404

    acts = [EDITOR, f"{EDITOR}/permissions", f"{EDITOR}/delete", f"{MATRIX}/new"]
    for path in [*acts, f"{MATRIX}/permissions", one, f"{one}/delete"]:
        answer = await http.post(f"{ORIGIN}{path}", data=forged)
        assert answer.status_code == 404, path
    assert fakes.changes == []


async def test_a_stranger_sees_nothing(
    http: httpx.AsyncClient, fakes: RolePages, developer: Developers
) -> None:
    """Without `roles:read`, the pages do not exist."""
    developer.permissions = ["audit:read"]
    for path in (MATRIX, EDITOR, f"{MATRIX}/permissions", f"{MATRIX}/permissions/invoices:read"):
        assert (await http.get(f"{ORIGIN}{path}")).status_code == 404


@pytest.mark.parametrize("role_id", ["nobody", "No%20Id", "%00", "..%2Fadmin"])
async def test_unknown_roles_do_not_exist(
    http: httpx.AsyncClient, fakes: RolePages, role_id: str
) -> None:
    """Unknown ids and texts that are no id are pages that were not found."""
    assert (await http.get(f"{ORIGIN}{MATRIX}/{role_id}")).status_code == 404


async def test_a_permission_that_the_form_did_not_show_stays(
    http: httpx.AsyncClient, fakes: RolePages
) -> None:
    """If a permission is deleted while the form is open, the next one moves onto this page of the list. The
    form had no box for it, so the role keeps it."""
    fakes.permissions["zebras:feed"] = permission("zebras:feed")
    shown = hidden((await http.get(f"{ORIGIN}{EDITOR}")).text, "shown")
    fakes.roles["editor"].permissions.append("zebras:feed")
    del fakes.permissions[shown.split()[0]]
    await post(http, f"{EDITOR}/permissions", EDITOR, version=version(fakes), shown=shown)

    assert "zebras:feed" not in shown
    assert fakes.changes[-1].changes.permissions == ["zebras:feed"]


async def test_a_description_of_several_lines_can_be_changed(
    http: httpx.AsyncClient, fakes: RolePages
) -> None:
    """Browsers send another end of a line than the API stored. The version of the form has no lines, so
    that is no change of somebody else."""
    fakes.permissions["invoices:read"] = permission("invoices:read", text="One\nTwo")
    one = f"{MATRIX}/permissions/invoices:read"
    answer = await post(
        http,
        one,
        one,
        version=hidden((await http.get(f"{ORIGIN}{one}")).text, "version"),
        description="Three",
    )

    assert answer.status_code == 303

"""A developer and the people of their application: users, organizations, roles, teams. Each journey goes through
the pages of the running Dashboard in Chromium."""

from __future__ import annotations

import secrets

import pytest
from playwright.async_api import Browser
from tests.browser.dashboard_people import (
    DESK,
    KEYBOARD,
    SIZES,
    AtDashboard,
    Screen,
    at_dashboard,
    screens,
)
from tests.kit.dashboard_developer import developer
from tests.kit.system import System, fresh_email

pytestmark = pytest.mark.parametrize("screen", screens(DESK, *SIZES, *KEYBOARD))


def fresh(name: str) -> str:
    """Returns a name that nothing else has."""
    return f"{name} {secrets.token_hex(3)}"


async def create_user(ada: AtDashboard, name: str) -> str:
    """Creates a user on the page. Returns the address."""
    email = fresh_email("grace")
    await ada.open("/users/new")
    await ada.fill(email=email, name=name)
    await ada.press("Create user")
    await ada.sees("User created.")
    return email


async def test_users(ada: AtDashboard) -> None:
    """A developer creates a user, finds them while typing, changes, disables and deletes them."""
    name = fresh("Grace Hopper")
    email = await create_user(ada, name)

    await ada.open("/users")
    await ada.fill(q=email[:14])
    await ada.page.wait_for_url("**/users?q=grace*")
    await ada.look("users")
    await ada.press(ada.at("#users a.cover"))
    await ada.sees(name, "h1")
    await ada.look("user")

    await ada.fill(family_name="Hopper", locale="de-AT")
    await ada.press("Save profile")
    await ada.sees("Profile saved.")
    await ada.press("Metadata")
    await ada.fill(public_metadata='{"plan": ')
    await ada.press("Save metadata")
    assert await ada.named("public_metadata").input_value() == '{"plan": '
    await ada.fill(public_metadata='{"plan": "pro"}')
    await ada.press("Save metadata")
    await ada.sees("Metadata saved.")

    await ada.press(ada.at("[popovertarget=acts]"))
    await ada.press("Disable user")
    await ada.sees("User disabled.")
    await ada.press(ada.at("[popovertarget=acts]"))
    await ada.press("Delete user")
    await ada.fill(confirmation="somebody else")
    await ada.press(ada.at("main form button.danger"))
    await ada.sees(email)
    await ada.fill(confirmation=email)
    await ada.press(ada.at("main form button.danger"))
    await ada.sees("User deleted.")


async def test_a_user_is_invited(ada: AtDashboard) -> None:
    """The mail leads to the application's own page. A revoked invitation leaves the list of open ones."""
    email = fresh_email("invited")
    await ada.open("/users/invite")
    await ada.fill(email=email)
    await ada.press("Send invitation")
    await ada.sees("Invitation sent.")
    link = await ada.mailed_link(email)
    assert link.startswith(ada.system.origin(ada.slug))
    await ada.press(ada.page.locator("#invitations li", has_text=email).get_by_text("Revoke"))
    await ada.sees("Invitation revoked.")


async def test_organizations(ada: AtDashboard) -> None:
    """A developer creates an organization, adds a member, invites another, adds a domain, and deletes
    it after its name was typed."""
    email = await create_user(ada, fresh("Mary Kenneth Keller"))
    name = fresh("Harbour  Council")
    await ada.open("/organizations/new")
    await ada.fill(name=name)
    await ada.press("Create organization")
    await ada.sees("Organization created.")
    home = ada.path.partition("?")[0]
    await ada.look("organization")

    await ada.press("Members")
    await ada.fill(user=email)
    await ada.press("Add member")
    await ada.sees("Member added.")
    await ada.press("Invitations")
    await ada.fill(email=fresh_email("guest"))
    await ada.press("Send invitation")
    await ada.sees("Invitation sent.")
    await ada.press("E-mail domains")
    await ada.fill(domain=f"{secrets.token_hex(4)}.example")
    await ada.press("Add domain")
    await ada.sees("Set this TXT record")
    await ada.press(ada.at("button:has-text('Check now')"))
    await ada.sees("The TXT record was not found.")
    await ada.press("Single sign-on")
    await ada.sees("Require single sign-on", "h2")

    await ada.go(home)
    await ada.fill(typed="Harbour")
    await ada.press("Delete organization")
    await ada.sees("This isn't the name.")
    await ada.fill(typed=name)
    await ada.press("Delete organization")
    await ada.page.wait_for_url("**/organizations?**")


async def test_roles(ada: AtDashboard) -> None:
    """A developer creates a permission and a role, gives the permission to the role in the matrix, and gives
    the role to a user."""
    noun = f"tides{secrets.token_hex(3)}"
    await ada.open("/roles/permissions")
    await ada.fill(name=f"{noun}:read", description="Reads the tide tables")
    await ada.press("Create permission")
    await ada.sees("Permission created.")
    role = fresh("Pilot")
    await ada.open("/roles/new")
    await ada.fill(name=role, id=f"pilot-{noun}")
    await ada.press("Create role")
    await ada.sees("Role created.")

    await ada.open("/roles")
    await ada.tick(ada.page.get_by_label(f"{noun}:read for {role}"))
    await ada.press(ada.page.locator(f"tfoot button[form='save-pilot-{noun}']"))
    await ada.sees("Role saved.")
    assert await ada.page.get_by_label(f"{noun}:read for {role}").is_checked()
    await ada.look("roles")

    await create_user(ada, fresh("Joan Clarke"))
    await ada.press("Roles")
    await ada.choose("role_id", role)
    await ada.press("Give role")
    await ada.sees("Role given.")
    await ada.sees(role, "#roles ~ *, main ul.list")


async def test_two_people_edit_at_once(ada: AtDashboard) -> None:
    """The second one is told, sees both values, and nothing is lost."""
    await ada.open("/organizations/new")
    await ada.fill(name=fresh("Pier"))
    await ada.press("Create organization")
    await ada.sees("Organization created.")
    bob = await ada.tab()
    await bob.page.goto(ada.page.url)
    first, second = fresh("Pier one"), fresh("Pier two")

    await ada.fill(name=first)
    await ada.press("Save profile")
    await ada.sees("Changes saved.")
    await bob.page.bring_to_front()
    await bob.fill(name=second)
    await bob.press("Save profile")
    await bob.sees("Someone changed this while you edited it.")
    await bob.sees(first)
    assert await bob.named("name").input_value() == second
    await bob.press("Save profile")
    await bob.sees("Changes saved.")
    await bob.sees(second, "h1")


async def test_teams(chromium: Browser, system: System, ada: AtDashboard, screen: Screen) -> None:
    """A developer creates a team and invites a colleague, who accepts. Then the application is theirs, too,
    after its transfer to the team."""
    name = fresh("Night shift")
    await ada.go("/dashboard/teams")
    await ada.fill(name=name)
    await ada.press("Create team")
    await ada.sees("Team created.")
    team = ada.path.partition("?")[0]
    async with developer(system, "colleague", has_application=False) as colleague:
        email = colleague.email
        await ada.go(f"{team}/invitations")
        await ada.fill(email=email)
        await ada.press("Send invitation")
        await ada.sees("Invitation sent.")
        link = await ada.mailed_link(email)
        async with at_dashboard(chromium, system, colleague, screen) as bob:
            await bob.page.goto(link)
            await bob.press(bob.at("main form button.primary"))
            await bob.sees("You're now a member of this team.")
            assert bob.path.startswith(f"{team}/applications")
            await bob.sees(name, "h1")
    await ada.go(f"{team}/members")
    await ada.sees(colleague.email)
    await ada.look("team")
    await ada.open("/danger")
    await ada.choose("owner_org_id", name)
    await ada.press("Transfer application")
    await ada.sees("belongs to another team now")

"""Users go from a website of another origin through the running platform and back, in Chromium.

Any message on the console fails a test, except for a refused form.
"""

from __future__ import annotations

import asyncio

import httpx
import pytest
from tests.browser.journey_people import PHONE, PRIMARY, People
from tests.kit.system import PASSWORD, System, fresh_email

BY_CODE = "form[action='/login/code/send'] button"
JS = pytest.mark.parametrize("js", [True, False], ids=["script", "no script"])


async def test_sign_up_by_link_and_consent(people: People) -> None:
    """The mailed link leads on to the website. Cancel is reported to it, Allow signs in, and Back
    stays signed in. After sign-out no account is signed in."""
    email = fresh_email()
    async with people.person() as ada:
        await ada.go(people.notes.login)
        await ada.click("text=Create an account")
        await ada.enter(email=email, password=PASSWORD)
        await ada.sees(f"We've sent a code to {email}.")
        await ada.go(await ada.link(email, 1))
        await ada.click(PRIMARY)
        await ada.click("button:text-is('Cancel')")
        await ada.sees("Not signed in: access_denied.")
        await ada.click("text=Try again")
        await ada.click("button:text-is('Allow')")
        await ada.sees(f"Signed in as {email}")
        await ada.page.go_back()
        await ada.sees(f"Signed in as {email}")

        await ada.click("text=Sign out")
        await ada.click("text=Sign in")
        await ada.sees("to continue to Notes")


async def test_an_ended_password(people: People) -> None:
    """An administrator ended the password. The page says so, a code sets a new one, and the flow
    continues to the website."""
    email = fresh_email()
    async with people.person() as ada:
        await ada.sign_up(people.shop, email)
        await ada.click("text=Sign out")
        async with people.system.backend() as http:
            await _force_reset(http, email)
        await ada.mail(email, 2)
        await ada.sign_in(people.shop, email)
        await ada.sees("You need to choose a new password before you can sign in.")
        await ada.click(PRIMARY)
        code = await ada.code(email, 3)
        await ada.enter(code=code, password=PASSWORD)
        await ada.sees("This is your current password.")
        await ada.enter(password=PASSWORD + " renewed")
        await ada.sees(f"Signed in as {email}")


async def _force_reset(http: httpx.AsyncClient, email: str) -> None:
    found = await http.get("/api/users", params={"limit": "100"})
    user = next(each for each in found.json()["users"] if each["email"] == email)
    assert (await http.post(f"/api/users/{user['id']}/force-reset")).status_code == 200


@pytest.mark.long
@JS
async def test_sign_in_by_link(people: People, js: bool) -> None:
    """The link continues to the website in this browser, and another browser says what to do. After
    its session has ended, a used link says so. Back works everywhere."""
    email = fresh_email()
    async with people.person(js=js) as ada, people.person(js=js, **PHONE) as phone:
        await ada.sign_up(people.shop, email)
        await ada.click("text=Sign out")
        await ada.click("text=Sign in")
        await ada.enter(email=email)
        await ada.click(BY_CODE)
        link = await ada.link(email, 2)
        await phone.go(link)
        await phone.sees("This is a different browser")
        await phone.language("Deutsch")
        await phone.sees("Das ist ein anderer Browser")

        await ada.go(link)
        await ada.click(PRIMARY)
        await ada.sees(f"Signed in as {email}")
        await ada.page.go_back()
        await ada.page.go_back()
        await ada.sees("This sign-in has ended")
        await ada.go("/account")
        await ada.click("button:text-is('Sign out')")
        await ada.go(link)
        await ada.click(PRIMARY)
        await ada.sees("This link no longer works")
        await ada.language("Deutsch")
        await ada.sees("Dieser Link funktioniert nicht mehr")


@pytest.mark.long
@JS
async def test_reset(people: People, js: bool) -> None:
    """A reset by code with a change of language after every error, then by the link in another
    browser."""
    email = fresh_email()
    async with people.person(js=js) as ada, people.person(js=js, **PHONE) as phone:
        await ada.sign_up(people.shop, email)
        await ada.click("text=Sign out")
        await ada.click("text=Sign in")
        await ada.enter(email="nobody")
        await ada.language("Deutsch")
        await ada.enter(email=email)
        await ada.enter(password="wrong")
        await ada.language("English")
        await ada.click("text=Forgot password?")
        await ada.enter(email="nobody")
        await ada.language("Deutsch")
        await ada.enter(email=email)
        code = await ada.code(email, 2)
        await ada.enter(code=code, password="kurz")
        await ada.sees("Das Passwort muss mindestens 8 Zeichen haben.")
        await ada.enter(password="six unusual otters juggle again")
        await ada.sees(f"Signed in as {email}")

        await ada.click("text=Sign out")
        await ada.click("text=Sign in")
        await ada.enter(email=email)
        await ada.click("text=Passwort vergessen?")
        await ada.click(PRIMARY)
        link = await ada.link(email, 4)  # The third mail says that the password was changed.
        await phone.go(link)
        await phone.enter(password="seven unusual otters juggle")
        await phone.sees("This is a different browser")
        await ada.go(link)
        await ada.enter(password="eight unusual otters juggle")
        await ada.sees(f"Signed in as {email}")
        await ada.go(link)
        await ada.enter(password="nine unusual otters juggle")
        await ada.sees("Dieser Link funktioniert nicht mehr")


@pytest.mark.long
async def test_two_tabs(people: People) -> None:
    """A sign-in that waits in one tab continues after the other's. After sign-out in one tab the
    other asks to sign in. A sign-out of an ended session leads to the website."""
    email = fresh_email()
    async with people.person() as ada:
        await ada.sign_up(people.shop, email)
        await ada.click("text=Sign out")
        await ada.click("text=Sign in")
        waiting = await ada.tab()
        await waiting.go(people.notes.login)
        await ada.enter(email=email)
        await ada.enter(password=PASSWORD)
        await ada.sees(f"Signed in as {email}")
        await waiting.enter(email=email)
        await waiting.enter(password=PASSWORD)
        await waiting.click("button:text-is('Allow')")
        await waiting.sees(f"Signed in as {email}")

        account = await ada.tab()
        await account.go("/account")
        await waiting.click("text=Sign out")
        await account.enter(name="Ada King")
        await account.sees("E-mail address")
        await ada.click("text=Sign out")
        await ada.click("text=Sign in")
        await ada.sees("to continue to Shop")


@pytest.mark.long
async def test_double_clicks(people: People) -> None:
    """A double click on any button sends one mail at most and never shows an error. A page's script
    sends a form once."""
    email = fresh_email()
    async with people.person() as ada:
        await ada.go(people.notes.login)
        await ada.click("text=Create an account")
        await ada.fill(email=email, name="Ada", password=PASSWORD)
        await ada.double_click()
        await ada.enter(code=await ada.code(email, 1))
        await ada.double_click("button:text-is('Allow')")
        await ada.sees(f"Signed in as {email}")

        await ada.click("text=Sign out")
        await ada.click("text=Sign in")
        await ada.fill(email=email)
        await ada.double_click()
        await ada.fill(password=PASSWORD)
        await ada.double_click()
        await ada.sees(f"Signed in as {email}")

        await ada.click("text=Sign out")
        await ada.click("text=Sign in")
        await ada.enter(email=email)
        await ada.double_click(BY_CODE)
        await ada.go(await ada.link(email, 2))
        await ada.double_click()
        await ada.sees(f"Signed in as {email}")

        await ada.go("/account")
        await ada.fill(name="Ada King")
        await ada.double_click()
        await ada.sees("Profile saved.")
        await ada.go(f"{people.notes.url}/leave")
        await ada.click("text=Leave")
        await ada.double_click("button[name=confirm]")
        await ada.page.wait_for_url(f"{people.notes.url}/*")
        assert await ada.count(email) == 2


@pytest.mark.long
async def test_cookies_off(people: People) -> None:
    """The page says that cookies are needed."""
    async with people.person() as ada:
        for path in ("/login", "/signup", "/reset"):
            await ada.go(path)
            await ada.page.context.clear_cookies()
            await ada.enter(email="ada@example.com")
            await ada.sees("Cookies are off")


@pytest.mark.long
@JS
async def test_several_accounts(people: People, js: bool) -> None:
    """The user chooses once for each website. Without a choice no account is used. After sign-out
    of one account the flow never continues as the other."""
    one, other = fresh_email("one"), fresh_email("other")
    shop, notes = people.shop, people.notes
    async with people.person(js=js) as ada:
        await ada.sign_up(shop, one)
        await ada.go("/login?add=1")
        await ada.click("text=Create an account")
        await ada.enter(email=other, password=PASSWORD)
        await ada.enter(code=await ada.code(other, 1))
        await ada.go(f"{notes.login}?prompt=none")
        await ada.sees("Not signed in: account_selection_required.")
        await ada.go(notes.login)
        await ada.language("Deutsch")
        await ada.click(f"button:has-text('{other}')")
        await ada.click("button:text-is('Erlauben')")
        await ada.sees(f"Signed in as {other}")
        for more in ("", "?prompt=none"):
            await ada.go(notes.login + more)
            await ada.sees(f"Signed in as {other}")
        await ada.go(f"{notes.login}?login_hint={one}")
        await ada.click("button:text-is('Erlauben')")
        await ada.sees(f"Signed in as {one}")
        await ada.go(f"{notes.login}?prompt=select_account")
        await ada.click(f"button:has-text('{other}')")
        await ada.sees(f"Signed in as {other}")

        await ada.click("text=Sign out")
        await ada.go(f"{notes.login}?prompt=none")
        await ada.sees("Not signed in: ")
        await ada.go(notes.login)
        await ada.click(f"button:has-text('{one}')")
        await ada.sees(f"Signed in as {one}")


@pytest.mark.long
@JS
async def test_signing_out_from_another_site(people: People, js: bool) -> None:
    """GET and POST ask first. "Stay signed in" stays, "Sign out" returns to the website, and Back
    does not sign in."""
    email = fresh_email()
    async with people.person(js=js) as ada:
        await ada.sign_up(people.shop, email)
        await ada.go("/oauth2/logout")
        await ada.language("Deutsch")
        await ada.sees("Abmelden?")
        await ada.language("English")
        await ada.click("text=Stay signed in")
        await ada.sees("Your account")
        await ada.go(f"{people.shop.url}/leave")
        await ada.click("text=Leave")
        await ada.sees("Shop wants to sign you out.")
        await ada.click("button[name=confirm]")
        await ada.page.wait_for_url(f"{people.shop.url}/*")
        await ada.page.go_back()
        await ada.go("/account")
        await ada.sees("Sign in")


@pytest.mark.long
@JS
async def test_the_account_on_a_phone(people: People, js: bool) -> None:
    """Address, password and sessions are changed, with wrong input first and another language after
    it."""
    email, new = fresh_email(), fresh_email("new")
    async with people.person(js=js, **PHONE) as ada, people.person(js=js) as desk:
        await ada.sign_up(people.shop, email)
        await ada.go("/account/email")
        await ada.enter(email="x")
        await ada.language("Deutsch")
        await ada.language("English")
        await ada.enter(email=new)
        await ada.enter(code="000000")
        await ada.language("Deutsch")
        await ada.language("English")
        await ada.enter(code=await ada.code(new, 1))
        await ada.sees("E-mail address changed.")

        await desk.sign_in(people.shop, new)
        await desk.sees(f"Signed in as {new}")
        await ada.go("/account/sessions")
        await ada.click("button[name=session_id]")
        await ada.sees("Session signed out.")
        await desk.go("/account")
        await desk.sees("E-mail address")
        await ada.go("/account/password")
        await ada.enter(current="x", password=PASSWORD + " two")
        await ada.sees("Your current password is wrong.")
        await ada.enter(current=PASSWORD, password=PASSWORD + " two")
        await ada.sees("Password changed.")
        assert await ada.page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.long
async def test_the_owner_link(people: People) -> None:
    """Wrong input, another language and a double click work. Then the applications are shown, and a
    used link says so."""
    link = await _owner_link(people.system)
    async with people.person() as ada, people.person(**PHONE) as late:
        await ada.go(link)
        await ada.enter(email="x")
        await ada.language("Deutsch")
        await ada.fill(email=fresh_email("owner"), password=PASSWORD)
        await ada.double_click()
        await ada.sees("Anwendung anlegen")
        await late.go(link)
        await late.sees("This link no longer works")


async def _owner_link(system: System) -> str:
    """Returns a new link, as an operator requests it."""
    made = await asyncio.to_thread(system.deployment.command, "owner-link")
    assert made.returncode == 0, made.stderr
    return made.stdout.split()[-1]

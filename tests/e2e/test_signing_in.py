"""Sign-up, sign-in, sign-out and the account over JSON, with every service running."""

from __future__ import annotations

import asyncio
import re

import httpx
from tests.kit.system import PASSWORD, System, fresh_email


def _json(origin: str) -> dict[str, str]:
    return {
        "origin": origin,
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
    }


async def _signed_up(system: System, http: httpx.AsyncClient, email: str) -> dict[str, object]:
    flow = await http.post(
        "/api/auth/signup", json={"email": email, "password": PASSWORD, "name": "Ada"}
    )
    assert flow.status_code == 202, flow.text
    code = await system.mailed_code(email)
    made = await http.post(
        "/api/auth/code/verify", json={"flow": flow.json()["flow"], "code": code}
    )
    assert made.status_code == 200, made.text
    return dict(made.json())


async def test_sign_up_in_and_out(system: System) -> None:
    """A visitor creates an account by a mailed code, signs out, signs in by password and signs out
    for good."""
    email = fresh_email()
    async with system.http(headers=_json(system.origin("demo"))) as http:
        made = await _signed_up(system, http, email)
        me = (await http.get("/api/users/me")).json()
        out = await http.post("/api/auth/signout", json={})
        nobody = await http.get("/api/users/me")
        back = await http.post("/api/auth/signin", json={"email": email, "password": PASSWORD})
        again = (await http.get("/api/users/me")).json()

    assert made["new_user"] is True
    assert "token" not in made
    assert (me["email"], me["email_verified"], me["name"]) == (email, True, "Ada")
    assert (out.status_code, nobody.status_code) == (200, 401)
    assert back.status_code == 200
    assert again == me


async def test_session_cookie(system: System) -> None:
    """The cookie is HttpOnly, SameSite=Lax, Path=/, without Domain, and has 256 bits."""
    email = fresh_email()
    async with system.http(headers=_json(system.origin("demo"))) as http:
        await _signed_up(system, http, email)
        signed = await http.post("/api/auth/signin", json={"email": email, "password": PASSWORD})
    (cookie,) = [
        value
        for value in signed.headers.get_list("set-cookie")
        if value.partition("=")[0].endswith("aero2_session")
    ]
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}

    assert {"httponly", "samesite=lax", "path=/"} <= parts
    assert not any(part.startswith("domain") for part in parts)
    assert len(cookie.partition("=")[2].split(";")[0]) >= 43


async def test_magic_link_over_json(system: System) -> None:
    """The mailed link signs in once, and only in the browser that asked for it."""
    email = fresh_email()
    async with (
        system.http(headers=_json(system.origin("demo"))) as asked,
        system.http(headers=_json(system.origin("demo"))) as other,
    ):
        await asked.post("/api/auth/magic-link", json={"email": email})
        await system.mailed_code(email)
        (mail,) = await system.mails(email)
        found = re.search(r"/login/link\?token=([\w-]+)", mail["text"])
        assert found is not None
        token = {"token": found[1]}
        elsewhere = await other.post("/api/auth/link", json=token)
        here = await asked.post("/api/auth/link", json=token)
        twice = await asked.post("/api/auth/link", json=token)

    assert mail["text"].count(f"{system.origin('demo')}/login/link") == 1
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "other_browser")
    assert here.json()["session"]["email"] == email
    assert (twice.status_code, twice.json()["code"]) == (410, "link_spent")


async def test_sessions_end_at_once(system: System) -> None:
    """The next request of a session fails after its user, an administrator or a new password ended
    it, though the gateway had cached it."""
    email = fresh_email()
    headers = _json(system.origin("demo"))
    async with (
        system.http(headers=headers) as first,
        system.http(headers=headers) as second,
        system.backend() as admin,
    ):
        made = await _signed_up(system, first, email)
        await second.post("/api/auth/signin", json={"email": email, "password": PASSWORD})
        listed = (await first.get("/api/sessions")).json()["sessions"]
        (there,) = [entry["id"] for entry in listed if not entry["is_current"]]
        assert (await second.get("/api/users/me")).status_code == 200
        ended = await first.delete(f"/api/sessions/{there}")
        after_one = await second.get("/api/users/me")
        await second.post("/api/auth/signin", json={"email": email, "password": PASSWORD})
        changed = await first.put(
            "/api/users/me/password", json={"current": PASSWORD, "password": PASSWORD + " two"}
        )
        after_change = await second.get("/api/users/me")
        still = await first.get("/api/users/me")
        await admin.post(f"/api/users/{made['session']['user_id']}/disable")  # type: ignore[index]
        after_disable = await first.get("/api/users/me")

    assert ended.json() == {"message": "Session revoked"}
    assert (after_one.status_code, after_change.status_code) == (401, 401)
    assert (changed.status_code, still.status_code) == (200, 200)
    assert after_disable.status_code == 401


async def test_known_and_unknown_look_alike(system: System) -> None:
    """Status, headers and body of a response do not tell whether an address is known."""
    known = fresh_email()
    async with system.http(headers=_json(system.origin("demo"))) as http:
        await _signed_up(system, http, known)
        await http.post("/api/auth/signout", json={})
        for path, body in (
            ("/api/auth/signin", {"password": "not the right one"}),
            ("/api/auth/reset", {}),
            ("/api/auth/code", {}),
        ):
            answers = [
                await http.post(path, json={**body, "email": email})
                for email in (known, fresh_email("nobody"))
            ]
            shapes = [(a.status_code, sorted(a.headers), sorted(a.json())) for a in answers]
            assert shapes[0] == shapes[1], path
            if path.endswith("signin"):
                bodies = [{**a.json(), "instance": ""} for a in answers]
                assert bodies[0] == bodies[1]


async def test_cross_site_calls_are_refused(system: System) -> None:
    """A page of another site cannot sign a visitor in or use the visitor's cookie."""
    email = fresh_email()
    async with system.http(headers=_json(system.origin("demo"))) as http:
        await _signed_up(system, http, email)
        evil = {"origin": "https://evil.example"}
        login = await http.post(
            "/api/auth/signin", json={"email": email, "password": PASSWORD}, headers=evil
        )
        revoke = await http.post("/api/sessions/revoke-all", json={}, headers=evil)
        form = await http.post("/api/auth/signin", data={"email": email, "password": PASSWORD})

    assert [answer.status_code for answer in (login, revoke, form)] == [403, 403, 422]


async def test_administration(system: System) -> None:
    """The application's backend creates, finds, changes, invites and deletes users with its key."""
    email = fresh_email()
    async with system.backend() as admin:
        made = await admin.post("/api/users", json={"email": email, "password": PASSWORD})
        id = made.json()["id"]
        found = await admin.get("/api/users/by-email", params={"email": email.upper()})
        changed = await admin.put(
            f"/api/users/{id}", json={"name": "Eve", "public_metadata": {"plan": "pro"}}
        )
        listed = await admin.get("/api/users", params={"search": email})
        taken = await admin.post("/api/users", json={"email": email})
        wrong = await admin.post("/api/users", json={"email": "no address", "password": "hunter2!"})
        invited = await admin.post("/api/users/invitations", json={"email": fresh_email("inv")})
        gone = await admin.delete(f"/api/users/{id}")
        after = await admin.get(f"/api/users/{id}")
        async with system.http(headers=_json(system.origin("demo"))) as nobody:
            refused = await nobody.get("/api/users")

    assert made.status_code == 201
    assert found.json()["id"] == id
    assert (changed.json()["name"], changed.json()["public_metadata"]) == ("Eve", {"plan": "pro"})
    assert [user["id"] for user in listed.json()["users"]] == [id]
    assert (taken.status_code, taken.json()["code"]) == (409, "email_taken")
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["field"] == "email"
    assert "hunter2" not in wrong.text
    assert invited.json()["status"] == "pending"
    assert (gone.status_code, after.status_code, refused.status_code) == (200, 404, 401)


async def test_invitation_by_mail(system: System) -> None:
    """An invited user follows the link of the mail and is signed in."""
    email = fresh_email("invited")
    async with system.backend() as admin:
        await admin.post("/api/users/invitations", json={"email": email})
    mails: list[dict[str, str]] = []
    while not mails:
        await asyncio.sleep(0.05)
        mails = await system.mails(email)
    found = re.search(r"/invitation\?token=([\w-]+)", mails[0]["text"])
    assert found is not None
    async with system.http(headers=_json(system.origin("demo"))) as http:
        offer = await http.post("/api/auth/invitation", json={"token": found[1]})
        done = await http.post(
            "/api/auth/invitation/accept", json={"token": found[1], "password": PASSWORD}
        )
        me = await http.get("/api/users/me")

    assert offer.json()["email"] == email
    assert done.json()["new_user"] is True
    assert me.json()["email"] == email


async def test_deleting_my_account(system: System) -> None:
    """The user's data come as one document. Then the account is gone, and the address can be used
    again."""
    email = fresh_email()
    async with system.http(headers=_json(system.origin("demo"))) as http:
        await _signed_up(system, http, email)
        data = (await http.get("/api/users/me/export")).json()
        done = await http.post("/api/users/me/delete", json={"password": PASSWORD})
        after = await http.get("/api/users/me")
        gone = await http.post("/api/auth/signin", json={"email": email, "password": PASSWORD})
    async with system.backend() as admin:
        again = await admin.post("/api/users", json={"email": email})

    assert data["user"]["email"] == email
    assert data["sessions"][0]["is_current"] is True
    assert (done.status_code, after.status_code, gone.status_code) == (200, 401, 401)
    assert again.status_code == 201

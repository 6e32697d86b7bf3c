"""An operator of a running platform finds a user of somebody else's application, and its team reads that."""

from __future__ import annotations

from tests.kit.dashboard_developer import developer
from tests.kit.system import PASSWORD, System, fresh_email

REASON = "ticket 4711"


async def test_a_user_is_found_and_seen(system: System) -> None:
    """Pages without scripts, over the bus with its rights: the search, the reason, the support view. The
    team's log has both events with the reason, and the address in neither."""
    email, wanted = fresh_email("boss"), fresh_email("mira")
    key = {"authorization": f"Bearer {system.deployment.operator_key()}"}
    async with system.http("dashboard", headers=key) as http:
        person = {"email": email, "password": PASSWORD, "email_verified": True}
        made = await http.post("/api/users", json=person)
        raised = await http.put(f"/api/platform/developers/{made.json()['id']}/operator")
        assert raised.status_code == 200, raised.text
    async with developer(system, "ada") as ada, system.browser("dashboard") as browser:
        secret = {"authorization": f"Bearer {ada.secret_key}"}
        async with system.http(ada.slug, headers=secret) as shop:
            made = await shop.post(
                "/api/users", json={"email": wanted, "profile": {"name": "Mira"}}
            )
            user_id = made.json()["id"]
            await browser.sign_in(email, PASSWORD)
            form = await browser.get("/dashboard/platform/users")
            result = await browser.submit(
                form, form.form("reason", "email"), reason=REASON, email=wanted
            )
            path = f"/users/{user_id}"
            link = next(part for part in result.text.split('"') if part.endswith(user_id))
            asks = await browser.get(link)
            view = await browser.submit(asks, asks.form("reason"), reason=REASON)
            audit = (await shop.get(f"/api{path}/audit")).json()["audit_logs"]

    assert "Mira" not in asks.text
    assert "Mira" in view.text
    assert wanted in view.text
    events = {event["event_type"]: event["event_data"] for event in audit}
    assert events["user_located"] == {"user_id": user_id, "reason": REASON}
    assert events["support_view_opened"]["reason"] == REASON
    assert wanted not in str(events)

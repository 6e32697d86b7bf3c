"""What the processes of a running deployment write."""

from __future__ import annotations

from tests.kit.deployments import Ability
from tests.kit.log_lines import lines
from tests.kit.nats_server import until
from tests.kit.system import PASSWORD, System, fresh_email


async def test_every_line_of_every_process_has_the_same_form(fragile: System) -> None:
    """Requests that succeed and fail, strangers, mail, a killed service and a restart: every line is
    JSON and names its time, level, event, service, version and replica. None has an address, a
    password, a key, a code or a session."""
    fragile.deployment.require(Ability.DATA_FOLDER)
    folder, email = fragile.deployment.folder, fresh_email()
    secrets = [email, PASSWORD, fragile.demo["secret_key"], "wrong horse"]
    async with fragile.browser() as ada, fragile.backend() as api:
        await ada.sign_up(email, PASSWORD)
        secrets += [cookie.value for cookie in ada.http.cookies.jar if cookie.value]
        secrets.append(await fragile.mailed_code(email))
        made = await api.post(
            "/api/users", json={"email": fresh_email("bob"), "password": PASSWORD}
        )
        assert made.status_code == 201, made.text
        again = await api.post("/api/users", json={"email": email, "password": PASSWORD})
        assert again.status_code == 409, again.text
        await api.post("/api/roles", json={"name": 7})
        await api.get("/api/nothing")
        await api.get("/", headers={"host": "nobody.example.com"})
        await ada.http.get("/api/users")
        await ada.http.post(
            "/oauth2/token",
            data={"grant_type": "authorization_code", "code": "stolen-code", "client_id": "x"},
        )
        fragile.deployment.kill("rbac")
        await api.get("/api/roles")
        await until(lambda: sum(line["event"] == "ready" for line in lines(folder)) > 5)
    fragile.deployment.pause()
    fragile.deployment.resume()

    written = lines(folder)
    text = "".join(
        file.read_text()
        for file in (folder / "logs").glob("*.log")
        if file.stem not in ("postgres", "nats")
    )
    assert {"http", "served", "ready"} <= {line["event"] for line in written}
    assert {"ok", "email_taken", "forbidden"} <= {
        line["outcome"] for line in written if line["event"] == "http"
    }
    assert [secret for secret in secrets if secret in text] == []

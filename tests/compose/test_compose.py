"""docker-compose.yml on a real engine: up, sign in, scale, restart, hardening."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.kit.compose import ROOT, Project, docker, engine_answers
from tests.kit.form_browser import browser, sign_in, submit

from aero2.nats_access import SERVICES

OURS = ("gateway", "identity", "oidc", "rbac", "tenancy", "mail", "proxy")

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Builds and starts the project, and removes it afterwards with its volumes."""
    if not engine_answers():
        pytest.skip("no Docker engine answers")
    made = Project(tmp_path_factory.mktemp("compose"))
    made.build()
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def demo(project: Project) -> dict[str, str]:
    """The demo application, created by the command of the README."""
    made: dict[str, str] = json.loads(project.compose("run", "--rm", "-T", "cli", "demo"))
    return made


def token(demo: dict[str, str]) -> httpx.Response:
    with browser() as client:
        return client.post(
            f"{demo['url']}/oauth2/token",
            auth=(demo["client_id"], demo["client_secret"]),
            data={"grant_type": "client_credentials"},
        )


def signs_in(demo: dict[str, str]) -> bool:
    """Signs the demo user in through the hosted pages."""
    with browser() as client:
        sign_in(client, demo["url"], demo["user"], demo["user_password"])
        return client.get(f"{demo['url']}/api/auth/session").status_code == 200


def test_all_is_healthy(project: Project) -> None:
    """Every lasting service is running and healthy. The two that run once ended with 0."""
    states = {each["Service"]: each for each in project.containers()}

    for name in (*OURS, "postgres", "nats"):
        assert (states[name]["State"], states[name]["Health"]) == ("running", "healthy"), name
    for name in ("migrate", "nats-volume"):
        assert (states[name]["State"], states[name]["ExitCode"]) == ("exited", 0), name


def test_nothing_runs_with_more_than_it_needs(project: Project) -> None:
    """No root, no writable root file system, no capability, no new privileges, restart on death."""
    for each in project.containers():
        if each["State"] != "running":
            continue
        inspected = json.loads(docker("inspect", each["ID"]))[0]
        host, name = inspected["HostConfig"], each["Service"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["RestartPolicy"]["Name"] == "unless-stopped", name
        account = docker("exec", each["ID"], "id", "-u").strip()
        assert account != "0", name


def test_only_the_proxy_and_the_mail_page_are_published(project: Project) -> None:
    """Only these two can be reached, and only from the host."""
    published = {
        (each["Service"], port["URL"])
        for each in project.containers()
        for port in each["Publishers"]
        if port["PublishedPort"]
    }

    assert published == {("proxy", "127.0.0.1"), ("mail", "127.0.0.1")}


def test_no_secret_is_in_the_image(project: Project) -> None:
    """Layers and history of the image contain no secret of the deployment, and no container has one in its
    environment. A gateway has its own two only."""
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", project.name)
    configured = json.loads(docker("image", "inspect", project.name))[0]["Config"]

    assert "PASSWORD" not in history
    assert not [e for e in configured["Env"] if "PASSWORD" in e or "KEY" in e]
    assert configured["User"] == "10001:10001"
    secrets = [file.read_text().strip() for file in project.secret_file("").iterdir()]
    for each in project.containers():
        inspected = docker("inspect", each["ID"])
        assert not any(secret in inspected for secret in secrets), each["Service"]
    seen = project.compose("exec", "-T", "gateway", "ls", "/run/secrets").split()
    assert seen == ["AERO2_MASTER_KEY", "NATS_GATEWAY_PASSWORD"]


def test_signing_in(project: Project, demo: dict[str, str]) -> None:
    """A user signs in and a client gets a token on the demo application's host."""
    assert signs_in(demo)
    answer = token(demo)
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "Bearer"


def test_the_demo_is_made_once(project: Project, demo: dict[str, str]) -> None:
    """A second run of the command says so, and the first demo still works."""
    project.compose("run", "--rm", "-T", "cli", "demo", check=False)

    assert token(demo).status_code == 200


def test_mail_arrives_in_the_catcher(project: Project, demo: dict[str, str]) -> None:
    """A mail that the platform sends can be read on the catcher's page."""
    with browser(follow_redirects=True) as client:
        page = submit(client, client.get(f"{demo['url']}/reset"), email=demo["user"])
    assert page.status_code == 200, page.text
    ends = time.monotonic() + 20
    found: list[Any] = []
    while not found and time.monotonic() < ends:
        page = httpx.get(f"http://127.0.0.1:{project.mail_port}/api/mails")
        found = [mail for mail in page.json()["mails"] if demo["user"] in mail["to"]]
        time.sleep(0.2)

    assert found


def test_replicas_share_the_work(project: Project, demo: dict[str, str]) -> None:
    """Two gateways and three of identity run behind the proxy. Both gateways answer, and every
    request is answered even after one of each is killed."""
    project.up("--scale", "gateway=2", "--scale", "identity=3")
    running = [each for each in project.containers() if each["State"] == "running"]
    gateways = [each["ID"] for each in running if each["Service"] == "gateway"]
    identities = [each["ID"] for each in running if each["Service"] == "identity"]
    assert (len(gateways), len(identities)) == (2, 3)
    time.sleep(3)  # The proxy looks for gateways every two seconds.

    before = [received(each) for each in gateways]
    assert all(signs_in(demo) for _ in range(4))
    answers = {token(demo).status_code for _ in range(60)}
    after = [received(each) for each in gateways]

    assert answers == {200}
    assert all(more > less for less, more in zip(before, after, strict=True))
    docker("kill", gateways[0], identities[0])
    time.sleep(3)
    assert {token(demo).status_code for _ in range(10)} == {200}
    assert signs_in(demo)


def received(container: str) -> int:
    """Returns the number of requests that a gateway has logged."""
    return docker("logs", container).count('"status"')


def test_postgres_and_nats_come_back(project: Project, demo: dict[str, str]) -> None:
    """After a restart of both the platform answers again, with its data."""
    project.compose("restart", "--timeout", "10", "postgres", "nats")
    ends = time.monotonic() + 60
    while (answer := token(demo)).status_code != 200:
        assert answer.status_code in (502, 503, 504), answer.text
        assert time.monotonic() < ends
        time.sleep(0.3)

    assert signs_in(demo)


def started(project: Project) -> dict[str, str]:
    """Returns when each container was started."""
    return {
        each["Name"]: json.loads(docker("inspect", each["ID"]))[0]["State"]["StartedAt"]
        for each in project.containers()
        if each["State"] == "running"
    }


@contextmanager
def load(demo: dict[str, str]) -> Iterator[Counter[int]]:
    """Asks for tokens until the block is left. Counts the answers by their status."""
    answers: Counter[int] = Counter()
    end = threading.Event()

    def work() -> None:
        while not end.is_set():
            answers[token(demo).status_code] += 1

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        yield answers
    finally:
        end.set()
        for worker in workers:
            worker.join()


def opens_the_database(project: Project, role: str, password: str) -> bool:
    command = [
        "psql",
        "--host=postgres",
        f"--username={role}",
        "--dbname=aero2",
        "--command=SELECT 1",
    ]
    given = ("exec", "-T", "--env", f"PGPASSWORD={password}", "postgres")
    return "1 row" in project.compose(*given, *command, check=False)


def opens_nats(project: Project, secret: str) -> bool:
    """Returns whether NATS takes a line of the file of rbac's login."""
    script = (
        "import asyncio, sys\n"
        "from aero2.embedded.nats import lets_in\n"
        "from common.nats_logins import parse_login\n"
        "login = parse_login('rbac', sys.argv[1])\n"
        "print('taken', asyncio.run(lets_in('nats://nats:4222', *login)))"
    )
    return "taken True" in project.compose("exec", "-T", "rbac", "python", "-c", script, secret)


@pytest.mark.long
@pytest.mark.parametrize("what", ["database", "nats", "owner"])
def test_passwords_are_replaced_under_load(
    project: Project, demo: dict[str, str], what: str
) -> None:
    """By the command of the documentation, without a failed request and without a restart. Afterwards the former
    passwords open nothing, and a deployment that starts again has the new ones."""
    role = {"database": "aero2_rbac", "owner": "postgres"}.get(what)
    name = {"database": "AERO2_RBAC_PASSWORD", "owner": "POSTGRES_PASSWORD"}.get(
        what, "NATS_RBAC_PASSWORD"
    )
    former, before = project.secret(name), started(project)
    with load(demo) as answers:
        project.compose("run", "--rm", "-T", "secrets", "rotate", what)

    assert set(answers) == {200}, answers
    assert answers[200] > 10
    assert started(project) == before
    assert project.secret(name) != former
    assert len(project.secret_file(name).read_text().splitlines()) == 1
    if role:
        assert opens_the_database(project, role, project.secret(name))
        assert not opens_the_database(project, role, former)
    else:
        assert project.secret(name).startswith("rbac-2:")
        assert opens_nats(project, project.secret(name))
        assert not opens_nats(project, former)
        project.up()
        project.compose("restart", "--timeout", "10", "nats", "rbac")
        project.up()
    assert token(demo).status_code == 200
    assert signs_in(demo)


def test_without_secrets_nothing_starts(project: Project, tmp_path: Path) -> None:
    """An empty .env is refused by name, because no secret has a default."""
    empty = tmp_path / ".env"
    empty.write_text("")
    command = ["docker", "compose", "--env-file", str(empty), "config", "--quiet"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert refused.returncode != 0
    assert "compose-env" in refused.stderr


def test_one_container_takes_over_from_all_services(project: Project, demo: dict[str, str]) -> None:
    """The profile `together`, switched on as the documentation says: the containers of single services
    go, the one that runs all of them is healthy, and people sign in as before."""
    project.set(COMPOSE_PROFILES="together", AERO2_SEPARATE="0", AERO2_WORKERS="2")
    project.up()
    states = {each["Service"]: each for each in project.containers()}

    assert (states["together"]["State"], states["together"]["Health"]) == ("running", "healthy")
    assert states["proxy"]["Health"] == "healthy"
    assert not set(SERVICES) & {name for name, each in states.items() if each["State"] == "running"}
    assert signs_in(demo)
    assert token(demo).status_code == 200
    host = json.loads(docker("inspect", states["together"]["ID"]))[0]["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"]) == (True, ["ALL"], None)

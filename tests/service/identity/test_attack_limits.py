"""Limits across replicas, captcha, proof of work, breached passwords, fair queues, equal timing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import pytest
from tests.kit.callers import PASSWORD
from tests.kit.world import KEYS, World

from common import captcha_secret
from common.attempt_limits import AttemptLimit, Limits
from common.contracts.app_settings import Captcha
from common.contracts.email_codes import StartEmailCode
from common.contracts.passwords import CheckPassword, SignInWithPassword, WeakPassword
from common.contracts.protection import CaptchaFailed, GetProtection
from common.contracts.sign_in import WrongCredentials
from common.hash_pool import FairPool
from common.outgoing_http import OutgoingHttp
from common.problems import Busy, RateLimited, Unavailable
from common.testing import context
from identity.hashing import Hashing

from .conftest import proof_of_work

THREE = AttemptLimit("three", 3, 60)


async def test_replicas_share_a_limit(world: World) -> None:
    """Two processes share one exact count, however many requests come at once."""
    replicas = [Limits(world.identity.db, KEYS), Limits(world.identity.db, KEYS)]
    outcomes = await asyncio.gather(
        *(replicas[n % 2].count(context(world.app_id), (THREE, "x")) for n in range(20)),
        return_exceptions=True,
    )

    assert sum(outcome is None for outcome in outcomes) == 3
    assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 17


async def test_a_limit_ends_with_its_window_and_is_one_applications(world: World) -> None:
    """The count starts at zero after the window. Other applications and other users have counts of
    their own."""
    limits = world.identity.limits
    for _ in range(3):
        await limits.count(context(world.app_id), (THREE, "x"))
    with pytest.raises(RateLimited) as caught:
        await limits.count(context(world.app_id), (THREE, "x"))
    await limits.count(context(world.other_app_id), (THREE, "x"))
    await limits.count(context(world.app_id), (THREE, "y"))
    await world.owner.execute(
        "UPDATE rate_limits SET expires_at = now() WHERE app_id = $1", world.app_id
    )
    await limits.count(context(world.app_id), (THREE, "x"))

    assert 55 <= caught.value.extra["retry_after"] <= 60
    keys = await world.owner.fetch("SELECT key FROM rate_limits WHERE app_id = $1", world.app_id)
    assert all(row["key"].startswith("three:k1.") for row in keys)  # not the address itself


async def test_proof_of_work(world: World) -> None:
    """Without the proof no mail is sent. A proof counts once, for one application, for a limited
    time."""
    world.configure(world.app_id, proof_of_work_bits=8)
    world.configure(world.other_app_id, proof_of_work_bits=8)
    request = StartEmailCode(email="eve@example.com")
    assert isinstance(await world.refused(request), CaptchaFailed)
    challenge = (await world.call(GetProtection())).proof_challenge or ""
    proof = proof_of_work(challenge, 8)
    assert isinstance(
        await world.refused(request.model_copy(update={"proof": proof}), app_id=world.other_app_id),
        CaptchaFailed,
    )
    await world.call(request.model_copy(update={"proof": proof}))

    assert isinstance(
        await world.refused(request.model_copy(update={"proof": proof})), CaptchaFailed
    )
    for bad in (f"{challenge}:x", "a.b.c:1", f"9999999999.x.y:{1}", ":", "é.é.é:1"):
        problem = await world.refused(request.model_copy(update={"proof": bad}))
        assert isinstance(problem, CaptchaFailed), bad
    assert len(await world.mails()) == 1


@dataclass
class Outside:
    """A server that verifies captchas and knows breached passwords."""

    url: str = ""
    forms: list[dict[str, str]] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    stolen: str = "some quite long phrase here"


@pytest.fixture
def outside() -> Iterator[Outside]:
    found = Outside()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            found.forms.append(dict(parse_qsl(body)))
            passed = found.forms[-1].get("response") == "human"
            self._answer(json.dumps({"success": passed}))

        def do_GET(self) -> None:
            found.ranges.append(self.path.rpartition("/")[2])
            digest = hashlib.sha1(found.stolen.encode()).hexdigest().upper()
            self._answer("\r\n".join(["0" * 35 + ":0", f"{digest[5:]}:77"]))

        def _answer(self, text: str) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Writes no log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


async def test_captcha(world: World, outside: Outside) -> None:
    """A Turnstile-compatible service gets the secret, the answer and the network address. Without
    an answer it is not called, and while it is down the request is refused."""
    captcha = Captcha(verify_url=f"{outside.url}/verify", site_key="site", secret="s3cret")
    async with world.identity.db.transaction(context(world.app_id)) as tx:
        stored = await captcha_secret.sealed(
            world.identity.sealer,
            tx,
            world.app_id,
            stored={},
            settings={"captcha": captcha.model_dump()},
        )
    captcha = Captcha(**stored["captcha"])
    world.configure(world.app_id, captcha=captcha)
    request = StartEmailCode(email="eve@example.com")
    assert isinstance(await world.refused(request), CaptchaFailed)
    assert outside.forms == []
    assert isinstance(
        await world.refused(request.model_copy(update={"captcha": "robot"})), CaptchaFailed
    )
    await world.call(request.model_copy(update={"captcha": "human"}))
    away = captcha.model_copy(update={"verify_url": "http://127.0.0.1:9/verify"})
    world.configure(world.app_id, captcha=away)
    problem = await world.refused(request.model_copy(update={"captcha": "human"}))

    assert outside.forms[-1] == {
        "secret": "s3cret", "response": "human", "remoteip": "203.0.113.7"
    }  # fmt: skip
    assert isinstance(problem, Unavailable)


async def test_breached_passwords(world: World, outside: Outside) -> None:
    """If a setting says so, a breached password is refused, and only five digits of its hash are
    sent. A service that is down blocks no password."""
    before = world.identity.breach_url
    world.replace_deps("identity", breach_url=f"{outside.url}/range/")
    try:
        await world.call(CheckPassword(password=outside.stolen))
        assert outside.ranges == []
        world.configure(world.app_id, password_breach_check=True)
        problem = await world.refused(CheckPassword(password=outside.stolen))
        await world.call(CheckPassword(password="some other unheard of phrase"))
        world.replace_deps("identity", breach_url="http://127.0.0.1:9/")
        await world.call(CheckPassword(password=outside.stolen))
    finally:
        world.replace_deps("identity", breach_url=before)

    assert isinstance(problem, WeakPassword)
    assert [len(prefix) for prefix in outside.ranges] == [5, 5]


async def test_a_captcha_on_the_inside_is_not_called(world: World, outside: Outside) -> None:
    """If private addresses are not permitted, a stored private address is not called and the
    captcha fails."""
    captcha = Captcha(verify_url=f"{outside.url}/verify", site_key="site")
    world.configure(world.app_id, captcha=captcha)
    before = world.identity.http
    world.replace_deps("identity", http=OutgoingHttp())
    try:
        problem = await world.refused(StartEmailCode(email="eve@example.com", captcha="human"))
    finally:
        world.replace_deps("identity", http=before)

    assert isinstance(problem, Unavailable)
    assert outside.forms == []


async def test_one_attacked_application_does_not_starve_the_others() -> None:
    """During a flood of sign-ins to one application, each of twenty other applications waits for
    one turn only. The flood is refused above its share."""
    pool = FairPool(threads=1, per_app=16, total=256)
    order: list[str] = []

    def work(name: str) -> None:
        time.sleep(0.001)
        order.append(name)

    async def ask(name: str) -> str:
        try:
            await pool.run(name, lambda: work(name))
        except Busy:
            return "busy"
        return "done"

    flood = [asyncio.create_task(ask("attacked")) for _ in range(200)]
    await asyncio.sleep(0)
    quiet = [asyncio.create_task(ask(f"quiet {n}")) for n in range(20)]
    outcomes = await asyncio.gather(*flood)
    assert await asyncio.gather(*quiet) == ["done"] * 20

    assert outcomes.count("busy") >= 180
    last_quiet = max(at for at, name in enumerate(order) if name != "attacked")
    assert order[: last_quiet + 1].count("attacked") <= 4
    pool.close()


@pytest.mark.long
async def test_known_and_unknown_take_equally_long(world: World) -> None:
    """The times of a wrong password for a known and an unknown address overlap: their medians
    differ by less than their spread."""
    hashing = Hashing(FairPool(threads=1))
    known = await world.user()
    scale = world.identity.limits.scale
    object.__setattr__(world.identity.limits, "scale", 0.0)
    times: dict[bool, list[float]] = {True: [], False: []}
    try:
        for number in range(60):
            is_known = number % 2 == 0
            email = (known.email or "") if is_known else f"n{number}@example.com"
            await world.owner.execute("DELETE FROM sign_in_guards WHERE app_id = $1", world.app_id)
            started = time.perf_counter()
            problem = await world.refused(SignInWithPassword(email=email, password=PASSWORD + "x"))
            times[is_known].append(time.perf_counter() - started)
            assert isinstance(problem, WrongCredentials)
    finally:
        object.__setattr__(world.identity.limits, "scale", scale)
        hashing.pool.close()
    medians = [statistics.median(found) for found in times.values()]
    spreads = [statistics.quantiles(found, n=10)[-1] - min(found) for found in times.values()]

    assert abs(medians[0] - medians[1]) < max(spreads), (medians, spreads)

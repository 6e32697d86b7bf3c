"""Answers the questions of a customer's NATS servers. Several processes share them by a queue group."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from callout import connecting, connection_attempt
from callout.answers import Answers
from callout.connect_limits import ConnectLimits
from callout.connecting import ConnectingIdentities, ConnectingIdentity, Refused
from callout.connection_attempt import ConnectionAttempt
from callout.nats_jwt import BadNatsToken
from callout.sealed_messages import NotEncrypted, SealedMessages
from callout.settings import CalloutSettings
from common import logs
from common.nats_tls import client_context
from common.problems import Problem
from common.secret_files import current
from common.settings import servers

log = logs.get(__name__)

SUBJECT: Final = "$SYS.REQ.USER.AUTH"
SERVER_XKEY: Final = "Nats-Server-Xkey"
QUEUE: Final = "aero2"
AT_ONCE: Final = 1000
"""Questions at once. One beyond them is refused: the server would not wait for it."""
PAUSE: Final = 1.0
"""Seconds until a lost connection is tried again, after nats-py has given up."""
LAST_ANSWERS: Final = 1.0
"""Seconds for answers under way when the process ends."""


@dataclass
class Responder:
    """A connection to the callout account of a customer's servers."""

    settings: CalloutSettings
    identities: ConnectingIdentities
    answers: Answers
    sealed: SealedMessages
    limits: ConnectLimits
    nc: Client = field(default_factory=Client)
    questions: Subscription | None = None
    """While there is a connection."""
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    def of(cls, settings: CalloutSettings, identities: ConnectingIdentities) -> Responder:
        """Returns a responder with what the settings say."""
        return cls(
            settings,
            identities,
            Answers(settings, settings.issuer),
            SealedMessages(settings.xkey),
            ConnectLimits(settings.callout_connects_per_minute),
        )

    async def run(self) -> None:
        """Answers until cancelled. Connects again for ever."""
        while True:
            closed = asyncio.Event()
            self.nc = Client()
            try:
                await self._connect(closed)
                await closed.wait()
            except (nats.errors.Error, OSError, TimeoutError) as error:
                log.warning("callout.no_server", error=type(error).__name__)
            finally:
                await self._leave()
            await asyncio.sleep(PAUSE)

    async def _connect(self, closed: asyncio.Event) -> None:
        async def lost() -> None:
            log.warning("callout.disconnected")

        async def back() -> None:
            log.info("callout.reconnected")

        async def end() -> None:
            closed.set()

        async def failed(error: Exception) -> None:
            log.warning("callout.error", error=type(error).__name__, detail=str(error)[:200])

        await self.nc.connect(
            servers(self.settings.callout_servers),
            name="aero2-callout",
            user=self.settings.callout_user,
            password=current(self.settings.callout_password),
            tls=client_context(self.settings.callout_ca_file),
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.05,  # type: ignore[arg-type] # sooner than those who ask
            ping_interval=3,
            max_outstanding_pings=2,
            connect_timeout=2,
            disconnected_cb=lost,
            reconnected_cb=back,
            closed_cb=end,
            error_cb=failed,
        )
        self.questions = await self.nc.subscribe(SUBJECT, queue=QUEUE, cb=self._asked)
        await self.nc.flush()
        log.info("callout.connected")

    async def _leave(self) -> None:
        """Takes no more questions, and finishes the answers under way."""
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
            async with asyncio.timeout(LAST_ANSWERS):
                if self.questions is not None and self.nc.is_connected:
                    await self.questions.unsubscribe()
                    await self.nc.flush()
                if self._running:
                    await asyncio.wait(self._running)
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
            async with asyncio.timeout(LAST_ANSWERS):
                await self.nc.close()
        self.questions = None

    async def _asked(self, msg: Msg) -> None:
        """Starts the answer to a question: nats-py waits for this before it hands out the next."""
        task = asyncio.create_task(self._answer(msg, busy=len(self._running) >= AT_ONCE))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _answer(self, msg: Msg, *, busy: bool) -> None:
        server_xkey = (msg.headers or {}).get(SERVER_XKEY)
        try:
            content = self.sealed.open(msg.data, server_xkey)
            assert server_xkey is not None
            request = connection_attempt.read(content, server_xkey)
        except (NotEncrypted, BadNatsToken) as error:
            # There is no key to answer with. The server refuses the client when its time is over.
            log.warning("callout.refused", reason=str(error))
            return
        answer = await self._decide(request, busy=busy)
        with contextlib.suppress(nats.errors.Error, OSError):
            await msg.respond(self.sealed.seal(answer.encode(), server_xkey))

    async def _decide(self, request: ConnectionAttempt, *, busy: bool) -> str:
        started, facts = time.perf_counter(), dict[str, Any]()
        now = int(time.time())
        try:
            if busy:
                raise Refused("too many connect at once")
            identity = await self._admitted(request, facts)
            answer, outcome = self.answers.admit(request, identity, now=now), "ok"
        except Refused as refusal:
            answer, outcome = self.answers.refuse(request, str(refusal), now=now), str(refusal)
        except Problem as problem:
            answer = self.answers.refuse(request, "Aero2 cannot answer now", now=now)
            outcome = problem.code
        except Exception:
            log.exception("callout failed")
            answer, outcome = self.answers.refuse(request, "internal", now=now), "internal"
        took = round((time.perf_counter() - started) * 1000, 2)
        host = request.client_info.host
        log.info("callout", outcome=outcome, ip=host, ms=took, **facts)
        return answer

    async def _admitted(
        self, request: ConnectionAttempt, facts: dict[str, Any]
    ) -> ConnectingIdentity:
        """Returns who connects. Raises Refused, and Problem if a service is away."""
        options = request.connect_opts
        identity = await self.identities.find(options.credential, options.user)
        facts |= {"app_id": identity.app_id, "caller": identity.kind}
        connecting.check_rights(identity)
        if identity.expires_at - time.time() < 1:
            raise Refused("the token has expired")
        if not self.limits.admit((identity.app_id, identity.id)):
            raise Refused("this user connects too often")
        return identity

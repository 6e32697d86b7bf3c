"""`python -m callout`: answers NATS servers of a customer that ask who connects (auth callout).

A process of its own, with a NATS user of its own on our bus, so that nothing of it is in the way of
sign-ins. It has no database.
"""

from __future__ import annotations

from callout.connecting import ConnectingIdentities
from callout.responder import Responder
from callout.settings import CalloutSettings
from common.bus import Handlers
from common.connections import Connections
from common.service import ServiceProgram, run


async def start(settings: CalloutSettings, links: Connections) -> tuple[Responder, Handlers]:
    """Starts to answer. It answers no contract of our bus."""
    identities = ConnectingIdentities(settings, links.bus, links.tenants)
    links.invalidation.listeners.append(identities.invalidate)
    links.on_reconnect.append(identities.forget_all)
    responder = Responder.of(settings, identities)
    links.spawn(responder.run(), "callout")
    return responder, {}


SERVICE = ServiceProgram("callout", CalloutSettings, start)

if __name__ == "__main__":
    run(SERVICE)

"""What a running platform is given at every start of `aero2 up`: demo application, owner link."""

from __future__ import annotations

from aero2 import demo
from aero2.connection import connected
from aero2.owner import owner_link
from aero2.platform import Platform
from aero2.summary import Summary


async def prepare(platform: Platform) -> Summary:
    """The demo application, the same as ever, and a fresh owner link."""
    secrets = platform.secrets

    def keep(known: demo.Known) -> None:
        if known != secrets.demo:
            secrets.demo = dict(known)
            secrets.keep(platform.folder)

    async with connected(platform.nats.url, secrets.nats["cli"]) as bus:
        made = await demo.ensure(bus, secrets.demo, keep)
        link = await owner_link(bus)
    return Summary(
        dashboard_url=f"{platform.scheme}://dashboard.{platform.authority}",
        owner_link=link,
        mail_url=platform.mail_url,
        domain=platform.authority,
        demo=made,
        port=platform.port,
        folder=platform.folder.root,
        ca=platform.caddy.authority if platform.caddy else None,
    )

"""A developer who looks at their application on the Dashboard."""

from __future__ import annotations

from dataclasses import dataclass

from bench.dashboard_pages import developer_session
from bench.deployment import Deployment
from bench.http import Connection


@dataclass
class Developer:
    """A signed-in developer with an application. `looked` counts the pages."""

    port: int
    cookies: dict[str, str]
    slug: str
    looked: int = 0

    @property
    def path(self) -> str:
        return f"/dashboard/applications/{self.slug}"

    def connection(self) -> Connection:
        """Returns a connection with the cookies of the session."""
        return Connection(self.port, f"dashboard.localhost:{self.port}", dict(self.cookies))


async def signed_in_developer(deployment: Deployment) -> Developer:
    """Creates a developer with an application."""
    cookies, slug = await developer_session(deployment)
    return Developer(deployment.port, cookies, slug)

"""httpx, for outgoing calls: `from common.http import httpx`."""

from common.lean import without

with without("click", "pygments", "rich"):
    import httpx

__all__ = ["httpx"]

"""Protected resource metadata: where it is, and whether it is about the resource that was asked
(RFC 9728 section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


class WrongResource(ValueError):
    """The metadata is that of another resource. Its authorization server must not be used."""


def metadata_url(resource: str) -> str:
    """Returns the URL of a resource's metadata: the well-known path stands between the host and the
    path (RFC 9728 section 3.1). Raises ValueError if the resource is no URL of a web server."""
    parts = web_parts(resource)
    path = "" if parts.path == "/" else parts.path
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{path}{query}"


def check_metadata(document: Mapping[str, Any], resource: str) -> None:
    """Checks that metadata is about the resource whose URL it was fetched for (RFC 9728 section 3.3).

    An empty path equals `/`. Raises WrongResource.
    """
    named = document.get("resource")
    if not isinstance(named, str) or same_resource(named) != same_resource(resource):
        raise WrongResource(f"the metadata is not that of {resource}")


def same_resource(uri: str) -> str:
    """Returns the identifier to compare: an empty path equals `/` (RFC 3986 section 6.2.3)."""
    parts = urlsplit(uri)
    return f"{uri}/" if parts.netloc and not parts.path and not parts.query else uri


def web_parts(resource: str) -> SplitResult:
    """Returns the parts of a resource's URL. Raises ValueError if it is no URL of a web server."""
    parts = urlsplit(resource)
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(f"{resource} is no URL of a web server")
    if "#" in resource:
        raise ValueError(f"{resource} has a fragment (RFC 8707 section 2)")
    return parts

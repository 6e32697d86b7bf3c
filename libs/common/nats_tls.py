"""TLS between a process and the NATS servers."""

from __future__ import annotations

import ssl
from pathlib import Path


def client_context(ca_file: str | None) -> ssl.SSLContext | None:
    """Returns a context that trusts the authority of a file, and no other, or None without a file.

    With a context a connection without TLS is refused. Raises ValueError if the file has no certificate.
    """
    if ca_file is None:
        return None
    try:
        context = ssl.create_default_context(cadata=Path(ca_file).read_text(encoding="ascii"))
    except (OSError, ssl.SSLError, ValueError) as error:
        raise ValueError(f"{ca_file} has no certificate that can be read: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context

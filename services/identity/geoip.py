"""The place of an IP address, from a file of the operator: MaxMind's City format (GeoLite2, GeoIP2,
DB-IP City)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

import maxminddb

from common import logs

log = logs.get(__name__)

MAX_LENGTH: Final = 120
LANGUAGE: Final = "en"
"""One language for all: a session's place is also read by administrators."""


class BadGeoipFile(ValueError):
    """The file is missing, unreadable or not in MaxMind's format."""


@dataclass(frozen=True)
class GeoipDatabase:
    """Looks up places. Without a reader, no address has a place."""

    reader: maxminddb.Reader | None = None

    @classmethod
    def open(cls, path: str) -> GeoipDatabase:
        """Maps the file into memory: the processes of a machine share its pages. Raises
        BadGeoipFile."""
        try:
            reader = maxminddb.open_database(path, maxminddb.MODE_AUTO)
        except OSError as error:
            raise BadGeoipFile(f"the file cannot be read: {error.strerror or error}") from None
        except (maxminddb.InvalidDatabaseError, ValueError):
            raise BadGeoipFile("the file is not a database in MaxMind's format") from None
        return cls(reader)

    def place(self, ip: str | None) -> str | None:
        """Returns "Berlin, Germany", in English. Returns None if the file does not know the address,
        and for an address that is not public. Never raises: a sign-in does not depend on the file."""
        if self.reader is None or ip is None:
            return None
        try:
            address = ip_address(ip)
            record = self.reader.get(address) if address.is_global else None
        except Exception as error:  # a damaged part of the file, in many ways
            log.warning("geoip_lookup_failed", error=type(error).__name__)
            return None
        names = [_name(record, part) for part in ("city", "country")]
        return ", ".join(name for name in names if name)[:MAX_LENGTH] or None


def _name(record: Any, part: str) -> str | None:
    """Returns the name of the record's city or country, or None."""
    for key in (part, "names", LANGUAGE):
        record = record.get(key) if isinstance(record, dict) else None
    return record if isinstance(record, str) and record.isprintable() else None

"""Files of places in MaxMind's City format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet


def city(name: str, country: str) -> dict[str, Any]:
    """Returns an entry as GeoLite2-City has it."""
    return {
        "city": {"geoname_id": 1, "names": {"de": f"{name} (de)", "en": name}},
        "country": {"iso_code": "XX", "names": {"de": f"{country} (de)", "en": country}},
        "location": {"latitude": 52.5, "longitude": 13.4},
    }


def write_places(path: Path, entries: dict[str, Any]) -> None:
    """Writes a file with an entry for each network."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="GeoLite2-City")
    for network, entry in entries.items():
        writer.insert_network(IPSet([network]), entry)
    writer.to_db_file(str(path))

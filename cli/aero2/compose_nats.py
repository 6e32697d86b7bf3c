"""`python -m aero2.compose_nats`: prepares the volumes of NATS in docker-compose.yml, before it starts.

It writes the configuration from the files of the passwords and from the rights that the code needs, and gives
everything to the account of NATS.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from aero2.failures import CommandError
from aero2.nats_file_passwords import LoginFiles

ACCOUNT: Final = 1000
"""The user and the group of the container of NATS."""
STORE: Final = Path("/data")


def main() -> None:
    """Writes the configuration. Exits with 1 and a sentence if a file of a password is missing."""
    try:
        logins = LoginFiles.of_environment()
        logins.write_configuration()
    except CommandError as error:
        sys.exit(str(error))
    for place in (STORE, logins.configuration):
        os.chown(place, ACCOUNT, ACCOUNT)


if __name__ == "__main__":
    main()

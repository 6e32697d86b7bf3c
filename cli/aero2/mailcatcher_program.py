"""The process that receives mail under `aero2 up`."""

from __future__ import annotations

import os
import sys

from aero2.embedded.ports import Ports
from aero2.program import SERVICES, Program, answers


def mail_catcher(ports: Ports) -> Program:
    """Returns the mail catcher on its two open ports."""
    smtp, page = ports.sockets["smtp"], ports.sockets["mail"]
    sockets = {
        "AERO2_MAIL_SMTP_FD": str(smtp.fileno()),
        "AERO2_MAIL_PAGE_FD": str(page.fileno()),
    }

    async def answering() -> bool:
        return await answers(ports.number["mail"], "/health", "localhost")

    return Program(
        "mail",
        [sys.executable, "-m", "aero2.mailcatcher"],
        os.environ | sockets,
        ready=answering,
        stage=SERVICES,
        sockets=(smtp, page),
    )

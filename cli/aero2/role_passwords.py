"""The passwords of our database roles, in the environment or in the files that it names.

`AERO2_IDENTITY_PASSWORD` is that of the role `aero2_identity` in each cluster. `AERO2_IDENTITY_PASSWORD_WEST` is for
the cluster `west` alone.
"""

from __future__ import annotations

import os

from aero2.secret_variables import password_of
from common.homes import MAIN
from common.secret_files import SUFFIX


def password_variable(role: str, cluster: str = MAIN) -> str:
    """Returns the variable that has the password of a role in a cluster."""
    shared = f"AERO2_{role.upper()}_PASSWORD"
    own = f"{shared}_{cluster.upper()}"
    is_own = cluster != MAIN and (os.environ.get(own) or os.environ.get(own + SUFFIX))
    return own if is_own else shared


def role_password(role: str, cluster: str = MAIN) -> str:
    """Returns the password of a role in a cluster, of several lines the first; an empty text if there is none.
    Raises BadSecret."""
    return password_of(password_variable(role, cluster))

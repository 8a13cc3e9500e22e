"""The OAuth client of the user: from the environment, else from sentinelhub-py's own configuration file.

It is read where it is needed, in the task that sends a request. It is in no setting, no pickle, no message.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from geocollateral.errors import InvalidInput

VARIABLES = ("SH_CLIENT_ID", "SH_CLIENT_SECRET")


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Client id and secret. Neither shows in a representation."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)

    def scrub(self, text: str) -> str:
        """The text without them, should a service have sent them back."""
        for secret in (self.client_secret, self.client_id):
            text = text.replace(secret, "***")
        return text

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("Credentials are read in the task that needs them; they are never pickled.")


def read_credentials(profile: str | None) -> Credentials:
    """Credentials of the user.

    Parameters
    ----------
    profile
        Of sentinelhub-py's configuration file; None for its default (or the variable ``SH_PROFILE``).

    Raises
    ------
    InvalidInput
        There are none, or the file lacks the profile.
    """
    client_id, client_secret = (os.environ.get(name, "") for name in VARIABLES)
    if (profile is not None or not (client_id and client_secret)) and (found := _from_file(profile)) is not None:
        client_id, client_secret = found
    if not (client_id and client_secret):
        raise InvalidInput(
            f"Sentinel Hub needs an OAuth client: set {' and '.join(VARIABLES)} in the environment, or run "
            "sentinelhub.config. They are never read from settings of geocollateral."
        )
    return Credentials(client_id=client_id, client_secret=client_secret)


def _from_file(profile: str | None) -> tuple[str, str] | None:
    from sentinelhub.config import SHConfig

    # Looked at first: the library writes a file of defaults where it finds none.
    if not Path(SHConfig.get_config_location()).is_file():
        if profile is not None:
            raise InvalidInput(f"sentinelhub-py has no configuration file, so no profile {profile!r}.")
        return None
    try:
        config = SHConfig.load(profile or os.environ.get("SH_PROFILE"))
    except KeyError as error:
        raise InvalidInput(f"sentinelhub-py's configuration file has no profile {profile!r}.") from error
    return config.sh_client_id, config.sh_client_secret

"""The networks whose owners object to the sale of their data: not to be located for advertising.

https://dev.maxmind.com/geoip/privacy-exclusions-api
"""

from __future__ import annotations

import ipaddress
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dsr.errors import VendorAnswerUnexpected
from integrations.maxmind.settings import MaxmindSettings
from integrations.transport import Transport

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ExclusionsApi:
    """Args:
    settings: name account, key and host.
    """

    def __init__(self, settings: MaxmindSettings) -> None:
        auth = (settings.account_id, settings.license_key.get_secret_value())
        self._http = Transport("maxmind", settings.api_url, auth=auth)

    def networks(self) -> list[Network]:
        """The whole list. Always the whole: what is taken off it is not told by `updates_after`.

        Entries of other kinds than networks may be added to the format and are left out, as MaxMind asks.

        Raises:
            VendorError: the list was not read, or a network in it could not be; use the last one.
        """
        body = self._http.call("GET", "privacy/exclusions").json()
        entries = body.get("exclusions") if isinstance(body, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise VendorAnswerUnexpected("maxmind", "answered without a list of exclusions")
        try:
            found = {
                ipaddress.ip_network(str(e["value"]), strict=False) for e in entries if e["data_type"] == "network"
            }
        except (KeyError, ValueError):
            raise VendorAnswerUnexpected("maxmind", "an exclusion that is not a network") from None
        return sorted(found, key=lambda n: (n.version, n.network_address.packed, n.prefixlen))


def write(file: Path, networks: Sequence[Network]) -> None:
    """Replace the file in one step, so that a reader never sees half a list. Only its owner can read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)  # made with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as new:
            new.write("".join(f"{network}\n" for network in networks))
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise

"""MaxMind's variables."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import SecretStr

from integrations.vendor import VendorSettings


class MaxmindSettings(VendorSettings):
    """How the company uses MaxMind.

    Args:
        account_id: number of the account, user of HTTP Basic.
        license_key: its password.
        mode: `local` only if every look-up runs on a database on the company's own servers, so that MaxMind receives
            no address of anybody; `web` if the GeoIP web service or minFraud is called.
        exclusions_file: where the daily list of privacy exclusions is written, one network a line, for whoever locates
            addresses for advertising; without it the list is not fetched.
        api_url: host of the Privacy Exclusions API.
    """

    prefix: ClassVar[str] = "MAXMIND"
    account_id: str
    license_key: SecretStr
    mode: Literal["local", "web"] = "web"
    exclusions_file: Path | None = None
    api_url: str = "https://api.maxmind.com"

"""HubSpot's variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from pydantic import SecretStr, field_validator

from integrations.vendor import VendorSettings


class HubspotSettings(VendorSettings):
    """How we reach one HubSpot account.

    Args:
        access_token: of a private app; its scopes are listed in README.md.
        client_secret: of the same app; signs its events. Without it every delivery is rejected.
        base_url: `BASE_URL` of the desk: HubSpot signs the address that it was told to call, so this must be its start.
        account_property: name of the contact property that holds the company's own account id; empty if there is none.
        api_url: the same host for every region.
    """

    prefix: ClassVar[str] = "HUBSPOT"
    aliases: ClassVar[Mapping[str, str]] = {"base_url": "BASE_URL"}
    access_token: SecretStr
    client_secret: SecretStr | None = None
    base_url: str = ""
    account_property: str = ""
    api_url: str = "https://api.hubapi.com"

    @field_validator("account_property")
    @classmethod
    def _names_a_property(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,99}|", value):
            raise ValueError("must be the internal name of a contact property")
        return value

"""Baremetrics' variables."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr

from integrations.vendor import VendorSettings


class BaremetricsSettings(VendorSettings):
    """How we reach one Baremetrics account.

    Args:
        api_key: from Settings, API; reads and writes.
        api_url: host of the API, without `/v1`.
        cancellation_insights: whether the account has Cancellation Insights, whose free-text comments are then found,
            exported and blanked. What the API answers to an account without it is not documented.
    """

    prefix: ClassVar[str] = "BAREMETRICS"
    api_key: SecretStr
    api_url: str = "https://api.baremetrics.com"
    cancellation_insights: bool = True

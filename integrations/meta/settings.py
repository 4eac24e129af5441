"""Meta's variables."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import SecretStr, field_validator

from integrations.vendor import VendorSettings


class MetaSettings(VendorSettings):
    """How we reach the company's ad accounts, its lead forms, and how Meta reaches us.

    Args:
        access_token: of a system user of the business, with `ads_management`.
        app_secret: of the app that the token belongs to; also signs Meta's data deletion requests.
        ad_account_ids: comma-separated, with or without `act_`.
        page_id: the page whose lead forms are searched; empty: there are none.
        page_token: of that page, with `leads_retrieval` and `pages_manage_ads`; empty: the access token is used.
        status_url: `BASE_URL/status`, which Meta shows to people who asked for deletion, with their code behind it.
        api_url: with the version, because each lives for a year or two only.
    """

    prefix: ClassVar[str] = "META"
    access_token: SecretStr
    app_secret: SecretStr
    ad_account_ids: str
    page_id: str = ""
    page_token: SecretStr | None = None
    status_url: str = ""
    api_url: str = "https://graph.facebook.com/v26.0"

    @field_validator("ad_account_ids")
    @classmethod
    def _are_accounts(cls, value: str) -> str:
        if not re.fullmatch(r"\s*(act_)?[0-9]+\s*(,\s*(act_)?[0-9]+\s*)*", value, re.ASCII):
            raise ValueError("must be ids of ad accounts, separated by commas")
        return value

    @field_validator("page_id")
    @classmethod
    def _is_a_page(cls, value: str) -> str:
        if not re.fullmatch(r"[0-9]+", value, re.ASCII):
            raise ValueError("must be the numeric id of a page")
        return value

    @property
    def ad_accounts(self) -> tuple[str, ...]:
        """As they stand in paths: `act_123`."""
        return tuple(f"act_{id.strip().removeprefix('act_')}" for id in self.ad_account_ids.split(","))
